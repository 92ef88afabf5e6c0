"""The rule for loud channels within preprocessing: when it looks at what, and what becomes of the channels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from insula.corpora.deap import Deap, DeapPreprocessing, DeapSettings
from insula.corpora.fake_deap import fake_deap
from insula.eeg import epoch_store as stores
from insula.eeg import preprocessing as module
from insula.eeg.artefacts import Artefacts, Cleaning
from insula.eeg.bad_channels import repair
from insula.eeg.epoch_store import Windows, cleaning_columns, cleaning_of, window_store
from insula.eeg.preprocessing import Preprocessing, learn, preprocess
from insula.errors import SettingsError
from insula.samples import Recording
from insula.storage.cache import Cache

CHANNELS = ("Fp1", "Fp2", "F3", "Fz", "F4", "C3", "Cz", "C4", "P3", "Pz", "P4", "O1", "O2")
RATE, SECONDS = 250, 40
FP1, CZ, PZ = (CHANNELS.index(name) for name in ("Fp1", "Cz", "Pz"))
PLAIN = Preprocessing(band=(2, 40), notch=None, reference=None)
LOUD = PLAIN.model_copy(update={"artefacts": Artefacts(loud_channels=True)})


@pytest.fixture
def signal() -> np.ndarray:
    """Forty seconds in which Cz is loud for half of the time, at first, and Pz for a quarter of it, at last."""
    values = np.random.default_rng(0).normal(0, 10, (len(CHANNELS), SECONDS * RATE)).astype(np.float32)
    values[CZ, : 20 * RATE] *= 20
    values[PZ, 30 * RATE :] *= 6
    return values


def recording(signal: np.ndarray) -> Recording:
    events = pd.DataFrame({"onset": [5.0, 30.0], "duration": 0.5, "stimulus": "x", "trial": ["0", "1"]})
    return Recording("made", "S1", "1", CHANNELS, RATE, signal.shape[1], lambda a, b: signal[:, a:b], events, "one")


def test_a_loud_channel_becomes_the_mean_of_its_neighbours_before_the_reference(signal: np.ndarray) -> None:
    one = recording(signal)
    filtered, _ = preprocess(one, PLAIN)
    expected = repair(filtered, CHANNELS, np.isin(CHANNELS, "Cz"))  # for all of the trial; Pz is not loud enough
    learnt = learn(one, LOUD)
    assert learnt is not None and learnt.loud == ("Cz",)
    assert_allclose(preprocess(one, LOUD)[0], expected, atol=1e-3)
    referenced, _ = preprocess(one, LOUD.model_copy(update={"reference": "average"}))
    assert_allclose(referenced, expected - expected.mean(axis=0), atol=1e-3)


def test_blocks_of_a_long_trial_have_one_decision(
    signal: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Block by block Pz would be loud in the last one, and Cz in the first two alone."""
    one, windows = recording(signal), Windows(seconds=2)
    whole, _ = window_store([one], LOUD, windows, Cache(tmp_path / "whole"))
    for place in (module, stores):
        monkeypatch.setattr(place, "BLOCK", 10.0)
    blocks, _ = window_store([one], LOUD, windows, Cache(tmp_path / "blocks"))
    assert_allclose(blocks.values, whole.values, atol=1e-3)
    assert np.std(blocks.values[:, CZ]) < 2 * np.std(blocks.values[:, CHANNELS.index("C3")])
    assert np.std(blocks.values[-5:, PZ]) > 4 * np.std(blocks.values[:5, PZ])


def test_the_decision_is_made_once_for_band_and_rate(signal: np.ndarray, tmp_path: Path) -> None:
    one, cache = recording(signal), Cache(tmp_path)
    first = cleaning_of(one, LOUD, cache)
    unread = replace(one, reader=lambda start, stop: 1 / 0)
    again = cleaning_of(unread, LOUD.model_copy(update={"epoch": (0.1, 0.2)}), cache)
    assert first is not None and again is not None and again.loud == first.loud == ("Cz",)
    with pytest.raises(ZeroDivisionError):
        cleaning_of(unread, LOUD.model_copy(update={"band": (2, 30)}), cache)


def test_ica_sees_blinks_and_no_other_loud_channel(signal: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    signal[FP1] *= 20
    seen: list[np.ndarray] = []

    def learn_nothing(values: np.ndarray, names: tuple[str, ...], *_: object, **__: object) -> Cleaning:
        seen.append(values)
        return Cleaning(np.eye(len(names), dtype=np.float32))

    monkeypatch.setattr(module, "learn_cleaning", learn_nothing)
    asked = PLAIN.model_copy(update={"reference": "average", "artefacts": Artefacts(loud_channels=True, ica="infomax")})
    one = recording(signal)
    learnt = learn(one, asked)
    assert learnt is not None and learnt.loud == ("Fp1", "Cz")
    spread = dict(zip(CHANNELS, seen[0].std(axis=1), strict=True))
    assert spread["Cz"] < 2 * spread["C3"] < spread["Fp1"] / 5
    filtered, _ = preprocess(one, PLAIN)
    expected = repair(filtered, CHANNELS, np.isin(CHANNELS, ["Fp1", "Cz"]))
    assert_allclose(preprocess(one, asked, learnt)[0], expected - expected.mean(axis=0), atol=1e-3)


def test_a_recording_of_many_trials_is_marked_and_a_trial_is_not(signal: np.ndarray, tmp_path: Path) -> None:
    assert cleaning_columns(recording(signal), LOUD, Cache(tmp_path))["eeg_cleaned_on"].tolist() == ["S1/1"] * 2
    fake_deap(tmp_path)
    settings = DeapSettings(root=tmp_path, preprocessing=DeapPreprocessing(artefacts=Artefacts(loud_channels=True)))
    assert "eeg_cleaned_on" not in Deap(settings).samples(Cache(tmp_path / "cache")).table


def test_one_rule_for_bad_channels_is_enough() -> None:
    with pytest.raises(SettingsError, match=r"two rules for the same channels \(artefacts\): choose one"):
        Artefacts(bad_channels=True, loud_channels=True)
