"""Electrodes as a graph: which region each belongs to, and who is whose neighbour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from insula.eeg.montage import flat_positions
from insula.errors import DataError

_REACH = 1.5  # times the median distance to the nearest electrode of the region: so far neighbours may be

EMOTIV_REGIONS = (("AF3", "F7", "F3", "FC5"), ("T7", "P7", "O1"), ("O2", "P8", "T8"), ("FC6", "F4", "F8", "AF4"))
EMOTIV_EDGES = (
    ("AF3", "F3"), ("F7", "F3"), ("F7", "FC5"), ("F3", "FC5"), ("T7", "P7"), ("P7", "O1"), ("O2", "P8"), ("P8", "T8"),
    ("AF4", "F4"), ("F8", "F4"), ("F8", "FC6"), ("F4", "FC6"),
)  # fmt: skip
"""Regions and edges of the source, for the fourteen electrodes of DREAMER."""


@dataclass(frozen=True)
class Graph:
    """Rows of each region, neighbours within regions as pairs of rows, and neighbours among regions."""

    regions: tuple[tuple[int, ...], ...]
    edges: tuple[tuple[int, int], ...]
    region_edges: tuple[tuple[int, int], ...]


def graph_of(channels: Sequence[str]) -> Graph:
    """Return the graph of electrodes: the source's for DREAMER's fourteen, else quarters of the head.

    Quarters are left and right, front and back of Cz, the midline going left; neighbours are electrodes of a quarter
    that lie close. Regions form a ring.

    Parameters
    ----------
    channels : sequence of str
        Electrode names with a place on the head.

    Raises
    ------
    DataError
        Where electrodes cover less than two quarters.

    Examples
    --------
    >>> graph = graph_of(["O2", "AF3", "F3", "F7", "FC5", "T7", "P7", "O1", "P8", "T8", "FC6", "F4", "F8", "AF4"])
    >>> graph.regions[0], len(graph.edges)
    ((1, 3, 2, 4), 12)
    >>> [len(region) for region in graph_of(["Fp1", "Fp2", "F3", "F4", "P3", "P4", "O1", "O2"]).regions]
    [2, 2, 2, 2]
    """
    row = {name.upper(): number for number, name in enumerate(channels)}
    if set(row) == {name for region in EMOTIV_REGIONS for name in region}:
        regions = tuple(tuple(row[name] for name in region) for region in EMOTIV_REGIONS)
        edges = tuple((row[one], row[other]) for one, other in EMOTIV_EDGES)
    else:
        places = flat_positions(channels)
        regions = _quarters(places)
        edges = tuple(pair for region in regions for pair in _neighbours(places, region))
    if len(regions) < 2:
        raise DataError("the electrodes cover one quarter of the head", do="give electrodes of at least two")
    count = len(regions)
    ring = {tuple(sorted((number, (number + 1) % count))) for number in range(count)}
    return Graph(regions, edges, tuple(sorted(ring)))  # type: ignore[arg-type]


def _quarters(places: np.ndarray) -> tuple[tuple[int, ...], ...]:
    """Left front, left back, right back, right front; quarters without an electrode are left out."""
    right, front = places[:, 0] > 1e-3, places[:, 1] >= 0
    quarters = (~right & front, ~right & ~front, right & ~front, right & front)
    return tuple(tuple(np.flatnonzero(quarter).tolist()) for quarter in quarters if quarter.any())


def _neighbours(places: np.ndarray, region: tuple[int, ...]) -> list[tuple[int, int]]:
    if len(region) < 2:
        return []
    rows = np.array(region)
    distance = np.linalg.norm(places[rows, None] - places[None, rows], axis=2)
    np.fill_diagonal(distance, np.inf)
    close = distance <= _REACH * np.median(distance.min(axis=1))
    close[np.arange(len(rows)), distance.argmin(axis=1)] = True  # nobody is alone
    first, second = np.nonzero(np.triu(close | close.T))
    return list(zip(rows[first].tolist(), rows[second].tolist(), strict=True))
