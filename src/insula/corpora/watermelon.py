"""The watermelon: EEG that is noise, with labels thrown by a coin, which window splits "decode" all the same.

Named after Xu et al. (arXiv:2405.17024), who recorded EEG from watermelons and decoded labels from it. Here channel
gains drift from trial to trial, as electrodes' do, so that windows of one trial resemble each other; whoever puts
windows of one trial on both sides of a split reads the trial off the drift and the label off the trial.

Measured with an RBF-SVM (C = 10) on standardised features, 2 subjects, accuracy in per cent:

====================================  =======  =====  =====  =====
split                                 drift 0   0.02   0.05   0.15
====================================  =======  =====  =====  =====
random windows, 5 folds                  51.2   56.1   71.7   95.6
blocks of 12 s within trials, 5 folds    49.4   55.7   72.0   96.1
trial-disjoint, 5 folds                  49.2   46.1   45.3   44.6
subject-disjoint                         49.5   50.0   52.4   53.1
====================================  =======  =====  =====  =====

With 80 trials, chance under a trial-disjoint split is 50 +- 5.6.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
from pydantic import Field

from insula.corpora.contract import BaseCorpus, Card, SimulatedCard
from insula.corpora.scalp import MONTAGES, coloured_noise
from insula.eeg.features import differential_entropy
from insula.samples import ArrayStore, Description, Samples, open_store, provenance
from insula.storage.cache import Cache
from insula.storage.settings import Settings


class WatermelonSettings(Settings):
    """How much noise, and how much it drifts.

    Parameters
    ----------
    subjects, trials : int
        Subjects, and trials of each; half of a subject's trials are "low", half "high", in random order.
    seconds : float
        Length of a trial; windows last one second.
    channels : int
        The first so many electrodes of the Biosemi cap of 32.
    rate : float
        Samples per second.
    drift : float
        Standard deviation of what a channel's log-gain walks from one trial to the next.
    seed : int
        Fixes everything.
    """

    subjects: int = Field(2, ge=1)
    trials: int = Field(40, ge=2)
    seconds: float = Field(60.0, ge=1)
    channels: int = Field(32, ge=1, le=32)
    rate: float = Field(128.0, ge=100)
    drift: float = Field(0.15, ge=0)
    seed: int = 0


class Watermelon(BaseCorpus):
    """Windows of noise with the labels of their trials.

    Samples have the modality `features` (differential entropy, channels x bands) and the label `emotion`, "low" or
    "high".

    Examples
    --------
    >>> import tempfile
    >>> corpus = Watermelon(WatermelonSettings(subjects=1, trials=2, seconds=3, channels=4))
    >>> samples = corpus.samples(Cache(Path(tempfile.mkdtemp())))
    >>> samples.read("features").shape, sorted(set(samples.table["emotion"]))
    ((6, 4, 5), ['high', 'low'])
    """

    card: ClassVar[Card] = SimulatedCard(
        name="watermelon",
        title="Noise with coin-flip labels",
        size="2 subjects x 40 trials x 60 s of 32 channels, kept as 4,800 windows of differential entropy (3 MB)",
        citation="after Xu et al. 2024, arXiv:2405.17024",
        labels="emotion: low or high, by chance",
        modalities=("features",),
        origin="simulated noise without a brain",
        notes="There is nothing to decode: a score above chance is a leak.",
    )
    Settings: ClassVar[type[WatermelonSettings]] = WatermelonSettings
    settings: WatermelonSettings

    def samples(self, cache: Cache) -> Samples:
        """Return one sample a window of one second."""
        store = open_store(cache.folder("watermelon", self.settings.digest(), self._build) / "features")
        settings = self.settings
        windows = int(settings.seconds)
        subject, trial, window = np.indices((settings.subjects, settings.trials, windows)).reshape(3, -1)
        start = trial * settings.seconds + window
        table = provenance(
            corpus="watermelon",
            subject=np.char.mod("S%d", subject + 1),
            session="1",
            trial=(trial + 1).astype(str),
            start=start,
            stop=start + 1.0,
            n=len(start),
        )
        samples = Samples(table.assign(emotion=self._labels()[subject, trial]), {})
        return samples.with_modality("features", "features", store, range(len(store)))

    def _labels(self) -> np.ndarray:
        rng = np.random.default_rng([self.settings.seed, 1])
        halves = np.where(np.arange(self.settings.trials) % 2 == 0, "low", "high")
        return np.array([rng.permutation(halves) for _ in range(self.settings.subjects)])

    def _build(self, folder: Path) -> None:
        settings = self.settings
        n_times = int(settings.seconds * settings.rate)
        features = []
        for subject in range(settings.subjects):
            rng = np.random.default_rng([settings.seed, 2, subject])
            log_gain = np.zeros(settings.channels)
            for _ in range(settings.trials):  # one trial in memory at a time
                log_gain += settings.drift * rng.standard_normal(settings.channels)
                rows = (coloured_noise(n_times, settings.rate, rng) * 10 * gain for gain in np.exp(log_gain))
                features.append(differential_entropy(np.stack(list(rows)).astype(np.float32), settings.rate))
        names = MONTAGES["biosemi32"][: settings.channels]
        form = Description(kind="features", axes=("channel", "band"), channels=names, units="nats")
        ArrayStore(np.concatenate(features), form).save(folder / "features")
