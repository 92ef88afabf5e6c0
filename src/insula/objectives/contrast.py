"""Supervised contrast: samples of one class draw near, others move away.

Source: Khosla et al., "Supervised contrastive learning", NeurIPS 2020, arXiv 2004.11362.
"""

from __future__ import annotations

from typing import Literal

import torch


def supervised_contrast(
    features: torch.Tensor,
    labels: torch.Tensor,
    *,
    temperature: float = 0.07,
    weights: torch.Tensor | None = None,
    positives: Literal["mean", "sum"] = "mean",
    include_self: bool = False,
) -> torch.Tensor:
    """Return the mean over samples of the weighted contrast of each with those of its class.

    The contrast of sample i with a sample p of its class is minus the logarithm of ``exp(f_i f_p / t)`` over the sum of
    ``exp(f_i f_j / t)`` over all j but i. A sample that is the only one of its class in the batch adds 0.

    Parameters
    ----------
    features : tensor, shape (n, d)
        Rows of unit length.
    labels : int tensor, shape (n,)
        Classes.
    temperature : float
        The `t` above.
    weights : tensor, shape (n,), optional
        Of the samples as anchors; see `rarity`.
    positives : {"mean", "sum"}
        What is taken over the samples of a class.
    include_self : bool
        Whether j = i is in the sum of the denominator, as the formula of some papers has it.

    Returns
    -------
    tensor
        A scalar.

    Examples
    --------
    >>> apart = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    >>> bool(supervised_contrast(apart, torch.tensor([0, 0, 1, 1])) < 1e-5)
    True
    >>> bool(supervised_contrast(apart, torch.tensor([0, 1, 0, 1])) > 14)
    True
    """
    alike = features @ features.T / temperature
    itself = torch.eye(len(features), dtype=torch.bool, device=features.device)
    others = alike if include_self else alike.masked_fill(itself, float("-inf"))
    logs = alike - others.logsumexp(dim=1, keepdim=True)
    same = (labels[:, None] == labels) & ~itself
    count = same.sum(dim=1)
    loss = -torch.where(same, logs, 0).sum(dim=1)
    if positives == "mean":
        loss = loss / count.clamp(min=1)
    return (loss if weights is None else weights * loss).mean()


def rarity(labels: torch.Tensor) -> torch.Tensor:
    """Return 1 minus the share of each sample's class in the batch, (n,): rare classes weigh more.

    Examples
    --------
    >>> rarity(torch.tensor([0, 0, 0, 1]))
    tensor([0.2500, 0.2500, 0.2500, 0.7500])
    """
    return 1 - (labels[:, None] == labels).float().mean(dim=1)
