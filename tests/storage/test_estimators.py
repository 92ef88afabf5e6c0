"""Estimators come back without pickle, and a file that names anything insula does not write builds nothing of it."""

from __future__ import annotations

import json
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from insula.deployment.bundle import open_bundle, write_bundle
from insula.emotions import Categorical
from insula.errors import BundleError
from insula.evaluation.recipe import Recipe
from insula.storage.estimators import load_estimator, save_estimator
from insula.systems.catalogue import system
from standin import reseal
from toy import CLASSES, toy_windows

X = np.random.default_rng(0).standard_normal((30, 3))


def test_estimators_come_back_without_pickle(tmp_path: Path) -> None:
    model = LogisticRegression().fit(X, X[:, 0] > 0)
    save_estimator(tmp_path / "m.skops", {"model": model, "centres": [X[0]]})
    again = load_estimator(tmp_path / "m.skops")
    assert np.array_equal(again["model"].predict_proba(X), model.predict_proba(X))


def text(value: str) -> dict[str, Any]:
    return {
        "__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "content": json.dumps(value),
        "is_json": True,
    }  # fmt: skip


def built(kind: str, items: list[Any]) -> dict[str, Any]:
    return {"__class__": kind, "__module__": "builtins", "__loader__": f"{kind.title()}Node", "content": items}


def none() -> dict[str, Any]:
    return {**built("dict", []), "content": {}, "key_types": built("list", [])}


def call(module: str, name: str, *arguments: Any) -> dict[str, Any]:
    """Return an entry for which skops calls what is named."""
    about = {"__class__": name, "__module__": module, "__loader__": "ConstructorFromReduceNode"}
    return {**about, "content": built("tuple", list(arguments))}


def named(loader: str, module: str, name: str, **more: Any) -> dict[str, Any]:
    return {"__class__": name, "__module__": module, "__loader__": loader, **more}


def attack(path: Path, entry: dict[str, Any], protocol: int = 2) -> Path:
    """Write a skops file that has one entry."""
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("schema.json", json.dumps({**entry, "protocol": protocol, "_skops_version": "0.16.0"}))
    return path


def shell(marker: Path) -> dict[str, Any]:
    """Return an entry that runs a shell command where "numpy." is trusted."""
    command = f"import os; os.system('touch {marker}')"
    return call("numpy.testing._private.utils", "runstring", text(command), none())


def test_what_is_refused_below_would_run_a_command_where_a_prefix_is_trusted(tmp_path: Path) -> None:
    path = attack(tmp_path / "evil.skops", shell(tmp_path / "ran"))
    names = skops.io.get_untrusted_types(file=path)
    assert names == ["numpy.testing._private.utils.runstring"]
    skops.io.load(path, trusted=names)
    assert (tmp_path / "ran").exists()


def test_a_resealed_bundle_that_would_run_a_command_is_refused(tmp_path: Path) -> None:
    windows = toy_windows()
    fitted = system("linear", modality="features")
    fitted.fit(windows, windows.select([]), Categorical(label="emotion", classes=CLASSES))
    folder = tmp_path / "bundle"
    write_bundle(fitted, "linear", Recipe.load("watermelon"), folder, {"classes": list(CLASSES)})
    attack(folder / "system" / "estimator.skops", shell(tmp_path / "ran"))
    reseal(folder)
    with pytest.warns(UserWarning), pytest.raises(BundleError, match=r"refused to load numpy\.testing") as caught:
        open_bundle(folder)
    assert not (tmp_path / "ran").exists() and "\n" not in str(caught.value)


STRANGERS = {
    "a function of numpy": named("FunctionNode", "numpy.f2py", "run_main"),
    "a universal function": named("FunctionNode", "numpy", "add"),
    "a type": named("TypeNode", "subprocess", "Popen"),
    "a type that skops trusts": named("TypeNode", "builtins", "int"),
    "eval": named("TypeNode", "builtins", "eval"),
    "os": call("os", "system", text("true")),
    "an object that is called": call("sklearn.pipeline", "Pipeline", built("list", [])),
    "an estimator that skops trusts": named("ObjectNode", "sklearn.preprocessing._function_transformer",
                                            "FunctionTransformer", content=none()),
    "an estimator by another way": named("TypeNode", "sklearn.svm._classes", "SVC"),
    "a method": named("MethodNode", "sklearn.svm._classes", "SVC",
                      content={"obj": named("ObjectNode", "sklearn.svm._classes", "SVC"), "func": "fit"}),
    "an operator": named("OperatorFuncNode", "operator", "methodcaller", attrs=built("tuple", [text("fit")])),
    "within a list": built("list", [text("a"), call("os", "system", text("true"))]),
    "where no entry is looked for": {**built("list", []), "more": {"deep": [named("TypeNode", "os", "system")]}},
    "without a way": {"__class__": "Popen", "__module__": "subprocess"},
}  # fmt: skip


@pytest.mark.parametrize("name", STRANGERS)
@pytest.mark.parametrize("protocol", [0, 2])
def test_whatever_is_not_on_the_list_is_refused(tmp_path: Path, name: str, protocol: int) -> None:
    with pytest.raises(BundleError, match="refused to load") as caught:
        load_estimator(attack(tmp_path / "evil.skops", STRANGERS[name], protocol))
    assert "\n" not in str(caught.value)


def test_what_scikit_learn_could_do_with_functions_is_refused(tmp_path: Path) -> None:
    save_estimator(tmp_path / "m.skops", make_pipeline(FunctionTransformer(np.log)).fit(X))
    with pytest.raises(BundleError, match=r"refused to load (numpy\.log|sklearn.*FunctionTransformer)"):
        load_estimator(tmp_path / "m.skops")
    save_estimator(tmp_path / "evil.skops", {"run": subprocess.Popen})
    with pytest.raises(BundleError, match=r"refused to load subprocess\.Popen"):
        load_estimator(tmp_path / "evil.skops")


@pytest.mark.parametrize("harm", ["no zip", "no schema", "deep", "no sense", "absent"])
def test_what_cannot_be_read_is_one_line(tmp_path: Path, harm: str) -> None:
    path = tmp_path / "m.skops"
    if harm == "no zip":
        path.write_text("hello")
    elif harm == "no sense":
        attack(path, {**built("list", []), "content": 7})
    elif harm != "absent":
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("other.json" if harm == "no schema" else "schema.json", "[" * 100_000)
    with pytest.raises(BundleError, match="the estimator cannot be read") as caught:
        load_estimator(path)
    assert "\n" not in str(caught.value)
