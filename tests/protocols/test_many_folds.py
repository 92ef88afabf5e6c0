"""Many folds, many people: what splits cost, and that making them later changes nothing."""

from __future__ import annotations

import pickle
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from sklearn.model_selection import StratifiedGroupKFold
from studies import TASK, windows

from insula.protocols import audit, protocol
from insula.protocols.partition import assign_folds


def test_leaving_each_of_many_people_out_does_not_list_everybody_as_often() -> None:
    samples = windows(subjects=1000, trials=3, length=1)
    rule = protocol("subject-disjoint", leave_one_out=True, validation_share=0)
    tracemalloc.start()
    splits = rule.splits(samples, TASK)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(splits) == 1000 and peak < 10e6, "3,000,000 ids of 8 bytes are 24 MB"
    assert sorted(np.concatenate([split.test for split in splits])) == list(samples.ids)
    last = splits[-1]
    assert audit(last, samples, rule).clean and len(last.train) == 2997


def test_a_split_that_is_made_when_asked_is_one_like_any_other() -> None:
    samples = windows(subjects=12)
    rule = protocol("subject-disjoint", leave_one_out=True, target={"kind": "labelled", "share": 0.3})
    split = rule.splits(samples, TASK)[7]
    again = pickle.loads(pickle.dumps(split))
    assert again.digest() == split.digest() == replace(split).digest() and len(split.target)
    with pytest.raises(AttributeError):
        _ = split.training


@pytest.mark.parametrize("seed", range(3))
def test_groups_are_spread_as_scikit_learn_spreads_them(seed: int) -> None:
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, 40, 300)
    strata = (groups % 3 + (rng.random(300) < 0.3)) % 3
    for folds in (2, 5, 9):
        theirs = np.empty(300, int)
        splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
        for number, (_, rows) in enumerate(splitter.split(groups, strata, groups)):
            theirs[rows] = number
        assert np.array_equal(assign_folds(groups, strata, folds, seed), theirs)
