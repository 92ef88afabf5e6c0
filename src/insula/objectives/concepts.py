"""Targets from concepts: where a teacher is unsure of a sample, the mean of sure samples of its class stands in."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch


def class_quantiles(values: torch.Tensor, labels: torch.Tensor, classes: int, quantile: float) -> torch.Tensor:
    """Return, for each class, the value at place ``floor(quantile * n)`` of its ascending values.

    Parameters
    ----------
    values : tensor, shape (n,)
        For example a teacher's confidence.
    labels : int tensor, shape (n,)
        Classes, from 0.
    classes : int
        How many there are.
    quantile : float
        From 0 to 1.

    Returns
    -------
    tensor, shape (classes,)
        NaN for a class without samples.

    Examples
    --------
    >>> class_quantiles(torch.arange(10.0), torch.tensor([0, 1] * 5), 3, 0.2)
    tensor([2., 3., nan])
    """
    quantiles = values.new_full((classes,), float("nan"))
    for label in labels.unique().tolist():
        ordered = values[labels == label].sort().values
        quantiles[label] = ordered[min(math.floor(quantile * len(ordered) + 1e-9), len(ordered) - 1)]
    return quantiles


def class_members(labels: torch.Tensor, classes: int) -> torch.Tensor:
    """Return the places of each class's samples, int (classes, largest class), -1 where a class has fewer.

    Labels below 0 belong to no class.

    Examples
    --------
    >>> class_members(torch.tensor([1, 0, 1, -1]), 2)
    tensor([[ 1, -1],
            [ 0,  2]])
    """
    places = [torch.nonzero(labels == label)[:, 0] for label in range(classes)]
    return torch.nn.utils.rnn.pad_sequence(places, batch_first=True, padding_value=-1)


def draw_members(members: torch.Tensor, labels: torch.Tensor, count: int) -> torch.Tensor:
    """Return `count` members of each label's class, drawn without replacement; all of them where there are fewer.

    Chance is drawn from torch's random state on the CPU, so a seed fixes it on every device.

    Parameters
    ----------
    members : int tensor, shape (classes, m)
        From `class_members`.
    labels : int tensor, shape (n,)
        Classes wanted.
    count : int
        How many of each.

    Returns
    -------
    int tensor, shape (n, min(count, m))
        Places; -1 where the class has no more.
    """
    candidates = members[labels]
    keys = torch.rand(candidates.shape).to(candidates.device).masked_fill(candidates < 0, -1)
    return candidates.gather(1, keys.topk(min(count, candidates.shape[1]), dim=1).indices)


def concept_targets(
    taught: torch.Tensor,
    gate: torch.Tensor,
    labels: torch.Tensor,
    members: torch.Tensor,
    features: Callable[[torch.Tensor], torch.Tensor],
    count: int,
) -> torch.Tensor:
    """Return what a student imitates: the teacher's features where the gate is open, else a concept of the class.

    Parameters
    ----------
    taught : tensor, shape (n, d)
        The teacher's features of the batch.
    gate : bool tensor, shape (n,)
        Where the teacher is sure.
    labels : int tensor, shape (n,)
        Classes.
    members : int tensor, shape (classes, m)
        Places of the sure samples of each class, from `class_members`.
    features : callable
        Features, (k, d), of the samples at k places.
    count : int
        So many of them are averaged. The mean of unit vectors is shorter than one.

    Returns
    -------
    tensor, shape (n, d)
    """
    doubtful = ~gate & (members[labels] >= 0).any(dim=1)  # of a class without sure samples there is no concept
    if not doubtful.any():
        return taught
    places = draw_members(members, labels[doubtful], count)
    drawn_places = places >= 0
    drawn = taught.new_zeros(*places.shape, taught.shape[1])
    drawn[drawn_places] = features(places[drawn_places]).to(drawn.dtype)
    targets = taught.clone()
    targets[doubtful] = drawn.sum(dim=1) / drawn_places.sum(dim=1, keepdim=True)
    return targets
