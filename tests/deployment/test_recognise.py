"""From pictures to a table of faces, with a recogniser of which all is known."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from filmed import film
from insula.corpora.drawn_faces import draw_faces
from insula.deployment.prediction_files import predict_to_folder
from insula.deployment.predictor import NO_FACE, Predictor
from insula.deployment.recognisers import Recogniser
from insula.errors import InsulaError

CLASSES = ("anger", "happiness", "neutral")


def brightness(faces: np.ndarray, mode: str | None) -> Mapping[str, np.ndarray]:
    """Answer by how bright a face is: dark is anger, middling unsure, bright happiness; the brightest are strange."""
    light = faces.mean(axis=(1, 2, 3)) / 255
    probabilities = np.stack([1 - light, light, np.full(len(light), 0.05)], axis=1) / 1.05
    return {
        "probabilities": probabilities.astype(np.float32),
        "out_of_distribution": np.where(light > 0.9, 2.5, 0.0).astype(np.float32),
        "admitted": probabilities > 0.3,
    }


RECOGNISER = Recogniser("stand-in", CLASSES, ("plain",), 32, "cropped", "box", 1.5, None, 0.9, brightness)


def shade(level: int) -> np.ndarray:
    return np.full((40, 40, 3), level, np.uint8)


def test_every_picture_gets_an_answer_in_words_and_numbers() -> None:
    table = Predictor(RECOGNISER).predict([shade(10), shade(130), shade(215), shade(250)])
    assert table["path"].tolist() == [f"picture {number}" for number in range(4)]
    assert table["label"].tolist() == ["anger", "happiness", "happiness", "happiness"]
    assert table["second"].tolist() == ["neutral", "anger", "anger", "neutral"]
    assert table["sure"].tolist() == [
        "sure",
        "unsure: happiness or anger",
        "sure",
        "unsure: happiness or neutral (an unusual picture)",
    ]
    assert table["reason"].isna().all()
    np.testing.assert_allclose(table[[f"p_{name}" for name in CLASSES]].sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(table["probability"], table[[f"p_{name}" for name in CLASSES]].max(axis=1))
    assert table["valence"].iloc[0] < 0 < table["valence"].iloc[2]
    assert table["set"].tolist()[:3] == ["anger", "anger happiness", "happiness"]


def test_a_strict_reader_is_told_why_an_answer_is_withheld() -> None:
    table = Predictor(RECOGNISER, strict=True).predict([shade(10), shade(130), shade(250)])
    assert table["label"].fillna("-").tolist() == ["anger", "-", "-"]
    assert table.loc[1:, ["probability", "second", "p_anger", "valence", "sure", "set"]].isna().all(axis=None)
    assert pd.isna(table["reason"][0])
    assert table["reason"][1] == "unsure: happiness or anger"
    assert table["reason"][2] == "unlike the training pictures: strangeness 2.5, limit 1.5"
    assert table["out_of_distribution"][2] == 2.5


def test_a_tight_crop_is_taken_whole_and_in_a_photograph_the_face_is_found(tmp_path: Path) -> None:
    (face,) = draw_faces(["neutral"], [1.0], [0], nuisance=0.2)
    photograph = np.full((300, 400, 3), 90, np.uint8)
    photograph[100:196, 150:246] = face
    pictures = {"tight.png": face, "photograph.png": photograph, "small.png": shade(200), "wall.png": photograph[:90]}
    for name, picture in pictures.items():
        Image.fromarray(picture).save(tmp_path / name)
    predictor = Predictor(RECOGNISER, "auto")
    on_disk = predictor.predict([tmp_path / name for name in pictures])
    in_memory = predictor.predict(list(pictures.values()))
    assert on_disk["reason"].tolist()[3] == in_memory["reason"].tolist()[3] == NO_FACE
    for table in (on_disk, in_memory):  # of a face that is the whole picture no box is told
        assert table["left"].isna().tolist() == [True, False, True, True]
    whole = Predictor(RECOGNISER, "cropped").predict([face, shade(200)])
    assert in_memory["p_anger"][[0, 2]].tolist() == on_disk["p_anger"][[0, 2]].tolist() == whole["p_anger"].tolist()
    detected = Predictor(RECOGNISER, "detect").predict(tmp_path / "photograph.png")
    assert on_disk["p_anger"][1] == detected["p_anger"][0]


def test_files_that_are_passed_over_are_counted_by_ending(tmp_path: Path) -> None:
    for name in ("a.png", "b.jfif"):
        Image.fromarray(shade(10)).save(tmp_path / name, format="PNG")
    for name in ("c.PSD", "d.psd", "e.raw", "notes.txt", ".hidden"):
        (tmp_path / name).write_bytes(b"nothing")
    with pytest.warns(UserWarning, match=r"3 files are passed over: 2 \.psd, 1 \.raw$"):
        table = Predictor(RECOGNISER).predict(tmp_path)
    assert [Path(path).name for path in table["path"]] == ["a.png", "b.jfif"]


def test_columns_are_the_same_whatever_was_seen() -> None:
    nothing = Predictor(RECOGNISER, "detect").predict(shade(90))
    something = Predictor(RECOGNISER).predict(shade(90))
    assert list(nothing) == list(something)
    assert list(something)[:12] == [
        "path", "frame", "time", "track", "face", "left", "top", "right", "bottom", "label", "probability", "second",
    ]  # fmt: skip
    assert nothing["reason"].tolist() == [NO_FACE] and nothing["label"].isna().all()


def test_faces_of_photographs_are_found_boxed_and_framed(data: Path) -> None:
    table = Predictor(RECOGNISER, "detect").predict(data / "portraits")
    assert table["label"].notna().all() and len(table) == 8
    group = table[table["path"].str.endswith("group.jpeg")]
    assert group["face"].tolist() == list(range(len(group)))
    assert (table["right"] - table["left"] > 20).all() and (table["score"] > 0.4).all()


def test_one_bad_file_costs_itself_alone(tmp_path: Path) -> None:
    Image.fromarray(shade(20)).save(tmp_path / "good.png")
    (tmp_path / "bad.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    table = Predictor(RECOGNISER).predict([tmp_path, tmp_path / "absent.png"]).set_index("path")
    assert table.loc[str(tmp_path / "good.png"), "label"] == "anger"
    assert "restore the file or leave it out" in str(table.loc[str(tmp_path / "bad.jpg"), "reason"])
    assert "no such file" in str(table.loc[str(tmp_path / "absent.png"), "reason"])


def test_a_film_file_and_a_camera_have_frames_and_tracks(tmp_path: Path) -> None:
    frames = [shade(20)] * 4 + [shade(230)] * 4
    path = film(tmp_path / "film.mp4", frames, np.arange(8) / 4)
    of_file = Predictor(RECOGNISER).predict(path, rate=None, smooth=0)
    assert of_file["frame"].tolist() == list(range(8)) and set(of_file["track"]) == {1}
    assert of_file["label"].tolist() == ["anger"] * 4 + ["happiness"] * 4 == of_file["smoothed_label"].tolist()
    of_camera = Predictor(RECOGNISER).predict(frame for frame in frames)
    assert of_camera["frame"].tolist() == list(range(8)) and of_camera["time"].isna().all()
    assert of_camera["label"].tolist() == of_file["label"].tolist()


def test_what_is_written(tmp_path: Path) -> None:
    Image.fromarray(shade(130)).save(tmp_path / "one.png")
    table = predict_to_folder(Predictor(RECOGNISER), tmp_path / "one.png", tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"predictions.csv", "000-one.png"}
    written = pd.read_csv(tmp_path / "out" / "predictions.csv")
    assert written["sure"].tolist() == table["sure"].tolist() == ["unsure: happiness or anger"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Predictor(RECOGNISER).predict(shade(1), "eeg"), "unknown mode 'eeg': modes are plain"),
        (lambda: Predictor(RECOGNISER).predict(shade(1), rate=0), "give a rate above 0"),
        (lambda: Predictor(RECOGNISER).predict(shade(1), smooth=-1), "and a time from 0"),
        (lambda: Predictor(RECOGNISER).predict(shade(1), smooth=np.inf), "and a time from 0"),
        (lambda: Predictor(RECOGNISER).predict(pd.DataFrame({"path": ["a.jpg"]})), r"as in table\['path'\]"),
        (lambda: Predictor(RECOGNISER, "mouth"), "faces is 'mouth': give detect, or cropped"),  # type: ignore[arg-type]
        (lambda: Predictor("nothing-such"), "no recogniser 'nothing-such': give in-box, fer"),
        (lambda: Predictor("emotiefflib-b9=a.onnx"), "no way of reading 'emotiefflib-b9' is known: give one of"),
        (lambda: Predictor("nowhere.onnx"), "nowhere.onnx"),
    ],
)
def test_wrong_words_are_one_line_before_any_work(call, message: str) -> None:
    with pytest.raises(InsulaError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_an_output_that_is_no_folder_is_said_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for output in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InsulaError, match=r"give another output folder"):
            predict_to_folder(Predictor(RECOGNISER), shade(20), output)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_name_that_is_no_text_costs_nobody_the_run(tmp_path: Path) -> None:
    name = os.fsdecode(b"odd\xff.png")
    Image.fromarray(shade(20)).save(tmp_path / "whole.png")
    (tmp_path / "whole.png").rename(tmp_path / name)
    table = predict_to_folder(Predictor(RECOGNISER), tmp_path / name, tmp_path / "out")
    assert table["label"].tolist() == ["anger"] and "odd" in table["path"][0]
    assert (tmp_path / "out" / "predictions.csv").is_file()


def test_what_was_written_among_the_pictures_before_is_not_read_and_pictures_are_not_written_over(
    tmp_path: Path,
) -> None:
    Image.fromarray(shade(20)).save(tmp_path / "one.png")
    for _ in range(2):
        table = predict_to_folder(Predictor(RECOGNISER), tmp_path, tmp_path / "out")
        assert len(table) == 1 and (tmp_path / "out" / "predictions.csv").is_file()
    with pytest.raises(InsulaError, match="give another folder with -o"):
        predict_to_folder(Predictor(RECOGNISER), tmp_path, tmp_path)
