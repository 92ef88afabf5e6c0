"""Near-duplicate pictures: one photograph stored twice, re-encoded, resized, mirrored, cropped, turned a little, ...

What may be a copy is proposed by a coarse look: pictures at 32 x 32 grey, blurred, without the mean of all pictures, as
they are, mirrored, turned by 4 and 8 degrees and enlarged by 6 to 25 %, of which the correlations are one matrix
product. A pair that is proposed is aligned (`insula.protocols.alignment`) and compared everywhere: two photographs of
one person differ at the mouth or the brows, whatever the rest. Pictures that lie as they are need only agree at
32 x 32: at equal mean and contrast they differ nowhere by more than `LARGEST_DIFFERENCE` standard deviations.

Shifts, crops on one side or by more than a fifth, blur, borders and turns beyond 10 degrees are not looked for. In
pictures of less than 96 pixels a slight smile is no difference, so that two of one person may count as one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd

from insula.protocols.alignment import align, identity_map, local_difference, moved, places, standardised, white
from insula.samples import ArrayStore, Samples, Store
from insula.storage.hashing import digest_array

NOT_LOOKED_FOR = (
    "those that were shifted, cropped on one side or by more than a fifth, blurred, framed by a border or turned by "
    "more than 10 degrees are not looked for"
)

LARGEST_DIFFERENCE = 0.25
"""Standard deviations by which two copies may differ in their light at any place."""

LARGEST_CHANGE = 0.1
"""Share of the detail by which two copies that were moved may differ at any place."""

_EDGE = 32
_SIDES = (48, 128)  # pixels of the closer look, at least and at most
_VIEWS = [
    identity_map(),
    *(identity_map(turn) for turn in (4, 8)),
    *(identity_map(zoom=1 / zoom) for zoom in (1.06, 1.12, 1.18, 1.25)),
    *(identity_map(turn) for turn in (-4, -8)),
]
_TURNED, _BACK = 3, 7  # views are the same, whichever picture is turned, before the one and from the other on
_LIKELY, _POSSIBLE = 0.93, 0.5  # correlations at which a pair is looked at, and at which only the best of a view is
_MANY = 50  # pictures from which on their mean is taken out
_PASSING = 0.9  # correlation of copies, aligned at 16 x 16
_LEAST_CORRELATION = 0.95  # of copies that were not moved
_SLACK = 0.02  # of half the side: what aligning may miss
_GREY, _OTHER_TINT = 2.0, 0.05  # grey levels between the colours of a picture, and share of its light between two
_BLANK = 2.0  # grey levels; a picture with less contrast shows nothing to recognise
_BLOCK = 2048


@dataclass(frozen=True)
class Marks:
    """What tells pictures apart.

    Parameters
    ----------
    grey : uint8 array, shape (n, 32, 32)
        The pictures, small and grey.
    tint : float32 array, shape (n, 2)
        How much more red than green, and blue than green, there is in them, in shares of their light; NaN where grey.
    side : int
        Pixels that a closer look shows, along an edge.
    closer : callable
        Returns pictures by their places, uint8 (k, side, side), grey, for places and a side.
    """

    grey: np.ndarray
    tint: np.ndarray
    side: int
    closer: Callable[[np.ndarray, int], np.ndarray]

    def __len__(self) -> int:
        return len(self.grey)


def mark_pictures(pictures: np.ndarray) -> Marks:
    """Return the marks of pictures, uint8 (n, height, width, 3) or (n, height, width)."""
    side = _side(pictures.shape[1:3])
    return Marks(_greyed(pictures, _EDGE), _tint(pictures), side, lambda some, side: _greyed(pictures[some], side))


def _tint(pictures: np.ndarray) -> np.ndarray:
    tint = np.full((len(pictures), 2), np.nan, np.float32)
    if pictures.ndim == 4:
        light = pictures.mean(axis=(1, 2), dtype=np.float32)
        coloured = np.ptp(light, axis=1) > _GREY
        tint[coloured] = (light[coloured][:, [0, 2]] - light[coloured][:, 1:2]) / light[coloured].mean(1, keepdims=True)
    return tint


def _side(shape: tuple[int, ...]) -> int:
    return int(np.clip(min(shape), *_SIDES))


def _greyed(pictures: np.ndarray, side: int) -> np.ndarray:
    from PIL import Image

    small = np.zeros((len(pictures), side, side), np.uint8)
    for place, picture in enumerate(pictures):
        grey = Image.fromarray(picture).convert("L").resize((side, side), Image.Resampling.LANCZOS)
        small[place] = np.asarray(grey)
    return small


class _Memory:
    """The small pictures of a store, read once and not once a fold, and the copies that were found among its rows."""

    def __init__(self, store: Store) -> None:
        self.grey = np.zeros((len(store), _EDGE, _EDGE), np.uint8)
        self.tint = np.zeros((len(store), 2), np.float32)
        self.read = np.zeros(len(store), bool)
        self.side = _SIDES[0]
        self.pairs: dict[str, np.ndarray] = {}


_MEMORY: WeakKeyDictionary[Store, _Memory] = WeakKeyDictionary()


def marks_of(store: Store, rows: np.ndarray) -> Marks:
    """Return the marks of rows of a picture store, read in pieces and remembered as long as the store lives."""
    memory = _MEMORY.get(store) or _MEMORY.setdefault(store, _Memory(store))
    fresh = np.unique(rows[~memory.read[rows]])
    for first in range(0, len(fresh), 256):
        piece = fresh[first : first + 256]
        pictures = np.asarray(store.read(piece))
        memory.grey[piece], memory.side = _greyed(pictures, _EDGE), _side(pictures.shape[1:3])
        memory.tint[piece], memory.read[piece] = _tint(pictures), True
    return Marks(
        memory.grey[rows],
        memory.tint[rows],
        memory.side,
        lambda some, side: _greyed(np.asarray(store.read(rows[some])), side),
    )


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

    Where faces were cut out of pictures, whole pictures are compared besides: a copy may be cut out a little otherwise.

    Parameters
    ----------
    samples : Samples
        All of them.
    modality : str
        One of `picture_modalities`.
    one, other : bool array, shape (n,)
        The rows to compare. Of rows that show one and the same picture the first stands for all.
    """
    pairs = [np.empty((0, 2), np.int64)]
    for (name, rows), (second, others) in product(
        _pictured(samples, modality, one), _pictured(samples, modality, other)
    ):
        crops = samples.stores[name], samples.stores[second]
        wholes = tuple(store.whole for store in crops if isinstance(store, ArrayStore) and store.whole is not None)
        for store, further in (crops, wholes) if len(wholes) == len(crops) else (crops,):
            between = _remembered(store, further, *(samples.rows(modality)[some] for some in (rows, others)))
            pairs.append(np.column_stack([rows[between[:, 0]], others[between[:, 1]]]))
    return np.unique(np.concatenate(pairs), axis=0)


def _remembered(one: Store, other: Store, rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    left = marks_of(one, rows)
    marks = left, left if one is other and np.array_equal(rows, others) else marks_of(other, others)
    if one is not other:
        return near_duplicates(*marks)
    pairs, key = _MEMORY[one].pairs, f"{digest_array(rows)}{digest_array(others)}"
    if key not in pairs:
        pairs[key] = near_duplicates(*marks)
    return pairs[key]


def _pictured(samples: Samples, modality: str, where: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """Return the stores of the pictures of some rows, and the rows, the first of those that show one picture."""
    rows, stores = samples.rows(modality), samples.table[f"{modality}_store"].to_numpy(object)
    pictured = []
    for name in pd.unique(stores[samples.has(modality)]):
        some = np.flatnonzero(where & (rows >= 0) & (stores == name))
        some = some[np.unique(rows[some], return_index=True)[1]]
        if len(some) and samples.stores[name].description.kind == "picture":
            pictured.append((name, some))
    return pictured


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
    for candidates, mirrored, maps in _candidates(left, right):
        for first in range(0, len(candidates), _BLOCK):
            some, starts = candidates[first : first + _BLOCK], maps[first : first + _BLOCK]
            pairs.append(some[_same(left, right, some, mirrored, starts)])
    if left is right:
        pairs += [each[:, ::-1] for each in pairs]
    return np.unique(np.concatenate(pairs), axis=0)


def linked(pairs: np.ndarray, n: int) -> np.ndarray:
    """Return int64 (n,): for each place the first of those that pairs, int (k, 2), link it with."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    groups = connected_components(links, directed=False)[1]
    return np.unique(groups, return_index=True)[1][groups]


# the coarse look ------------------------------------------------------------------------------------------------------


@cache
def _looks() -> np.ndarray:
    """Return float32 (views, 1024, k): how a picture is seen in each view: moved, blurred, at 12 x 12 in a circle."""
    from scipy.ndimage import gaussian_filter, zoom

    pixels = np.eye(_EDGE**2, dtype=np.float32).reshape(-1, _EDGE, _EDGE)
    across, down = places(12)
    circle = np.hypot(across, down) <= 0.95
    looks = []
    for view in _VIEWS:
        values, _ = moved(pixels, np.repeat(view[None], len(pixels), 0), *places(_EDGE))
        blurred = gaussian_filter(values.reshape(pixels.shape), (0, 1.2, 1.2), mode="nearest")
        looks.append(zoom(blurred, (1, 12 / _EDGE, 12 / _EDGE), order=1, grid_mode=True, mode="nearest")
                     .reshape(len(pixels), -1)[:, circle])  # fmt: skip
    return np.stack(looks)


def _seen(grey: np.ndarray, view: int, mean: np.ndarray | float) -> np.ndarray:
    """Return what a view shows of pictures, float32 (n, k), of unit length."""
    seen = _unit(grey.reshape(len(grey), -1).astype(np.float32) @ _looks()[view])
    return _unit(seen - mean, centred=False)


def _unit(values: np.ndarray, *, centred: bool = True) -> np.ndarray:
    values = values - values.mean(axis=1, keepdims=True) if centred else values
    return values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-6)


def _candidates(left: Marks, right: Marks) -> Iterator[tuple[np.ndarray, bool, np.ndarray]]:
    """Yield pairs that may be copies, int64 (k, 2), whether mirrored, and maps of left to right to begin with."""
    several = len(left) + len(right) >= _MANY
    mean = np.concatenate([_seen(marks.grey, 0, 0.0) for marks in (left, right)]).mean(axis=0) if several else 0.0
    alone = left is right  # then either order of a pair will do
    for mirrored in (False, True):
        grey = right.grey[:, :, ::-1] if mirrored else right.grey
        still = _seen(grey, 0, mean)
        looks = [(_seen(left.grey, view, mean), still, _inverse(_VIEWS[view]))
                 for view in range(_BACK if alone else len(_VIEWS))]  # fmt: skip
        if not alone:
            still = looks[0][0]
            looks += [(still, _seen(grey, view, mean), _VIEWS[view]) for view in range(_TURNED, _BACK)]
        codes, views, scores = _alike([look[:2] for look in looks])
        pairs = np.column_stack(np.divmod(codes, len(right)))
        same = np.sort(pairs, axis=1) @ [len(right), 1] if alone else codes
        order = np.lexsort((-scores, same))
        order = order[np.unique(same[order], return_index=True)[1]]  # each pair once, as its best view has it
        yield pairs[order], mirrored, np.stack([start for *_, start in looks])[views[order]]


def _inverse(view: np.ndarray) -> np.ndarray:
    return np.linalg.inv(np.vstack([view, [0, 0, 1]]))[:2].astype(np.float32)


def _alike(looks: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return pairs that look alike, as numbers (row times m, plus column), in which look they do, and how much."""
    (n, _), (m, _) = (each.shape for each in looks[0])
    parts = [(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))]
    step = max(1, 2**22 // max(1, m))  # keeps memory small
    for first in range(0, n if m else 0, step):
        for look, (one, other) in enumerate(looks):
            correlations = one[first : first + step] @ other.T
            best = correlations.argmax(axis=1) + np.arange(len(correlations)) * m
            correlations = correlations.ravel()
            some = np.concatenate([np.flatnonzero(correlations > _LIKELY), best[correlations[best] > _POSSIBLE]])
            parts.append((some + first * m, np.full(len(some), look), correlations[some]))
    codes, views, scores = (np.concatenate(column) for column in zip(*parts, strict=True))
    return codes, views, scores


# the closer look ------------------------------------------------------------------------------------------------------


def _same(left: Marks, right: Marks, pairs: np.ndarray, mirrored: bool, maps: np.ndarray) -> np.ndarray:
    """Return bool (n,): whether pairs, int (n, 2), show one picture, as it lies or moved a little."""
    one, other = left.grey[pairs[:, 0]], right.grey[pairs[:, 1]]
    other = other[:, :, ::-1] if mirrored else other
    blank = np.minimum(one.std(axis=(1, 2)), other.std(axis=(1, 2))) <= _BLANK
    same = ~blank & _unmoved(one, other)
    apart = (
        np.abs(left.tint[pairs[:, 0]] - right.tint[pairs[:, 1]]).max(axis=1) > _OTHER_TINT
    )  # never where one is grey
    rest = np.flatnonzero(~blank & ~same & ~apart)
    if not len(rest):
        return same
    half, other_half = (_halved(each[rest]) for each in (one, other))
    maps, correlation = align(half, other_half, maps[rest], 2)
    passing = correlation > _PASSING
    rest, maps = rest[passing], maps[passing]
    for pixels in dict.fromkeys((_SIDES[0], min(left.side, right.side))):
        for first in range(0, len(rest), 256):  # keeps memory small
            some = slice(first, first + 256)
            first_of, second_of = (
                _softened(marks, pairs[rest[some], column], pixels) for column, marks in enumerate((left, right))
            )
            second_of = np.ascontiguousarray(second_of[:, :, ::-1]) if mirrored else second_of
            maps[some], _ = align(first_of, second_of, maps[some], 6)
            light, detail = local_difference(first_of, second_of, maps[some])
            alike = (light <= LARGEST_DIFFERENCE) & (detail <= LARGEST_CHANGE)
            same[rest[some]] = alike & _plausible(maps[some])
        maps, rest = maps[same[rest]], rest[same[rest]]
    return same


def _plausible(maps: np.ndarray) -> np.ndarray:
    """Return bool (n,): whether maps turn or crop a picture, and no more: a crop lies within what it was cut out of.

    Two people photographed alike can often be brought over each other by stretching, slanting or shifting one of them.
    """
    wide, high = (np.hypot(maps[:, 0, axis], maps[:, 1, axis]) for axis in (0, 1))
    slanted = np.abs((maps[:, :, 0] * maps[:, :, 1]).sum(axis=1)) / (wide * high)
    within = np.abs(maps[:, :, 2]) <= np.abs(1 - np.column_stack([wide, high])) + _SLACK
    return (slanted <= _SLACK) & (np.abs(np.log(wide / high)) <= 2 * _SLACK) & within.all(axis=1)


def _halved(grey: np.ndarray) -> np.ndarray:
    """Return small grey pictures at 16 x 16, float32, blurred so that a move by less than a pixel shows as one."""
    from scipy.ndimage import gaussian_filter

    blurred = gaussian_filter(grey.astype(np.float32), (0, 1, 1))
    return blurred.reshape(-1, _EDGE // 2, 2, _EDGE // 2, 2).mean(axis=(2, 4))


def _softened(marks: Marks, some: np.ndarray, side: int) -> np.ndarray:
    """Return pictures by their places, float32 (n, side, side), without what a change of size does not keep."""
    from scipy.ndimage import gaussian_filter

    shown, place = np.unique(some, return_inverse=True)
    return gaussian_filter(marks.closer(shown, side).astype(np.float32), (0, 1, 1))[place]


def _unmoved(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return bool (n,): whether small grey pictures, uint8 (n, 32, 32), agree everywhere as they lie."""
    from scipy.ndimage import uniform_filter

    shape, n = one.shape, len(one)
    one, other = (each.reshape(n, -1).astype(np.float32) for each in (one, other))
    all_of_it = np.ones_like(one)
    (first, _), (second, _) = (standardised(each, all_of_it) for each in (one, other))
    close = np.flatnonzero((first * second).mean(axis=1) > _LEAST_CORRELATION)
    one, other = one[close], other[close]
    usable = ~white(one, other)
    usable[usable.mean(axis=1) < 0.1] = True  # a picture that is nearly all white is compared as it is
    (first, _), (second, _) = (standardised(each, usable) for each in (one, other))
    worst = np.abs(uniform_filter((first - second).reshape(-1, *shape[1:]), (1, 3, 3))).max(axis=(1, 2))
    same = np.zeros(n, bool)
    same[close] = worst <= LARGEST_DIFFERENCE
    return same
