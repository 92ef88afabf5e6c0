"""What mdJPT learns from: two people at the same place of a clip say the same, and corpora have one covariance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from insula.objectives.contrast import supervised_contrast
from insula.objectives.covariance_alignment import centroids, covariance_alignment
from insula.objectives.pair_contrast import pair_contrast
from insula.storage.hashing import digest
from insula.systems.mdjpt.settings import MdJPTSettings
from insula.systems.mdjpt.windows import Windows
from insula.training.pairs import PairSampler


class Drawn(NamedTuple):
    """What a step sees of one corpus.

    Attributes
    ----------
    windows : tensor, shape (2 n, electrodes, times)
        Those of one person, then as many of another.
    conditions : int tensor, shape (2 n,), or None
        Of each window, where these are what is shared.
    """

    windows: torch.Tensor
    conditions: torch.Tensor | None

    def to(self, device: torch.device) -> Drawn:
        """Return the same on a device."""
        return Drawn(self.windows.to(device), None if self.conditions is None else self.conditions.to(device))

    @property
    def people(self) -> torch.Tensor:
        """Whose each window is: 0 for the first half and 1 for the second."""
        return torch.arange(2, device=self.windows.device).repeat_interleave(len(self.windows) // 2)


class PairAlignment:
    """Contrast between people within each corpus, plus the distance between covariances over all corpora.

    An `insula.training.pretraining.Objective`.

    Parameters
    ----------
    windows : Windows
        Of all corpora.
    sampler : PairSampler
        Which of them a step sees: for each corpus those of one person, and as many of another.
    settings : MdJPTSettings
        Weights of the losses, and whether corpora take turns in memory.
    data : str
        Fingerprint of the samples.
    conditions : int array, shape (windows,), optional
        Where windows of two people share a condition and no clip: all windows of one condition are to be alike.
    """

    def __init__(
        self,
        windows: Windows,
        sampler: PairSampler,
        settings: MdJPTSettings,
        data: str,
        conditions: np.ndarray | None = None,
    ) -> None:
        self.windows, self.sampler, self.settings, self.conditions = windows, sampler, settings, conditions
        self.fingerprint = digest([data, settings.of_pretraining()])

    def draw(self, step: int, number: int) -> list[Drawn]:
        """Return the windows of each corpus: n of one person and the same n of another."""
        drawn = [places.numpy() for places in self.sampler.draw(self.settings.seed, step, number)]
        given = self.conditions
        conditions = [None if given is None else torch.from_numpy(given[places]) for places in drawn]
        return [Drawn(self.windows.read(places), own) for places, own in zip(drawn, conditions, strict=True)]

    def backward(self, network: nn.Module, batch: Any, share: float, device: torch.device) -> Mapping[str, float]:
        """Add the gradient of both losses, corpus by corpus where `two_pass` says so.

        Two passes give the joint gradient: the distance depends on a corpus through its centroids alone, so that its
        gradient with respect to them, taken once over all corpora, is carried on through each corpus by itself.
        """
        settings = self.settings
        corpora = [one.to(device) for one in batch]
        with self._precision(device):
            if settings.two_pass and settings.covariance_weight and settings.encoder.kind == "mdjpt":
                return self._corpus_by_corpus(network, corpora, share)
            views = [_views(network, one) for one in corpora]
            contrasts = [self._contrast(network, *both) for both in zip(views, corpora, strict=True)]
            contrast, distance = torch.stack(contrasts).sum(), torch.zeros((), device=device)
            if settings.covariance_weight and views[0].spatial is not None:
                each = [self._centroids(*both) for both in zip(views, corpora, strict=True)]
                distance = covariance_alignment(torch.cat(each))
        total = settings.contrast_weight * contrast + settings.covariance_weight * distance
        (share * total).backward()
        return {"total": total.item(), "between people": contrast.item(), "between corpora": distance.item()}

    def _corpus_by_corpus(self, network: nn.Module, corpora: list[Drawn], share: float) -> Mapping[str, float]:
        settings = self.settings
        with torch.no_grad():
            fixed = [self._centroids(_views(network, one), one) for one in corpora]
        leaves = torch.cat(fixed).requires_grad_()
        distance = covariance_alignment(leaves)
        pulls = torch.autograd.grad(distance, leaves)[0].split([len(one) for one in fixed])
        contrast = 0.0
        for one, pull in zip(corpora, pulls, strict=True):
            view = _views(network, one)
            own = self._contrast(network, view, one)
            pulled = (pull * self._centroids(view, one)).sum()
            (share * (settings.contrast_weight * own + settings.covariance_weight * pulled)).backward()
            contrast += own.item()
        total = settings.contrast_weight * contrast + settings.covariance_weight * distance.item()
        return {"total": total, "between people": contrast, "between corpora": distance.item()}

    def _contrast(self, network: Any, views: Any, drawn: Drawn) -> torch.Tensor:
        projections = network.project(views.maps, drawn.people)
        if drawn.conditions is None:
            return pair_contrast(projections, self.settings.temperature)
        return supervised_contrast(projections.float(), drawn.conditions, temperature=self.settings.temperature)

    def _centroids(self, views: Any, drawn: Drawn) -> torch.Tensor:
        return centroids(views.spatial, drawn.people, mean=self.settings.centre)

    def _precision(self, device: torch.device) -> Any:
        return torch.autocast(device.type, torch.bfloat16, enabled=self.settings.pretraining.precision == "bf16")


def _views(network: Any, drawn: Drawn) -> Any:
    return network.views(drawn.windows, drawn.people)
