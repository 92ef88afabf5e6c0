"""What is refused in an ONNX file before anything runs it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from insula.deployment.onnx_content import RefusedError, read_content

NAN = np.array([1, np.nan], np.float32)


def model() -> onnx.ModelProto:
    """Return a model that doubles a number of pictures."""
    nodes = [
        helper.make_node("Cast", ["pictures"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["numbers", "two"], ["probabilities"]),
    ]
    pictures = helper.make_tensor_value_info("pictures", TensorProto.UINT8, ["faces", 8, 8, 3])
    twice = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["faces", 8, 8, 3])
    two = numpy_helper.from_array(np.array([2, 2, 2], np.float32), "two")
    graph = helper.make_graph(nodes, "doubling", [pictures], [twice], [two])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])
    helper.set_model_props(made, {"classes": "a,b"})
    return made


def test_a_plain_graph_says_what_goes_in_and_comes_out() -> None:
    content = read_content(model().SerializeToString())
    assert content.inputs["pictures"].shape == ("faces", 8, 8, 3) and content.outputs["probabilities"].kind == 1
    assert content.metadata == {"classes": "a,b"}


def test_numbers_that_are_not_raw_are_read_too() -> None:
    given = model()
    given.graph.initializer.append(helper.make_tensor("typed", TensorProto.FLOAT, [2], [1.0, 2.0]))
    given.graph.initializer.append(helper.make_tensor("whole", TensorProto.INT64, [2, 2], [-1, 300, 3, 1 << 40]))
    given.graph.initializer.append(helper.make_tensor("few", TensorProto.INT32, [3], [-1, 0, 7]))
    given.graph.initializer.append(numpy_helper.from_array(np.zeros((0, 4), np.float32), "none"))
    read_content(given.SerializeToString())
    given.graph.initializer.append(helper.make_tensor("endless", TensorProto.FLOAT, [2], [1.0, float("inf")]))
    with pytest.raises(RefusedError, match="'endless' holds a number that is not finite"):
        read_content(given.SerializeToString())


def _elsewhere(given: onnx.ModelProto, location: str = "../../etc/passwd") -> None:
    tensor = given.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)


def _constant(given: onnx.ModelProto, value: onnx.TensorProto) -> None:
    given.graph.node.append(helper.make_node("Constant", [], ["more"], value=value))


def _elsewhere_in_a_constant(given: onnx.ModelProto) -> None:
    tensor = numpy_helper.from_array(np.ones(2, np.float32), "inner")
    tensor.external_data.add(key="location", value="/etc/passwd")
    _constant(given, tensor)


def _branch(given: onnx.ModelProto) -> None:
    inner = helper.make_graph([], "inner", [], [])
    given.graph.node.append(helper.make_node("If", ["two"], ["x"], then_branch=inner, else_branch=inner))


def _function(given: onnx.ModelProto) -> None:
    given.functions.append(helper.make_function("ai.onnx", "F", ["a"], ["b"], [], [helper.make_opsetid("", 20)]))


def _sparse(given: onnx.ModelProto) -> None:
    sparse = given.graph.sparse_initializer.add(dims=[2])
    sparse.values.CopyFrom(numpy_helper.from_array(np.ones(1, np.float32), "s"))


def _custom(given: onnx.ModelProto) -> None:
    given.graph.node.append(helper.make_node("Shell", ["two"], ["x"], domain="evil.ops"))


def _half(given: onnx.ModelProto) -> None:
    given.graph.initializer[0].raw_data = given.graph.initializer[0].raw_data[:8]


def _huge(given: onnx.ModelProto) -> None:
    given.graph.initializer[0].dims[0] = 1 << 60


def _negative(given: onnx.ModelProto) -> None:
    given.graph.initializer[0].dims[0] = -3


def _halves(given: onnx.ModelProto) -> None:
    given.graph.initializer.append(numpy_helper.from_array(np.array([np.inf], np.float16), "halves"))


REFUSED: dict[str, tuple[Callable[[onnx.ModelProto], None], str]] = {
    "tensors elsewhere": (_elsewhere, "tensors that lie in another file"),
    "an absolute path": (lambda given: _elsewhere(given, "/etc/passwd"), "tensors that lie in another file"),
    "an address": (lambda given: _elsewhere(given, "*/_ORT_MEM_ADDR_/*"), "tensors that lie in another file"),
    "a constant elsewhere": (_elsewhere_in_a_constant, "tensors that lie in another file"),
    "a branch": (_branch, "a graph within the graph"),
    "a function": (_function, "functions"),
    "sparse": (_sparse, "sparse tensors"),
    "another domain": (_custom, "operators of 'evil.ops'"),
    "an imported domain": (lambda given: given.opset_import.append(helper.make_opsetid("com.microsoft", 1)),
                           "operators of 'com.microsoft'"),
    "NaN": (lambda given: given.graph.initializer.append(numpy_helper.from_array(NAN, "w")), "'w' holds a number"),
    "NaN as float64": (lambda given: given.graph.initializer.append(numpy_helper.from_array(NAN.astype(float), "w")),
                       "not finite"),
    "infinity as float16": (_halves, "not finite"),
    "NaN that is not raw": (lambda given: given.graph.initializer.append(
        helper.make_tensor("w", TensorProto.FLOAT, [1], [np.nan])), "not finite"),
    "NaN in a constant": (lambda given: _constant(given, numpy_helper.from_array(-NAN, "inner")), "not finite"),
    "infinity as an attribute": (lambda given: given.graph.node.append(
        helper.make_node("Constant", [], ["x"], value_float=float("inf"))), "not finite"),
    "infinity in a list": (lambda given: given.graph.node.append(
        helper.make_node("Constant", [], ["x"], value_floats=[1.0, -float("inf")])), "not finite"),
    "half a tensor": (_half, "not as large as its shape"),
    "a huge tensor": (_huge, "not as large as its shape"),
    "a negative shape": (_negative, "not as large as its shape"),
    "text": (lambda given: given.graph.initializer.append(helper.make_tensor("w", TensorProto.STRING, [1], [b"x"])),
             "field 6 of a tensor"),
    "a type of its own": (lambda given: given.graph.initializer.append(TensorProto(name="w", data_type=23)),
                          "the type of tensor 'w'"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_graph_of_a_bundle_has_is_refused(name: str) -> None:
    change, words = REFUSED[name]
    given = model()
    change(given)
    with pytest.raises(RefusedError, match=words):
        read_content(given.SerializeToString())


def test_of_what_is_one_there_are_not_two() -> None:
    """Readers join two graphs, or keep the second tensor: neither is what was looked at."""
    whole = model().SerializeToString()
    graph = onnx.ModelProto(graph=model().graph).SerializeToString()
    with pytest.raises(RefusedError, match="field 7 of a model twice"):
        read_content(whole + graph)


def test_any_part_of_a_file_is_refused_and_so_is_any_rubbish() -> None:
    whole = model().SerializeToString()
    for end in range(len(whole)):
        try:
            kept = read_content(whole[:end])
        except RefusedError:
            continue
        assert set(kept.outputs) == {"probabilities"}, "only what follows the graph may be cut off"
    drawn = np.random.default_rng(0)
    for _ in range(300):
        with pytest.raises(RefusedError):
            read_content(drawn.bytes(int(drawn.integers(0, 60))))


def test_altered_bytes_never_give_anything_but_a_refusal_or_a_graph() -> None:
    whole, drawn = model().SerializeToString(), np.random.default_rng(1)
    for _ in range(2000):
        harmed = bytearray(whole)
        for place in drawn.integers(0, len(whole), 3):
            harmed[place] = drawn.integers(0, 256)
        try:
            read_content(bytes(harmed))
        except RefusedError as error:
            assert "\n" not in str(error)
