"""Bundles: they work without EEG, refuse what was altered, and answer every picture with a row."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from filmed import film
from insula.deployment.bundle import open_bundle, write_bundle
from insula.deployment.predictor import Predictor, predict_to_folder
from insula.deployment.sheet import annotate, sheet
from insula.emotions import Categorical
from insula.errors import BundleError, SettingsError
from insula.evaluation.recipe import Recipe
from insula.systems.catalogue import system
from toy import CLASSES, toy_study

FAST = {"encoder": "linear", "trees": 10, "folds": 2, "time_bins": 10, "penalties": (0.01, 1.0)}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    study = toy_study()
    train = study.table["identity"].str[-2:].astype(int).to_numpy() >= 5
    parts = study.select(np.flatnonzero(train)), study.select(np.flatnonzero(~train))
    fitted = system("bmci", **FAST).fit(*parts, Categorical(label="emotion", classes=CLASSES))
    folder = tmp_path_factory.mktemp("bundle") / "bundle"
    write_bundle(fitted, "bmci", Recipe.load("bmci"), folder, {"pictures": "whole", "size": 48})
    return folder


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    values = toy_study().read("picture")
    Image.fromarray(values[0]).save(folder / "a.png")
    Image.fromarray(values[1]).convert("L").save(folder / "grey.png")
    grey = np.asarray(Image.fromarray(values[2]).convert("L"))
    Image.fromarray(grey.astype(np.uint16) * 257).save(folder / "sixteen.png")
    Image.fromarray(values[3]).save(folder / "whole.jpg")
    (folder / "truncated.jpg").write_bytes((folder / "whole.jpg").read_bytes()[:400])
    return folder


def test_every_picture_gets_a_row_and_a_broken_one_says_why(bundle: Path, pictures: Path, tmp_path: Path) -> None:
    table = predict_to_folder(bundle, [pictures], tmp_path / "out").set_index("path")
    table.index = [Path(name).name for name in table.index]
    assert set(table.index) == {"a.png", "grey.png", "sixteen.png", "whole.jpg", "truncated.jpg"}
    assert table["label"].notna().tolist() == [name != "truncated.jpg" for name in table.index]
    assert table.loc["truncated.jpg", "reason"].startswith("broken picture")
    said = table.drop(index="truncated.jpg")
    assert np.allclose(said[[f"p_{name}" for name in CLASSES]].astype(float).sum(axis=1), 1)
    assert set(said["mode"]) == {"fusion"} and said["valence"].between(-1, 1).all()
    written = pd.read_csv(tmp_path / "out" / "predictions.csv")
    assert len(written) == 5 and len(list((tmp_path / "out").glob("*.png"))) == 4


def test_a_bundle_of_whole_pictures_takes_each_frame_for_one_face(bundle: Path, tmp_path: Path) -> None:
    path = film(tmp_path / "film.mp4", toy_study().read("picture")[:20], np.arange(20) / 10)
    table = predict_to_folder(bundle, [path], tmp_path / "out", smooth=0)
    assert len(table) == 10 and set(table["track"]) == {1} and table["time"].is_monotonic_increasing
    assert (table["smoothed_label"] == table["label"]).all() and table["yaw"].isna().all()
    assert {image.name for image in (tmp_path / "out").glob("*.png")} == {"000-film-tracks.png", "000-film-frames.png"}


def test_a_bundle_predicts_in_a_process_without_mne_and_the_eeg_path(bundle: Path, pictures: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from insula.deployment.predictor import Predictor;"
        f"t = Predictor(Path({str(bundle)!r})).predict([Path({str(pictures / 'a.png')!r})]);"
        "assert t['label'].notna().all();"
        "bad = [m for m in sys.modules if m.split('.')[0] in ('mne', 'pytorch_lightning')"
        " or m.startswith(('mapie', 'insula.eeg', 'insula.training.engine', 'insula.systems.bmci.brain'))];"
        "assert not bad, bad"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("harm", ["byte", "file", "card"])
def test_an_altered_bundle_is_refused(bundle: Path, tmp_path: Path, harm: str) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(bundle, copy)
    if harm == "byte":
        path = copy / "system" / "member0.skops"
        content = bytearray(path.read_bytes())
        content[100] ^= 1
        path.write_bytes(content)
    elif harm == "file":
        (copy / "system" / "more.skops").write_bytes(b"x")
    else:
        (copy / "card.md").write_text("perfect")
    with pytest.raises(BundleError):
        open_bundle(copy)


def test_the_card_says_what_this_bundle_is(bundle: Path, tmp_path: Path) -> None:
    about = {"classes": list(CLASSES), "data": "0" * 64, "trained_on": {"samples": 1234, "validation": 56}}
    write_bundle(open_bundle(bundle).system, "bmci", Recipe.load("bmci"), tmp_path / "told", about)
    said = (tmp_path / "told" / "card.md").read_text().partition("## This bundle")[2]
    for line in ("| predicts from | picture |", f"| answers with | {', '.join(CLASSES)} |", "| data | 0000",
                 "| trained on | 1,234 samples of the corpus simulated-study; 56 more"):  # fmt: skip
        assert line in said
    manifest = open_bundle(tmp_path / "told").manifest
    assert all(
        f"| sha256 of {name} | {fact['sha256']} |" in said
        for name, fact in manifest["files"].items()
        if name != "card.md"
    )
    assert "Do not use" in said


def test_a_bundle_does_not_replace_a_folder_of_something_else(tmp_path: Path, bundle: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(BundleError, match="holds something else"):
        write_bundle(open_bundle(bundle).system, "bmci", Recipe.load("bmci"), tmp_path, {})
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_wrong_mode_and_missing_input_are_one_line(bundle: Path, pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="unknown mode 'eeg': modes are fusion"):
        Predictor(bundle).predict([pictures / "a.png"], "eeg")
    table = predict_to_folder(bundle, [tmp_path / "nowhere"], tmp_path / "out")
    assert table["reason"].tolist() == ["no such file or folder: give pictures, videos, or folders of them"]


def test_the_card_travels_with_its_bundle(bundle: Path) -> None:
    card = (bundle / "card.md").read_text()
    assert "What a virtual EEG is not" in card and "| size | " in card
    manifest = open_bundle(bundle).manifest
    assert manifest["predicts_from"] == ["picture"] and "real" not in manifest["modes"]


def test_annotation_marks_the_face_and_leaves_the_picture(tmp_path: Path) -> None:
    picture = np.full((120, 160, 3), 128, np.uint8)
    row = {"face": 0, "label": "fear", "p_fear": 0.7, "left": 40, "top": 40, "right": 90, "bottom": 100}
    drawn = np.asarray(annotate(picture, pd.DataFrame([row])))
    assert (drawn[70, 40] != 128).any() and (drawn[110, 150] == 128).all() and (picture == 128).all()
    flagged = np.asarray(annotate(picture, pd.DataFrame([{**row, "quality": "cut"}])))
    assert (flagged != drawn).any(), "a flag is written, too"
    sheet([picture] * 7, ["fear 70 %"] * 7, [True, False, None] * 2 + [True], "Seven", tmp_path / "sheet.png")
    assert Image.open(tmp_path / "sheet.png").size[0] > 6 * 150
