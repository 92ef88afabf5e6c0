"""Alterations: a face stays a face, by chance that a seed fixes."""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import rotate

from insula.networks.alterations import alter_pictures


def _altered(pictures: torch.Tensor, seed: int = 0) -> torch.Tensor:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return alter_pictures(pictures)


def _spot(row: int, column: int, height: int = 60, width: int = 60) -> torch.Tensor:
    picture = torch.zeros(1, 1, height, width)
    picture[..., row - 1 : row + 2, column - 1 : column + 2] = 100
    return picture


def _centre(picture: torch.Tensor) -> np.ndarray:
    values = picture[0, 0].numpy()
    places = np.indices(values.shape)
    return (places * values).sum(axis=(1, 2)) / values.sum()


def test_a_seed_fixes_what_happens_to_each_picture() -> None:
    pictures = torch.randint(0, 256, (6, 3, 20, 20), dtype=torch.uint8)
    assert torch.equal(_altered(pictures), _altered(pictures))
    assert not torch.equal(_altered(pictures), _altered(pictures, seed=1))
    same = _altered(pictures[:1].repeat(6, 1, 1, 1))
    assert len({tuple(picture.flatten().tolist()) for picture in same}) == 6, "each picture has its own chance"


def test_values_keep_their_range_and_means() -> None:
    pictures = torch.randint(0, 256, (200, 3, 16, 16), dtype=torch.uint8)
    altered = _altered(pictures)
    assert altered.dtype == torch.float32 and altered.min() >= 0 and altered.max() <= 255
    assert abs(float(altered.mean() - pictures.float().mean())) < 2


def test_points_move_no_further_than_ten_degrees_and_the_crop_allow() -> None:
    spot = _spot(20, 38, 60, 90).repeat(400, 1, 1, 1)  # 10 above and 7 left of the centre of a wide picture
    found = np.array([_centre(picture[None]) for picture in _altered(spot)]) - [29.5, 44.5]
    mirrored = found[:, 1] > 0
    assert 0.4 < mirrored.mean() < 0.6
    found[mirrored, 1] *= -1
    start = np.array([20 - 29.5, 38 - 44.5])
    furthest = np.abs(found / 1.0 - start).max(axis=0)
    # A crop of 85 % moves a point by up to 7.5 % of the side and magnifies by 1 / 0.85; a turn swings it by sin 10.
    swing = np.sin(np.radians(10)) * np.abs(start[::-1]) / 0.85
    allowed = (np.array([60, 90]) * 0.075 + np.abs(start) * 0.15) / 0.85 + swing + 1
    assert (furthest < allowed).all() and (furthest > 0.4 * allowed).all()


def test_a_turn_is_a_turn_in_pixels(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(0)
    picture = torch.from_numpy(rng.random((1, 1, 6, 9))).float()
    smooth = torch.nn.functional.interpolate(picture, (60, 90), mode="bicubic", align_corners=False)
    chance = torch.tensor([[0.9], [1.0], [1.0], [0.5], [0.5]])  # not mirrored, turned by 10 degrees, not cropped
    monkeypatch.setattr(torch, "rand", lambda *shape: chance)
    ours = alter_pictures(smooth)[0, 0].numpy()
    inner = (slice(15, 45), slice(20, 70))
    apart = [np.abs(ours - rotate(smooth[0, 0].numpy(), angle, reshape=False))[inner].max() for angle in (10, -10)]
    assert min(apart) < 0.03 < max(apart)
