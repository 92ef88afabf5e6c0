"""Features over the windows of a trial or session: smoothed by a linear dynamical system, normalised as they come.

Offline smoothing takes a window's neighbours from the future of its trial: it suits a trial that is scored as a whole,
and where windows come one at a time it looks at test inputs that are not there yet (target access `unlabelled`).
`lds_causal` and `online_normalise` look at a window and those before it alone (target access `none`).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from insula.errors import DataError

_PROCESS_NOISE, _FIRST_VARIANCE = 1e-4, 1e-2  # the observation noise is 1: a very strong low-pass filter
_FORGET = 0.99  # how much less the initial moments count with each window
_SMALL = 1e-10


def lds(features: np.ndarray) -> np.ndarray:
    """Return features smoothed over each whole trial: a scalar Kalman filter and its backward pass for each dimension.

    The state is a random walk (process noise 1e-4) seen with noise of variance 1, and starts at the trial's mean with
    variance 0.01. The noises are absolute: features should be normalised before. Process noise is added before every
    window; much published code leaves it out before the first.

    Parameters
    ----------
    features : ndarray, (..., windows, dimensions)
        Trials of one length, windows in order.

    Returns
    -------
    ndarray of float64, of the same shape
        The offline estimate, which is not causal.

    Raises
    ------
    DataError
        If there is no window, or values are not finite.

    References
    ----------
    Shi and Lu (2010), Off-line and on-line vigilance estimation based on linear dynamical system and manifold learning,
    Annual International Conference of the IEEE Engineering in Medicine and Biology, 6587-6590.

    Examples
    --------
    >>> lds(np.array([[0.0], [0.0], [300.0], [100.0]])).round(2).ravel()
    array([100.  , 100.01, 100.03, 100.03])
    """
    values = _checked(features)
    state, variance = _filtered(values, values.mean(axis=-2))
    for i in range(len(variance) - 2, -1, -1):
        gain = variance[i] / (variance[i] + _PROCESS_NOISE)
        state[..., i, :] += gain * (state[..., i + 1, :] - state[..., i, :])
    return state


def lds_causal(features: np.ndarray) -> np.ndarray:
    """Return features filtered as in `lds`, from each trial's first window on and without the backward pass.

    Examples
    --------
    >>> lds_causal(np.array([[0.0], [0.0], [3.0], [1.0]])).round(2).ravel()
    array([0.  , 0.  , 0.03, 0.04])
    """
    values = _checked(features)
    return _filtered(values, values[..., 0, :])[0]


def initial_moments(features: np.ndarray, subjects: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and variance, each (dimensions,): the means over subjects of each subject's own.

    They are what `online_normalise` starts from. Give source subjects alone: with a test subject among them the first
    windows of the test part would be normalised by what comes later.

    Examples
    --------
    >>> initial_moments(np.array([[0.0], [2.0], [6.0]]), np.array(["S1", "S1", "S2"]))
    (array([3.5]), array([0.5]))
    """
    values = _checked(features)
    if len(subjects) != len(values) or pd.isna(subjects).any():
        raise DataError("a window without a subject", do="give one subject for each window")
    grouped = pd.DataFrame(values).groupby(np.asarray(subjects))
    return grouped.mean().to_numpy().mean(axis=0), grouped.var(ddof=0).to_numpy().mean(axis=0)


def online_normalise(features: np.ndarray, mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Return features normalised by the moments of each session so far, which the initial moments are mixed into.

    At window c the initial moments count 0.99 ** (c - 1), those of windows 1 to c the rest.

    Parameters
    ----------
    features : ndarray, (..., windows, dimensions)
        Sessions of one length, windows in order of presentation.
    mean, variance : ndarray, (dimensions,)
        Initial moments of source subjects (`initial_moments`).

    Returns
    -------
    ndarray of float64, of the same shape

    Raises
    ------
    DataError
        If there is no window, values are not finite, or the moments do not fit.

    Examples
    --------
    >>> online_normalise(np.array([[3.0], [3.0]]), np.array([1.0]), np.array([4.0])).round(3).ravel()
    array([1.   , 0.995])
    """
    values, mean, variance = _checked(features), np.asarray(mean, float), np.asarray(variance, float)
    moments = np.stack([mean, variance]) if mean.shape == variance.shape == values.shape[-1:] else np.array([np.nan])
    if not np.isfinite(moments).all() or (variance < 0).any():
        what = f"initial moments of shapes {mean.shape} and {variance.shape} for {values.shape[-1]} dimensions"
        raise DataError(what, do="give a finite mean and a variance of at least 0 for each dimension")
    count = np.arange(1, values.shape[-2] + 1)[:, None]
    running = np.cumsum(values, axis=-2) / count
    spread = np.maximum(np.cumsum(values**2, axis=-2) / count - running**2, 0)
    initial = _FORGET ** (count - 1.0)
    centre = initial * mean + (1 - initial) * running
    return (values - centre) / np.sqrt(initial * variance + (1 - initial) * spread + _SMALL)


def _filtered(values: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, list[float]]:
    """Return filtered states and their variances, which depend on nothing but the number of windows."""
    states, variances, state, variance = np.empty_like(values), [], start, _FIRST_VARIANCE
    for i in range(values.shape[-2]):
        predicted = variance + _PROCESS_NOISE
        gain = predicted / (predicted + 1)
        state = state + gain * (values[..., i, :] - state)
        variance = (1 - gain) * predicted
        states[..., i, :] = state
        variances.append(variance)
    return states, variances


def _checked(features: np.ndarray) -> np.ndarray:
    values = np.asarray(features, np.float64)
    if values.ndim < 2 or not values.size:
        raise DataError(f"features of shape {values.shape}", do="give (windows, dimensions), at least one of each")
    if not np.isfinite(values).all():
        raise DataError("features with NaN or infinite values", do="repair or drop the windows first")
    return values
