"""Estimators come back without pickle, and a file that names anything insula does not write builds nothing of it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyriemann.tangentspace import TangentSpace
from safetensors import safe_open
from safetensors.numpy import save_file
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV, RidgeCV
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

from insula.errors import BundleError
from insula.storage.estimators import load_estimator, save_estimator

X = np.random.default_rng(0).standard_normal((30, 3))
LABELS, RATINGS = np.arange(30) % 3, X @ np.ones((3, 2))
COVARIANCES = np.stack([np.cov(np.random.default_rng(row).standard_normal((3, 20))) for row in range(30)])
FITTED: dict[str, tuple[Any, np.ndarray, str]] = {
    "logistic regression": (LogisticRegression().fit(X, LABELS), X, "predict_proba"),
    "one with a chosen strength": (LogisticRegressionCV(Cs=2, cv=2, scoring="accuracy", use_legacy_attributes=True)
                                   .fit(X, LABELS), X, "predict_proba"),
    "support vectors": (make_pipeline(StandardScaler(), CalibratedClassifierCV(SVC(), ensemble=False, cv=2))
                        .fit(X, LABELS), X, "predict_proba"),
    "tangent space": (TangentSpace("riemann").fit(COVARIANCES), COVARIANCES, "transform"),
    "forest": (ExtraTreesRegressor(3, random_state=0).fit(X, RATINGS), X, "predict"),
    "ridge": (RidgeCV().fit(X, RATINGS), X, "predict"),
    "perceptron": (MLPRegressor(hidden_layer_sizes=(4,), max_iter=2).fit(X, RATINGS), X, "predict"),
    "main directions": (PCA(2).fit(X), X, "transform"),
    "lots": (DummyClassifier(strategy="stratified", random_state=0).fit(X, LABELS), X, "predict_proba"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")  # of a perceptron that is not done
@pytest.mark.parametrize("name", FITTED)
def test_estimators_come_back_to_the_last_bit(name: str, tmp_path: Path) -> None:
    model, given, method = FITTED[name]
    save_estimator(tmp_path / "m.safetensors", {"model": model, "centres": [X[0]], "spans": (1, None, np.float64(2))})
    again = load_estimator(tmp_path / "m.safetensors")
    assert np.array_equal(getattr(again["model"], method)(given), getattr(model, method)(given))
    assert np.array_equal(again["centres"][0], X[0]) and again["spans"] == (1, None, 2.0)


def written(path: Path, structure: Any, **arrays: np.ndarray) -> Path:
    """Write a file of one's own making."""
    text = structure if isinstance(structure, str) else json.dumps(structure)
    save_file(arrays, path, {"structure": text})
    return path


STRANGERS = {
    "a function": {"estimator": ["os.system", {"dict": []}]},
    "a type": {"estimator": ["subprocess.Popen", {"dict": []}]},
    "an estimator of scikit-learn that is not listed": {"estimator": [
        "sklearn.preprocessing._function_transformer.FunctionTransformer", {"dict": []}]},
    "a module of a listed estimator": {"estimator": ["sklearn.svm._classes.LinearSVC", {"dict": []}]},
    "within a list": {"list": ["a", {"estimator": ["os.system", {"dict": []}]}]},
    "within an estimator": {"estimator": ["sklearn.pipeline.Pipeline", {"dict": [
        ["steps", {"list": [{"tuple": ["a", {"estimator": ["builtins.eval", {"dict": []}]}]}]}]]}]},
    "another kind": {"reduce": ["os.system", {"list": ["true"]}]},
}  # fmt: skip


@pytest.mark.parametrize("name", STRANGERS)
def test_whatever_is_not_on_the_list_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BundleError, match="refused to load") as caught:
        load_estimator(written(tmp_path / "evil.safetensors", STRANGERS[name]))
    assert "\n" not in str(caught.value)


def test_what_could_not_be_read_again_is_not_written(tmp_path: Path) -> None:
    for value in (make_pipeline(FunctionTransformer(np.log)).fit(X), {"run": subprocess.Popen}, {"run": np.log}):
        with pytest.raises(BundleError, match="refused to save") as caught:
            save_estimator(tmp_path / "m.safetensors", value)
        assert "\n" not in str(caught.value) and not (tmp_path / "m.safetensors").exists()


def altered(path: Path, estimator: Any, field: str, change: Any) -> Path:
    """Save an estimator, and write it anew with another value where a field of this name comes first."""
    save_estimator(path, estimator)
    with safe_open(path, "numpy") as file:
        structure = json.loads(file.metadata()["structure"])
        arrays = {name: np.array(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118

    def first(value: Any) -> Any:
        if isinstance(value, list) and len(value) == 2 and value[0] == field:
            return value
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        return next((pair for pair in map(first, inner) if pair), None)

    pair = first(structure)
    if callable(change):
        number = next(iter(pair[1].values()))
        arrays[number] = np.ascontiguousarray(change(arrays[number]))
    else:
        pair[1] = change
    return written(path, structure, **arrays)


TREES = ExtraTreesRegressor(2, random_state=0).fit(X, RATINGS)


@pytest.mark.parametrize("number", [1 << 30, -100_000_000, -2])
@pytest.mark.parametrize("field", ["left_child", "right_child", "feature"])
def test_a_tree_that_leads_out_of_itself_is_refused(tmp_path: Path, field: str, number: int) -> None:
    """Compiled code follows it without looking."""
    path = altered(tmp_path / "m", TREES.estimators_[0], field, lambda own: np.r_[number, own[1:]].astype(own.dtype))
    with pytest.raises(BundleError, match="the estimator cannot be read"):
        load_estimator(path)


@pytest.mark.parametrize("model", [TREES, TREES.estimators_[0]])
def test_a_tree_wider_than_its_estimator_is_refused(tmp_path: Path, model: Any) -> None:
    """Of a forest the first field of the name is its own."""
    with pytest.raises(BundleError, match="the estimator cannot be read"):
        load_estimator(altered(tmp_path / "m", model, "n_features_in_", 2))


MACHINE = SVC().fit(X, LABELS)


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("_n_support", lambda own: own + np.array([1 << 20, 0, -(1 << 20)], own.dtype)),
        ("_n_support", lambda own: own + np.array([1, 0, 0], own.dtype)),
        ("_n_support", lambda own: np.r_[own, 0].astype(own.dtype)),
        ("support_", lambda own: own[1:]),
        ("support_vectors_", lambda own: own[1:]),
        ("_dual_coef_", lambda own: own[1:]),
        ("_intercept_", lambda own: own[1:]),
        ("_probA", lambda own: np.ones(1)),
        ("kernel", "precomputed"),
    ],
)
def test_support_vectors_that_do_not_belong_together_are_refused(tmp_path: Path, field: str, change: Any) -> None:
    with pytest.raises(BundleError, match="the estimator cannot be read"):
        load_estimator(altered(tmp_path / "m", MACHINE, field, change))


def test_an_array_stands_in_one_place(tmp_path: Path) -> None:
    """A small file that names it often would fill the memory."""
    path = written(tmp_path / "m", {"list": [{"array": "0"}] * 2}, **{"0": X})
    with pytest.raises(BundleError, match="the estimator cannot be read"):
        load_estimator(path)


@pytest.mark.parametrize("harm", ["no safetensors", "no structure", "deep", "no sense", "no such array", "absent"])
def test_what_cannot_be_read_is_one_line(tmp_path: Path, harm: str) -> None:
    path = tmp_path / "m.safetensors"
    if harm == "no safetensors":
        path.write_text("hello")
    elif harm == "no structure":
        save_file({"a": X}, path)
    elif harm != "absent":
        written(path, {"deep": "[" * 100_000, "no sense": {"list": 7}, "no such array": {"array": "7"}}[harm])
    with pytest.raises(BundleError, match="the estimator cannot be read") as caught:
        load_estimator(path)
    assert "\n" not in str(caught.value)
