"""Fitted linear parts in torch, in float64 as scikit-learn's estimators compute them."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn


class Scaled(nn.Module):
    """Features without their centre, divided by their scale.

    Parameters
    ----------
    centre, scale : array, shape (d,)
        Of each feature.

    Examples
    --------
    >>> Scaled(np.array([1.0, 2.0]), np.array([2.0, 4.0]))(torch.tensor([[3.0, 4.0]])).tolist()
    [[1.0, 0.5]]
    """

    centre: torch.Tensor
    scale: torch.Tensor

    def __init__(self, centre: np.ndarray, scale: np.ndarray) -> None:
        super().__init__()
        self.register_buffer("centre", torch.tensor(centre))
        self.register_buffer("scale", torch.tensor(scale))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return float64 (n, d) of features (n, d)."""
        return (features.double() - self.centre) / self.scale


class Affine(nn.Module):
    """Features times a matrix, and a shift.

    Parameters
    ----------
    weight : array, shape (e, d)
        Kept in the precision that it comes in.
    shift : array, shape (e,)
        What is added.

    Examples
    --------
    >>> Affine(np.array([[1.0, 2.0]]), np.array([0.5]))(torch.tensor([[3.0, 4.0]])).tolist()
    [[11.5]]
    """

    weight: torch.Tensor
    shift: torch.Tensor

    def __init__(self, weight: np.ndarray, shift: np.ndarray) -> None:
        super().__init__()
        self.register_buffer("weight", torch.tensor(weight))
        self.register_buffer("shift", torch.tensor(shift, dtype=torch.float64))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return float64 (n, e) of features (n, d)."""
        return features.double() @ self.weight.double().T + self.shift


class Placed(nn.Module):
    """Probabilities of the classes that were learnt, put among all classes; the others have probability 0.

    Parameters
    ----------
    codes : int array, shape (k,)
        Places of the learnt classes.
    classes : int
        How many there are in all.

    Examples
    --------
    >>> Placed(np.array([0, 2]), 3)(torch.tensor([[0.25, 0.75]])).tolist()
    [[0.25, 0.0, 0.75]]
    """

    places: torch.Tensor

    def __init__(self, codes: np.ndarray, classes: int) -> None:
        super().__init__()
        self.register_buffer("places", torch.eye(classes, dtype=torch.float64)[torch.tensor(codes)])

    def forward(self, probabilities: torch.Tensor) -> torch.Tensor:
        """Return float64 (n, classes) of probabilities (n, k)."""
        return probabilities.double() @ self.places
