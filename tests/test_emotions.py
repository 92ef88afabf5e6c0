"""Tasks and label spaces: ties, missing labels, maps by name, and what does not map."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from insula.emotions import (
    ANCHORS,
    LABEL_SPACES,
    Binary,
    Categorical,
    Continuous,
    Cut,
    Several,
    Votes,
    label_map,
    normalise_label,
    parse_task,
    usual_task,
)
from insula.errors import LabelError, SettingsError


def test_a_label_off_the_task_is_named_with_its_row() -> None:
    table = pd.DataFrame({"emotion": ["fear", "bored"]}, index=[10, 11])
    with pytest.raises(LabelError, match=r"label 'bored' is not a class of the task \(column emotion, row 11\)"):
        Categorical(label="emotion", classes=("fear",)).targets(table)


@pytest.mark.parametrize("name", ["red\x1b[31m", "\x00", "\udcff", "\u202eyoj"])
def test_a_class_that_no_page_can_show_is_refused(name: str) -> None:
    with pytest.raises(LabelError, match=r"the class .*\\.* has signs that no page can show: rename it"):
        Categorical(label="emotion", classes=("fear", name))


def test_a_missing_column_lists_what_there_is() -> None:
    with pytest.raises(LabelError, match=r"missing label column \(mood\): the table has emotion"):
        Binary(label="mood", threshold=5, tie="high").targets(pd.DataFrame({"emotion": ["x"]}))


@pytest.mark.parametrize(("tie", "expected"), [("high", [0, 1, 1, -1]), ("low", [0, 0, 1, -1])])
def test_a_tie_falls_where_the_task_says(tie: str, expected: list[int]) -> None:
    table = pd.DataFrame({"valence": [4.9, 5.0, 5.1, np.nan]})
    assert (
        parse_task({"kind": "binary", "label": "valence", "threshold": 5, "tie": tie}).targets(table).tolist()
        == expected
    )


def test_ratings_off_the_scale_are_refused() -> None:
    task = Continuous(label="arousal", scale=(1, 9))
    assert np.allclose(task.targets(pd.DataFrame({"arousal": [1, 3, np.nan]}))[:2], [-1, -0.5])
    with pytest.raises(LabelError, match="rating 90 is off the scale 1 to 9"):
        task.targets(pd.DataFrame({"arousal": [1, 90]}))


def test_votes_become_shares_and_nobody_is_missing() -> None:
    table = pd.DataFrame({"v_a": [3, 0], "v_b": [1, 0]})
    shares = Votes(label="v", classes=("a", "b")).targets(table)
    assert shares[0].tolist() == [0.75, 0.25] and np.isnan(shares[1]).all()
    with pytest.raises(LabelError, match="negative"):
        Votes(label="v", classes=("a", "b")).targets(-table)


def test_label_spaces_map_by_name_and_say_what_does_not() -> None:
    assert label_map("london2", "basic7") == {"neutral": "neutral", "happiness": "happiness"}
    assert label_map("mahnob9", "valence3")["amusement"] == "positive"
    assert "contempt" not in label_map("ferplus8", "basic7", drop=["contempt"])
    with pytest.raises(LabelError, match=r"negative, positive has no counterpart \(valence3 to basic7\)"):
        label_map("valence3", "basic7")
    with pytest.raises(LabelError, match="unknown label space 'moods'"):
        label_map("moods", "basic7")


def test_usual_spellings_are_one_class() -> None:
    assert {normalise_label(name) for name in ("Happy", "joy", " happiness")} == {"happiness"}


def test_every_class_of_the_named_face_spaces_has_a_place_on_the_plane() -> None:
    assert set(LABEL_SPACES["ferplus8"]) <= set(ANCHORS)
    assert all(abs(value) <= 1 for place in ANCHORS.values() for value in place)


def test_a_task_is_part_of_the_identity_of_a_result() -> None:
    one = Binary(label="valence", threshold=5, tie="high")
    assert one.digest() != Binary(label="valence", threshold=5, tie="low").digest()


def test_a_wrong_task_is_one_line() -> None:
    with pytest.raises(SettingsError, match="task"):
        parse_task({"kind": "ordinal", "label": "x"})


def test_a_cut_takes_its_edges_from_all_ratings_and_makes_equal_parts() -> None:
    table = pd.DataFrame({"valence": [*np.random.default_rng(0).normal(0.015, 0.07, 900), np.nan]})
    open_cut = parse_task({"kind": "cut", "label": "valence"})
    with pytest.raises(LabelError, match=r"the cut has no edges \(column valence\): set task.edges"):
        open_cut.targets(table)
    cut = open_cut.at_quantiles(table)
    counts = np.bincount(cut.targets(table)[:-1])
    assert cut.classes == ("low", "medium", "high") and np.abs(counts - 300).max() <= 3
    assert cut.targets(table)[-1] == -1 and cut.digest() != open_cut.digest()
    thirds = np.quantile(table["valence"].dropna(), [1 / 3, 2 / 3])
    assert np.abs(np.array(cut.edges) - thirds).max() < 0.001 and parse_task(cut.model_dump()) == cut


def test_a_cut_that_cannot_be_made_says_why() -> None:
    with pytest.raises(LabelError, match="too many equal ratings for 3 parts"):
        Cut(label="v").at_quantiles(pd.DataFrame({"v": [0.0] * 9 + [1.0]}))
    with pytest.raises(LabelError, match="no ratings to cut"):
        Cut(label="v").at_quantiles(pd.DataFrame({"v": [np.nan]}))
    for wrong in ({"parts": 2}, {"edges": [1.0]}, {"edges": [2.0, 1.0]}):
        with pytest.raises(SettingsError, match="task"):
            parse_task({"kind": "cut", "label": "v", **wrong})


def test_a_key_of_another_kind_of_task_is_one_line() -> None:
    with pytest.raises(SettingsError, match=r"a continuous task has no classes \(task\): leave task.classes out"):
        parse_task({"kind": "continuous", "label": "valence", "classes": None})


SEVERAL = {
    "emotion": {"kind": "categorical", "classes": ["calm", "fear"]},
    "valence": {"kind": "continuous", "scale": [1, 9]},
    "excited": {"kind": "binary", "label": "arousal", "threshold": 5, "tie": "high"},
}


def test_several_tasks_are_read_under_their_names_and_come_back_as_saved() -> None:
    task = parse_task(SEVERAL)
    assert isinstance(task, Several) and task.columns == ("emotion", "arousal", "valence")
    assert task.tasks["valence"] == Continuous(label="valence", scale=(1, 9))
    backwards = {"kind": "several", "tasks": dict(reversed(task.model_dump(mode="json")["tasks"].items()))}
    again = parse_task(backwards)
    assert isinstance(again, Several) and again == task and list(again.tasks) == ["emotion", "excited", "valence"]
    assert task.digest() != parse_task({**SEVERAL, "valence": {"kind": "continuous", "scale": [1, 5]}}).digest()


def test_a_row_without_one_label_counts_for_the_other_tasks() -> None:
    task = parse_task(SEVERAL)
    table = pd.DataFrame({"emotion": ["fear", None, None], "valence": [np.nan, 1, np.nan], "arousal": [np.nan] * 3})
    targets = task.targets(table)
    assert isinstance(targets, dict) and targets["emotion"].tolist() == [1, -1, -1]
    assert np.isnan(targets["valence"]).tolist() == [True, False, True] and targets["excited"].tolist() == [-1] * 3
    assert task.labelled(table).tolist() == [True, True, False] and not len(task.labelled(table[:0]))


def test_what_is_wrong_with_one_of_several_tasks_names_it() -> None:
    with pytest.raises(SettingsError, match=r"lacks scale \(task.mood\): set task.mood.scale=\[1,9\]"):
        parse_task({"mood": {"kind": "ordinal"}})
    with pytest.raises(SettingsError, match="no task of the kind 'several'"):
        parse_task({"all": {"kind": "several", "tasks": SEVERAL}})
    for wrong in (
        {"kind": "several"},
        {"a.b": SEVERAL["valence"]},
        {"kind": "several", "label": "x", "tasks": SEVERAL},
    ):
        with pytest.raises(SettingsError, match="task"):
            parse_task(wrong)


def test_where_one_task_is_wanted_several_are_refused_by_name() -> None:
    assert usual_task({"label": "mood"}) == {"kind": "categorical", "label": "mood"}
    for values in (SEVERAL, parse_task(SEVERAL).model_dump()):
        with pytest.raises(SettingsError, match=r"several: emotion, .*excited.* \(task\): keep one"):
            usual_task(values)


def test_what_is_no_task_among_several_is_named() -> None:
    with pytest.raises(SettingsError, match=r"among several tasks 'valence' is none \(task\): give it as valence: "):
        parse_task({"emotion": {"kind": "categorical", "classes": ["a", "b"]}, "valence": None})
