"""People of whom a corpus holds the recordings twice, under two names: their signals rise and fall alike.

What is compared is how the power of each channel (of features, each number) changes from window to window within a
person, which scale, offset, another reference, resampling and filtering leave nearly as it is, and which no two brains
share. One of two recordings may lack channels, begin some windows later, or be upside down.
"""

from __future__ import annotations

from collections.abc import Hashable
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd

from insula.protocols.units import unit_codes
from insula.samples import Samples

ALIKE = 0.8
"""Correlation from which two people's series may be one recording; of twins in public use 0.97, of others about 0."""

_SURE = 5.5  # standard errors, of Fisher's z, that a correlation lies above what chance gives so few windows
_TIMES = 5  # by which two series of one recording differ less than people do, who may share what they were shown
_FEW, _SHARED = 3, 0.9  # people of whom what they share cannot be told, and what is then supposed

_ROWS, _LEAST = 48, 8  # windows of a person that are compared, and below which nothing can be said
_LAG = 16  # windows by which one of two recordings may begin later
_BAND = 4.0, 30.0  # Hz, in which nearly every filter leaves EEG as it is
_NUMBERS, _FEWEST = 64, 3  # channels or features that are compared, and below which nothing can be said

_known: WeakKeyDictionary[Samples, dict[str, tuple[list[tuple[int, int]], int]]] = WeakKeyDictionary()


def signal_modalities(samples: Samples) -> list[str]:
    """Return the modalities of signals, and of features, that samples hold of people."""
    kinds = {name: {samples.stores[store].description.kind for store in _stores(samples, name)}
             for name in samples.modalities}  # fmt: skip
    return [name for name, kind in kinds.items() if kind and kind <= {"signal", "features"}]


def _stores(samples: Samples, modality: str) -> list[str]:
    return samples.table[f"{modality}_store"].dropna().unique().tolist()


def copied_people(samples: Samples, modality: str) -> tuple[list[tuple[int, int]], int]:
    """Return pairs of codes of subjects whose signals are alike, and how many people were compared.

    It is found once for the same samples. Only the first windows of each person are read; who has few is not compared.
    """
    pairs = _known.setdefault(samples, {})
    if modality not in pairs:
        pairs[modality] = _pairs(samples, modality)
    return pairs[modality]


def _pairs(samples: Samples, modality: str) -> tuple[list[tuple[int, int]], int]:
    codes = unit_codes(samples, "subject")
    there = np.flatnonzero(samples.has(modality) & (codes >= 0))
    series = {person: _changes(samples, modality, there[codes[there] == person][:_ROWS])
              for person in np.unique(codes[there]).tolist()}  # fmt: skip
    series = {person: changes for person, changes in series.items() if len(changes) >= _LEAST}
    names = list(dict.fromkeys(name for changes in series.values() for name in changes))[:_NUMBERS]
    steps = np.full((len(series), _ROWS - 1, len(names)), np.nan)
    for row, changes in enumerate(series.values()):
        steps[row, : len(changes) - 1] = _standardised(changes.reindex(columns=names).to_numpy())
    people, alike = list(series), np.zeros((len(series), len(series)), bool)
    least = ALIKE
    for lag in range(_LAG if len(people) > 1 else 0):
        strength, chance = _strengths(steps[:, lag:], steps[:, : _ROWS - 1 - lag])
        if lag == 0:
            pairs = strength[np.triu_indices(len(people), 1)]
            least = max(ALIKE, 1 - (1 - (np.median(pairs) if len(people) > _FEW else _SHARED)) / _TIMES)
        alike |= strength > np.maximum(least, chance)
    both = np.argwhere(np.triu(alike | alike.T, 1)).tolist()
    return [(people[one], people[other]) for one, other in both], len(people)


def _changes(samples: Samples, modality: str, rows: np.ndarray) -> pd.DataFrame:
    """Return the logarithm of each channel's power, or the features, of some rows: a row each, columns by name."""
    table = samples.table.iloc[rows].reset_index(drop=True)
    pieces = []
    for store, some in table.groupby(f"{modality}_store", sort=False)[f"{modality}_row"]:
        description = samples.stores[str(store)].description
        values = [np.asarray(one, float) for one in samples.stores[str(store)].read(some.to_numpy(np.int64))]
        if description.kind == "signal":
            values = [_power(one.reshape(len(one), -1), description.rate) for one in values]
        if len({one.shape for one in values}) > 1:
            return pd.DataFrame()
        numbers = np.stack(values)
        channels: tuple[Hashable, ...] = description.channels
        if description.axes[0] != "channel" or len(channels) != numbers.shape[1]:
            channels = tuple(range(numbers.shape[1]))
        numbers = numbers.reshape(len(numbers), len(channels), -1)
        names = [(channel, number) for channel in channels for number in range(numbers.shape[2])]
        pieces.append(pd.DataFrame(numbers.reshape(len(numbers), -1), some.index, pd.Index(names, tupleize_cols=False)))
    return pd.concat(pieces).sort_index() if pieces else pd.DataFrame()


def _power(signal: np.ndarray, rate: float | None) -> np.ndarray:
    """Return the logarithm of each channel's power where filters of EEG leave it, fast and slow waves alike."""
    spectrum = np.abs(np.fft.rfft(signal, axis=1)) ** 2
    frequencies = np.fft.rfftfreq(signal.shape[1], 1 / (rate or 1.0))
    kept = (frequencies >= _BAND[0]) & (frequencies <= _BAND[1])
    kept = kept if rate and kept.any() else frequencies > 0
    power: np.ndarray = np.log((spectrum * frequencies**2)[:, kept].sum(axis=1) + 1e-30)
    return power


def _standardised(changes: np.ndarray) -> np.ndarray:
    """Return how each number changes from window to window, in its own scale; NaN for one that changes evenly."""
    steps = np.diff(changes, axis=0)
    steps = steps - steps.mean(axis=0)
    spread = steps.std(axis=0)
    varies = spread > 1e-6 * np.maximum(np.abs(changes).max(axis=0), 1e-9)
    return np.where(varies, steps / np.maximum(spread, 1e-12), np.nan)


def _strengths(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how alike the series of any two people are, and how alike they may be by chance, two float64 (n, n).

    Series have the shape (n, steps, numbers), NaN where there is none. A step counts for less where steps follow from
    the ones before, by the autocorrelation of both.
    """
    (values, there), (others, present) = ((np.nan_to_num(each), np.isfinite(each)) for each in (one, other))
    flat, mask = values.reshape(len(one), -1), there.reshape(len(one), -1).astype(float)
    across, shown = others.reshape(len(one), -1), present.reshape(len(one), -1).astype(float)
    strength = np.abs(flat @ across.T) / np.maximum(np.sqrt((flat**2 @ shown.T) * (mask @ (across**2).T)), 1e-12)
    steps = there.any(axis=2).astype(float) @ present.any(axis=2).astype(float).T
    numbers = there.any(axis=1).astype(float) @ present.any(axis=1).astype(float).T
    before = [(each[:, 1:] * each[:, :-1]).sum(axis=(1, 2)) / np.maximum((each**2).sum(axis=(1, 2)), 1e-12)
              for each in (values, others)]  # fmt: skip
    follows = np.outer(*before)
    free = steps * (1 - follows) / (1 + follows) - 3
    chance = np.tanh(_SURE / np.sqrt(np.maximum(free, 1e-6)))
    return np.where(numbers < _FEWEST, 0.0, strength), chance
