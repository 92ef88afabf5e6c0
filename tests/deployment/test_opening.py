"""A bundle that was altered, resealed or made by another insula is refused in one line, before it is used."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from insula.deployment.bundle import open_bundle, write_bundle
from insula.deployment.predictor import Predictor
from insula.deployment.recognisers import find_recogniser
from insula.emotions import Categorical
from insula.errors import BundleError, DataError, InsulaError, SettingsError
from insula.evaluation.recipe import Recipe
from insula.samples import ArrayStore
from insula.storage.folder import seal, verify
from insula.systems.catalogue import system
from standin import reseal
from toy import CLASSES, toy_windows

TASK = Categorical(label="emotion", classes=CLASSES)


@pytest.fixture
def copied(small_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small_bundle, tmp_path / "copy"))


def refusal(folder: Path) -> str:
    with pytest.raises(BundleError) as caught:
        open_bundle(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("harm", ["byte", "added", "missing", "card"])
def test_an_altered_bundle_is_refused(copied: Path, harm: str) -> None:
    path = copied / "dark.onnx"
    if harm == "byte":
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    elif harm == "added":
        (copied / "more.onnx").write_bytes(b"x")
    elif harm == "missing":
        path.unlink()
    else:
        (copied / "card.md").write_text("perfect")
    assert ("use the original" in (line := refusal(copied))) or "copy the bundle again" in line or "remove it" in line


def test_what_is_no_bundle_is_refused(tmp_path: Path) -> None:
    assert "no bundle here" in refusal(tmp_path) and "insula fit" in refusal(tmp_path)


def _edit(folder: Path, change: Callable[[onnx.ModelProto], None]) -> None:
    model = onnx.load(folder / "dark.onnx")
    change(model)
    (folder / "dark.onnx").write_bytes(model.SerializeToString())
    reseal(folder)


def _outside(model: onnx.ModelProto) -> None:
    tensor = max(model.graph.initializer, key=lambda one: len(one.raw_data))
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../../../etc/passwd")


def _not_a_number(model: onnx.ModelProto) -> None:
    tensor = max(model.graph.initializer, key=lambda one: len(one.raw_data))
    tensor.raw_data = np.full(len(tensor.raw_data) // 4, np.nan, np.float32).tobytes()


def _renamed(model: onnx.ModelProto) -> None:
    model.graph.output[0].name = "scores"


RESEALED: dict[str, tuple[Callable[[onnx.ModelProto], None], str]] = {
    "tensors elsewhere": (_outside, "tensors that lie in another file"),
    "weights": (_not_a_number, "that is not finite"),
    "operators": (lambda model: model.graph.node.append(helper.make_node("Run", [], ["x"], domain="custom")),
                  "operators of 'custom'"),
    "outputs": (_renamed, "no output 'probabilities'"),
}  # fmt: skip


@pytest.mark.parametrize("name", RESEALED)
def test_a_graph_that_holds_what_it_must_not_is_refused_though_the_seal_is_right(copied: Path, name: str) -> None:
    change, words = RESEALED[name]
    _edit(copied, change)
    line = refusal(copied)
    assert words in line and "dark.onnx" in line and "the graph is refused" in line


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": 5}, "format 5 is unknown"),
        ({"format": None}, "format None is unknown"),
        ({"modes": []}, "bundle must: modes"),
        ({"modes": [{}]}, "bundle must: modes"),
        ({"modes": ["dark", "bright"]}, "bundle must: graphs"),
        ({"classes": "anger"}, "bundle must: classes"),
        ({"classes": ["anger", "anger", "fear"]}, "bundle must: classes"),
        ({"classes": ["anger", "fear", "\x1b[31mred"]}, "bundle must: classes"),
        ({"classes": ["anger", "fear"]}, "'probabilities' is not float32 (faces, 2)"),
        ({"size": "32"}, "bundle must: size"),
        ({"size": 1 << 40}, "bundle must: size"),
        ({"pictures": "all"}, "bundle must: pictures"),
        ({"framing": None}, "bundle must: framing"),
        ({"graphs": {"bright": {"runs": "../outside.onnx"}, "dark": {"runs": "dark.onnx"}}}, "bundle must: graphs"),
        ({"graphs": {"bright": {"runs": "absent.onnx"}, "dark": {"runs": "dark.onnx"}}}, "bundle must: graphs"),
        (
            {"graphs": {name: {"runs": f"{name}.onnx", "whole": "/etc/hostname"} for name in ("bright", "dark")}},
            "bundle must: graphs",
        ),
        ({"graphs": {name: {"runs": f"{name}.onnx"} for name in ("bright", "dark")}}, "bundle must: graphs"),
        ({"graphs": [1]}, "bundle must: graphs"),
        ({"system": 3}, "bundle must: system"),
        ({"coverage": "most"}, "bundle must: coverage"),
        ({"silent_above": [1]}, "bundle must: silent_above"),
        ({"refuse_above": "1"}, "bundle must: refuse_above"),
        ({"sides": ["eeg"]}, "bundle must: sides"),
        ({"sides": {"eeg": "left"}}, "bundle must: sides"),
        ({"sides": {"eeg": "eeg"}, "max_skew": "a second"}, "bundle must: max_skew"),
        ({"predicts_from": "picture"}, "bundle must: predicts_from"),
    ],
)
def test_a_manifest_that_does_not_say_what_it_must_is_refused(
    copied: Path, changes: dict[str, Any], words: str
) -> None:
    reseal(copied, **changes)
    assert words in refusal(copied)


def test_a_bundle_of_the_format_before_says_how_to_make_it_anew(copied: Path, tmp_path: Path) -> None:
    reseal(copied, format=2, recipe={"name": "face-recogniser"}, graphs=None)
    assert refusal(copied).endswith(f"make it anew: insula fit face-recogniser -o {copied}")
    strange = Path(shutil.move(copied, tmp_path / "my bundle"))
    reseal(strange, recipe={"name": "x; rm -rf ~"})
    assert refusal(strange).endswith(f"make it anew: insula fit 'x; rm -rf ~' -o '{strange}'"), "may be typed as it is"
    reseal(strange, recipe={"name": "a\x1b[2J\nb"})
    assert "insula fit RECIPE -o" in refusal(strange)


def test_a_system_that_was_kept_itself_is_no_longer_opened(tmp_path: Path) -> None:
    """As systems that read EEG were, in the formats before: with skops files."""
    (tmp_path / "system").mkdir()
    (tmp_path / "system" / "estimator.skops").write_bytes(b"anything")
    for number in (2, 3):
        seal(tmp_path, format=number, predicts_from=["eeg"], modes=["plain"], recipe={"name": "eeg-baselines"})
        assert refusal(tmp_path).endswith(f"make it anew: insula fit eeg-baselines -o {tmp_path}")


@pytest.fixture(scope="module")
def of_eeg(tmp_path_factory: pytest.TempPathFactory) -> Path:
    windows = toy_windows()
    fitted = system("tangent-space").fit(windows, windows.select([]), TASK)
    folder = tmp_path_factory.mktemp("eeg") / "bundle"
    write_bundle(fitted, "tangent-space", Recipe.load("watermelon"), folder, {}, windows)
    return folder


def test_a_bundle_of_eeg_answers_for_rows_and_for_no_picture(of_eeg: Path) -> None:
    bundle = open_bundle(of_eeg)
    with pytest.raises(SettingsError, match="predicts from eeg, not from pictures"):
        bundle.answer(np.zeros((1, 32, 32, 3), np.uint8))
    with pytest.raises(SettingsError, match="predicts from eeg, not from pictures"):
        find_recogniser(of_eeg)
    windows = toy_windows(seed=1)
    turned = windows.store("eeg").description.model_copy(update={"channels": ("F4", "F3", "C3", "C4", "P3", "P4")})
    values = windows.read("eeg")[:, [1, 0, 2, 3, 4, 5]]
    other = windows.with_modality("eeg", "turned", ArrayStore(values, turned), range(len(windows)))
    said = bundle.predict(windows).probabilities
    assert np.allclose(bundle.predict(other).probabilities, said), "channels are found by name"
    fewer = ArrayStore(values[:, 1:], turned.model_copy(update={"channels": turned.channels[1:]}))
    for rows, words in ((fewer, "no channel F4"), (ArrayStore(values[..., 1:], turned), "cut and resample them alike")):
        with pytest.raises(DataError, match=words):
            bundle.predict(windows.with_modality("eeg", "other", rows, range(len(windows))))


ROWS = {"kind": "signal", "axes": ["channel", "time"], "channels": [], "rate": 128}
TANGENT = {"name": "tangent-vectors", "estimator": "oas", "order": 1, "lag": 1, "reference": "plain.eeg.npy"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"inputs": {}}, "bundle must: inputs"),
        ({"sides": {"face": "face"}, "max_skew": 0.5}, "bundle must: sides"),
        ({"recording": [1]}, "bundle must: recording"),
        ({"recording": {"preprocessing": {"rate": 1e9}, "windows": {"seconds": 2.0, "hop": None}}}, "must: recording"),
        ({"recording": {"preprocessing": {"rate": 128}, "windows": {"seconds": 2.0, "hop": 1e-6}}}, "must: recording"),
        ({"recording": {"preprocessing": {"rate": 128}, "windows": {"seconds": 1e6, "hop": 1}}}, "must: recording"),
        ({"inputs": {"eeg": {"kind": "signal", "axes": ["channel", "time"], "shape": [6]}}}, "bundle must: inputs"),
        ({"inputs": {"eeg": {"kind": "signal", "axes": ["a", "b"], "shape": [1 << 20, 1 << 20]}}}, "must: inputs"),
        ({"inputs": {"eeg": {**ROWS, "shape": [1 << 32, 1 << 32]}}}, "must: inputs"),
        ({"inputs": {"eeg": {**ROWS, "kind": "vector", "shape": [6, 256]}}}, "must: inputs"),
        ({"inputs": {"eeg": {**ROWS, "axes": [], "shape": []}}}, "must: inputs"),
        ({"inputs": {"eeg": {**ROWS, "channels": ["F3"], "shape": [6, 256]}}}, "must: inputs"),
        ({"inputs": {"eeg": {"kind": "signal", "axes": ["channel", "time"], "shape": [6, 256]}}}, "must: inputs"),
        ({"before": {"eeg": {"name": "os.system"}}}, "bundle must: before"),
        ({"before": {"eeg": {**TANGENT, "order": 10**8}}}, "bundle must: before"),
        ({"before": {"eeg": {**TANGENT, "order": 1.0}}}, "bundle must: before"),
        ({"before": {"eeg": {**TANGENT, "order": 2, "lag": 256}}}, "bundle must: before"),
        ({"before": {"eeg": {"name": "tangent-vectors", "estimator": "oas", "order": 1, "lag": 1}}}, "must: before"),
        ({"before": {}}, "its input is not 'eeg', float32 (rows, 6, 256)"),
        ({"names": ["face"]}, "bundle must: graphs"),
    ],
)
def test_a_manifest_of_rows_that_does_not_say_what_it_must_is_refused(
    of_eeg: Path, tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    folder = Path(shutil.copytree(of_eeg, tmp_path / "copy"))
    graphs = verify(folder)["graphs"]
    graphs["plain"] |= {key: changes[old] for old, key in (("before", "before"), ("names", "inputs")) if old in changes}
    reseal(folder, graphs=graphs, **{key: value for key, value in changes.items() if key not in ("before", "names")})
    assert words in refusal(folder)


def _header(shape: str) -> bytes:
    text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}}}".ljust(117).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04 no zip",
        _header("(1000000, 10000000)"),
        _header("(2, 2)") + b"1",
        _header("(6, 6)") + np.full((6, 6), np.nan).tobytes(),
    ],
)
def test_an_array_that_cannot_be_read_is_one_line(of_eeg: Path, tmp_path: Path, content: bytes) -> None:
    folder = Path(shutil.copytree(of_eeg, tmp_path / "copy"))
    (folder / "plain.eeg.npy").write_bytes(content)
    reseal(folder)
    assert "bundle must: before" in refusal(folder)


WRONG: tuple[Any, ...] = (None, True, -1, 10**400, float("nan"), float("inf"), "", "x\x1b", [], {}, [[]], {"a": None})


def _altered(value: Any) -> Iterator[Any]:
    """Yield copies of a manifest's values, each with one entry, however deep, of another type, or without it."""
    yield from WRONG
    if isinstance(value, dict):
        for key in value:
            yield {name: entry for name, entry in value.items() if name != key}
            yield from ({**value, key: entry} for entry in _altered(value[key]))
    elif isinstance(value, list):
        for place in range(len(value)):
            yield from ([*value[:place], entry, *value[place + 1 :]] for entry in _altered(value[place]))


@pytest.mark.parametrize("kind", ["pictures", "eeg"])
def test_a_manifest_with_any_entry_of_another_type_is_refused_in_one_line_or_opened(
    small_bundle: Path, of_eeg: Path, tmp_path: Path, kind: str
) -> None:
    folder = Path(shutil.copytree({"pictures": small_bundle, "eeg": of_eeg}[kind], tmp_path / "copy"))
    about = {name: value for name, value in verify(folder).items() if name != "files"}
    face = np.zeros((48, 48, 3), np.uint8)
    used = [name for name in about if name not in ("recipe", "created", "code")]
    wrong = [(name, value) for name in used for value in _altered(about[name])]
    for name, value in wrong[:: 1 if os.environ.get("INSULA_FUZZ") else 17]:
        seal(folder, **{**about, name: value})
        try:
            bundle = open_bundle(folder)
            if kind == "pictures":
                Predictor(folder, "cropped").predict(face)
            else:
                bundle.predict(toy_windows())
        except InsulaError as error:
            assert "\n" not in str(error)
        except Exception as error:
            raise AssertionError(f"{name}={value!r:.200}: {error!r}") from error


@pytest.mark.parametrize("text", ["", "[]", "3", "[" * 100_000, '{"files": 3, "sha256": 1}', '{"sha256": NaN}', "\xff"])
def test_a_manifest_that_is_none_is_one_line(copied: Path, text: str) -> None:
    (copied / "manifest.json").write_bytes(text.encode("latin-1"))
    assert "manifest" in refusal(copied)


@pytest.mark.parametrize("harm", ["manifest", "folder", "link", "pipe", "linked folder"])
def test_a_bundle_holds_files_of_its_own_alone(copied: Path, harm: str) -> None:
    place = copied / "more"
    if harm == "manifest":
        place.mkdir()
        (place / "manifest.json").write_text("{}")
    elif harm == "folder":
        place.mkdir()
    elif harm == "pipe":
        os.mkfifo(place)
    else:
        place.symlink_to(copied / "card.md" if harm == "link" else copied.parent)
    assert "was added" in (line := refusal(copied)) or "neither a file nor a folder" in line
