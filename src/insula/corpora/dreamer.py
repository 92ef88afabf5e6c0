"""DREAMER (Katsigiannis and Ramzan 2018): EEG from a consumer headset of people who watched films, one MATLAB file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pandas as pd
from pydantic import PositiveFloat

from insula.corpora.contract import BaseCorpus, Card
from insula.corpora.matlab import matlab_variable
from insula.corpora.places import corpus_folder
from insula.corpora.trials import Trial, TrialSettings, part_of, trial_samples
from insula.eeg.montage import canonical
from insula.eeg.preprocessing import Preprocessing
from insula.errors import DataError, SettingsError
from insula.samples import Recording, Samples
from insula.storage.cache import Cache
from insula.storage.hashing import digest, sha256_of

#: What each film was chosen for, in the order of the file: the table of films in the paper; the file does not say it.
FILM_EMOTIONS = (
    "calmness", "surprise", "amusement", "fear", "excitement", "disgust", "happiness", "anger", "sadness", "disgust",
    "calmness", "amusement", "happiness", "anger", "fear", "excitement", "sadness", "surprise",
)  # fmt: skip

_RATINGS = ("valence", "arousal", "dominance")
_GENERATION = 1  # of the converted file in the cache


class DreamerPreprocessing(Preprocessing):
    """The settings of `Preprocessing`, with defaults for a headset that filters to 45 Hz and removes the mains."""

    band: tuple[PositiveFloat, PositiveFloat] = (1.0, 45.0)
    notch: PositiveFloat | None = None
    rate: PositiveFloat | None = 128.0


class DreamerSettings(TrialSettings):
    """Where the file lies, and how trials are cleaned and cut; see `TrialSettings`.

    Parameters
    ----------
    last : float, optional
        Seconds at the end of each film that are kept, as many publications do (60); by default all of it.
    baseline : bool
        Whether samples have the modality `baseline`: what was recorded before their film, 61 s.
    """

    last: PositiveFloat | None = None
    baseline: bool = False
    preprocessing: DreamerPreprocessing = DreamerPreprocessing()


class _Film(NamedTuple):
    """A person watching a film: what is known of it, and two signals (times, channels)."""

    about: dict[str, Any]
    before: np.ndarray
    during: np.ndarray


class _Content(NamedTuple):
    """What the file holds, and what is wrong with it."""

    rate: float
    channels: tuple[str, ...]
    films: list[_Film]
    lacks: list[DataError]


class Dreamer(BaseCorpus):
    """DREAMER: 23 people watched eighteen films and rated what they felt.

    Samples have the modalities `eeg` (microvolts, channels x times), `features` (differential entropy, channels x
    bands) and, where the settings ask for it, `baseline` (microvolts, channels x times): one row a trial, to which all
    its windows point, cleaned as they are. Columns: `valence`, `arousal` and `dominance` (1 to 5), `emotion`, what the
    film was chosen for, `age` and `gender`.
    """

    card: ClassVar[Card] = Card(
        name="dreamer",
        title="DREAMER: EEG and ECG from wireless low-cost off-the-shelf devices",
        licence="for research only, by an agreement; not to be passed on",
        access="on request: https://zenodo.org/records/546113; put DREAMER.mat into dreamer/",
        size="23 people x 18 films of 65 to 393 s, 14 EEG channels at 128 Hz",
        citation="Katsigiannis and Ramzan (2018), DREAMER: a database for emotion recognition through EEG and ECG "
        "signals from wireless low-cost off-the-shelf devices, IEEE Journal of Biomedical and Health Informatics "
        "22(1), 98-107, 10.1109/JBHI.2017.2688239",
        labels="valence, arousal, dominance: one's own rating, 1 to 5; emotion: what the film was chosen for",
        modalities=("eeg", "features"),
        notes="One file that must be read whole: some 2 GB of memory, once for each check and once for the copy in the "
        "cache. Signals lie some 4000 uV above zero, which the band's lower edge removes. All saw the same films; the "
        "file does not say in which order, so the session's clock runs in that of the file, each film after its "
        "baseline. The ECG is not read. Microvolts are inferred.",
    )
    Settings: ClassVar[type[DreamerSettings]] = DreamerSettings
    settings: DreamerSettings

    def _lacks(self) -> list[str]:
        """Return what is missing or broken, one line each; the file is read whole, as it has no parts."""
        return [str(error) for error in _read(self._path).lacks]

    def trials(self, cache: Cache) -> list[Trial]:
        """Return the trials of one person after the other, read lazily from a copy in the cache.

        Raises
        ------
        DataError
            The first line of `check`.
        SettingsError
            Where a film is shorter than `last`.
        """
        content = sha256_of(self._path)
        folder = cache.folder("dreamer", [_GENERATION, content], lambda target: _convert(self._path, target))
        header = json.loads((folder / "films.json").read_text())
        values = np.load(folder / "eeg.npy", mmap_mode="r", allow_pickle=False)
        trials, clock = [], {film["subject"]: 0.0 for film in header["films"]}
        for film in header["films"]:
            subject, number = film["subject"], int(film["trial"])
            before, during = (
                _recording(values, span, header, subject, content) for span in (film["before"], film["during"])
            )
            onset, seconds = clock[subject] + before.n_times / before.rate, during.n_times / during.rate
            clock[subject] = onset + seconds
            if self.settings.last:
                skipped = seconds - self.settings.last
                if skipped < 0:
                    raise SettingsError(f"film {number} lasts {seconds:g} s", where="last", do="lower it")
                during, onset = part_of(during, skipped, seconds), onset + skipped
            baseline = before if self.settings.baseline else None
            trials.append(Trial(during, film["trial"], onset, film["labels"], f"film{number:02d}", baseline))
        return trials

    def samples(self, cache: Cache) -> Samples:
        """Return one sample a window; windows and features lie in the cache, memory-mapped.

        Raises
        ------
        DataError
            As `trials`, and where a recording cannot be used, naming it.
        """
        return trial_samples(self.card.name, self.trials(cache), self.settings, cache)

    @property
    def _path(self) -> Path:
        path = corpus_folder(self.settings.root, self.card.name) / "DREAMER.mat"
        if not path.is_file():
            raise DataError("no such file", where=path, do="correct root, or put the file there")
        return path


def _recording(values: np.ndarray, span: list[int], header: dict[str, Any], subject: str, content: str) -> Recording:
    """Return the recording of rows of a memory map (times, channels)."""
    first, last = span

    def reader(start: int, stop: int) -> np.ndarray:
        return np.array(values[first + start : first + stop].T, np.float32, order="C")

    return Recording(
        corpus=Dreamer.card.name,
        subject=subject,
        session="1",
        channels=tuple(header["channels"]),
        rate=header["rate"],
        n_times=last - first,
        reader=reader,
        events=pd.DataFrame(),
        fingerprint=digest([content, first, last]),
    )


def _convert(path: Path, folder: Path) -> None:
    """Write the signals of all films into one array (times, channels), and `films.json`: what lies where."""
    content = _read(path)
    if content.lacks:
        raise content.lacks[0]
    signals = [signal for film in content.films for signal in (film.before, film.during)]
    edges = np.cumsum([0, *map(len, signals)]).tolist()
    shape = (edges[-1], len(content.channels))
    values = np.lib.format.open_memmap(folder / "eeg.npy", mode="w+", dtype=np.float32, shape=shape)
    for start, signal in zip(edges, signals, strict=False):
        values[start : start + len(signal)] = signal
    values.flush()
    places = zip(edges[:-2:2], edges[1:-1:2], edges[2::2], strict=True)
    films = [
        {**film.about, "before": [start, middle], "during": [middle, stop]}
        for film, (start, middle, stop) in zip(content.films, places, strict=True)
    ]
    header = {"rate": content.rate, "channels": content.channels, "films": films}
    (folder / "films.json").write_text(json.dumps(header))


def _read(path: Path) -> _Content:
    """Return the films of all people that are as they should be, and what is wrong with the others."""
    content = matlab_variable(path, "DREAMER")
    try:
        rate = float(content["EEG_SamplingRate"])
        people, count = list(content["Data"]), int(content["noOfVideoSequences"])
        channels = canonical([str(name) for name in content["EEG_Electrodes"]], where=path)
        expected = int(content["noOfSubjects"])
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"DREAMER is not as published: {error}", where=path, do="fetch the file again") from None
    lacks: list[DataError] = []
    films: list[_Film] = []
    if len(people) != expected:
        lacks.append(DataError(f"{len(people)} people instead of {expected}", where=path, do="fetch the file again"))
    if count != len(FILM_EMOTIONS):
        raise DataError(f"{count} films instead of {len(FILM_EMOTIONS)}", where=path, do="fetch the file again")
    for number, person in enumerate(people, start=1):
        try:
            films += _films(number, person, len(channels))
        except (DataError, KeyError, TypeError, ValueError) as error:
            what = error.what if isinstance(error, DataError) else f"not as published: {error}"
            lacks.append(DataError(f"person {number}: {what}", where=path, do="fetch the file again"))
    return _Content(rate, channels, films, lacks)


def _films(number: int, person: dict[str, Any], channels: int) -> Iterator[_Film]:
    """Yield the films of a person; errors are about the person."""
    ratings = {name: np.ravel(person[f"Score{name.capitalize()}"]).astype(float) for name in _RATINGS}
    facts = {"age": float(person["Age"]), "gender": str(person["Gender"]).strip().lower()}
    signals = {part: [np.asarray(signal) for signal in person["EEG"][part]] for part in ("baseline", "stimuli")}
    for name, values in (ratings | signals).items():
        if len(values) != len(FILM_EMOTIONS):
            raise DataError(f"{len(values)} values of {name} for {len(FILM_EMOTIONS)} films")
    for place, emotion in enumerate(FILM_EMOTIONS):
        felt = {name: float(values[place]) for name, values in ratings.items()}
        outside = [name for name, value in felt.items() if not 1 <= value <= 5]  # NaN is not inside
        if outside:
            raise DataError(f"{outside[0]} of film {place + 1} is {felt[outside[0]]:g}, not 1 to 5")
        for part, films in signals.items():
            shape = films[place].shape
            if films[place].dtype.kind not in "fiu" or len(shape) != 2 or shape[1] != channels:
                what = f"{part} of film {place + 1} has the shape {shape}, not times x {channels} channels"
                raise DataError(what)
        about = {"subject": str(number), "trial": str(place + 1), "labels": {**felt, "emotion": emotion, **facts}}
        # Microvolts: inferred, the headset's 0.51 uV a step and its offset of some 4000 uV are in the values.
        yield _Film(about, signals["baseline"][place], signals["stimuli"][place])
