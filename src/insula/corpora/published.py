"""Face corpora in the layout they are published in: how many pictures there should be, and how many there are."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import pandas as pd

from insula.corpora.folder import Folder
from insula.errors import InsulaError
from insula.samples import Samples
from insula.storage.cache import Cache

Counts = Mapping[str, int | Mapping[str, int]]
"""Pictures of each official part, or of each class in it; the part is `all` where there are no official parts."""


def missing_pictures(table: pd.DataFrame, published: Counts) -> list[str]:
    """Return a line for each official part that does not hold as many pictures as were published.

    Parameters
    ----------
    table : DataFrame
        Has the column `emotion`, and `part` unless all pictures are one part.
    published : mapping
        As `Counts`.

    Examples
    --------
    >>> table = pd.DataFrame({"emotion": ["fear", "fear", "anger"], "part": ["train", "train", "test"]})
    >>> missing_pictures(table, {"train": {"fear": 2, "anger": 1}, "test": 1})
    ['train: 2 of 3 published pictures are there (anger 0 of 1)']
    """
    parts = table["part"] if "part" in table else pd.Series("all", index=table.index)
    lines = []
    for part, wanted in published.items():
        emotions = table["emotion"][parts == part]
        total = wanted if isinstance(wanted, int) else sum(wanted.values())
        by_class = {} if isinstance(wanted, int) else wanted
        counts = {name: int((emotions == name).sum()) for name in by_class}
        differ = [f"{name} {counts[name]:,} of {n:,}" for name, n in by_class.items() if counts[name] != n]
        if len(emotions) != total or differ:
            detail = f" ({', '.join(differ)})" if differ else ""
            lines.append(f"{part}: {len(emotions):,} of {total:,} published pictures are there{detail}")
    return lines


class PublishedFaces(Folder, ABC):
    """Pictures of faces in a published layout; a subclass says where each lies and what it shows.

    The column `part` says, where the corpus has official parts, which one a picture is in: `train`, `validation` or
    `test`. The protocol `as-given` goes by it.
    """

    pictures: ClassVar[str] = "detect"  # the publisher cut the faces out; of a new photograph insula does

    @property
    @abstractmethod
    def published(self) -> Counts:
        """How many pictures the publication has."""

    def check(self) -> list[str]:
        """Return what is missing or broken, one line each."""
        root = self.layout.root
        if not root.is_dir():
            return [f"no such folder ({root}): correct root"]
        return super().check() or ([] if len(self._table()) else [f"no picture is listed ({root}): fetch it again"])

    def notes(self) -> list[str]:
        """Return what `Folder.notes` does, and what the folder lacks in number."""
        try:
            return super().notes() + missing_pictures(self._table(), self.published)
        except InsulaError:
            return []

    def samples(self, cache: Cache) -> Samples:
        """Return one sample a picture, as `Folder.samples` does.

        Warns
        -----
        UserWarning
            Where there are more or fewer pictures than were published, and for pictures that are left out.
        """
        samples = super().samples(cache)
        for note in self.notes():
            warnings.warn(f"{self.card.name}: {note}; fetch what lacks, or say so beside a score", stacklevel=2)
        return samples
