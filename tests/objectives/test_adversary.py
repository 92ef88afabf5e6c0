"""The adversary: forward nothing changes, backward the sign turns; two domains become one."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from insula.objectives.adversary import domain_loss, reverse_gradient, warm_up


def test_reversal_leaves_values_and_turns_gradients() -> None:
    features = torch.randn(5, 3, requires_grad=True)
    out = reverse_gradient(features, 0.3)
    assert torch.equal(out, features)
    (out**2).sum().backward()
    assert features.grad is not None and torch.allclose(features.grad, -0.3 * 2 * features.detach())


def test_the_schedule_rises_from_0_to_1() -> None:
    steps = [warm_up(p / 20) for p in range(21)]
    assert steps[0] == 0 and steps == sorted(steps) and 0.999 < steps[-1] < 1
    assert steps[10] == pytest.approx(2 / (1 + math.exp(-5)) - 1)


def test_the_classifier_learns_while_the_features_unlearn() -> None:
    torch.manual_seed(0)
    classifier = nn.Linear(2, 1)
    source, target = torch.randn(64, 2) + 2, torch.randn(32, 2) - 2
    shift = torch.zeros(2, requires_grad=True)

    def loss(strength: float) -> torch.Tensor:
        return domain_loss(classifier, source + shift, target, strength)

    loss(1.0).backward()
    assert shift.grad is not None
    gradients = classifier.weight.grad, shift.grad.clone()
    classifier.zero_grad()
    shift.grad = None
    loss(0.5).backward()
    assert torch.allclose(classifier.weight.grad, gradients[0]), "strength is of the features' gradient alone"
    assert torch.allclose(shift.grad, 0.5 * gradients[1])
    optimiser = torch.optim.SGD([*classifier.parameters(), shift], lr=0.1)
    for _ in range(400):
        optimiser.zero_grad()
        loss(1.0).backward()
        optimiser.step()
    gap = (source + shift.detach()).mean(dim=0) - target.mean(dim=0)
    assert float(gap.norm()) < 0.5 * 4 * math.sqrt(2), "source and target have come closer"


def test_each_domain_counts_half() -> None:
    classifier = nn.Linear(1, 1)
    with torch.no_grad():
        classifier.weight.fill_(1.0)
        classifier.bias.zero_()
    source, target = torch.full((1, 1), 2.0), torch.full((99, 1), 2.0)
    expected = (math.log1p(math.exp(-2)) + math.log1p(math.exp(2))) / 2
    assert domain_loss(classifier, source, target, 1.0).item() == pytest.approx(expected, rel=1e-5)
