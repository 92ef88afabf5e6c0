"""Estimators as torch modules: what scikit-learn's own predict."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cross_decomposition import PLSRegression
from sklearn.decomposition import PCA
from sklearn.ensemble import ExtraTreesRegressor, GradientBoostingRegressor, RandomForestRegressor
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV, Ridge, RidgeCV
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from insula.errors import SettingsError
from insula.networks.forest import Forests
from insula.systems.estimators import (
    classifier_module,
    inverse_module,
    regressor_module,
    transformer_module,
    tree_arrays,
)

RNG = np.random.default_rng(0)
SEEN, NEW = (RNG.standard_normal((n, 8)).astype(np.float32) * 3 + 100 for n in (60, 40))
TARGETS = SEEN @ RNG.standard_normal((8, 3)) + RNG.standard_normal((60, 3))


def given(module: torch.nn.Module, values: np.ndarray) -> np.ndarray:
    return module(torch.from_numpy(values)).numpy()


@pytest.mark.parametrize("steps", [[StandardScaler()], [PCA(4)], [StandardScaler(), PCA(5), StandardScaler()]])
def test_transformers_go_there_and_back(steps: list) -> None:
    fitted = make_pipeline(*steps).fit(SEEN)
    there = fitted.transform(NEW.astype(float))
    assert np.allclose(given(transformer_module(fitted), NEW), there, rtol=0, atol=1e-9)
    assert np.allclose(given(inverse_module(fitted), there), fitted.inverse_transform(there), rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    "regressor",
    [
        Ridge(2.0),
        RidgeCV(),
        PLSRegression(3, scale=False),
        PLSRegression(2),
        KernelRidge(kernel="rbf", gamma=0.01, alpha=0.1),
        MLPRegressor(hidden_layer_sizes=(16,), max_iter=30),
    ],
    ids=lambda one: type(one).__name__,
)
@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_regressors(regressor: object, outputs: int) -> None:
    seen, new = (values.astype(float) - 100 for values in (SEEN, NEW))
    fitted = regressor.fit(seen, TARGETS[:, :outputs])  # type: ignore[attr-defined]
    assert np.allclose(given(regressor_module(fitted), new), fitted.predict(new).reshape(40, -1), rtol=0, atol=1e-9)


@pytest.mark.parametrize("kind", [RandomForestRegressor, ExtraTreesRegressor])
@pytest.mark.parametrize("outputs", [1, 3])
def test_each_tree_takes_its_own_way(kind: type, outputs: int) -> None:
    fitted = kind(12, min_samples_leaf=2, random_state=0).fit(SEEN, TARGETS[:, :outputs])
    new = np.concatenate([NEW, SEEN])
    trees = np.stack([tree.predict(new).reshape(len(new), -1) for tree in fitted.estimators_], axis=1)
    (predicted,) = Forests([tree_arrays(fitted)])(torch.from_numpy(new))
    assert np.allclose(predicted, trees, rtol=1e-6, atol=0)


def test_a_feature_at_a_threshold_goes_where_scikit_learn_lets_it_go() -> None:
    """Thresholds are in float64, features and the module's thresholds in float32: neighbours of each are tried."""
    fitted = RandomForestRegressor(20, random_state=0).fit(SEEN[:, :1], TARGETS[:, 0])
    near = np.concatenate([tree.tree_.threshold for tree in fitted.estimators_]).astype(np.float32)
    near = np.concatenate([near, np.nextafter(near, np.float32(np.inf)), np.nextafter(near, np.float32(-np.inf))])
    (predicted,) = Forests([tree_arrays(fitted)])(torch.from_numpy(near[:, None]))
    assert np.allclose(predicted.mean(dim=1)[:, 0], fitted.predict(near[:, None]), rtol=1e-6, atol=0)


@pytest.mark.parametrize("codes", [(0, 1), (1, 3), (0, 2, 3), (0, 1, 2, 3, 4)])
@pytest.mark.parametrize(
    "classifier",
    [
        LogisticRegression(),
        LogisticRegressionCV(Cs=[0.1], cv=2, l1_ratios=(0.0,), use_legacy_attributes=False, scoring="neg_log_loss"),
        CalibratedClassifierCV(SVC(C=10.0), ensemble=False),
    ],
    ids=lambda one: type(one).__name__,
)
def test_classifiers_and_classes_that_were_not_there(classifier: object, codes: tuple[int, ...]) -> None:
    labels = np.array(codes)[np.argsort(TARGETS[:, 0]).argsort() * len(codes) // 60]
    fitted = make_pipeline(StandardScaler(), classifier).fit(SEEN, labels)
    wanted = np.zeros((40, 6))
    wanted[:, list(codes)] = fitted.predict_proba(NEW)
    assert np.allclose(given(classifier_module(fitted, 6), NEW), wanted, rtol=0, atol=1e-6)


def test_what_has_no_module_is_named() -> None:
    with pytest.raises(SettingsError, match="a GradientBoostingRegressor is in no bundle: use one of KernelRidge"):
        regressor_module(GradientBoostingRegressor().fit(SEEN, TARGETS[:, 0]))
