"""Systems, networks, estimators and corpora of a user's own, by import path, without touching the package."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from insula.corpora.catalogue import corpus
from insula.deployment.fitting import fit_bundle
from insula.errors import DataError, SettingsError
from insula.evaluation.experiment import run
from insula.evaluation.recipe import Recipe
from insula.samples import Samples
from insula.storage.cache import Cache
from insula.systems.catalogue import system, system_class

MINE = """
from pathlib import Path
from torch import nn
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from insula.corpora.watermelon import Watermelon
from insula.systems.baselines.plain import Majority

pipeline = make_pipeline(StandardScaler(), LogisticRegression())

class Flat(nn.Module):
    def __init__(self, n_features, n_outputs, width):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(n_features, width), nn.ReLU(), nn.Linear(width, n_outputs))
    def forward(self, rows):
        return self.layers(rows)

class Thin(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 2, 5, 5), nn.Flatten(), nn.LazyLinear(classes))
    def forward(self, pictures):
        return self.layers(pictures)

class Wrong(nn.Module):
    def forward(self, rows):
        return rows.mean(dim=1)

class MySystem(Majority):
    modes = {"plain": "a system of mine"}

class MyCorpus(Watermelon):
    pass
"""


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Write a user's file into the folder where the command runs, and yield its module's name."""
    name = f"mine_{abs(hash(tmp_path)) % 10**8}"
    (tmp_path / f"{name}.py").write_text(MINE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield name


@pytest.fixture
def features(tmp_path: Path) -> Path:
    """Write features of four people, of whom every class is easily told, and return their folder."""
    y = np.tile(["calm", "fear"], 20)
    X = np.random.default_rng(0).normal(size=(40, 3)) + 4 * (y == "fear")[:, None]
    Samples.from_arrays(X, y, groups=np.repeat(range(4), 10)).save(tmp_path / "features")
    return tmp_path / "features"


def recipe(root: Path, name: str, **settings: Any) -> dict[str, Any]:
    return {
        "name": "own",
        "corpus": {"name": "samples", "root": str(root)},
        "task": {"label": "label"},
        "protocol": {"name": "subject-disjoint", "folds": 2},
        "system": {"name": name, **settings},
        "controls": ["majority"],
    }


def test_a_network_of_a_users_file_is_run_by_a_recipe_and_another_file_is_another_fit(
    mine: str, features: Path, tmp_path: Path
) -> None:
    values = recipe(features, f"{mine}:Flat", arguments={"width": 4}, training={"epochs": 40, "learning_rate": 0.02})
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(values))
    loaded, cache = Recipe.load(tmp_path / "own.yaml"), Cache(tmp_path / "cache")
    results = run(loaded, cache)
    assert results.arm("network").title == "Flat" and results.accuracy("network") > 0.9
    assert results.passport["recipe"]["settings"]["system"]["name"] == f"{mine}:Flat"
    fits = len(list((tmp_path / "cache" / "fits").iterdir()))
    (tmp_path / f"{mine}.py").write_text(MINE + "\n# changed\n")
    run(loaded, cache)
    assert len(list((tmp_path / "cache" / "fits").iterdir())) > fits


@pytest.mark.parametrize(("name", "title"), [("pipeline", "Pipeline"), ("MySystem", "a system of mine")])
def test_estimators_and_systems_are_found_by_import_path(mine: str, name: str, title: str) -> None:
    assert list(system(f"{mine}:{name}", seed=1).modes.values()) == [title]


def test_a_corpus_is_found_by_import_path(mine: str) -> None:
    assert type(corpus(f"{mine}:MyCorpus", subjects=2)).__name__ == "MyCorpus"
    with pytest.raises(SettingsError, match="a corpus has 'Settings', and this has none"):
        corpus(f"{mine}:Flat")


def test_a_network_on_pictures_becomes_a_bundle_that_holds_no_code(mine: str, tmp_path: Path) -> None:
    pictures = np.random.default_rng(0).integers(0, 99, (40, 20, 20, 3)).astype(np.uint8)
    labels = np.tile(["calm", "fear"], 20)
    pictures[labels == "fear"] += 120
    Samples.from_arrays(pictures, labels, groups=np.repeat(range(8), 5)).save(tmp_path / "pictures")
    values = recipe(tmp_path / "pictures", f"{mine}:Thin", modality="picture", training={"epochs": 2}, augment=False)
    values["protocol"] = {"name": "identity-disjoint", "folds": 4}
    fit_bundle(Recipe.complete(values, where="test"), tmp_path / "bundle", Cache(tmp_path / "cache"))
    from insula.deployment.bundle import open_bundle

    answer = open_bundle(tmp_path / "bundle").answer(pictures[:4])
    assert answer["probabilities"].shape == (4, 2)
    assert {path.suffix for path in (tmp_path / "bundle").iterdir()} == {".onnx", ".json", ".md"}
    assert json.loads((tmp_path / "bundle" / "manifest.json").read_text())["system"] == "Thin"


def test_a_network_on_features_becomes_one_too_and_an_estimator_does_not(
    mine: str, features: Path, tmp_path: Path
) -> None:
    from insula.deployment.bundle import open_bundle

    values = recipe(features, f"{mine}:Flat", arguments={"width": 4}, training={"epochs": 1})
    fit_bundle(Recipe.complete(values, where="test"), tmp_path / "bundle", Cache(tmp_path / "cache"))
    assert list(open_bundle(tmp_path / "bundle").manifest["inputs"]) == ["features"]
    values = recipe(features, "sklearn.naive_bayes:GaussianNB")
    with pytest.raises(SettingsError, match=r"a bundle holds graphs.*evaluate it with `insula run`"):
        fit_bundle(Recipe.complete(values, where="test"), tmp_path / "other", Cache(tmp_path / "cache"))


def test_a_bundle_that_names_code_does_not_run_it(mine: str) -> None:
    with pytest.raises(SettingsError, match="unknown system"):
        system_class(f"{mine}:MySystem")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("absent_module:Net", "run the command in the folder that holds absent_module.py, or install it"),
        ("{}:Flta", "no 'Flta' in .*: it has Flat, "),
        ("{}:Path", "Path is nothing that learns"),
        ("{}:", "write it as module:name"),
        ("no module:Net", "write it as module:name"),
    ],
)
def test_a_name_that_leads_nowhere_is_said_in_one_line(mine: str, name: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        system(name.format(mine))


def test_a_module_that_cannot_be_imported_is_named_with_what_is_wrong(mine: str, tmp_path: Path) -> None:
    (tmp_path / f"{mine}_broken.py").write_text("import nothing_of_this_name\n")
    with pytest.raises(SettingsError, match=f'until `python -c "import {mine}_broken"` works'):
        system(f"{mine}_broken:Net")


def test_what_a_constructor_lacks_and_what_a_network_answers_wrongly_is_said(mine: str, features: Path) -> None:
    samples = Samples.open(features)
    from insula.emotions import Categorical

    task = Categorical(label="label", classes=("calm", "fear"))
    with pytest.raises(SettingsError, match=r"Flat wants 'width'.*--set system\.arguments\.width=VALUE"):
        system(f"{mine}:Flat", modality="features").fit(samples, samples.select([]), task)
    with pytest.raises(DataError, match=r"Wrong answers two rows with shape \(2,\).*return logits of shape \(n, 2\)"):
        system(f"{mine}:Wrong", modality="features").fit(samples, samples.select([]), task)


def test_a_network_that_answers_wrongly_is_said_before_any_arm_is_fitted(
    mine: str, features: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("insula.evaluation.experiment.fit_and_predict", None)
    with pytest.raises(DataError, match=r"return logits of shape \(n, 2\)"):
        run(Recipe.complete(recipe(features, f"{mine}:Wrong"), where="test"), Cache(tmp_path / "cache"))
