"""Covariances of windows, their means, and what whitens them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Literal

import numpy as np

from insula.errors import DataError, SettingsError
from insula.samples import Samples

Method = Literal["euclidean", "riemannian"]

_ROWS = 64  # windows read at a time
_NO_VARIANCE = 1e-10  # of the largest eigenvalue: what an average reference or interpolation leaves in float32


def covariances(windows: np.ndarray) -> np.ndarray:
    """Return float64 (windows, channels, channels): mean products over time, the signals' means not removed."""
    if not windows.size or not np.isfinite(windows).all():
        raise DataError("windows that are empty, or hold NaN or infinite values", do="repair or drop them first")
    values = windows.astype(np.float64)
    return values @ values.swapaxes(-1, -2) / values.shape[-1]


def reference_covariance(samples: Samples, modality: str = "eeg", method: Method = "euclidean") -> np.ndarray:
    """Return the mean covariance of all windows, float64 (channels, channels), read in pieces.

    `euclidean` is the arithmetic mean and keeps one matrix in memory; `riemannian`, the affine-invariant mean, keeps
    one a window. It is sought where the windows have variance: an average reference takes away one direction.

    Raises
    ------
    DataError
        If values are not finite, if all windows together have fewer samples than channels or, for the Riemannian mean,
        if a window's covariance is singular.

    Warns
    -----
    UserWarning
        If windows are so nearly singular that their Riemannian mean is not found exactly.
    """
    metric = metric_of(method)
    channels, times = _shape(samples, modality)
    if len(samples) * times < channels:
        what = f"{len(samples)} windows of {times} samples are too few for {channels} channels"
        raise DataError(what, where=modality, do="give more or longer windows")
    if metric == "euclid":
        total = np.zeros((channels, channels))
        for part in _parts(samples, modality):
            total += part.sum(axis=0)
        return total / len(samples)
    from pyriemann.geometry.mean import gmean

    each = np.concatenate(list(_parts(samples, modality)))
    basis = directions(each.mean(axis=0))[1]
    inside = basis.T @ each @ basis
    check_definite(inside)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        mean: np.ndarray = gmean(inside, metric="riemann")
    if caught:
        what = f"the Riemannian mean of {len(inside)} windows is inexact: some are nearly singular"
        warnings.warn(f"{what} (bridged or flat channels make them so: leave these out)", stacklevel=2)
    return basis @ mean @ basis.T


def whitening(reference: np.ndarray) -> np.ndarray:
    """Return the inverse square root of a covariance; directions without variance stay zero.

    Examples
    --------
    >>> whitening(np.diag([4.0, 0.0]))
    array([[0.5, 0. ],
           [0. , 0. ]])
    """
    variance, basis = directions(reference)
    return basis / np.sqrt(variance) @ basis.T


def metric_of(method: str) -> str:
    """Return pyRiemann's name of a mean."""
    names = {"euclidean": "euclid", "riemannian": "riemann"}
    if method not in names:
        raise SettingsError(f"unknown method {method!r}", do=f"methods are {', '.join(names)}")
    return names[method]


def directions(covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the variances (r,) and directions (channels, r) in which a covariance is not zero."""
    if covariance.ndim != 2 or covariance.shape[0] != covariance.shape[1] or not np.isfinite(covariance).all():
        raise DataError("a covariance that is not square and finite", do="compute it with reference_covariance")
    variance, basis = np.linalg.eigh(covariance)
    kept = variance > _NO_VARIANCE * variance[-1]
    if not kept.any():
        raise DataError("windows without variance", do="drop them")
    return variance[kept], basis[:, kept]


def check_definite(each: np.ndarray) -> None:
    """Raise DataError where one of the covariances (windows, n, n) is singular: it has no place among the others."""
    variance = np.linalg.eigvalsh(each)
    singular = variance[:, 0] <= _NO_VARIANCE * variance[:, -1]
    if singular.any():
        what = f"the covariance of {int(singular.sum())} of {len(each)} windows is singular"
        raise DataError(what, do="use longer windows, repair flat channels, or align by the Euclidean mean")


def _shape(samples: Samples, modality: str) -> tuple[int, int]:
    if samples.store(modality).description.axes != ("channel", "time"):
        raise DataError("alignment needs channels x times", where=modality, do="name the EEG")
    _, channels, times = samples.select([0]).read(modality).shape
    return channels, times


def _parts(samples: Samples, modality: str) -> Iterator[np.ndarray]:
    for start in range(0, len(samples), _ROWS):
        yield covariances(samples.select(slice(start, start + _ROWS)).read(modality))
