"""Evidence for classes: a Dirichlet distribution in place of probabilities, whose width says how little is known.

A network gives each of C classes evidence e, 0 or more; the Dirichlet's parameters are e + 1, their sum is S, and the
uncertainty is C / S: 1 where there is no evidence at all.

Source: Sensoy, Kaplan and Kandemir, "Evidential deep learning to quantify classification uncertainty", NeurIPS 2018,
arXiv 1806.01768; the fit to the label is their equation 4, the divergence their equation 5.
"""

from __future__ import annotations

import torch
from torch.distributions import Dirichlet, kl_divergence
from torch.nn import functional

CAP = 10.0
"""Largest `gain * similarity + bias`: evidence that grows without end makes every sample certain."""


def evidence(similarities: torch.Tensor, gain: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """Return the evidence that similarities to the prototypes of classes are, of the same shape.

    Parameters
    ----------
    similarities : tensor, shape (n, classes)
        Cosines; see `insula.objectives.prototypes.similarities`.
    gain, bias : tensor
        Scalars, learnt. ``gain * similarity + bias`` counts up to `CAP`, beyond which there is no gradient.

    Examples
    --------
    >>> like = torch.tensor([[1.0, 0.0, -1.0]])
    >>> evidence(like, torch.tensor(10.0), torch.tensor(-5.0)).round(decimals=3).tolist()
    [[5.006999969482422, 0.007000000216066837, 0.0]]
    """
    return functional.softplus((gain * similarities + bias).clamp(max=CAP))


def uncertainty(evidence: torch.Tensor) -> torch.Tensor:
    """Return the uncertainty, (n,), that evidence, (n, classes), leaves: classes over the sum of e + 1.

    Examples
    --------
    >>> uncertainty(torch.tensor([[0.0, 0.0, 0.0], [9.0, 0.0, 0.0]])).tolist()
    [1.0, 0.25]
    """
    return evidence.shape[1] / (evidence + 1).sum(dim=1)


def agreed(first: torch.Tensor, second: torch.Tensor, doubts: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what two modalities say together, and how uncertain that is: the reduced rule of Dempster.

    Each believes in its probabilities as far as it is certain. What both believe in, and what one believes in while the
    other does not know, is added up, and what contradicts itself is left out.

    Source: Han, Zhang, Fu and Zhou, "Trusted multi-view classification", ICLR 2021, arXiv 2102.02051, equation 4.

    Parameters
    ----------
    first, second : tensor, shape (n, classes)
        Probabilities.
    doubts : tensor, shape (2, n)
        Uncertainty of each, 0 to 1.

    Returns
    -------
    tensor, shape (n, classes)
        Probabilities: what is believed, shared out; the mean of the two where neither knows anything.
    tensor, shape (n,)
        The uncertainty that is left.

    Examples
    --------
    >>> face, eeg = torch.tensor([[0.8, 0.2]]), torch.tensor([[0.3, 0.7]])
    >>> for doubt in (0.2, 0.6, 1.0):
    ...     print(f"{agreed(face, eeg, torch.tensor([[0.2], [doubt]]))[0][0, 0]:.2f}")
    0.59
    0.71
    0.80
    """
    doubt, other = doubts[0][:, None], doubts[1][:, None]
    one, two = (1 - doubt) * first, (1 - other) * second
    belief = one * two + one * other + two * doubt
    left, total = (doubt * other)[:, 0], belief.sum(dim=1)
    probabilities = torch.where(total[:, None] > 0, belief / total[:, None].clamp(min=1e-12), (first + second) / 2)
    return probabilities, left / (left + total)


def surplus(parameters: torch.Tensor) -> torch.Tensor:
    """Return how far Dirichlet distributions, (n, classes), are from the flat one: KL divergences, (n,).

    Examples
    --------
    >>> surplus(torch.ones(1, 4)).tolist()
    [0.0]
    """
    learnt, flat = (Dirichlet(values, validate_args=False) for values in (parameters, torch.ones_like(parameters)))
    return kl_divergence(learnt, flat)


def annealed(epoch: int, epochs: int = 10) -> float:
    """Return how much the divergence counts in an epoch, counted from 0: it grows to 1 in so many epochs.

    Examples
    --------
    >>> [annealed(epoch) for epoch in (0, 5, 10, 30)]
    [0.0, 0.5, 1.0, 1.0]
    """
    return min(1.0, epoch / epochs)


def evidential_loss(evidence: torch.Tensor, labels: torch.Tensor, rho: float) -> torch.Tensor:
    """Return the mean over labelled rows of the expected cross-entropy and the evidence for wrong classes.

    Parameters
    ----------
    evidence : tensor, shape (n, classes)
        Evidence.
    labels : int tensor, shape (n,)
        Classes, -1 where there is no label.
    rho : float
        What the divergence of the Dirichlet without the evidence for the label from the flat one counts; see
        `annealed`.

    Returns
    -------
    tensor
        A scalar, 0 where no row has a label.

    Examples
    --------
    >>> sure = torch.tensor([[9.0, 0.0]])
    >>> losses = [evidential_loss(sure, torch.tensor([label]), 1.0).item() for label in (0, 1, -1)]
    >>> losses[0] < 0.2 and losses[1] > 2 and losses[2] == 0
    True
    """
    labelled = labels >= 0
    parameters = evidence[labelled] + 1
    member = functional.one_hot(labels[labelled], evidence.shape[1]).to(parameters)
    fit = (member * (parameters.sum(dim=1, keepdim=True).digamma() - parameters.digamma())).sum(dim=1)
    wrong = surplus(member + (1 - member) * parameters)
    return (fit + rho * wrong).sum() / labelled.sum().clamp(min=1)
