"""Rounds: what is labelled at first, what a system is given, and what it is not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from insula.emotions import Binary, Categorical
from insula.labelling.rounds import Part, stratified_order
from insula.samples import Samples
from toy import CLASSES, toy_windows

TASK = Categorical(label="emotion", classes=CLASSES)


def part(samples: Samples | None = None, seed: int = 0) -> Part:
    return Part(toy_windows(subjects=2, sessions=2, trials=6, windows=3) if samples is None else samples, TASK, seed)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=60), st.integers(0, 99))
def test_every_beginning_of_the_order_is_spread_over_the_classes(strata: list[int], seed: int) -> None:
    values = np.array(strata)
    order = stratified_order(values, seed)
    assert sorted(order) == list(range(len(values)))
    known = np.unique(values)
    assert len(set(values[order[: len(known)]])) == len(known), "one of each comes first"
    for count in range(len(known), len(values) + 1):
        got = np.array([(values[order[:count]] == value).sum() for value in known])
        fair = count * np.array([(values == value).sum() for value in known]) / len(values)
        assert (np.abs(got - fair) <= len(known)).all()


def test_the_order_depends_on_the_seed_alone() -> None:
    assert part().order.tolist() == part().order.tolist() != part(seed=1).order.tolist()


def test_the_first_trials_show_every_class() -> None:
    chosen = part()
    first = chosen.first(0.01)
    assert len(first) == chosen.classes == len(CLASSES)
    assert set(chosen.of(first).table["emotion"]) == set(CLASSES)
    assert set(chosen.first(0.5)) < set(chosen.first(0.75)), "a larger share holds the smaller"


def test_a_trial_is_labelled_whole_and_the_rest_not_at_all() -> None:
    chosen = part()
    asked = chosen.first(0.25)
    given_to_fit = chosen.labelled_by(asked)
    assert len(given_to_fit) == len(chosen.samples), "rows without a label are learnt from, too"
    known = given_to_fit.table["emotion"].notna().to_numpy()
    assert (known == np.isin(chosen.names, asked)).all() and known.sum() == 3 * len(asked)
    assert (TASK.targets(given_to_fit.table)[~known] == -1).all()
    assert (TASK.targets(given_to_fit.table)[known] == TASK.targets(chosen.samples.table)[known]).all()


def test_ratings_are_hidden_as_names_are() -> None:
    samples = toy_windows(subjects=1, sessions=1, trials=6)
    samples = samples.with_columns(valence=np.repeat([1, 2, 3, 4, 5, 6], 2))
    rated = Part(samples, Binary(label="valence", threshold=4, tie="high"), 0)
    assert rated.labelled_by(rated.order[:2]).table["valence"].notna().sum() == 4


def test_what_nobody_can_label_is_not_asked_and_still_learnt_from() -> None:
    samples = toy_windows(subjects=1, sessions=1, trials=6)
    labels = samples.table["emotion"].where(samples.table["trial"] != "2")
    chosen = part(samples.with_columns(emotion=labels))
    assert len(chosen.order) == 5 and not any(name.endswith("/2") for name in chosen.order)
    assert len(chosen.labelled_by(chosen.order)) == 12


def test_a_part_without_rows_has_nothing_to_ask() -> None:
    empty = part(toy_windows(subjects=1).select(slice(0)))
    assert len(empty.first(1.0)) == 0 and len(empty.of(empty.first(1.0))) == 0


@pytest.mark.parametrize("share", [0.2, 0.5, 1.0])
def test_a_share_is_of_the_trials(share: float) -> None:
    assert part().count(share) == max(round(share * 24), 3)
