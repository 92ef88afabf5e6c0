"""The bank of prototypes: a grid over valence and arousal, the mean feature of each cell, and where it came from."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from insula.errors import BundleError
from insula.storage.atomic import write_file
from insula.storage.hashing import digest, digest_array

FEW = 5
"""A cell of fewer trials than this is hardly a mean."""

_ARRAYS = ("prototypes", "centres", "counts", "filled_from")


def grid_centres(grid: int) -> np.ndarray:
    """Return valence and arousal in the middle of each cell, float32 (grid * grid, 2): arousal by rows, low first.

    Examples
    --------
    >>> grid_centres(2).tolist()
    [[-0.5, -0.5], [0.5, -0.5], [-0.5, 0.5], [0.5, 0.5]]
    """
    middles = -1 + (2 * np.arange(grid) + 1) / grid
    arousal, valence = np.meshgrid(middles, middles, indexing="ij")
    return np.column_stack([valence.ravel(), arousal.ravel()]).astype(np.float32)


def cells_of(places: np.ndarray, grid: int) -> np.ndarray:
    """Return the cell of each place, int64 (n,): ``arousal * grid + valence``, with equal parts of [-1, 1].

    Parameters
    ----------
    places : array, shape (n, 2)
        Valence and arousal; a border belongs to the cell above it.
    grid : int
        Parts of each axis.

    Examples
    --------
    >>> cells_of(np.array([[-1.0, -1.0], [0.5, -1.0], [1.0, 1.0]]), 5).tolist()
    [0, 3, 24]
    """
    # rounded, so that a rating on a border does not fall either way by the last bit
    parts = np.clip(np.floor(np.round((np.asarray(places, float) + 1) / 2 * grid, 9)), 0, grid - 1).astype(np.int64)
    return parts[:, 1] * grid + parts[:, 0]


@dataclass(frozen=True, eq=False)
class PrototypeBank:
    """Prototypes of valence and arousal.

    Parameters
    ----------
    prototypes : float32 array, shape (cells, width)
        Of unit length.
    centres : float32 array, shape (cells, 2)
        Valence and arousal.
    counts : int array, shape (cells,)
        Trials whose windows a cell was averaged over; 0 where it was filled from another.
    filled_from : int array, shape (cells,)
        The cell that a prototype is of: its own, or the nearest that had any.
    about : dict
        JSON-like: what the bank was made from, hashes above all.
    """

    prototypes: np.ndarray
    centres: np.ndarray
    counts: np.ndarray
    filled_from: np.ndarray
    about: dict[str, Any]

    @property
    def sha256(self) -> str:
        """Hash of the numbers and of what they were made from."""
        return digest([*(digest_array(getattr(self, name)) for name in _ARRAYS), self.about])

    @property
    def grid(self) -> int:
        """Cells along each axis."""
        return round(len(self.centres) ** 0.5)

    def save(self, path: Path) -> None:
        """Write an npz file, whole or not at all, that `load` checks."""
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        meta = json.dumps({"about": self.about, "sha256": self.sha256})
        with write_file(path) as temporary, open(temporary, "wb") as file:
            np.savez(file, **arrays, meta=np.array(meta))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a bank.

        Raises
        ------
        BundleError
            Where the file is no bank, was altered, or holds prototypes that are not of unit length.
        """
        try:
            with np.load(path, allow_pickle=False) as held:
                arrays = {name: held[name] for name in _ARRAYS}
                meta = json.loads(str(held["meta"]))
                bank, sha256 = cls(**arrays, about=meta["about"]), meta["sha256"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            what = f"this is no bank of prototypes: {error}"
            raise BundleError(what, where=path, do="make it anew") from None
        if bank.sha256 != sha256:
            raise BundleError("the bank of prototypes was altered", where=path, do="make it anew")
        if not np.allclose(np.linalg.norm(bank.prototypes, axis=1), 1, atol=1e-4):
            raise BundleError("a prototype is not of unit length", where=path, do="make it anew")
        return bank


def build_bank(
    features: np.ndarray, cells: np.ndarray, weights: np.ndarray, trials: np.ndarray, grid: int, about: dict[str, Any]
) -> PrototypeBank:
    """Return the mean feature of each cell, of unit length; an empty cell has that of the nearest with any.

    Parameters
    ----------
    features : array, shape (n, width)
        Of windows, of unit length.
    cells, weights : array, shape (n,)
        The cell of each window, and what it counts for.
    trials : int array, shape (n,)
        The trial that each window is of: windows of one trial are not independent.
    grid : int
        Cells along each axis.
    about : dict
        What the features are of.
    """
    count = grid * grid
    sums = np.zeros((count, features.shape[1]))
    np.add.at(sums, cells, weights[:, None] * features)
    pairs = np.unique(np.column_stack([cells, trials]), axis=0)
    counts = np.bincount(pairs[:, 0], minlength=count)
    centres = grid_centres(grid)
    filled = np.flatnonzero(counts)
    apart = np.linalg.norm(centres[:, None] - centres[None, filled], axis=2)
    source = filled[apart.round(6).argmin(axis=1)]  # of equally near ones the first, arousal by rows
    means = sums[source]
    unit = means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    return PrototypeBank(unit.astype(np.float32), centres, counts, source, about)


def random_prototypes(bank: PrototypeBank, seed: int) -> PrototypeBank:
    """Return a bank of random directions, orthogonal as far as the width allows, in place of the prototypes."""
    width, cells = bank.prototypes.shape[1], len(bank.centres)
    drawn = np.random.default_rng([seed, 31]).standard_normal((max(width, cells), width))
    basis = np.concatenate([np.linalg.qr(part)[0] for part in np.array_split(drawn, len(drawn) // width or 1)])
    return _replaced(bank, basis[:cells], "random orthonormal")


def shuffled_grid(bank: PrototypeBank, seed: int) -> PrototypeBank:
    """Return a bank of the same prototypes, dealt out anew over the cells."""
    dealt = np.random.default_rng([seed, 32]).permutation(len(bank.centres))
    return _replaced(bank, bank.prototypes[dealt], "shuffled grid")


def handmade_prototypes(grid: int, width: int, sigma: float = 0.4) -> PrototypeBank:
    """Return a bank without any brain: how near each cell is to points spread over valence and arousal.

    Parameters
    ----------
    grid, width : int
        Cells along each axis, and numbers a prototype has: as many points as make a square, the rest 0.
    sigma : float
        Of the Gaussian around each point.

    Examples
    --------
    >>> bank = handmade_prototypes(5, 256)
    >>> near, far = bank.prototypes[0] @ bank.prototypes[1], bank.prototypes[0] @ bank.prototypes[24]
    >>> bool(near > 0.7 > 0.1 > far)
    True
    """
    centres = grid_centres(grid)
    points = grid_centres(int(width**0.5))
    square = ((centres[:, None] - points[None]) ** 2).sum(axis=2)
    near = np.zeros((len(centres), width))
    near[:, : len(points)] = np.exp(-square / (2 * sigma**2))
    nothing = np.zeros(len(centres), np.int64)
    empty = PrototypeBank(near.astype(np.float32), centres, nothing, np.arange(len(centres)), {})
    return _replaced(empty, near, "hand-made")


def _replaced(bank: PrototypeBank, prototypes: np.ndarray, how: str) -> PrototypeBank:
    unit = prototypes / np.linalg.norm(prototypes, axis=1, keepdims=True)
    about = {"prototypes": how, "instead of": bank.about}
    return replace(bank, prototypes=unit.astype(np.float32), about=about)
