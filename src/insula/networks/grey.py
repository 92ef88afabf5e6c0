"""Grey pictures of one size, as `insula.faces.grey` makes them, in torch."""

from __future__ import annotations

import torch
from torch import nn

from insula.faces.grey import COLOURS, Kernel, resizing_weights


class Grey(nn.Module):
    """Pictures to grey levels, resized by two products of matrices; equal to `grey_picture` in every bit.

    Parameters
    ----------
    size, kernel
        As `grey_picture` takes them.

    Examples
    --------
    >>> Grey(2, "box")(torch.full((1, 6, 4, 3), 7, dtype=torch.uint8)).tolist()
    [[[7.0, 7.0], [7.0, 7.0]]]
    """

    def __init__(self, size: int, kernel: Kernel) -> None:
        super().__init__()
        self.size, self.kernel = size, kernel

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return float64 (n, size, size) of pictures (n, height, width, 3), RGB from 0 to 255."""
        rows, columns = (
            torch.tensor(resizing_weights(side, self.size, self.kernel), device=pictures.device)
            for side in pictures.shape[1:3]
        )
        # The shares of colours are whole numbers of 24 bits at most until they are divided: exact in float32, too.
        shares = torch.tensor(COLOURS, dtype=torch.float32, device=pictures.device)[:, None, None]
        return rows @ (pictures.permute(0, 3, 1, 2).float() * shares).sum(dim=1).double() @ columns.T
