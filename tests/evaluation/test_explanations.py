"""From a run of a network on EEG to the pictures and tables that explain it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from insula.emotions import Categorical
from insula.evaluation.clusters import SILHOUETTES
from insula.evaluation.experiment import run
from insula.evaluation.explanations import Explanations
from insula.evaluation.plots import plots
from insula.evaluation.recipe import Recipe
from insula.evaluation.report import write_report
from insula.evaluation.results import Results
from insula.evaluation.table import metrics_table
from insula.samples import Samples
from insula.storage.cache import Cache
from insula.systems.base import System
from insula.systems.baselines.plain import Linear, PlainSettings
from insula.systems.catalogue import system
from insula.systems.rbtransformer.system import RBTransformer, RBTransformerSettings
from insula.systems.signal_network import SignalNetwork
from insula.training.settings import Training
from toy import CLASSES, toy_windows

pytestmark = pytest.mark.slow

TASK = Categorical(label="emotion", classes=CLASSES)
FEW = Training(epochs=1, patience=1, batch_size=32)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    recipe = Recipe(
        name="noise",
        corpus={"name": "watermelon", "subjects": 4, "trials": 6, "seconds": 4.0, "channels": 12},
        protocol={"name": "subject-disjoint", "folds": 2, "validation_share": 0.5},
        system={"name": "rbtransformer", "modality": "features", "depth": 1, "training": {"epochs": 1}},
        controls=("majority",),
        control_modality="features",
    )
    folder = tmp_path_factory.mktemp("run")
    write_report(run(recipe, Cache(folder / "cache")), folder / "run")
    return Results.open(folder / "run")


def test_a_run_keeps_what_explains_its_first_fit(results: Results) -> None:
    assert set(results.tables) == {"attributions", "sanity", "cascade", "attention", "clusters"}
    assert len(results.tables["attributions"]) == 2 * 12 * 5, "classes, electrodes, bands"
    assert len(results.tables["sanity"]) == 19
    shares = results.tables["attention"].groupby("from")["value"].sum()
    assert len(shares) == 12 and shares.to_numpy() == pytest.approx(1, abs=1e-4)
    scores = results.measured[SILHOUETTES]
    assert scores["label"].tolist() == ["subject", "emotion"] and scores["n"].tolist() == [96, 96]


def test_the_report_shows_them_with_dots_of_each_subject(results: Results) -> None:
    drawn = {plot.name: plot for plot in plots(results, metrics_table(results))}
    assert {"confusion", "spread", "clusters", "attributions", "attention"} <= set(drawn)
    assert drawn["spread"].title == "By subject" and "One line a subject" in drawn["spread"].caption
    assert "sanity check" in drawn["attributions"].caption.partition(".")[0]


def write(folder: Path, fitted: System, samples: Samples) -> None:
    fit: Any = SimpleNamespace(folder=folder, system=fitted, samples=samples, test=samples)
    Explanations().write(fit)


def read(folder: Path) -> dict[str, pd.DataFrame]:
    run: Any = SimpleNamespace(first=folder)
    return Explanations().read(run)


def test_what_has_no_electrodes_is_not_explained(tmp_path: Path) -> None:
    samples, none = toy_windows(), toy_windows().select(slice(0, 0))
    plain = Linear(PlainSettings(modality="features")).fit(samples, none, TASK)
    write(tmp_path, plain, samples)
    settings = RBTransformerSettings(modality="features", depth=1, training=FEW)
    network = RBTransformer(settings).fit(samples, none, TASK)
    write(tmp_path, network, samples.with_columns(emotion=None))
    network.form = network.form.model_copy(update={"channels": tuple("ABCDEF")})
    write(tmp_path, network, samples)
    assert not list(tmp_path.iterdir()) and read(tmp_path) == {}


@pytest.mark.parametrize("name", ["histn", "eegnet"])
def test_networks_on_signals_can_be_asked(name: str, tmp_path: Path) -> None:
    samples = toy_windows(subjects=2, sessions=1)
    network = system(name, training=FEW)
    assert isinstance(network, SignalNetwork)
    network.fit(samples, samples.select(slice(0, 0)), TASK)
    write(tmp_path, network, samples)
    tables = read(tmp_path)
    assert set(tables) == {"attributions", "sanity", "cascade"} and tables["attributions"]["value"].min() >= 0
