"""What is held out: how much, of which classes, and drawn by which seed."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from studies import TASK, windows

from insula.protocols import protocol
from insula.protocols.partition import assign_folds, hold_out


def classes_of(ids: np.ndarray) -> Counter[str]:
    return Counter(windows(subjects=1, trials=24).by_id(ids).table["emotion"])


@pytest.mark.parametrize("part", ["test", "validation"])
def test_a_drawn_part_holds_its_share_of_each_class(part: str) -> None:
    samples = windows(subjects=1, trials=24)
    shares = {"test_share": 0.25, "validation_share": 0.5}
    for seed in range(5):
        (split,) = protocol("trial-disjoint", seed=seed, **shares).splits(samples, TASK)
        wanted = {"test": 6, "validation": 9}[part]  # rows: 24 trials of 3 windows, 3 classes
        assert classes_of(getattr(split, part)) == dict.fromkeys(TASK.classes, wanted), seed


@pytest.mark.parametrize("stratify", [True, False])
def test_a_seed_draws_the_same_and_another_seed_other_parts(stratify: bool) -> None:
    samples = windows(subjects=1, trials=24)
    drawn = [
        protocol("trial-disjoint", seed=seed, test_share=0.25, stratify=stratify).splits(samples, TASK)[0]
        for seed in (0, 0, 1, 2, 3)
    ]
    for part in ("test", "validation"):
        parts = [tuple(getattr(split, part)) for split in drawn]
        assert parts[0] == parts[1] and len(set(parts)) == 4, part


def test_a_part_is_at_least_one_unit_and_never_all() -> None:
    groups = np.repeat(np.arange(10), 2)
    for share, wanted in ((0.01, 1), (0.26, 3), (0.99, 9)):
        for strata in (None, groups % 2):
            held = hold_out(groups, strata, share, seed=4)
            units = len(np.unique(groups[held]))
            assert units == wanted if strata is None else 1 <= units <= 9, share
            assert np.array_equal(held, hold_out(groups, strata, share, seed=4))
            assert not set(groups[held]) & set(groups[~held])


def test_as_many_rows_of_a_class_as_folds_are_spread_over_them() -> None:
    strata = np.repeat([0, 1, 2], 4)
    for seed in range(5):
        fold = assign_folds(np.arange(12), strata, 4, seed)
        assert all(sorted(strata[fold == number]) == [0, 1, 2] for number in range(4)), seed


def test_a_protocol_without_strata_does_not_balance() -> None:
    samples = windows(subjects=1, trials=24)
    balanced = dict.fromkeys(TASK.classes, 6)
    drawn = [
        protocol("trial-disjoint", seed=seed, test_share=0.25, stratify=False).splits(samples, TASK)[0].test
        for seed in range(8)
    ]
    assert any(classes_of(ids) != balanced for ids in drawn)
