"""Topographic maps: values of electrodes spread over a picture of the head, as one matrix."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from insula.eeg.montage import flat_positions
from insula.errors import DataError


def topographic_matrix(channels: Sequence[str], size: int = 32) -> np.ndarray:
    """Return the matrix that takes values of electrodes to a picture of the head seen from above.

    Electrodes are laid out by `insula.eeg.montage.flat_positions` (azimuthal equidistant), values are interpolated
    between them by Clough and Tocher's cubic triangles, beyond them those of the nearest electrode are taken, and
    pixels outside the head are 0. Interpolation is linear in the values (its gradients to a tolerance of 1e-10), so
    that it is computed once.

    Parameters
    ----------
    channels : sequence of str
        Electrodes of the 10-05 system.
    size : int
        Pixels along an edge.

    Returns
    -------
    ndarray of float32, (size * size, channels)
        Row by row: the nose is up and the right ear is right. ``matrix @ values`` is the picture, flattened.

    Raises
    ------
    DataError
        Where there are too few electrodes to span triangles, or they lie on a line.

    Examples
    --------
    >>> matrix = topographic_matrix(("Fz", "C3", "C4", "Pz"), size=9)
    >>> picture = (matrix @ np.array([1, 0, 0, 0])).reshape(9, 9)
    >>> bool(picture[1, 4] > 0.9), bool(picture[7, 4] < 0.1), float(picture[0, 0])
    (True, True, 0.0)
    """
    from scipy.interpolate import CloughTocher2DInterpolator
    from scipy.spatial import QhullError, cKDTree

    at = flat_positions(channels)
    radius = max(1.0, float(np.hypot(*at.T).max(initial=0.0)))
    middles = radius * ((np.arange(size) + 0.5) / size * 2 - 1)
    right, front = np.meshgrid(middles, -middles)
    pixels = np.column_stack([right.ravel(), front.ravel()])
    identity = np.eye(len(at))
    try:
        matrix = CloughTocher2DInterpolator(at, identity, tol=1e-10, maxiter=2000)(pixels)
    except (QhullError, ValueError):
        what = f"no map can be drawn from {len(at)} electrodes"
        raise DataError(what, where=", ".join(channels), do="give at least three that are not on a line") from None
    outside = np.isnan(matrix).any(axis=1)
    matrix[outside] = identity[cKDTree(at).query(pixels[outside])[1]]
    matrix[np.hypot(*pixels.T) > radius] = 0
    return matrix.astype(np.float32)
