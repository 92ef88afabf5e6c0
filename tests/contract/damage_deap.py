"""How a folder of DEAP may be damaged; each function returns what the message must then contain."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

from insula.corpora.fake_deap import python2_pickle


def missing(root: Path) -> str:
    _file(root).unlink()
    return "s01"


def channel(root: Path) -> str:
    """Leave out a row: they have no names."""
    arrays = pickle.loads(_file(root).read_bytes(), encoding="latin1")
    _file(root).write_bytes(python2_pickle(arrays | {"data": arrays["data"][:, 1:]}))
    return "s01.dat"


def truncated(root: Path) -> str:
    content = _file(root).read_bytes()
    _file(root).write_bytes(content[: len(content) // 2])
    return "s01.dat"


def label(root: Path) -> str:
    arrays = pickle.loads(_file(root).read_bytes(), encoding="latin1")
    arrays["labels"][7, 0] = 11
    _file(root).write_bytes(python2_pickle(arrays))
    return "valence of video 8 is 11"


def _file(root: Path) -> Path:
    return root / "deap" / "data_preprocessed_python" / "s01.dat"


DAMAGE: dict[str, dict[str, Callable[[Path], str]]] = {
    "deap": {"missing": missing, "channel": channel, "truncated": truncated, "label": label}
}
