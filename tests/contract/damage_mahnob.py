"""What can be wrong with a folder of MAHNOB-HCI, and of its features: each function breaks one thing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.io import loadmat, savemat

_BDF = "mahnob-hci/Sessions/4/Part_1_S_Trial2_emotion.bdf"
_FEATURES = "mahnob-features/P1-features-resamp4hz-trial-4.mat"


def _replace(path: Path, old: bytes, new: bytes) -> str:
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))
    return path.name


def _cut(path: Path) -> str:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path.name


def _no_session(root: Path) -> str:
    (root / "mahnob-hci" / "Sessions" / "4" / "session.xml").unlink()
    return "Sessions/4/session.xml"


def _renamed(root: Path) -> str:
    return _replace(root / _BDF, b"FC5 ", b"FCX ")


def _no_rating(root: Path) -> str:
    _replace(root / "mahnob-hci" / "Sessions" / "4" / "session.xml", b'feltVlnc="2"', b'feltVlnc="12"')
    return "feltVlnc is 12"


def _no_features(root: Path) -> str:
    _change(root, "eeg_band_feats_full", None)
    return "eeg_band_feats_full"


def _one_row_too_few(root: Path) -> str:
    _change(root, "eeg_band_feats_full", np.zeros((20, 127)))
    return Path(_FEATURES).name


def _target_off_scale(root: Path) -> str:
    _change(root, "target", np.full((1, 20), 5.0))
    return "target"


def _change(root: Path, name: str, values: np.ndarray | None) -> None:
    path = root / _FEATURES
    arrays = {key: value for key, value in loadmat(path).items() if not key.startswith("__")} | {name: values}
    savemat(path, {key: value for key, value in arrays.items() if value is not None})


DAMAGE: dict[str, dict[str, Callable[[Path], str]]] = {
    "mahnob-hci": {
        "missing": _no_session,
        "channel": _renamed,
        "truncated": lambda root: _cut(root / _BDF),
        "label": _no_rating,
    },
    "mahnob-features": {
        "missing": _no_features,  # which trials there are only the file of labels says: tests/corpora
        "channel": _one_row_too_few,
        "truncated": lambda root: _cut(root / _FEATURES),
        "label": _target_off_scale,
    },
}
