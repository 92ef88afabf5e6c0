"""Bad EEG is refused in one line that names the place and the remedy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from insula.eeg.checks import check_events, check_rate, check_signal
from insula.errors import DataError

RATE = 250
CHANNELS = ["Fz", "Cz", "Pz"]


@pytest.fixture
def signal() -> np.ndarray:
    """Ten seconds of live EEG in microvolts, drifting on a large offset as a DC amplifier's would."""
    noise = np.random.default_rng(0).normal(0, 10, (3, 10 * RATE))
    drift = np.linspace(0, 300, 10 * RATE) + np.array([[4000], [-20000], [0]])
    return (noise + drift).astype(np.float32)


def test_live_eeg_passes_drift_and_artefacts_included(signal: np.ndarray) -> None:
    signal[0, 300:340] += 5000
    check_signal(signal, CHANNELS, RATE, "uV", where="s01")


@pytest.mark.parametrize(
    ("scale", "message"),
    [
        (1e-6, r"looks like volts, not microvolts \(s01\): multiply by 1e6"),
        (1e-3, r"looks like millivolts, not microvolts \(s01\): multiply by 1e3"),
        (1e3, "looks like nanovolts or raw counts"),
    ],
)
def test_other_units_are_recognised(signal: np.ndarray, scale: float, message: str) -> None:
    with pytest.raises(DataError, match=message):
        check_signal(signal * scale, CHANNELS, RATE, where="s01")


def test_declared_units_must_be_microvolts(signal: np.ndarray) -> None:
    with pytest.raises(DataError, match="'V', not in microvolts"):
        check_signal(signal, CHANNELS, RATE, "V", where="s01")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers_are_placed(signal: np.ndarray, value: float) -> None:
    signal[1, [500, 700]] = value
    with pytest.raises(DataError, match=r"channel 'Cz' has 2 NaN or infinite values, the first at 2.000 s \(s01\)"):
        check_signal(signal, CHANNELS, RATE, where="s01")


def test_flat_unknown_duplicate_and_miscounted_channels_are_named(signal: np.ndarray) -> None:
    with pytest.raises(DataError, match="unknown channel 'Xz'"):
        check_signal(signal, ["Fz", "Xz", "Pz"], RATE, where="s01")
    with pytest.raises(DataError, match="duplicate channel"):
        check_signal(signal, ["Fz", "FZ", "Pz"], RATE, where="s01")
    with pytest.raises(DataError, match="2 channel names for a signal of shape"):
        check_signal(signal, ["Fz", "Cz"], RATE, where="s01")
    signal[2] = 7.0
    with pytest.raises(DataError, match="channel 'Pz' is flat"):
        check_signal(signal, CHANNELS, RATE, where="s01")


def test_a_signal_shorter_than_a_window_is_refused(signal: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"200 samples at 250 Hz are shorter than a window of 1 s"):
        check_signal(signal[:, :200], CHANNELS, RATE, where="s01")
    check_signal(signal[:, :200], CHANNELS, RATE, where="s01", window=0.5)


def test_events_must_lie_within_the_recording() -> None:
    events = pd.DataFrame({"onset": [0.0, 9.5], "duration": [0.5, 0.5]}, index=["first", "last"])
    check_events(events, 10 * RATE, RATE, where="s01")
    for column, value in [("onset", 9.6), ("onset", -0.1), ("onset", np.nan), ("duration", 0.6), ("duration", -1.0)]:
        wrong = events.copy()
        wrong.loc["last", column] = value
        with pytest.raises(DataError, match=r"event last \(.*lies outside the 10 s recorded \(s01\)"):
            check_events(wrong, 10 * RATE, RATE, where="s01")
    with pytest.raises(DataError, match="lack the column 'duration'"):
        check_events(events[["onset"]], 10 * RATE, RATE, where="s01")


def test_a_wrong_sampling_rate_is_refused() -> None:
    check_rate(500, 499.907, where="s01")
    with pytest.raises(DataError, match=r"declared as 250 Hz, the header says 128 Hz \(s01\)"):
        check_rate(250, 128, where="s01")
    for header in (0.0, float("nan")):
        with pytest.raises(DataError, match="mend the file's header"):
            check_rate(250, header, where="s01")
