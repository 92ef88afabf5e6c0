"""The engine's second stream, alterations, optimisers and rates; all of it repeats itself after an interruption."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from insula.errors import SettingsError
from insula.training.engine import Companions, Trained, train
from insula.training.settings import Training

SGD = Training(epochs=4, batch_size=16, learning_rate=0.1, optimiser="sgd", decay=0.01, gradient_clip=None)


class _Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.head = nn.Linear(4, 8), nn.Linear(8, 2)
        self.dropout = nn.Dropout(0.3)
        self.seen: list[torch.Tensor] = []

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.seen.append(inputs)
        return self.head(self.dropout(torch.relu(self.first(inputs.float() / 255))))


def _study(n: int = 40, m: int = 25) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(n) % 2
    inputs = torch.randint(0, 128, (n, 4), generator=generator, dtype=torch.uint8)
    inputs[:, 0] += (100 * labels).to(torch.uint8)
    return inputs, labels, torch.randint(200, 256, (m, 4), generator=generator, dtype=torch.uint8)


def _loss(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return cross_entropy(outputs[: len(labels)], labels)


def _noise(inputs: torch.Tensor) -> torch.Tensor:
    return inputs.float() + torch.rand(inputs.shape, device=inputs.device)


def _train(
    settings: Training,
    loss: Callable[[torch.Tensor, int, float], torch.Tensor] = lambda outputs, n, p: p * outputs[n:].pow(2).mean(),
    checkpoints: Path | None = None,
    n: int = 40,
    m: int = 25,
) -> tuple[_Network, Trained]:
    inputs, labels, others = _study(n, m)
    network = _Network()
    held = (inputs[:8], labels[:8])
    companions = Companions(others, loss)
    trained = train(network, _loss, inputs, labels, held, settings, 0, checkpoints, companions=companions, alter=_noise)
    return network, trained


def test_every_batch_is_half_companions_and_all_of_them_get_their_turn() -> None:
    calls: list[tuple[int, int, float]] = []

    def note(outputs: torch.Tensor, n: int, progress: float) -> torch.Tensor:
        calls.append((len(outputs), n, progress))
        return outputs.sum() * 0

    network, _ = _train(SGD, note)
    assert [rows for rows, _, _ in calls] == 4 * [32, 32, 16] and [n for _, n, _ in calls] == 4 * [16, 16, 8]
    assert [p for _, _, p in calls] == pytest.approx([step / 12 for step in range(12)])
    first = network.seen[0]
    assert first[:16].mean() < 190 < first[16:].mean(), "the labelled come first"
    others = [batch[len(batch) // 2 :].floor() for batch in network.seen[:3]]
    assert len({tuple(row.tolist()) for batch in others for row in batch}) == 25


def test_fewer_companions_than_a_batch_are_not_repeated_within_it() -> None:
    network, _ = _train(SGD, m=5)
    assert [len(batch) for batch in network.seen[:3]] == [21, 21, 13]
    assert len({tuple(row.tolist()) for row in network.seen[0][16:].floor()}) == 5


def test_companions_change_what_is_learnt_and_not_the_validation_loss() -> None:
    network, trained = _train(SGD)
    other, _ = _train(SGD, lambda outputs, n, p: 5 * outputs[n:].pow(2).mean())
    assert not torch.equal(network.head.weight, other.head.weight)
    with torch.no_grad():
        inputs, labels, _ = _study()
        kept = cross_entropy(network(inputs[:8]), labels[:8]).item()
    assert kept == pytest.approx(min(trained.validation_losses), rel=1e-4)


def test_alterations_are_new_in_every_epoch_and_of_training_alone() -> None:
    network, _ = _train(SGD)
    firsts = [network.seen[3 * epoch] % 1 for epoch in range(4)]
    assert all((batch != 0).any() for batch in firsts)
    assert not torch.equal(firsts[0], firsts[1])


@pytest.mark.parametrize("settings", [SGD, SGD.model_copy(update={"optimiser": "adamw", "gradient_clip": 1.0})])
def test_an_interrupted_training_resumes_to_the_same_weights(settings: Training, tmp_path: Path) -> None:
    steps = 0

    def pull_the_plug(outputs: torch.Tensor, n: int, progress: float) -> torch.Tensor:
        nonlocal steps
        steps += 1
        if steps == 8:  # within the third epoch
            raise OSError("power cut")
        return progress * outputs[n:].pow(2).mean()

    with pytest.raises(OSError, match="power cut"):
        _train(settings, pull_the_plug, tmp_path)
    resumed, after = _train(settings, checkpoints=tmp_path)
    whole, straight = _train(settings)
    assert len(resumed.seen) == 6, "two epochs were not repeated"
    assert after == straight
    pairs = zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_sgd_is_torchs_with_nesterov_momentum_decay_and_rates_by_name() -> None:
    inputs, labels, _ = _study(n=16)
    ours, theirs = _Network(), _Network()
    ours.dropout.p = theirs.dropout.p = 0.0
    settings = SGD.model_copy(update={"epochs": 5, "weight_decay": 0.01})
    train(ours, _loss, inputs, labels, None, settings, 0, rates={"first.": 0.1})
    groups = [{"params": theirs.first.parameters(), "lr": 0.01}, {"params": theirs.head.parameters(), "lr": 0.1}]
    optimiser = torch.optim.SGD(groups, momentum=0.9, nesterov=True, weight_decay=0.01)
    for step in range(5):
        for group, rate in zip(optimiser.param_groups, (0.01, 0.1), strict=True):
            group["lr"] = rate * (1 + 0.01 * step) ** -0.75
        optimiser.zero_grad()
        _loss(theirs(inputs), labels).backward()
        optimiser.step()
    pairs = zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True)
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in pairs)


def test_frozen_weights_stay() -> None:
    network = _Network()
    network.first.requires_grad_(False)
    before = network.first.weight.clone()
    train(network, _loss, *_study()[:2], None, SGD, 0, rates={"first.": 0.1})
    assert torch.equal(network.first.weight, before)


def test_a_last_batch_of_one_is_left_out() -> None:
    network, _ = _train(SGD, n=33)
    assert [len(batch) for batch in network.seen[:2]] == [32, 32] and len(network.seen) == 8


def test_a_training_that_diverges_says_so() -> None:
    with pytest.raises(SettingsError, match="the training diverged"):
        _train(SGD.model_copy(update={"learning_rate": 1e30}))
