"""SEED (Zheng and Lu 2015) and SEED-IV (Zheng et al. 2019): EEG of people who watched film clips, MATLAB files."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple

from pydantic import PositiveFloat

from insula.corpora.contract import Card
from insula.corpora.matlab import matlab_array, matlab_shapes
from insula.corpora.places import corpus_folder
from insula.corpora.trials import Trial, TrialCorpus, TrialSettings, array_recording
from insula.eeg.montage import canonical, some
from insula.eeg.preprocessing import Preprocessing
from insula.errors import DataError
from insula.storage.hashing import digest, sha256_of

#: The rows of every array, from the corpora's "Channel Order.xlsx"; the files themselves name no channel.
SEED_CHANNELS = (
    "FP1", "FPZ", "FP2", "AF3", "AF4", "F7", "F5", "F3", "F1", "FZ", "F2", "F4", "F6", "F8", "FT7", "FC5", "FC3", "FC1",
    "FCZ", "FC2", "FC4", "FC6", "FT8", "T7", "C5", "C3", "C1", "CZ", "C2", "C4", "C6", "T8", "TP7", "CP5", "CP3", "CP1",
    "CPZ", "CP2", "CP4", "CP6", "TP8", "P7", "P5", "P3", "P1", "PZ", "P2", "P4", "P6", "P8", "PO7", "PO5", "PO3", "POZ",
    "PO4", "PO6", "PO8", "CB1", "O1", "OZ", "O2", "CB2",
)  # fmt: skip

_RATE = 200.0  # Hz, by the corpora's descriptions: recorded at 1000 Hz and downsampled; the files do not say it
_SESSIONS = 3
_FILE = re.compile(r"(\d+)_(\d{8})\.mat")  # subject and date
_TRIAL = re.compile(r".*_eeg(\d+)")  # the initials before it vary
_SEED_WORDS = {-1: "negative", 0: "neutral", 1: "positive"}
_SEED_IV_WORDS = {"0": "neutral", "1": "sadness", "2": "fear", "3": "happiness"}
_SEED_IV_LABELS = {  # of the trials of each session, from the corpus's ReadMe.txt
    "1": "123020010121112322330303",
    "2": "213002023323201121030131",
    "3": "122133311210233023002010",
}


class SeedPreprocessing(Preprocessing):
    """The settings of `Preprocessing`, with the corpora's own rate."""

    rate: PositiveFloat | None = _RATE


class SeedSettings(TrialSettings):
    """Where the recordings lie, and how trials are cleaned and cut; see `TrialSettings`.

    Parameters
    ----------
    sessions : tuple of int
        Which sessions are taken; many publications report the first alone.
    """

    sessions: tuple[Literal[1, 2, 3], ...] = (1, 2, 3)
    preprocessing: SeedPreprocessing = SeedPreprocessing()


class _Sitting(NamedTuple):
    """What one file holds: the trials of a subject on one day."""

    subject: str
    session: str
    path: Path


class _SeedFamily(TrialCorpus, ABC):
    """What SEED and SEED-IV share: a file a sitting, an array a trial, rows in one order."""

    card: ClassVar[Card]
    Settings: ClassVar[type[SeedSettings]] = SeedSettings
    settings: SeedSettings

    @abstractmethod
    def _sittings(self) -> tuple[list[_Sitting], list[DataError]]:
        """Return the files of the folder in order, and what it lacks."""

    @abstractmethod
    def _emotions(self, session: str) -> Sequence[str]:
        """Return the emotion of each trial of a session, in the order in which they were shown."""

    @abstractmethod
    def _stimulus(self, session: str, number: int) -> str:
        """Return the name of the clip of a trial, numbered from one."""

    def _lacks(self) -> list[str]:
        """Return what is missing or broken, one line each; names and shapes of the arrays are read, no signal."""
        sittings, lacks = self._sittings()
        for sitting in sittings:
            try:
                _arrays(sitting.path, len(self._emotions(sitting.session)))
            except DataError as error:
                lacks.append(error)
        return list(dict.fromkeys(map(str, lacks)))

    def trials(self) -> list[Trial]:
        """Return the trials in the order in which they were shown, read lazily, one array at a time.

        The files keep no time between trials: on the clock of a session they follow one another without a gap.

        Raises
        ------
        DataError
            The first line of `check`, as far as names and shapes tell.
        """
        sittings, lacks = self._sittings()
        if lacks:
            raise lacks[0]
        return [trial for sitting in sittings for trial in self._trials(sitting)]

    def _trials(self, sitting: _Sitting) -> Iterator[Trial]:
        emotions = self._emotions(sitting.session)
        arrays, content, onset = _arrays(sitting.path, len(emotions)), sha256_of(sitting.path), 0.0
        for number, ((name, shape), emotion) in enumerate(zip(arrays, emotions, strict=True), start=1):
            # Microvolts: inferred from the size of the values, the corpora name no unit; check_signal would refuse
            # volts and millivolts.
            recording = array_recording(
                partial(matlab_array, sitting.path, name),
                shape,
                _RATE,
                canonical(SEED_CHANNELS),
                corpus=self.card.name,
                subject=sitting.subject,
                session=sitting.session,
                fingerprint=digest([content, name]),
            )
            stimulus = self._stimulus(sitting.session, number)
            yield Trial(recording, str(number), onset, {"emotion": emotion}, stimulus)
            onset += shape[1] / _RATE


def _arrays(path: Path, wanted: int) -> list[tuple[str, tuple[int, int]]]:
    """Return name and shape of each trial's array, the first trial first."""
    arrays: dict[int, tuple[str, tuple[int, int]]] = {}
    shapes = matlab_shapes(path)
    for name, shape in shapes.items():
        match = _TRIAL.fullmatch(name)
        if match is None:
            continue
        number = int(match[1])
        if number in arrays or not 1 <= number <= wanted:
            what = f"{name}: a trial of no label" if number not in arrays else f"two arrays of trial {number}"
            raise DataError(what, where=path, do=f"the file should hold one array for each of {wanted} trials")
        if len(shape) != 2 or shape[0] != len(SEED_CHANNELS):
            what = f"{name} has the shape {shape}, not {len(SEED_CHANNELS)} channels x times"
            raise DataError(what, where=path, do="channels go by their rows here, so none may lack: fetch it again")
        arrays[number] = (name, (shape[0], shape[1]))
    absent = sorted(set(range(1, wanted + 1)) - set(arrays))
    if absent:
        more = f" and {len(absent) - 1} more" if len(absent) > 1 else ""
        do = "fetch the file again"
        if shapes and not arrays:
            do = f"its variables are {some(shapes, 5)}: name them as in djc_eeg1"
        raise DataError(f"no array of trial {absent[0]}{more}", where=path, do=do)
    return [arrays[number] for number in range(1, wanted + 1)]


def _files(folder: Path) -> dict[int, list[Path]]:
    """Return the recordings of each subject in a folder, the earliest first."""
    if not folder.is_dir():
        raise DataError("no such folder", where=folder, do="correct root, or unpack the corpus there")
    files: dict[int, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        match = _FILE.fullmatch(path.name)
        if match:
            files.setdefault(int(match[1]), []).append(path)
    if not files:
        raise DataError("no recording in this folder", where=folder, do="it should hold 1_20131027.mat and the like")
    return files


class Seed(_SeedFamily):
    """SEED: fifteen people watched the same fifteen clips on each of three days.

    Samples have the modalities `eeg` (microvolts, channels x times) and `features` (differential entropy, channels x
    bands) and the label `emotion`, what the clip was chosen for. A subject's session is the rank of its date.
    """

    card: ClassVar[Card] = Card(
        name="seed",
        title="SJTU Emotion EEG Dataset (SEED)",
        licence="for academic research only, by a signed agreement; not to be passed on",
        access="on request: https://bcmi.sjtu.edu.cn/home/seed/; unpack Preprocessed_EEG into seed/",
        size="15 people x 3 sessions x 15 trials of about 4 minutes, 62 EEG channels at 200 Hz",
        citation="Zheng and Lu (2015), Investigating critical frequency bands and channels for EEG-based emotion "
        "recognition with deep neural networks, IEEE Transactions on Autonomous Mental Development 7(3), 162-175, "
        "10.1109/TAMD.2015.2431497",
        labels="emotion: negative, neutral or positive, of the clip; nobody's own rating",
        modalities=("eeg", "features"),
        notes="The same clips in the same order in all three sessions, so a split by session shares every clip, and "
        "label and place in the session go together. CB1 and CB2 are taken as PO9 and PO10. The rate and the order of "
        "channels are as documented, the files name neither; microvolts are inferred.",
    )

    @property
    def _folder(self) -> Path:
        return corpus_folder(self.settings.root, "seed") / "Preprocessed_EEG"

    def _sittings(self) -> tuple[list[_Sitting], list[DataError]]:
        files, lacks = _files(self._folder), []
        try:
            self._emotions("1")
        except DataError as error:
            lacks.append(error)
        for number in range(1, 1 + max(files)):
            count = len(files.get(number, []))
            if count != _SESSIONS:
                what = f"{count} of {_SESSIONS} files {number}_DATE.mat"
                do = "fetch all three: a session is the rank of its date"
                lacks.append(DataError(what, where=self._folder, do=do))
        return [
            _Sitting(str(number), str(session), path)
            for number in sorted(files)
            for session, path in enumerate(files[number], start=1)
            if session in self.settings.sessions
        ], lacks

    def _emotions(self, session: str) -> list[str]:
        path = self._folder / "label.mat"
        codes = matlab_array(path, "label").reshape(-1).tolist()
        unknown = [code for code in codes if code not in _SEED_WORDS]
        if unknown or len(codes) != 15:
            what = f"label {unknown[0]:g} is none of -1, 0 and 1" if unknown else f"{len(codes)} labels for 15 trials"
            raise DataError(what, where=path, do="fetch it again")
        return [_SEED_WORDS[code] for code in codes]

    def _stimulus(self, session: str, number: int) -> str:
        return f"clip{number:02d}"


class SeedIV(_SeedFamily):
    """SEED-IV: fifteen people watched twenty-four clips on each of three days, other clips each day.

    Samples have the modalities `eeg` (microvolts, channels x times) and `features` (differential entropy, channels x
    bands) and the label `emotion`, what the clip was chosen for.
    """

    card: ClassVar[Card] = Card(
        name="seed-iv",
        title="SJTU Emotion EEG Dataset for four emotions (SEED-IV)",
        licence="for academic research only, by a signed agreement; not to be passed on",
        access="on request: https://bcmi.sjtu.edu.cn/home/seed/seed-iv.html; unpack eeg_raw_data into seed-iv/",
        size="15 people x 3 sessions x 24 trials of about 2 minutes, 62 EEG channels at 200 Hz",
        citation="Zheng, Liu, Lu, Lu and Cichocki (2019), EmotionMeter: a multimodal framework for recognizing human "
        "emotions, IEEE Transactions on Cybernetics 49(3), 1110-1122, 10.1109/TCYB.2018.2797176",
        labels="emotion: neutral, sadness, fear or happiness, of the clip; nobody's own rating",
        modalities=("eeg", "features"),
        notes="Each session has clips of its own, 72 in all. The labels stand in the corpus's ReadMe.txt only, and are "
        "taken from there. CB1 and CB2 are taken as PO9 and PO10. The rate and the order of channels are as "
        "documented, the files name neither; microvolts are inferred.",
    )

    def _sittings(self) -> tuple[list[_Sitting], list[DataError]]:
        folder = corpus_folder(self.settings.root, "seed-iv") / "eeg_raw_data"
        lacks: list[DataError] = []
        files: dict[str, dict[int, list[Path]]] = {}
        for session in map(str, sorted(set(self.settings.sessions))):
            try:
                files[session] = _files(folder / session)
            except DataError as error:
                lacks.append(error)
        people = range(1, 1 + max((number for of_session in files.values() for number in of_session), default=0))
        sittings = []
        for session, of_session in files.items():
            for number in people:
                paths = of_session.get(number, [])
                if len(paths) != 1:
                    what = f"{len(paths)} files {number}_DATE.mat instead of one"
                    lacks.append(DataError(what, where=folder / session, do="fetch it again"))
                sittings += [_Sitting(str(number), session, path) for path in paths]
        return sorted(sittings, key=lambda sitting: (int(sitting.subject), sitting.session)), lacks

    def _emotions(self, session: str) -> list[str]:
        return [_SEED_IV_WORDS[code] for code in _SEED_IV_LABELS[session]]

    def _stimulus(self, session: str, number: int) -> str:
        return f"session{session}_clip{number:02d}"
