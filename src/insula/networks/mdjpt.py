"""mdJPT's network: EEG of any people and corpora on the same electrodes, to features that can be compared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import torch
from torch import nn

from insula.errors import DataError
from insula.networks.dynamics import DynamicsEncoder
from insula.networks.linear_attention import LinearAttentionBlock
from insula.networks.projector import Projected, Projector
from insula.networks.stratified import SMALL, Moments, deviations, mean_and_covariance, normalised, stratified
from insula.networks.transformer_arms import ChannelTransformer, DynamicsTransformer


class Views(NamedTuple):
    """What the objectives of pre-training see of windows.

    Attributes
    ----------
    spatial : Tensor, shape (windows, features, projected, patches), or None
        Whose covariance is aligned between corpora; None of a network that aligns none.
    maps : Tensor, shape (windows, maps, patches)
        Whose projection is contrasted between people.
    """

    spatial: torch.Tensor | None
    maps: torch.Tensor


class ChannelEncoder(nn.Module):
    """Each channel on its own to features of overlapping patches, by linear attention between them.

    Parameters
    ----------
    patch, stride : int
        Samples in a patch, and from one to the next.
    width, blocks, heads, hidden : int
        Of the attention.
    features : int
        Numbers of a patch that come out.
    """

    def __init__(
        self, patch: int, stride: int, width: int, blocks: int, heads: int, hidden: int, features: int
    ) -> None:
        super().__init__()
        self.reach, self.stride = patch, stride
        self.patches = nn.Conv1d(1, width, patch, stride)  # cuts and embeds at once
        self.blocks = nn.Sequential(*(LinearAttentionBlock(width, heads, hidden) for _ in range(blocks)))
        self.features = nn.Linear(width, features)

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """Return tokens, (n, features, channels, patches), of windows (n, channels, time)."""
        if windows.shape[2] < self.reach:
            what = f"windows of {windows.shape[2]} samples are shorter than a patch"
            raise DataError(what, do=f"give windows of {self.reach} samples or more")
        patches = self.patches(windows.flatten(0, 1)[:, None]).transpose(1, 2)
        return self.features(self.blocks(patches)).unflatten(0, windows.shape[:2]).permute(0, 3, 1, 2)


class MdJPT(Projected):
    """Patches of each channel, a projection across channels, and maps over time.

    Written from the description of the published model (NeurIPS 2025, arXiv 2510.22197), whose sizes are the defaults;
    no code of it is used. Normalisation stands at two places: of the tokens, and of their projection. In training its
    moments are those of each person's windows in the batch (`views`); in use they are given (`forward`), of a whole
    session (`session_moments`), of some minutes of it, or of other people.

    Parameters
    ----------
    channels : int
        Electrodes of the montage that all corpora are brought to.
    patch, stride : int
        Samples in a patch, and from one to the next.
    width, blocks, heads, hidden, features : int
        Of the attention between patches, and numbers of a patch that come out of it.
    projected : int
        Channels after the projection.
    filters, dilations, time_kernel, attention_kernel : int, sequence of int, int, int
        Maps of each dilation, dilations, and lengths in patches.
    pooling : int
        Patches that the projector of pre-training averages to one.
    channel_encoder, dynamics : str
        `transformer` for a transformer layer in the place of that encoder, to see what the encoder brings. It has
        dropout; that in the place of the channel encoder has a step for each sample, not for each patch.

    Examples
    --------
    >>> network = MdJPT()
    >>> sum(weights.numel() for weights in network.parameters())
    752608
    >>> sum(weights.numel() for name, weights in network.named_parameters() if not name.startswith("projector."))
    748512
    """

    def __init__(
        self,
        *,
        channels: int = 60,
        patch: int = 32,
        stride: int = 6,
        width: int = 128,
        blocks: int = 2,
        heads: int = 8,
        hidden: int = 256,
        features: int = 32,
        projected: int = 64,
        filters: int = 128,
        dilations: Sequence[int] = (1, 3, 6, 12),
        time_kernel: int = 3,
        attention_kernel: int = 15,
        pooling: int = 15,
        channel_encoder: Literal["linear attention", "transformer"] = "linear attention",
        dynamics: Literal["dynamic attention", "transformer"] = "dynamic attention",
    ) -> None:
        super().__init__()
        self.channel_encoder: ChannelEncoder | ChannelTransformer
        if channel_encoder == "transformer":
            self.channel_encoder = ChannelTransformer(channels, width, features)
        else:
            self.channel_encoder = ChannelEncoder(patch, stride, width, blocks, heads, hidden, features)
        self.projection = nn.Linear(channels, projected)
        self.dynamics_encoder: DynamicsEncoder | DynamicsTransformer
        maps = filters * len(dilations)
        if dynamics == "transformer":
            self.dynamics_encoder = DynamicsTransformer(features, projected, width, maps)
        else:
            self.dynamics_encoder = DynamicsEncoder(
                features, projected, filters, dilations, time_kernel, attention_kernel
            )
        self.projector = Projector(maps, pooling, self.channel_encoder.reach, self.channel_encoder.stride)

    def forward(self, windows: torch.Tensor, moments: Sequence[Moments]) -> torch.Tensor:
        """Return features, (n, maps), of windows (n, channels, time), normalised by given moments.

        Parameters
        ----------
        windows : Tensor, shape (n, channels, time)
            Of any length from a patch on.
        moments : two Moments
            Of the tokens and of their projection.
        """
        spatial = self.spatial(normalised(self.tokens(windows), moments[0]))
        return self.feature(self.dynamics(normalised(spatial, moments[1])))

    def views(self, windows: torch.Tensor, groups: torch.Tensor) -> Views:
        """Return what pre-training sees of windows (n, channels, time), each of one of these groups (n,) of people.

        Raises
        ------
        DataError
            Where windows are shorter than a patch, or a group has one window of one patch.
        """
        spatial = self.spatial(stratified(self.tokens(windows), groups))
        return Views(spatial, self.dynamics(stratified(spatial, groups)))

    def tokens(self, windows: torch.Tensor) -> torch.Tensor:
        """Return (n, features, channels, patches) of windows (n, channels, time), before any normalisation."""
        return self.channel_encoder(windows)

    def spatial(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return normalised tokens projected across channels, (n, features, projected, patches)."""
        return self.projection(tokens.transpose(2, 3)).transpose(2, 3)

    def dynamics(self, spatial: torch.Tensor) -> torch.Tensor:
        """Return maps, (n, maps, patches), of the normalised projection."""
        return self.dynamics_encoder(spatial)

    @torch.no_grad()
    def session_moments(self, batches: Iterable[torch.Tensor]) -> tuple[Moments, Moments]:
        """Return the moments of all windows of a session, as `forward` takes them, in one pass over its batches.

        The projection is linear, so that moments after it follow from the tokens' covariance.

        Parameters
        ----------
        batches : iterable of Tensor, each (n, channels, time)
            All windows of one person's session, in any portions.

        Raises
        ------
        DataError
            Where there are none.
        """
        mean, covariance = mean_and_covariance(self.tokens(windows) for windows in batches)
        deviation, weight = deviations(covariance), self.projection.weight
        scaled = weight.double() / (deviation[:, None] + SMALL)  # (features, projected, channels)
        first = Moments(mean.to(weight), deviation.to(weight))
        projected = deviations(scaled @ covariance @ scaled.transpose(1, 2))
        return first, Moments(self.projection.bias.repeat(len(projected), 1), projected.to(weight))
