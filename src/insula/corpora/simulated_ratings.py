"""Simulated brains of people who watched films and rated them: band power that follows valence and arousal.

Valence shows as an asymmetry of the two sides at the front, arousal as less alpha and more beta and gamma; each person
has patterns of their own beside those. What is felt is known, and `fidelity` says how much of it comes through.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
from pydantic import Field, PositiveFloat

from insula.corpora.contract import BaseCorpus, Card, SimulatedCard
from insula.corpora.scalp import electrode_directions
from insula.eeg.features import BANDS, differential_entropy
from insula.samples import ArrayStore, Description, Samples, open_store, provenance
from insula.storage.cache import Cache
from insula.storage.settings import Settings

_NAME = "simulated-ratings"
_GENERATION = 1  # part of every cache key; raised when the same settings make other data
HEADSET = ("AF3", "F7", "F3", "FC5", "T7", "P7", "O1", "O2", "P8", "T8", "FC6", "F4", "F8", "AF4")
"""The electrodes of a headset of fourteen."""

HEADSET_RATE = 128.0
"""Its samples per second."""

_OWN_SHARE = 0.5  # of a pattern's standard deviation, what is the person's own
_DISAGREEMENT = 0.25  # standard deviation of what a person feels around what the film is


class SimulatedRatingsSettings(Settings):
    """How many people and films, and how clear their brains are.

    Parameters
    ----------
    subjects, films : int
        Everybody watches every film.
    seconds, window : float
        Length of a film, and of a sample.
    fidelity : float
        How much the logarithm of a band's amplitude follows what is felt: 0 not at all, 1 by up to 0.3 either way.
    drift : float
        Standard deviation of a channel's log-amplitude in a band from film to film, for no reason.
    seed : int
        Fixes everything; another seed is another, independent study.
    """

    subjects: int = Field(10, ge=2)
    films: int = Field(18, ge=2)
    seconds: PositiveFloat = 20.0
    window: PositiveFloat = 2.0
    fidelity: float = Field(1.0, ge=0)
    drift: float = Field(0.1, ge=0)
    seed: int = Field(0, ge=0)


class SimulatedRatings(BaseCorpus):
    """Windows of simulated EEG of a headset of fourteen electrodes, with ratings of the films that were watched.

    Samples have the modality `features` (differential entropy, channels x bands) and the labels `valence` and
    `arousal`, whole numbers from 1 to 5.

    Examples
    --------
    >>> import tempfile
    >>> corpus = SimulatedRatings(SimulatedRatingsSettings(subjects=2, films=3, seconds=4))
    >>> corpus.samples(Cache(Path(tempfile.mkdtemp()))).read("features").shape
    (12, 14, 5)
    """

    card: ClassVar[Card] = SimulatedCard(
        name=_NAME,
        title="Simulated brains of people who rated films",
        size="10 subjects x 18 films of 20 s, 14 channels, kept as 1,800 windows of differential entropy (0.5 MB)",
        labels="valence and arousal: 1 to 5, what was felt rounded",
        modalities=("features",),
        origin="simulated brains",
        notes="Band power follows what is felt far more clearly than in people: no figure made here says how well real "
        "brains would do.",
    )
    Settings: ClassVar[type[SimulatedRatingsSettings]] = SimulatedRatingsSettings
    settings: SimulatedRatingsSettings

    def samples(self, cache: Cache) -> Samples:
        """Return one sample a window."""
        settings = self.settings
        key = [_NAME, _GENERATION, settings.model_dump(mode="json")]
        store = open_store(cache.folder("simulated-ratings", key, self._build) / "features")
        windows = int(settings.seconds // settings.window)
        subject, film, window = np.indices((settings.subjects, settings.films, windows)).reshape(3, -1)
        start = film * settings.seconds + window * settings.window
        table = provenance(
            corpus=_NAME,
            subject=np.char.mod("S%d", subject + 1),
            session="1",
            trial=(film + 1).astype(str),
            stimulus=np.char.mod("film%02d", film + 1),
            start=start,
            stop=start + settings.window,
            n=len(start),
        )
        ratings = 3 + np.round(2 * self._felt()[subject, film])
        samples = Samples(table.assign(valence=ratings[:, 0], arousal=ratings[:, 1]), {})
        return samples.with_modality("features", "features", store, range(len(store)))

    def _felt(self) -> np.ndarray:
        """Return what each subject feels at each film, (subjects, films, 2): valence and arousal from -1 to 1."""
        rng = np.random.default_rng([self.settings.seed, 21])
        films = rng.uniform(-1, 1, (self.settings.films, 2))
        own = _DISAGREEMENT * rng.standard_normal((self.settings.subjects, self.settings.films, 2))
        return np.clip(films + own, -1, 1)

    def _build(self, folder: Path) -> None:
        settings, felt = self.settings, self._felt()
        rng = np.random.default_rng([settings.seed, 22])
        common, features = affective_patterns(), []
        for subject in range(settings.subjects):
            own = np.abs(common).max() * rng.standard_normal(common.shape) / 2
            pattern = np.sqrt(1 - _OWN_SHARE**2) * common + _OWN_SHARE * own
            for film in range(settings.films):
                gain = settings.fidelity * np.tensordot(felt[subject, film], pattern, 1)
                gain += settings.drift * rng.standard_normal(gain.shape)
                signal = affective_signal(gain, settings.seconds, rng)
                features.append(differential_entropy(signal, HEADSET_RATE, window=settings.window))
        form = Description(kind="features", axes=("channel", "band"), channels=HEADSET, units="nats")
        ArrayStore(np.concatenate(features), form).save(folder / "features")


def affective_patterns() -> np.ndarray:
    """Return float64 (2, channels, bands): how log-amplitudes follow valence and arousal, the same in everybody.

    Examples
    --------
    >>> affective_patterns().shape
    (2, 14, 5)
    """
    right, front, _ = electrode_directions(HEADSET).T
    bands = list(BANDS)
    patterns = np.zeros((2, len(HEADSET), len(bands)))
    patterns[0, :, bands.index("alpha")] = 0.3 * right * (front > 0)
    patterns[0, :, bands.index("gamma")] = -0.3 * right
    patterns[1, :, bands.index("alpha")] = -0.3 * (front < 0.3)
    patterns[1, :, bands.index("beta")] = 0.2
    patterns[1, :, bands.index("gamma")] = 0.3 * (front > 0)
    return patterns


def affective_signal(gain: np.ndarray, seconds: float, rng: np.random.Generator) -> np.ndarray:
    """Return correlated 1/f noise over the head, its bands louder by exp(gain).

    Parameters
    ----------
    gain : array, shape (..., channels, bands)
        Added to the logarithm of each band's amplitude.
    seconds : float
        Length of each signal.
    rng : Generator
        Draws the noise.

    Returns
    -------
    array, shape (..., channels, times)
        Float32 microvolts.
    """
    n_times = round(seconds * HEADSET_RATE)
    directions = electrode_directions(HEADSET)
    square = ((directions[:, None] - directions[None]) ** 2).sum(axis=2)
    mixing = np.linalg.cholesky(0.8 * np.exp(-square) + 0.2 * np.eye(len(directions)))
    frequency = np.fft.rfftfreq(n_times, 1 / HEADSET_RATE)
    shape = np.empty((*gain.shape[:-1], len(frequency)))
    shape[:] = 10 / np.sqrt(np.maximum(frequency, 0.5))
    for band, (low, high) in enumerate(BANDS.values()):
        shape[..., (frequency >= low) & (frequency < high)] *= np.exp(gain[..., band : band + 1])
    white = mixing @ rng.standard_normal((*gain.shape[:-1], n_times))
    return np.fft.irfft(np.fft.rfft(white) * shape, n_times).astype(np.float32)
