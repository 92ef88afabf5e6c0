"""Units and clocks of a few rows, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from insula.emotions import parse_task
from insula.protocols.clock import Timeline
from insula.protocols.partition import assign_folds
from insula.protocols.splitting import strata_of
from insula.protocols.units import clock_codes, lies_within, person_codes, unit_codes, unit_names
from insula.samples import Samples, provenance


@pytest.mark.parametrize(
    ("inner", "outer", "within"),
    [
        ([0, 0, 0], [0, 0, 0], True),
        ([0, 1, 1], [0, 0, 0], True),
        ([0, 0, 1], [0, 1, 1], False),
        ([0, 0, 1], [0, -1, 1], True),  # where either is unknown nothing is known
        ([0, -1, -1], [0, 1, 2], True),
        ([-1, -1, -1], [0, 1, 1], False),
    ],
)
def test_units_that_lie_within_others(inner: list[int], outer: list[int], within: bool) -> None:
    assert lies_within(np.array(inner), np.array(outer)) is within


def test_a_clock_is_somebodys_and_times_a_whole_window() -> None:
    nan, none = float("nan"), [None] * 5
    times = {"start": [0, 1, nan, 3, 0], "stop": [1, 2, 3, nan, 1]}
    for given in ({"subject": list("AAAAB")}, {"session": list("xxxxy")}):
        table = provenance(5, corpus="c", **{"subject": none, "session": none, **given, **times})
        assert clock_codes(Samples(table, {})).tolist() == [0, 0, -1, -1, 1]
    assert clock_codes(Samples(provenance(5, corpus="c", **times), {})).tolist() == [-1] * 5


def test_windows_touch_within_their_own_recording() -> None:
    """Two recordings of unlike length, whose rows do not come in their order."""
    clock = np.array([1, 0, 1, 1, 0, -1, 1])
    start = np.array([4.0, 0.0, 0.0, 8.5, 0.5, 0.0, 5.0])
    timeline = Timeline(clock, start, start + 1.5, 0.0)
    for marked, wanted in ((0, [6]), (1, [4]), (2, []), (4, [1]), (5, []), (6, [0])):
        assert np.flatnonzero(timeline.touching(np.arange(7) == marked)).tolist() == wanted
    wide = Timeline(clock, start, start + 1.5, 2.5)
    assert np.flatnonzero(wide.touching(np.arange(7) == 0)).tolist() == [6], "2.5 seconds lie between, as they must"
    instants = Timeline(np.zeros(3, int), np.array([5.0, 5.0, 6.0]), np.array([5.0, 5.0, 6.0]), 0.0)
    assert instants.touching(np.array([True, False, False])).tolist() == [False, True, False]
    assert np.flatnonzero(Timeline(clock, start, start + 1.5, 2.6).touching(np.arange(7) == 0)).tolist() == [2, 6]


def test_a_subject_here_and_a_face_there_are_one_person_where_a_corpus_says_so() -> None:
    table = provenance(
        5, corpus=list("aaabc"), subject=["x", "y", None, "x", "x"], identity=["y", None, "x", None, "x"],
        session=list("11111"), trial=list("11122"),
    )  # fmt: skip
    samples = Samples(table, {}, ["a", "b"])
    assert person_codes(samples).tolist() == [[0, 1, -1, 2, -1], [1, -1, 0, -1, -1]]
    assert unit_codes(samples, "session").tolist() == [0, 1, 0, 2, 3], "the session of a face is its person's"
    assert unit_names(samples, "session").tolist() == ["a/x/1", "a/y/1", "a/x/1", "b/x/1", "c/x/1"]
    assert unit_codes(Samples(table, {}), "session").tolist() == [0, 1, 2, 3, 4]
    assert unit_codes(samples, "subject+trial").tolist() == [0, 1, -1, 2, 3]


@pytest.mark.parametrize(
    ("task", "strata"),
    [
        ({"label": "emotion", "kind": "categorical", "classes": ["fear", "joy"]}, [0, 1, -1, -1, 0, 1, 1, 1, 1, 1, 1]),
        ({"label": "valence", "kind": "continuous"}, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, -1]),
        ({"label": "votes", "kind": "votes", "classes": ["fear", "joy"]}, [0, 1, 1, 0, -1, 0, 0, 0, 0, 0, 0]),
        (  # of the first by name, and one more where others alone label
            {"emotion": {"kind": "categorical", "classes": ["fear", "joy"]}, "valence": {"kind": "continuous"}},
            [0, 1, 2, 2, 0, 1, 1, 1, 1, 1, 1],
        ),
    ],
)
def test_folds_are_balanced_over_classes_quantiles_and_most_votes(task: dict, strata: list[int]) -> None:
    table = provenance(11, corpus="c").assign(
        emotion=["fear", "joy", None, None, "fear", *["joy"] * 6], valence=[*np.arange(10) / 10, np.nan],
        votes_fear=[2, 0, 1, 4, 0, *[3] * 6], votes_joy=[1, 3, 2, 0, 0, *[1] * 6],
    )  # fmt: skip
    assert strata_of(parse_task(task), Samples(table, {})).tolist() == strata


def test_folds_are_whole_numbers_and_small_classes_are_no_news(recwarn: pytest.WarningsRecorder) -> None:
    folds = assign_folds(np.arange(9), np.array([0] * 7 + [1] * 2), 3, seed=0)
    assert folds.dtype == np.int64 and np.bincount(folds).tolist() == [3, 3, 3]
    assert not [warning for warning in recwarn if issubclass(warning.category, UserWarning)]
