"""A tiny copy of DREAMER in the true format: noise in one MATLAB file of version 5."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

_ELECTRODES = ("AF3", "F7", "F3", "FC5", "T7", "P7", "O1", "O2", "P8", "T8", "FC6", "F4", "F8", "AF4")
_RATE, _ECG_RATE, _FILMS = 128, 256, 18
_STEP, _OFFSET = 20 / 39, 4200.0  # uV: what the headset counts in, and where its zero lies
_BEFORE = 4  # seconds, 61 as published


def fake_dreamer(root: Path, subjects: int = 2) -> None:
    """Write `dreamer/DREAMER.mat`: people of random ratings who watched eighteen films of 4 to 6 s."""
    from scipy.io import savemat

    rng = np.random.default_rng(0)
    people = np.empty((1, subjects), object)
    for number in range(subjects):
        people[0, number] = _person(rng, number)
    content = {
        "Data": people,
        "EEG_SamplingRate": float(_RATE),
        "ECG_SamplingRate": float(_ECG_RATE),
        "EEG_Electrodes": np.array([_ELECTRODES], object),
        "noOfSubjects": float(subjects),
        "noOfVideoSequences": float(_FILMS),
        "Disclaimer": "noise, nobody's brain",
    }
    (root / "dreamer").mkdir(parents=True, exist_ok=True)
    savemat(root / "dreamer" / "DREAMER.mat", {"DREAMER": content}, do_compression=True)


def _person(rng: np.random.Generator, number: int) -> dict[str, Any]:
    seconds = 4 + np.arange(_FILMS) % 3

    def cells(channels: int, rate: int, lengths: np.ndarray) -> np.ndarray:
        signals = np.empty((_FILMS, 1), object)
        for film, length in enumerate(lengths):
            noise = 12 * rng.standard_normal((length * rate, channels))
            signals[film, 0] = _STEP * np.round((noise + _OFFSET) / _STEP)
        return signals

    before = np.full(_FILMS, _BEFORE)
    signals = {
        name: {"baseline": cells(channels, rate, before), "stimuli": cells(channels, rate, seconds)}
        for name, channels, rate in (("EEG", len(_ELECTRODES), _RATE), ("ECG", 2, _ECG_RATE))
    }
    scores = {
        f"Score{name}": rng.integers(1, 6, (_FILMS, 1)).astype(float) for name in ("Valence", "Arousal", "Dominance")
    }
    return {"Age": str(22 + number), "Gender": ("male", "female")[number % 2], **signals, **scores}
