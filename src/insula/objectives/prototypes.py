"""Prototypes of classes, or on a grid of valence and arousal: where a feature stands, and where it ought to stand."""

from __future__ import annotations

import torch
from torch.nn import functional


def similarities(features: torch.Tensor, prototypes: torch.Tensor) -> torch.Tensor:
    """Return the cosine of each feature, (n, width), with each prototype, (cells, width): (n, cells)."""
    return functional.normalize(features, dim=1) @ functional.normalize(prototypes, dim=1).T


def interpolated(prototypes: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Return prototypes between the cells of their grid, bilinear, of unit length.

    Parameters
    ----------
    prototypes : tensor, shape (grid * grid, width)
        Unit rows; row ``a * grid + v`` is of the cell with the a-th arousal and the v-th valence, which are the middles
        of `grid` equal parts of [-1, 1].
    places : tensor, shape (n, 2)
        Valence and arousal; beyond the outer middles, the outer cells count.

    Returns
    -------
    tensor, shape (n, width)

    Examples
    --------
    >>> corners = torch.eye(4)
    >>> interpolated(corners, torch.tensor([[0.5, -0.5], [-0.9, 0.9]])).tolist()
    [[0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]]
    """
    grid = round(len(prototypes) ** 0.5)
    field = prototypes.T.reshape(1, -1, grid, grid)  # rows: arousal, columns: valence
    where = places.to(prototypes).reshape(1, 1, -1, 2)
    values = functional.grid_sample(field, where, mode="bilinear", padding_mode="border", align_corners=False)
    return functional.normalize(values[0, :, 0].T, dim=1)


def class_means(features: torch.Tensor, labels: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
    """Return a prototype for each class, (classes, width): the mean direction of its features, of unit length.

    Parameters
    ----------
    features : tensor, shape (n, width)
        Of any length; directions count.
    labels : int tensor, shape (n,)
        Classes, -1 where there is no label.
    start : tensor, shape (classes, width)
        Prototypes of classes that no row has.

    Examples
    --------
    >>> features = torch.tensor([[2.0, 0.0], [0.0, 1.0], [0.0, 3.0]])
    >>> class_means(features, torch.tensor([0, 1, 1]), torch.full((3, 2), -5.0)).round(decimals=2).tolist()
    [[1.0, 0.0], [0.0, 1.0], [-0.7099999785423279, -0.7099999785423279]]
    """
    labelled = labels >= 0
    member = functional.one_hot(labels[labelled], len(start)).to(features)
    sums = member.T @ functional.normalize(features[labelled], dim=1)
    return functional.normalize(torch.where(member.any(dim=0)[:, None], sums, start), dim=1)


def crowding(prototypes: torch.Tensor) -> torch.Tensor:
    """Return the mean cosine of each two prototypes, a scalar: above 0.9 they tell classes apart no longer.

    Parameters
    ----------
    prototypes : tensor, shape (two or more, width)
        Of any length.

    Examples
    --------
    >>> crowding(torch.eye(3)).item(), round(crowding(torch.ones(3, 2)).item(), 4)
    (0.0, 1.0)
    """
    alike = similarities(prototypes, prototypes)
    return alike[~torch.eye(len(alike), dtype=torch.bool, device=alike.device)].mean()


def affinities(features: torch.Tensor, prototypes: torch.Tensor, tau: float) -> torch.Tensor:
    """Return the logarithm of how much each prototype is like each feature: a softmax of cosines, (n, cells)."""
    return (similarities(features, prototypes) / tau).log_softmax(dim=1)


def nearness(places: torch.Tensor, centres: torch.Tensor, sigma: float) -> torch.Tensor:
    """Return the logarithm of a Gaussian's share in each cell, (n, cells), around places of valence and arousal.

    Parameters
    ----------
    places, centres : tensor, shapes (n, 2) and (cells, 2)
        Valence and arousal.
    sigma : float
        Of the Gaussian.

    Examples
    --------
    >>> centres = torch.tensor([[-0.5, 0.0], [0.5, 0.0]])
    >>> nearness(torch.zeros(1, 2), centres, 0.4).exp().tolist()
    [[0.5, 0.5]]
    """
    return (-((places[:, None] - centres[None]) ** 2).sum(dim=2) / (2 * sigma**2)).log_softmax(dim=1)


def prototype_loss(features: torch.Tensor, prototypes: torch.Tensor, wanted: torch.Tensor, tau: float) -> torch.Tensor:
    """Return the divergence of features' affinities from those that are wanted, averaged over a batch.

    Parameters
    ----------
    features, prototypes : tensor, shapes (n, width) and (cells, width)
        Of any length; directions count.
    wanted : tensor, shape (n, cells)
        Logarithms of probabilities.
    tau : float
        Of the softmax.

    Examples
    --------
    >>> prototypes = torch.eye(3)
    >>> prototype_loss(prototypes, prototypes, affinities(prototypes, prototypes, 0.9), 0.9).item()
    0.0
    """
    learnt = affinities(features, prototypes, tau)
    return functional.kl_div(learnt, wanted, reduction="batchmean", log_target=True)


def read_affect(features: torch.Tensor, prototypes: torch.Tensor, centres: torch.Tensor, tau: float) -> torch.Tensor:
    """Return the mean valence and arousal, (n, 2), of the cells by their affinity: a readout, no measurement."""
    return affinities(features, prototypes, tau).exp() @ centres
