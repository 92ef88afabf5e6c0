"""Whether a graph answers what the system predicts that it was exported from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from insula.deployment.graphs import ADMITTED, PROBABILITIES, Graph
from insula.errors import BundleError
from insula.samples import ArrayStore, Description, Samples, provenance
from insula.samples.predictions import split_sets
from insula.systems.base import System

LIMIT = 1e-4
"""By how much an answer may differ; of a value beyond 1, by this share of it."""

_JUMPS, _JUMP = 0.02, 1e-2  # where trees read a network: share of faces that may jump over a threshold, and how far
_MOST, _DRAWN = 1000, 32  # pictures to compare on
_ON_THE_EDGE = 0.01  # share of faces in whose set a class may be on the other side of the threshold
_PICTURE = Description(kind="picture", axes=("row", "column", "colour"), units="uint8 RGB")


@dataclass(frozen=True)
class Held:
    """Pictures to compare a graph with its system on.

    Parameters
    ----------
    samples : Samples
        One sample a picture.
    pictures : uint8 array, shape (n, size, size, 3)
        The same pictures.
    labels : int array, shape (n,)
        Class codes; negative where there is none.
    drawn : bool
        Whether they are patterns, since no picture was held out.
    """

    samples: Samples
    pictures: np.ndarray
    labels: np.ndarray
    drawn: bool = False


def hold(samples: Samples | None, task: Any, size: int) -> Held:
    """Return up to 1,000 pictures of samples, evenly spread; drawn patterns where there are no pictures.

    Parameters
    ----------
    samples : Samples or None
        Held-out rows.
    task : Categorical or None
        Of their labels.
    size : int
        Side of the pictures, in pixels.
    """
    if samples is not None and len(pictured := np.flatnonzero(samples.has("picture"))):
        keys = samples.table.iloc[pictured][["picture_store", "picture_row"]]
        unique = pictured[~keys.duplicated().to_numpy()]
        chosen = samples.select(unique[:: -(-len(unique) // _MOST)])
        labels = np.full(len(chosen), -1) if task is None else task.targets(chosen.table)
        return Held(chosen, np.asarray(chosen.read("picture")), labels)
    pictures = _patterns(size)
    table = provenance(len(pictures), corpus="patterns", stimulus=[str(number) for number in range(len(pictures))])
    store = ArrayStore(pictures, _PICTURE)
    samples = Samples(table, {}).with_modality("picture", "patterns", store, range(len(pictures)))
    return Held(samples, pictures, np.full(len(pictures), -1), drawn=True)


def _patterns(size: int) -> np.ndarray:
    """Return blotches of random colours, coarse to fine, uint8 (n, size, size, 3)."""
    rng = np.random.default_rng(0)
    cells = [2 + number % 15 for number in range(_DRAWN)]
    places = [np.arange(size) * count // size for count in cells]
    return np.stack(
        [rng.integers(0, 256, (count, count, 3), np.uint8)[at][:, at] for count, at in zip(cells, places, strict=True)]
    )


def check_parity(graph: Graph, system: System, mode: str, held: Held, *, jumps: bool = False) -> dict[str, float]:
    """Return by how much each output of a graph differs from what the system predicts.

    Parameters
    ----------
    graph : Graph
        Exported from the system, in this mode.
    system : System
        Fitted.
    mode : str
        One of its modes.
    held : Held
        What both see.
    jumps : bool
        Whether the last digit of a feature may take a picture over a tree's threshold, as `Answer` says: then one
        picture in fifty may differ by up to 0.01.

    Returns
    -------
    dict of str to float
        The largest difference of each output; of values beyond 1, as a share of them. Of `admitted` the share of faces
        whose set differs: a class on the threshold may fall to either side.

    Raises
    ------
    BundleError
        Where an output differs by more than `LIMIT`, or the system does not predict such a thing.
    """
    predictions, answer = system.predict(held.samples, mode), graph.answer(held.pictures)
    differences = {}
    for name, value in answer.items():
        if name == PROBABILITIES:
            wanted: Any = predictions.probabilities
        elif name == ADMITTED and "set" in predictions.table:
            wanted = split_sets(predictions.table["set"], predictions.classes)
        elif name in predictions.table:
            wanted = predictions.table[name].to_numpy(float)
        else:
            raise BundleError(f"the graph of mode {mode} answers {name}, which the system does not predict")
        differences[name], limit = _difference(value, wanted, jumps=jumps)
        if not differences[name] <= limit:
            what = f"the graph of mode {mode} is not what was trained: {name} differs by {differences[name]:.2g}"
            raise BundleError(what, do=f"at most {limit:g} is allowed; report this with the recipe")
    return differences


def _difference(given: np.ndarray, wanted: np.ndarray, *, jumps: bool) -> tuple[float, float]:
    """Return by how much an output differs, and how much of that is allowed."""
    if given.dtype == bool:
        return float((given != wanted).any(axis=1).mean()), max(_ON_THE_EDGE, 1 / len(given))
    said = np.isfinite(wanted)  # a graph has no way to say nothing, as a system may where a column does not apply
    apart = (np.abs(given - wanted) / np.maximum(1, np.abs(wanted)))[said]
    rare = jumps and (apart > LIMIT).mean() <= _JUMPS
    return float(apart.max(initial=0.0)), _JUMP if rare else LIMIT
