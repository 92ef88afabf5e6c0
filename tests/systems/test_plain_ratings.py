"""Plain models of ratings: the constant and the ridge, whose strength is chosen on trials it has not seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from insula.emotions import Continuous
from insula.errors import SettingsError
from insula.samples import ArrayStore, Description, Samples, provenance
from insula.systems.baselines.plain import Linear, Majority, PlainSettings, Stratified, SupportVectors
from insula.systems.baselines.strength import STRENGTHS, choose_strength

TASK = Continuous(label="valence", scale=(1, 9))
SETTINGS = PlainSettings(modality="features")


def rated(trials: int = 12, rows: int = 8, seed: int = 0) -> Samples:
    rng = np.random.default_rng(seed)
    trial = np.repeat(np.arange(trials), rows)
    values = rng.standard_normal((trials, 6))[trial] + 0.3 * rng.standard_normal((len(trial), 6))
    store = ArrayStore(values.astype(np.float32), Description(kind="features", axes=("feature",)))
    table = provenance(corpus="c", subject="S1", session="1", trial=trial.astype(str), start=np.arange(len(trial)) / 4)
    valence = np.clip(5 + values[:, 0] + 0.3 * rng.standard_normal(len(trial)), 1, 9)
    table = table.assign(valence=np.where(np.arange(len(trial)) % 7 == 6, np.nan, valence))
    return Samples(table, {}).with_modality("features", "features", store, range(len(trial)))


def test_the_constant_says_the_mean_of_the_training_ratings_in_their_own_units(tmp_path: Path) -> None:
    samples = rated()
    system = Majority(SETTINGS).fit(samples, samples.select([]), TASK)
    said = system.predict(samples)
    assert said.classes == () and said.table["rating"].to_numpy() == pytest.approx(samples.table["valence"].mean())
    system.save(tmp_path / "saved")
    assert Majority.load(tmp_path / "saved").predict(samples).table.equals(said.table)


def test_a_ridge_learns_from_the_rows_that_have_both(tmp_path: Path) -> None:
    samples = rated()
    stored = samples.rows("features").copy()
    stored[:5] = -1
    system = Linear(SETTINGS).fit(samples.with_columns(features_row=stored), samples.select([]), TASK)
    new = rated(seed=0)
    said = system.predict(new).table["rating"].to_numpy()
    known = new.table["valence"].notna().to_numpy()
    assert np.corrcoef(said[known], new.table["valence"].to_numpy()[known])[0, 1] > 0.8
    assert system.summary()["strength of the ridge"] in STRENGTHS
    system.save(tmp_path / "saved")
    assert Linear.load(tmp_path / "saved").predict(new).table["rating"].to_numpy() == pytest.approx(said)


@pytest.mark.parametrize("kind", [Stratified, SupportVectors])
def test_models_of_classes_say_that_they_learn_no_ratings(kind: type) -> None:
    with pytest.raises(SettingsError, match=f"{kind.__name__} learns no ratings"):
        kind(SETTINGS).fit(rated(), rated().select([]), TASK)


def test_the_strength_is_that_of_scikit_learns_search_over_the_same_groups() -> None:
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import GridSearchCV, GroupKFold

    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(15), 6)
    for noise in (0.1, 3.0, 30.0):
        features = rng.standard_normal((90, 8))
        ratings = features[:, 0] + noise * rng.standard_normal(90)
        search = GridSearchCV(Ridge(), {"alpha": STRENGTHS}, cv=GroupKFold(5), scoring="neg_mean_squared_error")
        expected = search.fit(features, ratings, groups=groups).best_params_["alpha"]
        assert choose_strength(features, ratings, groups) == expected


def test_rows_that_repeat_each_other_do_not_choose_a_weak_ridge() -> None:
    rng = np.random.default_rng(2)
    groups = np.repeat(np.arange(20), 30)
    features = rng.standard_normal((20, 40))[groups] + 0.05 * rng.standard_normal((600, 40))
    ratings = rng.standard_normal(20)[groups]  # a trial's rating, which nothing in its features tells
    assert choose_strength(features, ratings, groups) > 100 * choose_strength(features, ratings, np.arange(600))
