"""Losses of face networks: against naive loops, and what they do to labels and centres."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from insula.objectives.centre import CentreLoss
from insula.objectives.faces import FaceLoss, SelfCure


def test_centre_loss_and_its_centres_are_those_of_a_loop() -> None:
    torch.manual_seed(0)
    loss, centres = CentreLoss(classes=4, width=3, rate=0.5), torch.zeros(4, 3)
    for _ in range(3):
        features, labels = torch.randn(7, 3), torch.randint(0, 3, (7,))  # nobody is of the last class
        wanted = sum(float((row - centres[label]).square().sum()) for row, label in zip(features, labels, strict=True))
        assert loss(features, labels).item() == pytest.approx(wanted / 2 / len(features), rel=1e-5)
        moved = centres.clone()
        for number in range(4):
            mine = [row - centres[number] for row, label in zip(features, labels, strict=True) if label == number]
            if mine:
                moved[number] += 0.5 * sum(mine) / (1 + len(mine))
        centres = moved
        assert torch.allclose(loss.centres, centres, atol=1e-6)
    assert not loss.centres[3].any()


def test_centres_stay_in_evaluation_and_get_no_gradient() -> None:
    loss = CentreLoss(classes=2, width=2)
    features = torch.ones(3, 2, requires_grad=True)
    loss(features, torch.tensor([0, 1, 1])).backward()
    assert torch.allclose(features.grad, torch.full((3, 2), 1 / 3))  # of (x - c) / n with centres that began at zero
    before = loss.centres.clone()
    loss.eval()(features.detach(), torch.tensor([0, 1, 1]))
    assert torch.equal(loss.centres, before)


def test_the_loss_of_a_face_network_adds_its_parts() -> None:
    torch.manual_seed(1)
    logits, features, labels = torch.randn(6, 3), torch.randn(6, 5), torch.tensor([0, 1, 2, 0, 1, 1])
    shares = functional.one_hot(labels, 3).float()
    loss = FaceLoss(3, 5, label_smoothing=0.1, centre=0.25, contrast=0.5, temperature=0.2)
    units = [row / row.norm() for row in features]
    contrast = 0.0
    for i in range(6):
        others = math.log(sum(math.exp(float(units[i] @ units[j]) / 0.2) for j in range(6) if j != i))
        same = [p for p in range(6) if p != i and labels[p] == labels[i]]
        contrast += sum(others - float(units[i] @ units[p]) / 0.2 for p in same) / max(len(same), 1) / 6
    entropy = 0.0
    for row, label in zip(logits.log_softmax(dim=1), labels, strict=True):
        entropy -= (0.9 * float(row[label]) + 0.1 * float(row.mean())) / 6
    wanted = entropy + 0.25 * float(features.square().sum()) / 2 / 6 + 0.5 * contrast
    assert loss((logits, features), shares).item() == pytest.approx(wanted, rel=1e-5)
    assert loss(logits, shares).item() == pytest.approx(entropy, rel=1e-5)  # as in evaluation


def test_shares_of_votes_are_learnt_as_shares() -> None:
    shares = torch.tensor([[0.7, 0.3]])
    logits = shares.log().requires_grad_()
    FaceLoss(2, 1)(logits, shares).backward()
    assert torch.allclose(logits.grad, torch.zeros(1, 2), atol=1e-6)


def cured(epoch: int, **changes: object) -> SelfCure:
    """Return a loss that saw a batch of four confident samples and two doubtful ones, whose labels look wrong."""
    loss = SelfCure(torch.zeros(10, dtype=torch.long), relabel_from=3, **changes)
    logits = torch.tensor([[0.0, 4.0]] * 5 + [[0.0, 0.1]])  # the last one is hardly surer of the other class
    confidence = torch.tensor([0.9, 0.9, 0.9, 0.9, 0.1, 0.1])
    places = torch.tensor([9, 8, 7, 6, 5, 4])
    loss.begin_epoch(epoch)
    loss((logits, confidence), torch.stack([torch.zeros(6, dtype=torch.long), places], dim=1))
    return loss


def test_only_doubtful_labels_that_are_clearly_wrong_are_changed_and_not_before_their_epoch() -> None:
    assert cured(epoch=2).changed == 0
    late = cured(epoch=3)
    assert late.changed == 1 and late.labels[5] == 1
    assert cured(epoch=3, relabel_margin=0.01).changed == 2


def test_a_changed_label_counts_in_training_and_the_given_one_in_evaluation() -> None:
    loss, logits = cured(epoch=3), torch.tensor([[0.0, 4.0]])
    loss.begin_epoch(0)
    targets, confidence = torch.tensor([[0, 5]]), torch.tensor([0.5])
    half = loss((logits, confidence), targets).item()  # the rank regularisation of one sample is 0
    assert half == pytest.approx(functional.cross_entropy(logits, torch.tensor([1])).item() / 2)
    assert loss(logits, targets).item() == pytest.approx(functional.cross_entropy(logits, torch.tensor([0])).item())


def test_a_checkpoint_keeps_centres_and_changed_labels() -> None:
    assert {"centre.centres"} == set(FaceLoss(2, 3).state_dict())
    assert {"given", "labels"} == set(cured(epoch=3).state_dict())
