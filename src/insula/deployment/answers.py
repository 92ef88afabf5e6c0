"""What a bundle of graphs answers, as the table that a system predicts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from insula.deployment.graphs import ADMITTED, PROBABILITIES
from insula.errors import DataError
from insula.samples import Predictions, Samples, normalised_entropy
from insula.samples.predictions import join_sets

if TYPE_CHECKING:
    from insula.deployment.bundle import Bundle

_AT_A_TIME = 256  # pictures in memory


def predictions(bundle: Bundle, samples: Samples, mode: str) -> Predictions:
    """Return what a bundle of graphs says of the picture of each sample.

    Parameters
    ----------
    bundle : Bundle
        With a graph for the mode.
    samples : Samples
        Each has a picture; one of another size than the bundle's is resized.
    mode : str
        One of the bundle's.

    Raises
    ------
    DataError
        Where a sample has no picture.
    """
    if not samples.has("picture").all():
        raise DataError("a sample has no picture", where=f"sample {samples.ids[~samples.has('picture')][0]}")
    starts = range(0, max(len(samples), 1), _AT_A_TIME)
    parts = [bundle.answer(_pictures(bundle, samples.select(slice(at, at + _AT_A_TIME))), mode) for at in starts]
    answer = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    probabilities, admitted = answer.pop(PROBABILITIES), answer.pop(ADMITTED, None)
    columns: dict[str, object] = {"uncertainty": normalised_entropy(probabilities), **answer, "mode": mode}
    strange = answer.get("out_of_distribution")
    if strange is not None:
        columns |= _cautious(bundle, strange.astype(float), mode)
    if admitted is not None:
        columns |= {"set": join_sets(admitted, bundle.classes), "set_coverage": bundle.manifest.get("coverage")}
    return Predictions.of(bundle.classes, probabilities, samples.ids, **columns)


def _cautious(bundle: Bundle, strange: np.ndarray, mode: str) -> dict[str, object]:
    """Return why nothing should be said of a picture, and in which mode it was answered: both hang on its strangeness.

    What is too strange for another modality to be guessed from it was answered in the mode `visual`.
    """
    limits = {name: bundle.manifest.get(name) or np.inf for name in ("silent_above", "refuse_above")}
    silent = limits["silent_above"]
    words = "this picture is unlike the training pictures: strangeness {:.1f}, limit {:.1f}"
    reasons = [words.format(value, silent) if value > silent else "" for value in strange]
    used = np.where(strange > limits["refuse_above"], "visual", mode)
    return {"reason": np.array(reasons, object), "mode": used.astype(object)}


def _pictures(bundle: Bundle, samples: Samples) -> np.ndarray:
    """Return the pictures of samples as the bundle takes them, uint8 (n, size, size, 3)."""
    size = (bundle.manifest["size"],) * 2
    pictures = np.asarray(samples.read("picture")) if len(samples) else np.empty((0, *size, 3), np.uint8)
    if pictures.shape[1:3] == size:
        return pictures
    from PIL import Image

    images = (Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS) for picture in pictures)
    return np.stack([np.asarray(image) for image in images])
