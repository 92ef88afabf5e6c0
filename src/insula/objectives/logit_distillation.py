"""Distillation of class logits from a teacher to a student: two ways to compare them."""

from __future__ import annotations

import torch
from torch.nn import functional


def logit_distance(student: torch.Tensor, teacher: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return the mean square of the difference of two rows of logits, each less its mean, over the temperature squared.

    Parameters
    ----------
    student, teacher : tensor, shape (n, classes)
        Logits; a constant added to a row changes nothing.
    temperature : float
        Divides both.

    Examples
    --------
    >>> logits = torch.tensor([[1.0, 3.0]])
    >>> logit_distance(logits, logits + 7, 5.0).item(), logit_distance(logits, -logits, 2.0).item()
    (0.0, 1.0)
    """
    difference = student - teacher
    return ((difference - difference.mean(dim=1, keepdim=True)) ** 2).mean() / temperature**2


def softened_divergence(
    student: torch.Tensor, teacher: torch.Tensor, temperature: float, weights: torch.Tensor | None = None
) -> torch.Tensor:
    """Return the divergence of the student's probabilities from the teacher's, both softened (Hinton et al. 2015).

    Parameters
    ----------
    student, teacher : tensor, shape (n, classes)
        Logits.
    temperature : float
        Divides both; the divergence is multiplied by its square, so that gradients keep their size.
    weights : tensor, shape (n,), optional
        Of the rows.

    Examples
    --------
    >>> logits = torch.tensor([[1.0, 3.0]])
    >>> abs(round(softened_divergence(logits, logits + 7, 5.0).item(), 4))
    0.0
    """
    learnt, wanted = ((logits / temperature).log_softmax(dim=1) for logits in (student, teacher))
    if weights is None:
        return temperature**2 * functional.kl_div(learnt, wanted, reduction="batchmean", log_target=True)
    each = functional.kl_div(learnt, wanted, reduction="none", log_target=True).sum(dim=1)
    return temperature**2 * (weights * each).mean()
