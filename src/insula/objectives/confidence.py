"""Confidence that a network learns beside its answer: easy samples apart from doubtful ones.

The confidence of a sample multiplies all its logits; the cross-entropy of these is the confidence-weighted one.

Sources: for the ranks, Wang et al., "Suppressing uncertainties for large-scale facial expression recognition", CVPR
2020; for the true class probability, Corbiere et al., "Addressing failure prediction by learning model
confidence", NeurIPS 2019.
"""

from __future__ import annotations

import math

import torch


def rank_regularisation(confidence: torch.Tensor, share: float = 0.7, margin: float = 0.15) -> torch.Tensor:
    """Return by how much the confident part of a batch fails to lie a margin above the rest.

    Confidences are sorted; the first `floor(share * n)` are the confident part. The gradient drives the two means apart
    until their gap is the margin, whatever the samples are like: a confidence is a rank, not a probability.

    Parameters
    ----------
    confidence : tensor, shape (n,)
        Of the samples of a batch, from 0 to 1.
    share : float
        Of the batch that counts as confident.
    margin : float
        Wanted between the mean of the confident part and that of the rest.

    Returns
    -------
    tensor
        A scalar, 0 where the gap is wide enough, and in batches of less than four.

    Examples
    --------
    >>> rank_regularisation(torch.tensor([0.5, 0.9, 0.9, 0.9])).item()
    0.0
    >>> round(rank_regularisation(torch.full((4,), 0.5)).item(), 2)
    0.15
    """
    if len(confidence) < 4:
        return confidence.sum() * 0
    high = math.floor(share * len(confidence) + 1e-9)  # 0.7 * 90 is 62.99... in binary
    ordered = confidence.sort(descending=True, stable=True).values
    return (margin - (ordered[:high].mean() - ordered[high:].mean())).clamp(min=0)


def true_class_error(confidence: torch.Tensor, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return how far confidence is from the probability that the logits give the label: the mean squared difference.

    The confidence learns what that probability is for samples like this one. The logits are not moved by it.

    Parameters
    ----------
    confidence : tensor, shape (n,)
        Of the samples, from 0 to 1.
    logits : tensor, shape (n, classes)
        Before the confidence multiplies them.
    labels : int tensor, shape (n,)
        Class of each sample.

    Returns
    -------
    tensor
        A scalar.

    Examples
    --------
    >>> even = torch.zeros(2, 4)
    >>> true_class_error(torch.tensor([0.25, 0.75]), even, torch.tensor([0, 3])).item()
    0.125
    """
    probable = logits.detach().softmax(dim=1).gather(1, labels[:, None])[:, 0]
    return (confidence - probable).square().mean()
