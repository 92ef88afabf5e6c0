"""Smoothing against a Kalman filter and smoother in matrices, online normalisation against a plain loop."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from insula.eeg.smoothing import initial_moments, lds, lds_causal, online_normalise
from insula.errors import DataError


def kalman(series: np.ndarray, start: float, backward: bool) -> np.ndarray:
    """Return the textbook Kalman filter, and the Rauch-Tung-Striebel smoother, of one series, in 1 x 1 matrices."""
    A, C, Q, R = np.eye(1), np.eye(1), 1e-4 * np.eye(1), np.eye(1)
    means, covariances, predicted = [], [], []
    mean, covariance = np.array([start]), 0.01 * np.eye(1)
    for value in series:
        prior, spread = A @ mean, A @ covariance @ A.T + Q
        gain = spread @ C.T @ np.linalg.inv(C @ spread @ C.T + R)
        mean = prior + gain @ (np.array([value]) - C @ prior)
        covariance = (np.eye(1) - gain @ C) @ spread
        means.append(mean)
        covariances.append(covariance)
        predicted.append(spread)
    if backward:
        for i in range(len(series) - 2, -1, -1):
            J = covariances[i] @ A.T @ np.linalg.inv(predicted[i + 1])
            means[i] = means[i] + J @ (means[i + 1] - A @ means[i])
    return np.array(means)[:, 0]


@pytest.fixture
def trials() -> np.ndarray:
    return np.random.default_rng(0).normal(3, 2, size=(4, 30, 5)).cumsum(axis=1)


def test_lds_is_a_kalman_smoother_a_dimension(trials: np.ndarray) -> None:
    before = trials.copy()
    smooth, causal = lds(trials), lds_causal(trials)
    for trial in range(4):
        for dimension in range(5):
            series = trials[trial, :, dimension]
            assert_allclose(smooth[trial, :, dimension], kalman(series, series.mean(), True), rtol=1e-12)
            assert_allclose(causal[trial, :, dimension], kalman(series, series[0], False), rtol=1e-12)
    assert_array_equal(trials, before)


def test_lds_is_the_most_probable_path(trials: np.ndarray) -> None:
    """Without any recursion: the minimum of the quadratic form that the model writes down."""
    series = trials[0, :, 0]
    n = len(series)
    precision, right = np.eye(n), series.copy()
    precision[0, 0] += 1 / (0.01 + 1e-4)
    right[0] += series.mean() / (0.01 + 1e-4)
    steps = np.diff(np.eye(n), axis=0)
    precision += steps.T @ steps / 1e-4
    assert_allclose(lds(series[:, None])[:, 0], np.linalg.solve(precision, right), rtol=1e-8)


def test_causal_smoothing_and_normalising_do_not_see_the_future(trials: np.ndarray) -> None:
    changed = trials.copy()
    changed[:, 20:] += 100
    moments = np.zeros(5), np.ones(5)
    assert_array_equal(lds_causal(changed)[:, :20], lds_causal(trials)[:, :20])
    assert_array_equal(online_normalise(changed, *moments)[:, :20], online_normalise(trials, *moments)[:, :20])
    assert np.abs(lds(changed)[:, :20] - lds(trials)[:, :20]).min() > 1


def test_online_normalisation_is_a_plain_loop(trials: np.ndarray) -> None:
    mean, variance = initial_moments(trials[:2].reshape(60, 5), np.repeat(["a", "b"], 30))
    assert_allclose(mean, (trials[0].mean(axis=0) + trials[1].mean(axis=0)) / 2)
    assert_allclose(variance, (trials[0].var(axis=0) + trials[1].var(axis=0)) / 2)
    found = online_normalise(trials[2:], mean, variance)
    for session in (2, 3):
        for c in range(1, 31):
            so_far, weight = trials[session, :c], 0.99 ** (c - 1)
            centre = weight * mean + (1 - weight) * so_far.mean(axis=0)
            spread = weight * variance + (1 - weight) * so_far.var(axis=0)
            assert_allclose(found[session - 2, c - 1], (trials[session, c - 1] - centre) / np.sqrt(spread + 1e-10))


def test_bad_input_is_one_line(trials: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"features of shape \(0, 5\): give"):
        lds(trials[0, :0])
    with pytest.raises(DataError, match="NaN or infinite"):
        lds_causal(np.array([[1.0], [np.nan]]))
    with pytest.raises(DataError, match="a window without a subject"):
        initial_moments(trials[0], np.array(["a"]))
    for moments in [(np.zeros(4), np.ones(4)), (np.zeros(5), -np.ones(5)), (np.full(5, np.nan), np.ones(5))]:
        with pytest.raises(DataError, match=r"initial moments of shapes .* for 5 dimensions"):
            online_normalise(trials, *moments)
