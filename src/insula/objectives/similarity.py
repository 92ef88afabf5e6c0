"""A student's feature and its teacher's, held together by the prototypes of classes that both are likened to."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch.nn import functional

from insula.objectives.prototypes import affinities


class Partners(NamedTuple):
    """A batch in which rows may lack the student's or the teacher's modality.

    Parameters
    ----------
    student, teacher : tensor, shape (n, width)
        Features; directions count. Those of rows that lack the modality are not looked at.
    has_student, has_teacher : bool tensor, shape (n,)
        Which rows have which.
    """

    student: torch.Tensor
    teacher: torch.Tensor
    has_student: torch.Tensor
    has_teacher: torch.Tensor

    @property
    def paired(self) -> torch.Tensor:
        """Bool (n,): rows that have both."""
        return self.has_student & self.has_teacher


def similarity_loss(
    partners: Partners, prototypes: torch.Tensor, labels: torch.Tensor, tau: float = 0.1, eta: float = 1.0
) -> torch.Tensor:
    """Return how far a student's features are from its teacher's and both from their classes' prototypes.

    The sum of four means, each over the rows it applies to: the divergence of the student's affinities from the
    teacher's and one minus the cosine of the two features, over rows that have both, the teacher being held fast; the
    cross-entropy of the student's affinities and `eta` times that of the teacher's, over rows that have a label.

    Parameters
    ----------
    partners : Partners
        Features of both.
    prototypes : tensor, shape (classes, width)
        Of the classes; they learn from the cross-entropies and from the student's side of the divergence.
    labels : int tensor, shape (n,)
        Classes, -1 where there is no label.
    tau : float
        Of the softmax of cosines.
    eta : float
        What the teacher's cross-entropy counts; 0 where prototypes are not learnt.

    Examples
    --------
    >>> features, nobody = torch.eye(3), torch.zeros(3, dtype=torch.bool)
    >>> labels = torch.arange(3)
    >>> round(similarity_loss(Partners(features, features, ~nobody, ~nobody), features, labels).item(), 3)
    0.0
    >>> similarity_loss(Partners(features, features, nobody, nobody), features, labels).item()
    0.0
    """
    student, teacher = partners.student[partners.paired], partners.teacher[partners.paired].detach()
    wanted = affinities(teacher, prototypes, tau).detach()
    apart = functional.kl_div(affinities(student, prototypes, tau), wanted, reduction="none", log_target=True)
    turned = 1 - functional.cosine_similarity(student, teacher, dim=1)
    together = _mean(apart.sum(dim=1) + turned)
    sides = ((partners.student, partners.has_student, 1.0), (partners.teacher, partners.has_teacher, eta))
    for features, present, counts in sides:
        labelled = present & (labels >= 0)
        logarithms = affinities(features[labelled], prototypes, tau)
        together = together + counts * _mean(functional.nll_loss(logarithms, labels[labelled], reduction="none"))
    return together


def _mean(losses: torch.Tensor) -> torch.Tensor:
    """Return the mean of losses, 0 where there are none."""
    return losses.sum() / max(len(losses), 1)
