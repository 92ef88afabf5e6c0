"""Simulated pairs of EEG and face: both follow what is felt, and what is spoilt is known exactly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from insula.corpora.simulated_pairs import SimulatedPairs, SimulatedPairsSettings
from insula.eeg.features import differential_entropy
from insula.errors import SettingsError
from insula.samples import Samples
from insula.storage.cache import Cache


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    return Cache(tmp_path_factory.mktemp("cache"))


def study(**changes: Any) -> SimulatedPairs:
    return SimulatedPairs(SimulatedPairsSettings(**{"subjects": 6, "trials": 12, "seconds": 8, **changes}))


def rows(cache: Cache, **changes: Any) -> Samples:
    return study(**changes).samples(cache)


def true_classes(corpus: SimulatedPairs, samples: Samples) -> np.ndarray:
    return corpus.truth()["emotion"].reindex(samples.units("stimulus")).to_numpy(str)


def decoded(cache: Cache, modality: str, **changes: Any) -> float:
    """Return how often a linear model names the true class of a row of a person it has not seen."""
    corpus = study(**changes)
    samples = corpus.samples(cache)
    values, people = samples.read(modality).reshape(len(samples), -1).astype(float), samples.units("subject")
    for person in set(people):
        values[people == person] -= values[people == person].mean(axis=0)
    true = true_classes(corpus, samples)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1))
    return float((cross_val_predict(model, values, true, groups=people, cv=GroupKFold(3)) == true).mean())


@pytest.mark.parametrize(("modality", "fidelity"), [("features", "eeg_fidelity"), ("face_features", "face_fidelity")])
def test_each_modality_follows_what_is_felt_by_its_own_fidelity(cache: Cache, modality: str, fidelity: str) -> None:
    other = "face_fidelity" if fidelity == "eeg_fidelity" else "eeg_fidelity"
    assert decoded(cache, modality, **{fidelity: 2, other: 0}) > 0.6
    assert decoded(cache, modality, **{fidelity: 0, other: 2}) < 0.45  # 288 rows of 72 trials, a third each


def test_drawn_faces_smile_where_it_is_pleasant(cache: Cache) -> None:
    small = {"subjects": 2, "trials": 6, "seconds": 8, "ambiguity": (0, 0), "drawn": True, "size": 32}
    samples = rows(cache, **small)
    again = rows(cache, **small, face_fidelity=0)
    valence = samples.table["valence"].to_numpy()
    pictures, blank = (one.read("picture").astype(float) for one in (samples, again))
    change = np.abs(pictures - blank).mean(axis=(1, 2, 3))
    assert change[np.abs(valence) > 0.5].mean() > 2 * change[np.abs(valence) < 0.1].mean()


def test_features_are_of_the_very_same_windows(cache: Cache) -> None:
    samples = rows(cache)
    windows, features = samples.read("eeg"), samples.read("features")
    np.testing.assert_allclose(differential_entropy(windows[7], 128.0, window=2.0)[0], features[7], rtol=1e-5)


def test_rows_of_a_trial_share_a_class_and_valence_runs_smoothly_through_them(cache: Cache) -> None:
    table = rows(cache, seconds=20, window=1).table
    assert (table.groupby("stimulus")["emotion"].nunique() == 1).all()
    steps = table.groupby("stimulus")["valence"].diff().abs()
    assert 0 < steps.median() < 0.1
    assert table["valence"].between(-1, 1).all()
    assert table["valence"].min() < -0.6 < 0.6 < table["valence"].max()


def test_label_noise_is_the_share_of_wrong_trials(cache: Cache) -> None:
    for share in (0.0, 0.4):
        corpus = study(subjects=20, label_noise=share, ambiguity=(0, 0))
        samples = corpus.samples(cache)
        wrong = true_classes(corpus, samples) != samples.table["emotion"].to_numpy(str)
        assert wrong.mean() == pytest.approx(share, abs=0.1 if share else 0)  # 240 trials


def test_raters_name_either_side_of_an_even_mix(cache: Cache) -> None:
    corpus = study(subjects=20, label_noise=0, ambiguity=(1, 1))
    samples = corpus.samples(cache)
    other = true_classes(corpus, samples) != samples.table["emotion"].to_numpy(str)
    assert other.mean() == pytest.approx(0.5, abs=0.1)
    assert (samples.table["ambiguity"] == 1).all()


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_rows_are_missing_in_the_share_asked_for_and_in_stretches(cache: Cache, share: float) -> None:
    samples = rows(cache, seconds=20, eeg_missing=share)
    there = samples.has("eeg")
    assert (there == samples.has("features")).all()
    assert samples.has("face_features").all()
    for person in set(samples.units("subject")):
        mine = there[samples.units("subject") == person]
        assert (~mine).sum() == round(share * len(mine))
        stretches = (np.diff(mine.astype(int)) == -1).sum() + (not mine[0])
        assert stretches <= (~mine).sum() / 3  # drawn row by row, a stretch would be 1.3 rows long


def test_more_missing_holds_what_was_missing_and_changes_nothing_else(cache: Cache) -> None:
    some, more = rows(cache, face_missing=0.2), rows(cache, face_missing=0.6)
    assert not (more.has("face_features") & ~some.has("face_features")).any()
    assert some.table["emotion"].equals(more.table["emotion"])
    both = more.has("face_features")
    np.testing.assert_array_equal(some.select(both).read("face_features"), more.select(both).read("face_features"))
    assert more.table["skew"].isna().equals(~more.table["face_features_store"].notna())


def test_a_bad_sensor_records_nothing_of_what_is_felt(cache: Cache) -> None:
    samples = rows(cache, bad_sensor=1.0, subjects=8, face_fidelity=3)
    sensor = samples.table["sensor"]
    assert set(sensor) == {"eeg", "face"}
    assert (samples.table.groupby("stimulus")["sensor"].nunique() == 1).all()
    for name, modality in (("eeg", "features"), ("face", "face_features")):
        values = samples.read(modality).reshape(len(samples), -1)
        valence = samples.table["valence"].to_numpy()
        for broken in (True, False):
            mine = ((sensor == name) == broken).to_numpy()
            link = np.abs(np.corrcoef(values[mine].T, valence[mine])[-1, :-1]).max()
            assert bool(link < 0.3) is broken


def test_the_camera_is_late_by_what_skew_says(cache: Cache) -> None:
    samples = rows(cache, clock_offset=0.5, clock_drift=1000)
    middle = (samples.table["start"] + samples.table["stop"]) / 2
    np.testing.assert_allclose(samples.table["skew"], 0.5 + 1e-3 * middle)
    long = {"seconds": 20, "window": 1}

    def shown(offset: float) -> np.ndarray:  # the same noise is in both, so what is left is what is felt
        clear, blank = (rows(cache, clock_offset=offset, face_fidelity=much, **long) for much in (1, 0))
        return (clear.read("face_features") - blank.read("face_features")).reshape(72, 20, -1)

    np.testing.assert_allclose(shown(3.0)[:, :-3], shown(0.0)[:, 3:], atol=1e-5)


def test_settings_that_cannot_be_are_refused_in_one_line() -> None:
    with pytest.raises(SettingsError, match="no such range"):
        study(ambiguity=(0.5, 0.2))
    with pytest.raises(SettingsError, match="no such window"):
        study(window=9)
