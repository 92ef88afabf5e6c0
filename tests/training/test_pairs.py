"""Pairs of people: what partners share, what a draw depends on, and what cannot be paired."""

from __future__ import annotations

import random
import warnings

import numpy as np
import pandas as pd
import pytest
import torch

from insula.errors import DataError, SettingsError
from insula.training.pairs import PairSampler

CLIPS = {"a": 0, "b": 100, "c": 200}  # and the second of the session at which each begins


def study(corpus: str = "demo", people: int = 3, sessions: int = 2, windows: int = 4) -> pd.DataFrame:
    """Return windows of people who saw three clips in each session, at times of their own; rows are shuffled."""
    rows = [
        (corpus, f"S{person}", str(session), clip, float(onset + person + 2 * window))
        for person in range(people)
        for session in range(sessions)
        for clip, onset in CLIPS.items()
        for window in range(windows)
    ]
    table = pd.DataFrame(rows, columns=["corpus", "subject", "session", "stimulus", "start"])
    table["stop"] = table["start"] + 5
    table["second"] = table["start"] - table["stimulus"].map(CLIPS) - table["subject"].str[1:].astype(int)
    return table.sample(frac=1, random_state=0)


def halves(table: pd.DataFrame, places: torch.Tensor) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the drawn rows of one person and of the other."""
    n = len(places) // 2
    return table.iloc[places[:n].numpy()], table.iloc[places[n:].numpy()]


def shared(one: pd.DataFrame, other: pd.DataFrame, column: str) -> list[bool]:
    return (one[column].to_numpy() == other[column].to_numpy()).tolist()


def test_partners_share_session_clip_and_second_and_are_two_people() -> None:
    table = study()
    sampler = PairSampler(table)
    people, seconds = set(), set()
    for step in range(40):
        [places] = sampler.draw(0, step, 0)
        one, other = halves(table, places)
        assert sorted(one["stimulus"]) == list(CLIPS)
        assert all(map(all, (shared(one, other, name) for name in ("session", "stimulus", "second"))))
        assert one["subject"].nunique() == other["subject"].nunique() == 1
        people.add((one["session"].iloc[0], *sorted({one["subject"].iloc[0], other["subject"].iloc[0]})))
        seconds |= set(zip(one["stimulus"], one["second"], strict=True))
    assert len(people) == 6  # three pairs in each of two sessions
    assert len(seconds) == 12  # each window of each clip
    assert sampler.counts == {"demo": {"pairs": 6, "clips": 6, "windows": 72}}


def test_a_draw_follows_from_its_numbers_alone() -> None:
    table = pd.concat([study("one"), study("other", people=5)])
    sampler = PairSampler(table)
    first = [places.tolist() for places in sampler.draw(7, 3, 1)]
    state, torch_state = random.getstate(), torch.get_rng_state()
    numpy_state = repr(np.random.get_state(legacy=False))  # noqa: NPY002  # what is asserted is that nobody moves it
    sampler.draw(7, 4, 1)
    assert first == [places.tolist() for places in PairSampler(table).draw(7, 3, 1)]
    assert numpy_state == repr(np.random.get_state(legacy=False))  # noqa: NPY002
    assert random.getstate() == state
    assert torch.equal(torch.get_rng_state(), torch_state)
    for numbers in ((8, 3, 1), (7, 4, 1), (7, 3, 2)):
        assert first != [places.tolist() for places in sampler.draw(*numbers)]


def test_a_corpus_draws_the_same_whichever_lies_beside_it() -> None:
    [alone] = PairSampler(study("one")).draw(0, 5, 0)
    [beside, twin] = PairSampler(pd.concat([study("one"), study("two")])).draw(0, 5, 0)
    assert alone.tolist() == beside.tolist()
    assert (twin - len(study())).tolist() != alone.tolist()


def test_only_seconds_that_both_have_are_drawn() -> None:
    table = study(people=2, sessions=1)
    table = table[(table["subject"] == "S0") | (table["second"] != 2)]
    sampler = PairSampler(table)
    seen = {second for step in range(20) for second in halves(table, sampler.draw(0, step, 0)[0])[0]["second"]}
    assert seen == {0, 4, 6}


def test_clips_limit_a_draw_and_vary() -> None:
    table = study()
    sampler = PairSampler(table, clips=2)
    draws = [halves(table, sampler.draw(0, step, 0)[0]) for step in range(10)]
    assert {len(one) for one, _ in draws} == {2}
    assert {clip for one, _ in draws for clip in one["stimulus"]} == set(CLIPS)
    assert all(all(shared(one, other, "stimulus")) for one, other in draws)


def test_partners_of_the_same_clip_are_of_other_seconds() -> None:
    table = study()
    sampler = PairSampler(table, "same-clip")
    for step in range(10):
        one, other = halves(table, sampler.draw(0, step, 0)[0])
        assert all(shared(one, other, "stimulus"))
        assert not any(shared(one, other, "second"))


def test_people_who_saw_nothing_in_common_are_paired_by_condition() -> None:
    table = study(sessions=1).assign(stimulus=None)
    table["session"] = table["trial"] = table["subject"] + "_" + table["session"]
    table["condition"] = np.where(table["start"] < 100, "rest", "task")
    one, other = halves(table, PairSampler(table, "same-condition").draw(0, 0, 0)[0])
    assert one["condition"].value_counts().to_dict() == {"rest": 4, "task": 8}  # as many of each as both have
    assert all(shared(one, other, "condition"))
    assert not one.index.duplicated().any()
    assert set(one["subject"]).isdisjoint(other["subject"])
    assert PairSampler(table, "same-label", "condition").counts["demo"]["pairs"] == 3
    with pytest.raises(DataError, match=r"no two people have a session of one name \(demo\): .*same-condition"):
        PairSampler(table)


def test_people_whose_sessions_are_named_otherwise_are_paired_by_stimulus() -> None:
    table = study()
    table["session"] = table["subject"] + "-" + table["session"]
    one, other = halves(table, PairSampler(table).draw(0, 0, 0)[0])
    assert all(shared(one, other, "stimulus"))
    assert all(shared(one, other, "second"))


def test_trials_stand_for_clips_where_none_is_named() -> None:
    table = study().rename(columns={"stimulus": "clip"})
    table["trial"] = table["clip"]
    one, other = halves(table, PairSampler(table).draw(0, 0, 0)[0])
    assert all(shared(one, other, "trial"))
    assert all(shared(one, other, "session"))


def test_clips_of_another_length_are_another_clip() -> None:
    table = study(people=2, windows=20)
    shorter = table[(table["subject"] == "S0") | (table["second"] < 38)]
    with pytest.warns(UserWarning, match="demo: 6 of 6 clips last up to 2 s longer for some people"):
        assert PairSampler(shorter).counts["demo"]["clips"] == 6
    with pytest.raises(DataError, match=r"sessions do not match: stimulus a lasts 23 s of one person and 43 s"):
        PairSampler(table[(table["subject"] == "S0") | (table["second"] < 20)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        PairSampler(table)


@pytest.mark.parametrize(
    ("table", "kind", "column", "message"),
    [
        (study(people=1), "time-aligned", None, r"one person only, and nobody to pair with \(demo\): add other people"),
        (
            study().assign(stimulus=study()["subject"]),
            "time-aligned",
            None,
            "no two people have a window of one stimulus",
        ),
        (study(windows=1), "same-clip", None, "no two people have two windows of one stimulus"),
        (study().assign(stimulus=None), "time-aligned", None, "no window of a person has a trial"),
        (study(), "same-second", None, "unknown kind of pairs 'same-second'"),
        (study(), "same-label", None, "no column 'emotion' to pair by"),
        (study(), "same-clip", "stimulus", "same-clip pairs share no column"),
    ],
)
def test_what_cannot_be_paired_is_said(table: pd.DataFrame, kind: str, column: str | None, message: str) -> None:
    with pytest.raises((DataError, SettingsError), match=message):
        PairSampler(table, kind, column)  # type: ignore[arg-type]
