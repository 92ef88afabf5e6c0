"""Stores: where the arrays live that samples point into; read lazily, row by row."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal, Protocol, Self, runtime_checkable

import numpy as np
import yaml
from pydantic import model_validator

from insula.errors import DataError
from insula.storage.atomic import write_folder
from insula.storage.hashing import digest, digest_array
from insula.storage.settings import Settings


class Description(Settings):
    """What a store holds.

    Parameters
    ----------
    kind : str
        `signal` (EEG over time), `features`, `picture`, `clip` (pictures over time), `track` (labels over time),
        `audio` (sound over time, from -1 to 1 where `units` does not say otherwise), `text` (a row is one string) or
        `vector` (what another model makes of a row, such as an embedding).
    axes : tuple of str
        Names of a row's axes, for example `("channel", "time")`; `audio` has `time` among them, a `vector` one axis and
        a `text` none.
    rate : float, optional
        Samples per second along the axis `time`.
    channels : tuple of str
        Names along the axis `channel`.
    units : str
        `uV`, `uint8 RGB`, or what the features are measured in.
    start : float, optional
        Seconds from the event to a row's first sample, negative where the row starts before it; None where rows follow
        no event.
    """

    kind: Literal["signal", "features", "picture", "clip", "track", "audio", "text", "vector"]
    axes: tuple[str, ...]
    rate: float | None = None
    channels: tuple[str, ...] = ()
    units: str = ""
    start: float | None = None

    @model_validator(mode="after")
    def _of_its_kind(self) -> Self:
        form = {
            "audio": ("time" in self.axes and self.rate is not None, "an axis time, and a rate"),
            "text": (not self.axes, "no axis: a row is one string"),
            "vector": (len(self.axes) == 1, "one axis"),
        }
        right, wanted = form.get(self.kind, (True, ""))
        if not right:
            raise DataError(f"this is no form of {self.kind}", where=", ".join(self.axes), do=f"give {wanted}")
        return self


@runtime_checkable
class Store(Protocol):
    """What a store can do."""

    description: Description

    def __len__(self) -> int: ...

    def read(self, rows: np.ndarray) -> np.ndarray | list[np.ndarray]:
        """Return the rows asked for: an array, or a list of arrays where rows differ in length."""

    def fingerprint(self) -> str:
        """Return the sha256 of the content and its description."""

    def save(self, folder: Path) -> None:
        """Write the store to a folder that `open_store` reads."""


class ArrayStore:
    """Rows of one shape, in memory or memory-mapped.

    Parameters
    ----------
    values : array, shape (rows, ...)
        An array or a memory map; of text, NumPy's own strings, `np.array(texts, str)`.
    description : Description
        What it holds.
    whole : Store, optional
        What the rows were cut out of, row by row, such as the pictures of faces: in it the audit looks for copies.

    Examples
    --------
    >>> form = Description(kind="signal", axes=("channel", "time"), rate=4, channels=("Cz", "Pz"), units="uV")
    >>> store = ArrayStore(np.zeros((3, 2, 4), np.float32), form)
    >>> store.read(np.array([2, 0])).shape
    (2, 2, 4)
    """

    def __init__(self, values: np.ndarray, description: Description, whole: ArrayStore | None = None) -> None:
        if values.ndim != len(description.axes) + 1:
            raise DataError(f"rows have {values.ndim - 1} axes, the description names {len(description.axes)}")
        if description.channels and values.shape[1 + description.axes.index("channel")] != len(description.channels):
            raise DataError(f"{len(description.channels)} channel names do not fit the shape {values.shape}")
        if (description.kind == "text") != (values.dtype.kind == "U"):
            what = f"an array of {values.dtype} is no {description.kind}"
            raise DataError(what, do="give text as np.array(texts, str), of the kind text")
        self.values = values
        self.description = description
        self.whole = whole

    def __len__(self) -> int:
        return len(self.values)

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Return a copy of the rows asked for, shape (n, ...)."""
        return np.asarray(self.values[np.asarray(rows)])

    @cached_property
    def _fingerprint(self) -> str:
        return digest([self.description.digest(), digest_array(self.values)])

    def fingerprint(self) -> str:
        """Return the sha256 of the values and their description."""
        return self._fingerprint

    def save(self, folder: Path) -> None:
        """Write `values.npy` and `store.yaml`."""
        with write_folder(folder) as temporary:
            np.save(temporary / "values.npy", self.values)
            _describe(temporary, "array", self.description)
            if self.whole is not None:
                self.whole.save(temporary / "whole")

    @classmethod
    def open(cls, folder: Path, description: Description) -> Self:
        """Open a saved store, memory-mapped."""
        whole = open_store(folder / "whole") if (folder / "whole").is_dir() else None
        assert whole is None or isinstance(whole, ArrayStore)
        return cls(np.load(folder / "values.npy", mmap_mode="r", allow_pickle=False), description, whole)


def new_store(folder: Path, shape: tuple[int, ...], dtype: np.dtype | type, description: Description) -> np.memmap:
    """Write a store of zeros and return its values, (rows, ...), memory-mapped: fill them in, then flush."""
    ArrayStore(np.empty((0, *shape[1:]), dtype), description).save(folder)
    return np.lib.format.open_memmap(folder / "values.npy", "w+", dtype, shape)


class RaggedStore:
    """Rows of different lengths over time, with a clock and a mask.

    Parameters
    ----------
    values : array, shape (total, ...)
        All rows one after the other, time first.
    offsets : int array, shape (rows + 1,)
        Row `i` is `values[offsets[i]:offsets[i + 1]]`.
    times : float array, shape (total,)
        Seconds on the clock of the recording; rates may vary and frames may be missing.
    mask : bool array, shape (total,)
        False where a value is absent (no face found, electrode off, annotator away).
    description : Description
        What it holds; the first axis is `time`.
    """

    def __init__(
        self, values: np.ndarray, offsets: np.ndarray, times: np.ndarray, mask: np.ndarray, description: Description
    ) -> None:
        if description.axes[0] != "time" or not len(values) == len(times) == len(mask) == offsets[-1]:
            raise DataError("values, times and mask differ in length, or time is not the first axis")
        self.values, self.offsets, self.times, self.mask = values, offsets, times, mask
        self.description = description

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def _slices(self, rows: np.ndarray) -> list[slice]:
        return [slice(int(self.offsets[row]), int(self.offsets[row + 1])) for row in rows]

    def read(self, rows: np.ndarray) -> list[np.ndarray]:
        """Return the values of each row, shape (length, ...)."""
        return [np.asarray(self.values[part]) for part in self._slices(rows)]

    def read_clock(self, rows: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return times (s) and mask of each row."""
        return [(np.asarray(self.times[part]), np.asarray(self.mask[part])) for part in self._slices(rows)]

    @cached_property
    def _fingerprint(self) -> str:
        parts = (self.values, self.offsets, self.times, self.mask)
        return digest([self.description.digest(), *(digest_array(part) for part in parts)])

    def fingerprint(self) -> str:
        """Return the sha256 of the content and its description."""
        return self._fingerprint

    def save(self, folder: Path) -> None:
        """Write the arrays and `store.yaml`."""
        with write_folder(folder) as temporary:
            for name in ("values", "offsets", "times", "mask"):
                np.save(temporary / f"{name}.npy", getattr(self, name))
            _describe(temporary, "ragged", self.description)

    @classmethod
    def open(cls, folder: Path, description: Description) -> Self:
        """Open a saved store, memory-mapped."""
        names = ("values", "offsets", "times", "mask")
        values, offsets, times, mask = (
            np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in names
        )
        return cls(values, offsets, times, mask, description)


def _describe(folder: Path, layout: str, description: Description) -> None:
    values = {"layout": layout, **description.model_dump(mode="json")}
    (folder / "store.yaml").write_text(yaml.safe_dump(values, sort_keys=False))


def open_store(folder: Path) -> ArrayStore | RaggedStore:
    """Open a saved store, memory-mapped; nothing is read until rows are asked for."""
    if not (folder / "store.yaml").exists():
        raise DataError("no store here", where=folder, do="give a folder that Store.save wrote")
    values = yaml.safe_load((folder / "store.yaml").read_text())
    layout = values.pop("layout", None)
    description = Description.parse(values, where=str(folder / "store.yaml"))
    return RaggedStore.open(folder, description) if layout == "ragged" else ArrayStore.open(folder, description)


def same_form(stores: Sequence[Store]) -> bool:
    """Say whether stores hold rows that can be stacked: same kind, axes, rate, channels and units."""
    return len({store.description for store in stores}) <= 1
