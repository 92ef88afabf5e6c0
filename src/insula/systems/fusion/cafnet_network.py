"""The network and the losses of CAFNet: two modalities, each weighed by how likely it is to be right."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

from insula.networks.standardised import Standardised

_FURTHEST = 10.0  # deviations: what lies further out, as broken sensors give it, counts as this far


class FusionOutput(NamedTuple):
    """What the network says of a batch.

    Parameters
    ----------
    joint : tensor, shape (n, classes)
        Logits of both modalities together; of a row that lacks one they mean nothing.
    alone : tensor, shape (2, n, classes)
        Logits of each modality, EEG first.
    confidence : tensor, shape (2, n)
        How likely each modality's most probable class is said to be right: its true class's probability, estimated.
    there : bool tensor, shape (2, n)
        Which rows have which modality.
    """

    joint: torch.Tensor
    alone: torch.Tensor
    confidence: torch.Tensor
    there: torch.Tensor


class ConfidenceFusion(nn.Module):
    """An encoder for each modality; a classifier and an estimate of confidence that both share; a classifier of both.

    The joint classifier reads the two features side by side, each multiplied by its confidence.

    Parameters
    ----------
    moments : sequence of (mean, deviation), each shape (numbers,)
        Of each modality's training data, EEG first.
    classes, width : int
        Classes out, and numbers in a modality's feature.
    dropout : float
        In the encoders and before the joint classifier.

    Examples
    --------
    >>> numbers = (torch.zeros(4), torch.ones(4)), (torch.zeros(7), torch.ones(7))
    >>> network = ConfidenceFusion(numbers, classes=3, width=16, dropout=0.5)
    >>> rows = joined(torch.zeros(2, 4), torch.zeros(2, 7), torch.tensor([[True, True], [True, False]]))
    >>> output = network(rows)
    >>> output.joint.shape, output.there.sum(dim=0).tolist()
    (torch.Size([2, 3]), [2, 1])
    """

    def __init__(
        self, moments: tuple[tuple[torch.Tensor, torch.Tensor], ...], classes: int, width: int, dropout: float
    ) -> None:
        super().__init__()
        self.widths = [len(mean) for mean, _ in moments]
        self.encoders = nn.ModuleList(
            Standardised(_Encoder(len(mean), width, dropout), mean, deviation) for mean, deviation in moments
        )
        self.confidence = nn.Linear(width, 1)
        self.classifier = nn.Linear(width, classes)
        self.joint = nn.Sequential(_feed_forward(2 * width, width, dropout), nn.Linear(2 * width, classes))

    def forward(self, rows: torch.Tensor) -> FusionOutput:
        """Return what is said of rows that `joined` made, (n, numbers of both + 2)."""
        parts = rows.split([*self.widths, 2], dim=1)
        features = [encoder(part) for encoder, part in zip(self.encoders, parts[:2], strict=True)]
        confidence = torch.stack([self.confidence(feature).sigmoid()[:, 0] for feature in features])
        weighed = [feature * sure[:, None] for feature, sure in zip(features, confidence, strict=True)]
        alone = torch.stack([self.classifier(feature) for feature in features])
        return FusionOutput(self.joint(torch.cat(weighed, dim=1)), alone, confidence, parts[2].T > 0)


def joined(eeg: torch.Tensor, face: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
    """Return one tensor of rows, (n, numbers of both + 2), from those of each side and which are there, bool (2, n)."""
    return torch.cat([eeg, face, there.T.to(eeg)], dim=1)


class _Encoder(nn.Module):
    def __init__(self, inputs: int, width: int, dropout: float) -> None:
        super().__init__()
        self.first = nn.Linear(inputs, width)
        self.dropout = nn.Dropout(dropout)
        self.further = _feed_forward(width, 2 * width, dropout)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return self.further(self.dropout(self.first(values.clamp(-_FURTHEST, _FURTHEST))))


def _feed_forward(width: int, hidden: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, width), nn.LayerNorm(width)
    )


class ConfidenceLoss(nn.Module):
    """Cross-entropy of each answer, the error of confidences, and how far the two modalities disagree.

    In training, rows whose joint (or, lacking a modality, only) answer has a loss above a limit that grows by the epoch
    are left out: easy ones are learnt first. What is easy shows after some epochs in which all rows count: to a network
    that knows nothing, easy is the class that its random weights happen to favour, and it would learn no other.

    Parameters
    ----------
    error, disagreement : float
        What the squared error of confidences and the symmetric divergence of the modalities' probabilities count.
    all_epochs : int
        Epochs in which all rows count.
    pace, growth : float
        The limit in the epoch after these, as a multiple of the loss of a guess between all classes, and the factor by
        which it grows in each.
    """

    def __init__(self, error: float, disagreement: float, all_epochs: int, pace: float, growth: float) -> None:
        super().__init__()
        self.error, self.disagreement = error, disagreement
        self.all_epochs, self.pace, self.growth = all_epochs, pace, growth
        self.epoch = 0

    def begin_epoch(self, epoch: int) -> None:
        """Take the limit of this epoch, counted from 0."""
        self.epoch = epoch

    def forward(self, output: FusionOutput, labels: torch.Tensor) -> torch.Tensor:
        """Return the mean loss of a batch with labels, int (n,), over all of its rows."""
        crossed = torch.stack([functional.cross_entropy(side, labels, reduction="none") for side in output.alone])
        both = output.there.all(dim=0)
        own = torch.where(output.there, crossed, 0).sum(dim=0)
        main = torch.where(both, functional.cross_entropy(output.joint, labels, reduction="none"), own)
        missed = (output.confidence - (-crossed.detach()).exp()).square()
        logs = output.alone.log_softmax(dim=2)
        apart = ((logs[0].exp() - logs[1].exp()) * (logs[0] - logs[1])).sum(dim=1) / 2
        rows = main + torch.where(both, own + self.disagreement * apart, 0)
        rows = rows + self.error * torch.where(output.there, missed, 0).sum(dim=0)
        later = self.epoch - self.all_epochs
        if not self.training or later < 0:
            return rows.mean()
        limit = self.pace * self.growth**later * math.log(output.joint.shape[1])
        return torch.where(main.detach() < limit, rows, 0).mean()
