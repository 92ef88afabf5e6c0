"""Filters against MNE's own functions."""

from __future__ import annotations

import mne
import numpy as np
import pytest
from numpy.testing import assert_allclose

from insula.eeg.filters import band_passed, low_edge_seconds
from insula.errors import DataError


@pytest.mark.parametrize(
    ("seconds", "rate", "band", "notch"),
    [
        (20.0, 250, (1.0, 75.0), 50.0),
        (5.0, 250, (1.0, 75.0), 50.0),  # hardly longer than both filters reach
        (4.9, 250, (1.0, 75.0), 50.0),  # a little less: one after the other
        (3.35, 250, (1.0, 75.0), 60.0),  # half as long as the notch: what is beyond the reflection is zero
        (3.0, 128, (4.0, 45.0), None),
        (9.0, 1000, (0.5, 40.0), 50.0),
    ],
)
def test_the_filters_are_mnes_up_to_the_ends_of_the_signal(
    seconds: float, rate: float, band: tuple[float, float], notch: float | None
) -> None:
    from mne.filter import filter_data, notch_filter

    raw = np.random.default_rng(0).normal(3000, 10, (5, round(seconds * rate))).astype(np.float32)
    expected = filter_data(raw.astype(float), rate, *band, verbose="error")
    if notch:
        expected = notch_filter(expected, rate, notch, verbose="error")
    filtered = band_passed(raw, rate, rate, band, notch, "here")
    assert filtered.dtype == np.float32
    assert_allclose(filtered, expected, rtol=1e-6, atol=1e-6)


def test_a_notch_that_the_signal_does_not_reach_is_left_out() -> None:
    raw = np.random.default_rng(0).normal(0, 10, (2, 2000)).astype(np.float32)
    assert np.array_equal(band_passed(raw, 100, 100, (1, 40), 50.0, ""), band_passed(raw, 100, 100, (1, 40), None, ""))


def test_channels_do_not_depend_on_how_many_are_filtered_together() -> None:
    raw = np.random.default_rng(0).normal(0, 10, (30, 12000)).astype(np.float32)
    together = band_passed(raw, 500, 250, (1, 40), 50.0, "")
    assert together.shape == (30, 6000)
    assert_allclose(together[17:18], band_passed(raw[17:18], 500, 250, (1, 40), 50.0, ""), rtol=1e-5, atol=1e-5)


def test_a_signal_shorter_than_the_filter_is_refused() -> None:
    with pytest.raises(DataError, match=r"2.0 s are shorter than the 3.3 s of a filter from 1 Hz \(here\)"):
        band_passed(np.ones((1, 500), np.float32), 250, 250, (1, 40), None, "here")


@pytest.mark.parametrize("low", [0.5, 2.0, 4.0, 10.0, 16.0])
def test_a_filters_length_is_that_of_mne(low: float) -> None:
    taps = mne.filter.create_filter(None, 1000.0, low, None, verbose="error")
    assert len(taps) / 1000 == pytest.approx(low_edge_seconds(low), abs=0.003)
