"""FACED (Chen et al. 2023): EEG of people who watched film clips of nine emotions, as pickles or as a BIDS tree."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
from pydantic import PositiveFloat

from insula.corpora.contract import Card, not_here
from insula.corpora.matlab import matlab_variable
from insula.corpora.places import corpus_folder
from insula.corpora.recording_channels import names_in
from insula.corpora.recording_files import NAMES, RecordingFile, find_recordings
from insula.corpora.recording_folders import is_bids
from insula.corpora.trials import Trial, TrialCorpus, TrialSettings, array_recording, part_of
from insula.eeg.checks import check_events, check_recording
from insula.eeg.preprocessing import Preprocessing
from insula.eeg.reading import read_recording
from insula.emotions import normalise_label
from insula.errors import DataError
from insula.samples import Recording
from insula.storage.arrays_from_pickle import arrays_from_pickle
from insula.storage.hashing import digest, sha256_of
from insula.storage.tables import read_table

#: The first 30 of the 32 rows of a pickle, by the corpus's "Electrode_Location.xlsx" (second cohort, to whose order the
#: first was brought); the last two are the mastoids. The BIDS files are in two other orders, by cohort.
FACED_CHANNELS = (
    "Fp1", "Fp2", "Fz", "F3", "F4", "F7", "F8", "FC1", "FC2", "FC5", "FC6", "Cz", "C3", "C4", "T7", "T8", "CP1", "CP2",
    "CP5", "CP6", "Pz", "P3", "P4", "P7", "P8", "PO3", "PO4", "Oz", "O1", "O2",
)  # fmt: skip
CLIPS: dict[int, str] = dict(
    enumerate(
        [emotion for emotion in ("anger", "disgust", "fear", "sadness") for _ in range(3)]
        + ["neutral"] * 4
        + [emotion for emotion in ("amusement", "inspiration", "happiness", "tenderness") for _ in range(3)],
        start=1,
    )
)
"""The emotion of each clip; `happiness` is what the corpus calls joy."""

_RATE = 250.0  # Hz, of the pickles, by the corpus's description
_SECONDS = 30.0  # at the end of each clip
_ROWS = 32
_FILE = re.compile(r"sub(\d{3})\.pkl")
_REMARKS = ("After_remarks", "Data")  # folders that hold subXXX/After_remarks.mat


class FacedPreprocessing(Preprocessing):
    """The settings of `Preprocessing`, with the band of the pickles, which were low-passed at 47 Hz, and their rate."""

    band: tuple[PositiveFloat, PositiveFloat] = (1.0, 45.0)
    rate: PositiveFloat | None = _RATE


class FacedSettings(TrialSettings):
    """Where the recordings lie, and how trials are cleaned and cut; see `TrialSettings`."""

    preprocessing: FacedPreprocessing = FacedPreprocessing()


class Faced(TrialCorpus):
    """FACED: 123 people watched the same 28 film clips; the last 30 s of each are a trial.

    Which form the folder has is found out: `Processed_data/sub000.pkl` and on, or a BIDS tree. Samples have the
    modalities `eeg` (microvolts, channels x times; the 30 scalp electrodes of both forms, in one order) and `features`
    (differential entropy, channels x bands), and the labels `emotion`, nine classes, what the clip was chosen for, and
    `valence2`, its side, missing where neutral. A trial is named by its clip.
    """

    card: ClassVar[Card] = Card(
        name="faced",
        title="Finer-grained Affective Computing EEG Dataset (FACED)",
        licence="CC BY 4.0 (the BIDS form); the terms of Synapse (the pickles)",
        access="open: BIDS at https://doi.org/10.82901/nemar.nm000112; pickles, with an account, at "
        "https://www.synapse.org/Synapse:syn50614194: unpack Processed_data and, for the order of play, After_remarks "
        "(or Data) into faced/",
        size="123 people x 28 clips; BIDS: whole recordings at 250 or 1000 Hz (31 GB); pickles: 30 s a clip at 250 Hz "
        "(6.6 GB)",
        citation="Chen et al. (2023), A large finer-grained affective computing EEG dataset, Scientific Data 10, 740, "
        "10.1038/s41597-023-02650-w",
        labels="emotion: anger, disgust, fear, sadness, neutral, amusement, inspiration, happiness, tenderness, of the "
        "clip; valence2: negative or positive; nobody's own rating",
        modalities=("eeg", "features"),
        notes="Everybody saw the same clips, so a split by person shares every clip; clips of one valence were shown "
        "together, so emotion and place in the session go together. Pickles are in the order of clips: After_remarks "
        "says when each was shown, and where it is absent that order is taken, with a warning. Their unit is nowhere "
        "said; microvolts are inferred. In BIDS files T3 to T6 and T7 to P8 are the same places in two cohorts, and "
        "people 36 to 60 saw a longer version of clip 22. For whole clips use the corpus recordings.",
    )
    Settings: ClassVar[type[FacedSettings]] = FacedSettings
    settings: FacedSettings

    def _lacks(self) -> list[str]:
        """Return what is missing or broken, one line each; some seconds of four trials a file are looked at."""
        lacks = []
        for path, trials in self._people().items():
            try:
                for trial in [*trials()][::9]:
                    check_recording(trial.recording, where=path)
            except DataError as error:
                lacks.append(str(error))
        return lacks

    def notes(self) -> list[str]:
        """Return who of the set is not here, which stops nothing."""
        with suppress(DataError):
            return not_here([*self._absent(self._people())])
        return []

    def trials(self) -> list[Trial]:
        """Return the trials in the order of play, read lazily.

        The onsets of the BIDS form are those of its events. Pickles keep no time between trials: on the clock of a
        session they follow one another without a gap. A pickle is read for its shape, and again when its first trial
        is; one is in memory at a time.

        Raises
        ------
        DataError
            The first line of `check` but for absent files and for signals.

        Warns
        -----
        UserWarning
            Where nothing says in which order the clips of pickles were played.
        """
        people = self._people()
        if self._remarks is None and not is_bids(self._folder):
            what = f"{self._folder} has no After_remarks, so clips are taken to be played by their numbers; fetch it"
            warnings.warn(what, stacklevel=2)
        return [trial for trials in people.values() for trial in trials()]

    @property
    def _folder(self) -> Path:
        return corpus_folder(self.settings.root, self.card.name)

    @property
    def _remarks(self) -> Path | None:
        """The folder that says when a clip was played, of the form with pickles."""
        folders = (self._folder / name for name in _REMARKS)
        return next((folder for folder in folders if any(folder.glob("sub*/After_remarks.mat"))), None)

    def _people(self) -> dict[Path, Callable[[], Iterable[Trial]]]:
        """Return what yields the trials of each file."""
        folder, pickles = self._folder, self._folder / "Processed_data"
        if pickles.is_dir() and is_bids(folder):
            what = "a BIDS tree and Processed_data, which are the same trials"
            raise DataError(what, where=folder, do="keep them in two folders and set root to one")
        if is_bids(folder):
            return {one.path: partial(_bids_trials, one) for one in find_recordings(folder, "{subject}")}
        if not pickles.is_dir():
            raise DataError("neither Processed_data nor a BIDS tree", where=folder, do="correct root")
        files = [path for path in sorted(pickles.iterdir()) if _FILE.fullmatch(path.name)]
        if not files:
            raise DataError("no recording in this folder", where=pickles, do="it should hold sub000.pkl and on")
        newest = lru_cache(maxsize=1)(_read)
        return {path: partial(_pickle_trials, path, newest, self._remarks) for path in files}

    def _absent(self, files: Iterable[Path]) -> Iterator[str]:
        """Yield people named in `participants.tsv`, or below the highest number, of whom there is no file."""
        table, present = self._folder / "participants.tsv", {path.stem.split("_")[0] for path in files}
        if not is_bids(self._folder):
            names = [f"sub{number:03d}" for number in range(int(max(present).removeprefix("sub")))]
        else:
            names = read_table(table, NAMES)["participant_id"].tolist() if table.is_file() else []
        yield from (name for name in names if name not in present)


def _labels(clip: int) -> dict[str, str | None]:
    """Return the labels of a clip.

    Examples
    --------
    >>> _labels(12), _labels(16)
    ({'emotion': 'sadness', 'valence2': 'negative'}, {'emotion': 'neutral', 'valence2': None})
    """
    valence = None if CLIPS[clip] == "neutral" else "negative" if clip <= 12 else "positive"
    return {"emotion": CLIPS[clip], "valence2": valence}


def _trial(recording: Recording, clip: int, onset: float) -> Trial:
    return Trial(recording, str(clip), onset, _labels(clip), f"clip{clip:02d}")


def _check_clips(clips: Sequence[float], where: Path) -> None:
    """Refuse anything but each clip once."""
    if sorted(clips) != sorted(CLIPS):
        odd = [clip for clip in clips if clip not in CLIPS or list(clips).count(clip) > 1]
        what = f"clip {odd[0]:g} is none of 1 to 28, or there twice" if odd else f"{len(clips)} of 28 clips"
        raise DataError(what, where=where, do="each clip was shown once: fetch it again")


def _pickle_trials(path: Path, read: Callable[[Path], np.ndarray], remarks: Path | None) -> Iterator[Trial]:
    """Yield the trials of a pickle in the order of play."""
    subject, content = path.stem.removeprefix("sub"), sha256_of(path)
    times = read(path).shape[2]
    played = _order(remarks / path.stem / "After_remarks.mat") if remarks else list(CLIPS)

    def recording(clip: int) -> Recording:
        # Microvolts: inferred from the size of the values; check_signal refuses volts and millivolts.
        return array_recording(
            lambda: read(path)[clip - 1],
            (len(FACED_CHANNELS), times),
            _RATE,
            FACED_CHANNELS,
            corpus="faced",
            subject=subject,
            session="1",
            fingerprint=digest([content, clip]),
        )

    for place, clip in enumerate(played):
        yield _trial(recording(clip), clip, place * times / _RATE)


def _read(path: Path) -> np.ndarray:
    """Return float32 (clips, channels, times) of a pickle, without the mastoids."""
    values = arrays_from_pickle(path)
    if not (isinstance(values, np.ndarray) and values.dtype.kind == "f"):
        raise DataError("not an array of numbers", where=path, do="fetch it again")
    if values.ndim != 3 or values.shape[:2] != (len(CLIPS), _ROWS):
        what = f"an array of shape {values.shape}, not 28 clips x 32 channels x times"
        raise DataError(what, where=path, do="rows say what a channel is, so none may lack: fetch it again")
    return values[:, : len(FACED_CHANNELS)].astype(np.float32)


def _order(path: Path) -> list[int]:
    """Return the clips in the order in which they were played."""
    remarks = np.atleast_1d(matlab_variable(path, "After_remark"))
    try:
        clips = [float(remark["vid"]) for remark in remarks]
    except (TypeError, ValueError, KeyError, IndexError):
        raise DataError("After_remark has no field vid", where=path, do="fetch it again") from None
    _check_clips(clips, path)
    return [int(clip) for clip in clips]


def _bids_trials(one: RecordingFile) -> Iterator[Trial]:
    """Yield the trials of a recording of the BIDS form in the order of play."""
    if one.events is None:
        raise DataError("no events.tsv beside it", where=one.path, do="fetch it again")
    events = read_table(one.events, NAMES)
    absent = [name for name in ("onset", "duration", "video_index", "emotion_label") if name not in events]
    if absent:
        raise DataError(f"no column {absent[0]}", where=one.events, do="fetch it again")
    events = events[events["video_index"].notna()].sort_values("onset")  # others mark blocks and the beginning
    _check_clips(pd.to_numeric(events["video_index"], errors="coerce").tolist(), one.events)
    clips = events["video_index"].astype(int).tolist()
    for clip, label in zip(clips, events["emotion_label"].fillna(""), strict=True):
        if normalise_label(label) != CLIPS[clip] and not (label == "\\" and CLIPS[clip] == "neutral"):
            what = f"the emotion of clip {clip} is {label!r}, not {CLIPS[clip]}"
            raise DataError(what, where=one.events, do="fetch it again")
    rename, bad = names_in(one, {})
    recording = read_recording(one.path, "faced", one.subject, one.session, events, None, rename, FACED_CHANNELS)
    check_events(events, recording.n_times, recording.rate, where=one.events)
    recording = replace(recording, bad=tuple(name for name in FACED_CHANNELS if name in bad))
    for clip, start, duration in zip(clips, events["onset"], events["duration"], strict=True):
        begin = start + max(0.0, duration - _SECONDS)
        yield _trial(part_of(recording, begin, start + duration), clip, begin)
