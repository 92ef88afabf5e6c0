"""A block of linear attention between tokens, with convolutions in the place of positions."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


class LinearAttentionBlock(nn.Module):
    """Gated attention whose cost grows with the number of tokens, not with its square.

    Written from the description of mdJPT's channel encoder (arXiv 2510.22197), a form of the linear attention with
    Mamba's gate (Han et al. 2024, arXiv 2405.16605); no code of either is used. Each three tokens in a row are mixed by
    convolutions before the attention, in it and after it, every number of a token on its own. The feed-forward layers
    have no normalisation before them, as published.

    Parameters
    ----------
    width, heads : int
        Numbers in a token, and among how many heads they are divided.
    hidden : int
        Width of the feed-forward layer.

    Examples
    --------
    >>> block = LinearAttentionBlock(width=128, heads=8, hidden=256)
    >>> sum(weights.numel() for weights in block.parameters())
    183296
    >>> block(torch.zeros(2, 99, 128)).shape
    torch.Size([2, 99, 128])
    """

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.heads = heads
        self.before, self.within, self.after = (
            nn.Conv1d(width, width, 3, padding=1, groups=width) for _ in range(3)
        )  # fmt: skip
        self.norm = nn.LayerNorm(width)
        self.gate = nn.Linear(width, width)
        self.entry = nn.Linear(width, width)
        self.asked = nn.Linear(width, 3 * width)
        self.joined = nn.Linear(width, width)
        self.exit = nn.Linear(width, width)
        self.feed_forward = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return tokens of the same shape, (n, tokens, width)."""
        tokens = tokens + _along(self.before, tokens)
        normed = self.norm(tokens)
        attended = self._attention(functional.silu(_along(self.within, self.entry(normed))))
        tokens = tokens + self.exit(attended * functional.silu(self.gate(normed)))
        tokens = tokens + _along(self.after, tokens)
        return tokens + self.feed_forward(tokens)

    def _attention(self, tokens: torch.Tensor) -> torch.Tensor:
        queries, keys, values = self.asked(tokens).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        queries, keys = functional.elu(queries) + 1, functional.elu(keys) + 1
        weight = queries @ keys.sum(dim=2)[..., None] + 1e-5
        attended = queries @ (keys.transpose(2, 3) @ values) / weight
        return self.joined(attended.transpose(1, 2).flatten(2))


def _along(convolution: nn.Conv1d, tokens: torch.Tensor) -> torch.Tensor:
    return convolution(tokens.transpose(1, 2)).transpose(1, 2)
