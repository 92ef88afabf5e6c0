"""What every system refuses of those who write one."""

from __future__ import annotations

from typing import ClassVar

import pytest

from insula.emotions import Categorical
from insula.errors import SettingsError
from insula.samples import Predictions, Samples
from insula.systems.baselines.plain import Majority
from insula.training.settings import Training
from toy import CLASSES, toy_windows

WINDOWS, TASK = toy_windows(subjects=1), Categorical(label="emotion", classes=CLASSES)


class Careless(Majority):
    """Answers for all rows but the first, and names a placebo that it does not build."""

    placebos: ClassVar = {"sugar": "nothing at all"}

    def _predict(self, samples: Samples, mode: str) -> Predictions:
        return super()._predict(samples, mode).select(slice(1, None))


def test_answers_for_other_rows_than_were_asked_for_are_refused() -> None:
    careless = Careless().fit(WINDOWS, WINDOWS.select([]), TASK)
    with pytest.raises(SettingsError, match=r"Careless predicts other rows than it was given .*: give samples\.ids"):
        careless.predict(WINDOWS)


def test_a_placebo_that_is_named_and_not_built_says_so() -> None:
    with pytest.raises(SettingsError, match=r"Careless names the placebo 'sugar' and does not build it .*_settings_of"):
        Careless().placebo("sugar")


def test_each_of_several_devices_has_two_rows_of_a_batch() -> None:
    assert Training(devices=2, batch_size=4).batch_size == 4
    with pytest.raises(SettingsError, match=r"2 devices share 3 rows .*: set training\.batch_size=4"):
        Training(devices=2, batch_size=3)
