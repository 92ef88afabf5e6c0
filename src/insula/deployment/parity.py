"""Whether a graph answers what the system predicts that it was exported from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from insula.deployment.graph_inputs import PICTURES
from insula.deployment.graphs import ADMITTED, PROBABILITIES, USED, USES, Graph
from insula.errors import BundleError
from insula.samples import ArrayStore, Description, Samples, provenance
from insula.samples.predictions import split_sets
from insula.systems.base import System

LIMIT = 1e-4
"""By how much an answer may differ; of a value beyond 1, by this share of it."""

_JUMPS, _JUMP = 0.02, 1e-2  # where trees read a network: share of faces that may jump over a threshold, and how far
_MOST, _DRAWN = 1000, 32  # pictures or rows to compare on
_ON_THE_EDGE = 0.01  # share of faces in whose set a class may be on the other side of the threshold
_PICTURE = Description(kind="picture", axes=("row", "column", "colour"), units="uint8 RGB")


@dataclass(frozen=True)
class Held:
    """Pictures, or rows of EEG and features, to compare a graph with its system on.

    Parameters
    ----------
    samples : Samples
        One sample a picture, or row.
    labels : int array, shape (n,)
        Class codes; negative where there is none.
    drawn : bool
        Whether they are patterns or noise, since nothing was held out.
    """

    samples: Samples
    labels: np.ndarray
    drawn: bool = False

    @property
    def pictures(self) -> np.ndarray:
        """The pictures, uint8 (n, size, size, 3)."""
        return np.asarray(self.samples.read("picture"))


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
        return Held(chosen, labels)
    return Held(_drawn({"picture": ArrayStore(_patterns(size), _PICTURE)}), np.full(_DRAWN, -1), drawn=True)


def hold_rows(samples: Samples | None, inputs: Mapping[str, Mapping[str, Any]]) -> Held:
    """Return up to 1,000 samples that have any of the inputs, evenly spread; noise where there are none.

    Parameters
    ----------
    samples : Samples or None
        Held-out rows.
    inputs : mapping
        As `insula.deployment.graph_inputs.described` returns them.
    """
    if samples is not None:
        there = [samples.has(name) for name in inputs if name in samples.modalities]
        some = np.flatnonzero(np.any(there, axis=0)) if there else np.empty(0, int)
        if len(some):
            chosen = samples.select(some[:: -(-len(some) // _MOST)])
            return Held(chosen, np.full(len(chosen), -1))
    rng = np.random.default_rng(0)
    stores = {}
    for name, about in inputs.items():
        form = Description(**{key: value for key, value in about.items() if key != "shape"})
        loud = 10.0 if form.kind == "signal" else 1.0
        stores[name] = ArrayStore((loud * rng.standard_normal((_DRAWN, *about["shape"]))).astype(np.float32), form)
    return Held(_drawn(stores), np.full(_DRAWN, -1), drawn=True)


def _drawn(stores: Mapping[str, ArrayStore]) -> Samples:
    """Return samples of what was drawn, each a trial of its own."""
    numbers = [str(number) for number in range(_DRAWN)]
    samples = Samples(provenance(_DRAWN, corpus="drawn", stimulus=numbers, trial=numbers), {})
    for name, store in stores.items():
        samples = samples.with_modality(name, f"drawn {name}", store, range(_DRAWN))
    return samples


def _patterns(size: int) -> np.ndarray:
    """Return blotches of random colours, coarse to fine, uint8 (n, size, size, 3)."""
    rng = np.random.default_rng(0)
    cells = [2 + number % 15 for number in range(_DRAWN)]
    places = [np.arange(size) * count // size for count in cells]
    return np.stack(
        [rng.integers(0, 256, (count, count, 3), np.uint8)[at][:, at] for count, at in zip(cells, places, strict=True)]
    )


def check_parity(
    graph: Graph,
    system: System,
    mode: str,
    held: Held,
    given: Mapping[str, np.ndarray] | None = None,
    *,
    jumps: bool = False,
) -> dict[str, float]:
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
    given : mapping of str to array, optional
        What the graph is given of it; by default the pictures.
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
    predictions, answer = (
        system.predict(held.samples, mode),
        graph.answer({PICTURES: held.pictures} if given is None else given),
    )
    differences = {}
    for name, value in answer.items():
        if name == PROBABILITIES:
            wanted: Any = predictions.probabilities
        elif name == USED:
            wanted = predictions.table["mode"].map(USES.index).to_numpy(float)
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
