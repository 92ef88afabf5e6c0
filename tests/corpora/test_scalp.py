"""Simulated EEG looks like EEG, and carries what it is told to."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal as scipy_signal

from insula.corpora.scalp import COMPONENTS, MONTAGES, coloured_noise, imagine_brain, simulate_eeg
from insula.errors import DataError, SettingsError

CHANNELS, RATE = MONTAGES["biosemi32"], 250.0


def record(
    fidelity: float = 1.0, *, emotion: int = 0, intensity: float = 1.0, subject: int = 0, trials: int = 150
) -> tuple[np.ndarray, np.ndarray]:
    onsets = 1 + 1.1 * np.arange(trials)
    brain = imagine_brain(CHANNELS, 7, subject, fidelity=fidelity, seed=0)
    shown = np.full(trials, emotion), np.full(trials, intensity)
    return simulate_eeg(brain, onsets, *shown, onsets[-1] + 2, RATE, seed=(1, 2)), onsets


def average(recording: np.ndarray, onsets: np.ndarray) -> np.ndarray:
    first = np.ceil(onsets * RATE).astype(int)
    return np.median([recording[:, start : start + 150] for start in first], axis=0)


@pytest.fixture(scope="module")
def recording() -> np.ndarray:
    return record()[0]


def test_amplitudes_are_those_of_scalp_eeg(recording: np.ndarray) -> None:
    assert recording.dtype == np.float32 and np.isfinite(recording).all()
    spread = 1.4826 * np.median(np.abs(recording), axis=1)  # robust: blinks left aside
    assert (spread > 6).all() and (spread < 20).all()


def test_line_noise_stands_out_at_fifty_hertz_over_a_falling_spectrum(recording: np.ndarray) -> None:
    frequency, power = scipy_signal.welch(recording, RATE, nperseg=500)
    power = power.mean(0)
    at = {hertz: power[np.searchsorted(frequency, hertz)] for hertz in (3, 30, 45, 50)}
    assert at[3] > 5 * at[30] and at[50] > 20 * at[45]


def test_coloured_noise_falls_as_one_over_f() -> None:
    noise = coloured_noise(200_000, RATE, np.random.default_rng(0))
    frequency, power = scipy_signal.welch(noise, RATE, nperseg=1000)
    band = (frequency > 1) & (frequency < 100)
    slope = np.polyfit(np.log(frequency[band]), np.log(power[band]), 1)[0]
    assert slope == pytest.approx(-1, abs=0.05)


def test_blinks_are_frontal_and_large(recording: np.ndarray) -> None:
    peak = dict(zip(CHANNELS, np.quantile(recording, 0.998, axis=1), strict=True))
    assert 60 < peak["Fp1"] < 250 and peak["Fp1"] > 2 * peak["Pz"]


def test_neighbouring_electrodes_share_their_background(recording: np.ndarray) -> None:
    related = np.corrcoef(recording)
    place = CHANNELS.index
    assert related[place("P3"), place("PO3")] > 0.7 > related[place("P3"), place("F8")]


def test_the_common_response_has_the_components_of_the_literature() -> None:
    evoked = average(*record(0.0))
    evoked -= evoked.mean(0)
    times = np.arange(150) / RATE
    assert times[evoked[CHANNELS.index("P8")].argmin()] == pytest.approx(0.17, abs=0.03)
    late = np.abs(times - 0.42) < 0.05
    assert evoked[CHANNELS.index("Pz"), late].mean() > 1


def test_fidelity_zero_carries_nothing_of_the_class() -> None:
    np.testing.assert_array_equal(record(0.0, emotion=0)[0], record(0.0, emotion=3)[0])
    assert np.abs(record(1.0, emotion=0)[0] - record(1.0, emotion=3)[0]).max() > 3


def test_the_response_follows_intensity_and_neutral_adds_nothing() -> None:
    silent = record(emotion=6)[0]
    np.testing.assert_array_equal(silent, record(0.0, emotion=2)[0])
    half, whole = (record(emotion=2, intensity=one)[0] - silent for one in (0.5, 1.0))
    np.testing.assert_allclose(2 * half, whole, atol=1e-3)


def test_subjects_share_the_core_of_their_patterns_and_no_more() -> None:
    first, second = (imagine_brain(CHANNELS, 7, subject, fidelity=1.0, seed=0).specific.ravel() for subject in (0, 1))
    other = imagine_brain(CHANNELS, 7, 0, fidelity=1.0, seed=1).specific.ravel()
    assert 0.4 < np.corrcoef(first, second)[0, 1] < 0.95
    assert abs(np.corrcoef(first, other)[0, 1]) < 0.3


def test_specific_patterns_stay_within_their_components_size() -> None:
    specific = imagine_brain(MONTAGES["ten_ten62"], 7, 0, fidelity=1.0, seed=0).specific
    for number, component in enumerate(COMPONENTS):
        assert 0 < np.abs(specific[:, number]).max() < 1.5 * component.specific


def test_montages_have_the_electrodes_they_promise() -> None:
    assert [len(set(MONTAGES[name])) for name in ("biosemi32", "ten_ten62")] == [32, 62]


def test_bad_input_is_named() -> None:
    with pytest.raises(DataError, match="unknown channel 'X9'"):
        imagine_brain(("Cz", "X9"), 7, 0, fidelity=1.0, seed=0)
    with pytest.raises(SettingsError, match=r"fidelity is negative \(subject 2\)"):
        imagine_brain(("Cz",), 7, 2, fidelity=-1.0, seed=0)
