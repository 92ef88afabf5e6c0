"""Knowing when not to answer: a bundle refuses what is unlike its training pictures, says why, and answers the rest."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageFilter

from filmed import film
from insula.cli import main
from insula.corpora.drawn_faces import draw_faces
from insula.corpora.places import corpus_folder
from insula.deployment.bundle import write_bundle
from insula.deployment.fitting import fit_bundle
from insula.deployment.prediction_files import predict_to_folder
from insula.deployment.predictor import Predictor
from insula.evaluation.candidates import Fitting, candidate
from insula.evaluation.recipe import Recipe
from insula.evaluation.study import open_study
from insula.storage.cache import Cache

FAST = ["system.encoder=linear", "system.trees=10", "system.folds=2", "system.penalties=[0.01, 1.0]"]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    return Cache(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def of_drawings(tmp_path_factory: pytest.TempPathFactory, cache: Cache) -> Path:
    """Return a bundle that learnt from drawn faces and takes every picture for one."""
    small = ["corpus.pictures=240", "corpus.identities=40", "corpus.subjects=2"]
    folder = tmp_path_factory.mktemp("drawings") / "bundle"
    fit_bundle(Recipe.load("bmci", [*small, *FAST]), folder, cache)
    return folder


@pytest.fixture(scope="module")
def of_photographs(tmp_path_factory: pytest.TempPathFactory, cache: Cache, data: Path) -> tuple[Path, list[Path]]:
    """Return a bundle that learnt from half of London's people, and the photographs of the others."""
    recipe = Recipe.load("bmci", ["corpus.name=semi-simulated", f"corpus.root={data}", *FAST])
    study = open_study(recipe, 0, cache)
    split = study.splits[0]
    train, validation, test = (study.samples.by_id(part) for part in (split.train, split.validation, split.test))
    folder = tmp_path_factory.mktemp("photographs") / "bundle"
    fitted = candidate(recipe, Fitting("system", "bmci", 0, 0)).fit(train, validation, study.task)
    write_bundle(
        fitted, "bmci", recipe, folder, {"pictures": "detect", "size": 96, "classes": list(study.task.classes)}
    )
    london = corpus_folder(data, "london-faces")
    manifest = pd.read_csv(london / "manifest.csv", dtype=str)
    unseen = set(test.table["identity"].str.split("/").str[-1])
    return folder, [london / row.path for row in manifest.itertuples() if row.identity in unseen]


def landscape(seed: int = 0) -> np.ndarray:
    """Return hills under a sky, trees and grass, uint8 (240, 320, 3)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:240, :320]
    picture = np.stack([110 + y / 3, 160 + y / 4, 235 - y / 8], axis=-1).astype(float)
    for layer, green in enumerate((95, 120, 145)):
        waves = sum(rng.uniform(4, 16) * np.sin(x[0] / rng.uniform(12, 70) + rng.uniform(0, 6)) for _ in range(4))
        picture[y > 100 + 35 * layer + waves] = (60 + 12 * layer, green, 60)
    for across, down, size in rng.integers((0, 150, 6), (320, 235, 18), (12, 3)):
        picture[np.hypot(x - across, y - down) < size] = (30, 85, 35)
    return np.clip(picture + rng.normal(0, 5, picture.shape), 0, 255).astype(np.uint8)


def photograph() -> np.ndarray:
    """Return a photograph of a pavilion above a lake, which comes with scikit-learn."""
    from sklearn.datasets import load_sample_image

    return load_sample_image("china.jpg")


def saved(picture: np.ndarray, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)
    return path


def test_a_bundle_of_drawings_answers_drawings_of_new_people(of_drawings: Path, tmp_path: Path) -> None:
    classes = ("anger", "fear", "happiness", "neutral") * 10
    drawn = draw_faces(classes, [1.0] * 40, range(1000, 1040), nuisance=0.8, seed=77)
    table = Predictor(of_drawings).predict([saved(face, tmp_path / f"{i}.png") for i, face in enumerate(drawn)])
    assert table["label"].notna().mean() >= 0.9
    held = [label in set_.split() for label, set_ in zip(table["label"], table["set"], strict=True) if set_ is not None]
    assert all(held), "the answer is always in its set"


def test_a_bundle_of_drawings_refuses_landscapes_and_photographs(of_drawings: Path, tmp_path: Path) -> None:
    pictures = [landscape(0), landscape(1), photograph()]
    paths = [saved(one, tmp_path / f"{i}.png") for i, one in enumerate(pictures)]
    table = Predictor(of_drawings, strict=True).predict(paths)
    assert table["label"].isna().all() and table.filter(like="p_").isna().all(axis=None) and table["set"].isna().all()
    assert table["reason"].str.fullmatch(r"unlike the training pictures: strangeness \d\.\d, limit 1\.5").all()
    table = Predictor(of_drawings).predict(paths)
    assert table["label"].notna().all() and table["reason"].isna().all()
    assert table["sure"].str.fullmatch(r"unsure: \w+ or \w+ \(an unusual picture\)").all()


def test_a_bundle_of_drawings_refuses_photographed_faces(of_drawings: Path, data: Path) -> None:
    table = Predictor(of_drawings, strict=True).predict(sorted((data / "portraits").iterdir()))
    assert table["label"].isna().all()


def test_a_refused_picture_is_marked_and_the_table_fits(
    of_drawings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = draw_faces(["happiness"], [1.0], [5], nuisance=0.4, seed=3)[0]
    saved(drawn, tmp_path / "in" / "face.png"), saved(landscape(), tmp_path / "in" / "hills.png")
    code, out = command(
        monkeypatch, capsys, "predict", of_drawings, tmp_path / "in", "-o", tmp_path / "out", "--strict"
    )
    assert code == 0, "one of two could be read"
    assert max(len(line) for line in out.splitlines() if "─" in line or "│" in line) <= 140
    for words in ("label", "then", "valence", "how sure", "remark", "unlike the training", "limit 1.5"):
        assert words in out
    marked = np.asarray(Image.open(next((tmp_path / "out").glob("*hills.png"))))
    assert (marked[0, 0] == (90, 96, 102)).all() and (marked[120, 160] == (90, 96, 102)).all()
    written = pd.read_csv(tmp_path / "out" / "predictions.csv")
    assert pd.isna(written["label"][1]) and "unlike" in written["reason"][1]
    code, out = command(monkeypatch, capsys, "predict", of_drawings, tmp_path / "in" / "hills.png", "--strict")
    assert code == 0 and "unlike the training" in out, "a refusal is an answer"
    code, out = command(monkeypatch, capsys, "predict", of_drawings, tmp_path / "in" / "hills.png")
    assert code == 0 and "unsure" in out and "unusual" in out and not (tmp_path / "runs").exists()
    path = film(tmp_path / "hills.mp4", [landscape()] * 3, np.arange(3) / 5)
    code, out = command(monkeypatch, capsys, "predict", of_drawings, path, "-o", tmp_path / "film", "--strict")
    assert code == 0 and "remark" in out and "no answer: unlike the training pictures" in out


def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str]:
    monkeypatch.setattr(sys, "argv", ["insula", *map(str, words)])
    try:
        main()
    except SystemExit as ended:
        out, err = capsys.readouterr()
        return int(ended.code or 0), out + err
    raise AssertionError("the command did not end")


def test_photographs_of_new_people_are_answered(of_photographs: tuple[Path, list[Path]]) -> None:
    folder, unseen = of_photographs
    table = Predictor(folder).predict(unseen[:60])
    assert len(table) == 60 and table["label"].notna().mean() >= 0.9
    right = [path.stem.split("_")[1] for path in unseen[:60]]
    assert (table["label"] == right).mean() > 0.7, "two classes"


def test_a_landscape_has_no_face(
    of_photographs: tuple[Path, list[Path]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hills, lake = saved(landscape(), tmp_path / "hills.png"), saved(photograph(), tmp_path / "lake.png")
    table = predict_to_folder(Predictor(of_photographs[0]), [hills, lake], tmp_path / "out")
    assert table["label"].isna().all() and table["reason"].str.contains("no face was found").all()
    code, said = command(monkeypatch, capsys, "predict", of_photographs[0], hills, "-o", tmp_path / "out")
    assert code == 0 and f"skipped   {hills}: no face was found" in said
    code, said = command(monkeypatch, capsys, "predict", of_photographs[0], hills, "-o", tmp_path / "out", "--json")
    assert code == 0 and json.loads(said)[0]["label"] is None


def _half(picture: np.ndarray) -> np.ndarray:
    picture[:, picture.shape[1] // 2 :] = 90
    return picture


def _lower(picture: np.ndarray) -> np.ndarray:
    picture[int(0.55 * len(picture)) :] = 128
    return picture


def _blurred(picture: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(len(picture) / 30)))


@pytest.mark.parametrize(
    "change", [np.flipud, np.invert, _half, _lower, _blurred], ids=["upside down", "negative", "half", "lower", "blur"]
)
def test_a_face_far_outside_the_training_pictures_is_refused(
    change, of_photographs: tuple[Path, list[Path]], tmp_path: Path
) -> None:  # type: ignore[no-untyped-def]
    folder, unseen = of_photographs
    pictures = [change(np.array(Image.open(path).convert("RGB"))) for path in unseen[:20:2]]
    paths = [saved(one, tmp_path / f"{i}.png") for i, one in enumerate(pictures)]
    table = Predictor(folder, strict=True).predict(paths)
    assert table["label"].isna().mean() >= 0.9
    assert table["reason"].str.contains("no face was found|unlike the training pictures").mean() >= 0.9


def test_a_drawn_face_is_refused(of_photographs: tuple[Path, list[Path]], tmp_path: Path) -> None:
    drawn = draw_faces(["happiness", "neutral"] * 5, [1.0] * 10, range(10), nuisance=0.4, size=256)
    paths = [saved(one, tmp_path / f"{i}.png") for i, one in enumerate(drawn)]
    table = Predictor(of_photographs[0], strict=True).predict(paths)
    assert table["label"].isna().mean() >= 0.9 and table["reason"].notna().sum() == table["label"].isna().sum()
