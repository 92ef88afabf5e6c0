"""CLISA's and DAEST's networks, which mdJPT came from: filters over time on each channel of one corpus, then maps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import nn

from insula.errors import DataError
from insula.networks.dynamics import DynamicsEncoder
from insula.networks.mdjpt import Views
from insula.networks.projector import Projected, Projector
from insula.networks.stratified import Moments, deviations, mean_and_covariance, normalised, stratified


class _Filtered(Projected):
    """Normalised channels through the same filters, then an encoder of (n, filters, channels, time) to maps."""

    def __init__(self, filters: int, length: int, encoder: nn.Module, maps: int, pooling: int) -> None:
        super().__init__()
        self.filters = nn.Conv1d(1, filters, length)
        self.encoder = encoder
        self.projector = Projector(maps, pooling, reach=length, multiple=2)

    def forward(self, windows: torch.Tensor, moments: Sequence[Moments]) -> torch.Tensor:
        """Return features, (n, maps), of windows (n, channels, time), normalised by the one given Moments."""
        return self.feature(self._maps(normalised(windows[:, None], moments[0])))

    def views(self, windows: torch.Tensor, groups: torch.Tensor) -> Views:
        """Return maps of windows (n, channels, time), each of one of these groups (n,) of people; nothing spatial.

        Raises
        ------
        DataError
            Where windows are shorter than a filter.
        """
        return Views(None, self._maps(stratified(windows[:, None], groups)))

    @torch.no_grad()
    def session_moments(self, batches: Iterable[torch.Tensor]) -> tuple[Moments]:
        """Return the moments of all windows (n, channels, time) of a session, as `forward` takes them.

        Raises
        ------
        DataError
            Where there are none.
        """
        mean, covariance = mean_and_covariance(windows[:, None] for windows in batches)
        weight = self.filters.weight
        return (Moments(mean.to(weight), deviations(covariance).to(weight)),)

    def _maps(self, windows: torch.Tensor) -> torch.Tensor:
        if windows.shape[3] < self.filters.kernel_size[0]:
            what = f"windows of {windows.shape[3]} samples are shorter than a filter"
            raise DataError(what, do=f"give windows of {self.filters.kernel_size[0]} samples or more")
        filtered = self.filters(windows.flatten(0, 2)[:, None])
        return self.encoder(filtered.unflatten(0, (len(windows), -1)).transpose(1, 2))


class CLISA(_Filtered):
    """Filters over time, then over channels and time.

    Written from the description of the published model (Shen et al. 2022, contrastive learning of subject-invariant EEG
    representations); no code of it is used. It has the methods of `insula.networks.mdjpt.MdJPT`, and one place where it
    is normalised: its input.

    Parameters
    ----------
    channels : int
        Of the corpus.
    filters, length : int, int
        Over time, and their samples.
    each : int
        Maps of a filter.
    pooling : int
        Samples that the projector averages to one.

    Examples
    --------
    >>> network, groups = CLISA(channels=32), torch.tensor([0, 1])
    >>> maps = network.views(torch.randn(2, 32, 625), groups).maps
    >>> maps.shape, network.project(maps, groups).shape, network.least_samples
    (torch.Size([2, 256, 596]), torch.Size([2, 35840]), 104)
    """

    def __init__(
        self, channels: int, *, filters: int = 16, length: int = 30, each: int = 16, pooling: int = 15
    ) -> None:
        spatial = nn.Conv1d(filters * channels, filters * each, 3, padding="same", groups=filters)
        encoder = nn.Sequential(nn.Flatten(1, 2), spatial, nn.ELU())
        super().__init__(filters, length, encoder, filters * each, pooling)


class DAEST(_Filtered):
    """Filters over time, then maps over channels and time at several scales, of which attention chooses.

    Written from the description of the published model (Shen et al. 2024, arXiv 2411.04568); no code of it is used. It
    has the methods of `insula.networks.mdjpt.MdJPT`, and one place where it is normalised: its input.

    Parameters
    ----------
    channels : int
        Of the corpus.
    filters, length : int, int
        Over time, and their samples.
    each : int
        Maps of a filter and a dilation.
    dilations, time_kernel, attention_kernel : sequence of int, int, int
        As of `insula.networks.dynamics.DynamicsEncoder`.
    pooling : int
        Samples that the projector averages to one.

    Examples
    --------
    >>> network = DAEST(channels=32)
    >>> network.views(torch.randn(2, 32, 625), torch.tensor([0, 1])).maps.shape
    torch.Size([2, 256, 596])
    """

    def __init__(
        self,
        channels: int,
        *,
        filters: int = 16,
        length: int = 30,
        each: int = 4,
        dilations: Sequence[int] = (1, 3, 6, 12),
        time_kernel: int = 3,
        attention_kernel: int = 15,
        pooling: int = 15,
    ) -> None:
        encoder = DynamicsEncoder(filters, channels, filters * each, dilations, time_kernel, attention_kernel)
        super().__init__(filters, length, encoder, encoder.maps, pooling)
