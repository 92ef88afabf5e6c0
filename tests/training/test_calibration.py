"""Calibration: the temperature against a reference, the sets against a hand computation, the promise by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from insula.training.calibration import Calibration, calibrate, conformal_threshold, fit_temperature


def _overconfident(n: int, classes: int = 4, times: float = 2.5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities whose logits are `times` too large, and labels drawn from the right ones."""
    rng = np.random.default_rng(seed)
    logits = 1.5 * rng.standard_normal((n, classes))
    labels = (softmax(logits, axis=1).cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)
    return softmax(times * logits, axis=1), labels


def test_temperature_is_that_of_gradient_descent_in_torch() -> None:
    import torch

    said, labels = _overconfident(5000)
    logits, wanted = torch.from_numpy(np.log(said)), torch.from_numpy(labels)
    temperature = torch.ones(1, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([temperature], max_iter=100)

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        value = torch.nn.functional.cross_entropy(logits / temperature, wanted)
        value.backward()
        return value

    optimiser.step(loss)
    assert fit_temperature(said, labels) == pytest.approx(temperature.item(), rel=0.005)
    assert fit_temperature(said, labels) == pytest.approx(2.5, rel=0.05)


def test_temperature_lowers_log_loss_and_keeps_every_answer() -> None:
    said, labels = _overconfident(300)
    new, truth = _overconfident(3000, seed=1)
    tempered = calibrate(said, labels, 0.9).temper(new)
    rows = np.arange(len(truth))
    assert -np.log(tempered[rows, truth]).mean() < -np.log(new[rows, truth]).mean() - 0.1
    assert (tempered.argmax(axis=1) == new.argmax(axis=1)).all() and np.allclose(tempered.sum(axis=1), 1)


def test_a_dozen_right_answers_do_not_make_it_certain() -> None:
    said = np.tile([0.7, 0.3], (12, 1))
    said[6:] = said[6:, ::-1]
    labels = np.repeat([0, 1], 6)
    assert 0.4 < fit_temperature(said, labels) < 1


@pytest.mark.parametrize("labels", [[], [2] * 30])
def test_without_two_classes_to_compare_nothing_changes(labels: list[int]) -> None:
    said = np.full((len(labels), 3), 1 / 3)
    assert fit_temperature(said, np.array(labels, int)) == 1
    assert np.array_equal(Calibration().temper(said), said)


def test_a_class_of_probability_zero_keeps_it() -> None:
    assert Calibration(temperature=3.0).temper(np.array([[0.0, 0.9, 0.1]]))[0, 0] == 0


@pytest.mark.parametrize("coverage", [0.6, 0.8, 0.9, 0.95])
@pytest.mark.parametrize("n", [1, 5, 10, 11, 18, 19, 45, 99])
def test_threshold_is_the_rank_computed_by_hand(n: int, coverage: float) -> None:
    rng = np.random.default_rng(n)
    said = rng.dirichlet(np.ones(3), n)
    labels = rng.integers(0, 3, n)
    scores = np.sort(1 - said[np.arange(n), labels])
    by_hand = np.interp((n + 1) * coverage, np.arange(1, n + 1), scores) if n * (1 - coverage) >= 1 else 1.0
    assert conformal_threshold(said, labels, coverage) == pytest.approx(by_hand, abs=1e-6)


@pytest.mark.parametrize(("n", "coverage"), [(18, 0.9), (45, 0.9), (45, 0.8)])
def test_sets_hold_the_label_as_often_as_promised(n: int, coverage: float) -> None:
    """A mean over many draws of a few calibration samples; the classifier is right less often than promised."""
    said, labels = _overconfident(60_000, classes=3, times=1.5)
    fits = len(labels) // (n + 200)
    held = []
    for fit in range(fits):
        part = slice(fit * (n + 200), (fit + 1) * (n + 200))
        found = Calibration(threshold=conformal_threshold(said[part][:n], labels[part][:n], coverage))
        held.append(found.sets(said[part][n:])[np.arange(200), labels[part][n:]].mean())
    error = np.std(held) / np.sqrt(fits)
    assert abs(np.mean(held) - coverage) < 3 * error + 0.003, f"{np.mean(held):.4f} +- {error:.4f}"


def test_too_few_samples_promise_only_what_they_can_keep() -> None:
    said, labels = _overconfident(8)
    assert Calibration(threshold=conformal_threshold(said, labels, 0.9)).sets(said).all()


def test_ties_are_inside() -> None:
    said = np.tile([0.6, 0.4], (40, 1))
    labels = np.repeat([0, 1], 20)
    assert Calibration(threshold=conformal_threshold(said, labels, 0.9)).sets(said).all()


def test_a_set_always_holds_the_answer() -> None:
    said = np.array([[0.4, 0.3, 0.3], [0.98, 0.01, 0.01]])
    assert Calibration(threshold=0.05).sets(said).tolist() == [[True, False, False], [True, False, False]]
