"""A bundle as one ONNX file: the same answers without torch, and nearly the same in eight bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from insula.deployment.bundle import write_bundle
from insula.deployment.onnx import export_bundle, export_onnx, quantise_onnx
from insula.deployment.predictor import Predictor
from insula.emotions import Categorical
from insula.errors import DataError, SettingsError
from insula.evaluation.recipe import Recipe
from insula.samples import Samples
from insula.systems.catalogue import system
from toy import CLASSES, toy_study, toy_windows

TASK = Categorical(label="emotion", classes=CLASSES)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def study() -> Samples:
    return toy_study(pictures=60, noise=0.05)


@pytest.fixture(scope="module")
def bundle(study: Samples, tmp_path_factory: pytest.TempPathFactory) -> Path:
    training = {"epochs": 6, "batch_size": 16, "learning_rate": 3e-3}
    fitted = system("face-network", backbone="resnet10t", sizes=(32,), augment=False, training=training)
    fitted.fit(study.select(range(40)), study.select(range(40, 60)), TASK)
    folder = tmp_path_factory.mktemp("bundle") / "bundle"
    about = {"pictures": "whole", "size": 48, "classes": list(CLASSES)}
    write_bundle(fitted, "face-network", Recipe.load("bmci"), folder, about)
    return folder


@pytest.fixture(scope="module")
def exported(bundle: Path) -> Path:
    export_onnx(bundle, bundle.parent / "face.onnx")
    return bundle.parent / "face.onnx"


def _say(file: Path, pictures: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    return session.run(["probabilities"], {"pictures": np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))})[0]


@pytest.mark.parametrize("faces", [1, 7])
def test_the_file_says_what_the_bundle_says(bundle: Path, exported: Path, study: Samples, faces: int) -> None:
    chosen = study.select(range(100, 100 + faces))
    wanted = Predictor(bundle).system.predict(chosen).probabilities  # type: ignore[attr-defined]
    assert np.abs(_say(exported, chosen.read("picture")) - wanted).max() < 1e-5


def test_the_file_tells_how_to_use_it(exported: Path) -> None:
    about = onnxruntime.InferenceSession(exported).get_modelmeta().custom_metadata_map
    assert about["classes"] == ",".join(CLASSES) and about["size"] == "48" and about["pictures"] == "whole"
    assert len(about["bundle"]) == 64


def test_eight_bits_make_it_small_and_change_few_answers(exported: Path, study: Samples) -> None:
    pictures = study.select(range(60, 120)).read("picture")
    quantise_onnx(exported, study.select(range(40)).read("picture"), exported.with_name("small.onnx"))
    assert exported.with_name("small.onnx").stat().st_size < 0.35 * exported.stat().st_size
    whole, small = _say(exported, pictures), _say(exported.with_name("small.onnx"), pictures)
    assert (whole.argmax(axis=1) == small.argmax(axis=1)).mean() > 0.9
    assert not list(exported.parent.glob("*.prepared*"))


def test_eight_bits_are_compared_with_the_whole_on_the_faces_given(
    bundle: Path, study: Samples, tmp_path: Path
) -> None:
    faces = tmp_path / "faces"
    faces.mkdir()
    for number, picture in enumerate(study.select(range(20)).read("picture")):
        Image.fromarray(picture).save(faces / f"{number}.png")
    kept = export_bundle(bundle, tmp_path / "small.onnx", faces)
    assert kept["faces"] == 20 and 0.8 <= kept["same"] <= 1 and 0 < kept["difference"] < 0.5
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["small.onnx"]
    with pytest.raises(SettingsError, match="no file that could be written"):
        export_bundle(bundle, faces)


def test_pictures_are_needed_to_measure_and_a_network_on_pictures_to_export(exported: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no picture to measure"):
        quantise_onnx(exported, np.empty((0, 48, 48, 3), np.uint8), tmp_path / "small.onnx")
    windows = toy_windows()
    covariances = system("tangent-space").fit(windows, windows.select([]), TASK)
    about = {"pictures": "whole", "size": 48, "classes": list(CLASSES)}
    write_bundle(covariances, "tangent-space", Recipe.load("bmci"), tmp_path / "plain", about)
    with pytest.raises(SettingsError, match="a bundle of tangent-space predicts from no pictures"):
        export_onnx(tmp_path / "plain", tmp_path / "face.onnx")
    assert not (tmp_path / "face.onnx").exists()
