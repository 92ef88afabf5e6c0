"""The networks that the settings describe, untrained."""

from __future__ import annotations

from typing import TypeVar

import torch

from insula.networks.backbones import create_backbone, load_backbone
from insula.networks.pathways import ConceptualPathway, EmotionBranch, Encoder, FrozenEncoder, Percept
from insula.systems.crpn.settings import CRPNSettings

Kind = TypeVar("Kind", bound=Encoder)


def percept(settings: CRPNSettings, classes: int, *, pretrained: bool = True) -> Percept:
    """Return an untrained perceptual pathway; where `pretrained` is False its weights are about to be loaded."""
    backbone = (settings.backbone, settings.weights if pretrained else None, settings.training.epochs)
    return Percept(_encoder(Encoder, settings, *backbone), settings.width, classes)


def emotion_branch(settings: CRPNSettings, classes: int, *, pretrained: bool = True) -> EmotionBranch:
    """Return the untrained half of the conceptual pathway that predicts."""
    teacher = settings.teacher
    backbone = (teacher.backbone, teacher.weights if pretrained else None, teacher.training.epochs)
    encoder = _encoder(Encoder, settings, *backbone)
    return EmotionBranch(
        encoder,
        settings.width,
        classes,
        confident=teacher.confidence,
        scale=teacher.cosine_scale,
        bent=teacher.truth > 0,
    )


def conceptual_pathway(settings: CRPNSettings, classes: int, *, pretrained: bool = True) -> ConceptualPathway:
    """Return the untrained conceptual pathway, fixed by the seed."""
    teacher = settings.teacher
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        branch = emotion_branch(settings, classes, pretrained=pretrained)
        backbone = (teacher.backbone, teacher.weights if pretrained else None, teacher.training.epochs)
        return ConceptualPathway(branch, _encoder(FrozenEncoder, settings, *backbone))


def people_classifier(settings: CRPNSettings, other: Encoder, people: int, epochs: int) -> Percept:
    """Return a copy of the conceptual pathway's other encoder, all of it free to learn, under a classifier to train."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        encoder = _encoder(Encoder, settings, settings.teacher.backbone, None, epochs)
        encoder.load_state_dict(other.state_dict())
        return Percept(encoder, settings.width, people)


def _encoder(kind: type[Kind], settings: CRPNSettings, name: str, weights: str | None, epochs: int) -> Kind:
    backbone = create_backbone(name) if weights is None else load_backbone(name, weights)
    return kind(backbone, settings.width, settings.dropout, settings.sizes, epochs)
