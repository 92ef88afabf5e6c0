"""The simulated study: drawn faces shown to simulated brains, with the truth kept apart.

The EEG follows the expression that was drawn; `emotion` is what raters called it, wrong for a share of the pictures. A
virtual EEG is a function of the picture, so it can add no information that the picture lacks; what a brain can add is
a better target to learn from. Settings reach that regime (wrong labels, good EEG, few pictures) and its opposite
(fidelity 0, no label noise). How it was calibrated, before anything was fused, stands in
`docs/explanation/simulator.md`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache as remember
from pathlib import Path
from typing import ClassVar, Literal, Self

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from insula.corpora.contract import BaseCorpus, Card, SimulatedCard
from insula.corpora.drawn_faces import draw_faces
from insula.corpora.scalp import MONTAGES, imagine_brain, simulate_eeg
from insula.eeg.epoch_store import cleaning_columns, epoch_store
from insula.eeg.preprocessing import Preprocessing
from insula.emotions import LABEL_SPACES
from insula.errors import SettingsError
from insula.samples import ArrayStore, Description, Recording, Samples, open_store, provenance
from insula.storage.cache import Cache
from insula.storage.hashing import digest
from insula.storage.settings import Settings

_NAME = "simulated-study"
_CLASSES = LABEL_SPACES["basic7"]
_GENERATION = 1  # part of every cache key; raised when the same settings make other data
# What decides the pictures, and the EEG of one subject beside its fidelity. Both follow the true expression, never the
# label; so studies that differ in what is not named here share them.
_DRAWN = {"pictures", "identities", "intensity", "nuisance", "size", "seed"}
_SEEN = {"pictures", "identities", "intensity", "montage", "rate", "pairing", "paired_share", "seed"}
_SHOWN = 0.5  # s that a picture stays
_LEAD = 3.0  # s before the first picture and after the last, for the filters


class SimulatedStudySettings(Settings):
    """A study's design. The defaults are the frozen regime of the demonstration.

    Parameters
    ----------
    pictures, identities : int
        Pictures, spread evenly over classes and over the people drawn.
    subjects : int
        Brains.
    fidelity : float or tuple of float
        How much of the class-specific response comes through: of all subjects, or of each; 0 none.
    label_noise : float
        Share of pictures whose label is another class, drawn evenly; one label a picture, whoever saw it.
    intensity : (low, high)
        Range of the expressions' intensity.
    nuisance : float
        Pose, light, blur, noise and variety of expression: 0 none, 1 ordinary snapshots.
    size : int
        Pixels along an edge.
    montage : str
        `biosemi32` or `ten_ten62`.
    rate : float
        Samples per second of the recordings.
    pairing : str
        `paired`: all subjects see all pictures; `partly`: they see `paired_share` of them; `unpaired`: they see as many
        other faces, of other people, of which there are no pictures.
    paired_share : float
        Of the pictures, under `partly`.
    seed : int
        Fixes everything; another seed is another, independent study.
    preprocessing : Preprocessing
        How the recordings become epochs.

    Raises
    ------
    SettingsError
        Where the number of fidelities is not that of the subjects, or a range is empty.
    """

    pictures: int = Field(600, ge=len(_CLASSES))
    identities: int = Field(60, ge=1)
    subjects: int = Field(3, ge=1)
    fidelity: float | tuple[float, ...] = 1.0
    label_noise: float = Field(0.3, ge=0, le=1)
    intensity: tuple[float, float] = (0.4, 1.0)
    nuisance: float = Field(0.6, ge=0, le=1)
    size: int = Field(96, ge=16)
    montage: Literal["biosemi32", "ten_ten62"] = "biosemi32"
    rate: float = Field(250.0, ge=100)
    pairing: Literal["paired", "partly", "unpaired"] = "paired"
    paired_share: float = Field(0.5, gt=0, le=1)
    seed: int = Field(0, ge=0)
    preprocessing: Preprocessing = Preprocessing()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if isinstance(self.fidelity, tuple) and len(self.fidelity) != self.subjects:
            raise SettingsError(
                f"{len(self.fidelity)} fidelities for {self.subjects} subjects",
                where="fidelity",
                do="give one for each",
            )
        if min(self.fidelities) < 0:
            raise SettingsError("a fidelity is negative", where="fidelity", do="give 0 or more")
        if not 0 <= self.intensity[0] <= self.intensity[1] <= 1:
            raise SettingsError("no such range", where="intensity", do="give low and high within 0 and 1")
        if self.identities > self.pictures:
            raise SettingsError("more identities than pictures", where="identities", do="give fewer")
        return self

    @property
    def fidelities(self) -> tuple[float, ...]:
        """One fidelity a subject."""
        return self.fidelity if isinstance(self.fidelity, tuple) else (self.fidelity,) * self.subjects


class SimulatedStudy(BaseCorpus):
    """Drawn faces seen by simulated brains.

    Samples have the modalities `picture` (uint8 RGB) and `eeg` (epochs in microvolts) and the label `emotion`; one row
    a subject and picture, and a row without subject for a picture that nobody saw.

    Examples
    --------
    >>> corpus = SimulatedStudy(SimulatedStudySettings(pictures=14, identities=4, subjects=2, label_noise=0.5))
    >>> corpus.truth().columns.tolist(), len(list(corpus.recordings()))
    (['emotion'], 2)
    """

    card: ClassVar[Card] = SimulatedCard(
        name=_NAME,
        title="Simulated study of faces and brains",
        size="600 pictures of 96 x 96, 60 identities, 3 subjects x 600 epochs of 32 channels (50 MB cached)",
        labels="emotion: basic7, 30 % wrong by default; the true ones are sealed in truth()",
        modalities=("picture", "eeg"),
        origin="simulated brains and drawn faces",
        notes="The class-specific response is about eight times a real one, so that single trials decode: no figure "
        "made here says how well real brains would do.",
    )
    pictures: ClassVar[str] = "whole"
    Settings: ClassVar[type[SimulatedStudySettings]] = SimulatedStudySettings
    settings: SimulatedStudySettings

    def samples(self, cache: Cache) -> Samples:
        """Return the samples; pictures and epochs lie in the cache, memory-mapped."""
        pictures, seen = self._pictures(), self._seen()
        paired = self.settings.pairing != "unpaired"
        parts, epochs = [], {}
        for recording in self.recordings():
            epochs[recording.subject] = epoch_store(recording, self.settings.preprocessing, cache)
            events, window = recording.events, self.settings.preprocessing.epoch
            face = seen.loc[events["stimulus"]]
            table = provenance(
                corpus=_NAME, subject=recording.subject, session=recording.session, trial=events["trial"],
                stimulus=events["stimulus"], identity=face["identity"].to_numpy(),
                start=events["onset"] + window[0], stop=events["onset"] + window[1], n=len(events),
            )  # fmt: skip
            cleaned = cleaning_columns(recording, self.settings.preprocessing, cache)
            parts.append(table.assign(emotion=face["label"].to_numpy(), _event=events.index, **cleaned))
        unseen = pictures if not paired else pictures.drop(seen.index)
        alone = provenance(
            corpus=_NAME, stimulus=unseen.index, identity=unseen["identity"].to_numpy(), n=len(unseen)
        ).assign(emotion=unseen["label"].to_numpy(), _event=-1)
        table = pd.concat([*parts, alone], ignore_index=True)
        events = table.pop("_event").to_numpy()
        samples = Samples(table.assign(emotion=table["emotion"].astype("str")), {})
        rows = pictures.index.get_indexer(table["stimulus"])  # -1 for a face of which there is no picture
        samples = samples.with_modality("picture", "pictures", self._drawn(cache), rows)
        for subject, store in epochs.items():
            own = (table["subject"] == subject).to_numpy(bool, na_value=False)
            samples = samples.with_modality("eeg", f"eeg {subject}", store, np.where(own, events, -1))
        return samples

    def truth(self) -> pd.DataFrame:
        """Return the expression that was drawn: column `emotion`, indexed by the qualified stimulus."""
        faces = pd.concat([self._pictures(), self._seen()])
        faces = faces[~faces.index.duplicated()]
        index = pd.Index([f"{_NAME}/{stimulus}" for stimulus in faces.index], name="stimulus")
        return pd.DataFrame({"emotion": faces["drawn"].to_numpy()}, index=index)

    def recordings(self) -> Iterator[Recording]:
        """Yield the continuous EEG of each subject; it is simulated when first read, and goes with the recording."""
        for subject in range(self.settings.subjects):
            yield self._recording(subject)

    def _recording(self, subject: int) -> Recording:
        settings = self.settings
        rng = np.random.default_rng([settings.seed, 2, subject])
        shown = self._seen()
        shown = shown.iloc[rng.permutation(len(shown))]
        onsets = _LEAD + np.cumsum(rng.uniform(1.0, 1.2, len(shown)))
        seconds = float(np.ceil(onsets[-1] + 1 + _LEAD))
        events = pd.DataFrame(
            {
                "onset": onsets,
                "duration": _SHOWN,
                "stimulus": shown.index.to_numpy(),
                "trial": [str(number + 1) for number in range(len(shown))],
                "emotion": shown["label"].to_numpy(),
            }
        )
        channels = MONTAGES[settings.montage]

        @remember
        def whole() -> np.ndarray:
            brain = imagine_brain(
                channels, len(_CLASSES), subject, fidelity=settings.fidelities[subject], seed=settings.seed
            )
            classes = pd.Index(_CLASSES).get_indexer(shown["drawn"])
            intensities = shown["intensity"].to_numpy()
            seed = (settings.seed, 3, subject)
            return simulate_eeg(brain, onsets, classes, intensities, seconds, settings.rate, seed=seed)

        return Recording(
            corpus=_NAME,
            subject=f"S{subject + 1}",
            session="1",
            channels=channels,
            rate=settings.rate,
            n_times=round(seconds * settings.rate),
            reader=lambda start, stop: whole()[:, start:stop],
            events=events,
            fingerprint=digest([self._key(_SEEN), subject, settings.fidelities[subject]]),
        )

    def _key(self, names: set[str]) -> list[object]:
        return [_NAME, _GENERATION, self.settings.model_dump(mode="json", include=names)]

    def _drawn(self, cache: Cache) -> ArrayStore:
        def build(folder: Path) -> None:
            settings, faces = self.settings, self._pictures()
            people = [int(name[1:]) for name in faces["identity"]]
            values = draw_faces(
                faces["drawn"].tolist(), faces["intensity"].tolist(), people,
                nuisance=settings.nuisance, size=settings.size, seed=settings.seed,
            )  # fmt: skip
            form = Description(kind="picture", axes=("row", "column", "colour"), units="uint8 RGB")
            ArrayStore(values, form).save(folder / "pictures")

        store = open_store(cache.folder("drawn-faces", self._key(_DRAWN), build) / "pictures")
        assert isinstance(store, ArrayStore)
        return store

    def _pictures(self) -> pd.DataFrame:
        return self._faces("p", 0)

    def _seen(self) -> pd.DataFrame:
        """Return the faces that the subjects see."""
        if self.settings.pairing == "unpaired":
            return self._faces("q", self.settings.identities)
        faces = self._pictures()
        if self.settings.pairing == "paired":
            return faces
        rng = np.random.default_rng([self.settings.seed, 4])
        return faces.iloc[np.sort(rng.permutation(len(faces))[: round(self.settings.paired_share * len(faces))])]

    def _faces(self, prefix: str, first_identity: int) -> pd.DataFrame:
        """Return one row a stimulus: `drawn` (true class), `label` (what raters said), `intensity`, `identity`."""
        settings, n = self.settings, self.settings.pictures
        rng = np.random.default_rng([settings.seed, 5, first_identity])
        drawn = rng.permutation(np.arange(n) % len(_CLASSES))
        identity = first_identity + rng.permutation(np.arange(n) % settings.identities)
        intensity = rng.uniform(*settings.intensity, n)
        other = (drawn + rng.integers(1, len(_CLASSES), n)) % len(_CLASSES)
        label = np.where(rng.random(n) < settings.label_noise, other, drawn)
        names = np.array(_CLASSES, object)
        return pd.DataFrame(
            {
                "drawn": names[drawn],
                "label": names[label],
                "intensity": intensity,
                "identity": [f"i{number:03d}" for number in identity],
            },
            index=[f"{prefix}{number:04d}" for number in range(n)],
        )
