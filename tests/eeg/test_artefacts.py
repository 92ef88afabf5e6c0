"""Artefacts: ICA on a recording with blinks, RANSAC, peak-to-peak marks and autoreject."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from insula.corpora.scalp import MONTAGES, coloured_noise, electrode_directions
from insula.eeg import artefacts as module
from insula.eeg import epoch_store as stores
from insula.eeg.artefacts import Artefacts, autoreject_epochs, learn_cleaning, peak_to_peak_marks
from insula.eeg.epoch_store import Windows, cleaning_of, epoch_quality, epoch_store, window_store
from insula.eeg.preprocessing import Preprocessing, learn, preprocess
from insula.errors import DataError, SettingsError
from insula.samples import Recording
from insula.storage.cache import Cache

CHANNELS = MONTAGES["biosemi32"][::2]  # 16, all over the head
RATE, SECONDS = 250, 30
BLINKS = np.arange(2.0, SECONDS - 2, 3.5)
POSTERIOR = [CHANNELS.index(name) for name in ("Pz", "O1", "O2", "P4")]
FRONTAL = CHANNELS.index("Fp1")


def brain(channels: tuple[str, ...] = CHANNELS) -> np.ndarray:
    """Return ongoing activity, smooth over the scalp, in microvolts."""
    directions, rng = electrode_directions(channels), np.random.default_rng(0)
    squares = ((directions[:, None] - directions[None]) ** 2).sum(-1)
    mixing = np.linalg.cholesky(np.exp(-squares / (2 * 0.8**2)) + 0.05 * np.eye(len(directions)))
    sources = np.stack([coloured_noise(SECONDS * RATE, RATE, rng) for _ in channels])
    return (9 * mixing @ sources).astype(np.float32)


def blinks() -> np.ndarray:
    """Return 120 uV above the eyes, falling off towards the back, a third of a second each."""
    eyes = electrode_directions(["Fp1", "Fp2"]) - [0, 0, 0.2]
    field = np.exp(-((electrode_directions(CHANNELS)[:, None] - eyes) ** 2).sum(-1).min(1) / (2 * 0.35**2))
    course = np.zeros(SECONDS * RATE)
    shape = np.sin(np.linspace(0, np.pi, RATE // 3)) ** 2
    for onset in BLINKS:
        course[int(onset * RATE) :][: len(shape)] += shape
    return (120 * np.outer(field, course)).astype(np.float32)


def recording(signal: np.ndarray, name: str = "one") -> Recording:
    onsets = np.arange(1.0, SECONDS - 2, 1.0)
    events = pd.DataFrame(
        {"onset": onsets, "duration": 0.5, "stimulus": "x", "trial": np.arange(len(onsets)).astype(str)}
    )
    return Recording("made", "S1", "1", CHANNELS, RATE, signal.shape[1], lambda a, b: signal[:, a:b], events, name)


def settings(**artefacts: object) -> Preprocessing:
    return Preprocessing(band=(1, 40), notch=None, artefacts=Artefacts(**artefacts))  # type: ignore[arg-type]


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path)


def test_ica_takes_blinks_out_and_leaves_the_back_of_the_head(cache: Cache) -> None:
    clean, dirty = brain(), brain() + blinks()
    plain = Preprocessing(band=(1, 40), notch=None)
    without, _ = preprocess(recording(clean), plain)
    with_blinks, _ = preprocess(recording(dirty), plain)
    one, wanted = recording(dirty, "dirty"), settings(ica="infomax")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # average reference, 1-100 Hz, extended infomax: all as ICLabel wants it
        learnt = cleaning_of(one, wanted, cache)
    assert learnt is not None
    assert ("eye", True) in [(kind, probability > 0.8) for kind, probability in learnt.dropped]
    assert learnt.components == len(CHANNELS) - 1  # the average reference leaves one dimension empty
    cleaned, _ = preprocess(one, wanted, learnt)
    during = (BLINKS * RATE + RATE / 6).astype(int)
    left = np.abs(cleaned - without)[FRONTAL, during].mean() / np.abs(with_blinks - without)[FRONTAL, during].mean()
    assert left < 0.2
    for row in POSTERIOR:
        assert np.corrcoef(cleaned[row], without[row])[0, 1] > 0.9
    again = cleaning_of(replace(one, reader=lambda start, stop: 1 / 0), wanted, cache)  # learnt once
    assert again is not None and np.array_equal(again.matrix, learnt.matrix)
    narrow = wanted.model_copy(update={"band": (4, 30), "epoch": (0.1, 0.4)})
    assert cleaning_of(replace(one, reader=lambda start, stop: 1 / 0), narrow, cache) is not None


def test_the_matrix_is_what_mne_applies() -> None:
    signal = (brain() + blinks())[:8, : 15 * RATE].astype(float)
    signal -= signal.mean(axis=0)
    names = list(CHANNELS[:8])
    every = ("eye", "muscle", "heart", "line", "channel")
    asked = Artefacts(ica="fastica", drop=every, probability=1e-6, components=4)  # all: their order does not matter
    with pytest.warns(UserWarning, match="trained on extended infomax"):
        learnt = learn_cleaning(signal, names, RATE, asked, (), where="here")
        ica = module._fit(signal, names, RATE, asked, "here")
    assert len(learnt.dropped) == learnt.components == 4
    raw = module._raw(signal, names, RATE)
    expected = ica.apply(raw, exclude=range(4), verbose="error").get_data() * 1e6
    offset = (learnt.matrix @ signal - expected).mean(axis=1, keepdims=True)  # MNE keeps the mean, which filters remove
    assert_allclose(learnt.matrix @ signal - offset, expected, atol=0.05)


def test_a_kind_may_have_a_limit_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = ["brain", "muscle", "eye", "heart", "line", "channel", "other"]
    said = pd.DataFrame(0.0, index=range(4), columns=kinds)
    said.loc[0, ["muscle", "eye"]] = 0.55, 0.45
    said.loc[1, ["muscle", "eye"]] = 0.25, 0.75
    said.loc[2, ["muscle", "heart"]] = 0.45, 0.55
    said.loc[3, ["brain", "line"]] = 0.25, 0.75
    monkeypatch.setattr("mne_icalabel.iclabel.iclabel_label_components", lambda *_, **__: said.to_numpy())
    signal = brain()[:8, : 15 * RATE].astype(float)
    signal -= signal.mean(axis=0)

    def dropped(**asked: object) -> list[tuple[str, float]]:
        taken = Artefacts(ica="fastica", components=4, **asked)  # type: ignore[arg-type]
        with pytest.warns(UserWarning, match="trained on extended infomax"):
            return list(learn_cleaning(signal, CHANNELS[:8], RATE, taken, (), where="here").dropped)

    assert dropped(drop={"muscle": 0.5, "eye": 0.7, "heart": 0.7}) == [("muscle", 0.55), ("eye", 0.75)]
    assert dropped(drop=("muscle", "line"), probability=0.5) == [("muscle", 0.55), ("line", 0.75)]
    assert dropped(drop={}) == []
    with pytest.raises(SettingsError, match=r"drop.limits.eye: Input should be less than or equal to 1 \(artefacts\)"):
        Artefacts.parse({"drop": {"eye": 1.5}}, where="artefacts")


def test_what_iclabel_was_not_trained_on_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = replace(recording(brain()[:, : 20 * RATE : 2]), rate=RATE / 2)
    with (
        monkeypatch.context() as patch,
        pytest.warns(UserWarning, match=r"trained on 1-100 Hz, a recording at 125 Hz ends at 56.25: it errs more"),
    ):
        patch.setattr("insula.eeg.preprocessing.learn_cleaning", lambda *_, **__: None)
        learn(slow, settings(ica="infomax"))
    short = recording(brain()[:, : 4 * RATE])
    with pytest.warns(UserWarning, match=r"4 s are short for 8 components \(made S1 1\): lower"):
        learn(short, settings(ica="infomax", components=8))
    with pytest.raises(SettingsError, match="ICA needs the average reference"):
        Preprocessing(reference=None, artefacts=Artefacts(ica="infomax"))


def test_bad_channels_are_found_and_interpolated() -> None:
    wide = MONTAGES["biosemi32"]
    clean = brain(wide)
    broken = clean.copy()
    broken[2] = 12 * np.random.default_rng(1).standard_normal(broken.shape[1])  # off the head
    broken[9] = 3.0  # flat
    broken[12, 700] = np.nan
    one = replace(recording(broken), channels=wide, bad=("Cz",))
    with pytest.raises(DataError, match="NaN"):
        preprocess(one, Preprocessing())
    asked = settings(bad_channels=True)
    learnt = learn(one, asked)
    assert learnt is not None
    assert set(learnt.bad) == {wide[2], wide[9], wide[12], "Cz"}
    signal, _ = preprocess(one, asked)
    expected, _ = preprocess(replace(one, reader=lambda start, stop: clean[:, start:stop]), settings())
    assert np.isnan(broken).any()  # the reader's own array is left alone
    assert np.corrcoef(signal[12], expected[12])[0, 1] > 0.9
    few = replace(one, channels=wide[:16], reader=lambda start, stop: broken[:16, start:stop])
    with pytest.raises(DataError, match=r"14 good channels are too few .* set artefacts.bad_channels to false"):
        learn(few, asked)


def test_peak_to_peak_marks_exactly_the_epochs_that_are_wide(cache: Cache) -> None:
    signal = brain()
    one = recording(signal)
    wide = [3, 12, 25]
    for event in wide:
        first = round((one.events["onset"][event] + 0.2) * RATE)
        signal[FRONTAL, first : first + 20] += 400 * np.hanning(20)
    asked = settings(peak_to_peak=150)
    quality = epoch_quality(one, asked, cache)
    assert np.flatnonzero(quality != "").tolist() == wide
    assert all(text.endswith(" uV at Fp1") for text in quality[wide])
    store = epoch_store(one, asked, cache)
    plain = epoch_store(one, asked.model_copy(update={"artefacts": None}), cache)
    assert np.array_equal(store.values, plain.values)  # marked, neither dropped nor changed
    assert (epoch_quality(one, Preprocessing(), cache) == "").all()
    _, table = window_store([one], asked, Windows(seconds=1), cache)
    assert np.flatnonzero(table["quality"] != "").tolist() == [event + 1 for event in wide]


def test_marks_are_text() -> None:
    values = np.array([[[0.0, 1.0], [0.0, 151.0]], [[0.0, 1.0], [0.0, 149.0]]])
    assert peak_to_peak_marks(values, ["Fz", "Cz"], 150).tolist() == ["151 uV at Cz", ""]


def test_autoreject_repairs_channels_and_marks_what_is_beyond_repair(cache: Cache) -> None:
    signal, rng = brain(), np.random.default_rng(2)
    one = recording(signal)
    onset = (one.events["onset"].to_numpy() * RATE).astype(int)
    signal[:, onset[5] : onset[5] + 125] += 300 * rng.standard_normal((len(signal), 125))  # all channels
    loose = [(event, event // 3) for event in range(1, 27, 3)]  # one channel, another in each of these epochs
    for event, channel in loose:
        signal[channel, onset[event] - 60 : onset[event] + 125] += 300 * rng.standard_normal(185)
    asked = settings(autoreject=True).model_copy(update={"reference": None})
    quality, store = epoch_quality(one, asked, cache), epoch_store(one, asked, cache)
    plain = epoch_store(one, asked.model_copy(update={"artefacts": None}), cache)
    assert np.flatnonzero(quality == "autoreject").tolist() == [5]
    assert np.array_equal(store.values[5], plain.values[5])
    assert all(np.ptp(store.values[row]) < 0.3 * np.ptp(plain.values[row]) for row in loose)
    with pytest.raises(SettingsError, match="autoreject is for epochs"):
        window_store([one], asked, Windows(), cache)
    with pytest.raises(DataError, match=r"4 epochs are too few for autoreject"):
        autoreject_epochs(plain.values[:4], CHANNELS, RATE, 0, where="here")


def test_a_large_recording_in_blocks_gives_the_epochs_it_gives_whole(cache: Cache, monkeypatch) -> None:
    one = recording(brain())
    one = replace(one, events=one.events.sample(frac=1, random_state=0))  # in no order
    plain = Preprocessing(band=(4, 40), rate=200, notch=None)
    whole = epoch_store(one, plain, cache)
    monkeypatch.setattr(stores, "_WHOLE", 1)
    monkeypatch.setattr(stores, "BLOCK", 20.0)
    blocks = epoch_store(replace(one, fingerprint="anew"), plain, cache)
    assert np.abs(whole.values - blocks.values).max() < 1e-3  # microvolts, of 10
    late = pd.concat([one.events, one.events[:1].assign(onset=SECONDS - 0.3, duration=0.1)], ignore_index=True)
    with pytest.raises(DataError, match=r"at 29.7 s reaches out of the recording \(0 to 30 s\)"):
        epoch_store(replace(one, events=late), plain, cache)


def test_settings_without_artefacts_are_the_settings_of_before() -> None:
    assert "artefacts" not in Preprocessing().model_dump(mode="json")
    assert Preprocessing(artefacts=None).digest() == Preprocessing().digest()
    assert Preprocessing(artefacts=Artefacts()).digest() != Preprocessing().digest()
    written = Artefacts(ica="infomax").model_dump(mode="json")
    assert (written["drop"], written["probability"]) == (["eye", "muscle", "heart"], 0.8)
    assert "loud_channels" not in written
