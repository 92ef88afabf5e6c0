"""A student as a bundle holds it: what it says of a picture, and where the picture stands among the prototypes."""

from __future__ import annotations

import torch
from torch import nn

from insula.networks.projected import ProjectedClassifier
from insula.objectives.prototypes import read_affect


class Affect(nn.Module):
    """Pictures to probabilities, valence and arousal, as `insula.networks.answer.Answer` wants them.

    Parameters
    ----------
    student : ProjectedClassifier
        Trained.
    tau : float
        Of the readout.
    """

    def __init__(self, student: ProjectedClassifier, tau: float) -> None:
        super().__init__()
        self.student, self.tau = student, tau

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return float64 (n, classes), and (n,) twice, of pictures (n, height, width, 3), RGB from 0 to 255."""
        logits, unit = self.student(pictures.permute(0, 3, 1, 2))
        affect = read_affect(unit, self.student.prototypes, self.student.centres, self.tau)
        return logits.double().softmax(dim=1), *affect.unbind(dim=1)
