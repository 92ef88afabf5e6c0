"""From a user's arrays to samples: what they hold, whose they are, and what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from insula.errors import DataError
from insula.samples.stores import ArrayStore, Description

_KINDS = {2: "features", 3: "eeg", 4: "picture"}


def stored(
    values: Any, modality: str | None, rate: float | None, channels: Sequence[str] | None
) -> tuple[str, ArrayStore]:
    """Return the modality of an array or a DataFrame, and the store that holds it; see `Samples.from_arrays`."""
    if isinstance(values, pd.DataFrame):
        return modality or "features", _of_frame(values)
    values = np.asarray(values)
    if values.ndim and not len(values):
        raise DataError("X has no rows", where="X", do="give one row a sample")
    if modality == "text":
        if values.ndim != 1 or not all(isinstance(text, str) for text in values):
            raise DataError("X holds what is no text", where="X", do="give (n,) texts, '' where one is missing")
        return modality, ArrayStore(values.astype(str), Description(kind="text", axes=()))
    if values.dtype.kind not in "fiub":
        raise DataError(f"an array of {values.dtype} holds no numbers", where="X", do="give X.astype(float)")
    if values.ndim not in _KINDS:
        do = "give features (n, d), EEG (n, channels, times) or pictures (n, height, width, 3)"
        raise DataError(f"an array of shape {values.shape} cannot be read", where="X", do=do)
    modality = modality or _KINDS[values.ndim]
    if modality == "picture":
        if values.ndim != 4 or values.shape[-1] != 3 or values.dtype != np.uint8:
            do = "give uint8 (n, height, width, 3) from 0 to 255"
            raise DataError(f"pictures of {values.dtype}, shape {values.shape}, cannot be read", where="X", do=do)
        form = Description(kind="picture", axes=("row", "column", "colour"), units="uint8 RGB")
        return modality, ArrayStore(values, form)
    if modality in ("features", "vector"):
        axes = ("feature",) if values.ndim == 2 else tuple(f"axis {number + 1}" for number in range(values.ndim - 1))
        kind: Literal["vector", "features"] = "vector" if modality == "vector" else "features"
        return modality, ArrayStore(values, Description(kind=kind, axes=axes))
    return modality, _of_signal(values, modality == "audio", rate, channels)


def _of_signal(values: np.ndarray, heard: bool, rate: float | None, channels: Sequence[str] | None) -> ArrayStore:
    """Return a store of audio, where it is heard, or of EEG."""
    called = "audio" if heard else "EEG"
    if heard and values.ndim == 2:
        values = values[:, None]
    if values.ndim != 3:
        do = "give (n, times) or (n, channels, times)" if heard else "give (n, channels, times) in microvolts"
        raise DataError(f"{called} of shape {values.shape}", where="X", do=do)
    if rate is None:
        do = "give rate=250, samples a second; or modality='features' where this is no signal"
        raise DataError(f"the sampling rate of the {called} is not known", where="X", do=do)
    if not 0 < rate < np.inf:
        raise DataError(f"the sampling rate is {rate}", where="rate", do="give rate=250, samples a second")
    names = tuple(channels or (f"channel {number + 1}" for number in range(values.shape[1])))
    if len(names) != values.shape[1]:
        what = f"{len(names)} channel names for {values.shape[1]} channels"
        raise DataError(what, where="channels", do=f"give {values.shape[1]} names")
    kind: Literal["audio", "signal"] = "audio" if heard else "signal"
    form = Description(kind=kind, axes=("channel", "time"), rate=rate, channels=names, units="" if heard else "uV")
    return ArrayStore(values.astype(np.float32, copy=False), form)


def _of_frame(values: pd.DataFrame) -> ArrayStore:
    twice = values.columns[values.columns.duplicated()]
    if len(twice):
        raise DataError(f"two columns are called {twice[0]!r}", where="X", do="rename one of them")
    strange = [str(name) for name in values if not pd.api.types.is_numeric_dtype(values[name])]
    if strange:
        do = f"leave it out, as in X.drop(columns=[{strange[0]!r}]), or code it as numbers"
        raise DataError(f"column {strange[0]!r} holds no numbers", where="X", do=do)
    channels, values = [str(name) for name in values], values.to_numpy(float)
    return ArrayStore(values, Description(kind="features", axes=("channel",), channels=tuple(channels)))


def text_of(values: Any, name: str, length: int, index: pd.Index | None) -> np.ndarray:
    """Return a column of names, as text, None where one is missing; refuse one that does not stand beside the rows."""
    one = values if isinstance(values, pd.Series) else pd.Series(np.asarray(values, object).ravel())
    beside_the_rows(values, name, length, index)
    if one.dtype.kind == "f" or one.map(lambda value: isinstance(value, float)).any():
        numbers = pd.to_numeric(one, errors="coerce")
        if numbers.notna().equals(one.notna()) and (numbers.dropna() % 1 == 0).all():
            one = numbers.astype("Int64")  # 3.0, which a missing value made of 3, is 3 again
    text = one.astype("str").str.strip().to_numpy(object)
    text[(one.isna() | (one.astype("str").str.strip() == "")).to_numpy()] = None
    return text


def beside_the_rows(values: Any, name: str, length: int, index: pd.Index | None) -> None:
    """Refuse what has another length than X, or another index where both are of pandas."""
    shape = np.shape(values)
    if shape[1:] not in ((), (1,)) or shape[:1] != (length,):
        raise DataError(f"{name} has shape {shape}, and X has {length} rows", where=name, do=f"give {length} values")
    if index is not None and isinstance(values, pd.Series) and not values.index.equals(index):
        do = f"give {name}.loc[X.index], or {name}.to_numpy() where the order is right"
        raise DataError(f"the index of {name} is not that of X", where=name, do=do)


def columns_of(groups: Any, unit: str, length: int, index: pd.Index | None) -> dict[str, Any]:
    """Return provenance and further columns by name: `groups` is one column of `unit`, or several by name."""
    if groups is None:
        return {}
    if isinstance(groups, pd.DataFrame | Mapping):
        return {str(name): text_of(groups[name], str(name), length, index) for name in groups}
    return {unit: text_of(groups, "groups", length, index)}
