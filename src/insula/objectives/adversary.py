"""Features that a domain classifier cannot tell apart, by reversing its gradient.

Source: Ganin et al., "Domain-adversarial training of neural networks", JMLR 17, 2016.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits


class _Reverse(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, features: torch.Tensor, strength: float) -> torch.Tensor:
        context.strength = strength
        return features.view_as(features)

    @staticmethod
    def backward(context: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        return -context.strength * gradients[0], None


def reverse_gradient(features: torch.Tensor, strength: float = 1.0) -> torch.Tensor:
    """Return the features as they are; what flows back through them is multiplied by minus `strength`.

    Examples
    --------
    >>> features = torch.ones(2, requires_grad=True)
    >>> reverse_gradient(features, 0.5).sum().backward()
    >>> features.grad
    tensor([-0.5000, -0.5000])
    """
    reversed_features: torch.Tensor = _Reverse.apply(features, strength)
    return reversed_features


def warm_up(progress: float) -> float:
    """Return 2 / (1 + exp(-10 p)) - 1: from 0 at the start of training (p = 0) to nearly 1 at its end (p = 1).

    Examples
    --------
    >>> warm_up(0.0), round(warm_up(0.1), 3), round(warm_up(1.0), 3)
    (0.0, 0.462, 1.0)
    """
    return 2 / (1 + math.exp(-10 * progress)) - 1


def domain_loss(classifier: nn.Module, source: torch.Tensor, target: torch.Tensor, strength: float) -> torch.Tensor:
    """Return how badly the classifier tells source from target; the features behind them learn to make it worse.

    Parameters
    ----------
    classifier : Module
        From features (n, d) to one logit (n, 1): positive for the source.
    source, target : tensor, shape (n, d) and (m, d)
        Features; each side counts half, whatever its number of rows.
    strength : float
        Of the reversed gradient; the classifier itself learns at full rate.

    Returns
    -------
    tensor
        Mean binary cross-entropy, a scalar: log 2 where the sides cannot be told apart.
    """
    logits = classifier(reverse_gradient(torch.cat([source, target]), strength))[:, 0]
    first, second = logits[: len(source)], logits[len(source) :]
    of_source = binary_cross_entropy_with_logits(first, torch.ones_like(first))
    of_target = binary_cross_entropy_with_logits(second, torch.zeros_like(second))
    return (of_source + of_target) / 2
