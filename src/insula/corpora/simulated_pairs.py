"""Simulated people filmed while they watched clips and their EEG was recorded: two modalities on one clock.

What is felt has two sides, how pleasant and how unpleasant, and both run smoothly through a clip; its valence is their
difference. EEG and face follow it, each as clearly as its fidelity says, each with the person's own habits and noise of
its own. What spoils such data in life is there to choose and is known: wrong labels, mixed feelings that raters may
call either way, stretches without EEG or face, a sensor that measures nothing, and clocks that differ.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import pandas as pd
from pydantic import Field, PositiveFloat, model_validator

from insula.corpora.contract import BaseCorpus, Card, SimulatedCard
from insula.corpora.drawn_faces import PROTOTYPES, draw_faces
from insula.corpora.simulated_ratings import HEADSET, HEADSET_RATE, affective_patterns, affective_signal
from insula.eeg.features import BANDS, differential_entropy
from insula.emotions import LABEL_SPACES
from insula.errors import SettingsError
from insula.samples import ArrayStore, Description, Samples, open_store, provenance
from insula.storage.cache import Cache
from insula.storage.settings import Settings

_NAME = "simulated-pairs"
_GENERATION = 1  # part of every cache key; raised when the same settings make other data
_CLASSES = LABEL_SPACES["valence3"]
_SIDES = np.array([[0.0, 0.7], [0.0, 0.0], [0.7, 0.0]])  # how pleasant and unpleasant a clip of each class is
_COURSE = 0.2  # standard deviation of each side within a clip
_PERIODS = (8.0, 40.0)  # s, of the waves that a course is made of
_GEOMETRY = 20  # numbers that describe an expression
_OWN_ACTIONS, _ACTIONS_DRIFT, _ACTIONS_NOISE = 0.3, 0.25, 0.4  # of each facial action: of a person, a clip, a row
_OWN_SHARE = 0.5  # of an EEG pattern's standard deviation, what is the person's own
_EEG_STRENGTH = 0.4  # of the patterns that ratings have
_EEG_DRIFT = 0.1  # standard deviation of a channel's log-amplitude in a band from clip to clip
_STRETCH = 2.0  # rows, standard deviation of the filter that makes missing rows hang together
_NUISANCE = 0.3  # of the drawn faces
_OF_FACES = {"face_fidelity", "clock_offset", "clock_drift"}


class SimulatedPairsSettings(Settings):
    """How many people and clips, how clear each modality is, and what is spoilt.

    Parameters
    ----------
    subjects, trials : int
        Each person watches `trials` clips of their own, a third of each class.
    seconds, window : float
        Length of a clip, and of a row.
    eeg_fidelity, face_fidelity : float
        How much of what is felt each shows: 0 nothing, 1 the default.
    label_noise : float
        Share of trials whose label is then another class, drawn evenly.
    ambiguity : (low, high)
        Range of how far a clip lies between its class (0) and an even mix with another (1). Raters name either, each as
        often as its share.
    eeg_missing, face_missing : float
        Share of each person's rows without it, in stretches of some rows.
    bad_sensor : float
        Share of trials in which one sensor, the EEG's or the face's, records nothing but noise.
    clock_offset, clock_drift : float
        What is left between the clocks of camera and EEG after they were aligned: seconds at the session's start, and
        parts per million of the time since.
    drawn : bool
        Whether to draw the face of every row too (slower: modality `picture`).
    size : int
        Pixels along the edge of a drawn face.
    seed : int
        Fixes everything; another seed is another, independent study.

    Raises
    ------
    SettingsError
        Where the range of ambiguity is empty, or a window is longer than a clip or too short for its bands.
    """

    subjects: int = Field(12, ge=2)
    trials: int = Field(18, ge=3)
    seconds: PositiveFloat = 20.0
    window: PositiveFloat = 2.0
    eeg_fidelity: float = Field(1.0, ge=0)
    face_fidelity: float = Field(1.0, ge=0)
    label_noise: float = Field(0.1, ge=0, le=1)
    ambiguity: tuple[float, float] = (0.0, 0.5)
    eeg_missing: float = Field(0.0, ge=0, le=1)
    face_missing: float = Field(0.0, ge=0, le=1)
    bad_sensor: float = Field(0.0, ge=0, le=1)
    clock_offset: float = 0.0
    clock_drift: float = 0.0
    drawn: bool = False
    size: int = Field(48, ge=16)
    seed: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        low, high = self.ambiguity
        if not 0 <= low <= high <= 1:
            raise SettingsError("no such range", where="ambiguity", do="give low and high within 0 and 1")
        if not 1 <= self.window <= self.seconds:
            raise SettingsError("no such window", where="window", do="give 1 s or more, and no more than a clip")
        return self


class SimulatedPairs(BaseCorpus):
    """Rows of EEG and face of people who watched clips.

    Samples have the modalities `eeg` (microvolts, channels x times), `features` (differential entropy of the very same
    windows, channels x bands), `face_features` (an expression's geometry) and, if asked for, `picture` (the face drawn,
    uint8 RGB). A trial's rows share the label `emotion`; `valence`, from -1 to 1, is what was felt in the middle of
    each row. `skew` is how far, in seconds, the face is from the middle of the EEG's window. Columns for scoring alone,
    which no system reads: `ambiguity` and `sensor` (`eeg` or `face` where that records nothing but noise, else empty).
    Noise is drawn window by window, so nothing of it goes on from one to the next.

    Examples
    --------
    >>> import tempfile
    >>> corpus = SimulatedPairs(SimulatedPairsSettings(subjects=2, trials=3, seconds=4))
    >>> samples = corpus.samples(Cache(Path(tempfile.mkdtemp())))
    >>> samples, samples.read("eeg").shape
    (Samples(12: eeg 12, features 12, face_features 12), (12, 14, 256))
    """

    card: ClassVar[Card] = SimulatedCard(
        name=_NAME,
        title="Simulated people filmed while they watched clips, with EEG on the same clock",
        size="12 subjects x 18 clips of 20 s: 2,160 rows of 2 s, 14 channels (35 MB cached)",
        labels="emotion: negative, neutral or positive, one a clip, some wrong by default, the true ones sealed in "
        "truth(); valence: -1 to 1, of every row, never wrong",
        modalities=("eeg", "features", "face_features", "picture"),
        origin="simulated brains and simulated faces",
        notes="Columns for scoring alone: ambiguity and sensor. EEG and face follow what is felt far more clearly than "
        "in people, and nothing but their own noise stands between them: no figure made here says how well real brains "
        "would do. Faces are drawn only with the setting drawn.",
    )
    pictures: ClassVar[str] = "whole"
    Settings: ClassVar[type[SimulatedPairsSettings]] = SimulatedPairsSettings
    settings: SimulatedPairsSettings

    def samples(self, cache: Cache) -> Samples:
        """Return one sample a window; arrays lie in the cache, memory-mapped."""
        settings, trials = self.settings, self._trials()
        trial, window = np.indices((len(trials), self._windows)).reshape(2, -1)
        of_trial = trials.iloc[trial].reset_index(drop=True)
        start = of_trial["start"].to_numpy() + window * settings.window
        subject = of_trial["subject"].map("S{}".format).to_numpy(object)
        eeg = self._rows_present(settings.eeg_missing, 45)
        face = self._rows_present(settings.face_missing, 46)
        table = provenance(
            corpus=_NAME, subject=subject, session="1", trial=of_trial["number"].astype(str).to_numpy(object),
            stimulus=of_trial["stimulus"].to_numpy(object), identity=subject, start=start,
            stop=start + settings.window,
        ).assign(
            emotion=pd.array(of_trial["label"].to_numpy(object), dtype="str"),
            valence=-np.diff(self._felt(np.zeros(len(start)))).ravel(),
            ambiguity=of_trial["ambiguity"].to_numpy(),
            sensor=pd.array(of_trial["sensor"].to_numpy(object), dtype="str"),
            skew=np.where(face >= 0, self._skew(), np.nan),
        )  # fmt: skip
        samples = Samples(table, {}, one_person=[_NAME])
        folder = cache.folder("simulated-pairs", self._key({"eeg_fidelity"}), self._build_eeg)
        for name in ("eeg", "features"):
            samples = samples.with_modality(name, name, open_store(folder / name), eeg)
        folder = cache.folder("simulated-pairs-faces", self._key(_OF_FACES), self._build_geometry)
        samples = samples.with_modality("face_features", "face_features", open_store(folder / "face_features"), face)
        if settings.drawn:
            folder = cache.folder("simulated-pairs-drawn", self._key(_OF_FACES | {"size"}), self._build_pictures)
            samples = samples.with_modality("picture", "pictures", open_store(folder / "pictures"), face)
        return samples

    def truth(self) -> pd.DataFrame:
        """Return the class of each clip, the stronger of two: column `emotion`, indexed by the qualified stimulus."""
        trials = self._trials()
        index = pd.Index([f"{_NAME}/{stimulus}" for stimulus in trials["stimulus"]], name="stimulus")
        return pd.DataFrame({"emotion": trials["true"].to_numpy()}, index=index)

    @property
    def _windows(self) -> int:
        return int(self.settings.seconds // self.settings.window)

    def _key(self, further: set[str]) -> list[object]:
        """Return the key of arrays that follow what is felt: labels and what is missing have no part in them."""
        felt = {"subjects", "trials", "seconds", "window", "ambiguity", "bad_sensor", "seed"}
        return [_NAME, _GENERATION, self.settings.model_dump(mode="json", include=felt | further)]

    def _rng(self, purpose: int) -> np.random.Generator:
        return np.random.default_rng([self.settings.seed, purpose])

    def _trials(self) -> pd.DataFrame:
        """Return one row a trial: whose, when, `true` and `other` (mixed into it), `label`, `ambiguity`, `sensor`."""
        settings = self.settings
        n = settings.subjects * settings.trials
        rng = self._rng(41)
        subject, number = np.indices((settings.subjects, settings.trials)).reshape(2, -1)
        true = rng.permuted(np.tile(np.arange(settings.trials) % len(_CLASSES), (settings.subjects, 1)), axis=1).ravel()
        other, wrong = ((true + rng.integers(1, len(_CLASSES), n)) % len(_CLASSES) for _ in range(2))
        ambiguity = settings.ambiguity[0] + rng.random(n) * (settings.ambiguity[1] - settings.ambiguity[0])
        named = np.where(rng.random(n) < ambiguity / 2, other, true)
        label = np.where(rng.random(n) < settings.label_noise, wrong, named)
        broken = np.where(rng.random(n) < 0.5, "eeg", "face").astype(object)
        names = np.array(_CLASSES, object)
        return pd.DataFrame(
            {
                "subject": subject + 1,
                "number": number + 1,
                "stimulus": [f"S{person + 1}-clip{clip + 1:02d}" for person, clip in zip(subject, number, strict=True)],
                "start": number * settings.seconds,
                "true": names[true],
                "other": names[other],
                "label": names[label],
                "ambiguity": ambiguity,
                "sensor": np.where(rng.random(n) < settings.bad_sensor, broken, ""),
            }
        )

    def _felt(self, later: np.ndarray) -> np.ndarray:
        """Return how pleasant and unpleasant it is, (rows, 2), `later` (rows,) seconds than the middle of each row."""
        settings, trials = self.settings, self._trials()
        true, other = (pd.Index(_CLASSES).get_indexer(trials[name]) for name in ("true", "other"))
        share = trials["ambiguity"].to_numpy()[:, None] / 2
        level = (1 - share) * _SIDES[true] + share * _SIDES[other]
        rng = self._rng(42)
        shape = (len(trials), 1, 2, 4)  # trial, window, side, wave
        speed, phase = 2 * np.pi / rng.uniform(*_PERIODS, shape), rng.uniform(0, 2 * np.pi, shape)
        moment = settings.window * (np.arange(self._windows) + 0.5) + later.reshape(len(trials), -1)
        waves = np.sin(speed * moment[..., None, None] + phase).mean(axis=-1)
        course = _COURSE * np.sqrt(2 * shape[-1]) * waves
        return np.clip(level[:, None] + course, 0, 1).reshape(-1, 2)

    def _skew(self) -> np.ndarray:
        """Return how many seconds after the middle of its window the camera took each row's face, (rows,)."""
        settings = self.settings
        middle = settings.window * (np.arange(self._windows) + 0.5)
        moment = np.add.outer(self._trials()["start"].to_numpy(), middle).ravel()
        return settings.clock_offset + settings.clock_drift * 1e-6 * moment

    def _rows_present(self, missing: float, purpose: int) -> np.ndarray:
        """Return each row's place in a store, -1 where it is missing: that share of each person's rows, in stretches.

        Where a smooth random course is lowest is missing, so a larger share holds the rows of a smaller one.
        """
        from scipy.ndimage import gaussian_filter1d

        settings = self.settings
        n = settings.trials * self._windows
        course = gaussian_filter1d(self._rng(purpose).standard_normal((settings.subjects, n)), _STRETCH, axis=1)
        rank = course.argsort(axis=1).argsort(axis=1).ravel()
        return np.where(rank < round(missing * n), -1, np.arange(rank.size))

    def _broken(self, sensor: str) -> np.ndarray:
        """Return bool (rows,): where that sensor records nothing but noise."""
        return np.repeat((self._trials()["sensor"] == sensor).to_numpy(), self._windows)

    def _per_trial(self, rng: np.random.Generator, *shape: int) -> np.ndarray:
        """Return standard normal numbers (rows, ...) that are the same all through a trial."""
        return np.repeat(rng.standard_normal((self.settings.subjects * self.settings.trials, *shape)), self._windows, 0)

    def _build_eeg(self, folder: Path) -> None:
        settings, rng = self.settings, self._rng(43)
        pleasant, unpleasant = self._felt(np.zeros(len(self._broken("eeg")))).T
        felt = np.column_stack([pleasant - unpleasant, 2 * (pleasant + unpleasant) - 1])
        broken, common = self._broken("eeg"), affective_patterns()
        drift = _EEG_DRIFT * self._per_trial(rng, *common.shape[1:])
        signals = []
        for rows in np.split(np.arange(len(felt)), settings.subjects):
            own = np.abs(common).max() * rng.standard_normal(common.shape) / 2
            pattern = np.sqrt(1 - _OWN_SHARE**2) * common + _OWN_SHARE * own
            gain = _EEG_STRENGTH * settings.eeg_fidelity * np.tensordot(felt[rows], pattern, 1) + drift[rows]
            signal = affective_signal(gain, settings.window, rng)
            noise = signal.std() * rng.standard_normal(signal.shape, np.float32)
            signals.append(np.where(broken[rows, None, None], noise, signal))
        values = np.concatenate(signals)
        form = Description(kind="signal", axes=("channel", "time"), rate=HEADSET_RATE, channels=HEADSET, units="uV")
        ArrayStore(values, form).save(folder / "eeg")
        entropy = differential_entropy(values.reshape(-1, values.shape[-1]), HEADSET_RATE, window=settings.window)
        entropy = entropy.reshape(len(values), len(HEADSET), len(BANDS))
        form = Description(kind="features", axes=("channel", "band"), channels=HEADSET, units="nats")
        ArrayStore(entropy, form).save(folder / "features")

    def _build_geometry(self, folder: Path) -> None:
        settings, rng = self.settings, self._rng(44)
        smile, grief = (np.array(PROTOTYPES[name]) for name in ("happiness", "sadness"))
        actions = settings.face_fidelity * self._felt(self._skew()) @ np.stack([smile, grief])
        own = rng.standard_normal((settings.subjects, 1, len(smile)))
        rows = len(actions) // settings.subjects
        actions += _OWN_ACTIONS * np.broadcast_to(own, (settings.subjects, rows, len(smile))).reshape(actions.shape)
        actions += _ACTIONS_DRIFT * self._per_trial(rng, len(smile))
        loadings = rng.standard_normal((len(smile), _GEOMETRY)) / np.sqrt(len(smile))
        values = (actions + _ACTIONS_NOISE * rng.standard_normal(actions.shape)) @ loadings
        broken = self._broken("face")
        values[broken] = values.std() * rng.standard_normal((broken.sum(), _GEOMETRY))
        form = Description(kind="features", axes=("feature",))
        ArrayStore(values.astype(np.float32), form).save(folder / "face_features")

    def _build_pictures(self, folder: Path) -> None:
        settings, felt = self.settings, self._felt(self._skew())
        total = felt.sum(axis=1)
        n = len(felt)
        values = draw_faces(
            ["happiness"] * n,
            np.minimum(settings.face_fidelity * total, 1).tolist(),
            np.repeat(np.arange(settings.subjects), n // settings.subjects).tolist(),
            others=["sadness"] * n,
            shares=(felt[:, 1] / np.maximum(total, 1e-6)).tolist(),
            nuisance=_NUISANCE,
            size=settings.size,
            seed=settings.seed,
        )
        broken = self._broken("face")
        values[broken] = self._rng(47).integers(0, 256, (broken.sum(), *values.shape[1:]), np.uint8)
        form = Description(kind="picture", axes=("row", "column", "colour"), units="uint8 RGB")
        ArrayStore(values, form).save(folder / "pictures")
