"""What a batch of the compact recogniser is: varied faces, some laid over each other, and what is demanded of them."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from insula.networks.picture_classifier import PictureClassifier
from insula.networks.variations import vary_faces


class Mixture(nn.Module):
    """Varies the pictures of a batch, mixes them in half of the batches, and compares logits with the mixed labels.

    Parameters
    ----------
    network : PictureClassifier
        What is trained; it says at which size it reads faces.
    mixed : float
        Parameter of the beta distribution that shares are drawn from; 0 for no mixing.
    label_smoothing : float
        Share of a label that is spread over all classes.
    weights : tensor, shape (classes,)
        Of the classes in the loss.

    References
    ----------
    Zhang, Cisse, Dauphin, Lopez-Paz, "mixup: beyond empirical risk minimization", ICLR 2018.
    """

    weights: torch.Tensor

    def __init__(self, network: PictureClassifier, mixed: float, label_smoothing: float, weights: torch.Tensor) -> None:
        super().__init__()
        self.mixed, self.label_smoothing = mixed, label_smoothing
        self.network = (network,)  # no submodule: a checkpoint keeps it once
        self.register_buffer("weights", weights)
        self._shares: tuple[float, torch.Tensor] | None = None

    def alter(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return the batch as the network sees it, float32 (n, 1, size, size)."""
        size = self.network[0].size
        assert size is not None
        faces = vary_faces(pictures, size)
        if self.mixed and torch.rand(1) < 0.5:
            share = float(torch.distributions.Beta(self.mixed, self.mixed).sample())
            order = torch.randperm(len(faces))
            faces = share * faces + (1 - share) * faces[order]
            self._shares = share, order
        return faces

    def forward(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the mean loss of the batch that `alter` made last; plain, of one that it did not make."""
        shares, self._shares = self._shares, None
        loss = self._labelled(logits, labels)
        if shares is None:
            return loss
        share, order = shares
        return share * loss + (1 - share) * self._labelled(logits, labels[order])

    def _labelled(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return functional.cross_entropy(logits.float(), labels, self.weights, label_smoothing=self.label_smoothing)
