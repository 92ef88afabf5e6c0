"""Concepts: thresholds of each class, what is drawn from whom, and what a doubtful sample is to imitate."""

from __future__ import annotations

import math

import pytest
import torch

from insula.objectives.concepts import class_members, class_quantiles, concept_targets, draw_members

classes = torch.tensor([0, 1, 2] * 50)
confidence = torch.rand(150, generator=torch.Generator().manual_seed(0))


def test_a_threshold_is_the_quantile_of_its_class_whatever_the_order() -> None:
    found = class_quantiles(confidence, classes, 3, 0.2)
    for label in range(3):
        assert found[label] == confidence[classes == label].sort().values[math.floor(0.2 * 50)]
    order = torch.randperm(150)
    assert torch.equal(class_quantiles(confidence[order], classes[order], 3, 0.2), found)
    assert class_quantiles(confidence, classes, 4, 0.2)[3].isnan()
    share = (confidence >= found[classes]).float().mean().item()
    assert share == pytest.approx(0.8, abs=0.01)


def test_members_are_drawn_from_the_class_without_replacement_all_where_there_are_few() -> None:
    members = class_members(torch.tensor([0, 0, 0, 0, 0, 0, 1, 1, -1]), 3)
    drawn = draw_members(members, torch.tensor([0] * 200 + [1]), 4)
    for row in drawn[:200]:
        assert len(set(row.tolist())) == 4 and set(row.tolist()) <= set(range(6))
    assert torch.bincount(drawn[:200].flatten()).min() > 100  # each of six, of 800 draws
    assert sorted(drawn[200].tolist()) == [-1, -1, 6, 7]


def test_sure_samples_keep_the_teachers_features_and_doubtful_ones_get_a_mean_of_their_class() -> None:
    taught, pool = torch.randn(6, 4), torch.randn(150, 4)
    gate, labels = torch.tensor([True, False, True, False, False, True]), torch.tensor([0, 0, 1, 1, 2, 2])
    asked: list[torch.Tensor] = []

    def features(places: torch.Tensor) -> torch.Tensor:
        asked.append(places)
        return pool[places]

    found = concept_targets(taught, gate, labels, class_members(classes, 3), features, count=8)
    assert torch.equal(found[gate], taught[gate])
    places = asked[0].reshape(3, 8)
    assert torch.equal(classes[places], labels[~gate][:, None].expand(3, 8))
    assert torch.allclose(found[~gate], pool[places].mean(dim=1), atol=1e-6)


def test_nothing_leaks_from_another_class() -> None:
    pool = torch.ones(150, 4)
    pool[classes == 2] = float("nan")
    labels = torch.tensor([0, 1, 2])
    gate, taught, members = torch.zeros(3, dtype=torch.bool), torch.zeros(3, 4), class_members(classes, 3)
    found = concept_targets(
        taught, gate, labels, members, lambda places: pool[places], count=100
    )  # more than there are
    assert torch.allclose(found[:2], torch.ones(2, 4)) and found[2].isnan().all()


def test_a_class_without_sure_samples_has_no_concept() -> None:
    taught = torch.randn(2, 4)
    members = class_members(torch.tensor([0, 0, -1]), 2)
    found = concept_targets(
        taught,
        torch.tensor([False, False]),
        torch.tensor([1, 0]),
        members,
        lambda places: torch.zeros(len(places), 4),
        2,
    )
    assert torch.equal(found[0], taught[0]) and not found[1].any()
