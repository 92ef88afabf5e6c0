"""Random variations of grey faces as a camera makes them: pose, light, blur, low resolution, noise, things in front."""

from __future__ import annotations

import math

import torch
from torch.nn import functional

# The largest of each; scale and aspect as logarithms, the shift in half sides.
_DEGREES, _SCALE, _ASPECT, _SHIFT = 20.0, 0.18, 0.06, 0.12
_CONTRAST, _GAMMA, _BRIGHTNESS, _SIDELIGHT = 0.4, 0.35, 30.0, 0.35  # logarithms, grey levels, share
_COARSE, _BLURRED, _COVERED = 0.15, 0.2, 0.3  # shares of pictures
_NOISE = 6.0  # grey levels


def vary_faces(pictures: torch.Tensor, size: int) -> torch.Tensor:
    """Return each face as another camera, moment or place could have shown it, in grey.

    Mirrored or not, turned by up to 20 degrees (small turns more often), scaled, stretched and shifted; with other
    contrast, brightness, gamma and light from a side; some seen at low resolution, blurred, or with an even patch in
    front; with noise. Chance is drawn from torch's random state on the CPU, so a seed fixes it on every device. Beyond
    the edge the picture's border goes on.

    Parameters
    ----------
    pictures : tensor, shape (n, 3, height, width)
        RGB from 0 to 255, of any type.
    size : int
        Side of the faces returned.

    Returns
    -------
    tensor, float32, shape (n, 1, size, size)
        From 0 to 255, but for the noise.

    Examples
    --------
    >>> vary_faces(torch.full((2, 3, 48, 48), 90, dtype=torch.uint8), 96).shape
    torch.Size([2, 1, 96, 96])
    """
    red, green, blue = pictures.float().split(1, dim=1)
    grey = _coarsened(0.299 * red + 0.587 * green + 0.114 * blue)
    return _covered(_noisy(_blurred(_lit(_placed(grey, size)))))


def _between(n: int, device: torch.device) -> torch.Tensor:
    """Return n random numbers from -1 to 1, (n, 1, 1, 1)."""
    return (2 * torch.rand(n, 1, 1, 1) - 1).to(device)


def _some(n: int, share: float, device: torch.device) -> torch.Tensor:
    return (torch.rand(n) < share).to(device)


def _coarsened(grey: torch.Tensor) -> torch.Tensor:
    """See some at a side of 18 to 36 pixels."""
    some = _some(len(grey), _COARSE, grey.device)
    if not some.any():
        return grey
    side = int(torch.randint(18, 36, (1,)))
    small = functional.interpolate(grey[some], (side, side), mode="area")
    grey[some] = functional.interpolate(small, grey.shape[-2:], mode="bilinear")
    return grey


def _placed(grey: torch.Tensor, size: int) -> torch.Tensor:
    n, device = len(grey), grey.device
    drawn = [_between(n, device).view(n) for _ in range(6)]
    turned, narrowed, scaled, stretched, right, down = drawn
    angle = torch.deg2rad(_DEGREES * turned * ((narrowed + 1) / 2).sqrt())
    scale, aspect = torch.exp(_SCALE * scaled), torch.exp(_ASPECT * stretched)
    sign = torch.where(_some(n, 0.5, device), -1.0, 1.0)
    place = torch.stack([
        torch.stack([scale * aspect * angle.cos() * sign, -scale * angle.sin(), _SHIFT * right], dim=1),
        torch.stack([scale * aspect * angle.sin() * sign, scale * angle.cos(), _SHIFT * down], dim=1),
    ], dim=1)  # fmt: skip
    grid = functional.affine_grid(place, [n, 1, size, size], align_corners=False)
    return functional.grid_sample(grey, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _lit(grey: torch.Tensor) -> torch.Tensor:
    n, device = len(grey), grey.device
    mean = grey.mean(dim=(2, 3), keepdim=True)
    contrast, gamma = torch.exp(_CONTRAST * _between(n, device)), torch.exp(_GAMMA * _between(n, device))
    grey = (grey - mean) * contrast + mean + _BRIGHTNESS * _between(n, device)
    direction, strength = math.pi * _between(n, device), _SIDELIGHT * _between(n, device).abs()
    line = torch.linspace(-1, 1, grey.shape[-1], device=device)
    grey = grey * (1 + strength * (direction.cos() * line + direction.sin() * line[:, None]))
    return 255 * (grey.clamp(0, 255) / 255) ** gamma


def _blurred(grey: torch.Tensor) -> torch.Tensor:
    some = _some(len(grey), _BLURRED, grey.device)
    if not some.any():
        return grey
    line = torch.exp(-0.5 * (torch.arange(-3, 4) / (0.8 + 1.2 * torch.rand(1))) ** 2).to(grey.device)
    line = (line / line.sum()).view(1, 1, 1, 7)
    wide = functional.conv2d(grey[some], line, padding=(0, 3))
    grey[some] = functional.conv2d(wide, line.transpose(2, 3), padding=(3, 0))
    return grey


def _noisy(grey: torch.Tensor) -> torch.Tensor:
    strength = _NOISE * _between(len(grey), grey.device).abs()
    return grey + strength * torch.randn(grey.shape).to(grey.device)


def _covered(grey: torch.Tensor) -> torch.Tensor:
    """Lay an even patch of a tenth to a third of the side over some."""
    n, side, device = len(grey), grey.shape[-1], grey.device
    some = _some(n, _COVERED, device).view(n, 1, 1, 1)
    line = torch.arange(side, device=device)
    across, down, wide, high, level = ((_between(n, device) + 1) / 2 for _ in range(5))
    inside = ((line - side * across).abs() < side * (0.05 + 0.12 * wide)) & (
        (line[:, None] - side * down).abs() < side * (0.05 + 0.12 * high)
    )
    return torch.where(inside & some, 255 * level, grey)
