"""The virtual signal of BMCI: it looks like the class where the brain answers the class, and like nothing else."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from insula.emotions import Categorical
from insula.evaluation.scalp_maps import scalp_tables
from insula.samples import Samples
from insula.systems.bmci.readout import SensorReadout
from insula.systems.bmci.settings import BMCISettings
from insula.systems.bmci.system import BMCI
from toy import CLASSES, toy_parts, toy_study

TASK = Categorical(label="emotion", classes=CLASSES)
SETTINGS = BMCISettings(encoder="linear", trees=20, folds=3, time_bins=10, penalties=(0.01, 1.0))

pytestmark = pytest.mark.slow


@cache
def _fitted(strength: float, brain: str | None = None) -> tuple[BMCI, Samples]:
    train, validation, test = toy_parts(toy_study(pictures=90, strength=strength), test=10, validation=14)
    system = BMCI(SETTINGS) if brain is None else BMCI(SETTINGS).placebo(brain)
    return system.fit(train, validation, TASK), test


def _agreement(strength: float, brain: str | None = None) -> np.ndarray:
    system, test = _fitted(strength, brain)
    signals = system.signals(test.without(["emotion"]))
    found = scalp_tables(signals, test.units("subject"), TASK.targets(test.table), CLASSES)
    assert found is not None
    return found[1]["agreement"].to_numpy()


def test_virtual_maps_agree_with_real_ones_where_the_brain_answers_the_class() -> None:
    assert (_agreement(strength=1.5) > 0.7).all()


def test_virtual_maps_of_a_brain_that_does_not_answer_agree_with_nothing() -> None:
    assert (np.abs(_agreement(strength=0.0)) < 0.3).all()


def test_virtual_maps_of_shuffled_eeg_agree_less_than_those_of_a_code_that_knows_the_class() -> None:
    assert _agreement(1.5, "shuffled").mean() < _agreement(1.5, "class-code").mean() - 0.3


def test_signals_are_binned_microvolts_of_subjects_that_taught() -> None:
    system, test = _fitted(1.5)
    stranger = test.with_columns(subject=test.table["subject"].replace("S2", "S3"))
    signals = system.signals(stranger)
    assert signals.real.shape == signals.virtual.shape == (len(test), 4, 25)
    assert signals.channels == ("Fz", "Cz", "Pz", "Oz") and signals.times[:2] == pytest.approx([0.01, 0.03])
    assert signals.real == pytest.approx(test.read("eeg").reshape(len(test), 4, 25, 2).mean(axis=-1), abs=1e-4)
    known = test.units("subject") == "toy/S1"
    assert np.isfinite(signals.virtual[known]).all() and np.isnan(signals.virtual[~known]).all()


def test_the_eeg_of_a_test_sample_does_not_reach_its_virtual_signal() -> None:
    system, test = _fitted(1.5)
    mine = test.select(test.units("subject") == "toy/S1")
    other = mine.with_columns(eeg_row=np.roll(mine.rows("eeg"), 7))
    before, after = system.signals(mine), system.signals(other)
    assert np.array_equal(before.virtual, after.virtual) and not np.array_equal(before.real, after.real)


def test_the_placebo_of_stacking_has_nothing_to_draw() -> None:
    system, test = _fitted(1.5, "visual-logits")
    signals = system.signals(test)
    assert np.isnan(signals.virtual).all()
    assert scalp_tables(signals, test.units("subject"), TASK.targets(test.table), CLASSES) is None


def test_a_readout_inverts_a_linear_code_and_shrinks_a_random_one() -> None:
    rng = np.random.default_rng(0)
    codes = rng.standard_normal((200, 6))
    epochs = 5 + (codes @ rng.standard_normal((6, 12))).reshape(200, 3, 4)
    held = rng.standard_normal((20, 6))
    assert SensorReadout(codes, epochs)(codes) == pytest.approx(epochs, abs=0.2)
    blind = SensorReadout(rng.standard_normal((200, 6)), epochs)(held)
    assert blind.std(axis=0).mean() < 0.2 * epochs.std(axis=0).mean()
    assert blind.mean(axis=0) == pytest.approx(epochs.mean(axis=0), abs=0.6)
