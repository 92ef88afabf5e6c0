"""What a bundle holds of every system that reads EEG or features: in ONNX Runtime it says what `predict` says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from insula.deployment.bundle import open_bundle, write_bundle
from insula.deployment.graph_inputs import described, rows_of
from insula.deployment.graphs import USED, USES, applying
from insula.emotions import Categorical, Continuous
from insula.evaluation.recipe import Recipe
from insula.samples import Predictions, Samples
from insula.systems.base import System
from insula.systems.catalogue import SYSTEMS, system
from standin import quiet_exports
from toy import CLASSES, toy_pairs, toy_windows

CLASS = Categorical(label="emotion", classes=CLASSES)
RATING = Continuous(label="joy", scale=(1, 9))
TRAINING = {"training": {"epochs": 1, "batch_size": 32}}
NETWORKS = ("eegnet", "deep4net", "tsception", "dgcnn", "eeg-conformer", "band-power-transformer", "rbtransformer")
PAIRED = {"width": 16, **TRAINING}
TINY: dict[str, tuple[str, dict[str, Any], Any]] = {
    **{name: (name, TRAINING, CLASS) for name in NETWORKS},
    "rbtransformer on features": ("rbtransformer", {**TRAINING, "modality": "features"}, CLASS),
    **{name: (name, TRAINING, CLASS) for name in ("histn", "pretrained")},
    **{f"{name} on {modality}": (name, {"modality": modality}, CLASS)
       for name in ("majority", "linear", "svm") for modality in ("eeg", "features")},
    **{f"{name} of ratings": (name, {"modality": "eeg"}, RATING) for name in ("majority", "linear")},
    **{name: (name, {}, CLASS) for name in ("tangent-space", "augmented-covariance")},
    **{name: (name, {}, CLASS) for name in ("feature-fusion", "late-fusion")},
    **{f"{name} of ratings": (name, {}, RATING) for name in ("feature-fusion", "late-fusion")},
    "late-fusion of a signal": ("late-fusion", {"eeg": "eeg"}, CLASS),
    "foundation": ("foundation", {**TRAINING, "model": "biot"}, CLASS),
    "cafnet": ("cafnet", PAIRED, CLASS),
    "ucmc": ("ucmc", {**PAIRED, "teacher": TRAINING}, CLASS),
    "ucmc of ratings": ("ucmc", {**PAIRED, "teacher": TRAINING, "compare": False, "evidential": True}, RATING),
    "ucmc of a signal": ("ucmc", {**PAIRED, "teacher": TRAINING, "compare": False, "eeg": "eeg", "encoder": "eegnet"},
                         CLASS),
}  # fmt: skip
# Another modality or task, or another linear model, is the same graph with other numbers.
EXPORTED = (*NETWORKS, "histn", "linear of ratings", "augmented-covariance", "cafnet", "ucmc")
PAIRS = ("feature-fusion", "late-fusion", "cafnet", "ucmc")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what systems cache out of the user's cache, and what the exporter says out of the tests' output."""
    with quiet_exports(tmp_path_factory.mktemp("cache")):
        yield


@cache
def parts(name: str) -> tuple[Samples, Samples]:
    """Return what is learnt from, and others."""
    study = (toy_pairs if name in PAIRS else toy_windows)()
    study = study.with_columns(joy=3.0 + np.array([CLASSES.index(label) for label in study.table["emotion"]]))
    if name in PAIRS:  # some faces are late, which a graph of the face alone cannot see
        study = study.with_columns(skew=np.where(np.random.default_rng(2).random(len(study)) < 0.3, 0.9, 0.1))
    last = (study.table["subject"] == "S4").to_numpy()
    return study.select(~last), study.select(last)


@cache
def fitted(case: str) -> System:
    name, settings, task = TINY[case]
    return system(name, **settings).fit(*parts(name), task)


def modes_of(case: str) -> list[str]:
    return [mode for mode in fitted(case).modes if mode not in fitted(case).not_bundled]


def agree(answer: dict[str, np.ndarray], predicted: Predictions) -> None:
    """Compare what a bundle says with what is predicted, and where either says nothing."""
    for name, values in answer.items():
        if name == USED:
            wanted = predicted.table["mode"].map(USES.index).to_numpy(float)
        else:
            wanted = predicted.probabilities if name == "probabilities" else predicted.table[name].to_numpy(float)
        values = np.asarray(values, float)
        assert (np.isnan(values) == np.isnan(wanted)).all(), name
        apart = (np.abs(values - wanted) / np.maximum(1, np.abs(wanted)))[~np.isnan(wanted)]
        assert np.isfinite(apart).all() and apart.max(initial=0) < 1e-4, name


@pytest.mark.parametrize("case", TINY)
def test_the_module_says_what_predict_says_in_every_mode(case: str) -> None:
    test = parts(TINY[case][0])[1].without(["emotion", "joy"])
    for mode in modes_of(case):
        answer: Any = fitted(case).answering(mode)
        sides, limit = {}, {}
        if TINY[case][0] in PAIRS:
            settings: Any = fitted(case).settings
            sides, limit = {settings.eeg: "eeg", settings.face: "face"}, {"max_skew": settings.max_skew}
        about = {"inputs": described(test, sides or answer.inputs), "graphs": {mode: {"inputs": answer.inputs}}}
        rows = rows_of(test, {**about, **limit, "sides": sides}, mode, answer.before)
        with torch.inference_mode():
            said = [part.numpy() for part in answer(*(torch.from_numpy(part) for part in rows.values()))]
        agree(applying(dict(zip(answer.outputs, said, strict=True))), fitted(case).predict(test, mode))


@pytest.mark.parametrize("case", EXPORTED)
def test_a_bundle_answers_what_the_system_predicts(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, test = fitted(case), parts(TINY[case][0])[1]
    # Of two modalities the mode of both: others are the same graph with less in it.
    mode = "both" if "both" in modes_of(case) else modes_of(case)[0]
    monkeypatch.setattr(type(whole), "not_bundled", tuple(name for name in whole.modes if name != mode), raising=False)
    write_bundle(whole, TINY[case][0], Recipe.load("watermelon"), tmp_path / "bundle", {}, test)
    bundle, hidden = open_bundle(tmp_path / "bundle"), test.without(["emotion", "joy"])
    told, wanted = bundle.predict(hidden), whole.predict(hidden, mode)
    main = "rating" if TINY[case][2] is RATING else "probabilities"
    given = told.table["rating"].to_numpy() if main == "rating" else told.probabilities
    columns = {name: part.to_numpy(float) for name, part in told.table.items() if name.startswith(("unc", "disc"))}
    agree({main: given, **{name: part for name, part in columns.items() if name in wanted.table}}, wanted)
    if TINY[case][0] in PAIRS:
        assert told.table["mode"].tolist() == wanted.table["mode"].tolist()
        assert (told.table["reason"] != "").tolist() == (wanted.table["reason"] != "").tolist()
    parity = json.loads((tmp_path / "bundle" / "manifest.json").read_text())["graphs"][mode]["parity"]
    assert parity["rows"] == len(test) and max(parity["difference"].values()) < 1e-4


def test_every_system_that_reads_rows_is_here() -> None:
    reads = {name for name in SYSTEMS if "picture" not in system(name).predicts_from}
    # a network for each person or client; lots, which say nothing of one row; a session that is normalised by its rows
    assert reads - {"personalised", "federated", "stratified", "mdjpt"} == {name for name, _, _ in TINY.values()}
