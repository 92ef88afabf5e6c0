"""The watermelon: windows of a trial give the trial away, and nothing else is there."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.model_selection import KFold, StratifiedGroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from insula.corpora.watermelon import Watermelon, WatermelonSettings
from insula.errors import SettingsError
from insula.samples import Samples
from insula.storage.cache import Cache


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    return Cache(tmp_path_factory.mktemp("cache"))


def melon(cache: Cache, **changes: float) -> Samples:
    return Watermelon(WatermelonSettings(**{"trials": 20, "seconds": 20, **changes})).samples(cache)


def scores(samples: Samples) -> tuple[float, float]:
    features, labels = samples.read("features").reshape(len(samples), -1), samples.table["emotion"].to_numpy(str)
    model = make_pipeline(StandardScaler(), SVC(C=10))
    windows = cross_val_score(model, features, labels, cv=KFold(4, shuffle=True, random_state=0))
    groups = StratifiedGroupKFold(4, shuffle=True, random_state=0)
    trials = cross_val_score(model, features, labels, cv=groups, groups=samples.units("subject+trial"))
    return float(windows.mean()), float(trials.mean())


def test_random_windows_decode_drifting_noise_and_trial_disjoint_ones_do_not(cache: Cache) -> None:
    windows, trials = scores(melon(cache, drift=0.15))
    assert windows > 0.88
    assert 0.25 < trials < 0.75  # forty trials: half, give or take three standard errors


def test_without_drift_there_is_nothing_to_leak(cache: Cache) -> None:
    assert scores(melon(cache, drift=0.0))[0] < 0.6


def test_every_window_says_whose_it_is_and_when(cache: Cache) -> None:
    table = melon(cache).table
    assert len(table) == 2 * 20 * 20
    one = table[table["subject"] == "S1"]
    np.testing.assert_array_equal(one["start"], np.arange(400))
    np.testing.assert_array_equal(one["stop"] - one["start"], 1)
    assert one["trial"].iloc[[0, 19, 20]].tolist() == ["1", "1", "2"]
    assert table.groupby(["subject", "trial"])["emotion"].nunique().max() == 1


def test_the_coin_is_fair_and_belongs_to_the_seed(cache: Cache) -> None:
    table = melon(cache).table
    assert table.groupby("subject")["emotion"].value_counts().unique().tolist() == [200]
    assert table["emotion"].tolist() != melon(cache, seed=1).table["emotion"].tolist()
    assert melon(cache).fingerprint() == melon(cache).fingerprint()


def test_features_are_finite_and_named(cache: Cache) -> None:
    store = melon(cache, channels=4, trials=2).store("features")
    assert store.description.channels == ("Fp1", "AF3", "F7", "F3") and store.description.axes == ("channel", "band")
    assert np.isfinite(store.read(np.arange(len(store)))).all()


def test_bad_settings_are_named() -> None:
    with pytest.raises(SettingsError, match="channels"):
        WatermelonSettings.parse({"channels": 33}, where="corpus watermelon")
