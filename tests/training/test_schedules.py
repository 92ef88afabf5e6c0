"""Learning rates against torch's own schedulers, and what a loss or network is told while training goes on."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import nn

from insula.errors import SettingsError
from insula.systems.picture_network import PictureNetworkSettings
from insula.training.engine import train
from insula.training.optimisers import rate_factor
from insula.training.settings import Training

STEPS, EPOCHS = 7, 20


def _torch_trace(
    build: type[torch.optim.lr_scheduler.LRScheduler], steps: list[float | None], **options: float
) -> list[float]:
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = build(optimiser, **options)  # type: ignore[arg-type]
    trace = []
    for at in steps:
        if at is not None:
            schedule.step(at)  # type: ignore[arg-type]
        trace.append(optimiser.param_groups[0]["lr"])
        if at is None:
            optimiser.step()
            schedule.step()
    return trace


def _ours(**settings: object) -> list[float]:
    chosen = Training(learning_rate=1.0, epochs=EPOCHS, **settings)  # type: ignore[arg-type]
    return [rate_factor(chosen, step, STEPS) for step in range(EPOCHS * STEPS)]


def test_restarts_are_those_of_torch_at_fractions_of_epochs() -> None:
    fractions: list[float | None] = [step / STEPS for step in range(EPOCHS * STEPS)]
    wanted = _torch_trace(torch.optim.lr_scheduler.CosineAnnealingWarmRestarts, fractions, T_0=5)
    assert _ours(schedule="restarts", period=5) == pytest.approx(wanted, abs=1e-12)


def test_triangle_is_torch_cosine_stepped_by_epoch_and_by_step() -> None:
    by_epoch = _torch_trace(torch.optim.lr_scheduler.CosineAnnealingLR, [None] * EPOCHS, T_max=5)
    assert _ours(schedule="triangle", period=5)[::STEPS] == pytest.approx(by_epoch, abs=1e-12)
    by_step = _torch_trace(torch.optim.lr_scheduler.CosineAnnealingLR, [None] * (EPOCHS * STEPS), T_max=5)
    assert _ours(schedule="triangle-by-step", period=5) == pytest.approx(by_step, abs=1e-12)


def test_cosine_rises_first_and_ends_at_the_least_rate() -> None:
    trace = _ours(schedule="cosine", warm_up=2, least_rate=0.01)
    assert trace[: 2 * STEPS] == sorted(trace[: 2 * STEPS]) and trace[0] < 0.1
    assert trace[2 * STEPS] == 1 and trace[2 * STEPS :] == sorted(trace[2 * STEPS :], reverse=True)
    assert trace[-1] == pytest.approx(0.01, abs=1e-3)


class _Counting(nn.Module):
    """A loss that remembers, in a buffer, the epochs it was told of."""

    told: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("told", torch.zeros(10))
        self.fired: list[int] = []

    def begin_epoch(self, epoch: int) -> None:
        self.told[epoch] += 1
        self.fired.append(epoch)

    def forward(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(outputs, targets)


def _study() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 2, (40,), generator=generator)
    return torch.randn(40, 3, generator=generator) + 2 * labels[:, None], labels


def test_a_loss_keeps_its_buffers_over_an_interruption(tmp_path: Path) -> None:
    inputs, labels = _study()
    for epochs in (2, 4):
        torch.manual_seed(0)
        loss = _Counting()
        train(nn.Linear(3, 2), loss, inputs, labels, None, Training(epochs=epochs), 0, tmp_path)
    assert loss.fired == [2, 3]  # the second training began where the first one ended
    assert loss.told[:5].tolist() == [1, 1, 1, 1, 0]


def test_keeping_the_last_epoch_ends_nothing_early_and_chooses_nothing() -> None:
    inputs, labels = _study()
    settings = Training(epochs=8, patience=1, keep="last", learning_rate=0.5)
    trained = train(nn.Linear(3, 2), nn.functional.cross_entropy, inputs, labels, (inputs, labels), settings, 0)
    assert trained.best_epoch == 7 and len(trained.validation_losses) == 8


def test_half_precision_and_channels_last_learn_the_same_thing() -> None:
    torch.manual_seed(0)
    pictures = torch.rand(64, 3, 8, 8)
    labels = (pictures[:, 0].mean((1, 2)) > pictures[:, 1].mean((1, 2))).long()
    losses = []
    for options in ({}, {"channels_last": True}, {"precision": "bf16"}):
        torch.manual_seed(1)
        network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2))
        settings = Training(epochs=5, batch_size=16, learning_rate=0.05, **options)  # type: ignore[arg-type]
        losses.append(train(network, nn.functional.cross_entropy, pictures, labels, None, settings, 0).train_losses[-1])
        assert next(network.parameters()).dtype == torch.float32
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)
    assert losses[2] == pytest.approx(losses[0], rel=0.1) and losses[2] != losses[0]
    assert all(math.isfinite(loss) for loss in losses)


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"batch_size": 0}, {"learning_rate": 0.0}, {"patience": -1}])
def test_a_training_that_is_none_is_refused_before_it_begins(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        Training(**wrong)  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match=r"unknown key 'training.epoch' .*are accumulate, averaging, batch_size"):
        PictureNetworkSettings.parse({"training": {"epoch": 2}}, where="system")
