"""Fitted models on a Gaussian kernel in torch: sums over what they were fitted on."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn


class Gaussian(nn.Module):
    """Features to sums of Gaussians around given points, in float64.

    Parameters
    ----------
    points : array, shape (m, d)
        Their middles.
    gamma : float
        A Gaussian is the exponential of minus this times the square distance.
    weights : array, shape (m, e)
        Of each Gaussian in each sum.
    shift : array, shape (e,), optional
        What is added.

    Examples
    --------
    >>> hill = Gaussian(np.zeros((1, 2)), 1.0, np.ones((1, 1)))
    >>> hill(torch.tensor([[0.0, 0.0], [1.0, 0.0]])).round(decimals=3).tolist()
    [[1.0], [0.368]]
    """

    points: torch.Tensor
    gamma: torch.Tensor
    weights: torch.Tensor
    shift: torch.Tensor

    def __init__(self, points: np.ndarray, gamma: float, weights: np.ndarray, shift: np.ndarray | None = None) -> None:
        super().__init__()
        self.register_buffer("points", torch.tensor(points))
        self.register_buffer("weights", torch.tensor(weights))
        # As tensors, since the exporter rounds numbers to float32.
        self.register_buffer("gamma", torch.tensor(gamma, dtype=torch.float64))
        shift = np.zeros(weights.shape[1]) if shift is None else shift
        self.register_buffer("shift", torch.tensor(shift, dtype=torch.float64))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return float64 (n, e) of features (n, d)."""
        rows, points = features.double(), self.points.double()
        lengths = (rows * rows).sum(dim=1, keepdim=True) + (points * points).sum(dim=1)
        distances = (lengths - 2 * rows @ points.T).clamp(min=0)
        return (-self.gamma * distances).exp() @ self.weights.double() + self.shift


class Votes(nn.Module):
    """Decisions between each two classes to one number a class: how many it wins, and how clearly.

    As scikit-learn makes one number a class out of a support vector machine's pairs, (0, 1), (0, 2) and so on.

    Parameters
    ----------
    classes : int
        Three or more.

    Examples
    --------
    >>> Votes(3)(torch.tensor([[1.0, 1.0, 1.0]], dtype=torch.float64)).round(decimals=2).tolist()
    [[2.22, 1.0, -0.22]]
    """

    first: torch.Tensor
    second: torch.Tensor

    def __init__(self, classes: int) -> None:
        super().__init__()
        pairs = torch.triu_indices(classes, classes, offset=1)
        sides = torch.eye(classes, dtype=torch.float64)[pairs]
        self.register_buffer("first", sides[0])
        self.register_buffer("second", sides[1])

    def forward(self, decisions: torch.Tensor) -> torch.Tensor:
        """Return float64 (n, classes) of decisions (n, pairs): above 0 the first of two classes wins."""
        lost = (decisions < 0).double()
        votes = (1 - lost) @ self.first + lost @ self.second
        clearly = decisions @ (self.first - self.second)
        return votes + clearly / (3 * (clearly.abs() + 1))


class Sigmoids(nn.Module):
    """One number a class to probabilities: a sigmoid each, then shared out; of one number, two classes.

    Parameters
    ----------
    slopes, shifts : array, shape (k,)
        A probability is that of minus slope times number minus shift (Platt).
    """

    slopes: torch.Tensor
    shifts: torch.Tensor

    def __init__(self, slopes: np.ndarray, shifts: np.ndarray) -> None:
        super().__init__()
        self.register_buffer("slopes", torch.tensor(slopes, dtype=torch.float64))
        self.register_buffer("shifts", torch.tensor(shifts, dtype=torch.float64))

    def forward(self, numbers: torch.Tensor) -> torch.Tensor:
        """Return float64 (n, classes) of numbers (n, k)."""
        each = 1 / (1 + (self.slopes * numbers + self.shifts).exp())
        if each.shape[1] == 1:
            return torch.cat([1 - each, each], dim=1)
        total = each.sum(dim=1, keepdim=True)
        return torch.where(total > 0, each / total, 1 / each.shape[1])
