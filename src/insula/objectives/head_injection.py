"""A student's feature put into its teacher's head, which should make of it what it makes of the teacher's own.

The student then learns what the teacher's task needs of a feature, rather than the feature itself: directions that the
head does not read cost nothing.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Literal, Self

import torch
from torch import nn

from insula.objectives.logit_distillation import softened_divergence


class HeadInjection(nn.Module):
    """Compare what a teacher's head says of the student's and of the teacher's features.

    The head is copied and frozen: gradients pass through it to the student, its weights never change, and it stays in
    evaluation mode.

    Parameters
    ----------
    head : Module
        Maps features to logits, (n, classes), or to ratings, (n, 1) or (n,).
    kind : {"classes", "ratings"}
        What the head says: logits are compared by their softened divergence, ratings by their distance.
    temperature : float
        Of the softened divergence.
    """

    def __init__(self, head: nn.Module, kind: Literal["classes", "ratings"], temperature: float = 4.0) -> None:
        super().__init__()
        self.head = deepcopy(head).requires_grad_(False).eval()
        self.kind, self.temperature = kind, temperature

    def train(self, mode: bool = True) -> Self:
        """Change nothing of the head: what it says of one feature is always the same."""
        self.training = mode
        return self

    def forward(self, student: torch.Tensor, teacher: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Return the weighted distances, averaged over the rows that weigh anything.

        Parameters
        ----------
        student, teacher : tensor, shape (n, width)
            Features as the head reads them; only the student's learns.
        weights : tensor, shape (n,)
            Of the rows; rows of weight 0, such as those without a partner, are not looked at.

        Returns
        -------
        tensor
            A scalar, 0 where no row weighs anything.
        """
        heard = weights > 0
        if not heard.any():
            return student.sum() * 0
        answers, wanted = self.head(student[heard]), self.head(teacher[heard].detach())
        if self.kind == "classes":
            return softened_divergence(answers, wanted, self.temperature, weights[heard])
        return (weights[heard] * (answers - wanted).abs().reshape(len(answers), -1).mean(dim=1)).mean()
