"""How a folder of FACED may be damaged; each function returns what the message must then contain."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

from scipy.io import loadmat, savemat


def missing(root: Path) -> str:
    _file(root).unlink()
    return "sub000"


def channel(root: Path) -> str:
    """Leave out a row: they have no names."""
    _file(root).write_bytes(pickle.dumps(pickle.loads(_file(root).read_bytes())[:, 1:]))
    return "sub000.pkl"


def truncated(root: Path) -> str:
    content = _file(root).read_bytes()
    _file(root).write_bytes(content[: len(content) // 2])
    return "sub000.pkl"


def label(root: Path) -> str:
    path = root / "faced" / "After_remarks" / "sub000" / "After_remarks.mat"
    remarks = loadmat(path)["After_remark"]
    remarks[3, 0]["vid"] = 29.0
    savemat(path, {"After_remark": remarks})
    return "clip 29"


def _file(root: Path) -> Path:
    return root / "faced" / "Processed_data" / "sub000.pkl"


DAMAGE: dict[str, dict[str, Callable[[Path], str]]] = {
    "faced": {"missing": missing, "channel": channel, "truncated": truncated, "label": label}
}
