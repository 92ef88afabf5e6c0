"""Bundles of graphs: they answer without what trained them, say what they are, and give every picture a row."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from filmed import film
from insula.deployment.bundle import open_bundle, write_bundle
from insula.deployment.prediction_files import predict_to_folder
from insula.deployment.predictor import Predictor
from insula.deployment.sheet import annotate, sheet
from insula.errors import BundleError, DataError, SettingsError
from insula.evaluation.recipe import Recipe
from insula.samples import Samples
from standin import CLASSES, SIZE, StandIn, pictured


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    values = pictured().read("picture")
    Image.fromarray(values[0]).save(folder / "a.png")
    Image.fromarray(values[1]).convert("L").save(folder / "grey.png")
    grey = np.asarray(Image.fromarray(values[2]).convert("L"))
    Image.fromarray(grey.astype(np.uint16) * 257).save(folder / "sixteen.png")
    Image.fromarray(values[3]).resize((300, 200)).save(folder / "whole.jpg")
    (folder / "truncated.jpg").write_bytes((folder / "whole.jpg").read_bytes()[:400])
    return folder


@pytest.mark.parametrize("mode", [None, "bright", "dark"])
def test_a_bundle_says_what_the_trained_system_does(small_bundle: Path, mode: str | None) -> None:
    new = pictured(40, seed=1)
    given, wanted = open_bundle(small_bundle).predict(new, mode), StandIn().predict(new, mode)
    assert given.classes == CLASSES and given.table.index.tolist() == new.ids.tolist()
    assert np.allclose(given.probabilities, wanted.probabilities, atol=1e-5)
    assert np.allclose(given.table["out_of_distribution"], wanted.table["out_of_distribution"], rtol=1e-4)
    assert given.table["set"].tolist() == wanted.table["set"].tolist()
    assert set(given.table["mode"]) == {mode or "bright"} and set(given.table["set_coverage"]) == {0.9}


def test_what_is_answered_has_the_names_and_types_of_the_contract(small_bundle: Path) -> None:
    bundle = open_bundle(small_bundle)
    answer = bundle.answer(pictured(3).read("picture"))
    assert {name: (part.dtype.name, part.shape) for name, part in answer.items()} == {
        "probabilities": ("float32", (3, 3)), "out_of_distribution": ("float32", (3,)), "admitted": ("bool", (3, 3)),
    }  # fmt: skip
    assert bundle.classes == CLASSES and bundle.modes == ("bright", "dark") and bundle.predicts_from == ("picture",)
    assert {len(part) for part in bundle.answer(pictured(1).read("picture")[:0]).values()} == {0}


def test_pictures_of_another_size_are_resized_and_a_row_without_one_is_one_line(small_bundle: Path) -> None:
    bundle, large = open_bundle(small_bundle), pictured(6, size=64)
    same = bundle.predict(pictured(6)).probabilities
    assert np.allclose(bundle.predict(large).probabilities, same, atol=0.1)
    without = Samples(large.table.assign(picture_row=-1, picture_store=None), {})
    with pytest.raises(DataError, match="a sample has no picture"):
        bundle.predict(without)


def test_a_picture_that_is_too_strange_has_a_reason(small_bundle: Path) -> None:
    bundle, samples = open_bundle(small_bundle), pictured(12)
    strange = bundle.predict(samples, "dark").table["out_of_distribution"]
    limit = float(strange.median())
    manifest = {**bundle.manifest, "silent_above": limit, "refuse_above": float(strange.max()) - 1e-6}
    table = replace(bundle, manifest=manifest).predict(samples, "dark").table
    assert ((table["reason"] != "") == (strange > limit)).all() and 5 <= (table["reason"] != "").sum() <= 7
    assert table.loc[strange > limit, "reason"].str.contains(f"strangeness .*, limit {limit:.1f}").all()
    assert sorted(table["mode"]) == ["dark"] * 11 + ["visual"], "what is stranger still is answered otherwise"
    assert set(bundle.predict(samples).table["reason"]) == {""}


def test_the_folder_holds_graphs_and_no_code(small_bundle: Path) -> None:
    names = {path.name for path in small_bundle.rglob("*")}
    assert names == {
        "manifest.json", "card.md", "bright.onnx", "bright.int8.onnx", "dark.onnx", "dark.int8.onnx",
    }  # fmt: skip
    held = b"".join(path.read_bytes() for path in small_bundle.iterdir())
    assert str(Path(__file__).parents[1]).encode() not in held, "no path of the machine that wrote it"
    assert b"stack_trace" not in held and b"site-packages" not in held


def test_the_manifest_says_what_a_stranger_needs(small_bundle: Path) -> None:
    manifest = open_bundle(small_bundle).manifest
    told = {name: manifest[name] for name in ("format", "modes", "classes", "size", "pictures", "framing", "coverage")}
    assert told == {
        "format": 4, "modes": ["bright", "dark"], "classes": list(CLASSES), "size": SIZE, "pictures": "whole",
        "framing": "eyes", "coverage": 0.9,
    }  # fmt: skip
    for about in manifest["graphs"].values():
        assert about["parity"]["pictures"] == 56 and max(about["parity"]["difference"].values()) < 1e-4
        assert set(about["parity"]["difference"]) == set(about["outputs"])


def test_nothing_of_training_is_imported_to_answer(small_bundle: Path, pictures: Path) -> None:
    heavy = (
        "torch",
        "sklearn",
        "scipy",
        "timm",
        "mne",
        "torchvision",
        "onnx",
        "safetensors",
        "pytorch_lightning",
    )
    code = (
        "import sys; from pathlib import Path; import numpy as np;"
        "from insula.deployment.bundle import open_bundle;"
        f"bundle = open_bundle(Path({str(small_bundle)!r}));"
        f"answer = bundle.answer(np.zeros((2, {SIZE}, {SIZE}, 3), np.uint8), 'dark');"
        "assert answer['probabilities'].shape == (2, 3);"
        f"bad = [m for m in sys.modules if m.split('.')[0] in {heavy} or m.startswith('insula.systems')];"
        "assert not bad, bad;"
        "assert 'pandas' not in sys.modules and 'yaml' not in sys.modules and 'pydantic' not in sys.modules;"
        "from insula.deployment.predictor import Predictor;"
        f"table = Predictor(Path({str(small_bundle)!r})).predict([Path({str(pictures / 'a.png')!r})]);"
        "assert table['label'].notna().all();"
        f"bad = [m for m in sys.modules if m.split('.')[0] in {heavy} or m.startswith('insula.systems')];"
        "assert not bad, bad"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_picture_gets_a_row_and_a_broken_one_says_why(small_bundle: Path, pictures: Path, tmp_path: Path) -> None:
    table = predict_to_folder(Predictor(small_bundle), [pictures], tmp_path / "out").set_index("path")
    table.index = [Path(name).name for name in table.index]
    assert set(table.index) == {"a.png", "grey.png", "sixteen.png", "whole.jpg", "truncated.jpg"}
    assert table["label"].notna().tolist() == [name != "truncated.jpg" for name in table.index]
    assert table.loc["truncated.jpg", "reason"].startswith("broken picture")
    answered = table.drop(index="truncated.jpg")
    assert np.allclose(answered[[f"p_{name}" for name in CLASSES]].astype(float).sum(axis=1), 1)
    assert set(answered["mode"]) == {"bright"} and answered["valence"].between(-1, 1).all()
    written = pd.read_csv(tmp_path / "out" / "predictions.csv")
    assert len(written) == 5 and len(list((tmp_path / "out").glob("*.png"))) == 4


def test_a_bundle_of_whole_pictures_takes_each_frame_for_one_face(small_bundle: Path, tmp_path: Path) -> None:
    path = film(tmp_path / "film.mp4", pictured(20).read("picture"), np.arange(20) / 10)
    table = predict_to_folder(Predictor(small_bundle), [path], tmp_path / "out", smooth=0)
    assert len(table) == 10 and set(table["track"]) == {1} and table["time"].is_monotonic_increasing
    assert (table["smoothed_label"] == table["label"]).all() and table["yaw"].isna().all()
    assert {image.name for image in (tmp_path / "out").glob("*.png")} == {"000-film-tracks.png", "000-film-frames.png"}


def test_the_card_says_what_this_bundle_is(small_bundle: Path) -> None:
    text = (small_bundle / "card.md").read_text().partition("## This bundle")[2]
    for line in ("| predicts from | picture |", f"| answers with | {', '.join(CLASSES)} |", "| data | 0000",
                 "| trained on | 1,234 samples of the corpus folder; 56 more",
                 "which differs from the trained system by up to",
                 "on 56 held-out pictures; in 8 bits: accuracy "):  # fmt: skip
        assert line in text
    files = json.loads((small_bundle / "manifest.json").read_text())["files"]
    assert all(f"| sha256 of {name} | {fact['sha256']} |" in text for name, fact in files.items() if name != "card.md")
    assert "Do not use" in text


def test_a_bundle_does_not_replace_a_folder_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(BundleError, match="holds something else"):
        write_bundle(StandIn(), "face-network", Recipe.load("face-recogniser"), tmp_path, {})
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_wrong_mode_and_missing_input_are_one_line(small_bundle: Path, pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="unknown mode 'eeg': modes are bright, dark"):
        Predictor(small_bundle).predict([pictures / "a.png"], "eeg")
    with pytest.raises(SettingsError, match="unknown mode 'brain'"):
        open_bundle(small_bundle).answer(pictured(1).read("picture"), "brain")
    table = predict_to_folder(Predictor(small_bundle), [tmp_path / "nowhere"], tmp_path / "out")
    assert table["reason"].tolist() == ["no such file or folder: give pictures, videos, or folders of them"]


def test_annotation_marks_the_face_and_leaves_the_picture(tmp_path: Path) -> None:
    picture = np.full((120, 160, 3), 128, np.uint8)
    row = {"face": 0, "label": "fear", "probability": 0.7, "left": 40, "top": 40, "right": 90, "bottom": 100}
    drawn = np.asarray(annotate(picture, pd.DataFrame([row])))
    assert (drawn[70, 40] != 128).any() and (drawn[110, 150] == 128).all() and (picture == 128).all()
    flagged = np.asarray(annotate(picture, pd.DataFrame([{**row, "quality": "cut"}])))
    assert (flagged != drawn).any(), "a flag is written, too"
    sheet([picture] * 7, ["fear 70 %"] * 7, [True, False, None] * 2 + [True], "Seven", tmp_path / "sheet.png")
    assert Image.open(tmp_path / "sheet.png").size[0] > 6 * 150
