"""What a bundle answers, as the table that a system predicts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from insula.deployment.graph_inputs import PICTURES, rows_of
from insula.deployment.graphs import ADMITTED, PROBABILITIES, RATING, USED, USES
from insula.errors import DataError
from insula.samples import Predictions, Samples, normalised_entropy
from insula.samples.predictions import join_sets

if TYPE_CHECKING:
    from insula.deployment.bundle import Bundle

_AT_A_TIME = 256  # pictures or rows in memory


def predictions(bundle: Bundle, samples: Samples, mode: str) -> Predictions:
    """Return what a bundle says of each sample.

    Parameters
    ----------
    bundle : Bundle
        With a graph for the mode.
    samples : Samples
        Each has what the mode reads; a picture of another size than the bundle's is resized. Of systems of two
        modalities any may be lacking.
    mode : str
        One of the bundle's.

    Raises
    ------
    DataError
        Where a sample has not what is read.
    """
    whole = any(step.whole_trials for step in bundle.steps.get(mode, {}).values())
    size = max(len(samples), 1) if whole else _AT_A_TIME
    starts = range(0, max(len(samples), 1), size)
    parts = [bundle.answer(_given(bundle, samples.select(slice(at, at + size)), mode), mode) for at in starts]
    answer = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    main, admitted = answer.pop(PROBABILITIES if bundle.classes else RATING), answer.pop(ADMITTED, None)
    columns: dict[str, object] = {"mode": mode}
    if bundle.classes:
        columns["uncertainty"] = normalised_entropy(main)
    if (used := answer.pop(USED, None)) is not None:
        modes = np.array(USES, object)[used.astype(int)]
        columns |= {"mode": modes, "reason": _lacking(bundle, samples, mode, modes)}
    columns |= answer
    strange = answer.get("out_of_distribution")
    if strange is not None:
        columns |= _cautious(bundle, strange.astype(float), mode)
    if admitted is not None:
        columns |= {"set": join_sets(admitted, bundle.classes), "set_coverage": bundle.manifest.get("coverage")}
    if not bundle.classes:
        return Predictions.rate(main, samples.ids, **columns)
    return Predictions.of(bundle.classes, main, samples.ids, **columns)


def _given(bundle: Bundle, samples: Samples, mode: str) -> dict[str, np.ndarray]:
    """Return what a graph of the bundle is given of samples."""
    if not bundle.reads_pictures:
        return rows_of(samples, bundle.manifest, mode, bundle.steps[mode])
    if not samples.has("picture").all():
        raise DataError("a sample has no picture", where=f"sample {samples.ids[~samples.has('picture')][0]}")
    return {PICTURES: _pictures(bundle, samples)}


def _lacking(bundle: Bundle, samples: Samples, mode: str, used: np.ndarray) -> np.ndarray:
    """Return why rows were not answered from more than they were, object (n,); empty where they were."""
    reasons = np.full(len(samples), "", object)
    for name in bundle.manifest["graphs"][mode]["inputs"]:
        side = bundle.manifest["sides"][name]
        there = samples.has(name) if name in samples.modalities else np.zeros(len(samples), bool)
        unused = ~np.isin(used, [side, "both"])
        words = np.where(there, f"{name} cannot be used", f"no {name}")
        reasons = np.where(unused, np.where(reasons == "", words, reasons + "; " + words.astype(object)), reasons)
    return reasons


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
