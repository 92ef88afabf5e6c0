"""What can be wrong with a folder of SEED or SEED-IV: each function breaks one thing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.io import loadmat, savemat

_SEED = "seed/Preprocessed_EEG/2_20131027.mat"
_SEED_IV = "seed-iv/eeg_raw_data/1/1_20131027.mat"


def _remove(path: Path, named: str) -> str:
    path.unlink()
    return named


def _one_row_too_few(path: Path) -> str:
    arrays = _arrays(path)
    name = list(arrays)[3]
    savemat(path, arrays | {name: arrays[name][:-1]})
    return path.name


def _cut(path: Path) -> str:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path.name


def _unknown_code(root: Path) -> str:
    savemat(root / "seed" / "Preprocessed_EEG" / "label.mat", {"label": np.full((1, 15), 5, np.int16)})
    return "label.mat"


def _trial_without_label(root: Path) -> str:  # the labels of SEED-IV are no file: they go by the trial's number
    path = root / _SEED_IV
    savemat(path, {name.replace("_eeg24", "_eeg25"): array for name, array in _arrays(path).items()})
    return path.name


def _arrays(path: Path) -> dict[str, np.ndarray]:
    return {name: array for name, array in loadmat(path).items() if not name.startswith("__")}


DAMAGE: dict[str, dict[str, Callable[[Path], str]]] = {
    "seed": {
        "missing": lambda root: _remove(root / _SEED, "2_DATE.mat"),
        "channel": lambda root: _one_row_too_few(root / _SEED),
        "truncated": lambda root: _cut(root / _SEED),
        "label": _unknown_code,
    },
    "seed-iv": {
        "missing": lambda root: _remove(root / _SEED_IV, "eeg_raw_data/1"),
        "channel": lambda root: _one_row_too_few(root / _SEED_IV),
        "truncated": lambda root: _cut(root / _SEED_IV),
        "label": _trial_without_label,
    },
}
