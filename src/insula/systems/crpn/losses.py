"""What the two pathways minimise (spec B4 and B6)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn
from torch.nn.functional import cross_entropy, normalize

from insula.networks.pathways import Concept, Perceived
from insula.objectives.concepts import class_members, concept_targets
from insula.objectives.confidence import rank_regularisation, true_class_error
from insula.objectives.contrast import rarity, supervised_contrast
from insula.objectives.discrepancy import multi_kernel_mmd
from insula.objectives.focal import focal_loss
from insula.objectives.logit_distillation import softened_divergence
from insula.objectives.orthogonality import shared_directions
from insula.systems.crpn.settings import CRPNSettings, Teacher


class TeacherLoss(nn.Module):
    """Labels told by confidence, other features kept apart, classes drawn together.

    Parameters
    ----------
    settings : Teacher
        Which terms, and their weights.
    classes : sequence of str
        In the order of the logits.
    """

    weights: torch.Tensor | None

    def __init__(self, settings: Teacher, classes: Sequence[str]) -> None:
        super().__init__()
        self.settings = settings
        weights = torch.tensor([settings.class_weights.get(name, 1.0) for name in classes])
        self.register_buffer("weights", weights if settings.class_weights else None, persistent=False)

    def forward(self, outputs: tuple[Concept, torch.Tensor], labels: torch.Tensor) -> torch.Tensor:
        """Return the loss of a batch from what `ConceptualPathway` says of it, and its labels, (n,)."""
        (concept, other), settings = outputs, self.settings
        if settings.task_loss == "focal":
            loss = focal_loss(concept.scaled, labels, weights=self.weights)
        else:
            loss = cross_entropy(concept.scaled, labels)
        if settings.confidence:
            loss = loss + rank_regularisation(concept.confidence, settings.confident_share, settings.margin)
            if settings.truth:
                loss = loss + settings.truth * true_class_error(concept.confidence, concept.logits, labels)
        if settings.orthogonality:
            loss = loss + settings.orthogonality * shared_directions(concept.features, other, settings.reduction)
        if settings.contrast:
            loss = loss + settings.contrast * self._contrast(concept.features, labels)
        return loss

    def _contrast(self, features: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        settings, weights = self.settings, rarity(labels)
        if settings.scalar_views:
            repeats = features.shape[1]
            features = features.reshape(-1, 1)
            labels, weights = labels.repeat_interleave(repeats), weights.repeat_interleave(repeats)
        return supervised_contrast(
            features, labels, weights=weights, positives=settings.positives, include_self=settings.include_self
        )


class StudentLoss(nn.Module):
    """Labels, the teacher's features where it is sure and concepts where it is not, and its answers where it is sure.

    Parameters
    ----------
    settings : CRPNSettings
        Weights, and how concepts are made.
    thresholds : tensor, shape (classes,)
        Confidence from which a sample of a class is sure, for a gate `online`.
    pools : int tensor, shape (n,)
        For each training sample the class in whose pool it is; -1 for a doubtful one.
    features : callable
        Features, (k, width), of the training samples at k places.
    """

    members: torch.Tensor
    thresholds: torch.Tensor

    def __init__(
        self,
        settings: CRPNSettings,
        thresholds: torch.Tensor,
        pools: torch.Tensor,
        features: Callable[[torch.Tensor], torch.Tensor],
    ) -> None:
        super().__init__()
        self.settings, self.pool_features = settings, features
        self.register_buffer("members", class_members(pools, len(thresholds)))
        self.register_buffer("thresholds", thresholds)

    def forward(self, outputs: tuple[Perceived, Concept], targets: torch.Tensor) -> torch.Tensor:
        """Return the loss of a batch from what `Taught` says of it; targets, (n, 2), are labels and the stored gate."""
        (percept, taught), settings, concepts = outputs, self.settings, self.settings.concepts
        labels, gate = targets[:, 0], targets[:, 1].bool()
        if concepts.gate == "online" and settings.arm == "crpn":
            threshold = self.thresholds[labels]
            gate = taught.confidence > threshold if concepts.strict else taught.confidence >= threshold
        wanted = concept_targets(taught.features, gate, labels, self.members, self.pool_features, concepts.count)
        if concepts.renormalise:
            wanted = normalize(wanted, dim=1)
        logits = taught.scaled if concepts.logits == "scaled" else taught.logits
        return (
            settings.label_weight * cross_entropy(percept.logits, labels, label_smoothing=settings.label_smoothing)
            + settings.similarity_weight * self._apart(wanted, percept.features)
            + settings.distillation_weight * admitted_divergence(percept.logits, logits, gate, concepts.temperature)
        )

    def _apart(self, wanted: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        if self.settings.concepts.similarity == "mse":
            return (wanted - features).square().sum(dim=1).mean()
        if len(features) < 2:  # the last batch of validation: two samples have no discrepancy
            return features.sum() * 0
        return multi_kernel_mmd(features, wanted)


def admitted_divergence(
    student: torch.Tensor, teacher: torch.Tensor, gate: torch.Tensor, temperature: float
) -> torch.Tensor:
    """Return the divergence of the student's answers from the teacher's where the gate, bool (n,), is open.

    0 where it is open for none; see `insula.objectives.logit_distillation.softened_divergence`.
    """
    if not gate.any():
        return student.sum() * 0
    return softened_divergence(student[gate], teacher[gate], temperature)
