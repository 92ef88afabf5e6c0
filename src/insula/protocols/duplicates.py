"""Near-duplicate pictures: one photograph stored twice, re-encoded, resized, a little brighter, or mirrored.

Candidates are pairs whose perceptual hashes (ImageHash's 64-bit `phash`) differ in few bits. A perceptual hash alone
takes two portraits for one picture, so a candidate counts only where the two pictures agree everywhere: both at 32 x 32
grey, at equal mean and contrast, correlate, and differ nowhere by more than `LARGEST_DIFFERENCE` standard deviations
(mean of 3 x 3 points; points that brightening drove into white are left out). Another expression of one face differs at
the mouth or the brows, whatever the rest. Mirrored copies count, since corpora enlarged by mirroring are common and the
mirrored picture gives its answer away. Crops, shifts and rotations do not count.

Measured on the 204 photographs of the London faces: copies re-encoded (JPEG quality 30), resized (down to 48 pixels),
brightened by a tenth or by 20 grey levels, darkened, greyed or mirrored differ by at most 10 bits and at most 0.10
standard deviations; any two different photographs by at least 0.50, those of different people by 0.69. The threshold
lies halfway, since drawn faces with sharp edges suffer more from copying (up to 0.3 at JPEG quality 30).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd

from insula.samples import Samples, Store

LARGEST_BITS = 10
"""Bits of 64 in which the hashes of two copies may differ."""

LARGEST_DIFFERENCE = 0.25
"""Standard deviations by which two copies may differ at any place."""

_EDGE = 32  # what phash itself reduces a picture to
_LEAST_CORRELATION = 0.95  # spares most candidates the closer look; copies of London faces: 0.97 and above
_BLANK = 2.0  # grey levels; a picture with less contrast shows nothing to recognise
_WHITE, _NEARLY_WHITE = 245, 205
_BLOCK = 4096


@dataclass(frozen=True)
class Marks:
    """What tells pictures apart.

    Parameters
    ----------
    hashes, mirrored : uint64 array, shape (n,)
        Perceptual hash of each picture, and of its mirror image.
    grey : uint8 array, shape (n, 32, 32)
        The pictures, small and grey.
    """

    hashes: np.ndarray
    mirrored: np.ndarray
    grey: np.ndarray

    def __getitem__(self, rows: np.ndarray) -> Marks:
        return Marks(self.hashes[rows], self.mirrored[rows], self.grey[rows])


def mark_pictures(pictures: np.ndarray) -> Marks:
    """Return the marks of pictures, uint8 (n, height, width, 3) or (n, height, width)."""
    from imagehash import phash
    from PIL import Image

    n = len(pictures)
    marks = Marks(np.zeros(n, np.uint64), np.zeros(n, np.uint64), np.zeros((n, _EDGE, _EDGE), np.uint8))
    for place, picture in enumerate(pictures):
        small = Image.fromarray(picture).convert("L").resize((_EDGE, _EDGE), Image.Resampling.LANCZOS)
        flipped = small.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        marks.hashes[place] = np.packbits(phash(small).hash).view(np.uint64)[0]
        marks.mirrored[place] = np.packbits(phash(flipped).hash).view(np.uint64)[0]
        marks.grey[place] = np.asarray(small)
    return marks


_MEMORY: WeakKeyDictionary[Store, dict[int, tuple]] = WeakKeyDictionary()  # pictures are marked once, not once a fold


def marks_of(store: Store, rows: np.ndarray) -> Marks:
    """Return the marks of rows of a picture store, read in pieces and remembered as long as the store lives."""
    marked = _MEMORY.setdefault(store, {})
    fresh = [row for row in rows.tolist() if row not in marked]
    for first in range(0, len(fresh), 256):
        piece = fresh[first : first + 256]
        marks = mark_pictures(np.asarray(store.read(np.array(piece))))
        marked.update(zip(piece, zip(marks.hashes, marks.mirrored, marks.grey, strict=True), strict=True))
    hashes, mirrored, grey = zip(*(marked[row] for row in rows.tolist()), strict=True)
    return Marks(np.array(hashes), np.array(mirrored), np.array(grey))


def picture_modalities(samples: Samples) -> list[str]:
    """Return the modalities that are pictures."""
    modalities = []
    for modality in samples.modalities:
        names = samples.table.loc[samples.has(modality), f"{modality}_store"].unique()
        if any(samples.stores[name].description.kind == "picture" for name in names):
            modalities.append(modality)
    return modalities


def duplicates_between(samples: Samples, modality: str, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return int64 (pairs, 2): a row of `one` and a row of `other` whose pictures are copies of each other.

    Parameters
    ----------
    samples : Samples
        All of them.
    modality : str
        One of `picture_modalities`.
    one, other : bool array, shape (n,)
        The rows to compare. Of rows that show one and the same picture the first stands for all.
    """
    left, right = _marked(samples, modality, one), _marked(samples, modality, other)
    return np.concatenate([
        np.column_stack([places[pairs[:, 0]], others[pairs[:, 1]]])
        for (mark, places), (further, others) in product(left, right)
        for pairs in [near_duplicates(mark, further)]
    ] or [np.empty((0, 2), np.int64)])  # fmt: skip


def _marked(samples: Samples, modality: str, where: np.ndarray) -> list[tuple[Marks, np.ndarray]]:
    """Return the marks of the pictures of some rows, and the rows, store by store."""
    rows, stores = samples.rows(modality), samples.table[f"{modality}_store"].to_numpy(object)
    marked = []
    for name in pd.unique(stores[samples.has(modality)]):
        places = np.flatnonzero(where & (rows >= 0) & (stores == name))
        places = places[np.unique(rows[places], return_index=True)[1]]  # many rows may show one picture
        if len(places) and samples.stores[name].description.kind == "picture":
            marked.append((marks_of(samples.stores[name], rows[places]), places))
    return marked


def near_duplicates(left: Marks, right: Marks) -> np.ndarray:
    """Return int64 (pairs, 2): places in `left` and `right` of pictures that are copies of each other.

    Examples
    --------
    >>> grey = np.random.default_rng(0).integers(0, 200, (3, 8, 8), np.uint8).repeat(8, axis=1).repeat(8, axis=2)
    >>> copies = np.stack([grey[2] + 9, grey[0][:, ::-1]])
    >>> near_duplicates(mark_pictures(grey), mark_pictures(copies)).tolist()
    [[0, 1], [2, 0]]
    """
    pairs = [np.empty((0, 2), np.int64)]
    flipped = Marks(right.mirrored, right.hashes, right.grey[:, :, ::-1])
    step = max(1, 2**22 // max(1, len(right.hashes)))
    for other in (right, flipped):
        for first in range(0, len(left.hashes), step):
            bits = np.bitwise_count(left.hashes[first : first + step, None] ^ other.hashes)
            candidates = np.argwhere(bits <= LARGEST_BITS) + (first, 0)
            for start in range(0, len(candidates), _BLOCK):
                some = candidates[start : start + _BLOCK]
                pairs.append(some[_same(left.grey[some[:, 0]], other.grey[some[:, 1]])])
    return np.unique(np.concatenate(pairs), axis=0)


def copy_groups(marks: Marks) -> np.ndarray:
    """Return int64 (n,): for each picture the first place of those that are copies of it, or copies of its copies.

    Examples
    --------
    >>> grey = np.random.default_rng(0).integers(0, 200, (3, 8, 8), np.uint8).repeat(8, axis=1).repeat(8, axis=2)
    >>> copy_groups(mark_pictures(np.concatenate([grey, grey[1:2] + 9]))).tolist()
    [0, 1, 2, 1]
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n, pairs = len(marks.hashes), near_duplicates(marks, marks)
    links = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    groups = connected_components(links, directed=False)[1]
    return np.unique(groups, return_index=True)[1][groups]


def _same(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return bool (n,): whether small grey pictures, uint8 (n, 32, 32), agree everywhere."""
    from scipy.ndimage import uniform_filter

    same = np.zeros(len(one), bool)
    flat_one, flat_other = _centred(one, np.ones(one.shape, bool)), _centred(other, np.ones(other.shape, bool))
    deviations = np.minimum(_deviation(flat_one), _deviation(flat_other))[:, 0, 0]
    correlation = _correlation(flat_one, flat_other)
    close = np.flatnonzero((deviations > _BLANK) & (correlation > _LEAST_CORRELATION))
    if not len(close):
        return same
    one, other = one[close], other[close]
    white = (np.maximum(one, other) >= _WHITE) & (np.minimum(one, other) >= _NEARLY_WHITE)
    usable = ~white
    usable[usable.mean(axis=(1, 2)) < 0.1] = True  # a picture that is nearly all white is compared as it is
    first, second = _centred(one, usable), _centred(other, usable)
    scale = np.sqrt(usable.mean(axis=(1, 2), keepdims=True))
    difference = scale * (first / _deviation(first) - second / _deviation(second))
    worst = np.abs(uniform_filter(difference, (1, 3, 3))).max(axis=(1, 2))
    same[close] = worst <= LARGEST_DIFFERENCE
    return same


def _centred(pictures: np.ndarray, usable: np.ndarray) -> np.ndarray:
    mean = pictures.mean(axis=(1, 2), keepdims=True, where=usable, dtype=np.float32)
    return np.where(usable, pictures - mean, np.float32(0))


def _deviation(centred: np.ndarray) -> np.ndarray:
    return np.maximum(np.sqrt(np.mean(centred * centred, axis=(1, 2), keepdims=True)), np.float32(1e-6))


def _correlation(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    scale = (_deviation(one) * _deviation(other))[:, 0, 0]
    return np.mean(one * other, axis=(1, 2)) / scale
