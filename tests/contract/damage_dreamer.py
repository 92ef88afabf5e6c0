"""What can be wrong with DREAMER's one file: each function breaks one thing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from scipy.io import loadmat, savemat

_FILE = "dreamer/DREAMER.mat"


def change(root: Path, edit: Callable[[dict[str, Any]], None]) -> str:
    """Read the struct, change it, and write it again."""
    content = loadmat(root / _FILE, simplify_cells=True)["DREAMER"]
    edit(content)
    savemat(root / _FILE, {"DREAMER": content})
    return "DREAMER.mat"


def _missing(root: Path) -> str:
    (root / _FILE).unlink()
    return "DREAMER.mat"


def _renamed(root: Path) -> str:
    def edit(content: dict[str, Any]) -> None:
        content["EEG_Electrodes"][2] = "F33"

    change(root, edit)
    return "F33"


def _cut(root: Path) -> str:
    path = root / _FILE
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path.name


def _off_the_scale(root: Path) -> str:
    def edit(content: dict[str, Any]) -> None:
        content["Data"][1]["ScoreArousal"][4] = 6

    change(root, edit)
    return "person 2: arousal of film 5 is 6"


DAMAGE: dict[str, dict[str, Callable[[Path], str]]] = {
    "dreamer": {"missing": _missing, "channel": _renamed, "truncated": _cut, "label": _off_the_scale},
}
