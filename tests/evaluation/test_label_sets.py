"""Scores over all classes and over those present."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from insula.evaluation.label_sets import label_set_metrics

CLASSES = ("neutral", "happiness", "surprise", "fear")


def said(n: int, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = np.array(CLASSES, object)[np.r_[np.arange(classes), rng.integers(0, classes, n - classes)]]
    return truth, rng.dirichlet(np.ones(len(CLASSES)), n)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_two_are_the_same_where_every_class_is_there(weighted: bool) -> None:
    truth, probabilities = said(60, 4, seed=0)
    weights = np.random.default_rng(1).uniform(0.5, 1, 60) if weighted else None
    found = label_set_metrics(truth, probabilities, CLASSES, weights)
    assert {name: found["present_only"][name] for name in found["4way"]} == found["4way"]
    assert found["present_only"]["present_idx"] == [0, 1, 2, 3]


def test_an_absent_class_costs_where_it_may_be_answered_and_cannot_be_where_not() -> None:
    truth, probabilities = said(80, 3, seed=2)
    found = label_set_metrics(truth, probabilities, CLASSES)
    names = np.array(CLASSES, object)
    free, bound = names[probabilities.argmax(axis=1)], names[probabilities[:, :3].argmax(axis=1)]
    assert (free == "fear").any()
    assert found["4way"]["acc"] == pytest.approx((free == truth).mean())
    assert found["present_only"]["acc"] == pytest.approx((bound == truth).mean())
    assert found["4way"]["macro_f1"] == pytest.approx(
        metrics.f1_score(truth, free, labels=list(CLASSES), average="macro", zero_division=0)
    )
    assert found["present_only"]["macro_f1"] == pytest.approx(
        metrics.f1_score(truth, bound, labels=list(CLASSES[:3]), average="macro", zero_division=0)
    )
    assert found["present_only"]["acc"] >= found["4way"]["acc"]
    assert found["present_only"]["present_names"] == list(CLASSES[:3])
