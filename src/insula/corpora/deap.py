"""DEAP (Koelstra et al. 2012): EEG of people who watched music videos, the preprocessed release for Python."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pandas as pd
from pydantic import PositiveFloat

from insula.corpora.contract import BaseCorpus, Card, not_here
from insula.corpora.deap_tables import RATINGS, VIDEOS, clip_quadrants, presentations, quadrant
from insula.corpora.film_faces import Film, FilmedSettings, film_problem, with_faces
from insula.corpora.places import corpus_folder
from insula.corpora.trials import Trial, trial_samples
from insula.eeg.checks import check_recording
from insula.eeg.preprocessing import Preprocessing
from insula.errors import DataError
from insula.samples import Recording, Samples
from insula.storage.arrays_from_pickle import arrays_from_pickle
from insula.storage.cache import Cache
from insula.storage.hashing import digest, sha256_of

#: The first 32 of the 40 rows of a trial, as the release's description lists them. The BDF files of the raw release are
#: in another order (F7 before F3, FC1 before FC5, ...).
DEAP_CHANNELS = (
    "Fp1", "AF3", "F3", "F7", "FC5", "FC1", "C3", "T7", "CP5", "CP1", "P3", "P7", "PO3", "O1", "Oz", "Pz",
    "Fp2", "AF4", "Fz", "F4", "F8", "FC6", "FC2", "Cz", "C4", "T8", "CP6", "CP2", "P4", "P8", "PO4", "O2",
)  # fmt: skip
_RATE = 128.0  # Hz, by the release's description: recorded at 512 Hz and downsampled; the files do not say it
_BASELINE = 384  # samples before the video: 3 s
_WITHOUT_BASELINE = 7680  # samples of the video, 60 s
_ROWS = 40
_FILE = re.compile(r"s(\d\d)\.dat")
_GENERATION = 1  # of the converted files in the cache


class DeapPreprocessing(Preprocessing):
    """The settings of `Preprocessing`, with the band that the release was filtered to, and its rate."""

    band: tuple[PositiveFloat, PositiveFloat] = (4.0, 45.0)
    notch: PositiveFloat | None = None
    rate: PositiveFloat | None = _RATE


class DeapSettings(FilmedSettings):
    """Where the recordings lie, and how trials are cleaned and cut; see `FilmedSettings`.

    Parameters
    ----------
    baseline : bool
        Whether samples have the modality `baseline`: the three seconds before their video.
    """

    baseline: bool = False
    preprocessing: DeapPreprocessing = DeapPreprocessing()


class _Participant(NamedTuple):
    """What one file holds: float32 (videos, channels, times), ratings (videos, 4), and the sha256 of the file."""

    eeg: np.ndarray
    ratings: np.ndarray
    content: str


class Deap(BaseCorpus):
    """DEAP: 32 people watched the same forty music videos, one minute of each, and rated them.

    Samples have the modalities `eeg` (microvolts, channels x times), `features` (differential entropy, channels x
    bands) and, where the settings ask for it, `baseline` (microvolts, channels x times): one row a trial, to which all
    its windows point, cleaned as they are. A trial is named by its video, and a session's clock runs in the order in
    which that person saw them. Columns: `valence`, `arousal`, `dominance` and `liking` (1 to 9); `quadrant`, of valence
    and arousal, a rating of 5 or more being high: HVHA, HVLA, LVHA or LVLA; `stimulus_half`: `first` for videos 1 to
    20, else `second`; `face_video`, the path of the film of that trial below the corpus's folder, missing where there
    is none; and, where `video_list.csv` is there, `clip_quadrant`, as strangers rated the video. With the setting
    `faces` samples have the modality `picture`, cut out of that film, and the column `skew`: its first frame is taken
    to show the video's beginning, which is nowhere documented (`alignment.offset` moves it).
    """

    card: ClassVar[Card] = Card(
        name="deap",
        title="DEAP, a database for emotion analysis using physiological signals",
        licence="for academic research only, by a signed agreement; not to be passed on",
        access="on request: https://www.eecs.qmul.ac.uk/mmv/datasets/deap/; unpack data_preprocessed_python, "
        "metadata_csv and, for faces, face_video into deap/",
        size="32 people x 40 trials of 63 s, 32 EEG channels at 128 Hz (3.3 GB); faces of 22 people",
        citation="Koelstra et al. (2012), DEAP: a database for emotion analysis using physiological signals, IEEE "
        "Transactions on Affective Computing 3(1), 18-31, 10.1109/T-AFFC.2011.15",
        labels="valence, arousal, dominance, liking (1 to 9, one's own rating); quadrant of valence and arousal (high "
        "from 5); stimulus_half; clip_quadrant (strangers' rating)",
        modalities=("eeg", "features"),
        notes="Files are in the order of the videos, face films in that of presentation: participant_ratings.csv joins "
        "them, and without it neither play order nor faces are known. Everybody saw the same videos, so a split by "
        "person shares every video. The release is filtered to 4-45 Hz (features of the delta band say nothing) and "
        "average-referenced. Which half of the videos is the pleasant one is nowhere documented: see clip_quadrant. "
        "Films are missing for people 23 to 32 and for some last trials. Rate and channel order are as documented, the "
        "files name neither.",
    )
    Settings: ClassVar[type[DeapSettings]] = DeapSettings
    settings: DeapSettings

    def _lacks(self) -> list[str]:
        """Return what is missing or broken, one line each; some seconds of a few trials are looked at."""
        files = self._files()
        lacks: list[DataError] = []
        broken: list[str] = []
        played, quadrants = None, None
        try:
            quadrants, played = self._quadrants(), self._played()
            if played is None:
                lacks.append(self._unknown_order())
        except DataError as error:
            lacks.append(error)
        for person, path in files.items():
            try:
                trials = [*self._trials(person, path, _read(path), played, quadrants)]
                for trial in trials[::13]:
                    check_recording(trial.recording, where=path)
                if self.settings.faces:
                    broken += filter(None, map(film_problem, self._films(trials).values()))
            except DataError as error:
                lacks.append(error)
        return [str(error) for error in lacks] + broken

    def notes(self) -> list[str]:
        """Return who of the set is not here, which stops nothing."""
        with suppress(DataError):
            files, played = self._files(), self._played()
            people = range(1, 1 + max(files)) if played is None else sorted(set(played.index.get_level_values(0)))
            return not_here([f"s{person:02d}" for person in people if person not in files])
        return []

    def trials(self, cache: Cache) -> list[Trial]:
        """Return the trials of one person after the other, in the order of the videos.

        Each file, which can only be read whole, is converted once: the cache keeps its EEG, memory-mapped, and its
        ratings, 42 MB a person. The corpus keeps no time between trials: on the clock of a session they follow one
        another without a gap, each after its baseline.

        Raises
        ------
        DataError
            The first line of `check` but for absent files and for signals.

        Warns
        -----
        UserWarning
            Where there is no `participant_ratings.csv`.
        """
        files, quadrants, played = self._files(), self._quadrants(), self._played()
        if played is None:
            warnings.warn(f"{self._unknown_order()}; the order of videos is taken", stacklevel=2)
        trials: list[Trial] = []
        for person, path in files.items():
            trials += self._trials(person, path, _converted(path, cache), played, quadrants)
        return trials

    def samples(self, cache: Cache) -> Samples:
        """Return one sample a window; windows, features and faces lie in the cache, memory-mapped.

        Raises
        ------
        DataError
            As `trials`, and where a recording cannot be used, naming it.

        Warns
        -----
        UserWarning
            As `trials`, and where faces are asked for and films cannot be used, or not whole.
        """
        trials = self.trials(cache)
        samples = trial_samples(self.card.name, trials, self.settings, cache)
        if self.settings.faces:
            samples = with_faces(samples, self._films(trials), self.settings, cache)
        return samples

    def _films(self, trials: Iterable[Trial]) -> dict[tuple[str, str], Film]:
        """Return the films of trials that were filmed; their first frame is taken to show the video's beginning."""
        filmed = [trial for trial in trials if trial.labels["face_video"]]
        return {
            (trial.recording.subject, trial.name): Film(self._folder / trial.labels["face_video"], trial.onset)
            for trial in filmed
        }

    @property
    def _folder(self) -> Path:
        return corpus_folder(self.settings.root, self.card.name)

    def _files(self) -> dict[int, Path]:
        """Return the file of each participant."""
        folder = self._folder / "data_preprocessed_python"
        if not folder.is_dir():
            raise DataError("no such folder", where=folder, do="correct root, or unpack the corpus there")
        matches = {path: _FILE.fullmatch(path.name) for path in sorted(folder.iterdir())}
        files = {int(match[1]): path for path, match in matches.items() if match}
        if not files:
            raise DataError("no recording in this folder", where=folder, do="it should hold s01.dat and on")
        return files

    def _table(self, name: str) -> Path:
        """Return where a table is, in the folder that it is packed in or beside it."""
        packed = self._folder / "metadata_csv" / name
        return packed if packed.is_file() else self._folder / name

    def _unknown_order(self) -> DataError:
        what = "no such file, so neither the order of presentation nor face films are known"
        return DataError(what, where=self._table("participant_ratings.csv"), do="fetch metadata_csv")

    def _played(self) -> pd.DataFrame | None:
        path = self._table("participant_ratings.csv")
        return presentations(path) if path.is_file() else None

    def _quadrants(self) -> dict[int, str] | None:
        path = self._table("video_list.csv")
        return clip_quadrants(path) if path.is_file() else None

    def _trials(
        self,
        person: int,
        path: Path,
        held: _Participant,
        played: pd.DataFrame | None,
        quadrants: dict[int, str] | None,
    ) -> Iterator[Trial]:
        """Yield the trials of a participant."""
        _, _, times = held.eeg.shape
        ratings = _checked(held.ratings, person, path, played)

        def recording(video: int, first: int, stop: int) -> Recording:
            # Microvolts: inferred from the size of the values; check_signal refuses volts and millivolts.
            values = held.eeg[video - 1, :, first:stop]
            return Recording(
                corpus=self.card.name,
                subject=path.stem,
                session="1",
                channels=DEAP_CHANNELS,
                rate=_RATE,
                n_times=stop - first,
                reader=lambda begin, end: np.array(values[:, begin:end]),
                events=pd.DataFrame(),
                fingerprint=digest([held.content, video, first]),
            )

        for video in range(1, 1 + VIDEOS):
            place = video if played is None else int(played.loc[(person, video), "trial"])
            onset = (place - 1) * times / _RATE
            labels: dict[str, Any] = dict(zip(RATINGS, ratings[video - 1].tolist(), strict=True))
            labels["quadrant"] = quadrant(labels["valence"], labels["arousal"])
            labels["stimulus_half"] = "first" if video <= VIDEOS // 2 else "second"
            labels["face_video"] = None if played is None else self._face_video(path.stem, place)
            if quadrants:
                labels["clip_quadrant"] = quadrants[video]
            before = recording(video, 0, _BASELINE) if self.settings.baseline else None
            shown = recording(video, _BASELINE, times)
            yield Trial(shown, str(video), onset + _BASELINE / _RATE, labels, f"video{video:02d}", before)

    def _face_video(self, subject: str, place: int) -> str | None:
        """Return the film of a trial, which is named by its place in the order of presentation."""
        path = Path("face_video", subject, f"{subject}_trial{place:02d}.avi")
        return path.as_posix() if (self._folder / path).is_file() else None


def _converted(path: Path, cache: Cache) -> _Participant:
    """Return what a file holds, memory-mapped from the cache."""
    content = sha256_of(path)

    def build(folder: Path) -> None:
        held = _read(path)
        np.save(folder / "eeg.npy", held.eeg)
        np.save(folder / "ratings.npy", held.ratings)

    folder = cache.folder("deap", [_GENERATION, content], build)
    eeg = np.load(folder / "eeg.npy", mmap_mode="r", allow_pickle=False)
    return _Participant(eeg, np.load(folder / "ratings.npy", allow_pickle=False), content)


def _read(path: Path) -> _Participant:
    """Return what a file holds, without the rows that are no EEG."""
    content = arrays_from_pickle(path)
    arrays = [content.get(name) if isinstance(content, dict) else None for name in ("data", "labels")]
    data, ratings = (array if isinstance(array, np.ndarray) and array.dtype.kind == "f" else None for array in arrays)
    if data is None or ratings is None:
        raise DataError("no arrays of numbers 'data' and 'labels'", where=path, do="fetch it again")
    if data.ndim != 3 or data.shape[:2] != (VIDEOS, _ROWS) or ratings.shape != (VIDEOS, len(RATINGS)):
        what = f"data of shape {data.shape} and labels of {ratings.shape}, not (40, 40, times) and (40, 4)"
        raise DataError(what, where=path, do="rows say what a channel is, so none may lack: fetch it again")
    if data.shape[2] == _WITHOUT_BASELINE or data.shape[2] <= _BASELINE:
        what = f"{data.shape[2] / _RATE:g} s a trial: there is no baseline of 3 s before the video"
        raise DataError(what, where=path, do="fetch the release, not a copy with the baseline removed")
    return _Participant(data[:, : len(DEAP_CHANNELS)].astype(np.float32), ratings, sha256_of(path))


def _checked(ratings: np.ndarray, person: int, path: Path, played: pd.DataFrame | None) -> np.ndarray:
    """Return ratings that lie on their scale and are those of the table, video by video."""
    outside = np.argwhere(~((ratings >= 1) & (ratings <= 9)))
    if len(outside):
        row, column = outside[0]
        what = f"{RATINGS[column]} of video {row + 1} is {ratings[row, column]:g}, not 1 to 9"
        raise DataError(what, where=path, do="fetch it again")
    if played is not None:
        if person not in played.index.get_level_values(0):
            raise DataError(f"participant_ratings.csv has no participant {person}", where=path, do="fetch both again")
        tabled = played.loc[person].sort_index()[list(RATINGS)].to_numpy()
        other = np.flatnonzero(~np.isclose(ratings, tabled, rtol=0, atol=0.01).all(axis=1))  # it has two decimals
        if len(other):
            what = f"the ratings of video {other[0] + 1} are not those of participant_ratings.csv"
            raise DataError(what, where=path, do="the file should be in the order of Experiment_id: fetch both again")
    return ratings
