"""RBTransformer: attention between electrodes, each a token of its band-wise differential entropy."""

from __future__ import annotations

import torch
from torch import nn


class RBTransformer(nn.Module):
    """A transformer whose tokens are electrodes.

    Written from the description of the published model ("RBTransformer", its sizes as trained for SEED, DEAP and
    DREAMER); no code of it is used.

    Parameters
    ----------
    electrodes, bands, classes : int
        Tokens, numbers in a token, classes out.
    width, heads, head_width, depth : int
        Of a token, of the attention (heads x head_width need not be the width), and how many blocks.
    dropout : float
        After the embedding, in the blocks and in the head.

    Examples
    --------
    >>> network = RBTransformer(electrodes=62, bands=4, classes=3)
    >>> sum(weights.numel() for weights in network.parameters())
    668803
    >>> network(torch.zeros(2, 62, 4)).shape, network.attention(torch.zeros(2, 62, 4)).shape
    (torch.Size([2, 3]), torch.Size([2, 62, 62]))
    """

    def __init__(
        self,
        electrodes: int,
        bands: int,
        classes: int,
        width: int = 128,
        heads: int = 6,
        head_width: int = 32,
        depth: int = 4,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.tokens = nn.Linear(bands, width)
        self.electrodes = nn.Parameter(torch.randn(electrodes, width))
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(_Block(width, heads, head_width, dropout) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        layers: list[nn.Module] = []
        for before, after in ((width, 2 * width), (2 * width, 2 * width), (2 * width, width)):
            layers += [nn.Linear(before, after), nn.GELU(), nn.Dropout(dropout)]
        self.head = nn.Sequential(*layers, nn.Linear(width, classes))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return logits, (batch, classes), of features (batch, electrodes, bands)."""
        return self.head(self.norm(self._through(features)[0].mean(dim=1)))

    def attention(self, features: torch.Tensor) -> torch.Tensor:
        """Return how much each electrode (rows) attends to each other one, a mean over heads and blocks.

        Shape (batch, electrodes, electrodes); rows add up to one.
        """
        return self._through(features)[1]

    def _through(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        tokens = self.dropout(self.tokens(features) + self.electrodes)
        seen = []
        for block in self.blocks:
            tokens, attention = block(tokens)
            seen.append(attention)
        return tokens, torch.stack(seen).mean(dim=0)


class _Block(nn.Module):
    """Pre-normalised attention and feed-forward."""

    def __init__(self, width: int, heads: int, head_width: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.scale = heads, head_width**-0.5
        self.before = nn.LayerNorm(width)
        self.asked = nn.Linear(width, 3 * heads * head_width, bias=False)
        self.joined = nn.Sequential(nn.Linear(heads * head_width, width), nn.Dropout(dropout))
        self.forward_layers = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(width, width),
            nn.Dropout(dropout),
        )

    def forward(self, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return tokens, and attention averaged over heads."""
        parts = self.asked(self.before(tokens)).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        queries, keys, values = parts
        attention = (self.scale * queries @ keys.transpose(-2, -1)).softmax(dim=-1)
        tokens = tokens + self.joined((attention @ values).transpose(1, 2).flatten(2))
        return tokens + self.forward_layers(tokens), attention.mean(dim=1)
