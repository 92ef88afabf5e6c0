"""Losses of networks that know how sure they are: against naive loops, and what moves them."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import cross_entropy, normalize

from insula.objectives.confidence import rank_regularisation, true_class_error
from insula.objectives.contrast import rarity, supervised_contrast
from insula.objectives.focal import focal_loss
from insula.objectives.orthogonality import orthogonality, shared_directions


def units(rows: int, width: int, seed: int = 0) -> torch.Tensor:
    return normalize(torch.randn(rows, width, generator=torch.Generator().manual_seed(seed)), dim=1)


def test_rank_regularisation_is_zero_only_where_the_gap_is_wide_enough() -> None:
    for size in (10, 64, 90):
        high = math.floor(0.7 * size + 1e-9)
        wide = torch.cat([torch.full((high,), 0.8), torch.full((size - high,), 0.65)])
        assert rank_regularisation(wide.double()).item() == pytest.approx(0, abs=1e-9)
        shuffled = wide[torch.randperm(size)]
        assert rank_regularisation(shuffled).item() == pytest.approx(0, abs=1e-6)
        narrow = torch.where(wide > 0.7, 0.7, 0.65)
        assert rank_regularisation(narrow).item() == pytest.approx(0.10, abs=1e-6)


def test_groups_are_seven_tenths_and_the_rest() -> None:
    confidence = torch.rand(64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    rank_regularisation(confidence, margin=1.0).backward()
    assert confidence.grad is not None
    assert (confidence.grad < 0).sum() == 44 and (confidence.grad > 0).sum() == 20  # the high ones rise, the rest falls
    assert confidence[confidence.grad < 0].min() >= confidence[confidence.grad > 0].max()


def test_tiny_batches_have_no_ranks() -> None:
    few = torch.tensor([0.5, 0.5, 0.5], requires_grad=True)
    rank_regularisation(few).backward()
    assert few.grad is not None and not few.grad.any()


def test_confidence_learns_how_probable_its_label_is_and_leaves_the_logits_alone() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(20, 3, generator=generator, requires_grad=True)
    labels = torch.arange(20) % 3
    confidence = torch.full((20,), 0.5, requires_grad=True)
    found = true_class_error(confidence, logits, labels)
    shares = [
        math.exp(row[label]) / sum(map(math.exp, row)) for row, label in zip(logits.tolist(), labels, strict=True)
    ]
    assert found.item() == pytest.approx(sum((0.5 - share) ** 2 for share in shares) / 20, rel=1e-5)
    found.backward()
    assert logits.grad is None and confidence.grad is not None
    assert ((confidence.grad > 0) == (torch.tensor(shares) < 0.5)).all()


def test_focal_loss_is_cross_entropy_without_focus_and_finite_where_it_is_certainly_wrong() -> None:
    logits, targets = torch.randn(20, 5), torch.arange(20) % 5
    assert torch.allclose(focal_loss(logits, targets, gamma=0), cross_entropy(logits, targets), atol=1e-6)
    weights = torch.tensor([1.0, 2.0, 0.5, 1.0, 3.0])
    each = cross_entropy(logits, targets, reduction="none")
    wanted = (weights[targets] * (1 - (-each).exp()) ** 2 * each).mean()
    assert torch.allclose(focal_loss(logits, targets, weights=weights), wanted, atol=1e-6)
    assert torch.isfinite(focal_loss(torch.tensor([[1e4, -1e4]]), torch.tensor([1])))


def naive_contrast(features: torch.Tensor, labels: torch.Tensor, way: str, include_self: bool) -> float:
    n, total = len(features), 0.0
    for i in range(n):
        others = [j for j in range(n) if include_self or j != i]
        below = sum(math.exp(float(features[i] @ features[j]) / 0.07) for j in others)
        same = [p for p in range(n) if p != i and labels[p] == labels[i]]
        terms = [-math.log(math.exp(float(features[i] @ features[p]) / 0.07) / below) for p in same]
        weight = 1 - sum(int(label == labels[i]) for label in labels) / n
        if terms:
            total += weight * (sum(terms) / len(terms) if way == "mean" else sum(terms))
    return total / n


@pytest.mark.parametrize("way", ["mean", "sum"])
@pytest.mark.parametrize("include_self", [False, True])
def test_supervised_contrast_is_the_double_loop(way: str, include_self: bool) -> None:
    features, labels = units(12, 8).double(), torch.tensor([0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 3])  # one of class 3
    found = supervised_contrast(
        features, labels, weights=rarity(labels).double(), positives=way, include_self=include_self
    )
    assert found.item() == pytest.approx(naive_contrast(features, labels, way, include_self), rel=1e-6)


def test_a_class_of_one_adds_nothing_and_spoils_nothing() -> None:
    features = units(3, 4).requires_grad_()
    supervised_contrast(features, torch.tensor([0, 1, 2])).backward()
    assert features.grad is not None and torch.isfinite(features.grad).all() and not features.grad.any()


def test_rare_classes_weigh_more_in_a_batch() -> None:
    assert rarity(torch.tensor([4, 4, 4, 2])).tolist() == [0.25, 0.25, 0.25, 0.75]


def test_reductions_of_orthogonality_are_one_number_on_four_scales() -> None:
    n, width = 20, 8
    first, second = units(n, width), units(n, width, seed=1)
    total = shared_directions(first, second, "sum").item()
    assert total == pytest.approx(float(torch.linalg.matrix_norm(first.T @ second) ** 2), rel=1e-5)
    assert shared_directions(first, second, "mean_pp").item() == pytest.approx(total / width**2, rel=1e-5)
    assert shared_directions(first, second, "mean_nn").item() == pytest.approx(total / n**2, rel=1e-5)
    assert shared_directions(first, second, "mean_nn").item() == pytest.approx(
        orthogonality(first, second).item() ** 2, rel=1e-5
    )
    each = [float(a @ b) ** 2 for a, b in zip(first, second, strict=True)]
    assert shared_directions(first, second, "per_sample").item() == pytest.approx(sum(each) / n, rel=1e-5)


@pytest.mark.parametrize("way", ["sum", "mean_pp", "mean_nn", "per_sample"])
def test_features_of_disjoint_supports_share_nothing(way: str) -> None:
    first, second = torch.zeros(10, 8), torch.zeros(10, 8)
    first[:5, :4], second[5:, 4:] = units(5, 4), units(5, 4, seed=1)
    assert shared_directions(first, second, way).item() == 0
