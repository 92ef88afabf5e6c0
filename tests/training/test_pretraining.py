"""Learning without labels by steps: what is drawn, what several processes make of it, and going on after a kill."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from insula.errors import DataError, SettingsError
from insula.training.pretraining import pretrain
from insula.training.settings import Pretraining

SETTINGS = {"epochs": 2, "steps": 3, "draws": 2, "learning_rate": 0.05, "keep_every": 2}


class Denoising:
    """Rows that a linear network is to give back; which ones follows from step and number alone."""

    fingerprint = "rows"

    def __init__(self, stop: int | None = None, scale: float = 1.0) -> None:
        self.stop, self.scale, self.seen = stop, scale, []

    def draw(self, step: int, number: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(100 * step + number)
        return torch.randn(5, 4, generator=generator) * self.scale

    def backward(self, network, batch, share, device):
        if self.stop is not None and len(self.seen) == self.stop:
            raise KeyboardInterrupt
        self.seen.append(batch)
        loss = (network(batch) - batch).square().mean()
        (share * loss).backward()
        return {"total": loss.item()}


def untrained() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Linear(4, 4)


def trained(settings=SETTINGS, objective=None, checkpoints=None):
    network = untrained()
    history = pretrain(network, objective or Denoising(), Pretraining(**settings), 0, checkpoints)
    return network, history


def test_steps_are_those_of_adam_on_the_mean_gradient_of_the_draws():
    network, history = trained({**SETTINGS, "weight_decay": 0.0})
    mine = untrained()
    optimiser = torch.optim.Adam(mine.parameters(), 0.05)
    losses = []
    for step in range(6):
        rows = [Denoising().draw(step, number) for number in range(2)]
        each = [(mine(some) - some).square().mean() for some in rows]
        optimiser.zero_grad()
        torch.stack(each).mean().backward()
        optimiser.step()
        losses.append(np.mean([loss.item() for loss in each]))
    torch.testing.assert_close(network.weight, mine.weight, rtol=1e-5, atol=1e-6)
    assert [epoch["total"] for epoch in history] == pytest.approx([np.mean(losses[:3]), np.mean(losses[3:])], rel=1e-5)
    assert not network.training


def test_two_processes_give_the_weights_of_one(tmp_path):
    one, history = trained()
    two, other = trained({**SETTINGS, "devices": 2})
    torch.testing.assert_close(two.weight, one.weight, rtol=1e-4, atol=1e-6)
    assert [epoch["total"] for epoch in other] == pytest.approx([epoch["total"] for epoch in history], rel=1e-5)


@pytest.mark.parametrize("stop", [5, 9])  # gradients until it is killed: in the first epoch, and in the second
def test_a_killed_run_goes_on_in_mid_epoch_to_the_same_weights(tmp_path, stop):
    whole, history = trained()
    with pytest.raises(KeyboardInterrupt):
        trained(objective=Denoising(stop), checkpoints=tmp_path)
    rest = Denoising()
    again, other = trained(objective=rest, checkpoints=tmp_path)
    assert 0 < len(rest.seen) < 12  # of the gradients of all six steps
    assert torch.equal(again.weight, whole.weight)
    assert other == history


def test_other_data_do_not_go_on_from_a_state(tmp_path):
    trained(checkpoints=tmp_path)
    other = Denoising()
    other.fingerprint = "other rows"
    with pytest.raises(DataError, match=r"data or the settings have changed.*rm .*pretraining\.pt"):
        trained(objective=other, checkpoints=tmp_path)


def test_a_damaged_state_is_one_line(tmp_path):
    (tmp_path / "pretraining.pt").write_bytes(b"no state")
    with pytest.raises(DataError, match=r"damaged.*rm .*pretraining\.pt"):
        trained(checkpoints=tmp_path)


def test_divergence_is_told_with_its_epoch():
    with pytest.raises(SettingsError, match=r"diverged \(epoch 1\): lower learning_rate"):
        trained(objective=Denoising(scale=1e30))


def test_without_epochs_the_network_stays_as_it_began():
    network, history = trained({**SETTINGS, "epochs": 0})
    assert torch.equal(network.weight, untrained().weight)
    assert history == []


def test_each_process_has_a_draw():
    with pytest.raises(SettingsError, match="2 devices share 1 draws"):
        Pretraining(devices=2)


@pytest.mark.parametrize("clip", [None, 0.1])
def test_a_step_is_the_mean_gradient_clipped_at_the_rate_of_the_schedule(clip):
    settings = {**SETTINGS, "optimiser": "sgd", "weight_decay": 0.0, "gradient_clip": clip, "schedule": "cosine"}
    network, _ = trained(settings)
    mine = untrained()
    optimiser = torch.optim.SGD(mine.parameters(), 0.05, momentum=0.9, nesterov=True)
    for step in range(6):
        optimiser.zero_grad()
        rows = [Denoising().draw(step, number) for number in range(2)]
        torch.stack([(mine(some) - some).square().mean() for some in rows]).mean().backward()
        norm = torch.sqrt(sum(part.grad.square().sum() for part in mine.parameters()))
        for part in mine.parameters():
            part.grad *= min(1.0, clip / float(norm)) if clip else 1.0
        optimiser.param_groups[0]["lr"] = 0.05 * (1 + np.cos(np.pi * step / 6)) / 2
        optimiser.step()
    torch.testing.assert_close(network.weight, mine.weight, rtol=1e-4, atol=1e-6)
    assert not torch.allclose(network.weight, untrained().weight, atol=1e-3)
