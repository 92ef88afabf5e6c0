"""HiSTN: a network of about a thousand weights that joins electrodes to regions, and regions to one."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

Edges = Sequence[tuple[int, int]]


class HiSTN(nn.Module):
    """Hierarchical spatio-temporal network: electrodes, regions, the whole head.

    Written from the description of the published model, whose sizes are the defaults; no code of it is used. Between
    the convolutions over time, messages pass along the edges of each region, then of the ring of regions.

    Parameters
    ----------
    regions : sequence of sequences of int
        Electrodes of each region, as rows of the input; every electrode belongs to one.
    edges : sequence of (int, int)
        Neighbours within regions, as rows of the input.
    region_edges : sequence of (int, int)
        Neighbours among regions.
    classes : int
        Out.
    filters, length : int, int
        Temporal filters and their length in samples.
    order : int
        Of the Chebyshev polynomial of the graph Laplacian.
    dropout : float
        Before the messages, and before the classes.

    Examples
    --------
    >>> regions, chain = ((0, 1), (2, 3)), ((0, 1), (2, 3))
    >>> HiSTN(regions, chain, ((0, 1),), classes=5)(torch.zeros(3, 4, 128)).shape
    torch.Size([3, 5])
    """

    def __init__(
        self,
        regions: Sequence[Sequence[int]],
        edges: Edges,
        region_edges: Edges,
        classes: int,
        filters: int = 8,
        length: int = 64,
        order: int = 2,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        electrodes, short = sum(len(region) for region in regions), 5
        self.regions = [list(region) for region in regions]
        self.filters = nn.Conv1d(1, filters, length, padding="same", bias=False)
        self.mix = nn.Parameter(torch.empty(electrodes, filters))
        nn.init.xavier_uniform_(self.mix)
        self.mixed = nn.Sequential(nn.BatchNorm1d(electrodes), nn.ELU())
        self.short = nn.Conv1d(electrodes, electrodes, short, groups=electrodes, bias=False)
        self.pooled = nn.Sequential(nn.BatchNorm1d(electrodes), nn.ELU(), nn.AvgPool1d(2), nn.Dropout(dropout))
        self.messages = nn.ModuleList(_Messages(_within(edges, region), short, order) for region in self.regions)
        self.normed = nn.Sequential(nn.BatchNorm1d(electrodes), nn.ELU())
        self.before = nn.ModuleList(_Collapse(len(region)) for region in regions)
        self.after = nn.ModuleList(_Collapse(len(region)) for region in regions)
        self.region_messages = _Messages(_adjacency(region_edges, len(regions)), short, order)
        self.whole = nn.ModuleList(_Collapse(len(regions)) for _ in range(2))
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(electrodes + len(regions) + 1, classes)

    def forward(self, signal: torch.Tensor) -> torch.Tensor:
        """Return logits, (batch, classes), of signal (batch, electrodes, times)."""
        batch, electrodes, _ = signal.shape
        maps = self.filters(signal.flatten(0, 1)[:, None]).unflatten(0, (batch, electrodes))
        series = self.mixed(torch.einsum("beft,ef->bet", maps, _at_most_one(self.mix)))
        series = self.pooled(self.short(series))
        passed = torch.empty_like(series)
        for region, messages in zip(self.regions, self.messages, strict=True):
            passed[:, region] = messages(series[:, region])
        nodes = series + self.normed(passed)
        before, after = self._areas(series, self.before), self._areas(nodes, self.after)
        areas = self.region_messages(before) + after
        whole = self.whole[0](before) + self.whole[1](areas)
        joined = torch.cat([nodes, areas, whole[:, None]], dim=1)
        return self.head(self.dropout(joined.mean(dim=2)))

    def _areas(self, series: torch.Tensor, collapses: nn.ModuleList) -> torch.Tensor:
        parts = zip(self.regions, collapses, strict=True)
        return torch.stack([collapse(series[:, region]) for region, collapse in parts], dim=1)


class _Messages(nn.Module):
    """Chebyshev messages along edges, then a separable convolution over time."""

    def __init__(self, adjacency: torch.Tensor, length: int, order: int) -> None:
        super().__init__()
        nodes = len(adjacency)
        self.register_buffer("steps", chebyshev(adjacency, order), persistent=False)
        self.shares = nn.Parameter(torch.ones(order + 1) / (order + 1))
        self.along = nn.Parameter(torch.empty(nodes, 1, length))
        self.across = nn.Parameter(torch.empty(nodes, nodes, 1))
        nn.init.xavier_uniform_(self.along)
        nn.init.xavier_uniform_(self.across)

    def forward(self, series: torch.Tensor) -> torch.Tensor:
        """Return series of the same shape, (batch, nodes, times)."""
        messages = torch.einsum("k,kij,bjt->bit", self.shares, self.steps, series)
        over_time = functional.conv1d(messages, _at_most_one(self.along), padding="same", groups=messages.shape[1])
        return functional.conv1d(over_time, _at_most_one(self.across))


class _Collapse(nn.Module):
    """Many series to one: a weighted mean, the weights a softmax of what the series are on average."""

    def __init__(self, nodes: int) -> None:
        super().__init__()
        self.weights = nn.Linear(nodes, nodes, bias=False)

    def forward(self, series: torch.Tensor) -> torch.Tensor:
        """Return (batch, times) of series (batch, nodes, times)."""
        return torch.einsum("bn,bnt->bt", self.weights(series.mean(dim=2)).softmax(dim=1), series)


def chebyshev(adjacency: torch.Tensor, order: int) -> torch.Tensor:
    """Return the Chebyshev polynomials 0 to `order` of the rescaled graph Laplacian, (order + 1, nodes, nodes).

    The Laplacian is the symmetric normalised one, rescaled to eigenvalues in [-1, 1] by its largest (Defferrard,
    Bresson, Vandergheynst 2016, Convolutional neural networks on graphs with fast localized spectral filtering).

    Examples
    --------
    >>> chebyshev(torch.tensor([[0.0, 1.0], [1.0, 0.0]]), 1)[1].tolist()
    [[0.0, -1.0], [-1.0, 0.0]]
    """
    eye = torch.eye(len(adjacency))
    degree = adjacency.sum(dim=1).clamp(min=1e-12).rsqrt()
    laplacian = eye - degree[:, None] * adjacency * degree
    largest = torch.linalg.eigvalsh(laplacian).max().clamp(min=1e-6)
    step = 2 * laplacian / largest - eye
    polynomials = [eye, step]
    while len(polynomials) <= order:
        polynomials.append(2 * step @ polynomials[-1] - polynomials[-2])
    return torch.stack(polynomials[: order + 1])


def _within(edges: Edges, region: Sequence[int]) -> torch.Tensor:
    place = {electrode: row for row, electrode in enumerate(region)}
    return _adjacency([(place[a], place[b]) for a, b in edges if a in place and b in place], len(region))


def _adjacency(edges: Edges, nodes: int) -> torch.Tensor:
    adjacency = torch.zeros(nodes, nodes)
    for one, other in edges:
        adjacency[one, other] = adjacency[other, one] = 1
    return adjacency


def _at_most_one(weights: torch.Tensor) -> torch.Tensor:
    """Return the weights with rows of norm one at most, as the source constrains them."""
    norm = weights.flatten(1).norm(dim=1).clamp(min=1).reshape(-1, *[1] * (weights.ndim - 1))
    return weights / norm
