"""Graphs: checked when they are opened, run in batches, and never more than one line where something is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from insula.deployment.graph_inputs import described, rows_of
from insula.deployment.graphs import Graph, applying
from insula.errors import BundleError, DataError
from toy import toy_pairs

SIZE, CLASSES = 8, 2


Outputs = dict[str, tuple[int, list[Any]]]
PICTURES = (TensorProto.UINT8, ["faces", SIZE, SIZE, 3])


def node(kind: str, inputs: str, output: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(kind, inputs.split(), [output], **attributes)


BRIGHT = [  # the share of 255 of the mean, beside what is left to 1
    node("Cast", "pictures", "numbers", to=TensorProto.FLOAT),
    node("ReduceMean", "numbers axes", "mean", keepdims=0),
    node("Div", "mean full", "share"),
    node("Unsqueeze", "share one", "column"),
    node("Sub", "unit column", "rest"),
    node("Concat", "column rest", "probabilities", axis=1),
]
NEEDED = {
    "axes": np.array([1, 2, 3]),
    "full": np.array(255, np.float32),
    "one": np.array([1]),
    "unit": np.ones(1, np.float32),
}
ANSWER = {"probabilities": (TensorProto.FLOAT, ["faces", CLASSES])}


def bright(
    path: Path, outputs: Outputs = ANSWER, more: Sequence[Any] = (), pictures: Any = PICTURES, **tensors: np.ndarray
) -> Path:
    """Write a graph that answers with how bright a picture is, and what `more` adds to it."""
    graph = helper.make_graph(
        [*BRIGHT, *more],
        "made",
        [helper.make_tensor_value_info("pictures", *pictures)],
        [helper.make_tensor_value_info(name, *form) for name, form in outputs.items()],
        [numpy_helper.from_array(tensor, name) for name, tensor in (NEEDED | tensors).items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
    return path


def faces(count: int) -> np.ndarray:
    values = np.linspace(0, 255, count).astype(np.uint8)
    return np.broadcast_to(values[:, None, None, None], (count, SIZE, SIZE, 3))


@pytest.mark.parametrize("count", [0, 1, 5, 70])
def test_any_number_of_faces_is_answered(tmp_path: Path, count: int) -> None:
    answer = Graph(bright(tmp_path / "g.onnx"), CLASSES, SIZE).answer(faces(count))
    assert answer["probabilities"].shape == (count, CLASSES) and answer["probabilities"].dtype == np.float32
    assert np.allclose(answer["probabilities"][:, 0], faces(count)[:, 0, 0, 0] / 255)


@pytest.mark.parametrize(
    "given", [np.zeros((2, 9, 9, 3), np.uint8), np.zeros((2, 8, 8, 3), np.float32), np.zeros((8, 8, 3), np.uint8)]
)
def test_other_pictures_are_refused_in_one_line(tmp_path: Path, given: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"cannot be judged: give uint8 RGB of shape \(faces, 8, 8, 3\)") as caught:
        Graph(bright(tmp_path / "g.onnx"), CLASSES, SIZE).answer(given)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_the_sealed_one_is_refused_at_first_and_later(tmp_path: Path) -> None:
    path = bright(tmp_path / "g.onnx")
    with pytest.raises(BundleError, match="altered"):
        Graph(path, CLASSES, SIZE, sha256="0" * 64)
    graph = Graph(path, CLASSES, SIZE)
    bright(path, more=[node("Identity", "share", "more")])
    with pytest.raises(BundleError, match="altered"):
        graph.answer(faces(1))


SHARE = node("Identity", "share", "out_of_distribution")
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "three classes": ({"outputs": {"probabilities": (TensorProto.FLOAT, ["faces", 3])}}, "is not float32 (faces, 2)"),
    "float64": ({"outputs": {"probabilities": (TensorProto.DOUBLE, ["faces", 2])}}, "is not float32 (faces, 2)"),
    "no probabilities": ({"outputs": {"out_of_distribution": (TensorProto.FLOAT, ["faces"])}, "more": [SHARE]},
                         "no output 'probabilities'"),
    "a wide column": ({"outputs": ANSWER | {"valence": (TensorProto.FLOAT, ["faces", 2])},
                       "more": [node("Identity", "probabilities", "valence")]}, "'valence' is not float32 (faces)"),
    "sets of numbers": ({"outputs": ANSWER | {"admitted": (TensorProto.FLOAT, ["faces", 2])},
                         "more": [node("Identity", "probabilities", "admitted")]}, "'admitted' is not bool (faces, 2)"),
    "one face": ({"outputs": ANSWER | {"out_of_distribution": (TensorProto.FLOAT, [1])}, "more": [SHARE]},
                 "not for any number of faces"),
    "larger pictures": ({"pictures": (TensorProto.UINT8, ["faces", 16, 16, 3])}, "uint8 (faces, 8, 8, 3)"),
    "pictures of floats": ({"pictures": (TensorProto.FLOAT, ["faces", 8, 8, 3])}, "uint8 (faces, 8, 8, 3)"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_inputs_and_outputs_must_be_as_every_bundle_has_them(tmp_path: Path, name: str) -> None:
    given, words = WRONG[name]
    with pytest.raises(BundleError) as caught:
        Graph(bright(tmp_path / "g.onnx", **given), CLASSES, SIZE)
    assert words in str(caught.value) and "\n" not in str(caught.value) and "use a bundle that" in str(caught.value)


def test_an_answer_that_is_no_number_is_an_error_and_names_the_output(tmp_path: Path) -> None:
    outputs = ANSWER | {"out_of_distribution": (TensorProto.FLOAT, ["faces"])}
    path = bright(tmp_path / "g.onnx", outputs, [node("Log", "share", "out_of_distribution")])
    graph = Graph(path, CLASSES, SIZE)
    assert np.isfinite(graph.answer(faces(3)[1:])["out_of_distribution"]).all()
    with pytest.raises(BundleError, match="out_of_distribution that is no finite number"):
        graph.answer(faces(3))


@pytest.mark.parametrize("asked", [1 << 31, 1 << 40, 1 << 62])
@pytest.mark.parametrize("kind", ["ConstantOfShape", "Expand"])
def test_a_graph_that_asks_for_all_memory_fails_in_one_line(tmp_path: Path, kind: str, asked: int) -> None:
    inputs = "much" if kind == "ConstantOfShape" else "unit much"
    more = [
        node(kind, inputs, "all"),
        node("ReduceMax", "all", "most", keepdims=0),
        node("Add", "share most", "strange"),
    ]
    outputs = ANSWER | {"strange": (TensorProto.FLOAT, ["faces"])}
    graph = Graph(bright(tmp_path / "g.onnx", outputs, more, much=np.array([asked])), CLASSES, SIZE)
    with pytest.raises(BundleError, match="the graph cannot be run") as caught:
        graph.answer(faces(1))
    assert "\n" not in str(caught.value)


def test_a_graph_that_makes_no_sense_fails_in_one_line(tmp_path: Path) -> None:
    path = bright(tmp_path / "g.onnx", more=[node("NoSuchThing", "share", "more")])
    with pytest.raises(BundleError, match="the graph cannot be opened") as caught:
        Graph(path, CLASSES, SIZE).answer(faces(1))
    assert "\n" not in str(caught.value)


def test_a_graph_is_read_as_onnx_whatever_its_first_letters_say(tmp_path: Path) -> None:
    """ONNX Runtime has files of its own, which it knows by four letters; a text in a graph may begin with them."""
    path = bright(tmp_path / "g.onnx")
    path.write_bytes(b"\x12\x06\x00\x00ORTM" + path.read_bytes())  # field 2, a text of six bytes
    assert path.read_bytes()[4:8] == b"ORTM"
    assert len(Graph(path, CLASSES, SIZE).answer(faces(3))["probabilities"]) == 3


def test_tensors_in_another_file_are_never_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ONNX Runtime would read them beside the working directory, if the graph is given to it as bytes."""
    (tmp_path / "secret").write_bytes(np.full(2, 7, np.float32).tobytes())
    monkeypatch.chdir(tmp_path)
    path = bright(tmp_path / "g.onnx")
    given = onnx.load(path)
    tensor = next(one for one in given.graph.initializer if one.name == "unit")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for location in ("secret", "../../etc/passwd", str(tmp_path / "secret")):
        del tensor.external_data[:]
        tensor.external_data.add(key="location", value=location)
        path.write_bytes(given.SerializeToString())
        with pytest.raises(BundleError, match="it holds tensors that lie in another file"):
            Graph(path, CLASSES, SIZE)


def test_an_answer_from_no_known_side_is_an_error(tmp_path: Path) -> None:
    outputs = ANSWER | {"used": (TensorProto.FLOAT, ["faces"])}
    graph = Graph(bright(tmp_path / "g.onnx", outputs, [node("Identity", "share", "used")]), CLASSES, SIZE)
    assert graph.answer(faces(2))["used"].tolist() == [0, 1]
    with pytest.raises(BundleError, match="used names no side"):
        graph.answer(faces(3))


def test_what_does_not_apply_is_no_number() -> None:
    sides = {"used": np.arange(4.0), "uncertainty_eeg": np.ones(4), "uncertainty_face": np.ones(4), "discrepancy":
             np.ones(4), "uncertainty": np.ones(4)}  # fmt: skip
    there = {name: np.isfinite(part).tolist() for name, part in applying(sides).items()}
    assert there["uncertainty_eeg"] == [False, True, False, True] and there["uncertainty"] == [True] * 4
    assert there["uncertainty_face"] == [False, False, True, True] and there["discrepancy"] == [False] * 3 + [True]
    strange = {"out_of_distribution": np.array([1.0, 2.0]), "epistemic": np.ones(2)}
    assert np.isnan(applying(strange, 1.5)["epistemic"]).tolist() == [False, True]
    assert np.isfinite(applying(strange)["epistemic"]).all()


@pytest.mark.parametrize("names", [["face_features"], ["features", "face_features"]])
def test_a_late_face_is_lacking_whether_or_not_the_graph_reads_its_eeg(names: list[str]) -> None:
    pairs = toy_pairs(without_face=0).select(slice(0, 4)).with_columns(skew=[0.1, -0.9, 0.9, None])
    pairs = pairs.with_columns(features_row=[0, 1, -1, 3])
    sides = {"features": "eeg", "face_features": "face"}
    manifest = {"inputs": described(pairs, sides), "sides": sides, "max_skew": 0.5, "graphs": {"m": {"inputs": names}}}
    faces = rows_of(pairs, manifest, "m", {})["face_features"]
    assert np.isnan(faces).all(axis=1).tolist() == [False, True, False, False], (
        "without EEG there is nothing to be late for"
    )
