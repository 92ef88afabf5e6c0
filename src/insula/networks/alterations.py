"""Small random alterations of pictures, so that a network does not learn them by heart."""

from __future__ import annotations

import torch
from torch.nn import functional

_DEGREES = 10.0
_SMALLEST_CROP = 0.85  # of a side


def alter_pictures(pictures: torch.Tensor) -> torch.Tensor:
    """Return each picture mirrored or not, turned by up to 10 degrees and cropped to no less than 85 % of its side.

    Chance is drawn from torch's random state on the CPU, so a seed fixes it on every device. Beyond the edge the
    picture's border goes on.

    Parameters
    ----------
    pictures : tensor, shape (n, channels, height, width)
        Of any type.

    Returns
    -------
    tensor
        float32 of the same shape and range.

    Examples
    --------
    >>> alter_pictures(torch.full((2, 3, 8, 8), 7, dtype=torch.uint8)).round().unique()
    tensor([7.])
    """
    mirrored, turned, cropped, right, down = torch.rand(5, len(pictures))
    side = _SMALLEST_CROP + (1 - _SMALLEST_CROP) * cropped
    angle = torch.deg2rad(_DEGREES * (2 * turned - 1))
    sign = torch.where(mirrored < 0.5, -1.0, 1.0)
    # Where in the picture (from -1 to 1) each point of the result is read.
    ratio = pictures.shape[-2] / pictures.shape[-1]  # a turn is a turn in pixels, whatever the picture's form
    place = torch.stack([
        torch.stack([side * angle.cos() * sign, -side * angle.sin() * ratio, (1 - side) * (2 * right - 1)], dim=1),
        torch.stack([side * angle.sin() * sign / ratio, side * angle.cos(), (1 - side) * (2 * down - 1)], dim=1),
    ], dim=1)  # fmt: skip
    values = pictures.float()
    grid = functional.affine_grid(place.to(values.device), list(values.shape), align_corners=False)
    return functional.grid_sample(values, grid, mode="bilinear", padding_mode="border", align_corners=False)
