"""Estimators of scikit-learn in skops files, of which nothing is built but what is on a list.

skops trusts types and functions by their names: those of whole libraries, and what its caller adds. Here every entry of
a file must be one that insula itself writes: the way it is built, its module and its name. None of them is a function,
and none is built by calling something with arguments from the file.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from insula.errors import BundleError

_ESTIMATORS = {
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
    "sklearn.neural_network._stochastic_optimizers": ("AdamOptimizer",),
    "sklearn.pipeline": ("Pipeline",),
    "sklearn.preprocessing._data": ("StandardScaler",),
    "sklearn.svm._classes": ("SVC",),
    "sklearn.tree._classes": ("DecisionTreeRegressor", "ExtraTreeRegressor"),
}
_KNOWN = {
    ("DictNode", "builtins", "dict"),
    ("JsonNode", "builtins", "str"),
    ("ListNode", "builtins", "list"),
    ("NdArrayNode", "numpy", "float32"),
    ("NdArrayNode", "numpy", "float64"),
    ("NdArrayNode", "numpy", "int64"),
    ("NdArrayNode", "numpy", "ndarray"),
    ("RandomStateNode", "numpy.random.mtrand", "RandomState"),
    ("TreeNode", "sklearn.tree._tree", "Tree"),
    ("TupleNode", "builtins", "tuple"),
    ("TypeNode", "builtins", "str"),
    *(("ObjectNode", module, name) for module, names in _ESTIMATORS.items() for name in names),
}
"""How skops builds it, module and name of everything in the files that insula writes."""

_ENTRY = ("__loader__", "__module__", "__class__")


def save_estimator(path: Path, estimator: Any) -> None:
    """Write a scikit-learn estimator with skops, compressed."""
    import skops.io

    skops.io.dump(estimator, path, compression=zipfile.ZIP_DEFLATED, compresslevel=1)


def load_estimator(path: Path) -> Any:
    """Read a scikit-learn estimator.

    Raises
    ------
    BundleError
        Where the file names anything that insula does not write, or cannot be read.
    """
    for entry in _entries(path):
        if entry not in _KNOWN:
            _, module, name = entry
            raise BundleError(f"refused to load {module}.{name}", where=path, do="use a bundle that insula wrote")
    import skops.io

    try:
        return skops.io.load(path, trusted=sorted({f"{module}.{name}" for _, module, name in _KNOWN}))
    except Exception as error:  # whatever an entry without sense leads to
        raise _unreadable(path, error) from None


def _entries(path: Path) -> Iterator[tuple[object, ...]]:
    """Yield the way, module and name of everything in a file that says so of itself, wherever in it that stands."""
    try:
        with zipfile.ZipFile(path) as file:
            left = [json.loads(file.read("schema.json"))]
    except (zipfile.BadZipFile, KeyError, ValueError, RecursionError, OSError) as error:
        raise _unreadable(path, error) from None
    while left:
        part = left.pop()
        if isinstance(part, dict):
            if any(name in part for name in _ENTRY):
                yield tuple(str(part.get(name)) for name in _ENTRY)
            left += part.values()
        elif isinstance(part, list):
            left += part


def _unreadable(path: Path, error: Exception) -> BundleError:
    what = f"the estimator cannot be read: {type(error).__name__}"
    return BundleError(what, where=path, do="use a bundle that insula wrote, or fit it again")
