"""Topographic maps: one matrix does what the interpolation of each sample would."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import CloughTocher2DInterpolator

from insula.eeg.montage import flat_positions
from insula.eeg.topography import topographic_matrix
from insula.errors import DataError

HEADSET = ("AF3", "F7", "F3", "FC5", "T7", "P7", "O1", "O2", "P8", "T8", "FC6", "F4", "F8", "AF4")


def test_the_matrix_is_scipys_interpolation_of_any_values() -> None:
    size = 32
    values = np.random.default_rng(0).standard_normal(len(HEADSET))
    drawn = (topographic_matrix(HEADSET, size) @ values).reshape(size, size)
    at = flat_positions(HEADSET)
    radius = max(1, np.hypot(*at.T).max())
    middles = radius * ((np.arange(size) + 0.5) / size * 2 - 1)
    right, front = np.meshgrid(middles, -middles)
    expected = CloughTocher2DInterpolator(at, values, tol=1e-10, maxiter=2000)(right, front)
    inside = np.isfinite(expected)
    assert inside.mean() > 0.4
    np.testing.assert_allclose(drawn[inside], expected[inside], atol=1e-5)


def test_outside_the_electrodes_the_nearest_counts_and_outside_the_head_nothing() -> None:
    size = 32
    matrix = topographic_matrix(HEADSET, size).reshape(size, size, len(HEADSET))
    assert not matrix[0, 0].any() and not matrix[-1, -1].any()
    nose = matrix[0, size // 2]  # a little to the right
    assert nose.tolist() == [float(name == "AF4") for name in HEADSET]
    inside = matrix.any(axis=2)
    np.testing.assert_allclose(matrix[inside].sum(axis=1), 1, atol=1e-5)  # a constant stays a constant


def test_front_is_up_and_right_is_right() -> None:
    matrix = topographic_matrix(HEADSET, 33)
    for name, rows, columns in (("AF4", slice(0, 16), slice(16, None)), ("O1", slice(17, None), slice(0, 17))):
        drawn = (matrix @ np.array([float(name == one) for one in HEADSET])).reshape(33, 33)
        top = np.unravel_index(drawn.argmax(), drawn.shape)
        assert top[0] in range(33)[rows] and top[1] in range(33)[columns]


@pytest.mark.parametrize("channels", [("Cz", "Pz"), ("Cz",)])
def test_too_few_electrodes_are_one_line(channels: tuple[str, ...]) -> None:
    with pytest.raises(DataError, match="no map can be drawn") as caught:
        topographic_matrix(channels)
    assert "\n" not in str(caught.value)
