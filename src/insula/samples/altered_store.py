"""A store whose rows are altered as they are read: noise, a dropped electrode, fewer bands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from insula.errors import DataError
from insula.samples.stores import Description, Store, new_store
from insula.samples.table import Samples
from insula.storage.atomic import write_folder
from insula.storage.hashing import digest

Alter = Callable[[np.ndarray, np.ndarray], np.ndarray]

_ROWS = 64  # rows altered at a time where a store is saved


class AlteredStore:
    """Rows of another store, altered when they are read; nothing is copied until then.

    Parameters
    ----------
    source : Store
        Rows of one shape.
    alter : callable
        `alter(values, rows)` returns the altered values of these rows; the same row is always altered alike.
    key : object
        What tells this alteration from others, JSON-like, for the fingerprint.
    description : Description, optional
        What the altered rows hold; by default what the source holds.
    """

    def __init__(self, source: Store, alter: Alter, key: Any, description: Description | None = None) -> None:
        self.source, self.alter, self.key = source, alter, key
        self.description = description or source.description

    def __len__(self) -> int:
        return len(self.source)

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Return the altered rows asked for."""
        values = self.source.read(rows)
        if isinstance(values, list):
            raise DataError("rows of different lengths cannot be altered", do="cut windows of one length first")
        return self.alter(values, np.asarray(rows))

    def fingerprint(self) -> str:
        """Return the sha256 of the source, the alteration's key and the description."""
        return digest([self.source.fingerprint(), self.key, self.description.digest()])

    def save(self, folder: Path) -> None:
        """Write the altered rows, block by block, as a store that `open_store` reads."""
        with write_folder(folder) as temporary:
            nothing = self.read(np.arange(0))
            values = new_store(temporary, (len(self), *nothing.shape[1:]), nothing.dtype, self.description)
            for start in range(0, len(self), _ROWS):
                rows = np.arange(start, min(start + _ROWS, len(self)))
                values[rows] = self.read(rows)
            values.flush()


def altered(samples: Samples, modality: str, name: str, make: Callable[[Store], Store]) -> Samples:
    """Return the samples whose modality points into altered stores instead, row for row.

    Parameters
    ----------
    samples, modality : Samples, str
        What is altered.
    name : str
        Appended to the name of each store.
    make : callable
        Returns the altered form of a store.
    """
    column = f"{modality}_store"
    names = samples.table[column].dropna().unique() if modality in samples.modalities else []
    if not len(names):
        raise DataError(f"no sample has the modality {modality}", do="check the corpus, or name another modality")
    new = {old: f"{old} {name}" for old in names}
    stores = {new[old]: make(samples.stores[old]) for old in names}
    table = samples.table.assign(**{column: samples.table[column].map(new).astype("str")})
    return Samples(table, {**samples.stores, **stores}, samples.one_person)
