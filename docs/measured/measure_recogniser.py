"""Measure the recogniser in the box beside others: `python docs/measured/measure_recogniser.py --output FOLDER`.

INSULA_DATA must be set. Pictures are the test part of `fer2013-train` that the recipe sets aside (no
copy of a training picture is in it), and the London faces, which nobody was trained on, as they are and after something
was done to them. Every recogniser has all seven classes to choose from and sees the same pictures, in one run. With
`--bundle FOLDER`, one that `insula fit compact-recogniser --int8` wrote, the same network in 32 bits is measured, too.
"""

from __future__ import annotations

import argparse
import os
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageFilter

from insula.deployment.bundle import Bundle, open_bundle
from insula.deployment.graphs import Graph
from insula.deployment.predictor import Predictor
from insula.deployment.recognisers import Recogniser, find_recogniser, of_bundle
from insula.evaluation.metrics import calibration_error, reliability, wilson_interval
from insula.evaluation.recipe import Recipe
from insula.evaluation.study import open_study
from insula.faces import read_picture
from insula.storage.cache import Cache

CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "as they are": lambda image: image,
    "a quarter of the light": lambda image: image.point(lambda value: value // 4),
    "blurred (Gaussian, 3 pixels)": lambda image: image.filter(ImageFilter.GaussianBlur(3)),
    "turned by 20 degrees": lambda image: image.rotate(20, Image.Resampling.BICUBIC),
    "faces of 40 pixels": lambda image: image.resize((110, 110), Image.Resampling.LANCZOS),
    "grey": lambda image: image.convert("L").convert("RGB"),
}


def recognisers(bundle: Path | None) -> dict[str, Recogniser]:
    """Return what is compared, by name."""
    found = {"insula, in the box": find_recogniser(), "fer": find_recogniser("fer")}
    if bundle is not None:
        opened = open_bundle(bundle)
        about, size = opened.manifest["graphs"][opened.modes[0]], opened.manifest["size"]
        whole = Graph(bundle / about["whole"], len(opened.classes), size)
        found["the same in 32 bits"] = of_bundle(Bundle(opened.manifest, {opened.modes[0]: whole}), "32 bits")
    return found


def test_part() -> tuple[np.ndarray, np.ndarray]:
    """Return pictures, uint8 (n, 48, 48, 3), and labels of the test part, one picture of each stimulus."""
    recipe = Recipe.load("compact-recogniser", [f"corpus.root={os.environ['INSULA_DATA']}/fer2013-train"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        study = open_study(recipe, 0, Cache())
    test = study.samples.by_id(study.splits[0].test)
    test = test.select((study.task.targets(test.table) >= 0) & ~test.table["stimulus"].duplicated().to_numpy())
    return np.asarray(test.read("picture")), test.table["emotion"].to_numpy(str)


def of_cropped(recogniser: Recogniser, pictures: np.ndarray) -> pd.DataFrame:
    """Return the answers for pictures that are one face each."""
    return Predictor(recogniser, "cropped").predict(pictures)


def score(right: np.ndarray) -> dict[str, float]:
    """Return accuracy with its interval over pictures."""
    low, high = wilson_interval(float(right.mean()), len(right))
    return {"pictures": len(right), "accuracy": float(right.mean()), "low": low, "high": high}


def main() -> None:
    """Write `recognisers.csv`, `classes.csv`, `changes.csv`, `groups.csv` and `answers.csv`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--bundle", type=Path)
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    compared = recognisers(given.bundle)
    overall, by_class, changed, by_group, sure = [], [], [], [], []

    pictures, labels = test_part()
    for name, recogniser in compared.items():
        table = of_cropped(recogniser, pictures)
        right = table["label"].to_numpy(str) == labels
        confidence, ones = table["probability"].to_numpy(float), np.ones(len(right))
        error = calibration_error(reliability(confidence, right, ones))
        overall.append({"of": "test part of fer2013-train", "recogniser": name, **score(right), "ece": error})
        for label in sorted(set(labels)):
            mine = labels == label
            by_class.append({"class": label, "recogniser": name, "pictures": mine.sum(), "recall": right[mine].mean()})
        words = table["sure"].str.partition(":")[0]
        for word in ("sure", "fairly sure", "unsure"):
            here = (words == word).to_numpy()
            if name.startswith("insula") and here.any():
                held = [
                    label in str(kept).split() for label, kept in zip(labels[here], table["set"][here], strict=True)
                ]
                sure.append(
                    {"answer": word, "share": here.mean(), "accuracy": right[here].mean(), "coverage": np.mean(held)}
                )

    london = Path(os.environ["INSULA_DATA"]) / "london-faces"
    manifest = pd.read_csv(london / "manifest.csv", dtype=str)
    images = [Image.fromarray(read_picture(london / path)) for path in manifest["path"]]
    truth = manifest["emotion"].to_numpy(str)
    for change, do in CHANGES.items():
        shown = [np.asarray(do(image)) for image in images]
        for name, recogniser in compared.items():
            table = Predictor(recogniser).predict(shown)
            largest = table[table["face"].isna() | (table["face"] == 0)].reset_index(drop=True)
            right, found = largest["label"].to_numpy(str) == truth, largest["label"].notna().to_numpy()
            row = {f"recall_{label}": right[truth == label].mean() for label in ("happiness", "neutral")}
            strict = found & ~largest["sure"].fillna("unsure").str.startswith("unsure").to_numpy()
            row |= {"found": found.mean(), "answered_strictly": strict.mean(), "right_of_these": right[strict].mean()}
            changed.append({"London faces": change, "recogniser": name, **score(right), **row})
            if change == "as they are":
                overall.append({"of": "London faces, found and cut", "recogniser": name, **score(right), "ece": np.nan})
                for column in ("face_gender", "face_eth"):
                    for group in sorted(manifest[column].dropna().unique()):
                        mine = (manifest[column] == group).to_numpy()
                        about = {"group": f"{column.removeprefix('face_')}: {group}", "recogniser": name}
                        by_group.append({**about, **score(right[mine])})
    recalls = pd.DataFrame(by_class).pivot_table("recall", ["class", "pictures"], "recogniser")
    for name, rows in {
        "recognisers": overall,
        "classes": recalls[list(compared)].add_prefix("recall, ").reset_index(),
        "changes": changed,
        "groups": by_group,
        "answers": sure,
    }.items():
        pd.DataFrame(rows).to_csv(given.output / f"{name}.csv", index=False)


if __name__ == "__main__":
    main()
