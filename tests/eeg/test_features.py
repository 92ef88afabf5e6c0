"""Band power and differential entropy against theory, scipy and themselves."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import signal as scipy_signal

from insula.eeg import features
from insula.eeg.features import BANDS, band_power, differential_entropy
from insula.errors import DataError

RATE = 200


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    """Pink-ish noise in microvolts on a large electrode offset, float32 (3, 60 s)."""
    white = np.random.default_rng(0).standard_normal((3, 60 * RATE))
    slow = scipy_signal.lfilter([1], [1, -0.95], white, axis=-1)
    return (10 * slow + 500).astype(np.float32)


def entropy_of(variance: np.ndarray) -> np.ndarray:
    return 0.5 * np.log(2 * np.pi * np.e * variance)


def periodogram_power(signal: np.ndarray, rate: float, length: int, step: int) -> np.ndarray:
    """Return (windows, channels, bands) from scipy's periodogram, window by window, in float64."""
    starts = range(0, signal.shape[-1] - length + 1, step)
    pieces = np.stack([signal[:, start : start + length] for start in starts]).astype(float)
    frequency, density = scipy_signal.periodogram(pieces, rate, window="hann", detrend="constant")
    sums = [density[..., (frequency >= low) & (frequency < high)].sum(-1) for low, high in BANDS.values()]
    return np.stack(sums, -1) * rate / length


def passed(sections: np.ndarray) -> float:
    """Return the share of white noise that a filter run forwards and backwards lets through, from its response."""
    _, response = scipy_signal.freqz_sos(sections, 2**16)
    return float(np.mean(np.abs(response) ** 4))


@pytest.mark.parametrize("estimator", ["spectral", "filtered"])
def test_white_noise_has_the_entropy_of_its_band_variance(estimator: features.Estimator) -> None:
    deviation = 7.0
    white = deviation * np.random.default_rng(1).standard_normal((4, 1200 * RATE), dtype=np.float32)
    shares = [(high - low) / (RATE / 2) for low, high in BANDS.values()]
    if estimator == "filtered":
        filters = [scipy_signal.butter(4, band, "bandpass", fs=RATE, output="sos") for band in BANDS.values()]
        shares = [passed(sections) for sections in filters]
    expected = deviation**2 * np.array(shares)
    power = band_power(white, RATE, estimator=estimator, window=4.0).mean(axis=(0, 1))
    assert_allclose(power, expected, rtol=0.02)
    wide = differential_entropy(white, RATE, window=60.0, estimator=estimator).mean(axis=(0, 1))
    assert_allclose(wide, entropy_of(expected), atol=0.05)


@pytest.mark.parametrize(("window", "hop"), [(1.0, None), (1.0, 0.25), (2.0, 0.5), (0.505, None)])
def test_spectral_is_scipys_periodogram(noise: np.ndarray, window: float, hop: float | None) -> None:
    length = round(window * RATE)
    step = length if hop is None else round(hop * RATE)
    expected = periodogram_power(noise, RATE, length, step)
    power = band_power(noise, RATE, window=window, hop=hop)
    assert power.dtype == np.float32
    assert_allclose(power, expected, rtol=1e-3)
    assert_allclose(differential_entropy(noise, RATE, window=window, hop=hop), entropy_of(expected), atol=1e-3)


@pytest.mark.parametrize("window", [0.5, 1.0, 4.0])
def test_an_electrodes_offset_changes_no_entropy(window: float) -> None:
    white = 3 * np.random.default_rng(3).standard_normal((2, 100 * RATE)) + [[4000.0], [-4000.0]]
    length = round(window * RATE)
    expected = entropy_of(periodogram_power(white.astype(np.float32), RATE, length, length))
    assert_allclose(differential_entropy(white, RATE, window=window), expected, atol=1e-4)


def test_filtered_is_scipys_zero_phase_butterworth(noise: np.ndarray) -> None:
    filtered = [
        scipy_signal.sosfiltfilt(scipy_signal.butter(4, band, "bandpass", fs=RATE, output="sos"), noise)
        for band in BANDS.values()
    ]
    expected = np.stack([band.reshape(3, 60, RATE).var(axis=-1).T for band in filtered], -1)
    assert_allclose(band_power(noise, RATE, estimator="filtered"), expected, rtol=1e-5)
    assert_allclose(differential_entropy(noise, RATE, estimator="filtered"), entropy_of(expected), atol=1e-5)


def test_the_two_estimators_are_kin_but_not_one(noise: np.ndarray) -> None:
    spectral, filtered = (differential_entropy(noise, RATE, estimator=name) for name in ("spectral", "filtered"))
    for band in range(len(BANDS)):
        assert 0.5 < np.corrcoef(spectral[..., band].ravel(), filtered[..., band].ravel())[0, 1] < 0.9999


def test_a_sine_keeps_its_variance_in_its_band_at_any_window() -> None:
    seconds = np.arange(0, 8, 1 / RATE)
    sine = 3 * np.sin(2 * np.pi * 20 * seconds)[None]
    for window in (1.0, 2.0, 4.0):
        power = band_power(sine, RATE, window=window)
        assert_allclose(power[..., 3], 4.5, rtol=1e-4)
        assert power[..., [0, 1, 2, 4]].max() < 1e-5


def test_a_bin_on_an_edge_belongs_to_the_upper_band_only() -> None:
    seconds = np.arange(0, 40, 1 / 250)
    edge = np.sin(2 * np.pi * 8 * seconds)[None]
    power = band_power(edge, 250, {"below": (7.0, 8.0), "above": (8.0, 9.0)}, window=20.0)
    assert power[..., 0].max() < 0.2 < 0.3 < power[..., 1].min()


def test_rounding_moves_no_edge_by_a_bin() -> None:
    seconds = np.arange(0, 40, 1 / 100)
    edge = np.sin(2 * np.pi * 16.1 * seconds)[None]  # 16.1 * 1000 / 100 is a little above 161
    power = band_power(edge, 100, {"below": (14.0, 16.1), "above": (16.1, 20.0)}, window=10.0)
    assert power[..., 0].max() < 0.2 < 0.3 < power[..., 1].min()


def test_leading_axes_blocks_and_memory_maps_change_nothing(
    noise: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = band_power(noise, RATE, hop=0.5)
    epochs = noise.reshape(3, 12, 5 * RATE).swapaxes(0, 1)
    by_epoch = band_power(epochs, RATE, hop=0.5)
    assert by_epoch.shape == (12, 9, 3, 5)
    assert_allclose(by_epoch[0], expected[:9], rtol=1e-6)
    np.save(tmp_path / "noise.npy", noise)
    assert_array_equal(band_power(np.load(tmp_path / "noise.npy", mmap_mode="r"), RATE, hop=0.5), expected)
    for block in (1, 7 * RATE, 10**9):
        monkeypatch.setattr(features, "_BLOCK", block)
        assert_allclose(band_power(noise, RATE, hop=0.5), expected, rtol=1e-5)


def test_a_rest_shorter_than_a_window_is_left_out(noise: np.ndarray) -> None:
    assert_array_equal(band_power(noise[:, : 3 * RATE + 199], RATE), band_power(noise[:, : 3 * RATE], RATE))


def test_a_dead_channel_stays_finite_and_nan_stays_where_it_is(noise: np.ndarray) -> None:
    signal = noise.copy()
    signal[0] = 12.5
    signal[1, 250] = np.nan
    entropy = differential_entropy(signal, RATE)
    assert np.isfinite(entropy[:, [0, 2]]).all()
    assert entropy[:, 0].max() < -12
    assert_array_equal(np.isnan(entropy[:, 1]).any(axis=-1).nonzero()[0], [1])


def test_filtered_stops_where_its_band_does_and_pads_a_short_signal() -> None:
    """A band that ends below half the rate has an upper flank; a signal of a few samples is padded by what it has."""
    short = np.random.default_rng(8).standard_normal((2, 20))
    power = band_power(short, 100, {"gamma": (31.0, 45.0)}, window=0.2, estimator="filtered")
    sections = scipy_signal.butter(features.FILTER_ORDER, (31.0, 45.0), "bandpass", fs=100, output="sos")
    expected = scipy_signal.sosfiltfilt(sections, short, padlen=19).var(axis=-1)
    assert_allclose(power.ravel(), expected, rtol=1e-5)


def test_filtered_reaches_half_the_rate() -> None:
    white = np.random.default_rng(2).standard_normal((1, 100 * 100), dtype=np.float32)
    power = band_power(white, 100, {"gamma": (31.0, 50.0)}, estimator="filtered")
    assert_allclose(power.mean(), passed(scipy_signal.butter(4, 31, "highpass", fs=100, output="sos")), rtol=0.05)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"bands": {"gamma": (31.0, 120.0)}}, r"31-120 Hz is impossible \(gamma\)"),
        ({"bands": {"delta": (0.0, 4.0)}}, r"0-4 Hz is impossible \(delta\)"),
        ({"window": 0.25, "bands": {"delta": (1.0, 4.0)}}, r"no frequency within 1-4 Hz \(delta\)"),
        ({"window": 61.0}, "shorter than a window of 61 s"),
        ({"hop": 0.0}, "less than a sample"),
        ({"estimator": "welch"}, "no estimator 'welch'"),
    ],
)
def test_impossible_requests_are_one_clear_line(noise: np.ndarray, arguments: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        differential_entropy(noise, RATE, **arguments)
    with pytest.raises(DataError, match=r"give \(\.\.\., channels, times\)"):
        differential_entropy(noise[0], RATE)


def test_the_benchmark_reports_both_ratios(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[2])
    benchmark = importlib.import_module("benchmarks.differential_entropy")
    figures = benchmark.main(channels=2, seconds=20, repeats=1)
    assert figures["entropy_over_rfft"] == figures["entropy_seconds"] / figures["rfft_seconds"]
    assert "budget 1.3x" in capsys.readouterr().out
