"""Several tasks at once: folds and shuffles are those of all rows that any of them labels."""

from __future__ import annotations

import numpy as np

from insula.emotions import Task, parse_task
from insula.protocols.controls import permute_labels
from insula.protocols.protocol import protocol
from toy import CLASSES, toy_study

TASKS = {"emotion": {"kind": "categorical", "classes": list(CLASSES)}, "valence": {"kind": "continuous"}}
RATED = (
    toy_study(45)
    .without(["picture_store", "picture_row"])
    .with_columns(valence=lambda table: np.linspace(-1, 1, len(table)))
)


LACKING = RATED.with_columns(
    emotion=RATED.table["emotion"].where(RATED.table["stimulus"] > "picture010", None),
    valence=RATED.table["valence"].where(RATED.table["stimulus"] < "picture030", np.nan),
)


def _splits(task: Task) -> list[set]:
    chosen = protocol("identity-disjoint", folds=3)
    return [set(split.test) for split in chosen.splits(LACKING, task)]


def test_a_row_that_lacks_one_label_is_tested_for_the_others() -> None:
    tested = set().union(*_splits(parse_task(TASKS)))
    one_by_one = [set().union(*_splits(parse_task({"label": name, **one}))) for name, one in TASKS.items()]
    assert tested == one_by_one[0] | one_by_one[1] == set(LACKING.ids)
    assert all(len(alone) < len(tested) for alone in one_by_one)


def test_labels_of_several_tasks_are_shuffled_together() -> None:
    shuffled = permute_labels(RATED, parse_task(TASKS), "sample", 0).table
    pairs = set(zip(RATED.table["emotion"], RATED.table["valence"], strict=True))
    assert set(zip(shuffled["emotion"], shuffled["valence"], strict=True)) == pairs
    assert not shuffled["emotion"].equals(RATED.table["emotion"])
