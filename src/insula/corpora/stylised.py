"""Another corpus of pictures in two styles: each as it is, and once more as a drawing."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from insula.corpora.catalogue import corpus
from insula.corpora.contract import Card, Corpus, origin_of
from insula.corpora.face_store import PICTURES, read_alike
from insula.corpora.folder import Folder
from insula.errors import DataError, InsulaError, SettingsError
from insula.faces.cartoon import cartoon
from insula.faces.pictures import read_picture
from insula.samples import Samples, Store, concat, open_store
from insula.samples.altered_store import altered
from insula.samples.stores import new_store
from insula.storage.cache import Cache
from insula.storage.settings import Settings

_GENERATION = 1  # part of every cache key; raised when the same pictures make other cartoons
_BLOCK = 256  # pictures drawn at a time


class StylisedSettings(Settings):
    """Which pictures, and where their drawings are from.

    Parameters
    ----------
    corpus : dict
        `name` of a corpus of pictures, and its settings.
    folder : Path, optional
        Where the drawings lie, made by any program: under the names of the corpus's pictures, of any file type and at
        any scale. By default they are drawn by `insula.faces.cartoon`.
    seed : int
        Added to the seed of the corpus, where it has one.

    Raises
    ------
    SettingsError
        Where no corpus is named, or drawings are given for one that keeps no picture files.
    """

    corpus: dict[str, Any]
    folder: Path | None = None
    seed: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _named(self) -> Self:
        if not isinstance(self.corpus.get("name"), str):
            raise SettingsError("the corpus has no name", where="corpus", do="give corpus.name")
        return self


class Stylised:
    """Each picture of a corpus twice; the column `style` says which it is, `plain` or `stylised`.

    Both are of one stimulus, one identity and one trial, which every protocol keeps whole. Score them one by one
    (`scored_unit: sample`).

    Examples
    --------
    >>> import tempfile
    >>> faces = {"name": "simulated-faces", "pictures": 14, "identities": 4, "size": 24}
    >>> samples = Stylised(StylisedSettings(corpus=faces)).samples(Cache(Path(tempfile.mkdtemp())))
    >>> samples, samples.table["style"].value_counts().to_dict()
    (Samples(28: picture 28), {'plain': 14, 'stylised': 14})
    """

    card: ClassVar[Card] = Card(
        name="stylised",
        title="Another corpus in two styles",
        licence="that of its pictures, and of the program that drew",
        access="that of its corpus; drawings are one's own, or made by the built-in cartoon filter",
        size="twice that of its corpus",
        citation="that of its corpus",
        labels="those of its corpus",
        modalities=("picture",),
        origin="as in its corpus",
        notes="Both versions of a picture are one trial: no protocol parts them.",
    )
    Settings: ClassVar[type[StylisedSettings]] = StylisedSettings

    def __init__(self, settings: StylisedSettings) -> None:
        self.settings = settings
        values = dict(settings.corpus)
        name = values.pop("name")
        source = corpus(name, **values)
        if "seed" in type(source.settings).model_fields:
            source = corpus(name, **{**values, "seed": source.settings.seed + settings.seed})  # type: ignore[attr-defined]
        self.source: Corpus = source
        if settings.folder is not None and not isinstance(source, Folder):
            what, do = f"{name} keeps no picture files", "leave folder out, and the cartoon filter draws"
            raise SettingsError(what, where="folder", do=do)

    @property
    def pictures(self) -> str:
        """How pictures are read: as in the corpus."""
        return self.source.pictures

    @property
    def origin(self) -> str:
        """What is real and what is simulated: as in the corpus, and the style."""
        return f"{origin_of(self.source)}, as they are and drawn over"

    def truth(self) -> pd.DataFrame | None:
        """Return the sealed labels of the corpus, where it has any."""
        return self.source.truth()

    def check(self) -> list[str]:
        """Return what the corpus lacks or, where it lacks nothing, which drawings are missing or broken."""
        lacks, folder = self.source.check(), self.settings.folder
        if lacks or folder is None:
            return lacks
        assert isinstance(self.source, Folder)
        try:
            pairs = self.source.counterparts(folder)
        except InsulaError as error:
            return [str(error)]
        for path, drawn in pairs:
            try:
                read_alike(drawn, read_picture(path))
            except DataError as error:
                lacks.append(str(error))
        return lacks

    def samples(self, cache: Cache) -> Samples:
        """Return the pictures as they are, then all of them as drawings.

        Raises
        ------
        DataError
            Where the corpus has more than pictures, or several styles of its own; or a drawing is missing or broken.
        """
        plain = self.source.samples(cache)
        name = self.source.card.name
        if plain.modalities != ("picture",):
            has = " and ".join(plain.modalities)
            raise DataError(f"the samples have {has}", where=name, do="name a corpus of pictures alone")
        if "style" in plain.table and len(plain.table["style"].unique()) > 1:
            what = "the pictures are of several styles already"
            raise DataError(what, where=f"{name}, column style", do="give pictures of one style")
        plain = plain.with_columns(trial=plain.table["stimulus"], style="plain")
        drawn = altered(plain, "picture", "stylised", lambda store: self._drawn(plain, store, cache))
        both = concat([plain, drawn.with_columns(style="stylised")])
        return both.with_columns(style=both.table["style"].astype("str"))

    def _drawn(self, plain: Samples, store: Store, cache: Cache) -> Store:
        """Return the drawings of the pictures in a store, row for row."""
        folder, source = self.settings.folder, self.source
        if folder is None:
            return open_store(_cartoons(store, cache))
        assert isinstance(source, Folder)
        place, problems = source.restyled(folder, cache)
        broken = problems.iloc[plain.rows("picture")].dropna()
        if len(broken):
            what = f"{len(broken)} drawings are of no use: {broken.iloc[0]}"
            raise DataError(what, where=folder / str(broken.index[0]), do="draw them again, or leave the pictures out")
        return open_store(place)


def _cartoons(store: Store, cache: Cache) -> Path:
    """Return the folder of a store of the same pictures as cartoons."""

    def build(folder: Path) -> None:
        first = np.asarray(store.read(np.array([0])))
        values = new_store(folder / "pictures", (len(store), *first.shape[1:]), first.dtype, PICTURES)
        for start in range(0, len(store), _BLOCK):
            rows = np.arange(start, min(start + _BLOCK, len(store)))
            values[rows] = cartoon(np.asarray(store.read(rows)))
        values.flush()

    return cache.folder("cartoons", [_GENERATION, store.fingerprint()], build) / "pictures"
