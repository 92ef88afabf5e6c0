"""A temporal convolutional network: what lies further off in time is reached by steps of growing width.

Source: Bai, Kolter and Koltun, "An empirical evaluation of generic convolutional and recurrent networks for sequence
modeling", arXiv 1803.01271: residual blocks of two dilated convolutions with weight normalisation.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm


class TemporalConvolution(nn.Module):
    """Residual blocks of dilated convolutions over time.

    Level i, counted from 0, reaches ``2 * (kernel - 1) * 2 ** i`` steps: two levels with a kernel of three reach 12.

    Parameters
    ----------
    features : int
        Numbers a step comes with.
    channels, levels, kernel : int
        Numbers a step leaves with, blocks, and steps a convolution reads.
    dropout : float
        Of whole channels, after each convolution.
    causal : bool
        Whether a step is made from itself and earlier ones alone, as in the source; else from both sides alike.

    Examples
    --------
    >>> network = TemporalConvolution(features=192)
    >>> network(torch.zeros(2, 96, 192)).shape
    torch.Size([2, 96, 128])
    """

    def __init__(
        self,
        features: int,
        channels: int = 128,
        levels: int = 2,
        kernel: int = 3,
        dropout: float = 0.1,
        causal: bool = True,
    ) -> None:
        super().__init__()
        widths = [features, *[channels] * levels]
        self.blocks = nn.ModuleList(
            _Block(widths[level], channels, kernel, 2**level, dropout, causal) for level in range(levels)
        )

    def forward(self, steps: torch.Tensor, valid: torch.Tensor | None = None) -> torch.Tensor:
        """Return what is made of each step.

        Parameters
        ----------
        steps : tensor, shape (batch, time, features)
            A sequence a row.
        valid : bool tensor, shape (batch, time), optional
            Which steps are there: the others, of any value, count as zeros at every level and come out as zeros.

        Returns
        -------
        tensor, shape (batch, time, channels)
        """
        mask = None if valid is None else valid[:, None]
        made = steps.transpose(1, 2)
        for block in self.blocks:
            made = block(made, mask)
        return made.transpose(1, 2)


class _Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, kernel: int, dilation: int, dropout: float, causal: bool) -> None:
        super().__init__()
        reach = (kernel - 1) * dilation
        self.padding = (reach, 0) if causal else (reach // 2, reach - reach // 2)
        self.first = weight_norm(nn.Conv1d(inputs, outputs, kernel, dilation=dilation))
        self.second = weight_norm(nn.Conv1d(outputs, outputs, kernel, dilation=dilation))
        self.bends = nn.ModuleList(nn.PReLU(outputs) for _ in range(3))
        self.dropout = nn.Dropout1d(dropout)
        self.past = nn.Conv1d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, steps: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        kept = _where(mask, steps)
        made = self.dropout(self.bends[0](self.first(functional.pad(kept, self.padding))))
        made = self.dropout(self.bends[1](self.second(functional.pad(_where(mask, made), self.padding))))
        return _where(mask, self.bends[2](made + self.past(kept)))


def _where(mask: torch.Tensor | None, steps: torch.Tensor) -> torch.Tensor:
    return steps if mask is None else torch.where(mask, steps, 0)


def mean_over_time(steps: torch.Tensor, valid: torch.Tensor | None = None) -> torch.Tensor:
    """Return the mean of the valid steps, (batch, channels), of (batch, time, channels); zeros where none is valid.

    Examples
    --------
    >>> steps, valid = torch.tensor([[[1.0], [5.0]]]), torch.tensor([[True, False]])
    >>> mean_over_time(steps).item(), mean_over_time(steps, valid).item(), mean_over_time(steps, ~valid & valid).item()
    (3.0, 1.0, 0.0)
    """
    if valid is None:
        return steps.mean(dim=1)
    return torch.where(valid[..., None], steps, 0).sum(dim=1) / valid.sum(dim=1, keepdim=True).clamp(min=1)
