"""What student and teacher minimise: the task, and what the arm takes from the teacher."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch.nn import functional

from insula.objectives.alignment import alignment_loss
from insula.objectives.concordance import concordance
from insula.objectives.evidential import annealed, evidential_loss, uncertainty
from insula.objectives.evidential_regression import believed, evidential_regression_loss
from insula.objectives.logit_distillation import softened_divergence
from insula.objectives.reliability import reliability
from insula.objectives.similarity import Partners, similarity_loss
from insula.systems.ucmc.networks import Bridge, NetworkOutput, StudentWithBridge
from insula.systems.ucmc.settings import UCMCSettings
from insula.systems.ucmc.task_head import TaskHead

Arm = Literal["alone", "distillation", "eeg"]


class RowTargets(NamedTuple):
    """What is known of rows while training.

    Parameters
    ----------
    value : tensor, shape (n,)
        Class code or standardised rating; NaN where there is none.
    code : int tensor, shape (n,)
        Class, or part of the rating; -1 where there is none.
    eeg, face : bool tensor, shape (n,)
        Which rows have which.
    outputs, features : tensor, shape (n, outputs), (n, width)
        The teacher's, zeros where there is no face.
    """

    value: torch.Tensor
    code: torch.Tensor
    eeg: torch.Tensor
    face: torch.Tensor
    outputs: torch.Tensor
    features: torch.Tensor

    def packed(self) -> torch.Tensor:
        """Return all of it as one tensor, float32 (n, 4 + outputs + width)."""
        columns = [self.value, self.code.float(), self.eeg.float(), self.face.float()]
        return torch.cat([torch.stack(columns, dim=1), self.outputs, self.features], dim=1)

    @classmethod
    def of(cls, packed: torch.Tensor, width: int) -> RowTargets:
        """Return what `packed` returned, from (..., 4 + outputs + width); steps of sequences become rows."""
        rows = packed.reshape(-1, packed.shape[-1])
        outputs, features = rows[:, 4:-width], rows[:, -width:]
        return cls(rows[:, 0], rows[:, 1].long(), rows[:, 2] > 0, rows[:, 3] > 0, outputs, features)

    @property
    def labelled(self) -> torch.Tensor:
        """Bool (n,): which rows have a label."""
        return self.code >= 0


class TaskLoss:
    """The loss of a head on labelled rows that have its modality.

    Classes: the cross-entropy, each class counting the same over the training part. Ratings: one minus the concordance
    of a batch, and half the squared error; or what a Normal-Inverse-Gamma distribution is fitted by.

    Parameters
    ----------
    task_head : TaskHead
        What is to be said.
    evidential : bool
        Whether the head gives a Normal-Inverse-Gamma distribution.
    """

    def __init__(self, task_head: TaskHead, evidential: bool = False) -> None:
        self.task_head, self.evidential = task_head, evidential
        shares = torch.tensor(task_head.shares)
        self.weights = torch.where(shares > 0, 1 / (task_head.parts * shares.clamp(min=1e-6)), 0.0)

    def __call__(self, outputs: torch.Tensor, targets: RowTargets, there: torch.Tensor) -> torch.Tensor:
        """Return the loss of a batch from outputs, (n, outputs); 0 where no row counts."""
        counts = there & targets.labelled
        if not counts.any():
            return outputs.sum() * 0
        labelled = outputs[counts]
        if self.task_head.kind == "classes":
            return functional.cross_entropy(labelled, targets.code[counts], self.weights.to(labelled))
        rated = targets.value[counts]
        if self.evidential:
            return evidential_regression_loss(believed(labelled), rated)
        return 1 - concordance(labelled[:, :1], rated[:, None])[0] + 0.5 * functional.mse_loss(labelled[:, 0], rated)


class TeacherLoss:
    """The task, of rows that have a face.

    Parameters
    ----------
    task : TaskLoss
        Of the teacher's head.
    width : int
        Of features.
    """

    def __init__(self, task: TaskLoss, width: int) -> None:
        self.task, self.width = task, width

    def __call__(self, output: NetworkOutput, packed: torch.Tensor) -> torch.Tensor:
        """Return the loss of a batch."""
        targets = RowTargets.of(packed, self.width)
        return self.task(output.outputs.flatten(0, -2), targets, targets.face)


class StudentLoss:
    """The task and, while training, what an arm takes from the teacher; the epoch is chosen by the task alone.

    Parameters
    ----------
    task_head : TaskHead
        What is to be said.
    settings : UCMCSettings
        Weights and switches.
    network : Module
        The student, with its bridge in the arm `eeg`; its mode counts.
    arm : {"alone", "distillation", "eeg"}
        Which.
    heard : bool
        Whether the teacher is good enough to be distilled from.
    """

    def __init__(
        self, task_head: TaskHead, settings: UCMCSettings, network: torch.nn.Module, arm: Arm, heard: bool = True
    ) -> None:
        self.task_head, self.settings, self.network, self.arm = task_head, settings, network, arm
        self.task = TaskLoss(task_head, settings.evidential and task_head.kind == "ratings")
        self.distilled = settings.distillation_weight if settings.distillation and heard else 0.0
        self.epoch = 0

    def begin_epoch(self, epoch: int) -> None:
        """Take note of the epoch, counted from 0."""
        self.epoch = epoch

    def __call__(self, output: NetworkOutput, packed: torch.Tensor) -> torch.Tensor:
        """Return the loss of a batch."""
        targets = RowTargets.of(packed, self.settings.width)
        features, outputs = (part.flatten(0, -2) for part in output)
        loss = self.task(outputs, targets, targets.eeg)
        if not self.network.training:
            return loss
        if self.arm == "distillation":
            return loss + self._imitated(features, outputs, targets)
        if self.arm == "eeg" and isinstance(self.network, StudentWithBridge):
            return loss + self._taught(self.network.bridge, features, targets)
        return loss

    def _imitated(self, features: torch.Tensor, outputs: torch.Tensor, targets: RowTargets) -> torch.Tensor:
        """Return the loss of plain distillation: every row counts the same, and heads stay apart."""
        pairs = targets.eeg & targets.face & targets.labelled
        if not pairs.any():
            return outputs.sum() * 0
        if self.settings.imitation == "features":
            return (features[pairs] - targets.features[pairs]).abs().mean()
        if self.task_head.kind == "ratings":
            return (outputs[pairs, 0] - targets.outputs[pairs, 0]).abs().mean()
        return softened_divergence(outputs[pairs], targets.outputs[pairs], self.settings.temperature)

    def _taught(self, bridge: Bridge, features: torch.Tensor, targets: RowTargets) -> torch.Tensor:
        """Return the objectives of UCMC: those that are switched off are not computed."""
        about = self.settings
        adapted = bridge.adapter(features)
        partners = Partners(bridge.eeg(adapted), bridge.face(targets.features), targets.eeg, targets.face)
        labelled = partners._replace(
            has_student=targets.eeg & targets.labelled, has_teacher=targets.face & targets.labelled
        )
        loss = features.new_zeros(())
        if about.similarity and about.similarity_weight:
            near = similarity_loss(labelled, bridge.prototypes, targets.code, about.sharpness)
            loss = loss + about.similarity_weight * near
        if about.uncertainty and about.uncertainty_weight:
            loss = loss + about.uncertainty_weight * self._evident(bridge, labelled, targets.code)
        if self.distilled:
            weights = self._weights(bridge, labelled)
            loss = loss + self.distilled * bridge.injection(adapted, targets.features, weights)
        if about.contrast_weight:
            aligned = alignment_loss(partners.student, partners.teacher, partners.paired, about.sharpness)
            loss = loss + about.contrast_weight * aligned
        return loss

    def _evident(self, bridge: Bridge, labelled: Partners, code: torch.Tensor) -> torch.Tensor:
        rho = annealed(self.epoch, self.settings.anneal)
        sides = ((labelled.student, labelled.has_student), (labelled.teacher, labelled.has_teacher))
        parts = [evidential_loss(bridge.evidence(side), torch.where(there, code, -1), rho) for side, there in sides]
        return parts[0] + parts[1]

    def _weights(self, bridge: Bridge, labelled: Partners) -> torch.Tensor:
        """Return what each row weighs in the distillation, (n,); 0 without a partner."""
        if not self.settings.uncertainty or self.epoch < self.settings.equal_epochs:
            return labelled.paired.float()
        doubt = uncertainty(bridge.evidence(labelled.teacher))
        return reliability(doubt, labelled.student, labelled.teacher, labelled.paired, self.settings.limit)
