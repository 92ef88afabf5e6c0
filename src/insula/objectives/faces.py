"""Losses of face networks that need more than logits: their features, or a confidence that is learnt beside them."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional

from insula.objectives.centre import CentreLoss
from insula.objectives.confidence import rank_regularisation
from insula.objectives.contrast import supervised_contrast


class FaceLoss(nn.Module):
    """Cross-entropy with the shares of votes, and perhaps centre loss and supervised contrast of the features.

    Logits alone, as a network in evaluation gives them, are judged by the cross-entropy alone.

    Parameters
    ----------
    classes, width : int
        Of the logits and of the features.
    label_smoothing : float
        Share of a label that is spread over all classes.
    centre, contrast : float
        Weights of centre loss and of supervised contrast; 0 leaves them out.
    temperature : float
        Of the contrast.
    """

    def __init__(
        self,
        classes: int,
        width: int,
        *,
        label_smoothing: float = 0.0,
        centre: float = 0.0,
        contrast: float = 0.0,
        temperature: float = 0.1,
    ) -> None:
        super().__init__()
        self.smoothing, self.weights, self.temperature = label_smoothing, (centre, contrast), temperature
        self.centre = CentreLoss(classes, width)

    def forward(self, outputs: torch.Tensor | tuple[torch.Tensor, torch.Tensor], shares: torch.Tensor) -> torch.Tensor:
        """Return the loss of logits (n, classes), or logits and features, with shares of votes (n, classes)."""
        logits, features = outputs if isinstance(outputs, tuple) else (outputs, None)
        loss = functional.cross_entropy(logits, shares, label_smoothing=self.smoothing)
        if features is None:
            return loss
        labels, (centre, contrast) = shares.argmax(dim=1), self.weights
        if centre:
            loss = loss + centre * self.centre(features, labels)
        if contrast:
            directions = functional.normalize(features.float(), dim=1)
            loss = loss + contrast * supervised_contrast(directions, labels, temperature=self.temperature)
        return loss


class SelfCure(nn.Module):
    """Cross-entropy of logits that a confidence multiplies, rank regularisation, and labels that may be changed.

    From an epoch on, a sample of the doubtful part of its batch gets the class that the network finds most probable,
    where that is more probable than the sample's label by a margin.

    Parameters
    ----------
    labels : int tensor, shape (n,)
        Of all training samples.
    share, margin : float
        Of the rank regularisation: the part of a batch that counts as confident, and the gap wanted above the rest.
    ranking : float
        Weight of the rank regularisation; the cross-entropy has the rest of 1.
    relabel_from : int or None
        First epoch, from 0, in which labels are changed; None: never.
    relabel_margin : float
        See above.

    References
    ----------
    Wang, Peng, Yang, Lu, Qiao, "Suppressing uncertainties for large-scale facial expression recognition", CVPR 2020.
    """

    given: torch.Tensor
    labels: torch.Tensor

    def __init__(
        self,
        labels: torch.Tensor,
        *,
        share: float = 0.7,
        margin: float = 0.15,
        ranking: float = 0.5,
        relabel_from: int | None = 10,
        relabel_margin: float = 0.2,
    ) -> None:
        super().__init__()
        self.share, self.margin, self.ranking = share, margin, ranking
        self.relabel_from, self.relabel_margin, self.epoch = relabel_from, relabel_margin, 0
        self.register_buffer("given", labels.clone())
        self.register_buffer("labels", labels.clone())

    @property
    def changed(self) -> int:
        """How many labels are not the given ones."""
        return int((self.labels != self.given).sum())

    def begin_epoch(self, epoch: int) -> None:
        """Note which epoch it is."""
        self.epoch = epoch

    def forward(self, outputs: torch.Tensor | tuple[torch.Tensor, torch.Tensor], targets: torch.Tensor) -> torch.Tensor:
        """Return the loss of a batch.

        Parameters
        ----------
        outputs : tuple of tensors, shapes (n, classes) and (n,), or tensor
            Weighted logits and confidences; or, of a network in evaluation, logits alone.
        targets : int tensor, shape (n, 2)
            Given label and place among all training samples; in evaluation only the label counts.
        """
        if not isinstance(outputs, tuple):
            return functional.cross_entropy(outputs, targets[:, 0])
        (logits, confidence), places = outputs, targets[:, 1]
        entropy = functional.cross_entropy(logits, self.labels[places])
        loss = (1 - self.ranking) * entropy + self.ranking * rank_regularisation(confidence, self.share, self.margin)
        if self.training and self.relabel_from is not None and self.epoch >= self.relabel_from:
            self._relabel(logits.detach(), confidence.detach(), places)
        return loss

    def _relabel(self, logits: torch.Tensor, confidence: torch.Tensor, places: torch.Tensor) -> None:
        high = math.floor(self.share * len(confidence) + 1e-9)  # as in `rank_regularisation`
        doubtful = confidence.argsort(descending=True, stable=True)[high:]
        probabilities = logits[doubtful].softmax(dim=1)
        own = probabilities.gather(1, self.labels[places[doubtful], None])[:, 0]
        best, classes = probabilities.max(dim=1)
        cured = best - own > self.relabel_margin
        self.labels[places[doubtful[cured]]] = classes[cured]
