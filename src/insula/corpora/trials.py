"""Corpora of EEG cut in trials: windows, features and labels of each trial."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import PositiveFloat

from insula.corpora.contract import BaseCorpus
from insula.eeg.epoch_store import Windows, feature_store, window_store
from insula.eeg.preprocessing import Preprocessing
from insula.errors import DataError
from insula.samples import ArrayStore, Recording, Samples, provenance
from insula.storage.cache import Cache
from insula.storage.hashing import digest
from insula.storage.settings import Settings


class TrialSettings(Settings):
    """Where the recordings lie, and how trials are cleaned and cut.

    Parameters
    ----------
    root : Path, optional
        The folder of the corpus, or the folder above it; by default in `INSULA_DATA`.
    window : float
        Seconds a sample lasts; windows never cross the border of a trial.
    hop : float, optional
        Seconds from one start to the next; by default windows adjoin.
    preprocessing : Preprocessing
        How the EEG is cleaned; its epoch and baseline are not used.
    """

    root: Path | None = None
    window: PositiveFloat = 2.0
    hop: PositiveFloat | None = None
    preprocessing: Preprocessing = Preprocessing()


@dataclass(frozen=True)
class Trial:
    """One trial of EEG.

    Parameters
    ----------
    recording : Recording
        Of the trial alone, read lazily; its events are not used.
    name : str
        What tells it from the other trials of its session.
    onset : float
        Seconds on the session's clock at which it began.
    labels : mapping
        Columns of the samples: words, ratings, ages; missing ones are None.
    stimulus : str, optional
        What was shown.
    baseline : Recording, optional
        Of the time before the trial, for whoever compares the two.
    """

    recording: Recording
    name: str
    onset: float
    labels: Mapping[str, Any] = field(default_factory=dict)
    stimulus: str | None = None
    baseline: Recording | None = None


class TrialCorpus(BaseCorpus, ABC):
    """A corpus of EEG cut in trials; a subclass says which they are."""

    @abstractmethod
    def trials(self) -> list[Trial]:
        """Return the trials, read lazily."""

    def samples(self, cache: Cache) -> Samples:
        """Return one sample a window; windows and features lie in the cache, memory-mapped.

        Raises
        ------
        DataError
            As `trials`, and where a recording cannot be used, naming it.
        """
        return trial_samples(self.card.name, self.trials(), self.settings, cache)


def part_of(recording: Recording, start: float, stop: float) -> Recording:
    """Return the part of a recording from `start` up to `stop` (seconds), read lazily.

    Raises
    ------
    DataError
        Where it leaves the recording.
    """
    begin, end = round(start * recording.rate), round(stop * recording.rate)
    if not 0 <= begin < end <= recording.n_times:
        whole = recording.n_times / recording.rate
        what = f"a trial from {start:g} to {stop:g} s leaves the recording, which lasts {whole:g} s"
        raise DataError(what, where=f"{recording.corpus} {recording.subject} {recording.session}", do="fetch it again")

    def reader(first: int, last: int) -> np.ndarray:
        return recording.read(begin + first, begin + last)

    return replace(
        recording, n_times=end - begin, reader=reader, fingerprint=digest([recording.fingerprint, begin, end])
    )


def array_recording(
    load: Callable[[], np.ndarray], shape: tuple[int, int], rate: float, channels: Sequence[str], **about: Any
) -> Recording:
    """Return the recording of an array of a file, which is loaded when it is first read, and soon forgotten.

    Parameters
    ----------
    load : callable
        Returns float (channels, times) in microvolts.
    shape : (int, int)
        What it will return.
    rate : float
        Samples per second.
    channels : sequence of str
        Electrode names, row by row.
    **about
        `corpus`, `subject`, `session` and `fingerprint` of the recording.
    """

    @lru_cache(maxsize=1)
    def whole() -> np.ndarray:
        return np.asarray(load(), np.float32)

    def reader(start: int, stop: int) -> np.ndarray:
        part = whole()[:, start:stop]
        if stop >= shape[1]:
            whole.cache_clear()
        return part

    return Recording(
        channels=tuple(channels), rate=rate, n_times=shape[1], reader=reader, events=pd.DataFrame(), **about
    )


def trial_samples(corpus: str, trials: Sequence[Trial], settings: TrialSettings, cache: Cache) -> Samples:
    """Return one sample a window of each trial, with the modalities `eeg` and `features`.

    Windows and features (differential entropy, channels x bands) lie in the cache, memory-mapped. A window's start and
    stop are on its session's clock; `subject` and `session` are its recording's. Where trials have a baseline there is
    a third modality, `baseline` (microvolts, channels x times): one row a trial, to which all its windows point.

    Raises
    ------
    DataError
        Where there is no trial, or a recording cannot be used, naming it.
    """
    if not trials:
        raise DataError("no trial", where=corpus, do="check the folder with `insula corpora check`")
    recordings = [trial.recording for trial in trials]
    windows, cleaning = Windows(seconds=settings.window, hop=settings.hop), settings.preprocessing
    eeg, clock = window_store(recordings, cleaning, windows, cache)
    features, _ = feature_store(recordings, cleaning, windows, cache)
    place = clock["recording"].to_numpy()
    onset = np.array([trial.onset for trial in trials])[place]
    about = pd.DataFrame(
        {
            "subject": [recording.subject for recording in recordings],
            "session": [recording.session for recording in recordings],
            "trial": [trial.name for trial in trials],
            "stimulus": pd.array([trial.stimulus for trial in trials], dtype="str"),
        }
    ).iloc[place]
    columns = {name: about[name].array for name in about}
    table = provenance(corpus=corpus, start=onset + clock["start"], stop=onset + clock["stop"], **columns)
    labels = pd.DataFrame([dict(trial.labels) for trial in trials])
    labels = labels.astype({name: "str" for name in labels if labels[name].dtype == object})
    table = table.join(labels.iloc[place].reset_index(drop=True))
    if cleaning.artefacts and cleaning.artefacts.marks:
        table["eeg_quality"] = clock["quality"]
    if cleaning.artefacts and cleaning.artefacts.fitted:
        table["eeg_cleaned_on"] = table["subject"] + "/" + table["session"] + "/" + table["trial"]
    samples = Samples(table, {}).with_modality("eeg", "eeg", eeg, range(len(table)))
    samples = samples.with_modality("features", "features", features, range(len(table)))
    if any(trial.baseline for trial in trials):
        store, row = _baselines(trials, cleaning, cache)
        samples = samples.with_modality("baseline", "baseline", store, row[place])
    return samples


def _baselines(trials: Sequence[Trial], cleaning: Preprocessing, cache: Cache) -> tuple[ArrayStore, np.ndarray]:
    """Return the baselines, as long as the shortest of them, and the row of each trial's, -1 where it has none."""
    baselines = [(place, trial.baseline) for place, trial in enumerate(trials) if trial.baseline]
    recordings = [baseline for _, baseline in baselines]
    seconds = min(baseline.n_times / baseline.rate for baseline in recordings)
    store, clock = window_store(recordings, cleaning, Windows(seconds=seconds), cache)
    row = np.full(len(trials), -1)
    places = [place for place, _ in baselines]
    row[places] = np.searchsorted(clock["recording"], range(len(places)))  # the first of each
    return store, row
