"""A bundle that was altered, resealed or made by another insula is refused in one line, before it is used."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from insula.deployment.bundle import open_bundle, write_bundle
from insula.emotions import Categorical
from insula.errors import BundleError, SettingsError
from insula.evaluation.recipe import Recipe
from insula.storage.folder import verify
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
        ({"format": 4}, "format 4 is unknown"),
        ({"format": None}, "format None is unknown"),
        ({"modes": []}, "bundle must: modes"),
        ({"modes": [{}]}, "bundle must: modes"),
        ({"modes": ["dark", "bright"]}, "bundle must: graphs"),
        ({"classes": "anger"}, "bundle must: classes"),
        ({"classes": ["anger", "fear"]}, "'probabilities' is not float32 (faces, 2)"),
        ({"size": "32"}, "bundle must: size"),
        ({"size": 1 << 40}, "bundle must: size"),
        ({"pictures": "all"}, "bundle must: pictures"),
        ({"framing": None}, "bundle must: framing"),
        ({"graphs": {"bright": {"runs": "../outside.onnx"}, "dark": {"runs": "dark.onnx"}}}, "bundle must: graphs"),
        ({"graphs": {"bright": {"runs": "absent.onnx"}, "dark": {"runs": "dark.onnx"}}}, "bundle must: graphs"),
        ({"graphs": [1]}, "bundle must: graphs"),
        ({"system": 3}, "bundle must: system"),
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


@pytest.fixture(scope="module")
def of_eeg(tmp_path_factory: pytest.TempPathFactory) -> Path:
    windows = toy_windows()
    fitted = system("tangent-space").fit(windows, windows.select([]), TASK)
    folder = tmp_path_factory.mktemp("eeg") / "bundle"
    write_bundle(fitted, "tangent-space", Recipe.load("watermelon"), folder, {"classes": list(CLASSES), "size": None})
    return folder


def test_a_system_that_reads_eeg_is_kept_itself_and_opened_with_one_line_of_warning(of_eeg: Path) -> None:
    assert "graphs" not in verify(of_eeg) and (of_eeg / "system").is_dir()
    with pytest.warns(UserWarning, match="holds a system and not a graph") as caught:
        bundle = open_bundle(of_eeg)
    assert len(caught) == 1 and "\n" not in str(caught[0].message)
    windows = toy_windows(seed=1)
    assert bundle.system is not None and len(bundle.predict(windows).table) == len(windows)
    with pytest.raises(SettingsError, match="predicts from eeg, not from pictures"):
        bundle.answer(np.zeros((1, 32, 32, 3), np.uint8))
    assert "the system itself" in (of_eeg / "card.md").read_text()


def test_what_reads_eeg_and_was_kept_before_is_still_opened(of_eeg: Path, tmp_path: Path) -> None:
    old = Path(shutil.copytree(of_eeg, tmp_path / "old"))
    reseal(old, format=2)
    with pytest.warns(UserWarning, match="holds a system"):
        assert set(open_bundle(old).modes) == set(system("tangent-space").modes)
