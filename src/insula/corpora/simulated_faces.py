"""Drawn faces alone, some of them ambiguous, some mislabelled, some as cartoons, with the truth kept apart.

For methods that read pictures: what a face shows lies between two expressions by a known amount, and `emotion` is what
raters called it: wrong for a share of the pictures whatever they show or, if asked for, where a face is ambiguous.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal, Self

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from insula.corpora.contract import BaseCorpus, Card, SimulatedCard
from insula.corpora.drawn_faces import draw_faces
from insula.emotions import LABEL_SPACES
from insula.errors import SettingsError
from insula.faces.cartoon import cartoon
from insula.samples import ArrayStore, Description, Samples, open_store, provenance
from insula.storage.cache import Cache
from insula.storage.settings import Settings

_NAME = "simulated-faces"
_GENERATION = 1  # part of every cache key; raised when the same settings make other data


class SimulatedFacesSettings(Settings):
    """Which faces are drawn, and how far they can be trusted.

    Parameters
    ----------
    pictures, identities : int
        Pictures, spread evenly over classes and over the people drawn.
    classes : tuple of str
        Of `basic7`: what is drawn, mixed, and said in error.
    named : str
        What a rater names of two expressions: the `stronger`, or `either`, as often as its share in the picture.
    label_noise : float
        Share of pictures whose label is then another class, drawn evenly.
    ambiguity : (low, high)
        Range of how far a picture lies between its expression (0) and an even mix with another (1).
    intensity : (low, high)
        Range of the expressions' intensity.
    nuisance : float
        Pose, light, blur, noise and variety of expression: 0 none, 1 ordinary snapshots.
    cartoons : float
        Share of the pictures shown as cartoons (`insula.faces.cartoon`).
    size : int
        Pixels along an edge.
    seed : int
        Fixes everything; another seed is another, independent set.

    Raises
    ------
    SettingsError
        Where a range is empty, a class is unknown, or there are more identities than pictures.
    """

    pictures: int = Field(1400, ge=2)
    identities: int = Field(100, ge=1)
    classes: tuple[str, ...] = LABEL_SPACES["basic7"]
    named: Literal["stronger", "either"] = "stronger"
    label_noise: float = Field(0.3, ge=0, le=1)
    ambiguity: tuple[float, float] = (0.0, 1.0)
    intensity: tuple[float, float] = (0.7, 1.0)
    nuisance: float = Field(0.4, ge=0, le=1)
    cartoons: float = Field(0.0, ge=0, le=1)
    size: int = Field(48, ge=16)
    seed: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for name in ("ambiguity", "intensity"):
            low, high = getattr(self, name)
            if not 0 <= low <= high <= 1:
                raise SettingsError("no such range", where=name, do="give low and high within 0 and 1")
        if self.identities > self.pictures:
            raise SettingsError("more identities than pictures", where="identities", do="give fewer")
        named = set(self.classes) & set(LABEL_SPACES["basic7"])
        if not 1 < len(named) == len(self.classes):
            do = f"give two or more of {', '.join(LABEL_SPACES['basic7'])}"
            raise SettingsError("no such classes", where="classes", do=do)
        return self


class SimulatedFaces(BaseCorpus):
    """Drawn faces between two expressions.

    Samples have the modality `picture` (uint8 RGB), the label `emotion`, and two columns for those who score, which no
    system reads: `ambiguity`, from 0 (one expression) to 1 (two in equal parts), and `style`, `plain` or `cartoon`.

    Examples
    --------
    >>> import tempfile
    >>> corpus = SimulatedFaces(SimulatedFacesSettings(pictures=14, identities=4, size=24))
    >>> samples = corpus.samples(Cache(Path(tempfile.mkdtemp())))
    >>> samples.read("picture").shape, corpus.truth().columns.tolist()
    ((14, 24, 24, 3), ['emotion'])
    """

    card: ClassVar[Card] = SimulatedCard(
        name=_NAME,
        title="Simulated faces, ambiguous and mislabelled",
        size="1,400 pictures of 48 x 48, 100 identities (10 MB cached)",
        labels="emotion: basic7, 30 % wrong by default; the true ones are sealed in truth()",
        modalities=("picture",),
        origin="drawn faces with simulated labels",
        notes="Columns for scoring alone: ambiguity (how far a face lies between two expressions) and style. Which "
        "labels are wrong depends on neither, unless raters name either of two expressions (named).",
    )
    pictures: ClassVar[str] = "whole"
    Settings: ClassVar[type[SimulatedFacesSettings]] = SimulatedFacesSettings
    settings: SimulatedFacesSettings

    def samples(self, cache: Cache) -> Samples:
        """Return the samples; pictures lie in the cache, memory-mapped."""
        faces = self._faces()
        table = provenance(
            corpus=_NAME, stimulus=faces.index.to_numpy(), identity=faces["identity"].to_numpy(), n=len(faces)
        ).assign(
            emotion=pd.array(faces["label"].to_numpy(), dtype="str"),
            ambiguity=faces["ambiguity"].to_numpy(),
            style=pd.array(faces["style"].to_numpy(), dtype="str"),
        )
        return Samples(table, {}).with_modality("picture", "pictures", self._drawn(cache), range(len(faces)))

    def truth(self) -> pd.DataFrame:
        """Return the stronger of the expressions drawn: column `emotion`, indexed by the qualified stimulus."""
        faces = self._faces()
        index = pd.Index([f"{_NAME}/{stimulus}" for stimulus in faces.index], name="stimulus")
        return pd.DataFrame({"emotion": faces["drawn"].to_numpy()}, index=index)

    def _drawn(self, cache: Cache) -> ArrayStore:
        def build(folder: Path) -> None:
            settings, faces = self.settings, self._faces()
            values = draw_faces(
                faces["drawn"].tolist(),
                faces["intensity"].tolist(),
                [int(name[1:]) for name in faces["identity"]],
                others=faces["other"].tolist(),
                shares=(faces["ambiguity"] / 2).tolist(),
                nuisance=settings.nuisance,
                size=settings.size,
                seed=settings.seed,
            )
            styled = (faces["style"] == "cartoon").to_numpy()
            values[styled] = cartoon(values[styled])
            form = Description(kind="picture", axes=("row", "column", "colour"), units="uint8 RGB")
            ArrayStore(values, form).save(folder / "pictures")

        about = self.settings.model_dump(mode="json", exclude={"named", "label_noise"})
        store = open_store(cache.folder("simulated-faces", [_GENERATION, about], build) / "pictures")
        assert isinstance(store, ArrayStore)
        return store

    def _faces(self) -> pd.DataFrame:
        """Return one row a picture: `drawn` (true class), `other` (mixed into it), `label` (what raters said), ..."""
        settings, n = self.settings, self.settings.pictures
        rng = np.random.default_rng([settings.seed, 6])
        names = np.array(settings.classes, object)
        drawn = rng.permutation(np.arange(n) % len(names))
        mixed, wrong = ((drawn + rng.integers(1, len(names), n)) % len(names) for _ in range(2))
        identity = rng.permutation(np.arange(n) % settings.identities)
        error = rng.random(n) < settings.label_noise
        ambiguity = rng.uniform(*settings.ambiguity, n)
        named = drawn
        if settings.named == "either":
            opinion = np.random.default_rng([settings.seed, 7]).random(n)
            named = np.where(opinion < ambiguity / 2, mixed, drawn)
        return pd.DataFrame(
            {
                "drawn": names[drawn],
                "other": names[mixed],
                "label": names[np.where(error, wrong, named)],
                "ambiguity": ambiguity,
                "intensity": rng.uniform(*settings.intensity, n),
                "style": np.where(rng.random(n) < settings.cartoons, "cartoon", "plain"),
                "identity": [f"i{number:03d}" for number in identity],
            },
            index=[f"p{number:04d}" for number in range(n)],
        )
