"""What a student is held to: labels, a teacher's logits, its place among prototypes, and a geometry of classes."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from insula.objectives.geometry import ClassGeometry
from insula.objectives.logit_distillation import logit_distance, softened_divergence
from insula.objectives.prototypes import prototype_loss
from insula.systems.neurogaze.settings import NeuroGazeSettings


def packed(labels: torch.Tensor, logits: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Return the targets of `StudentLoss`: label, teacher's logits and wanted affinities, float32 (n, 1 + c + k)."""
    return torch.cat([labels[:, None].float(), logits, wanted], dim=1)


class StudentLoss(nn.Module):
    """The sum of up to four losses; one whose weight is 0 is not computed.

    Outside of training it is the plain cross-entropy, which means the same for every student.

    Parameters
    ----------
    settings : NeuroGazeSettings
        Weights and temperatures.
    classes : tuple of str
        Names, in the order of the logits.
    counts : int tensor, shape (classes,)
        Training pictures of each class.
    prototypes : tensor, shape (cells, width)
        Frozen; cells may be 0 where their weight is.
    """

    weights: torch.Tensor
    prototypes: torch.Tensor

    def __init__(
        self, settings: NeuroGazeSettings, classes: tuple[str, ...], counts: torch.Tensor, prototypes: torch.Tensor
    ) -> None:
        super().__init__()
        self.settings = settings
        rarity = counts.clamp_min(1).float().rsqrt() if settings.class_weights else torch.ones(len(classes))
        self.register_buffer("weights", rarity / rarity.mean())
        self.register_buffer("prototypes", prototypes)
        rules = settings.geometry
        self.geometry = None
        if rules.weight:
            capped = [classes.index(name) for name in rules.classes if name in classes]
            self.geometry = ClassGeometry(
                len(classes), prototypes.shape[1], capped, start=rules.start, end=rules.end, cap=rules.cap,
                margin=rules.margin, gate=rules.gate, momentum=rules.momentum,
            )  # fmt: skip

    def begin_epoch(self, epoch: int) -> None:
        """Pass on that an epoch begins."""
        if self.geometry is not None:
            self.geometry.begin_epoch(epoch)

    def forward(self, outputs: tuple[torch.Tensor, torch.Tensor], targets: torch.Tensor) -> torch.Tensor:
        """Return the loss of logits and unit features against `packed` targets."""
        settings, (logits, features) = self.settings, outputs
        labels, taught, wanted = targets.split([1, logits.shape[1], targets.shape[1] - 1 - logits.shape[1]], dim=1)
        labels = labels[:, 0].long()
        if not self.training:
            return functional.cross_entropy(logits, labels)
        loss = functional.cross_entropy(logits, labels, self.weights, label_smoothing=settings.label_smoothing)
        if settings.kd_weight and settings.kd_teacher != "none":
            compare = logit_distance if settings.kd_loss == "mse" else softened_divergence
            loss = loss + settings.kd_weight * compare(logits, taught, settings.kd_temperature)
        if settings.proto_weight:
            tau = settings.proto_tau * settings.proto_temperature
            loss = loss + settings.proto_weight * prototype_loss(features, self.prototypes, wanted, tau)
        if self.geometry is not None:
            sure = logits.softmax(dim=1).gather(1, labels[:, None])[:, 0]
            loss = loss + settings.geometry.weight * self.geometry(features, labels, sure)
        return loss
