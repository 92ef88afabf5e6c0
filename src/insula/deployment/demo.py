"""What `insula demo` leaves beside its report: a bundle, and sheets of what it and the one in the box say of faces."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from insula.deployment.bundle import open_bundle
from insula.deployment.fitting import fit_bundle
from insula.deployment.sheet import sheet
from insula.evaluation.recipe import Recipe
from insula.evaluation.study import answers, open_study
from insula.storage.cache import Cache


@dataclass(frozen=True)
class Written:
    """Where the bundle and the sheets are, drawn faces and photographs, and the bundle's size."""

    bundle: Path
    sheet: Path
    photographs: Path
    megabytes: float


def write_extras(recipe: Recipe, cache: Cache, output: Path, pictures: int = 18) -> Written:
    """Fit a bundle on the recipe's study and draw what it says of pictures of a further study with other people."""
    bundle, page = output / "bundle", output / "predictions.png"
    fit_bundle(recipe, bundle, cache)
    other = Recipe.load("bmci", [f"seed={recipe.seed + 1000}", f"corpus.pictures={pictures * 4}", "corpus.subjects=1"])
    study = open_study(other, 0, cache)
    shown = study.samples.select(slice(0, pictures))
    predictions = open_bundle(bundle).predict(shown)
    truth = answers(study)["truth"].reindex(shown.units("stimulus"))
    sure = predictions.probabilities.max(axis=1)
    captions = [
        f"{label} {100 * share:.0f} %\ndrawn: {true}"
        for label, share, true in zip(predictions.labels, sure, truth, strict=True)
    ]
    right = (predictions.labels.to_numpy() == truth.to_numpy()).tolist()
    title = "Drawn faces of people never seen: the answer (blue: right, orange: wrong), below it what was drawn"
    sheet(list(np.asarray(shown.read("picture"))), captions, right, title, page)
    size = sum(path.stat().st_size for path in bundle.rglob("*") if path.is_file()) / 1e6
    return Written(bundle, page, _recognised(output / "photographs.png"), size)


def _recognised(page: Path) -> Path:
    """Draw what the recogniser in the box says of photographs: those in `INSULA_DATA`, or one that a library has."""
    from skimage.data import astronaut

    from insula.deployment.predictor import Predictor
    from insula.faces import read_picture

    folder = Path(os.environ.get("INSULA_DATA", "")) / "portraits"
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    pictures = {str(path): read_picture(path) for path in files} or {"picture 0": astronaut()}
    table = Predictor().predict(files or list(pictures.values()))
    faces, captions = [], []
    for row in table[table["face"].notna()].itertuples():
        picture = pictures[str(row.path)]
        height, width = picture.shape[:2]
        (left, top), (right, bottom) = (np.clip((row.left, row.top), 0, None), (row.right, row.bottom))
        faces.append(picture[int(top) : min(int(bottom) + 1, height), int(left) : min(int(right) + 1, width)])
        captions.append(f"{row.label} {100 * float(row.probability):.0f} %\n{str(row.sure).partition(':')[0]}")
    title = "The recogniser in the box, on real photographs: its answer, and how sure it is"
    sheet(faces, captions, [None] * len(faces), title, page)
    return page
