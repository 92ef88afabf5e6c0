"""From picture to virtual EEG: six regressors, trees that see rotated targets, and how far trees disagree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics import r2_score
from sklearn.preprocessing import StandardScaler

from insula.storage.folder import load_estimator, save_estimator
from insula.systems.bmci.regression import VirtualEEG, out_of_fold
from insula.systems.bmci.settings import BMCISettings

SETTINGS = BMCISettings(trees=20, folds=3, target_dimensions=None, components=None)
KINDS = ("forest", "extra-trees", "kernel-ridge", "ridge", "partial-least-squares", "perceptron")


def _learnable(n: int = 150, noise: float = 0.3, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return features of falling variance, as after a rotation, and 40 targets that two of them decide."""
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((n, 12)) * np.linspace(3, 1, 12)
    decided = np.tanh(features[:, :2]) @ rng.standard_normal((2, 40))
    targets = decided + noise * rng.standard_normal((n, 40))
    return features.astype(np.float32), targets.astype(np.float32), np.arange(n) // 3


@pytest.mark.parametrize("kind", KINDS)
def test_every_regressor_learns_and_survives_saving(kind: str, tmp_path: Path) -> None:
    features, targets, groups = _learnable()
    fitted = VirtualEEG(features[:100], targets[:100], groups[:100], SETTINGS, kind)  # type: ignore[arg-type]
    said = fitted.predict(features[100:])
    assert said.shape == (50, 40) and said.dtype == np.float32
    assert r2_score(targets[100:], said) > 0.3
    save_estimator(tmp_path / "regressor.safetensors", fitted.parts())
    loaded = VirtualEEG.of(load_estimator(tmp_path / "regressor.safetensors"))
    assert np.array_equal(loaded.predict(features[100:]), said)
    assert np.array_equal(loaded.spread(features[100:]), fitted.spread(features[100:]), equal_nan=True)


@pytest.mark.parametrize("kind", KINDS)
def test_no_regressor_finds_anything_in_noise(kind: str) -> None:
    features, _, groups = _learnable()
    targets = np.random.default_rng(1).standard_normal((150, 40)).astype(np.float32)
    settings = SETTINGS.model_copy(update={"regressors": (kind,)})
    assert out_of_fold(features, targets, groups, settings)[2][kind]["uniform"] < 0.02


def test_trees_that_see_rotated_targets_say_what_plain_trees_say() -> None:
    features, targets, groups = _learnable()
    scaler = StandardScaler().fit(targets[:100])
    plain = RandomForestRegressor(100, max_features="sqrt", min_samples_leaf=2, random_state=0)
    plain.fit(features[:100], scaler.transform(targets[:100]))
    expected = scaler.inverse_transform(plain.predict(features[100:]))
    fitted = VirtualEEG(
        features[:100], targets[:100], groups[:100], SETTINGS.model_copy(update={"trees": 100}), "forest"
    )
    said = fitted.predict(features[100:])
    assert fitted.model.n_outputs_ < 40
    assert np.corrcoef(said.ravel(), expected.ravel())[0, 1] > 0.99
    assert abs(r2_score(targets[100:], said) - r2_score(targets[100:], expected)) < 0.02


def test_kernel_ridge_is_that_of_standardised_features() -> None:
    rng = np.random.default_rng(0)
    standard = StandardScaler().fit_transform(rng.standard_normal((60, 8)))
    rotation = np.linalg.qr(rng.standard_normal((8, 8)))[0]
    targets = np.sin(standard[:, :1]) * np.ones(5) + 0.1 * rng.standard_normal((60, 5))
    fitted = VirtualEEG(standard @ rotation, targets, np.arange(60), SETTINGS, "kernel-ridge")
    alpha, gamma = fitted.model.alpha, fitted.model.gamma / 8  # the specification's is over the number of features
    assert alpha in (0.01, 0.1, 1, 10) and fitted.model.gamma in (0.25, 1, 4)
    scaler = StandardScaler().fit(targets)
    reference = KernelRidge(alpha=alpha, gamma=gamma, kernel="rbf").fit(standard, scaler.transform(targets))
    expected = scaler.inverse_transform(reference.predict(standard))
    assert np.allclose(fitted.predict(standard @ rotation), expected, atol=1e-4)


def test_spread_is_the_deviation_over_trees_and_grows_where_nothing_was_learnt() -> None:
    features, targets, groups = _learnable()
    fitted = VirtualEEG(features, targets, groups, SETTINGS, "extra-trees")
    trees = np.array([tree.predict(features) for tree in fitted.model.estimators_])
    scaled = fitted.target.transform(targets)
    expected = np.sqrt(trees.var(axis=0).sum(axis=1) / scaled.var(axis=0).sum())
    assert np.allclose(fitted.spread(features), expected, rtol=1e-4)
    noise = np.random.default_rng(1).standard_normal(targets.shape).astype(np.float32)
    assert VirtualEEG(features, noise, groups, SETTINGS, "extra-trees").spread(features).mean() > expected.mean()
    assert np.isnan(VirtualEEG(features, targets, groups, SETTINGS, "ridge").spread(features)).all()


def test_several_views_of_a_picture_do_not_choose_the_penalty_for_each_other() -> None:
    rng = np.random.default_rng(0)
    features = np.repeat(rng.standard_normal((40, 60)), 4, axis=0).astype(np.float32)
    targets = np.repeat(rng.standard_normal((40, 10)), 4, axis=0).astype(np.float32)
    people = np.repeat(np.arange(40), 4)
    together = VirtualEEG(features, targets, people, SETTINGS, "ridge", views=4)
    apart = VirtualEEG(features, targets, people, SETTINGS, "ridge", views=1)
    assert together.model.alpha > 100 * apart.model.alpha_, "noise: only the views of a picture foretell each other"


def test_one_person_alone_can_still_be_learnt_from() -> None:
    features, targets, _ = _learnable(40)
    for kind in ("kernel-ridge", "partial-least-squares"):
        fitted = VirtualEEG(features, targets, np.zeros(40), SETTINGS, kind)  # type: ignore[arg-type]
        assert np.isfinite(fitted.predict(features)).all()
