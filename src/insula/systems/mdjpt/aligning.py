"""What mdJPT learns from: two people at the same place of a clip say the same, and corpora have one covariance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from insula.objectives.covariance_alignment import centroids, covariance_alignment
from insula.objectives.pair_contrast import pair_contrast
from insula.storage.hashing import digest
from insula.systems.mdjpt.settings import MdJPTSettings
from insula.systems.mdjpt.windows import Windows
from insula.training.pairs import PairSampler

Centroids = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


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
    """

    def __init__(self, windows: Windows, sampler: PairSampler, settings: MdJPTSettings, data: str) -> None:
        self.windows, self.sampler, self.settings = windows, sampler, settings
        self.fingerprint = digest([data, settings.of_pretraining()])

    def draw(self, step: int, number: int) -> list[torch.Tensor]:
        """Return the windows of each corpus, (2 n, electrodes, times): n of one person and the same n of another."""
        drawn = self.sampler.draw(self.settings.seed, step, number)
        return [self.windows.read(np.asarray(places)) for places in drawn]

    def backward(self, network: nn.Module, batch: Any, share: float, device: torch.device) -> Mapping[str, float]:
        """Add the gradient of both losses, corpus by corpus where `two_pass` says so.

        Two passes give the joint gradient: the distance depends on a corpus through its centroids alone, so that its
        gradient with respect to them, taken once over all corpora, is carried on through each corpus by itself.
        """
        settings = self.settings
        corpora = [windows.to(device) for windows in batch]
        with self._precision(device):
            if settings.two_pass and settings.covariance_weight and len(corpora) > 1:
                return self._corpus_by_corpus(network, corpora, share)
            views = [network.views(windows, _people(windows)) for windows in corpora]
            contrasts = [self._contrast(network, one, windows) for one, windows in zip(views, corpora, strict=True)]
            contrast, distance = torch.stack(contrasts).sum(), torch.zeros((), device=device)
            if settings.covariance_weight:
                each = [self._centroids(one, windows) for one, windows in zip(views, corpora, strict=True)]
                distance = covariance_alignment(torch.cat(each))
        total = settings.contrast_weight * contrast + settings.covariance_weight * distance
        (share * total).backward()
        return {"total": total.item(), "between people": contrast.item(), "between corpora": distance.item()}

    def _corpus_by_corpus(self, network: nn.Module, corpora: list[torch.Tensor], share: float) -> Mapping[str, float]:
        settings = self.settings
        with torch.no_grad():
            views = (network.views(windows, _people(windows)) for windows in corpora)
            fixed = [self._centroids(one, windows) for one, windows in zip(views, corpora, strict=True)]
        leaves = torch.cat(fixed).requires_grad_()
        distance = covariance_alignment(leaves)
        pulls = torch.autograd.grad(distance, leaves)[0].split([len(one) for one in fixed])
        contrast = 0.0
        for windows, pull in zip(corpora, pulls, strict=True):
            view = network.views(windows, _people(windows))
            own = self._contrast(network, view, windows)
            pulled = (pull * self._centroids(view, windows)).sum()
            (share * (settings.contrast_weight * own + settings.covariance_weight * pulled)).backward()
            contrast += own.item()
        total = settings.contrast_weight * contrast + settings.covariance_weight * distance.item()
        return {"total": total, "between people": contrast, "between corpora": distance.item()}

    def _contrast(self, network: Any, views: Any, windows: torch.Tensor) -> torch.Tensor:
        return pair_contrast(network.project(views.maps, _people(windows)), self.settings.temperature)

    def _centroids(self, views: Any, windows: torch.Tensor) -> torch.Tensor:
        return centroids(views.spatial, _people(windows), mean=self.settings.centre)

    def _precision(self, device: torch.device) -> Any:
        return torch.autocast(device.type, torch.bfloat16, enabled=self.settings.pretraining.precision == "bf16")


def _people(windows: torch.Tensor) -> torch.Tensor:
    """Return whose each window of a corpus is, (2 n,): 0 for the first half and 1 for the second."""
    return torch.arange(2, device=windows.device).repeat_interleave(len(windows) // 2)
