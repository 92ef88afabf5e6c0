"""What a bundle holds of every system that predicts from pictures: in ONNX Runtime it says what `predict` says."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from insula.deployment.graphs import Graph
from insula.deployment.onnx import write_onnx
from insula.emotions import Categorical
from insula.errors import SettingsError
from insula.samples import Predictions, Samples
from insula.samples.predictions import split_sets
from insula.systems.base import System
from insula.systems.catalogue import SYSTEMS as CATALOGUE
from insula.systems.catalogue import system
from standin import quiet_exports
from toy import CLASSES, toy_parts, toy_study, toy_styles, toy_unpaired

TASK = Categorical(label="emotion", classes=CLASSES)
TRAINING = {"epochs": 2, "batch_size": 16, "learning_rate": 2e-3}
NETWORK = {"backbone": "small-cnn", "sizes": (32,), "training": TRAINING}
PATHWAYS = {
    "backbone": "small-cnn",
    "width": 16,
    "training": TRAINING,
    "teacher": {"backbone": "small-cnn", "training": TRAINING},
}
BRAINS = {"encoder": "linear", "trees": 10, "folds": 2, "time_bins": 10, "penalties": (0.01, 1.0)}
TINY: dict[str, tuple[str, dict[str, Any]]] = {
    "face network": ("face-network", NETWORK),
    "self-cure network": ("scn", NETWORK),
    "compact recogniser": (
        "compact-recogniser",
        {"weights": None, "sizes": (64,), "training": {**TRAINING, "averaging": 0.5, "keep": "last"}},
    ),
    "NeuroGaze": (
        "neurogaze",
        {
            **NETWORK,
            "image_teacher": "small-cnn",
            "arms": ("full", "visual"),
            "teacher": {"map_size": 8, "widths": (8,), "width": 32, "training": {"epochs": 2}},
        },
    ),
    "CRPN": ("crpn", PATHWAYS),
    "CRPN, the teacher": ("crpn", {**PATHWAYS, "arm": "teacher"}),
    "style study": ("crpn-style", PATHWAYS),
    "BMCL": ("bmcl", {"training": TRAINING}),
    "gradients": ("frozen-features", {}),
    "frozen network": ("frozen-features", {"backbone": "test_resnet", "grid": 3}),
    "majority": ("majority", {}),
    "linear": ("linear", {}),
    "support vectors": ("svm", {}),
    "BMCI, forest": ("bmci", {**BRAINS, "regressors": ("forest",)}),
    "BMCI, ridge on a frozen network": (
        "bmci",
        {**BRAINS, "regressors": ("ridge",), "backbone": "test_resnet", "policy": "concat"},
    ),
    "BMCI, its own network": (
        "bmci",
        {
            **BRAINS,
            "regressors": ("kernel-ridge",),
            "backbone": "test_resnet",
            "vision": {"width": 16, "views": 2, "training": TRAINING},
        },
    ),
    "BMCI, plain stacking": ("bmci", {**BRAINS, "brain": "visual-logits"}),
}
NOT_FITTED = ("fer", "onnx-file", "py-feat")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what systems cache out of the user's cache, and what the exporter says out of the tests' output."""
    with quiet_exports(tmp_path_factory.mktemp("cache")):
        yield


@cache
def parts(name: str) -> tuple[Samples, Samples, Samples]:
    study = {"neurogaze": toy_unpaired, "crpn-style": toy_styles}.get(name, toy_study)()
    train, validation, test = toy_parts(study) if name != "neurogaze" else _unpaired(study)
    return train, validation, test.select(test.has("picture"))


def _unpaired(study: Samples) -> tuple[Samples, Samples, Samples]:
    faces = study.has("picture")
    held, tested = (np.flatnonzero(faces)[part] for part in (slice(10), slice(10, 20)))
    return (
        study.select(np.setdiff1d(np.arange(len(study)), np.append(held, tested))),
        study.select(held),
        study.select(tested),
    )


@cache
def fitted(case: str) -> System:
    name, settings = TINY[case]
    train, validation, _ = parts(name)
    return system(name, **settings).fit(train, validation, TASK)


def _modes(case: str) -> list[str]:
    whole = system(TINY[case][0], **TINY[case][1])
    return [mode for mode in whole.modes if mode not in getattr(whole, "not_bundled", ())]


# Another mode, or the same network otherwise taught, is the same graph with other numbers.
SAME_GRAPH = ("CRPN, the teacher", "BMCI, plain stacking")
EXPORTED = [(case, _modes(case)[0]) for case in TINY if case not in SAME_GRAPH]
EXPORTED += [("BMCI, forest", mode) for mode in ("visual", "virtual")]


def in_onnx(answer: Any, pictures: np.ndarray, folder: Path) -> dict[str, np.ndarray]:
    """Return what the graph of a bundle says of pictures, given all at once, one alone and five together."""
    write_onnx(answer, pictures.shape[1], {}, folder / "answer.onnx")
    graph = Graph(folder / "answer.onnx", len(CLASSES), pictures.shape[1])
    said, one, five = (graph.answer(part) for part in (pictures, pictures[:1], pictures[:5]))
    for name, whole in said.items():
        for some in (one[name], five[name]):
            assert np.allclose(whole[: len(some)], some, rtol=0, atol=1e-4, equal_nan=True)
    return said


def agrees(said: dict[str, np.ndarray], predicted: Predictions) -> None:
    table = predicted.table
    assert np.abs(said.pop("probabilities") - predicted.probabilities).max() < 1e-4
    if "set" in table:
        assert np.array_equal(said.pop("admitted"), split_sets(table["set"], predicted.classes))
    own = set(said) - {"uncertainty"}  # of plain models; of others it is the entropy of what is answered
    assert own == {name for name in ("out_of_distribution", "epistemic", "valence", "arousal")
                   if name in table and table[name].notna().any()}  # fmt: skip
    for name, values in said.items():
        wanted = table[name].to_numpy(float)
        applies = np.isfinite(wanted)  # a graph says how far trees disagree even where their word was not taken
        assert np.isfinite(values).all() and applies.any(), name
        assert np.allclose(values[applies], wanted[applies], rtol=0, atol=1e-4), name


@pytest.mark.parametrize("case", TINY)
def test_the_module_says_what_predict_says_in_every_mode(case: str) -> None:
    test = parts(TINY[case][0])[2]
    for mode in _modes(case):
        answer = fitted(case).answering(mode)  # type: ignore[attr-defined]
        with torch.inference_mode():
            said = [part.numpy() for part in answer(torch.from_numpy(test.read("picture")))]
        agrees(dict(zip(answer.outputs, said, strict=True)), fitted(case).predict(test, mode))


@pytest.mark.parametrize(("case", "mode"), EXPORTED)
def test_the_graph_says_what_predict_says(case: str, mode: str, tmp_path: Path) -> None:
    test = parts(TINY[case][0])[2]
    answer = fitted(case).answering(mode)  # type: ignore[attr-defined]
    agrees(in_onnx(answer, test.read("picture"), tmp_path), fitted(case).predict(test, mode))


def test_every_system_that_predicts_from_pictures_is_here() -> None:
    # what reads nothing, or what the samples have, answers from pictures, too
    reads = {name for name in CATALOGUE if system(name).predicts_from in ((), ("picture",))}
    assert reads - {*NOT_FITTED, "stratified"} == {name for name, _ in TINY.values()}  # which says nothing of one


def test_a_strange_picture_is_answered_without_virtual_eeg_in_the_graph_too() -> None:
    bmci, test = fitted("BMCI, forest"), parts("bmci")[2]
    strange = test.read("picture").copy()
    strange[::2] = np.random.default_rng(0).integers(0, 2, strange[::2].shape) * 255
    answer = bmci.answering()  # type: ignore[attr-defined]
    with torch.inference_mode():
        said = dict(zip(answer.outputs, [part.numpy() for part in answer(torch.from_numpy(strange))], strict=True))
        alone = bmci.answering("visual")(torch.from_numpy(strange))[0].numpy()  # type: ignore[attr-defined]
    assert (said["out_of_distribution"][::2] > bmci.settings.refuse_above).all()
    labels, visual = said["probabilities"].argmax(axis=1), alone.argmax(axis=1)
    assert np.array_equal(labels[::2], visual[::2]) and not np.allclose(said["probabilities"][1::2], alone[1::2])


def test_an_answer_tells_whether_rounding_may_make_it_jump() -> None:
    train, validation, _ = parts("bmci")
    jumpy = system("bmci", **BRAINS, regressors=("forest",), backbone="test_resnet").fit(train, validation, TASK)
    assert [jumpy.answering(mode).jumps for mode in ("fusion", "visual")] == [True, False]  # type: ignore[attr-defined]
    for case in ("BMCI, forest", "BMCI, ridge on a frozen network"):
        assert not fitted(case).answering().jumps  # type: ignore[attr-defined]


@pytest.mark.parametrize("case", TINY)
def test_modes_that_no_bundle_holds_are_refused_in_one_line(case: str) -> None:
    whole = system(TINY[case][0], **TINY[case][1])
    for mode in getattr(whole, "not_bundled", ()):
        with pytest.raises(SettingsError, match=f"no bundle holds the mode '{mode}': a bundle holds {_modes(case)[0]}"):
            whole.answering(mode)  # type: ignore[attr-defined]
    with pytest.raises(SettingsError, match="unknown mode 'sleep'"):
        whole.answering("sleep")  # type: ignore[attr-defined]
