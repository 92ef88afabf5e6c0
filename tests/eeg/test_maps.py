"""Time bins around an event and maps of classes, against plain loops."""

from __future__ import annotations

import numpy as np
import pytest

from insula.eeg.maps import agreement, class_maps, is_time_locked, time_bins
from insula.errors import DataError
from insula.samples import Description


def _form(rate: float | None, start: float | None) -> Description:
    return Description(kind="signal", axes=("channel", "time"), rate=rate, start=start)


@pytest.mark.parametrize(
    ("rate", "start"), [(250, -0.2), (250, 0.0), (250, -0.1), (128, -0.25), (100, 0.1), (1000, -0.2)]
)
def test_bins_are_means_and_none_reaches_over_the_event(rate: float, start: float) -> None:
    values = np.random.default_rng(0).standard_normal((3, 2, round(0.7 * rate)))
    binned, times = time_bins(values, _form(rate, start))
    first, width = int(np.floor(start * rate + 0.5)), max(1, int(np.floor(0.02 * rate + 0.5)))
    clock = first + np.arange(values.shape[-1])  # samples after the event
    for place, time in enumerate(times):
        inside = np.abs((clock + 0.5) / rate - time) < width / rate / 2
        assert inside.sum() == width
        assert np.allclose(binned[..., place], values[..., inside].mean(axis=-1))
        assert (clock[inside] < 0).all() or (clock[inside] >= 0).all()
    assert values.shape[-1] - 2 * width < len(times) * width <= values.shape[-1]


def test_epochs_that_follow_no_event_have_no_bins() -> None:
    values = np.zeros((1, 2, 50))
    assert not is_time_locked(_form(100, None)) and not is_time_locked(_form(None, 0))
    assert is_time_locked(_form(100, -0.1))
    with pytest.raises(DataError, match="follow no event"):
        time_bins(values, _form(100, None))
    with pytest.raises(DataError, match="1 samples at 100 Hz do not fill a time bin"):
        time_bins(values[..., :1], _form(100, 0))


def test_maps_of_classes_are_those_of_a_plain_loop() -> None:
    rng = np.random.default_rng(0)
    values, codes = rng.standard_normal((40, 3, 4)).astype(np.float32), rng.integers(-1, 3, 40)
    found = class_maps(values, codes, 4)  # nobody saw the fourth class
    means = []
    for code in range(3):
        total = np.zeros((3, 4))
        for value, own in zip(values, codes, strict=True):
            total += value * (own == code)
        means.append(total / sum(own == code for own in codes))
    assert np.allclose(found[:3], np.array(means) - sum(means) / 3, atol=1e-6)
    assert np.isnan(found[3]).all()


def test_agreement_is_the_correlation_of_what_both_have() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.standard_normal((2, 5, 6))
    other += one
    expected = np.corrcoef(one[1:].ravel(), other[1:].ravel())[0, 1]
    one[0, :3], other[0, 3:] = np.nan, np.nan
    assert agreement(one, other) == pytest.approx(expected)
    assert np.isnan(agreement(one, np.zeros_like(one)))
