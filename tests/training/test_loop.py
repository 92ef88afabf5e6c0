"""What new kinds of learning need of the engine: samplers, parts of losses, critics, teachers, memory, processes."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, mse_loss

from insula.errors import DataError, MachineError, SettingsError
from insula.training.devices import in_processes
from insula.training.engine import Companions, Trained, WeightGroup, train
from insula.training.samplers import balanced, paired
from insula.training.settings import Training

FEW = Training(epochs=3, batch_size=8, learning_rate=0.05, optimiser="sgd", gradient_clip=None)


def _study(n: int = 24) -> tuple[torch.Tensor, torch.Tensor]:
    labels = torch.arange(n) % 2
    return torch.randn(n, 4, generator=torch.Generator().manual_seed(0)) + labels[:, None], labels


def _network(*middle: nn.Module) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), *middle, nn.Tanh(), nn.Linear(6, 2))


def _train(network: nn.Module | None = None, loss: Any = cross_entropy, **options: Any) -> tuple[nn.Module, Trained]:
    network = network or _network()
    chosen = FEW.model_copy(update=options.pop("settings", {}))
    return network, train(network, loss, *_study(), _study(6), chosen, 0, **options)


def _same(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


class _Seen(nn.Module):
    """A network that remembers what it was trained on."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.batches = _network(), list[torch.Tensor]()

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.batches.append(inputs)
        return self.inner(inputs)


# samplers -------------------------------------------------------------------------------------------------------------


def test_batches_are_balanced_over_corpora_and_all_of_a_large_one_get_their_turn() -> None:
    corpora = torch.tensor([0] * 12 + [1] * 3)
    order = balanced(corpora)
    epochs = [order(torch.Generator().manual_seed(seed)) for seed in range(6)]
    assert all(corpora[epoch].reshape(-1, 2).tolist() == [[0, 1]] * 8 for epoch in epochs)
    assert all((epoch[corpora[epoch] == 1].bincount()[12:] >= 2).all() for epoch in epochs), "small ones come alike"
    assert set(torch.cat(epochs).tolist()) == set(range(15)) and not torch.equal(epochs[0], epochs[1])


def test_batches_hold_pairs_of_one_stimulus() -> None:
    inputs = torch.zeros(24, 4)
    inputs[:, 0] = torch.arange(24) // 3  # three people saw each of eight stimuli
    network = _Seen()
    train(network, cross_entropy, inputs, _study()[1], None, FEW, 0, sampler=paired(inputs[:, 0].long()))
    assert all((batch[0::2, 0] == batch[1::2, 0]).all() for batch in network.batches)
    assert sum(len(batch) for batch in network.batches) == 3 * 16
    with pytest.raises(DataError, match="no two rows"):
        paired(torch.arange(3))


def test_an_order_is_repeated_after_an_interruption(tmp_path: Path) -> None:
    options: dict[str, Any] = {"sampler": balanced(_study()[1])}
    _train(settings={"epochs": 1}, checkpoints=tmp_path, **options)
    resumed, after = _train(checkpoints=tmp_path, **options)
    whole, straight = _train(**options)
    assert after == straight and _same(resumed, whole)


# losses, optimisers, hooks --------------------------------------------------------------------------------------------


def test_facts_say_what_each_part_of_a_loss_carried() -> None:
    def loss(outputs: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"classes": cross_entropy(outputs, labels), "size": 0.1 * outputs.pow(2).mean()}

    _, trained = _train(loss=loss)
    for total, parts in zip(trained.train_losses, trained.loss_parts, strict=True):
        assert sum(parts.values()) == pytest.approx(total) and set(parts) == {"classes", "size"}
    assert trained.facts()["loss_parts"] == trained.loss_parts[trained.best_epoch]
    assert "loss_parts" not in _train()[1].facts()


class _Contest(nn.Module):
    """An encoder, and a critic that tells labels from codes."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.encoder, self.critic = nn.Linear(4, 3), nn.Linear(3, 2)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.critic(self.encoder(inputs))


def _deceive(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return -cross_entropy(outputs, labels)


def test_a_critic_and_whom_it_judges_step_in_turns_each_down_its_own_loss() -> None:
    inputs, labels = _study(8)
    ours, theirs = _Contest(), _Contest()
    critic = WeightGroup(("critic.",), 0.2, "adam", loss=cross_entropy)
    train(ours, _deceive, inputs, labels, None, FEW.model_copy(update={"weight_decay": 0.0}), 0, groups=[critic])
    first = torch.optim.Adam(theirs.critic.parameters(), lr=0.2)
    second = torch.optim.SGD(theirs.encoder.parameters(), lr=0.05, momentum=0.9, nesterov=True)
    for _ in range(3):
        for optimiser, loss in ((first, cross_entropy), (second, _deceive)):
            theirs.zero_grad()
            loss(theirs(inputs), labels).backward()
            optimiser.step()
    pairs = zip(ours.parameters(), theirs.parameters(), strict=True)
    assert all(torch.allclose(mine, wanted, atol=1e-6) for mine, wanted in pairs)


def test_optimisers_step_together_down_one_loss_and_each_group_has_weights() -> None:
    together, _ = _train(groups=[WeightGroup(("2.",), 0.005, "sgd")])
    rates, _ = _train(rates={"2.": 0.1})
    pairs = zip(together.parameters(), rates.parameters(), strict=True)
    assert all(torch.allclose(mine, wanted, atol=1e-6) for mine, wanted in pairs)
    with pytest.raises(SettingsError, match="no weight to train is called critic"):
        _train(groups=[WeightGroup(("critic",), 0.1)])


class _MeanTeacher(nn.Module):
    """A student beside a teacher whose weights are running means of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.student = _network()
        self.teacher = copy.deepcopy(self.student).requires_grad_(False)

    def forward(self, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.student(inputs), self.teacher(inputs)

    def after_step(self, step: int) -> None:
        for mean, weight in zip(self.teacher.parameters(), self.student.parameters(), strict=True):
            mean.data.lerp_(weight.data, 1 / (step + 1))


def test_an_averaged_teacher_follows_after_each_step_and_over_an_interruption(tmp_path: Path) -> None:
    def agree(outputs: tuple[torch.Tensor, torch.Tensor], labels: torch.Tensor) -> torch.Tensor:
        return cross_entropy(outputs[0], labels) + mse_loss(*outputs)

    _train(_MeanTeacher(), agree, settings={"epochs": 1}, checkpoints=tmp_path)
    resumed, _ = _train(_MeanTeacher(), agree, checkpoints=tmp_path)
    whole, _ = _train(_MeanTeacher(), agree)
    assert _same(resumed, whole) and isinstance(whole, _MeanTeacher)
    begun, student, teacher = _network()[0].weight, whole.student[0].weight, whole.teacher[0].weight
    assert 0 < (teacher - begun).norm() < (student - begun).norm()


# memory, workers, processes -------------------------------------------------------------------------------------------


def test_accumulated_batches_are_one_large_batch() -> None:
    parts, first = _train(settings={"batch_size": 5, "accumulate": 2, "schedule": "cosine"})  # 24 rows: 10, 10 and 4
    whole, second = _train(settings={"batch_size": 10, "schedule": "cosine"})
    assert first.train_losses == pytest.approx(second.train_losses, rel=1e-5)
    pairs = zip(parts.parameters(), whole.parameters(), strict=True)
    assert all(torch.allclose(mine, wanted, atol=1e-6) for mine, wanted in pairs)


@pytest.mark.parametrize("option", [{"recompute": True}, {"workers": 1}])
def test_less_memory_and_reading_ahead_change_nothing(option: dict[str, Any]) -> None:
    middle = nn.Sequential(nn.BatchNorm1d(6), nn.Dropout(0.3))
    kept, _ = _train(_network(copy.deepcopy(middle)))
    other, _ = _train(_network(middle), settings=option)
    assert _same(kept, other)


def test_activations_are_made_again_on_the_way_back() -> None:
    calls = []
    network = _network(nn.Sequential(nn.Tanh(), nn.Linear(6, 6)))
    network[1][0].register_forward_pre_hook(lambda *about: calls.append(torch.is_inference_mode_enabled()))
    _train(network, settings={"recompute": True, "epochs": 1})
    assert calls == 6 * [False] + [True] and "forward" not in vars(network[1]), "each of three batches twice"


def test_two_processes_learn_what_one_learns() -> None:
    alone, one = _train()
    shared, both = _train(settings={"devices": 2})
    assert both.train_losses == pytest.approx(one.train_losses, rel=1e-5)
    pairs = zip(alone.parameters(), shared.parameters(), strict=True)
    assert all(torch.allclose(mine, wanted, atol=1e-6) for mine, wanted in pairs)


def _fail(rank: int) -> None:
    raise SettingsError("the training diverged", where=f"process {rank}", do="lower learning_rate")


def test_a_process_that_fails_says_why_in_one_line() -> None:
    with pytest.raises(
        MachineError, match=r"^a process .*failed: .*the training diverged .process 0.: lower.*devices=1"
    ):
        in_processes(_fail, 1, on_gpu=False)
    with pytest.raises(MachineError, match="pickle"):
        in_processes(lambda rank: None, 1, on_gpu=True)


class _OnDisk:
    """Inputs of which the places that were read are remembered."""

    def __init__(self, rows: torch.Tensor) -> None:
        self.rows, self.read = rows, list[list[int]]()

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, chosen: torch.Tensor) -> torch.Tensor:
        self.read.append(chosen.tolist())
        return self.rows[chosen]


def test_companions_are_read_as_batches_need_them_in_an_order_of_their_own() -> None:
    others = _OnDisk(torch.randn(40, 4))
    beside = Companions(
        others, lambda outputs, n, progress: outputs[n:].pow(2).mean(), balanced(torch.arange(40) // 30)
    )
    _train(loss=lambda outputs, labels: cross_entropy(outputs[: len(labels)], labels), companions=beside)
    assert [len(places) for places in others.read] == [8] * 9
    assert all(sum(place < 30 for place in places) == 4 for places in others.read)


# states ---------------------------------------------------------------------------------------------------------------


def test_a_state_of_another_training_is_refused_in_a_line_and_one_of_an_older_version_left_alone(
    tmp_path: Path,
) -> None:
    (tmp_path / "last.ckpt").write_bytes(b"as insula kept it with Lightning")
    _train(checkpoints=tmp_path, settings={"epochs": 1})
    for network in (_network(nn.Linear(6, 6)), _network()):
        with pytest.raises(DataError, match=r"the state of another training .*training\.pt.* rm "):
            _train(network, checkpoints=tmp_path)
        (tmp_path / "training.pt").write_bytes(b"damaged")
