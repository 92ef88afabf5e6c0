"""What can be wrong with a BIDS set of emotion: each function breaks one thing."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

_FILES = {
    "bids-emotion": "sub-02/eeg/sub-02_task-emotion_eeg.edf",
    "dens": "sub-mit004/eeg/sub-mit004_task-emotion_eeg.set",
    "emoeeg-mc": "sub-02/eeg/sub-02_task-emotion_run-02_eeg.edf",
    "music-emotion": "sub-02/eeg/sub-02_task-run2_eeg.edf",
}
_LABELS = {
    "bids-emotion": ("sub-01/eeg/sub-01_task-emotion_events.tsv", "\t2.5\t", "\t25\t", "valence is 25"),
    "dens": ("sub-mit003/beh/sub-mit003_task-Emotion_beh.tsv", "\t9.0\t", "\t19.0\t", "is 19"),
    "emoeeg-mc": ("README.md", "joy5", "rage5", "rage5"),
    "music-emotion": ("sub-02/eeg/sub-02_task-run2_events.tsv", "\t909\n", "\t910\n", "answer code 910"),
}


def _missing(name: str, root: Path) -> str:
    (root / name / _FILES[name]).unlink()
    return "no video trial of sub-02" if name == "emoeeg-mc" else Path(_FILES[name]).name.rpartition("_")[0]


def _channel(name: str, root: Path) -> str:
    path = root / name / _FILES[name]
    old, new = (b"E22", b"X22") if name == "dens" else (b"Fp1 ", b"Fpx ")
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))
    return path.name


def _truncated(name: str, root: Path) -> str:
    path = (root / name / _FILES[name]).with_suffix(".fdt" if name == "dens" else ".edf")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path.stem


def _label(name: str, root: Path) -> str:
    file, old, new, said = _LABELS[name]
    path = root / name / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    return said


DAMAGE: dict[str, dict[str, Callable[[Path], str]]] = {
    name: {
        "missing": partial(_missing, name),
        "channel": partial(_channel, name),
        "truncated": partial(_truncated, name),
        "label": partial(_label, name),
    }
    for name in _FILES
}
