"""Settings of CRPN: presets, schedules, arms and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from insula.errors import SettingsError
from insula.systems.catalogue import system
from insula.systems.crpn.settings import Concepts, CRPNSettings
from insula.systems.crpn.system import CRPN
from insula.training.optimisers import rate_factor
from insula.training.settings import Training


def test_presets_are_the_columns_of_the_source() -> None:
    chosen = {name: system("crpn", name).settings for name in ("default", "paper", "code")}
    for settings in chosen.values():
        assert (settings.training.epochs, settings.teacher.training.epochs) == (40, 100)
        assert (settings.training.batch_size, settings.training.learning_rate) == (64, 1e-4)
        assert (settings.training.optimiser, settings.training.weight_decay) == ("adam", 1e-5)
        assert (settings.concepts.count, settings.concepts.quantile) == (8, 0.2)
        assert (settings.label_weight, settings.similarity_weight, settings.distillation_weight) == (2, 1, 1)
        assert (settings.teacher.margin, settings.teacher.confident_share) == (0.15, 0.7)
    default, paper, code = (chosen[name] for name in ("default", "paper", "code"))
    assert [one.teacher.reduction for one in (default, paper, code)] == ["mean_pp", "sum", "mean_pp"]
    assert [one.teacher.task_loss for one in (default, paper, code)] == ["ce", "ce", "focal"]
    assert [one.concepts.similarity for one in (default, paper, code)] == ["mse", "mse", "mmd"]
    assert [one.arm for one in (default, paper, code)] == ["crpn", "crpn", "distillation"]
    assert code.training.betas == (0.5, 0.999) and code.concepts.altered and not code.teacher.scalar_views
    assert paper.concepts.strict and not code.concepts.strict
    assert (paper.teacher.positives, paper.teacher.include_self) == ("sum", True)
    assert {one.teacher.truth for one in (default, paper, code)} == {0}, "the source teaches no such thing"
    for settings, schedule in ((default, "restarts"), (paper, "restarts"), (code, "triangle-by-step")):
        assert settings.training.schedule == settings.teacher.training.schedule == schedule
    assert code.teacher.training.betas == (0.5, 0.999)
    assert (code.concepts.pool, code.concepts.gate) == ("online", "stored")
    assert {paper.teacher.backbone, code.teacher.backbone} == {"resnet50-caffe"}


@pytest.mark.parametrize(
    ("schedule", "by_epoch", "factors"),
    [("triangle-by-step", 100, [1, 0.9045, 0.6545, 0.3455, 0.0955, 0, 0.0955, 0.3455, 0.6545, 0.9045, 1]),
     ("triangle", 1, [1, 0.9045, 0.6545, 0.3455, 0.0955, 0, 0.0955, 0.3455, 0.6545, 0.9045, 1]),
     ("restarts", 2, [1, 0.9755, 0.9045, 0.7939, 0.6545, 0.5, 0.3455, 0.2061, 0.0955, 0.0245, 1])],
)  # fmt: skip
def test_the_three_readings_of_a_cosine_of_period_five(schedule: Any, by_epoch: int, factors: list[float]) -> None:
    found = [rate_factor(Training(schedule=schedule, period=5), step, by_epoch) for step in range(11)]
    assert np.allclose(found, factors, atol=1e-4)


def test_a_group_given_in_part_keeps_the_rest_of_its_own_default() -> None:
    said = system("crpn", training={"epochs": 3}, teacher={"training": {"epochs": 2}}).settings
    for training, epochs in ((said.training, 3), (said.teacher.training, 2)):
        assert (training.epochs, training.keep, training.schedule, training.optimiser) == (
            epochs, "last", "restarts", "adam",
        )  # fmt: skip
    released = system("crpn", "code", teacher={"training": {"epochs": 2}}).settings.teacher
    assert (released.training.epochs, released.training.betas, released.task_loss) == (2, (0.5, 0.999), "focal")


def test_doubtful_samples_are_drawn_at_random_where_the_gate_is_stored() -> None:
    with pytest.raises(SettingsError, match="once"):
        system("crpn", concepts={"stand_in": "shuffled-confidence", "gate": "online"})
    twin = CRPN(CRPNSettings(concepts=Concepts(gate="online"))).placebo("shuffled-confidence")
    assert (twin.settings.concepts.gate, twin.settings.concepts.stand_in) == ("stored", "shuffled-confidence")


def test_each_arm_is_called_what_it_is_and_has_no_placebo_that_equals_it() -> None:
    names = {arm: system("crpn", arm=arm) for arm in ("crpn", "distillation", "percept-only", "teacher")}
    titles = {arm: one.modes["crpn"] for arm, one in names.items()}
    assert titles["crpn"] == "CRPN" and len(set(titles.values())) == 4
    placebos = {arm: tuple(one.placebos) for arm, one in names.items()}
    assert placebos == {
        "crpn": ("percept-only", "distillation", "shuffled-confidence", "random-classes"),
        "distillation": ("percept-only",), "percept-only": (), "teacher": ("percept-only", "distillation"),
    }  # fmt: skip
    with pytest.raises(SettingsError, match="unknown placebo 'random-classes': placebos are percept-only"):
        names["distillation"].placebo("random-classes")


@pytest.mark.parametrize("weight", [float("nan"), float("inf"), -1])
def test_weights_that_are_no_weights_are_refused(weight: float) -> None:
    with pytest.raises(SettingsError, match=r"teacher\.truth"):
        system("crpn", teacher={"truth": weight})


def test_concepts_without_a_confidence_are_refused() -> None:
    with pytest.raises(SettingsError, match="no doubtful samples"):
        system("crpn", teacher={"confidence": False})
    assert system("crpn", arm="teacher", teacher={"confidence": False}).settings.arm == "teacher"
