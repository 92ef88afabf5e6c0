"""What is written of predictions: as they are made, whatever a file is like."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from insula.deployment import prediction_files
from insula.deployment.exporting import export_bundle
from insula.deployment.prediction_files import predict_to_folder
from insula.deployment.predictor import Predictor
from insula.deployment.recognisers import Recogniser
from insula.deployment.tracks import crossings
from insula.errors import DataError, SettingsError


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Return a folder of three pictures, whole faces as far as is asked."""
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(3):
        values = np.random.default_rng(number).integers(0, 256, (64, 64, 3), dtype=np.uint8)
        Image.fromarray(values).save(folder / f"{number}.png")
    return folder


def test_what_was_answered_is_on_disk_before_the_next_is_looked_at(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prediction_files, "_BATCH", 1)
    monkeypatch.setattr(prediction_files, "_EVERY", 0.0)
    predictor, judge, rows = Predictor(faces="cropped"), Predictor._predict, []

    def looked(self: Predictor, *arguments: object) -> pd.DataFrame:
        table = tmp_path / "out" / "predictions.csv"
        rows.append(len(pd.read_csv(table)) if table.exists() else 0)
        return judge(self, *arguments)

    monkeypatch.setattr(Predictor, "_predict", looked)
    table = predict_to_folder(predictor, pictures, tmp_path / "out")
    assert rows == [0, 1, 2]
    written = pd.read_csv(tmp_path / "out" / "predictions.csv")
    assert written["label"].tolist() == table["label"].tolist() and len(table) == 3
    whole = predictor.predict(pictures)
    assert list(table) == list(whole) and table["label"].equals(whole["label"])
    np.testing.assert_allclose(table["probability"], whole["probability"], atol=1e-5)


def test_a_copy_that_cannot_be_written_costs_itself_alone(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import insula.faces

    read = insula.faces.read_reduced

    def broken(path: Path, side: float) -> tuple[np.ndarray, int]:
        if path.name == "1.png" and (tmp_path / "out" / "000-0.png").exists():
            raise DataError("the file is gone", where=path, do="")
        return read(path, side)

    monkeypatch.setattr(insula.faces, "read_reduced", broken)
    table = predict_to_folder(Predictor(faces="cropped"), pictures, tmp_path / "out")
    assert table["label"].notna().all()
    assert table["reason"].tolist()[1] == "no annotated copy: the file is gone" and table["reason"].isna().sum() == 2
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["000-0.png", "002-2.png", "predictions.csv"]


def test_no_name_of_a_file_or_a_class_costs_the_run(pictures: Path, tmp_path: Path) -> None:
    for name in (os.fsdecode(b"caf\xe9.png"), "x" * 246 + ".png", "a\x1b[31m\n.png", "=1+1.png"):
        shutil.copy(pictures / "0.png", pictures / name)
    os.mkfifo(pictures / "pipe.png")
    classes = ("very happy", "=cmd()", "a/b")

    def answer(faces: np.ndarray, mode: str | None) -> dict[str, np.ndarray]:
        return {"probabilities": np.tile(np.float32([0.2, 0.7, 0.1]), (len(faces), 1))}

    odd = Recogniser("odd", classes, ("plain",), 32, "cropped", "box", None, None, None, answer)
    table = predict_to_folder(Predictor(odd), [pictures, pictures / "pipe.png"], tmp_path / "out")
    answered = table.dropna(subset="label")
    assert len(answered) == 7 and set(answered["label"]) == {"=cmd()"}
    assert table["reason"].dropna().str.startswith("this is no file").tolist() == [True]
    written = pd.read_csv(tmp_path / "out" / "predictions.csv")
    assert {Path(path).name for path in written["path"]} > {"caf\\xe9.png", "a\\x1b[31m\\n.png"}
    assert set(written["label"].dropna()) == {"'=cmd()"}  # which no spreadsheet runs
    assert len(list((tmp_path / "out").glob("*.png"))) == 7


def test_a_folder_of_something_else_is_refused_and_one_that_was_broken_off_is_not(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    with pytest.raises(DataError, match="holds something else"):
        predict_to_folder(Predictor(faces="cropped"), pictures, tmp_path / "mine")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(prediction_files, "_with_copies", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        predict_to_folder(Predictor(faces="cropped"), pictures, tmp_path / "out")
    assert len(predict_to_folder(Predictor(faces="cropped"), pictures, tmp_path / "out")) == 3


def test_faces_that_pass_each_other_at_a_distance_did_not_meet() -> None:
    times = np.arange(5.0)
    left = pd.DataFrame({"time": times, "track": 1, "left": 0, "right": 10})
    right = pd.DataFrame({"time": times[:3], "track": 2, "left": 30, "right": 40})  # lost, three widths away
    assert crossings(pd.concat([left, right]).assign(top=0, bottom=10)) == {}
    assert set(crossings(pd.concat([left, right.assign(left=15, right=25)]).assign(top=0, bottom=10))) == {1, 2}


def test_export_replaces_a_graph_and_nothing_else(small_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    for output in (tmp_path / "thesis.txt", small_bundle / "mine.onnx", tmp_path):
        with pytest.raises(SettingsError, match="give the name of a new file"):
            export_bundle(small_bundle, output)
    assert (tmp_path / "thesis.txt").read_text() == "mine" and not (small_bundle / "mine.onnx").exists()
    for _ in range(2):
        export_bundle(small_bundle, tmp_path / "graph.onnx")
