"""`insula predict` on folders, group pictures and videos: one table, and what gave nothing is named and skipped."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from filmed import break_off, film
from insula.corpora.drawn_faces import draw_faces
from insula.deployment.bundle import write_bundle
from insula.emotions import Categorical
from insula.evaluation.recipe import Recipe
from insula.faces import FaceDetector, Frame, cut_faces, read_video
from insula.samples import ArrayStore, Description, Samples, provenance
from insula.systems.catalogue import system

CLASSES = ("happiness", "surprise")
Command = Callable[..., Any]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a bundle of a linear classifier that learnt faces cut out of drawings."""
    labels, detector = [CLASSES[number % 2] for number in range(48)], FaceDetector()
    found = [
        cut_faces(picture, detector.detect(picture)[:1], 48)
        for picture in draw_faces(labels, [1.0] * 48, range(48), nuisance=0.2)
    ]
    kept = [number for number, crops in enumerate(found) if crops]
    values = np.stack([found[number][0].pixels for number in kept])
    store = ArrayStore(values, Description(kind="picture", axes=("row", "column", "colour")))
    table = provenance(len(kept), corpus="drawn", stimulus=[str(number) for number in kept])
    samples = Samples(table.assign(emotion=[labels[number] for number in kept]), {})
    samples = samples.with_modality("picture", "pictures", store, range(len(kept)))
    fitted = system("linear", modality="picture")
    parts = samples.select(slice(0, 32)), samples.select(slice(32, None))
    fitted.fit(*parts, Categorical(label="emotion", classes=CLASSES))
    folder = tmp_path_factory.mktemp("linear") / "bundle"
    write_bundle(
        fitted, "linear", Recipe.load("bmci"), folder, {"pictures": "detect", "size": 48, "classes": list(CLASSES)}
    )
    return folder


@lru_cache
def drawn(emotion: str, identity: int) -> np.ndarray:
    return draw_faces([emotion], [1.0], [identity], nuisance=0.0, size=160)[0]


def scene(*faces: tuple[str, int, int]) -> np.ndarray:
    """Return a grey picture with drawn faces of 160 pixels: emotion and identity of each, and where it begins."""
    picture = np.full((240, 480, 3), 128, np.uint8)
    for emotion, identity, left in faces:
        picture[40:200, left : left + 160] = drawn(emotion, identity)
    return picture


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a group picture, one without a face, a broken one, a film of two, and a broken film."""
    folder = tmp_path_factory.mktemp("inputs")
    Image.fromarray(scene(("happiness", 70, 20), ("surprise", 71, 280))).save(folder / "group.png")
    Image.fromarray(np.full((200, 200, 3), 90, np.uint8)).save(folder / "wall.png")
    (folder / "note.jpg").write_text("no picture")
    shown = [
        scene(("happiness" if number < 20 else "surprise", 70, 20 + number), ("happiness", 71, 280))
        for number in range(40)
    ]
    film(folder / "film.mp4", shown, np.arange(40) / 10)
    break_off(film(folder / "torn.mp4", shown, np.arange(40) / 10), frame=20)
    film(folder / "wall.mp4", [np.full((96, 96, 3), 90, np.uint8)] * 5, np.arange(5) / 5)
    (folder / "text.mp4").write_text("no video")
    return folder


def test_a_folder_gives_one_table_and_names_what_was_skipped(
    insula: Command, bundle: Path, inputs: Path, tmp_path: Path
) -> None:
    said = insula("predict", bundle, inputs, "-o", tmp_path / "out")
    assert said.code == 0, said.err
    table = pd.read_csv(tmp_path / "out" / "predictions.csv")
    table["name"] = table["path"].map(lambda path: Path(path).name)
    skipped = table[table["face"].isna()].set_index("name")["reason"]
    assert set(skipped.index) == {"wall.png", "note.jpg", "torn.mp4", "wall.mp4", "text.mp4"}
    assert skipped["wall.png"] == skipped["wall.mp4"] == "no face was found"
    for name, reason in skipped.items():
        line = next(line for line in said.out.splitlines() if f"/{name}: " in line)
        assert line.startswith("broke off" if name == "torn.mp4" else "skipped") and line.endswith(reason)
    counted = table[table["face"].notna()]
    assert f"{len(counted)} in 3 of 7 files" in said.out
    group = counted[counted["name"] == "group.png"]
    assert len(group) == 2 and group["track"].isna().all() and group[["yaw", "pitch", "roll"]].notna().all(axis=None)
    assert counted[counted["name"] == "torn.mp4"]["time"].max() == pytest.approx(1.8)


def test_a_film_is_tracked_smoothed_and_drawn(insula: Command, bundle: Path, inputs: Path, tmp_path: Path) -> None:
    said = insula("predict", bundle, inputs / "film.mp4", "-o", tmp_path / "out", "--rate", 10)
    assert said.code == 0, said.err
    table = pd.read_csv(tmp_path / "out" / "predictions.csv")
    assert table["time"].nunique() == 40 and table.groupby("track")["time"].size().tolist() == [40, 40]
    by_track = {int(track): rows for track, rows in table.groupby("track")}
    moving = next(rows for rows in by_track.values() if rows["left"].iloc[0] < 200)
    assert (moving["left"].diff().dropna() > -3).all() and moving["left"].iloc[-1] > moving["left"].iloc[0] + 30
    assert (moving["label"][:20] == "happiness").mean() > 0.7 and (moving["label"][20:] == "surprise").mean() > 0.7
    assert np.allclose(table["smoothed_happiness"] + table["smoothed_surprise"], 1)
    assert moving["smoothed_surprise"].diff().abs().max() < moving["p_surprise"].diff().abs().max()
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"predictions.csv", "000-film.mp4", "000-film-tracks.png", "000-film-frames.png"}
    assert Image.open(tmp_path / "out" / "000-film-frames.png").size[0] > 1000
    copy, given = list(read_video(tmp_path / "out" / "000-film.mp4")), list(read_video(inputs / "film.mp4"))
    assert [frame.time for frame in copy] == pytest.approx([frame.time for frame in given], abs=1e-3)
    for mine, theirs in zip(copy, given, strict=True):
        drawn_on = np.abs(mine.picture.astype(int) - theirs.picture).mean(axis=2) > 60
        assert drawn_on[:, :240].sum() > 100 and drawn_on[:, 240:].sum() > 100, "a box for each of the two faces"


def read_last(path: Path) -> Frame:
    return list(read_video(path))[-1]


def test_a_torn_film_keeps_what_came_before(insula: Command, bundle: Path, inputs: Path, tmp_path: Path) -> None:
    said = insula("predict", bundle, inputs / "torn.mp4", "-o", tmp_path / "out", "--json")
    rows = json.loads(said.out)
    assert said.code == 0 and rows[-1]["face"] is None and rows[-1]["reason"].startswith("broken video")
    assert {row["track"] for row in rows[:-1]} == {1, 2} and (tmp_path / "out" / "000-torn-tracks.png").exists()
    assert read_last(tmp_path / "out" / "000-torn.mp4").time == pytest.approx(1.8, abs=1e-3)


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (["wall.png"], 0),
        (["wall.mp4"], 0),
        (["note.jpg", "wall.png", "absent.png", "nothing"], 0),
        (["note.jpg", "text.mp4", "absent.png", "nothing"], 2),
    ],
)
def test_no_face_is_an_answer_and_nothing_read_is_exit_code_2(
    insula: Command, bundle: Path, inputs: Path, tmp_path: Path, names: list[str], code: int
) -> None:
    (tmp_path / "nothing").mkdir()
    given = [tmp_path / name if name == "nothing" else inputs / name for name in names]
    said = insula("predict", bundle, *given, "-o", tmp_path / "out")
    assert said.code == code and f"faces     0 in 0 of {len(given)} files" in said.out
    assert [line.split(": ")[0] for line in said.out.splitlines() if line.startswith("skipped")] == [
        f"skipped   {path}" for path in given
    ]
    assert len(said.err.splitlines()) == (code == 2) and ("nothing could be read" in said.err) == (code == 2)
    table = pd.read_csv(tmp_path / "out" / "predictions.csv")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["predictions.csv"]
    again = insula("predict", bundle, *given, "-o", tmp_path / "out", "--json")
    rows = json.loads(again.out)
    assert again.code == code and again.err == said.err
    assert [row["path"] for row in rows] == table["path"].tolist() == [str(path) for path in given]
    assert [row["reason"] for row in rows] == table["reason"].tolist() and table["reason"].notna().all()


def test_wrong_settings_of_a_video_are_one_line(insula: Command, bundle: Path, inputs: Path, tmp_path: Path) -> None:
    said = insula("predict", bundle, inputs / "group.png", inputs / "film.mp4", "-o", tmp_path / "out", "--rate", 0)
    assert said.code == 2 and "no video at 0.0 frames a second" in said.err and not (tmp_path / "out").exists()
    said = insula("predict", bundle, inputs / "group.png", "-o", tmp_path / "out", "--smooth", -1)
    assert said.code == 2 and "smoothed over -1.0 seconds" in said.err and len(said.err.splitlines()) == 1
    (tmp_path / "empty").mkdir()
    said = insula("predict", bundle, tmp_path / "empty", "-o", tmp_path / "out")
    assert said.code == 2 and "no picture or video in this folder" in said.err


def test_a_bundle_that_is_not_there_is_not_answered_for_by_the_one_in_the_box(insula: Command, inputs: Path) -> None:
    said = insula("predict", "no-bundle", inputs)
    assert said.code == 2 and "no bundle and no picture here (no-bundle): correct the first name" in said.err
