"""Ordered classes: a target that spreads to its neighbours."""

from __future__ import annotations

import torch


def neighbourly(targets: torch.Tensor, classes: int, spread: float = 0.5) -> torch.Tensor:
    """Return target probabilities that fall off with the distance to the true class.

    The probability of class k is proportional to exp(-(k - y)^2 / (2 spread^2)), as HiSTN softens ratings.

    Parameters
    ----------
    targets : int tensor, shape (n,)
        True classes, ordered from 0.
    classes : int
        How many there are.
    spread : float
        Standard deviation in classes.

    Returns
    -------
    tensor, shape (n, classes)
        Rows add up to one.

    Examples
    --------
    >>> (100 * neighbourly(torch.tensor([1]), 3)).round().tolist()
    [[11.0, 79.0, 11.0]]
    """
    distance = torch.arange(classes) - targets[:, None]
    return (-(distance**2) / (2 * spread**2)).softmax(dim=1)
