"""Estimators of scikit-learn as plain arrays and plain values, of which nothing is built but what is on a list.

A file is safetensors: arrays, and in its metadata a structure in JSON that says what they belong to. An estimator is
the name of its class, which must stand in the table below, and its attributes. No function is named in a file, and none
is called with what a file holds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from insula.errors import BundleError

_ESTIMATORS: Mapping[str, tuple[str, ...]] = {
    "pyriemann.tangentspace": ("TangentSpace",),
    "sklearn.calibration": ("CalibratedClassifierCV", "_CalibratedClassifier", "_SigmoidCalibration"),
    "sklearn.cross_decomposition._pls": ("PLSRegression",),
    "sklearn.decomposition._pca": ("PCA",),
    "sklearn.dummy": ("DummyClassifier", "DummyRegressor"),
    "sklearn.ensemble._forest": ("ExtraTreesRegressor", "RandomForestRegressor"),
    "sklearn.kernel_ridge": ("KernelRidge",),
    "sklearn.linear_model._logistic": ("LogisticRegression", "LogisticRegressionCV"),
    "sklearn.linear_model._ridge": ("Ridge", "RidgeCV"),
    "sklearn.neural_network._multilayer_perceptron": ("MLPRegressor",),
    "sklearn.pipeline": ("Pipeline",),
    "sklearn.preprocessing._data": ("StandardScaler",),
    "sklearn.svm._classes": ("SVC",),
    "sklearn.tree._classes": ("DecisionTreeRegressor", "ExtraTreeRegressor"),
}
_CLASSES = {f"{module}.{name}": (module, name) for module, names in _ESTIMATORS.items() for name in names}
_LEFT_OUT = ("_optimizer", "_random_state")  # of a perceptron, to go on learning
_STRUCTURE = "structure"
_DO = "use a bundle that insula wrote, or fit it again"


def save_estimator(path: Path, estimator: Any) -> None:
    """Write a fitted estimator, or a dict, list or tuple of estimators, arrays and plain values.

    Raises
    ------
    BundleError
        Where it holds anything that could not be read again.
    """
    from safetensors.numpy import save_file

    arrays: dict[str, np.ndarray] = {}
    structure = json.dumps(_taken_apart(estimator, arrays, path))
    save_file(arrays, path, {_STRUCTURE: structure})


def _taken_apart(value: Any, arrays: dict[str, np.ndarray], path: Path) -> Any:
    """Return a value as JSON has it: plain values as they are, all else as an object of one key, which is its kind."""

    def part(inner: Any) -> Any:
        return _taken_apart(inner, arrays, path)

    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "biuf":
        # By columns where it was so: sums of another layout differ in their last digit.
        turned = value.ndim > 1 and value.flags.f_contiguous and not value.flags.c_contiguous
        name = str(len(arrays))
        arrays[name] = np.array(value.T if turned else value, order="C")
        return {"columns" if turned else "array" if isinstance(value, np.ndarray) else "number": name}
    if isinstance(value, np.ndarray) and value.dtype.kind == "O" and value.ndim == 1:
        return {"objects": [part(inner) for inner in value]}
    if type(value) in (list, tuple):
        return {type(value).__name__: [part(inner) for inner in value]}
    if type(value) is dict:
        return {"dict": [[part(key), part(inner)] for key, inner in value.items()]}
    name = f"{type(value).__module__}.{type(value).__qualname__}"
    if name == "sklearn.tree._tree.Tree":
        state = value.__getstate__()
        nodes = {field: state["nodes"][field] for field in state["nodes"].dtype.names}
        sizes = [value.n_features, value.n_classes, value.n_outputs, state["max_depth"]]
        return {"tree": [part(sizes), part(nodes), part(state["values"])]}
    if name not in _CLASSES:
        raise BundleError(f"refused to save {name}", where=path, do="save estimators that insula fits")
    about = {key: inner for key, inner in value.__getstate__().items() if key not in _LEFT_OUT}
    return {"estimator": [name, part(about)]}


def load_estimator(path: Path) -> Any:
    """Read what `save_estimator` wrote.

    Raises
    ------
    BundleError
        Where the file names anything that insula does not write, or cannot be read.
    """
    from safetensors import safe_open

    try:
        with safe_open(path, "numpy") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return _put_together(json.loads(file.metadata()[_STRUCTURE]), arrays, path)
    except BundleError:
        raise
    except Exception as error:  # whatever a file without sense leads to
        what = f"the estimator cannot be read: {type(error).__name__}"
        raise BundleError(what, where=path, do=_DO) from None


def _put_together(value: Any, arrays: dict[str, np.ndarray], path: Path) -> Any:
    """Return what a value of the structure stands for; an array is had once, so that no file grows in memory."""

    def part(inner: Any) -> Any:
        return _put_together(inner, arrays, path)

    if not isinstance(value, dict):
        if isinstance(value, list):
            raise ValueError("a list of no kind")
        return value
    ((kind, inner),) = value.items()
    if kind in ("array", "columns", "number"):
        array = arrays.pop(inner)
        return array.T if kind == "columns" else array if kind == "array" else array[()]
    if kind in ("list", "tuple", "tree", "objects"):
        parts = [part(one) for one in inner]
        return parts if kind == "list" else np.array(parts, object) if kind == "objects" else tuple(parts)
    if kind == "dict":
        return {part(key): part(one) for key, one in inner}
    if kind != "estimator" or inner[0] not in _CLASSES:
        name = inner[0] if kind == "estimator" else kind
        raise BundleError(f"refused to load {name}", where=path, do=_DO)
    module, name = _CLASSES[inner[0]]
    kept: Any = getattr(import_module(module), name)
    estimator, about = kept.__new__(kept), part(inner[1])
    _check(name, about)
    if hasattr(estimator, "__setstate__"):  # scikit-learn's own, which warns of another version
        estimator.__setstate__(about)
    else:
        vars(estimator).update(about)
    return estimator


def _check(name: str, about: dict[str, Any]) -> None:
    """Refuse what compiled code would follow without looking, and build the tree of what has one."""
    trees = [one.tree_ for one in about.get("estimators_", ())]
    if "tree_" in about:
        about["tree_"] = _tree(*about["tree_"])
        trees.append(about["tree_"])
    if any(tree.n_features != about["n_features_in_"] for tree in trees):
        raise ValueError("a tree of another width")
    if name == "SVC" and "_n_support" in about:  # one that is not fitted is a template of others
        vectors, counts, classes = about["support_vectors_"], about["_n_support"], len(about["classes_"])
        pairs = classes * (classes - 1) // 2
        sound = (
            about["kernel"] in ("linear", "poly", "rbf", "sigmoid")
            and about["_sparse"] is False
            and "_impl" not in about
            and len(counts) == classes > 1
            and (counts >= 0).all()
            and vectors.shape == (counts.sum(), about["n_features_in_"])
            and about["support_"].shape == vectors.shape[:1]
            and about["_dual_coef_"].shape == (classes - 1, len(vectors))
            and about["_intercept_"].shape == (pairs,)
            and {len(about["_probA"]), len(about["_probB"])} <= {0, pairs}
        )
        if not sound:
            raise ValueError("support vectors that do not belong together")


def _tree(sizes: list[Any], fields: dict[str, np.ndarray], values: np.ndarray) -> Any:
    """Return a tree of its nodes, which lead to nodes that come after them, as compiled code takes for granted."""
    from sklearn.tree._tree import Tree

    features, classes, outputs, depth = sizes
    if classes.shape != (outputs,) or values.shape[1:] != (outputs, classes.max()) or not values.size:
        raise ValueError("values of another shape")
    tree = Tree(features, classes, outputs)
    count = len(values)
    nodes = np.empty(count, tree.__getstate__()["nodes"].dtype)
    for name in nodes.dtype.names:
        nodes[name] = fields[name]
    own, leaf = np.arange(count), nodes["left_child"] == -1  # the only number that compiled code takes for a leaf
    for name in ("left_child", "right_child"):
        if not (leaf | ((nodes[name] > own) & (nodes[name] < count))).all():
            raise ValueError("a node that leads nowhere")
    if not (leaf | ((nodes["feature"] >= 0) & (nodes["feature"] < features))).all():
        raise ValueError("a feature that is not there")
    tree.__setstate__({"max_depth": depth, "node_count": count, "nodes": nodes, "values": values})
    return tree
