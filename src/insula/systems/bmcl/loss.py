"""What the couple is trained for (BMCL)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn.functional import cross_entropy, mse_loss

from insula.objectives.adversary import reverse_gradient
from insula.objectives.discrepancy import central_moment_discrepancy
from insula.objectives.orthogonality import orthogonality
from insula.systems.bmcl.network import Coupled, DomainOutput
from insula.systems.bmcl.settings import BMCLSettings


def coupling_loss(
    network: Coupled, settings: BMCLSettings, coupled: bool
) -> Callable[[DomainOutput, torch.Tensor], torch.Tensor]:
    """Return the loss of a batch.

    In training: the cross-entropies of both domains, the discrepancy of their common channels, and what keeps private
    channels apart. In evaluation, where the epoch is chosen: the cross-entropy of the picture, which is all that will
    be used.

    Parameters
    ----------
    network : Coupled
        Whose mode and critics count.
    settings : BMCLSettings
        Weights of the terms, and how channels are kept apart.
    coupled : bool
        False drops every term in which EEG occurs, and nothing else: the picture-only comparator.
    """

    def apart(first: torch.Tensor, second: torch.Tensor, critic: int) -> torch.Tensor:
        if settings.apart == "orthogonality":
            return orthogonality(first, second)
        # The critic learns to tell `first` from `second`; `second`, behind the reversal, learns not to give it away.
        return mse_loss(network.critics[critic](reverse_gradient(second)), first.detach())

    def loss(output: DomainOutput, labels: torch.Tensor) -> torch.Tensor:
        picture, eeg, seen = output
        total = cross_entropy(picture.logits, labels)
        if not network.training:
            return total
        separation = apart(picture.common, picture.private, 0)
        if coupled and seen.any():
            total = total + cross_entropy(eeg.logits, labels[seen])
            # From (-1, 1) to (0, 1), the range for which the discrepancy is written.
            ranges = (picture.common[seen] + 1) / 2, (eeg.common + 1) / 2
            total = total + settings.alignment * central_moment_discrepancy(*ranges)
            separation = separation + apart(eeg.common, eeg.private, 1) + apart(picture.private[seen], eeg.private, 2)
        return total + settings.separation * separation

    return loss
