"""Splits: who is learnt from, chosen on and tested, and their manifest on disk."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from insula.errors import DataError
from insula.storage.atomic import write_file
from insula.storage.hashing import digest

PARTS = ("train", "validation", "test")
"""The parts of a split."""

PART_NAMES = {
    "train": "train", "training": "train", "val": "validation", "valid": "validation", "validation": "validation",
    "dev": "validation", "development": "validation", "publictest": "validation", "test": "test", "testing": "test",
    "privatetest": "test",
}  # fmt: skip
"""Names in use for the parts of a split, in lower case."""

_FORMAT = "insula splits 1"


def _nobody() -> np.ndarray:
    return np.empty(0, np.int64)


@dataclass(frozen=True, eq=False)
class Split:
    """One assignment of sample ids to parts; ids in no part are left out.

    Parameters
    ----------
    train, validation, test : array of sample ids
        The parts.
    target : array of sample ids
        Labelled samples of the test side that access to the target moved into `train`.
    fold : int
        Place in the protocol's list.
    protocol : str
        Digest of the protocol that made it, empty where another made it.

    Examples
    --------
    >>> split = Split(train=np.array([0, 1]), validation=np.array([2]), test=np.array([3]))
    >>> split
    Split(fold 0: train 2, validation 1, test 1)
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    target: np.ndarray = field(default_factory=_nobody)
    fold: int = 0
    protocol: str = ""

    @classmethod
    def made_when_asked(
        cls, test: np.ndarray, fold: int, protocol: str, make: Callable[[], Mapping[str, np.ndarray]]
    ) -> Split:
        """Return a split of which all but the test part is made when it is asked for.

        Folds that leave one person out list everybody else each: together as many rows as people squared.
        """
        split = object.__new__(cls)
        vars(split).update(test=test, fold=fold, protocol=protocol, _make=make)
        return split

    def __getattr__(self, name: str) -> np.ndarray:
        if name in (*PARTS, "target") and "_make" in vars(self):
            part: np.ndarray = vars(self)["_make"]()[name]
            return part
        raise AttributeError(name)

    def __reduce__(self) -> tuple[type[Split], tuple[Any, ...]]:
        return Split, (self.train, self.validation, self.test, self.target, self.fold, self.protocol)

    def __repr__(self) -> str:
        return f"Split(fold {self.fold}: {', '.join(f'{name} {len(getattr(self, name))}' for name in PARTS)})"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, JSON-like."""
        parts = {name: getattr(self, name).tolist() for name in (*PARTS, "target")}
        return {"fold": self.fold, "protocol": self.protocol, **parts}

    def digest(self) -> str:
        """Return the sha256 of the assignment."""
        return digest(self.to_dict())


def save_splits(splits: Sequence[Split], path: Path) -> None:
    """Write a manifest, JSON: every fold's assignment and the sha256 of them all."""
    entries = [split.to_dict() for split in splits]
    with write_file(path) as temporary:
        temporary.write_text(json.dumps({"format": _FORMAT, "sha256": digest(entries), "splits": entries}) + "\n")


def open_splits(path: Path) -> list[Split]:
    """Read a manifest.

    Raises
    ------
    DataError
        Where the file is no manifest, or was altered since it was written.
    """
    if not path.is_file():
        raise DataError("no split manifest here", where=path, do="give a file that save_splits wrote")
    try:
        content = json.loads(path.read_text())
        version, entries, sha256 = content["format"], content["splits"], content["sha256"]
    except (ValueError, KeyError, TypeError):
        raise DataError("the split manifest cannot be read", where=path, do="write it again") from None
    if version != _FORMAT:
        raise DataError(f"unknown manifest {version!r}", where=path, do=f"this version reads {_FORMAT!r}")
    if digest(entries) != sha256:
        raise DataError("the split manifest was altered", where=path, do="write it again from the protocol")
    return [_from_dict(entry) for entry in entries]


def _from_dict(values: dict[str, Any]) -> Split:
    train, validation, test, target = (
        pd.Index(values[name]).to_numpy() if values[name] else _nobody() for name in (*PARTS, "target")
    )
    return Split(train, validation, test, target, values["fold"], values["protocol"])
