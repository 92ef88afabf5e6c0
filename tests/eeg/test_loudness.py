"""A person's mean and deviation: of what is no artefact, over all sessions."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from insula.eeg.loudness import robust_moments
from insula.errors import DataError


def test_moments_leave_artefacts_out_and_take_all_sessions_together() -> None:
    rng = np.random.default_rng(0)
    sessions = [rng.normal(2, 10, (2, 3, 50)).astype(np.float32), rng.normal(-1, 20, (4, 70)).astype(np.float32)]
    sessions[1][0, :5] = 1e5
    values = np.concatenate([session.ravel() for session in sessions]).astype(np.float64)
    inside = values[np.abs(values) < 30 * np.median(np.abs(values))]
    assert len(values) - len(inside) == 5
    assert_allclose(robust_moments(sessions), (inside.mean(), inside.std()), rtol=1e-6)
    assert robust_moments(iter(sessions)) == robust_moments(sessions)
    volts = robust_moments([session * np.float32(1e-6) for session in sessions])
    assert_allclose(np.multiply(volts, 1e6), robust_moments(sessions), rtol=1e-5)


@pytest.mark.parametrize("level", [0.0, 40.0])
def test_a_flat_recording_has_no_loudness(level: float) -> None:
    with pytest.raises(DataError, match="signals that are constant, or zero for the most part: leave the person out"):
        robust_moments([np.full((2, 100), level, np.float32)])
