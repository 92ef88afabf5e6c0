"""The classifier on features, and what it is learnt from."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from insula.training.engine import Trained, train
from insula.training.settings import Training

_WIDTHS, _DROPOUT = (128, 64), 0.1


def classifier(width: int, classes: int) -> nn.Module:
    """Return the untrained classifier: two hidden layers.

    Examples
    --------
    >>> sum(weights.numel() for weights in classifier(512, 9).parameters())
    74505
    """
    layers: list[nn.Module] = []
    for before, after in zip((width, *_WIDTHS), _WIDTHS, strict=False):
        layers += [nn.Linear(before, after), nn.ReLU(), nn.Dropout(_DROPOUT)]
    return nn.Sequential(*layers, nn.Linear(_WIDTHS[-1], classes))


def trained_classifier(
    features: np.ndarray,
    labels: np.ndarray,
    held: tuple[np.ndarray, np.ndarray],
    classes: int,
    settings: Training,
    seed: int,
) -> tuple[nn.Module, Trained]:
    """Return a classifier trained on features (n, d) and labels (n,); `held` are those the epoch is chosen on."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = classifier(features.shape[1], classes)
    inputs, targets, *other = map(torch.from_numpy, (features, labels, *held))
    validation = (other[0], other[1]) if len(other[0]) else None
    return network, train(network, nn.CrossEntropyLoss(), inputs, targets, validation, settings, seed)
