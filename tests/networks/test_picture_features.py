"""Features of pictures in torch: the same as in numpy to the last bit, and as scikit-image and Pillow have them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.feature import hog

from insula.faces.gradients import gradient_features
from insula.faces.grey import Kernel, grey_picture, resizing_weights
from insula.faces.shading import shading_features
from insula.networks.gradient_histograms import GradientHistograms
from insula.networks.grey import Grey
from insula.networks.shading import Shading

PILLOW: dict[Kernel, Image.Resampling] = {"box": Image.Resampling.BOX, "triangle": Image.Resampling.BILINEAR}


def pictures(height: int, width: int) -> np.ndarray:
    """Return waves with noise, and flat pictures with level and upright edges."""
    rng = np.random.default_rng(height)
    y, x = np.mgrid[:height, :width]
    waves = 128 + 60 * np.sin(x / 7 + y / 9)[..., None] + 20 * rng.standard_normal((height, width, 3))
    flat = np.zeros((4, height, width, 3), np.uint8)
    flat[0], flat[1, height // 3 :], flat[2, :, : width // 2] = 255, (200, 10, 77), (3, 100, 7)
    return np.concatenate([np.clip(waves, 0, 255).astype(np.uint8)[None], flat])


SIZES = pytest.mark.parametrize(("height", "width"), [(48, 48), (96, 96), (224, 224), (50, 37), (10, 200)])


@SIZES
def test_torch_and_numpy_agree_in_every_bit(height: int, width: int) -> None:
    given = pictures(height, width)
    shown = torch.from_numpy(given)
    assert np.array_equal(GradientHistograms()(shown).numpy(), gradient_features(given))
    assert np.allclose(Shading()(shown).numpy(), shading_features(given), rtol=0, atol=1e-6)
    for kernel in PILLOW:
        wanted = np.array([grey_picture(picture, 96, kernel) for picture in given])
        assert np.array_equal(Grey(96, kernel)(shown).numpy(), wanted)


@SIZES
@pytest.mark.parametrize("kernel", PILLOW)
@pytest.mark.parametrize("size", [16, 96])
def test_grey_pictures_are_pillows_but_for_its_rounding(height: int, width: int, kernel: Kernel, size: int) -> None:
    for picture in pictures(height, width):
        pillow = Image.fromarray(picture).convert("L").resize((size, size), PILLOW[kernel])
        assert np.abs(grey_picture(picture, size, kernel) - np.asarray(pillow, float)).max() < 1.6, "thrice rounded"


@pytest.mark.parametrize("kernel", PILLOW)
def test_weights_are_binary_fractions_that_add_up_to_one(kernel: Kernel) -> None:
    for size, wanted in ((48, 96), (500, 16), (37, 24), (3, 1)):
        weights = resizing_weights(size, wanted, kernel)
        assert (weights.sum(axis=1) == 1).all() and (weights >= 0).all() and (weights * 2**14 % 1 == 0).all()


def test_histograms_are_those_of_scikit_image() -> None:
    given = pictures(120, 120)
    wanted = [
        hog(grey_picture(picture, 96, "triangle"), 9, pixels_per_cell=(16, 16), cells_per_block=(2, 2))
        for picture in given
    ]
    assert np.allclose(gradient_features(given), wanted, rtol=0, atol=1e-6)


def test_what_is_flat_has_no_gradient() -> None:
    assert not gradient_features(np.full((1, 50, 70, 3), (255, 254, 3), np.uint8)).any()
