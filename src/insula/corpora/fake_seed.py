"""Tiny copies of SEED and SEED-IV in the true format: noise in MATLAB files of version 5."""

from __future__ import annotations

from pathlib import Path

import numpy as np

_CHANNELS, _RATE = 62, 200
_DATES = ("20131027", "20131030", "20131107")
_LABELS = (1, 0, -1, -1, 0, 1, -1, 0, 1, 1, 0, -1, 0, 1, -1)


def fake_seed(root: Path, subjects: int = 2) -> None:
    """Write `seed/Preprocessed_EEG/`: SUBJECT_DATE.mat of fifteen trials of noise, and `label.mat`."""
    from scipy.io import savemat

    folder = root / "seed" / "Preprocessed_EEG"
    folder.mkdir(parents=True, exist_ok=True)
    savemat(folder / "label.mat", {"label": np.array([_LABELS], np.int16)}, do_compression=True)
    for number in range(1, subjects + 1):
        for date in _DATES:
            _write_noise(folder / f"{number}_{date}.mat", f"s{number}", len(_LABELS), seed=number * int(date))


def fake_seed_iv(root: Path, subjects: int = 2) -> None:
    """Write `seed-iv/eeg_raw_data/SESSION/SUBJECT_DATE.mat`: twenty-four trials of noise each."""
    for session, date in enumerate(_DATES, start=1):
        folder = root / "seed-iv" / "eeg_raw_data" / str(session)
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(1, subjects + 1):
            _write_noise(folder / f"{number}_{date}.mat", f"s{number}", 24, seed=number * int(date))


def _write_noise(path: Path, prefix: str, trials: int, seed: int) -> None:
    """Write trials of 3.5 to 4 s; the noise repeats each quarter of a second, so that it compresses."""
    from scipy.io import savemat

    quarter = 12 * np.random.default_rng(seed).standard_normal((_CHANNELS, _RATE // 4))
    arrays = {
        f"{prefix}_eeg{trial}": np.tile(np.roll(quarter, trial, axis=1), 16)[:, : 4 * _RATE - trial % 3 * 50]
        for trial in range(1, trials + 1)
    }
    savemat(path, arrays, do_compression=True)
