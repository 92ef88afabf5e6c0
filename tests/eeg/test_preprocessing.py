"""Preprocessing and epochs against MNE's own Raw and Epochs, and against known sines."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from insula.eeg.filters import resampling_ratio
from insula.eeg.preprocessing import Preprocessing, epochs, preprocess
from insula.errors import DataError, SettingsError
from insula.samples.recording import Recording

CHANNELS = ("Fz", "Cz", "Pz", "Oz", "T7", "T8", "C3", "C4", "O1", "O2")  # more than are filtered at once


def recording_of(signal: np.ndarray, rate: float, channels: tuple[str, ...] = CHANNELS) -> Recording:
    return Recording(
        corpus="made",
        subject="s01",
        session="1",
        channels=channels,
        rate=rate,
        n_times=signal.shape[1],
        reader=lambda start, stop: signal[:, start:stop].astype(np.float32),
        events=pd.DataFrame({"onset": [], "duration": []}),
        fingerprint="",
    )


def noise(rate: float, seconds: float = 20.0) -> np.ndarray:
    return np.random.default_rng(0).normal(50, 10, (len(CHANNELS), round(seconds * rate))).astype(np.float32)


def test_filters_and_reference_are_mnes() -> None:
    import mne

    values = noise(250)
    signal, rate = preprocess(recording_of(values, 250), Preprocessing())
    raw = mne.io.RawArray(values.astype(float), mne.create_info(list(CHANNELS), 250, "eeg"), verbose="error")
    raw.filter(1, 75, verbose="error").notch_filter(50, verbose="error").set_eeg_reference("average", verbose="error")
    assert rate == 250
    assert signal.dtype == np.float32
    assert_allclose(signal, raw.get_data(), atol=1e-4)


def test_resampling_keeps_the_clock_and_the_amplitude() -> None:
    for rate, n_times in ((1000, 20003), (128, 2561), (2048, 40961), (499.907, 9999)):  # no common factors
        seconds = np.arange(n_times) / rate
        sines = np.stack([20 * np.sin(2 * np.pi * hertz * seconds) for hertz in range(5, 15)])
        settings = Preprocessing(reference=None, band=(1.0, 40.0))
        signal, new = preprocess(recording_of(sines, rate), settings)
        assert new == 250
        after = np.arange(signal.shape[1]) / new
        assert abs(signal.shape[1] / new - n_times / rate) < 1 / new
        expected = np.stack([20 * np.sin(2 * np.pi * hertz * after) for hertz in range(5, 15)])
        middle = (after > 4) & (after < 16)
        assert_allclose(signal[:, middle], expected[:, middle], atol=0.05)


@pytest.mark.parametrize("old", [128, 160, 256, 499.907, 500.001, 512, 2048, 5000, 249.9999])
def test_resampling_drifts_by_less_than_two_milliseconds_an_hour(old: float) -> None:
    assert abs(float(resampling_ratio(old, 250)) * old / 250 - 1) * 3600 < 2e-3


def test_drift_and_mains_go_and_nothing_is_delayed() -> None:
    seconds = np.arange(0, 30, 1 / 500)
    wanted = 10 * np.sin(2 * np.pi * 10 * seconds) * np.linspace(0.5, 1, 10)[:, None]
    dirt = 300 + 20 * seconds + 25 * np.sin(2 * np.pi * 50 * seconds)
    settings = Preprocessing(reference=None, rate=None)
    signal, rate = preprocess(recording_of(wanted + dirt, 500), settings)
    assert rate == 500
    middle = (seconds > 8) & (seconds < 22)
    assert_allclose(signal[:, middle], wanted[:, middle], atol=0.1)


def test_a_slow_recording_ends_the_band_early_and_says_so() -> None:
    with pytest.warns(UserWarning, match=r"band 1-57.6 Hz instead of 1-75 Hz: recordings are at 128 Hz"):
        signal, rate = preprocess(recording_of(noise(128), 128), Preprocessing())
    assert (signal.shape, rate) == ((10, 5000), 250)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        preprocess(recording_of(noise(128), 128), Preprocessing(band=(1.0, 45.0), rate=100.0))
    with pytest.raises(DataError, match="a band from 60 Hz does not fit a recording at 128 Hz"):
        preprocess(recording_of(noise(128), 128), Preprocessing(band=(60.0, 75.0)))


def test_bad_recordings_are_refused_before_they_are_filtered() -> None:
    with pytest.raises(DataError, match="looks like volts"):
        preprocess(recording_of(noise(250) * 1e-6, 250), Preprocessing())
    with pytest.raises(DataError, match="unknown channel 'ECG'"):
        preprocess(recording_of(noise(250), 250, (*CHANNELS[:9], "ECG")), Preprocessing())
    with pytest.raises(DataError, match=r"2.0 s are shorter than the 3.3 s of a filter from 1 Hz \(made s01 1\)"):
        preprocess(recording_of(noise(250, 2.0), 250), Preprocessing())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"band": (1.0, 75.0), "rate": 128.0}, "does not fit below 64 Hz"),
        ({"band": (40.0, 4.0)}, "band runs from 40 to 4"),
        ({"epoch": (0.5, 0.5)}, "epoch runs from 0.5 to 0.5"),
        ({"baseline": (0.0, -0.2)}, "baseline runs from 0 to -0.2"),
        ({"notches": 50.0}, "unknown key 'notches'"),
    ],
)
def test_impossible_settings_are_one_clear_line(settings: dict, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Preprocessing.parse(settings, where="eeg")


def test_epochs_are_mnes() -> None:
    import mne

    values, rate = noise(250), 250.0
    onsets = np.array([100, 555, 1803, 4875])  # the last epoch ends with the recording
    cut = epochs(values, rate, pd.DataFrame({"onset": onsets / rate}), Preprocessing())
    raw = mne.io.RawArray(values.astype(float), mne.create_info(list(CHANNELS), rate, "eeg"), verbose="error")
    reference = mne.Epochs(
        raw,
        np.c_[onsets, np.zeros(4, int), np.ones(4, int)],
        tmin=-0.2,
        tmax=0.5 - 1 / rate,  # MNE counts the last sample in
        baseline=(-0.2, -1 / rate),
        preload=True,
        verbose="error",
    )
    assert cut.dtype == np.float32
    assert cut.shape == (4, 10, 125)
    assert_allclose(cut, reference.get_data(tmin=0.0, verbose="error"), atol=1e-4)


def test_onsets_round_to_the_nearest_sample_and_lengths_never_vary() -> None:
    ramp = np.arange(2000, dtype=np.float32)[None]
    events = pd.DataFrame({"onset": [0.998, 1.0019, 1.002, 1.0021, 1.004]})
    cut = epochs(ramp, 250, events, Preprocessing(baseline=None, epoch=(-0.1, 0.3)))
    assert cut.shape == (5, 1, 100)
    assert cut[:, 0, 25].tolist() == [250, 250, 251, 251, 251]
    for rate in (128.0, 499.907, 1000.0):
        assert epochs(ramp, rate, events[:1], Preprocessing(baseline=None)).shape[2] == np.floor(0.5 * rate + 0.5)


@pytest.mark.parametrize("onset", [0.1, 9.6, -1.0, 1e6, np.nan])
def test_an_epoch_out_of_the_recording_names_its_row(onset: float) -> None:
    events = pd.DataFrame({"onset": [1.0, onset]}, index=["stimulus-7", "stimulus-8"])
    with pytest.raises(DataError, match=r"event stimulus-8 at .* reaches out of the recording \(0 to 10 s\)"):
        epochs(noise(250, 10.0), 250, events, Preprocessing())


def test_no_events_give_no_epochs() -> None:
    assert epochs(noise(250), 250, pd.DataFrame({"onset": []}), Preprocessing()).shape == (0, 10, 125)


def test_real_eeg_goes_through(data: Path) -> None:
    import mne

    raw = mne.io.read_raw_edf(min((data / "eegmat").glob("*_1.edf")), verbose="error")
    recording = recording_of(raw.get_data(picks=range(19)) * 1e6, 128.0, tuple(raw.ch_names[:19]))
    signal, rate = preprocess(recording, Preprocessing(band=(1.0, 45.0)))
    cut = epochs(signal, rate, pd.DataFrame({"onset": np.arange(1.0, 55.0)}), Preprocessing())
    assert cut.shape == (54, 19, 125)
    assert 1 < np.std(cut) < 50
    assert_allclose(signal.mean(axis=0), 0, atol=1e-3)


def test_the_eeg_path_does_not_load_mne_until_it_is_used() -> None:
    code = "import sys, insula.eeg.preprocessing, insula.eeg.montage, insula.eeg.checks; print('mne' in sys.modules)"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "False"
