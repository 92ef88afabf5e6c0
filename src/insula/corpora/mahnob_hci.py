"""MAHNOB-HCI (Soleymani et al. 2012): EEG of people who watched film clips, BDF; the emotion experiment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
from pydantic import PositiveFloat

from insula.corpora.contract import BaseCorpus, Card
from insula.corpora.film_faces import Film, FilmedSettings, film_problem, with_faces
from insula.corpora.mahnob_labels import RATINGS, Tracks, felt, person_and_trial, read_session
from insula.corpora.places import corpus_folder
from insula.corpora.trials import Trial, part_of, trial_samples
from insula.eeg.checks import check_recording
from insula.eeg.preprocessing import Preprocessing
from insula.eeg.reading import read_recording
from insula.errors import DataError
from insula.samples import Recording, Samples
from insula.storage.cache import Cache

CHANNELS = (
    "Fp1", "AF3", "F3", "F7", "FC5", "FC1", "C3", "T7", "CP5", "CP1", "P3", "P7", "PO3", "O1", "Oz", "Pz", "Fp2", "AF4",
    "Fz", "F4", "F8", "FC6", "FC2", "Cz", "C4", "T8", "CP6", "CP2", "P4", "P8", "PO4", "O2",
)  # fmt: skip

#: Sessions whose folders hold no EEG, as published.
WITHOUT_EEG = ("1854", "1984")

_BDF = re.compile(r"Part_(\d+)_.*_emotion\.bdf")
_FILM = re.compile(r"P(\d+)-.*_C1.*_Section_(\d+)\.avi")


class MahnobPreprocessing(Preprocessing):
    """The settings of `Preprocessing`, with defaults for 256 Hz: 128 Hz afterwards, below the mains."""

    band: tuple[PositiveFloat, PositiveFloat] = (1.0, 45.0)
    notch: PositiveFloat | None = None
    rate: PositiveFloat | None = 128.0


class MahnobSettings(FilmedSettings):
    """The settings of `FilmedSettings`, and where the continuous labels are.

    Parameters
    ----------
    continuous : Path, optional
        `lable_continous_Mahnob.mat`; windows then have `valence_continuous`.
    preprocessing : MahnobPreprocessing
        How the EEG is cleaned; its epoch and baseline are not used.
    """

    continuous: Path | None = None
    preprocessing: Preprocessing = MahnobPreprocessing()


@dataclass(frozen=True)
class Session:
    """A rated session with EEG: who, which trial, its recording, its attributes and its face video (or None)."""

    number: int
    bdf: Path
    attributes: Mapping[str, str]
    face_video: str | None

    @property
    def key(self) -> tuple[int, int]:
        """Person and trial."""
        return person_and_trial(self.number)


class MahnobHci(BaseCorpus):
    """Windows of EEG while a clip was shown, with the ratings and keyword given after it.

    A person's clips are one session; its clock runs over the person's recordings in the order of their trials, each
    with what was recorded before and after its clip. The stimulus is the clip's file. `face_video` is the path of the
    video of the face below the corpus's folder, missing where there is none. With the setting `faces` samples have the
    modality `picture`, cut out of it, and the column `skew`: its first frame is taken to show the clip's beginning, and
    its rate to be the `vidRate` of session.xml.
    """

    card: ClassVar[Card] = Card(
        name="mahnob-hci",
        title="MAHNOB-HCI, emotion elicitation by film clips",
        licence="MAHNOB end-user licence agreement: academic use, signed",
        access="on request: https://mahnob-db.eu/hci-tagging/ (the folder Sessions)",
        size="547 rated trials with EEG of 28 people, clips of 34 to 117 s with 30 s before and after, 32 channels",
        citation="Soleymani, Lichtenauer, Pun and Pantic (2012), A multimodal database for affect recognition and "
        "implicit tagging, IEEE Trans. Affective Computing 3(1), 42-55, 10.1109/T-AFFC.2011.25",
        labels="felt_arousal, felt_valence, felt_control, felt_predictability: 1 to 9; felt_emotion: nine words; "
        "valence3 (negative, neutral, positive) and arousal3 (calm, medium, activated) by keyword; with continuous: "
        "valence_continuous, expressed valence by five annotators of the face",
        modalities=("eeg", "features"),
        notes="Papers speak of 27 people, 28 have EEG and 24 continuous labels: participants() says which were kept. "
        "Sessions without ratings (neutral clips, implicit tagging) are left out. Sessions 1854 and 1984 have no EEG. "
        "Works cut ratings at 5 on either side: Task binary has threshold and tie. Continuous labels are small "
        "(standard deviation 0.07): print the constant predictor beside any error. Annotators saw the face, and "
        "most of what EEG says of them is facial muscle (Soleymani et al. 2016). There is no continuous arousal. "
        "With faces the films of camera C1 are read too.",
    )
    Settings: ClassVar[type[MahnobSettings]] = MahnobSettings
    settings: MahnobSettings

    def _lacks(self) -> list[str]:
        """Return what is missing or broken, one line each; headers, triggers and a few seconds of EEG are read."""
        folders = self._folders()
        lacks: list[str] = []
        for folder in folders:
            try:
                session = self._session(folder)
                if session is not None:
                    felt(session.attributes, folder / "session.xml")
                    check_recording(self._recording(session), where=session.bdf)
                    triggers(session.bdf)
                    film = self._film(session, 0.0) if self.settings.faces else None
                    lacks += [problem for problem in [film and film_problem(film)] if problem]
            except DataError as error:
                lacks.append(str(error))
        try:
            self._tracks  # noqa: B018  # reading it is the check
        except DataError as error:
            lacks.append(str(error))
        return lacks

    def participants(self) -> pd.DataFrame:
        """Return who was kept: one row a person, with how many `sessions` there are, and how many of them are `kept`.

        A session is kept that has ratings and EEG; none of its signal is read.
        """
        folders = self._folders()
        kept = {int(session.number) for session in map(self._session, folders) if session is not None}
        table = pd.DataFrame({"person": [person_and_trial(int(folder.name))[0] for folder in folders]})
        table["kept"] = [int(folder.name) in kept for folder in folders]
        return table.groupby("person")["kept"].agg(sessions="size", kept="sum").reset_index()

    def trials(self) -> list[Trial]:
        """Return the rated clips, read lazily but for the triggers, which say when each began and ended.

        Raises
        ------
        DataError
            If a session's files contradict each other or cannot be used.
        """
        trials, person, clock = [], 0, 0.0
        for session in self._sessions:
            recording = self._recording(session)
            if session.key[0] != person:
                person, clock = session.key[0], 0.0
            start, stop = triggers(session.bdf)
            labels = felt(session.attributes, session.bdf.parent / "session.xml")
            trials.append(
                Trial(
                    part_of(recording, start, stop),
                    name=str(session.key[1]),
                    onset=clock + start,
                    labels={**labels, "face_video": session.face_video},
                    stimulus=session.attributes["mediaFile"],
                )
            )
            clock += recording.n_times / recording.rate
        return trials

    def samples(self, cache: Cache) -> Samples:
        """Return one sample a window; windows, features and faces lie in the cache, memory-mapped.

        Raises
        ------
        DataError
            Where a session cannot be used, naming it.

        Warns
        -----
        UserWarning
            Where faces are asked for and films cannot be used, or not whole.
        """
        trials, tracks = self.trials(), self._tracks
        samples = trial_samples("mahnob-hci", trials, self.settings, cache)
        if tracks is not None:
            samples = samples.with_columns(valence_continuous=self._valence(samples, trials, tracks))
        if self.settings.faces:
            pairs = zip(self._sessions, trials, strict=True)
            takes = {(t.recording.subject, t.name): self._film(session, t.onset) for session, t in pairs}
            films = {key: film for key, film in takes.items() if film is not None}
            samples = with_faces(samples, films, self.settings, cache)
        return samples

    @staticmethod
    def _valence(samples: Samples, trials: list[Trial], tracks: Tracks) -> np.ndarray:
        """Return the expressed valence of each window, missing where there is none."""
        table = samples.table
        valence = np.full(len(table), np.nan)
        begins = {(trial.recording.subject, trial.name): trial.onset for trial in trials}
        for (subject, name), rows in table.groupby(["subject", "trial"]).indices.items():
            begin = begins[subject, name]
            start, stop = (table[column].to_numpy()[rows] - begin for column in ("start", "stop"))
            valence[rows] = tracks.means((int(subject), int(name)), start, stop)
        return valence

    @cached_property
    def _tracks(self) -> Tracks | None:
        return Tracks.read(self.settings.continuous) if self.settings.continuous else None

    @property
    def _folder(self) -> Path:
        return corpus_folder(self.settings.root, "mahnob-hci")

    def _folders(self) -> list[Path]:
        """Return the folders of sessions, in the order of their numbers."""
        folder = self._folder / "Sessions"
        if not folder.is_dir():
            raise DataError("no such folder", where=folder, do="correct root: it holds the folder Sessions")
        folders = sorted((path for path in folder.iterdir() if path.name.isdigit()), key=lambda path: int(path.name))
        if not folders:
            raise DataError("no session in this folder", where=folder, do="it should hold folders called 2, 4 and on")
        return folders

    @cached_property
    def _sessions(self) -> list[Session]:
        return [session for session in map(self._session, self._folders()) if session is not None]

    def _session(self, folder: Path) -> Session | None:
        """Return a session, or None where it was not rated or, as published, has no EEG."""
        path = folder / "session.xml"
        attributes = read_session(path)
        if RATINGS["felt_arousal"] not in attributes or folder.name in WITHOUT_EEG:
            return None
        recordings = sorted(folder.glob("*.bdf"))
        if len(recordings) != 1:
            what = f"{len(recordings) or 'no'} BDF recordings beside a rated session.xml"
            raise DataError(what, where=folder, do="fetch the session again")
        match = _BDF.fullmatch(recordings[0].name)
        person = person_and_trial(int(folder.name))[0]
        if {attributes["subject"], match[1] if match else recordings[0].name} != {str(person)}:
            what = (
                f"session {folder.name} is of person {person}, but session.xml says {attributes['subject']!r} "
                f"and the recording is called {recordings[0].name}"
            )
            raise DataError(what, where=path, do="put files back into their session's folder")
        if not attributes.get("mediaFile"):
            raise DataError("mediaFile is missing: which clip was it?", where=path, do="fetch it again")
        videos = sorted(folder.glob("P*_C1*.avi"))
        video = videos[0].relative_to(self._folder).as_posix() if videos else None
        return Session(int(folder.name), recordings[0], attributes, video)

    def _film(self, session: Session, begin: float) -> Film | None:
        """Return the film of the face, of which the first frame is taken to show the clip's beginning, or None."""
        if session.face_video is None:
            return None
        path = self._folder / session.face_video
        match = _FILM.fullmatch(path.name)
        problem = None
        if match and (int(match[1]), int(match[2])) != session.key:
            person, trial = session.key
            what = f"the film is of person {match[1]}, trial {match[2]}, the session of person {person}, trial {trial}"
            problem = str(DataError(what, where=path, do="put files back into their session's folder"))
        rate, first, last = (_number(session.attributes.get(name)) for name in ("vidRate", "vidBeginSmp", "vidEndSmp"))
        seconds = (last - first + 1) / rate if rate and first is not None and last is not None else None
        return Film(path, begin, rate, seconds, problem)

    def _recording(self, session: Session) -> Recording:
        # A BDF's header states microvolts; physiological channels and the triggers are not among CHANNELS.
        return read_recording(session.bdf, "mahnob-hci", str(session.key[0]), "1", channels=CHANNELS)


def _number(text: str | None) -> float | None:
    """Return what an attribute says where it is a positive number, else None."""
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if 0 < number < np.inf else None


def triggers(path: Path) -> tuple[float, float]:
    """Return when the clip began and ended, in seconds of the recording: the first two triggers of `Status`.

    Raises
    ------
    DataError
        If there is no channel `Status`, or it has fewer than two triggers.
    """
    import mne

    try:
        raw = mne.io.read_raw_bdf(path, include=["Status"], stim_channel="Status", preload=False, verbose="error")
        events = mne.find_events(raw, stim_channel="Status", verbose="error")
    except Exception as error:
        raise DataError(f"no triggers: {error}", where=path, do="fetch the session again") from None
    if len(events) < 2:
        what = f"{len(events)} triggers on Status, where the clip's beginning and end are expected"
        raise DataError(what, where=path, do="fetch the session again")
    begin, end = events[:2, 0] / raw.info["sfreq"]
    return float(begin), float(end)
