"""Loud channels and their repair."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from insula.eeg.bad_channels import (
    BLINK_ELECTRODES,
    loud_channels,
    loud_channels_of_parts,
    repair,
)
from insula.eeg.montage import positions
from insula.errors import DataError

CHANNELS = ["FP1", "FP2", "F7", "F3", "Fz", "F4", "F8", "C3", "Cz", "C4", "P3", "Pz", "P4"]


@pytest.fixture
def trial() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 10, size=(13, 1000)).astype(np.float32)


def test_loud_in_much_of_the_trial_or_very_loud_in_some(trial: np.ndarray) -> None:
    assert not loud_channels(trial).any()
    trial[8] *= 12  # beyond 3 medians most of the time
    trial[4, :15] = 1000  # an electrode pop of 1.5 %
    trial[5, :5] = 1000  # one of 0.5 % is not enough
    assert np.flatnonzero(loud_channels(trial)).tolist() == [4, 8]
    assert np.flatnonzero(loud_channels(trial * 1e-6)).tolist() == [4, 8]  # in volts
    parts = [trial[:, :100], trial[:, 100:101], trial[:, 101:]]
    assert np.flatnonzero(loud_channels_of_parts(parts)).tolist() == [4, 8]
    both = loud_channels(np.stack([trial, trial[::-1]]))
    assert_array_equal(both, [loud_channels(trial), loud_channels(trial)[::-1]])


def test_repair_is_the_weighted_mean_of_three_good_neighbours(trial: np.ndarray) -> None:
    bad = np.isin(CHANNELS, ["FP1", "F3", "Fz"])
    mended = repair(trial, CHANNELS, bad, BLINK_ELECTRODES)
    assert_array_equal(mended[~bad], trial[~bad])
    assert_array_equal(mended[0], trial[0])  # bad, and not to be touched
    for row in (3, 4):
        distance = np.linalg.norm(positions(CHANNELS) - positions([CHANNELS[row]]), axis=1)
        nearest = [other for other in np.argsort(distance) if not bad[other]][:3]
        assert_allclose(mended[row], np.average(trial[nearest], axis=0, weights=1 / distance[nearest]), rtol=1e-4)
    assert np.abs(repair(trial, CHANNELS, bad)[0] - trial[0]).max() > 1
    assert_array_equal(repair(trial, CHANNELS, np.zeros(13, bool)), trial)


def test_repair_mends_what_is_not_finite(trial: np.ndarray) -> None:
    trial[8] = np.nan
    assert np.isfinite(repair(trial, CHANNELS, np.isin(CHANNELS, "Cz"))).all()


def test_bad_input_is_one_line(trial: np.ndarray) -> None:
    none = np.zeros(13, bool)
    with pytest.raises(DataError, match=r"a trial of shape \(13, 0\)"):
        loud_channels(trial[:, :0])
    with pytest.raises(DataError, match="unknown channel 'VEO'"):
        repair(trial, ["VEO", *CHANNELS[1:]], none)
    with pytest.raises(DataError, match="12 channel names and 13 marks for a signal of shape"):
        repair(trial, CHANNELS[1:], none)
    with pytest.raises(DataError, match="no good channel to repair from: drop the trial"):
        repair(trial, CHANNELS, ~none)
    with pytest.raises(DataError, match="zero for the most part"):
        loud_channels(np.pad(trial, ((0, 14), (0, 0))))
    trial[3, 5] = np.nan
    with pytest.raises(DataError, match="signals with NaN or infinite values: repair or drop them first"):
        loud_channels(trial)
    with pytest.raises(DataError, match="good channels with NaN"):
        repair(trial, CHANNELS, none)


def test_memory_is_that_of_one_signal(tmp_path: object) -> None:
    from pathlib import Path

    path = Path(str(tmp_path)) / "values.npy"
    values = np.lib.format.open_memmap(path, "w+", np.float32, (30, 20, 10000))  # 24 MB
    values[:] = np.random.default_rng(0).normal(size=(20, 10000))
    values.flush()
    signals = list(np.load(path, mmap_mode="r"))
    tracemalloc.start()
    loud_channels_of_parts(signals)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8e6  # ten times one signal
