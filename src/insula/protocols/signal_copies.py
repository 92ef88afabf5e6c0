"""People of whom a corpus holds the recordings twice, under two names: their signals rise and fall alike.

What is compared is how the power of each channel (of features, each number) changes from window to window within a
person, which scale, offset, resampling and filtering leave nearly as it is, and which no two brains share.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np

from insula.protocols.units import unit_codes
from insula.samples import Samples

ALIKE = 0.9
"""Correlation from which two people's series may be one recording; of twins in public use 0.97, of others about 0."""

_TIMES = 5  # by which two series of one recording differ less than people do, who may share what they were shown
_FEW, _SHARED = 3, 0.9  # people of whom what they share cannot be told, and what is then supposed

_ROWS, _LEAST = 48, 8  # windows of a person that are compared, and below which nothing can be said
_NUMBERS, _FEWEST = 64, 3  # channels or features that are compared, and below which nothing can be said

_known: WeakKeyDictionary[Samples, dict[str, list[tuple[int, int]]]] = WeakKeyDictionary()


def signal_modalities(samples: Samples) -> list[str]:
    """Return the modalities of signals, and of features, that samples hold of people."""
    kinds = {name: {samples.stores[store].description.kind for store in _stores(samples, name)}
             for name in samples.modalities}  # fmt: skip
    return [name for name, kind in kinds.items() if kind and kind <= {"signal", "features"}]


def _stores(samples: Samples, modality: str) -> list[str]:
    return samples.table[f"{modality}_store"].dropna().unique().tolist()


def copied_people(samples: Samples, modality: str) -> list[tuple[int, int]]:
    """Return pairs of codes of subjects whose signals are alike; found once for the same samples.

    Only the first windows of each person are read. People with few windows, or another number of channels, are not
    compared.
    """
    pairs = _known.setdefault(samples, {})
    if modality not in pairs:
        pairs[modality] = _pairs(samples, modality)
    return pairs[modality]


def _pairs(samples: Samples, modality: str) -> list[tuple[int, int]]:
    codes = unit_codes(samples, "subject")
    there = np.flatnonzero(samples.has(modality) & (codes >= 0))
    series: dict[int, dict[int, np.ndarray]] = {}
    for person in np.unique(codes[there]).tolist():
        windows = _windows(samples, modality, there[codes[there] == person][:_ROWS])
        if windows is not None and len(windows) >= _LEAST:
            changes = _changes(windows)
            series.setdefault(changes.shape[1], {})[person] = changes
    alike = []
    for people in series.values():
        names = list(people)
        length = min(len(changes) for changes in people.values())
        rows = np.stack([_standardised(changes[:length]).ravel() for changes in people.values()])
        strengths = rows @ rows.T / np.maximum((rows**2).sum(axis=1), 1e-12)
        shared = np.median(strengths[np.triu_indices(len(names), 1)]) if len(names) > _FEW else _SHARED
        least = max(ALIKE, 1 - (1 - shared) / _TIMES)
        alike += [(names[one], names[other]) for one, other in np.argwhere(np.triu(strengths, 1) > least).tolist()]
    return alike


def _windows(samples: Samples, modality: str, rows: np.ndarray) -> np.ndarray | None:
    """Return the values of rows; None where they differ in shape."""
    pointers = samples.table.iloc[rows].groupby(f"{modality}_store", sort=False)[f"{modality}_row"]
    pieces = [samples.stores[str(name)].read(some.to_numpy(np.int64)) for name, some in pointers]
    shapes = {np.shape(piece)[1:] for piece in pieces if not isinstance(piece, list)}
    return np.concatenate(pieces) if len(shapes) == 1 and not any(isinstance(one, list) for one in pieces) else None


def _changes(values: np.ndarray) -> np.ndarray:
    """Return float64 (rows, numbers): the logarithm of each channel's power, or the features, of some windows."""
    values = values.astype(float)
    if values.ndim > 2:
        values = np.log(values.reshape(len(values), values.shape[1], -1).var(axis=-1) + 1e-12)
    return values.reshape(len(values), -1)[:, :_NUMBERS]


def _standardised(changes: np.ndarray) -> np.ndarray:
    """Return how each number changes from window to window, in its own scale; what changes evenly says nothing."""
    steps = np.diff(changes, axis=0)
    steps = steps - steps.mean(axis=0)
    spread = steps.std(axis=0)
    varies = spread > 1e-6 * np.maximum(np.abs(changes).max(axis=0), 1e-9)
    if varies.sum() < _FEWEST:
        return np.zeros_like(steps)
    return np.where(varies, steps / np.maximum(spread, 1e-12), 0.0)
