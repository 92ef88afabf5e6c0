"""Brain codes are computed once: the same EEG, labels and settings share them, others do not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from insula.systems.bmci import brain
from insula.systems.bmci.brain import Epochs, brain_code, brain_code_once
from insula.systems.bmci.settings import BMCISettings
from insula.training.settings import Training

SETTINGS = BMCISettings(time_bins=10, folds=2, training=Training(epochs=2, batch_size=16))

pytestmark = pytest.mark.slow


@pytest.fixture
def epochs() -> Epochs:
    rng = np.random.default_rng(0)
    labels = np.arange(36) % 3
    values = rng.standard_normal((36, 4, 20)) + labels[:, None, None]
    return Epochs(values.astype(np.float32), labels, np.array([f"g{number // 3}" for number in range(36)]))


@pytest.fixture(autouse=True)
def computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[BMCISettings]:
    monkeypatch.setenv("INSULA_CACHE", str(tmp_path))
    done: list[BMCISettings] = []
    monkeypatch.setattr(brain, "brain_code", lambda *words: done.append(words[3]) or brain_code(*words))
    return done


def test_a_second_arm_reads_what_the_first_computed(epochs: Epochs, computed: list[BMCISettings]) -> None:
    plain = brain_code(epochs, epochs, 3, SETTINGS, "S1")
    first = brain_code_once(epochs, epochs, 3, SETTINGS, "S1")
    other_pictures = SETTINGS.model_copy(update={"backbone": "resnet18", "trees": 7, "regressors": ("ridge",)})
    second = brain_code_once(epochs, epochs, 3, other_pictures, "S1")
    assert len(computed) == 1
    for code in (first, second):
        np.testing.assert_array_equal(code.targets, plain.targets)
        assert code.alignment == plain.alignment
        np.testing.assert_array_equal(code.encoder.embed(epochs.values), plain.encoder.embed(epochs.values))
        np.testing.assert_array_equal(
            code.encoder.predict_proba(epochs.values), plain.encoder.predict_proba(epochs.values)
        )


@pytest.mark.parametrize("change", [{"seed": 1}, {"folds": 3}, {"time_bins": 5}, {"embeddings": "in-fold"}])
def test_other_settings_are_computed_anew(epochs: Epochs, computed: list[BMCISettings], change: dict) -> None:
    brain_code_once(epochs, None, 3, SETTINGS, "S1")
    brain_code_once(epochs, None, 3, SETTINGS.model_copy(update=change), "S1")
    assert len(computed) == 2


def test_other_epochs_labels_groups_and_validation_are_computed_anew(
    epochs: Epochs, computed: list[BMCISettings]
) -> None:
    others = [
        Epochs(epochs.values + 1, epochs.labels, epochs.groups),
        Epochs(epochs.values, np.roll(epochs.labels, 1), epochs.groups),
        Epochs(epochs.values, epochs.labels, np.roll(epochs.groups, 1)),
    ]
    for one in (epochs, *others):
        brain_code_once(one, None, 3, SETTINGS, "S1")
    brain_code_once(epochs, epochs, 3, SETTINGS, "S1")
    assert len(computed) == 5
