"""Epochs, windows and features on disk."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from insula.eeg import epoch_store as module
from insula.eeg.epoch_store import Windows, epoch_store, feature_store, window_store
from insula.eeg.features import differential_entropy
from insula.eeg.preprocessing import Preprocessing, epochs, preprocess
from insula.errors import DataError
from insula.samples import Recording
from insula.storage.cache import Cache

PLAIN = Preprocessing(band=(1, 40), rate=None, baseline=None)
CHANNELS = ("Fz", "Cz", "Pz", "Oz")


def recording(seconds: float = 12, rate: float = 128, seed: int = 0, channels: tuple[str, ...] = CHANNELS) -> Recording:
    """Return noise that is made anew, whenever and wherever it is read: nothing is held."""
    n_times = round(seconds * rate)

    def read(start: int, stop: int) -> np.ndarray:
        values = np.random.default_rng(seed).standard_normal((n_times, len(channels)), np.float32)
        return 10 * values[start:stop].T

    onset = np.arange(1.0, seconds - 2, 1.5)
    events = pd.DataFrame(
        {"onset": onset, "duration": 0.5, "stimulus": "x", "trial": np.arange(len(onset)).astype(str)}
    )
    return Recording(
        "demo", f"S{seed}", "1", channels, rate, n_times, read, events, f"noise {seed} {n_times} {channels}"
    )


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path)


def unreadable(one: Recording) -> Recording:
    def read(start: int, stop: int) -> np.ndarray:
        raise AssertionError("read although the cache has it")

    return replace(one, reader=read)


def test_epochs_are_those_of_the_events_and_lie_on_disk(cache: Cache) -> None:
    one = recording()
    settings = Preprocessing(band=(1, 40), rate=100)
    store = epoch_store(one, settings, cache)
    signal, rate = preprocess(one, settings)
    assert np.array_equal(store.read(np.arange(len(store))), epochs(signal, rate, one.events, settings))
    assert isinstance(store.values, np.memmap)
    form = store.description
    assert (form.kind, form.axes, form.rate, form.channels, form.units) == (
        "signal", ("channel", "time"), 100, CHANNELS, "uV"
    )  # fmt: skip
    assert store.values.dtype == np.float32
    assert len(store) == len(one.events)


def test_epochs_are_made_once_for_settings_content_and_onsets(cache: Cache) -> None:
    one = recording()
    first = epoch_store(one, PLAIN, cache)
    assert epoch_store(unreadable(one), PLAIN, cache).fingerprint() == first.fingerprint()
    later = replace(one, events=one.events.assign(onset=one.events["onset"] + 0.25))
    other = [
        epoch_store(later, PLAIN, cache),
        epoch_store(one, PLAIN.model_copy(update={"band": (2, 40)}), cache),
        epoch_store(recording(seed=1), PLAIN, cache),
    ]
    assert len({store.fingerprint() for store in [first, *other]}) == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda one: replace(one, events=one.events.assign(onset=99.0)), "all 6 events .* outside"),
        (lambda one: replace(one, events=one.events[:0]), "no events"),
        (lambda one: replace(one, reader=lambda start, stop: one.reader(start, stop) * 1e-6), "volts, not microvolts"),
        (lambda one: replace(one, channels=("Fz", "Cz", "Pz", "F33")), "unknown channel 'F33'"),
        (lambda one: replace(one, channels=("Fz", "Cz", "Pz", "PZ")), "duplicate channel"),
        (lambda one: replace(one, reader=lambda start, stop: one.reader(start, stop) * np.nan), "NaN"),
    ],
)
def test_what_cannot_be_cut_is_refused_and_leaves_no_entry(cache: Cache, change, message: str) -> None:
    with pytest.raises(DataError, match=message):
        epoch_store(change(recording()), PLAIN, cache)
    assert not list(cache.root.rglob("*.npy"))


def test_windows_are_the_preprocessed_signal_cut_up(cache: Cache) -> None:
    two = [recording(12), recording(9.3, seed=1)]
    store, table = window_store(two, PLAIN, Windows(seconds=2, hop=1), cache)
    assert table["recording"].tolist() == [0] * 11 + [1] * 8
    assert table["start"].tolist() == [*range(11), *range(8)]
    assert np.allclose(table["stop"] - table["start"], 2)
    signal, rate = preprocess(two[1], PLAIN)
    assert rate == store.description.rate == 128
    assert np.array_equal(store.read(np.array([11 + 3]))[0], signal[:, 3 * 128 : 5 * 128])


def test_features_are_the_entropy_of_the_windows(cache: Cache) -> None:
    two = [recording(12), recording(9.3, seed=1)]
    store, table = feature_store(two, PLAIN, Windows(seconds=2), cache)
    signals, clock = window_store(two, PLAIN, Windows(seconds=2), cache)
    expected = differential_entropy(signals.read(np.arange(len(signals))), 128, window=2)[:, 0]
    assert np.allclose(store.read(np.arange(len(store))), expected, atol=1e-5)
    assert table.equals(clock.drop(columns="quality"))
    assert (store.description.kind, store.description.axes) == ("features", ("channel", "band"))


@pytest.mark.parametrize("rate", [None, 100.0, 250.0])
def test_a_long_recording_in_blocks_gives_what_it_gives_whole(cache: Cache, monkeypatch, rate: float | None) -> None:
    one, settings = recording(75), Preprocessing(band=(1, 40), rate=rate)
    windows = Windows(seconds=2, hop=1.5)
    whole, clock = window_store([one], settings, windows, cache)
    monkeypatch.setattr(module, "BLOCK", 10.0)
    blocks, again = window_store([replace(one, fingerprint="anew")], settings, windows, cache)
    rows = np.arange(len(whole))
    assert np.abs(whole.read(rows) - blocks.read(rows)).max() < 1e-3  # microvolts, of 10
    assert clock.equals(again)


def test_windows_and_features_are_made_once(cache: Cache) -> None:
    one, windows = recording(), Windows(seconds=2)
    for make in (window_store, feature_store):
        store, table = make([one], PLAIN, windows, cache)
        again, clock = make([unreadable(one)], PLAIN, windows, cache)
        assert again.fingerprint() == store.fingerprint()
        assert clock.equals(table)
    narrow, _ = feature_store([one], PLAIN, windows, cache, bands={"alpha": (8, 13)})
    assert narrow.values.shape[1:] == (4, 1)


def test_features_of_windows_that_are_there_read_no_recording(cache: Cache) -> None:
    one, windows = recording(), Windows(seconds=2, hop=1)
    window_store([one], PLAIN, windows, cache)
    store, _ = feature_store([unreadable(one)], PLAIN, windows, cache)
    assert len(store) == 11


def test_channels_go_by_name(cache: Cache) -> None:
    one = recording()

    def turned(start: int, stop: int) -> np.ndarray:
        return one.reader(start, stop)[::-1]

    other = replace(one, channels=CHANNELS[::-1], reader=turned, fingerprint="turned")
    store, table = window_store([one, other], PLAIN, Windows(), cache)
    n = len(table) // 2
    assert np.allclose(store.read(np.arange(n)), store.read(np.arange(n, 2 * n)), atol=1e-4)


@pytest.mark.parametrize(
    ("recordings", "windows", "message"),
    [
        (
            [recording(), recording(channels=("Fz", "Cz", "Pz", "O1"))],
            Windows(),
            "channel O1 is not in every recording",
        ),
        ([recording(), recording(rate=256)], Windows(), "256 Hz, others have 128 Hz"),
        ([recording()], Windows(seconds=20), "12.0 s are shorter than a window of 20 s"),
        ([recording()], Windows(seconds=1e-4), "less than a sample"),
        ([], Windows(), "no recordings"),
    ],
)
def test_recordings_that_do_not_go_together_are_refused(cache: Cache, recordings, windows, message: str) -> None:
    with pytest.raises(DataError, match=message):
        window_store(recordings, PLAIN, windows, cache)


def test_memory_does_not_grow_with_the_number_of_recordings(cache: Cache) -> None:
    def peak(recordings: list[Recording]) -> int:
        tracemalloc.start()
        feature_store(recordings, PLAIN, Windows(), cache)
        window_store(recordings, PLAIN, Windows(seconds=1), cache)
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    peak([recording(seed=99)])  # imports
    few, many = (
        peak([recording(20, seed=first + seed) for seed in range(count)]) for first, count in ((0, 2), (10, 12))
    )
    assert many < 1.25 * few
