"""Other people's models: run as they are, classes matched by name, licence shown, nothing learnt."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from insula.corpora.fakes import fake_london_faces
from insula.emotions import Categorical
from insula.errors import DataError, SettingsError, WeightsError
from insula.evaluation.candidates import Fitting, controls, files
from insula.evaluation.experiment import plan, run
from insula.evaluation.recipe import Recipe
from insula.evaluation.table import metrics_table
from insula.faces import FaceDetector, crop_faces
from insula.samples import ArrayStore, Description, Samples, provenance
from insula.storage.cache import Cache
from insula.systems.catalogue import system
from insula.systems.peers.onnx_file import PRESETS

CLASSES = ("happy", "sad", "fear")
TASK = Categorical(label="emotion", classes=("sadness", "happiness"))


def colour_file(path: Path, colours: int = 3, *, last: bool = False, batch: int | None = None) -> Path:
    """Write a classifier whose logits are the mean of each colour."""
    side = 4
    shape = [batch or "n", side, side, colours] if last else [batch or "n", colours, side, side]
    axes = numpy_helper.from_array(np.array([1, 2] if last else [2, 3]), "axes")
    graph = helper.make_graph(
        [helper.make_node("ReduceMean", ["pictures", "axes"], ["logits"], keepdims=0)],
        "colours",
        [helper.make_tensor_value_info("pictures", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [batch or "n", colours])],
        [axes],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, path)
    return path


def coloured(*pixels: tuple[int, int, int], **columns: Any) -> Samples:
    """Return samples whose pictures are of one colour each."""
    pictures = np.broadcast_to(np.array(pixels, np.uint8)[:, None, None], (len(pixels), 9, 7, 3))
    table = provenance(corpus="toy", stimulus=[str(number) for number in range(len(pixels))]).assign(**columns)
    store = ArrayStore(pictures, Description(kind="picture", axes=("row", "column", "colour")))
    return Samples(table, {}).with_modality("picture", "pictures", store, range(len(pixels)))


def peer(file: Path, **changes: Any) -> Any:
    return system("onnx-file", **{"file": file, "classes": CLASSES, "picture_size": 4, **changes})


PIXELS = ((255, 0, 0), (0, 255, 0), (0, 128, 255))


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("batch", [None, 1])
def test_the_answer_is_the_softmax_of_the_file_on_what_it_wants_to_see(
    tmp_path: Path, last: bool, batch: int | None
) -> None:
    samples = coloured(*PIXELS)
    mean, deviation = (0.5, 0.4, 0.3), (0.5, 0.25, 0.125)
    task = Categorical(label="emotion", classes=("fear", "happiness", "sadness"))
    mine = peer(colour_file(tmp_path / "m.onnx", last=last, batch=batch), mean=mean, deviation=deviation)
    said = mine.fit(samples, samples, task).predict(samples)
    logits = (np.array(PIXELS) / 255 - mean) / deviation
    wanted = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert np.allclose(said.probabilities, wanted[:, [2, 0, 1]], atol=1e-5)


def test_classes_that_the_task_lacks_are_dropped_and_the_rest_adds_up_to_one(tmp_path: Path) -> None:
    samples = coloured(*PIXELS)
    mine = peer(colour_file(tmp_path / "m.onnx"), scores="probabilities").fit(samples, samples, TASK)
    said = mine.predict(samples).probabilities
    assert np.allclose(said[:2], [[0, 1], [1, 0]], atol=1e-6)
    assert np.allclose(mine.predict(coloured((0, 0, 255))).probabilities, 0.5)  # all that was said is dropped
    assert mine.facts["dropped"] == ["fear"] and mine.facts["never_said"] == []


def test_a_class_that_the_model_does_not_know_is_never_said(tmp_path: Path) -> None:
    samples, wider = coloured(*PIXELS), Categorical(label="emotion", classes=("contempt", "happiness", "sadness"))
    mine = peer(colour_file(tmp_path / "m.onnx")).fit(samples, samples, wider)
    assert not mine.predict(samples).probabilities[:, 0].any()
    assert mine.facts["never_said"] == ["contempt"]
    stranger = Categorical(label="emotion", classes=("contempt", "happiness"))
    with pytest.raises(DataError, match="knows 1 of the task's classes contempt, happiness"):
        peer(tmp_path / "m.onnx").fit(samples, samples, stranger)


def test_colours_come_in_the_order_that_was_said(tmp_path: Path) -> None:
    samples, file = coloured(*PIXELS), colour_file(tmp_path / "m.onnx")
    task = Categorical(label="emotion", classes=("fear", "sadness", "happiness"))
    rgb = peer(file, classes=CLASSES).fit(samples, samples, task).predict(samples)
    bgr = peer(file, classes=CLASSES[::-1], colours="bgr").fit(samples, samples, task).predict(samples)
    assert np.allclose(rgb.probabilities, bgr.probabilities)
    grey = colour_file(tmp_path / "grey.onnx", colours=1)
    with pytest.raises(SettingsError, match="2 classes are named, and ONNX file answers with 1"):
        peer(grey, colours="grey", classes=CLASSES[:2]).fit(samples, samples, TASK)


def test_nothing_is_learnt_and_labels_are_not_needed(tmp_path: Path) -> None:
    samples = coloured(*PIXELS)
    mine = peer(colour_file(tmp_path / "m.onnx")).fit(samples.select([]), samples.select([]), TASK)
    assert not mine.log.fits and "emotion" not in samples.table


def test_a_saved_adapter_says_the_same_and_finds_out_when_its_file_was_replaced(tmp_path: Path) -> None:
    samples, file = coloured(*PIXELS), colour_file(tmp_path / "m.onnx")
    mine = peer(file).fit(samples, samples, TASK)
    mine.save(tmp_path / "saved")
    again = type(mine).load(tmp_path / "saved")
    assert np.allclose(again.predict(samples).probabilities, mine.predict(samples).probabilities)
    colour_file(file, batch=1)
    with pytest.raises(WeightsError, match="not the file of ONNX file"):
        type(mine).load(tmp_path / "saved").predict(samples)


def test_what_does_not_fit_is_one_line(tmp_path: Path) -> None:
    samples, file = coloured(*PIXELS), colour_file(tmp_path / "m.onnx")
    with pytest.raises(WeightsError, match=r"no ONNX file of EmotiEffLib enet_b2_8.*source: https"):
        system("onnx-file", "emotiefflib-b2").fit(samples, samples, TASK)
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(WeightsError, match=r"ONNX Runtime cannot open it: .*: give an ONNX file"):
        peer(tmp_path / "text.onnx").fit(samples, samples, TASK)
    with pytest.raises(SettingsError, match=r"does not take pictures of shape \(3, 5, 5\): .*: give a classifier"):
        peer(file, picture_size=5).fit(samples, samples, TASK)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_names_its_classes_and_its_licence(preset: str) -> None:
    known = system("onnx-file", preset)
    assert len(known.classes) == (7 if preset.endswith("-7") else 8)
    assert "Apache-2.0" in known.modes["peer"] and known.source.startswith("https://")


@pytest.fixture
def feat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Stand in for py-feat: its network's class and signature, whose features are the mean of each colour."""
    package = tmp_path / "feat" / "emo_detectors" / "ResMaskNet"
    package.mkdir(parents=True)
    for folder in (package, package.parent, package.parent.parent):
        (folder / "__init__.py").touch()
    (package / "resmasknet_test.py").write_text(
        "import torch\n"
        "class ResMasking(torch.nn.Module):\n"
        "    def __init__(self, weight_path, in_channels):\n"
        "        super().__init__()\n"
        "        self.fc = torch.nn.Linear(512, 1000)\n"
        "    def forward(self, x):\n"
        "        assert x.shape[1:] == (3, 224, 224)\n"
        "        return self.fc(torch.nn.functional.pad(x.mean(dim=(2, 3)), (0, 509)))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    weights = torch.zeros(7, 512)
    weights[[3, 4, 5], [0, 1, 2]] = 10.0  # red is happiness, green sadness, blue surprise
    torch.save({"net": {"fc.1.weight": weights, "fc.1.bias": torch.zeros(7)}}, tmp_path / "net.pth")
    yield tmp_path / "net.pth"
    for name in [name for name in sys.modules if name.partition(".")[0] == "feat"]:
        del sys.modules[name]


def test_py_feat_sees_rgb_from_0_to_1_and_its_classes_are_in_its_order(feat: Path) -> None:
    samples, task = coloured(*PIXELS), Categorical(label="emotion", classes="basic7")
    mine = system("py-feat", weights=feat).fit(samples, samples, task)
    said = mine.predict(samples)
    assert said.labels.tolist() == ["happiness", "sadness", "surprise"]
    assert said.probabilities[0].max() == pytest.approx(np.exp(10) / (np.exp(10) + 6), rel=1e-5)
    with pytest.raises(WeightsError, match="no weights of py-feat"):
        system("py-feat").fit(samples, samples, task)


def test_py_feat_that_is_not_installed_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "feat", None)
    samples, task = coloured(*PIXELS), Categorical(label="emotion", classes="basic7")
    with pytest.raises(SettingsError, match="py-feat is not installed: run `pip install py-feat`"):
        system("py-feat").fit(samples, samples, task)


# in a run -------------------------------------------------------------------------------------------------------------


def recipe(root: Path, **changes: Any) -> Recipe:
    values = {
        "name": "beside",
        "corpus": {"name": "london-faces", "root": str(root), "faces": "cropped", "size": 32},
        "protocol": {"name": "identity-disjoint", "folds": 2, "validation_share": 0},
        "system": {"name": "linear"},
        "controls": ["majority"],
        **changes,
    }
    return Recipe.complete(values, where="test")


def test_a_run_scores_peers_beside_the_system_with_their_licence_and_paired_tests(tmp_path: Path) -> None:
    fake_london_faces(tmp_path)
    file = colour_file(tmp_path / "m.onnx")
    mine = {"name": "onnx-file", "file": str(file), "classes": ["happy", "neutral", "sad"], "picture_size": 4,
            "title": "Colours", "licence": "CC0"}  # fmt: skip
    results = run(recipe(tmp_path, peers=[{"name": "fer"}, mine]), Cache(tmp_path / "cache"))
    table = metrics_table(results).set_index("arm")
    assert table.loc["fer", "title"] == "fer, as published (licence: MIT)"
    assert table.loc["onnx-file", "title"] == "Colours, as published (licence: CC0)"
    assert set(results.comparators) == {"majority", "fer", "onnx-file"}
    assert (table.loc[["fer", "onnx-file"], "units"] == table.loc["plain", "units"]).all()
    assert table.loc[["fer", "onnx-file"], ["p", "difference"]].notna().all(axis=None)


def test_another_content_of_the_file_is_another_fit(tmp_path: Path) -> None:
    fake_london_faces(tmp_path)
    file, cache = colour_file(tmp_path / "m.onnx"), Cache(tmp_path / "cache")
    with_file = recipe(tmp_path, peers=[{"name": "onnx-file", "file": str(file), "classes": "basic7"}])
    planned, fitting = plan(with_file, cache), Fitting("control", "onnx-file", 0, 0)
    before, own = planned.key(fitting), planned.key(Fitting("system", "linear", 0, 0))
    assert list(files(with_file.peers[0])) == ["file"]
    colour_file(file, batch=1)
    assert planned.key(fitting) != before
    assert planned.key(Fitting("system", "linear", 0, 0)) == own
    alone = plan(recipe(tmp_path), cache)
    assert alone.key(Fitting("system", "linear", 0, 0)) == own, "a peer changes nothing in the fits beside it"


def test_two_peers_of_one_name_and_unknown_ones_are_refused() -> None:
    with pytest.raises(SettingsError, match="two arms have the name 'fer'"):
        controls(recipe(Path(), peers=[{"name": "fer"}, {"name": "fer"}]))
    with pytest.raises(SettingsError, match="unknown system 'ferr'"):
        controls(recipe(Path(), peers=[{"name": "ferr"}]))


# the public recogniser ------------------------------------------------------------------------------------------------


def test_fer_reads_real_faces(data: Path) -> None:
    people = [f"{number:03d}" for number in range(1, 13)]
    paths = [data / "london-faces" / f"{name}_{kind}.jpg" for kind in ("neutral", "happiness") for name in people]
    paths += [data / "portraits" / "angry.jpg", data / "portraits" / "neutral.jpeg"]
    pictures = np.stack([crops[0].pixels for crops in crop_faces(paths, 96, FaceDetector(), require=True)])
    samples = coloured(*[(0, 0, 0)] * len(pictures))
    store = ArrayStore(pictures, samples.store("picture").description)
    samples = samples.with_modality("picture", "faces", store, range(len(pictures)))
    task = Categorical(label="emotion", classes="basic7")
    said = system("fer").fit(samples, samples, task).predict(samples)
    happiness = said.table["p_happiness"].to_numpy()
    neutral, smiling = happiness[: len(people)], happiness[len(people) : 2 * len(people)]
    assert (smiling[:, None] > neutral).mean() > 0.75  # a closed-mouth smile is a weak one
    assert said.labels.tolist()[-2:] == ["anger", "neutral"]
