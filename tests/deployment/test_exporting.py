"""What is exported answers what was trained, or is not exported; in eight bits with what that loses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from PIL import Image
from torch import nn

from insula.deployment.bundle import open_bundle, write_bundle
from insula.deployment.eight_bits import Loss, quantise_onnx
from insula.deployment.exporting import export_bundle
from insula.deployment.onnx import write_onnx
from insula.errors import BundleError, DataError, SettingsError
from insula.evaluation.recipe import Recipe
from insula.systems.base import System
from insula.systems.catalogue import system
from standin import CLASSES, SIZE, StandIn, pictured

ABOUT = {"classes": list(CLASSES), "size": SIZE, "pictures": "whole"}
RECIPE = Recipe.load("face-recogniser")


def write(folder: Path, fitted: Any, held: Any = None, **more: Any) -> Path:
    write_bundle(fitted, "face-network", RECIPE, folder, ABOUT, held, **more)
    return folder


def one_mode(fitted: StandIn) -> StandIn:
    """Return the system with its first mode alone, which is exported in half the time."""
    fitted.modes = {"bright": "as it is"}  # type: ignore[misc]
    return fitted


@pytest.mark.parametrize(("output", "by"), [("probabilities", 2e-4), ("out_of_distribution", 3e-4)])
def test_a_graph_that_says_something_else_than_what_was_trained_is_refused_and_nothing_is_left(
    tmp_path: Path, output: str, by: float
) -> None:
    with pytest.raises(BundleError) as caught:
        write(tmp_path / "bundle", StandIn(off={output: by}), pictured(), int8=True)
    line = str(caught.value)
    assert f"mode bright is not what was trained: {output} differs by {by:.2g}" in line and "\n" not in line
    assert not list(tmp_path.iterdir())


def test_sets_that_differ_are_refused_too(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"admitted differs by 1"):
        write(tmp_path / "bundle", StandIn(off={"admitted": 1}), pictured())


def test_a_difference_below_the_limit_is_written_down(tmp_path: Path) -> None:
    folder = write(tmp_path / "bundle", one_mode(StandIn(off={"probabilities": 5e-5})), pictured())
    parity = open_bundle(folder).manifest["graphs"]["bright"]["parity"]
    assert parity["difference"]["probabilities"] == pytest.approx(5e-5, rel=0.1) and parity["pictures"] == 24
    assert "by up to 5e-05 on 24 held-out pictures" in (folder / "card.md").read_text()


def test_without_pictures_held_out_drawn_ones_are_compared(tmp_path: Path) -> None:
    folder = write(tmp_path / "bundle", one_mode(StandIn()), pictured().select([]), int8=True)
    about = open_bundle(folder).manifest["graphs"]["bright"]
    assert about["parity"]["drawn"] and about["runs"] == "bright.onnx"
    assert "too few pictures were held out" in about["int8"]["measured"]
    with pytest.raises(BundleError, match="out_of_distribution differs by"):
        write(tmp_path / "bundle", StandIn(off={"out_of_distribution": 0.01}))
    assert open_bundle(folder).modes == ("bright",), "what was there before stays"


def test_an_output_that_the_system_does_not_predict_is_refused(tmp_path: Path) -> None:
    fitted = StandIn()
    fitted.answering("bright").outputs = ("probabilities", "epistemic", "admitted")
    with pytest.raises(BundleError, match="answers epistemic, which the system does not predict"):
        write(tmp_path / "bundle", fitted, pictured())


def test_weights_that_are_not_finite_are_never_written(tmp_path: Path) -> None:
    fitted = StandIn()
    with torch.no_grad():
        fitted.answering("dark").network[0].weight[0] = torch.inf  # type: ignore[index, union-attr]
    with pytest.raises(BundleError, match="holds a number that is not finite"):
        write(tmp_path / "bundle", fitted, pictured())
    assert not list(tmp_path.iterdir())


def test_what_reads_pictures_and_cannot_be_exported_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    class Plain(StandIn):
        _answering = System._answering

    with pytest.raises(SettingsError, match="cannot be written as a graph"):
        write(tmp_path / "bundle", Plain())
    assert not list(tmp_path.iterdir())


def test_the_exported_file_is_that_of_the_bundle_and_tells_how_to_use_it(small_bundle: Path, tmp_path: Path) -> None:
    assert export_bundle(small_bundle, tmp_path / "face.onnx", "dark") is None
    assert (tmp_path / "face.onnx").read_bytes() == (small_bundle / "dark.onnx").read_bytes()
    session = onnxruntime.InferenceSession(tmp_path / "face.onnx", providers=["CPUExecutionProvider"])
    about = session.get_modelmeta().custom_metadata_map
    assert about == {
        "system": "face-network", "mode": "dark", "classes": ",".join(CLASSES), "size": str(SIZE), "pictures": "whole",
        "framing": "eyes",
    }  # fmt: skip
    faces = pictured(5).read("picture")
    given = session.run(["probabilities"], {"pictures": faces})[0]
    assert np.allclose(given, open_bundle(small_bundle).answer(faces, "dark")["probabilities"], atol=1e-6)
    with pytest.raises(SettingsError, match="no file that could be written"):
        export_bundle(small_bundle, tmp_path)


def test_eight_bits_are_made_and_measured_on_the_faces_of_a_folder(small_bundle: Path, tmp_path: Path) -> None:
    folder = tmp_path / "faces"
    folder.mkdir()
    for number, picture in enumerate(pictured(20).read("picture")):
        Image.fromarray(picture).save(folder / f"{number}.png")
    loss = export_bundle(small_bundle, tmp_path / "small.onnx", faces=folder)
    assert loss is not None and loss.faces == 10 and 0.5 <= loss.same <= 1 and 0 < loss.difference < 0.5
    assert loss.accuracy is None and loss.milliseconds > 0
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["small.onnx"]
    for path in sorted(folder.iterdir())[3:]:
        path.unlink()
    with pytest.raises(DataError, match="3 pictures that show a face are too few"):
        export_bundle(small_bundle, tmp_path / "other.onnx", faces=folder)
    assert not (tmp_path / "other.onnx").exists()


def test_only_the_network_becomes_eight_bits_and_its_last_layer_does_not(small_bundle: Path) -> None:
    whole, small = onnx.load(small_bundle / "bright.onnx"), onnx.load(small_bundle / "bright.int8.onnx")
    before = {tensor.name: tensor for tensor in whole.graph.initializer}
    after = {tensor.name: tensor for tensor in small.graph.initializer}
    layers = [node.input[1] for node in whole.graph.node if node.op_type == "Conv"]
    kept = {name for name in before if name in after and before[name].raw_data == after[name].raw_data}
    assert len(layers) == 2 and not kept & set(layers)
    others = [node.input[1] for node in whole.graph.node if node.op_type in ("Gemm", "MatMul")]
    assert len(others) == 2 and set(others) <= kept, "directions of strangeness, and the classifier"
    assert {entry.key for entry in small.metadata_props} == {entry.key for entry in whole.metadata_props}
    assert {(one.domain, one.version) for one in small.opset_import} == {("", 20)}


def test_what_eight_bits_lose_stands_in_the_manifest_and_decides_what_answers(small_bundle: Path) -> None:
    for mode, about in open_bundle(small_bundle).manifest["graphs"].items():
        told = about["int8"]
        assert told["file"] == f"{mode}.int8.onnx" and told["faces"] == 28 and 0 <= told["accuracy_whole"] <= 1
        chosen = told["milliseconds"] < told["milliseconds_whole"] and told["accuracy_whole"] - told["accuracy"] <= 0.01
        assert told["chosen"] == chosen and about["runs"] == (told["file"] if chosen else f"{mode}.onnx")
        assert told["measured"].endswith("8 bits answer") == chosen


LOSS = Loss(200, 0.95, 0.1, milliseconds=1.0, milliseconds_whole=2.0, accuracy=0.70, accuracy_whole=0.71)


@pytest.mark.parametrize(
    ("changes", "chosen", "words"),
    [
        ({}, True, "8 bits answer"),
        ({"accuracy": 0.695}, False, "may lose more than one point"),
        ({"accuracy": 0.8}, True, "8 bits answer"),
        ({"milliseconds": 2.0}, False, "are not faster here"),
        ({"accuracy": None, "accuracy_whole": None}, False, "may lose more than one point"),
        ({"accuracy": None, "accuracy_whole": None, "same": 0.99}, True, "8 bits answer"),
    ],
)
def test_eight_bits_answer_where_they_are_faster_and_lose_at_most_one_point(
    changes: dict[str, Any], chosen: bool, words: str
) -> None:
    loss = replace(LOSS, **changes)
    assert loss.chosen is chosen and words in loss.verdict


def test_faces_are_needed_and_a_network(tmp_path: Path) -> None:
    class Plain(nn.Module):
        outputs = ("probabilities",)

        def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor]:
            return (pictures.float().mean(dim=(1, 2)).softmax(dim=1),)

    write_onnx(Plain(), 8, {}, tmp_path / "plain.onnx")
    with pytest.raises(DataError, match="no face to measure"):
        quantise_onnx(tmp_path / "plain.onnx", np.empty((0, 8, 8, 3), np.uint8), tmp_path / "small.onnx")
    with pytest.raises(SettingsError, match="no network of several layers"):
        quantise_onnx(tmp_path / "plain.onnx", np.zeros((3, 8, 8, 3), np.uint8), tmp_path / "small.onnx")
    assert not (tmp_path / "small.onnx").exists()


def test_a_bundle_without_graphs_is_not_exported(tmp_path: Path) -> None:
    samples = pictured()
    majority = system("majority").fit(samples, samples.select([]), StandIn().task)
    write_bundle(majority, "majority", RECIPE, tmp_path / "bundle", ABOUT)
    assert json.loads((tmp_path / "bundle" / "manifest.json").read_text())["predicts_from"] == []
    with pytest.warns(UserWarning, match="holds a system"), pytest.raises(SettingsError, match="not from pictures"):
        export_bundle(tmp_path / "bundle", tmp_path / "face.onnx")
    assert not (tmp_path / "face.onnx").exists()


def test_where_trees_read_a_network_a_few_pictures_may_jump_and_not_far() -> None:
    from insula.deployment.parity import LIMIT, _difference

    wanted, given = np.zeros(100), np.zeros(100)
    given[:2] = 5e-3
    assert _difference(given, wanted, jumps=True) == (5e-3, 1e-2)
    assert _difference(given, wanted, jumps=False) == (5e-3, LIMIT)
    given[:3] = 5e-3
    assert _difference(given, wanted, jumps=True)[1] == LIMIT
