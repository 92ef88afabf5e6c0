"""A store whose channels are mixed by a matrix where it is read: another montage, or aligned windows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from insula.errors import DataError
from insula.samples import Samples, Store
from insula.samples.stores import new_store
from insula.storage.atomic import write_folder
from insula.storage.hashing import digest, digest_array

_ROWS = 64  # rows mixed at a time where a store is saved


class MixedStore:
    """Rows of another store, their channels mixed by a matrix when they are read; nothing is copied until then.

    Parameters
    ----------
    source : Store
        Rows of one shape, with an axis `channel`.
    rows : int array, (n,)
        Row of the source behind each row of this store.
    channels : sequence of str
        What the mixed channels are called.
    matrices : float array, (m, channels, source channels)
        The matrices.
    which : int array, (n,)
        The matrix of each row.
    """

    def __init__(
        self, source: Store, rows: np.ndarray, channels: Sequence[str], matrices: np.ndarray, which: np.ndarray
    ) -> None:
        self.source, self.rows, self.which = source, rows, which
        self.matrices = matrices.astype(np.float32)
        self.description = source.description.model_copy(update={"channels": tuple(channels)})

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Return the rows asked for, float32; raises DataError for NaN and infinite values."""
        values = self.source.read(self.rows[rows])
        if isinstance(values, list):
            raise DataError("rows of different lengths cannot be mixed", do="cut windows of one length first")
        axis = 1 + self.description.axes.index("channel")
        values = np.moveaxis(values.astype(np.float32, copy=False), axis, 1)
        flat = values.reshape(len(values), values.shape[1], int(np.prod(values.shape[2:])))
        mixed = self.matrices[self.which[rows]] @ flat
        finite = np.isfinite(mixed).all(axis=(1, 2))
        if not finite.all():
            where = f"row {self.rows[rows][np.argmin(finite)]} of the store"
            raise DataError("NaN or infinite values", where=where, do="repair or drop it first")
        return np.moveaxis(mixed.reshape(*mixed.shape[:2], *values.shape[2:]), 1, axis)

    def fingerprint(self) -> str:
        """Return the sha256 of the source, the matrices and the description."""
        arrays = [digest_array(array) for array in (self.rows, self.matrices, self.which)]
        return digest([self.source.fingerprint(), self.description.digest(), *arrays])

    def save(self, folder: Path) -> None:
        """Write the mixed rows, block by block, as a store that `open_store` reads."""
        with write_folder(folder) as temporary:
            nothing = self.read(np.arange(0))
            values = new_store(temporary, (len(self), *nothing.shape[1:]), nothing.dtype, self.description)
            for start in range(0, len(self), _ROWS):
                stop = min(start + _ROWS, len(self))
                values[start:stop] = self.read(np.arange(start, stop))
            values.flush()


def mix(samples: Samples, modality: str, name: str, make: Callable[[Store, np.ndarray], MixedStore]) -> Samples:
    """Return the samples whose modality points into mixed stores instead.

    Parameters
    ----------
    samples, modality : Samples, str
        What is mixed; stores that nothing points into any more are left out.
    name : str
        Appended to the name of each store.
    make : callable
        Takes a store and the positions of the samples that point into it.
    """
    present = samples.has(modality)
    if not present.any():
        raise DataError(f"no sample has the modality {modality}", do="check the corpus, or name another modality")
    names, result = samples.table[f"{modality}_store"].to_numpy(object), samples
    for old in pd.unique(names[present]):
        store, places = samples.stores[old], np.flatnonzero(present & (names == old))
        if "channel" not in store.description.axes or not store.description.channels:
            raise DataError(f"{modality} has no named channels", where=old, do="name a modality with electrodes")
        rows = np.full(len(samples), -1)
        rows[places] = np.arange(len(places))
        new = f"{old} {name}"
        while new in result.stores:  # another modality pointed into the same store
            new += "'"
        result = result.with_modality(modality, new, make(store, places), rows)
    used = {store for other in result.modalities for store in result.table[f"{other}_store"].dropna()}
    kept = {key: store for key, store in result.stores.items() if key in used}
    return Samples(result.table, kept, samples.one_person)
