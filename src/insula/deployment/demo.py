"""What `insula demo` leaves beside its report: a bundle, and a sheet of predictions on pictures it never saw."""

from __future__ import annotations

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
    """Where the bundle and the sheet are, and the bundle's size."""

    bundle: Path
    sheet: Path
    megabytes: float


def write_extras(recipe: Recipe, cache: Cache, output: Path, pictures: int = 18) -> Written:
    """Fit a bundle on the recipe's study and draw what it says of pictures of a further study with other people."""
    bundle, page = output / "bundle", output / "predictions.png"
    fit_bundle(recipe, bundle, cache)
    other = Recipe.load("bmci", [f"seed={recipe.seed + 1000}", f"corpus.pictures={pictures * 4}", "corpus.subjects=1"])
    study = open_study(other, 0, cache)
    shown = study.samples.select(slice(0, pictures))
    said = open_bundle(bundle).predict(shown)
    truth = answers(study)["truth"].reindex(shown.units("stimulus"))
    sure = said.probabilities.max(axis=1)
    captions = [
        f"{label} {100 * share:.0f} %\ndrawn as {true}"
        for label, share, true in zip(said.labels, sure, truth, strict=True)
    ]
    right = (said.labels.to_numpy() == truth.to_numpy()).tolist()
    sheet(
        list(np.asarray(shown.read("picture"))), captions, right, "Predictions on people never seen (blue: right)", page
    )
    size = sum(path.stat().st_size for path in bundle.rglob("*") if path.is_file()) / 1e6
    return Written(bundle, page, size)
