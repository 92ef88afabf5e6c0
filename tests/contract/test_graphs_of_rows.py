"""What a bundle holds of every system that reads EEG or features: in ONNX Runtime it says what `predict` says."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from insula.deployment.bundle import open_bundle, write_bundle
from insula.emotions import Categorical, Continuous
from insula.evaluation.recipe import Recipe
from insula.samples import Samples
from insula.systems.catalogue import SYSTEMS, system
from toy import CLASSES, toy_pairs, toy_windows

CLASS = Categorical(label="emotion", classes=CLASSES)
RATING = Continuous(label="joy", scale=(1, 9))
TRAINING = {"training": {"epochs": 1, "batch_size": 32}}
NETWORKS = ("eegnet", "deep4net", "tsception", "dgcnn", "eeg-conformer", "band-power-transformer", "rbtransformer")
PAIRED = {"width": 16, **TRAINING}
TINY: dict[str, tuple[str, dict[str, Any], Any]] = {
    **{name: (name, TRAINING, CLASS) for name in NETWORKS},
    "rbtransformer on features": ("rbtransformer", {**TRAINING, "modality": "features"}, CLASS),
    "histn": ("histn", TRAINING, CLASS),
    **{f"{name} on {modality}": (name, {"modality": modality}, CLASS)
       for name in ("majority", "stratified", "linear", "svm") for modality in ("eeg", "features")},
    **{f"{name} of ratings": (name, {"modality": "eeg"}, RATING) for name in ("majority", "linear")},
    **{name: (name, {}, CLASS) for name in ("tangent-space", "augmented-covariance")},
    **{name: (name, {}, CLASS) for name in ("feature-fusion", "late-fusion")},
    **{f"{name} of ratings": (name, {}, RATING) for name in ("feature-fusion", "late-fusion")},
    "late-fusion of a signal": ("late-fusion", {"eeg": "eeg"}, CLASS),
    "cafnet": ("cafnet", PAIRED, CLASS),
    "ucmc": ("ucmc", {**PAIRED, "teacher": TRAINING}, CLASS),
    "ucmc of ratings": ("ucmc", {**PAIRED, "teacher": TRAINING, "compare": False, "evidential": True}, RATING),
    "ucmc of a signal": ("ucmc", {**PAIRED, "teacher": TRAINING, "compare": False, "eeg": "eeg", "encoder": "eegnet"},
                         CLASS),
}  # fmt: skip
PAIRS = ("feature-fusion", "late-fusion", "cafnet", "ucmc")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what systems cache out of the user's cache, and what the exporter says out of the tests' output."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.setenv("INSULA_CACHE", str(tmp_path_factory.mktemp("cache")))
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        yield
        logging.disable(logging.NOTSET)


def parts(name: str, seed: int = 0) -> tuple[Samples, Samples]:
    """Return what is learnt from, and others."""
    study = (toy_pairs if name in PAIRS else toy_windows)(seed=seed)
    study = study.with_columns(joy=3.0 + np.array([CLASSES.index(label) for label in study.table["emotion"]]))
    last = (study.table["subject"] == "S4").to_numpy()
    return study.select(~last), study.select(last)


@pytest.mark.parametrize("case", TINY)
def test_a_bundle_answers_what_the_system_predicts(case: str, tmp_path: Path) -> None:
    name, settings, task = TINY[case]
    train, test = parts(name)
    fitted = system(name, **settings).fit(train, test, task)
    write_bundle(fitted, name, Recipe.load("watermelon"), tmp_path / "bundle", {}, test)
    bundle = open_bundle(tmp_path / "bundle")
    hidden = test.without(["emotion", "joy"])
    for mode in bundle.modes:
        told, wanted = bundle.predict(hidden, mode), fitted.predict(hidden, mode)
        main = ["rating"] if task is RATING else [f"p_{name}" for name in CLASSES]
        reach = np.maximum(1, np.abs(wanted.table[main].to_numpy()))
        assert (np.abs(told.table[main].to_numpy() - wanted.table[main].to_numpy()) / reach).max() < 1e-4
        if name in PAIRS:
            assert told.table["mode"].tolist() == wanted.table["mode"].tolist()
            assert (told.table["reason"] != "").tolist() == (wanted.table["reason"] != "").tolist()
    parity = json.loads((tmp_path / "bundle" / "manifest.json").read_text())["graphs"][mode]["parity"]
    assert parity["rows"] == len(test) and max(parity["difference"].values()) < 1e-4


def test_every_system_that_reads_rows_is_here() -> None:
    reads = {name for name in SYSTEMS if "picture" not in system(name).predicts_from}
    assert reads == {name for name, _, _ in TINY.values()}
