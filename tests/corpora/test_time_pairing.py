"""Two clocks and their frames: offset and drift come out of shared events, frames go by time, gaps stay gaps."""

from __future__ import annotations

import numpy as np
import pytest

from insula.corpora.time_pairing import MAX_DRIFT, Alignment, Clock, cells, fit_clock, moments, nearest_frames
from insula.errors import DataError


def test_offset_and_drift_are_found_among_jitter() -> None:
    rng = np.random.default_rng(0)
    camera = np.sort(rng.uniform(0, 3600, 200))
    eeg = 12.5 + (1 + 300e-6) * camera + 0.01 * rng.standard_normal(200)
    clock = fit_clock(camera, eeg)
    slope, offset = np.polyfit(camera, eeg, 1)
    assert clock.offset == pytest.approx(offset, abs=1e-6)
    assert clock.drift == pytest.approx((slope - 1) * 1e6, abs=1e-3)
    assert clock.offset == pytest.approx(12.5, abs=0.005)
    assert clock.drift == pytest.approx(300, abs=3)
    assert clock.residual == pytest.approx(0.01, rel=0.2)


def test_a_clock_leads_there_and_back() -> None:
    clock, times = Clock(offset=-3.0, drift=-450.0), np.linspace(0, 5000, 7)
    np.testing.assert_allclose(clock.to_camera(clock.to_eeg(times)), times)
    assert clock.to_eeg(1000.0) == pytest.approx(996.55)


def test_an_event_off_the_line_is_named() -> None:
    camera = np.arange(0.0, 1000, 10)
    eeg = camera + 2
    eeg[70] += 0.9
    with pytest.warns(UserWarning, match=r"event 70 of 100 lies \+0\.8\d+ s off"):
        assert fit_clock(camera, eeg).residual == pytest.approx(0.09, abs=0.01)


@pytest.mark.parametrize(
    ("camera", "eeg", "said"),
    [
        ([1.0], [2.0], "1 events of the camera"),
        ([1.0, 2.0, 3.0], [1.0, 2.0], "3 events of the camera and 2 of the EEG"),
        ([1.0, 3.0, 2.0], [1.0, 2.0, 3.0], "events of the camera are not finite or not in order"),
        ([1.0, 2.0, 3.0], [1.0, 1.0, 3.0], "events of the EEG are not finite or not in order"),
        ([1.0, np.nan], [1.0, 2.0], "events of the camera are not finite"),
        ([0.0, 60.0], [0.0, 61.0], "drift apart by 16,667 parts per million"),  # 61 for 60 frames a second
    ],
)
def test_events_that_cannot_be_are_one_line(camera: list[float], eeg: list[float], said: str) -> None:
    with pytest.raises(DataError, match=said) as caught:
        fit_clock(camera, eeg)
    assert "\n" not in str(caught.value)


def test_ntsc_counted_as_thirty_frames_is_no_error() -> None:
    assert 900 < abs(fit_clock([0, 1000], [0, 1000 * 30 / 29.97]).drift) < MAX_DRIFT


def nearest(times: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    return np.array([frame for _, frame in nearest_frames(zip(times, range(len(times)), strict=True), wanted)])


def test_frames_go_by_time_whatever_the_rate() -> None:
    rng = np.random.default_rng(1)
    steady = np.arange(600) / 60
    jittered = steady + rng.uniform(-0.007, 0.007, 600)
    dropped = np.delete(jittered, np.r_[100:160, rng.choice(np.arange(200, 600), 80, replace=False)])
    wanted = np.sort(rng.uniform(-0.5, 10.5, 300))
    for times in (steady, jittered, dropped):
        brute = np.abs(times[:, None] - wanted).min(axis=0)
        np.testing.assert_allclose(np.abs(times[nearest(times, wanted)] - wanted), brute)


def test_no_more_is_read_than_needed_and_no_frame_is_no_error() -> None:
    read: list[float] = []

    def frames() -> object:
        for time in np.arange(100.0):
            read.append(time)
            yield time, None

    assert [time for time, _ in nearest_frames(frames(), np.array([0.2, 2.6]))] == [0.0, 3.0]  # type: ignore[arg-type]
    assert read == [0, 1, 2, 3]
    assert list(nearest_frames([], np.array([1.0]))) == []


@pytest.mark.parametrize("times", [[0.0, 0.2, 0.1], [0.0, 0.2, 0.2], [0.0, np.nan, 0.3]])
def test_times_that_do_not_increase_are_one_line(times: list[float]) -> None:
    with pytest.raises(DataError, match=r"a frame of .* s follows one of .* s"):
        list(nearest_frames(zip(times, times, strict=True), np.array([5.0])))


START = np.arange(0.0, 10, 2)


def looked(times: np.ndarray, found: np.ndarray | bool = True, **settings: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the cells of five windows of two seconds, filmed at these times."""
    alignment = Alignment(**settings)  # type: ignore[arg-type]
    wanted = moments(START, START + 2, alignment.frames)
    taken = times[nearest(times, wanted.ravel())].reshape(wanted.shape)
    return cells(taken, np.broadcast_to(found, taken.shape), START, START + 2, alignment)


def test_the_face_is_the_one_nearest_to_the_middle() -> None:
    chosen, skew = looked(np.arange(0.02, 10, 0.1))
    assert chosen.tolist() == [1] * 5
    np.testing.assert_allclose(skew, 0.02, atol=1e-9)
    found = np.ones((5, 3), bool)
    found[2, 1] = False  # none in the middle: the next is taken
    chosen, skew = looked(np.arange(0, 10, 0.1), found)
    assert chosen[2] == 0 and skew[2] == pytest.approx(-0.7, abs=0.05)


def test_where_less_than_half_of_the_frames_show_a_face_there_is_none() -> None:
    found = np.array([[1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1], [0, 0, 1, 1]], bool)
    chosen, skew = looked(np.arange(0, 10, 0.1), found, frames=4)
    assert (chosen >= 0).tolist() == [True, False, False, True, True]
    assert np.isnan(skew).tolist() == [False, True, True, False, False]


def test_a_gap_in_the_film_is_a_stretch_of_missing_cells() -> None:
    times = np.arange(0, 10, 0.1)
    gap = times[(times < 3.9) | (times > 8.1)]
    chosen, skew = looked(gap)
    assert (chosen >= 0).tolist() == [True, True, False, False, True]
    assert np.isnan(skew).tolist() == [False, False, True, True, False]
    assert (looked(times[::12], max_skew=0.1)[0] >= 0).sum() < 5  # every 1.2 s: often none is near enough
    assert (looked(times[::12], max_skew=0.6)[0] >= 0).all()
