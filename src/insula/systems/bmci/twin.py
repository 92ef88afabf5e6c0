"""BMCI as a bundle holds it: from pictures to virtual EEG and to the answer, in torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from insula.networks.answer import Answer
from insula.networks.forest import Forests
from insula.networks.linear_parts import Scaled
from insula.systems.bmci.bank import Bank, Member, PictureLogits
from insula.systems.bmci.classification import BlockClassifier
from insula.systems.bmci.regression import VirtualEEG
from insula.systems.estimators import (
    classifier_module,
    inverse_module,
    regressor_module,
    transformer_module,
    tree_arrays,
)


class Coordinates(nn.Module):
    """Pictures to their coordinates.

    Parameters
    ----------
    features : Module
        Pictures to features.
    space : Module
        Features to coordinates.
    """

    def __init__(self, features: nn.Module, space: nn.Module) -> None:
        super().__init__()
        self.features, self.space = features, space

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return float32 (n, d) of pictures (n, height, width, 3)."""
        return self.space(self.features(pictures)).float()


class Blocks(nn.Module):
    """A `BlockClassifier`: blocks of features, each (n, d), to probabilities, float64 (n, classes)."""

    def __init__(self, classifier: BlockClassifier, classes: int) -> None:
        super().__init__()
        blocks = zip(classifier.centres, classifier.scales, strict=True)
        self.scaled = nn.ModuleList(Scaled(centre, np.full(1, scale / 10)) for centre, scale in blocks)
        self.model = classifier_module(classifier.model, classes)

    def forward(self, *blocks: torch.Tensor) -> torch.Tensor:
        """Return the probabilities."""
        scaled = [scale(block) for scale, block in zip(self.scaled, blocks, strict=True)]
        return self.model(torch.cat(scaled, dim=1))


class Regressed(nn.Module):
    """A `VirtualEEG` without trees: coordinates to the virtual EEG, float32 (n, e)."""

    def __init__(self, regressor: VirtualEEG) -> None:
        super().__init__()
        self.scale = regressor.scale
        self.model, self.target = regressor_module(regressor.model), inverse_module(regressor.target)

    def forward(self, visual: torch.Tensor) -> torch.Tensor:
        """Return the virtual EEG."""
        return self.target(self.model(visual if self.scale == 1 else visual / self.scale)).float()


class Grown(nn.Module):
    """A `VirtualEEG` of trees: what each of them predicts to the virtual EEG, and how far they disagree."""

    variance: torch.Tensor

    def __init__(self, regressor: VirtualEEG) -> None:
        super().__init__()
        self.target = inverse_module(regressor.target)
        self.register_buffer("variance", torch.tensor(regressor.variance, dtype=torch.float64))

    def forward(self, predicted: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return float32 (n, e) and float64 (n,), of predictions (n, trees, e)."""
        mean = predicted.mean(dim=1, keepdim=True)
        apart = ((predicted - mean) ** 2).mean(dim=1).sum(dim=1) / self.variance
        return self.target(mean[:, 0]).float(), apart.sqrt()


class Logits(nn.Module):
    """A `PictureLogits`: coordinates to log-probabilities."""

    def __init__(self, logits: PictureLogits) -> None:
        super().__init__()
        self.classifier = Blocks(logits.classifier, logits.classes)

    def forward(self, visual: torch.Tensor) -> torch.Tensor:
        """Return float32 (n, classes)."""
        return self.classifier(visual).clamp(1e-6, 1).log().float()


class Banked(nn.Module):
    """A `Bank` in one mode: coordinates to probabilities, and how far the trees disagree, where there are any.

    Members without weight are left out. The trees of all members are walked together.

    Parameters
    ----------
    bank : Bank
        With its members.
    mode : str
        `fusion` or `virtual`.
    """

    def __init__(self, bank: Bank, mode: str) -> None:
        super().__init__()
        self.virtual = mode == "virtual"
        weights = bank.weights
        members = [member for member in bank.members if weights[member.name]]
        self.weights = [weights[member.name] for member in members]
        self.regressors = nn.ModuleList(_regressor(member) for member in members)
        forests = [member.regressor for member in members if _has_trees(member)]
        self.components = bank.settings.components
        self.forests = Forests([tree_arrays(one.model) for one in forests]) if forests else None  # type: ignore[union-attr]
        reductions: list[nn.Module] = [nn.Identity() for _ in members]
        classifiers = [member.classifiers for member in members]
        if bank.joint is not None:
            reductions = [transformer_module(bank.joint.reductions[member.name]) for member in members]
            classifiers = [bank.joint.classifiers]
        self.reductions = nn.ModuleList(reductions)
        self.classifiers = nn.ModuleList(Blocks(each[mode], bank.classes) for each in classifiers)

    def forward(self, visual: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return float64 (n, classes), and (n,)."""
        codes, spreads, shares = [], [], []
        predicted = iter(self.forests(visual[:, : self.components]) if self.forests is not None else ())
        for regressor, reduction, weight in zip(self.regressors, self.reductions, self.weights, strict=True):
            if isinstance(regressor, Grown):
                code, spread = regressor(next(predicted))
                spreads.append(spread)
                shares.append(weight)
            else:
                code = regressor(visual)
            codes.append(reduction(code))
        before = [] if self.virtual else [visual]
        if len(self.classifiers) < len(codes):
            probabilities = self.classifiers[0](*before, *codes)
        else:
            each = [classify(*before, code) for classify, code in zip(self.classifiers, codes, strict=True)]
            probabilities = _mean(each, self.weights)
        return probabilities, _mean(spreads, shares) if spreads else None


def _has_trees(member: Member) -> bool:
    return isinstance(member.regressor, VirtualEEG) and member.regressor.has_trees


def _regressor(member: Member) -> nn.Module:
    if isinstance(member.regressor, PictureLogits):
        return Logits(member.regressor)
    return (Grown if member.regressor.has_trees else Regressed)(member.regressor)


def _mean(parts: Sequence[torch.Tensor], weights: Sequence[float]) -> torch.Tensor:
    """Return the weighted mean of tensors."""
    shares = torch.tensor(weights, dtype=torch.float64) / sum(weights)
    return torch.stack([part * share for part, share in zip(parts, shares, strict=True)]).sum(dim=0)


class Visual(nn.Module):
    """The mode `visual`: pictures to the probabilities of the picture-only classifier."""

    def __init__(self, coordinates: nn.Module, classifier: Blocks) -> None:
        super().__init__()
        self.coordinates, self.classifier = coordinates, classifier

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor]:
        """Return float64 (n, classes)."""
        return (self.classifier(self.coordinates(pictures)),)


class Fused(nn.Module):
    """The modes `fusion` and `virtual`, and `visual` for pictures that are too strange."""

    refuse_above: torch.Tensor

    def __init__(self, coordinates: nn.Module, classifier: Blocks, banked: Banked, refuse_above: float) -> None:
        super().__init__()
        self.coordinates, self.classifier, self.banked = coordinates, classifier, banked
        self.register_buffer("refuse_above", torch.tensor(refuse_above, dtype=torch.float64))

    def forward(self, pictures: torch.Tensor, strange: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return float64 (n, classes), and how far trees disagree, (n,), if there are any, whether used or not."""
        visual = self.coordinates(pictures)
        alone, (together, spread) = self.classifier(visual), self.banked(visual)
        trusted = strange <= self.refuse_above
        probabilities = torch.where(trusted[:, None], together, alone)
        return (probabilities,) if spread is None else (probabilities, spread)


class CautiousAnswer(Answer):
    """An answer that depends on how strange a picture is."""

    def say(self, given: tuple[torch.Tensor, ...], strange: torch.Tensor | None) -> tuple[torch.Tensor, ...]:
        """Return what `says` does of pictures and their strangeness."""
        return self.says(*given, strange)
