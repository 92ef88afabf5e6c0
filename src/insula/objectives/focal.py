"""Focal loss: cross-entropy in which samples that are told well already count less.

Source: Lin, Goyal, Girshick, He, Dollar, "Focal loss for dense object detection", ICCV 2017.
"""

from __future__ import annotations

import torch

_LEAST = 1e-8  # probability


def focal_loss(
    logits: torch.Tensor, targets: torch.Tensor, gamma: float = 2.0, weights: torch.Tensor | None = None
) -> torch.Tensor:
    """Return the mean of ``-w_y (1 - p_y)^gamma log p_y``.

    Parameters
    ----------
    logits : tensor, shape (n, classes)
        Before the softmax.
    targets : int tensor, shape (n,)
        True classes.
    gamma : float
        0 is weighted cross-entropy.
    weights : tensor, shape (classes,), optional
        Of the classes.

    Returns
    -------
    tensor
        A scalar.

    Examples
    --------
    >>> even = torch.zeros(1, 2)
    >>> round(focal_loss(even, torch.tensor([0])).item(), 3)  # a quarter of log 2
    0.173
    """
    true = logits.softmax(dim=1).gather(1, targets[:, None])[:, 0].clamp(min=_LEAST)
    loss = -((1 - true) ** gamma) * true.log()
    return (loss if weights is None else weights[targets] * loss).mean()
