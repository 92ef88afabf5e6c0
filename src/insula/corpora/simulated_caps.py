"""Simulated people who watched clips under four caps: corpora that share emotions and little else.

Everybody has the same few sources in the brain. At each moment of a clip, each source is as loud in each band as ::

    exp(emotion * (1 + course) + clip + course of the clip + fluctuation of the person)

times a usual amplitude. The emotion's pattern over sources and bands is that of its class, in all corpora and people;
the clip's patterns belong to it and not to its emotion; the courses are smooth and common to all who watch; the
fluctuation is as smooth, and of one person. Moments of the clip evoke waves, phase-locked in everybody, of a form that
the class decides for one part and the clip for the other.

What stands between the sources and a recording is a person's and a cap's own: the places of the sources, the gains of
sources, channels, person and corpus, where the cap sits, the electrodes, the reference, and 1/f noise.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple, Self

import numpy as np
import pandas as pd
from pydantic import Field, PositiveFloat, model_validator

from insula.corpora.contract import BaseCorpus, Card, SimulatedCard
from insula.corpora.scalp import MONTAGES, electrode_directions
from insula.corpora.simulated_ratings import HEADSET
from insula.eeg.features import BANDS, differential_entropy, samples_in
from insula.eeg.harmonisation import MONTAGE_60
from insula.emotions import LABEL_SPACES
from insula.errors import SettingsError
from insula.samples import Description, Samples, open_store, provenance
from insula.samples.stores import new_store
from insula.storage.cache import Cache
from insula.storage.settings import Settings

_NAME = "simulated-caps"
_GENERATION = 1  # part of every cache key; raised when the same settings make other data
_CLASSES = LABEL_SPACES["valence3"]


class Cap(NamedTuple):
    """Electrodes, the sites whose mean is taken off (none: that of all electrodes), and noise beside the usual."""

    electrodes: tuple[str, ...]
    reference: tuple[str, ...]
    noise: float


CAPS = {
    "cap-60": Cap(MONTAGE_60, ("M1", "M2"), 0.9),
    "cap-32": Cap(MONTAGES["biosemi32"], (), 0.8),
    "cap-14": Cap(HEADSET, ("P3", "P4"), 1.3),
    "cap-target": Cap(
        (
            "F7", "F3", "Fz", "F4", "F8", "FT9", "FC5", "FC1", "FC2", "FC6", "FT10", "T7", "C3", "Cz", "C4", "T8",
            "TP9", "CP5", "CP1", "CP2", "CP6", "TP10", "P7", "P3", "Pz", "P4", "P8", "O1", "Oz", "O2",
        ),
        ("FCz",),
        1.0,
    ),
}  # fmt: skip
"""The caps by the name of their corpus; four electrodes of the last are of no other."""

TARGET = "cap-target"
"""The corpus whose rows have the label `emotion`; those of the others have `source_emotion`."""

SOURCES = ("F3", "F4", "C3", "C4", "P3", "P4", "Fz", "Oz")
"""The electrodes below which the sources lie in the mean over people."""

RATE = 125.0
"""Samples per second."""

_AMPLITUDES = np.array([5.0, 4.0, 5.0, 3.0, 2.0])  # uV, of a source in each of `BANDS`
_CARRYING = 0.25  # share of the pairs of source and band that say anything of an emotion
_EMOTION = 0.6  # nats, root mean square of what a class adds to log-amplitudes, in the pairs that carry
_CLIP = 0.1  # nats, the same of each of a clip's patterns, in all pairs
_CLIP_COURSES = 3  # patterns of a clip that come and go
_PERIODS = (8.0, 40.0)  # s, of the waves that a course is made of
_WAVES = 4  # in a course
_FLUCTUATION_TIME = 4.0  # s, standard deviation of the filter that makes fluctuations smooth
_APART = 1.0  # s, in the mean, from one evoking moment to the next
_DECAY = 0.3  # s, of an evoked wave
_FREQUENCIES = (2.0, 8.0)  # Hz, of evoked waves
_CAP_SHARE = 0.5  # of the setting mixing, how far a corpus's cap is turned
_REACH = 0.6  # of a source's field, and of the correlation of noise, on a head of radius 1
_OWN_NOISE = 0.2  # share of the noise's variance that is one electrode's


class SimulatedCapsSettings(Settings):
    """How many people and clips, what the clips do to all, and what is a person's and a corpus's own.

    Parameters
    ----------
    sources : tuple of str
        The corpora beside the target; none for what learns from the target alone. The target stays as it is.
    people, clips : int
        Of each source corpus; all people of a corpus watch the same clips, a third of each class.
    target_people, target_clips : int
        Of the target corpus.
    seconds : float
        Length of a clip.
    window, hop : float
        Seconds that a row lasts, and from the start of one to that of the next.
    emotion_strength : float
        How much the class of a clip decides: 0 nothing, 1 the default.
    clip_identity : float
        How much belongs to a clip and not to its class: 0 nothing, 1 the default.
    course : float
        Standard deviation of what comes and goes within a clip, beside 1 for what stays.
    evoked : float
        Microvolts at a source, of the waves that moments of a clip evoke.
    fluctuation : float
        Nats, standard deviation of the log-amplitude of a person's source in a band, for no reason.
    mixing : float
        Degrees, standard deviation along each axis of where a person's sources lie; half as much of how a corpus's cap
        sits.
    gain : float
        Nats, standard deviation of the log-gain of a corpus, of a person, and of each source and channel of a person.
    noise : float
        Microvolts of 1/f noise at an electrode, times the cap's own (`CAPS`).
    seed : int
        Fixes everything; another seed is another, independent study.

    Raises
    ------
    SettingsError
        Where a window is longer than a clip, or too short for its bands.
    """

    sources: tuple[Literal["cap-60", "cap-32", "cap-14"], ...] = ("cap-60", "cap-32", "cap-14")
    people: int = Field(12, ge=2)
    clips: int = Field(12, ge=3)
    target_people: int = Field(16, ge=2)
    target_clips: int = Field(18, ge=3)
    seconds: PositiveFloat = 20.0
    window: PositiveFloat = 2.0
    hop: float = Field(2.0, ge=1 / RATE)
    emotion_strength: float = Field(1.0, ge=0)
    clip_identity: float = Field(1.0, ge=0)
    course: float = Field(0.5, ge=0)
    evoked: float = Field(2.0, ge=0)
    fluctuation: float = Field(0.3, ge=0)
    mixing: float = Field(20.0, ge=0, lt=90)
    gain: float = Field(0.3, ge=0)
    noise: float = Field(10.0, ge=0)
    seed: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not 1 <= self.window <= self.seconds:
            raise SettingsError("no such window", where="window", do="give 1 s or more, and no more than a clip")
        return self


class SimulatedCaps(BaseCorpus):
    """Windows of EEG of four corpora in one table, each with electrodes of its own.

    The column `corpus` is one of `CAPS`. Samples have the modalities `eeg` (microvolts, channels x times), `features`
    (differential entropy of the very same windows, channels x bands) and `sources` (the same of the true sources of the
    person, before mixing and noise: for a ceiling, never for a system). Rows of one clip and one time after its start
    are time-locked over people; `start` and `stop` are on the clock of the session, clip after clip. Rows of the target
    have the label `emotion`; those of the sources have `source_emotion`, of the same words.

    Examples
    --------
    >>> import tempfile
    >>> small = {"people": 2, "clips": 3, "target_people": 2, "target_clips": 3, "seconds": 4}
    >>> corpus = SimulatedCaps(SimulatedCapsSettings(**small))
    >>> samples = corpus.samples(Cache(Path(tempfile.mkdtemp())))
    >>> samples, samples.select(samples.table["corpus"] == "cap-target").read("eeg").shape
    (Samples(48: eeg 48, features 48, sources 48), (12, 30, 250))
    """

    card: ClassVar[Card] = SimulatedCard(
        name=_NAME,
        title="Simulated people who watched clips under caps of 60, 32, 14 and 30 electrodes",
        size="three corpora of 12 people x 12 clips of 20 s and a target of 16 people x 18 clips: 7,200 windows of 2 s "
        "at 125 Hz (245 MB cached)",
        labels="emotion: negative, neutral or positive, one a clip, of the target alone; source_emotion: the same of "
        "the other three",
        modalities=("eeg", "features", "sources"),
        origin="simulated brains",
        notes="Emotions are common to all four corpora by construction, and far clearer than in people: no figure made "
        "here says how well real brains would do. The modality sources is the truth, for a ceiling alone.",
    )
    Settings: ClassVar[type[SimulatedCapsSettings]] = SimulatedCapsSettings
    settings: SimulatedCapsSettings

    def samples(self, cache: Cache) -> Samples:
        """Return one sample a window, corpus after corpus; arrays lie in the cache, memory-mapped."""
        settings = self.settings
        key = [_NAME, _GENERATION, settings.model_dump(mode="json")]
        folder = cache.folder(_NAME, key, self._build)
        table = pd.concat([self._table(name) for name in self._names], ignore_index=True)
        samples = Samples(table, {})
        of_corpus = table.groupby("corpus").cumcount().to_numpy()
        for modality in self.card.modalities:
            for name in self._names:
                rows = np.where(table["corpus"] == name, of_corpus, -1)
                store = open_store(folder / name / modality)
                samples = samples.with_modality(modality, f"{modality} {name}", store, rows)
        return samples

    @property
    def _names(self) -> list[str]:
        return [name for name in CAPS if name in (*self.settings.sources, TARGET)]

    def _size(self, name: str) -> tuple[int, int]:
        """Return how many people and clips a corpus has."""
        settings = self.settings
        if name == TARGET:
            return settings.target_people, settings.target_clips
        return settings.people, settings.clips

    @property
    def _starts(self) -> np.ndarray:
        """Return the first sample of each window of a clip."""
        length, step = (samples_in(seconds, RATE) for seconds in (self.settings.window, self.settings.hop))
        return np.arange(0, samples_in(self.settings.seconds, RATE) - length + 1, step)

    def _table(self, name: str) -> pd.DataFrame:
        people, clips = self._size(name)
        person, clip, window = np.indices((people, clips, len(self._starts))).reshape(3, -1)
        start = clip * self.settings.seconds + self._starts[window] / RATE
        emotion = np.array(_CLASSES, object)[self._classes(name)[clip]]
        missing = np.full(len(clip), None, object)
        return provenance(
            corpus=name,
            subject=np.char.mod("S%d", person + 1),
            session="1",
            trial=(clip + 1).astype(str),
            stimulus=np.char.mod(f"{name}-clip%02d", clip + 1),
            start=start,
            stop=start + self.settings.window,
        ).assign(
            emotion=pd.array(emotion if name == TARGET else missing, dtype="str"),
            source_emotion=pd.array(missing if name == TARGET else emotion, dtype="str"),
        )

    def _rng(self, *purpose: int) -> np.random.Generator:
        return np.random.default_rng([self.settings.seed, *purpose])

    def _classes(self, name: str) -> np.ndarray:
        """Return the class of each clip of a corpus."""
        clips = self._size(name)[1]
        return self._rng(71, list(CAPS).index(name)).permutation(np.arange(clips) % len(_CLASSES))

    def _build(self, folder: Path) -> None:
        window, bands = self.settings.window, len(BANDS)
        for name in self._names:
            electrodes = CAPS[name].electrodes
            people, clips = self._size(name)
            forms = {
                "eeg": Description(kind="signal", axes=("channel", "time"), rate=RATE, channels=electrodes, units="uV"),
                "features": Description(kind="features", axes=("channel", "band"), channels=electrodes, units="nats"),
                "sources": Description(kind="features", axes=("source", "band"), units="nats"),
            }
            shapes = ((len(electrodes), samples_in(window, RATE)), (len(electrodes), bands), (len(SOURCES), bands))
            eeg, features, felt = (
                new_store(folder / name / modality, (people * clips * len(self._starts), *shape), np.float32, form)
                for (modality, form), shape in zip(forms.items(), shapes, strict=True)
            )
            everything = chain.from_iterable(self._recordings(name, person) for person in range(people))
            for number, (recorded, sources) in enumerate(everything):
                rows = slice(number * len(self._starts), (number + 1) * len(self._starts))
                eeg[rows] = self._windows(recorded)
                features[rows] = differential_entropy(eeg[rows], RATE, window=window)[:, 0]
                felt[rows] = differential_entropy(self._windows(sources), RATE, window=window)[:, 0]
            for values in (eeg, features, felt):
                values.flush()

    def _windows(self, signal: np.ndarray) -> np.ndarray:
        """Return (windows, channels, times)."""
        length = samples_in(self.settings.window, RATE)
        return np.stack([signal[:, start : start + length] for start in self._starts])

    def _recordings(self, name: str, person: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield what one person's cap records at each clip (channels, times), and what the sources do."""
        settings, cap, number = self.settings, CAPS[name], list(CAPS).index(name)
        of_corpus, own = self._rng(72, number), self._rng(73, number, person)
        sites = electrode_directions(cap.electrodes + cap.reference) @ _rotation(
            of_corpus, _CAP_SHARE * settings.mixing
        )
        shift = np.tan(np.radians(settings.mixing)) * own.standard_normal((len(SOURCES), 3))
        places = electrode_directions(SOURCES) + shift
        places /= np.linalg.norm(places, axis=1, keepdims=True)
        field = _near(sites, places) * np.exp(settings.gain * own.standard_normal(len(SOURCES)))
        loud = settings.gain * (of_corpus.standard_normal() + own.standard_normal())
        gain = np.exp(loud + settings.gain * own.standard_normal((len(cap.electrodes), 1)))
        correlation = (1 - _OWN_NOISE) * _near(sites, sites) + _OWN_NOISE * np.eye(len(sites))
        spread = cap.noise * settings.noise * np.linalg.cholesky(correlation)
        n_times = samples_in(settings.seconds, RATE)
        clips = self._size(name)[1]
        fluctuation = self._fluctuation(clips, own)
        for clip in range(clips):
            loudness, evoked = self._clip(name, clip)
            loudness += fluctuation[..., clip * n_times : (clip + 1) * n_times]
            ongoing = _noise((len(SOURCES), len(BANDS)), n_times, own, _band_shapes(n_times))
            sources = np.einsum("b,sbt,sbt->st", _AMPLITUDES, np.exp(loudness), ongoing) + evoked
            recorded = field @ sources + spread @ _noise((len(sites),), n_times, own, _falling_shape(n_times))
            electrodes = recorded[: len(cap.electrodes)]
            reference = recorded[len(cap.electrodes) :] if cap.reference else electrodes
            yield (gain * (electrodes - reference.mean(axis=0))).astype(np.float32), sources.astype(np.float32)

    def _clip(self, name: str, clip: int) -> tuple[np.ndarray, np.ndarray]:
        """Return what a clip does to everybody's sources.

        Returns
        -------
        array, (sources, bands, times)
            Added to their log-amplitudes.
        array, (sources, times)
            Evoked waves, microvolts.
        """
        settings, shape = self.settings, (len(SOURCES), len(BANDS))
        common, own = self._rng(74), self._rng(75, list(CAPS).index(name), clip)
        label = self._classes(name)[clip]
        pairs = int(np.prod(shape))
        carrying = common.permutation(pairs)[: round(_CARRYING * pairs)]
        apart, _ = np.linalg.qr(common.standard_normal((len(carrying), len(_CLASSES))))  # any two classes equally far
        emotion = np.zeros(pairs)
        emotion[carrying] = np.sqrt(len(carrying)) * apart[:, label]
        patterns = np.stack(
            [
                settings.emotion_strength * _EMOTION * emotion.reshape(shape),
                *(settings.clip_identity * _CLIP * own.standard_normal((1 + _CLIP_COURSES, *shape))),
            ]
        )
        seconds = np.arange(samples_in(settings.seconds, RATE)) / RATE
        courses = settings.course * _courses(1 + _CLIP_COURSES, seconds, own)
        courses = np.stack([1 + courses[0], np.ones_like(seconds), *courses[1:]])
        evoked = np.zeros((len(SOURCES), len(seconds)))
        moments = own.uniform(0, settings.seconds, max(1, round(settings.seconds / _APART)))
        forms = ((settings.emotion_strength, label, common), (settings.clip_identity, 0, own))
        for strength, which, rng in forms:
            waves = rng.standard_normal((len(_CLASSES), len(SOURCES)))
            frequencies = rng.uniform(*_FREQUENCIES, len(_CLASSES))
            for moment in moments:
                since = np.maximum(seconds - moment, 0)
                wave = np.sin(2 * np.pi * frequencies[which] * since) * np.exp(-since / _DECAY)
                evoked += strength * settings.evoked * np.outer(waves[which], wave)
        return np.tensordot(patterns, courses, (0, 0)), evoked

    def _fluctuation(self, clips: int, rng: np.random.Generator) -> np.ndarray:
        """Return what a person's sources do for no reason, (sources, bands, times), all through the session."""
        from scipy.ndimage import gaussian_filter1d

        settings = self.settings
        seconds = settings.seconds * clips
        knots = rng.standard_normal((len(SOURCES), len(BANDS), int(seconds) + 2))
        knots = gaussian_filter1d(knots, _FLUCTUATION_TIME, mode="wrap")
        knots *= settings.fluctuation / knots.std()
        moments = np.arange(clips * samples_in(settings.seconds, RATE)) / RATE
        before = moments.astype(int)
        return knots[..., before] + (moments - before) * (knots[..., before + 1] - knots[..., before])


def _near(places: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return (places, others): 1 where two directions are one, less the farther they are apart."""
    squares = ((places[:, None] - others[None]) ** 2).sum(axis=-1)
    return np.exp(-squares / (2 * _REACH**2))


def _rotation(rng: np.random.Generator, degrees: float) -> np.ndarray:
    """Return a matrix that turns the head about a random axis."""
    from scipy.spatial.transform import Rotation

    return Rotation.from_rotvec(degrees * rng.standard_normal(3), degrees=True).as_matrix()


def _courses(n: int, seconds: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return smooth courses of unit variance in the long run, (n, times)."""
    period, phase = rng.uniform(*_PERIODS, (n, _WAVES, 1)), rng.uniform(0, 2 * np.pi, (n, _WAVES, 1))
    return np.sqrt(2 / _WAVES) * np.sin(2 * np.pi * seconds / period + phase).sum(axis=1)


def _noise(leading: tuple[int, ...], n_times: int, rng: np.random.Generator, shape: np.ndarray) -> np.ndarray:
    """Return float32 noise, (..., times), whose spectrum has that shape."""
    from scipy.fft import irfft

    parts = rng.standard_normal((*leading, n_times // 2 + 1, 2), np.float32)
    return irfft(parts.view(np.complex64)[..., 0] * shape, n_times)


def _band_shapes(n_times: int) -> np.ndarray:
    """Return the spectra of noise of unit variance in each band, (bands, frequencies)."""
    frequency = np.fft.rfftfreq(n_times, 1 / RATE)
    inside = np.array([(frequency >= low) & (frequency < high) for low, high in BANDS.values()])
    return (n_times / 2 / np.sqrt(inside.sum(axis=1, keepdims=True)) * inside).astype(np.float32)


def _falling_shape(n_times: int) -> np.ndarray:
    """Return the spectrum of noise of unit variance whose power falls as 1/f from half a hertz, (frequencies,)."""
    frequency = np.fft.rfftfreq(n_times, 1 / RATE)
    shape = (frequency > 0) / np.sqrt(np.maximum(frequency, 0.5))
    return (n_times / 2 * shape / np.linalg.norm(shape)).astype(np.float32)
