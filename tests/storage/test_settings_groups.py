"""Groups of settings: what is not named stays as it was in the default or preset they stand over."""

from __future__ import annotations

import pytest

from insula.errors import SettingsError
from insula.storage.settings import Settings, over


class Filter(Settings):
    low: float = 1.0
    high: float = 40.0


class Recording(Settings):
    filter: Filter = Filter(low=4.0)
    rate: float = 200.0


class Study(Settings):
    recording: Recording = Recording(filter=Filter(low=8.0), rate=100.0)
    notch: Filter | None = None


def test_a_group_in_part_keeps_the_rest_of_its_own_default() -> None:
    found = Study.parse({"recording": {"filter": {"high": 30.0}}}, where="test")
    assert found.recording == Recording(filter=Filter(low=8.0, high=30.0), rate=100.0)
    assert Recording.parse({"filter": {}}, where="test").filter.low == 4.0
    assert Study.parse({"notch": {"high": 3.0}}, where="test").notch == Filter(high=3.0), "no default to keep"


def test_a_group_given_whole_is_taken_as_it_is() -> None:
    assert Study(recording=Recording()).recording.filter.low == 4.0


def test_settings_over_a_preset_reach_into_groups_within_groups() -> None:
    preset = Recording(filter=Filter(low=2.0, high=20.0), rate=50.0)
    assert Recording(**over(preset, {"filter": {"low": 3.0}})) == Recording(
        filter=Filter(low=3.0, high=20.0), rate=50.0
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_and_unknown_keys_of_a_group_are_refused(value: float) -> None:
    with pytest.raises(SettingsError, match=r"recording\.rate"):
        Study.parse({"recording": {"rate": value}}, where="test")
    with pytest.raises(SettingsError, match=r"unknown key 'recording\.filter\.lwo'.*known keys are high, low"):
        Study.parse({"recording": {"filter": {"lwo": 3.0}}}, where="test")
