"""The engine: learns, chooses on validation, repeats itself, resumes to the same weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn.functional import cross_entropy

from insula.networks.recurrent import StackedGRU
from insula.storage.progress import followed
from insula.training.engine import Trained, train
from insula.training.settings import Training


@pytest.fixture
def study() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 3, (120,), generator=generator)
    epochs = torch.randn(120, 10, 6, generator=generator)
    epochs[:, 4:, :3] += torch.nn.functional.one_hot(labels, 3)[:, None, :]
    return epochs, labels


def _network() -> StackedGRU:
    torch.manual_seed(1)
    return StackedGRU(channels=6, classes=3, hidden=24, embedding=12)


def _train(
    study: tuple[torch.Tensor, torch.Tensor], epochs: int, checkpoints: Path | None = None, patience: int = 50
) -> tuple[StackedGRU, Trained]:
    inputs, labels = study
    network = _network()
    settings = Training(epochs=epochs, patience=patience, learning_rate=1e-2, batch_size=32)
    held = (inputs[90:], labels[90:])
    return network, train(network, cross_entropy, inputs[:90], labels[:90], held, settings, 0, checkpoints)


def test_learns_and_leaves_the_best_validation_weights(study: tuple[torch.Tensor, torch.Tensor]) -> None:
    network, trained = _train(study, epochs=25)
    assert trained.validation_losses[trained.best_epoch] == min(trained.validation_losses)
    with torch.no_grad():
        kept = cross_entropy(network(study[0][90:]), study[1][90:]).item()
    assert kept == pytest.approx(min(trained.validation_losses), rel=1e-4)
    assert kept < 0.8 * trained.validation_losses[0]


def test_tells_who_follows_how_far_it_is(study: tuple[torch.Tensor, torch.Tensor]) -> None:
    steps: list[tuple[int, int, str]] = []
    with followed(lambda *step: steps.append(step)):
        _train(study, epochs=2)
    _train(study, epochs=1)
    assert steps == [(done, 6, "training") for done in range(1, 7)]


def test_stops_after_patience(study: tuple[torch.Tensor, torch.Tensor]) -> None:
    _, trained = _train(study, epochs=200, patience=3)
    assert len(trained.validation_losses) == trained.best_epoch + 4 < 200


def test_same_seed_same_weights_and_global_random_state_untouched(study: tuple[torch.Tensor, torch.Tensor]) -> None:
    state = torch.random.get_rng_state()
    first, _ = _train(study, epochs=3)
    torch.random.set_rng_state(state)
    second, _ = _train(study, epochs=3)
    assert all(
        torch.equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    )


def test_interrupted_training_resumes_to_the_same_result(
    study: tuple[torch.Tensor, torch.Tensor], tmp_path: Path
) -> None:
    _train(study, epochs=3, checkpoints=tmp_path)
    resumed, after = _train(study, epochs=6, checkpoints=tmp_path)
    whole, straight = _train(study, epochs=6)
    assert after == straight
    assert all(
        torch.equal(a, b) for a, b in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True)
    )


def test_a_training_that_had_ended_early_does_not_go_on(
    study: tuple[torch.Tensor, torch.Tensor], tmp_path: Path
) -> None:
    first, before = _train(study, epochs=200, checkpoints=tmp_path, patience=3)
    again, after = _train(study, epochs=200, checkpoints=tmp_path, patience=3)
    assert before == after
    assert all(torch.equal(a, b) for a, b in zip(first.state_dict().values(), again.state_dict().values(), strict=True))


def test_without_validation_every_epoch_is_run(study: tuple[torch.Tensor, torch.Tensor]) -> None:
    network = _network()
    trained = train(network, cross_entropy, *study, None, Training(epochs=2), 0)
    assert (trained.best_epoch, len(trained.train_losses), trained.validation_losses) == (1, 2, ())
    assert not network.training


def test_the_head_stays_frozen_and_orthogonal(study: tuple[torch.Tensor, torch.Tensor]) -> None:
    before = _network().head.weight
    network, _ = _train(study, epochs=3)
    assert torch.equal(network.head.weight, before)
    gram = network.head.weight @ network.head.weight.T
    assert torch.allclose(gram / gram[0, 0], torch.eye(3), atol=1e-5)
