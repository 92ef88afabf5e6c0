"""Predictions: what survives when the samples of one unit become one row, and when they are written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from insula.errors import DataError
from insula.samples import Predictions
from insula.samples.predictions import join_sets, split_sets


def test_sets_and_reasons_survive_collapse_and_parquet(tmp_path: Path) -> None:
    predictions = Predictions.of(
        ("anger", "fear"), np.array([[0.6, 0.4], [0.6, 0.4], [0.1, 0.9]]), range(3), set_coverage=0.9,
        set=["anger fear", "anger fear", "fear"], mode=["fusion", "fusion", "visual"], reason=["", "", "strange"],
    )  # fmt: skip
    units = predictions.collapse(np.array(["b", "b", "a"]))
    units.table.to_parquet(tmp_path / "predictions.parquet")
    table = pd.read_parquet(tmp_path / "predictions.parquet")
    assert table["set"].to_dict() == {"b": "anger fear", "a": "fear"}
    assert table["reason"].tolist() == ["", "strange"] and table["mode"].tolist() == ["fusion", "visual"]
    assert table["set_coverage"].tolist() == [0.9, 0.9] and units.labels.tolist() == ["anger", "fear"]


def test_sets_read_back_as_written_with_any_class_name() -> None:
    classes = ("no emotion", "emotion", "no")
    admitted = np.array([[a, b, c] for a in (True, False) for b in (True, False) for c in (True, False)])
    assert (split_sets(join_sets(admitted, classes), classes) == admitted).all()
    assert split_sets([], classes).shape == (0, 3)


def test_ratings_have_no_classes_and_say_so() -> None:
    predictions = Predictions.rate(np.array([1.0, 2.0, 6.0]), range(3), mode=["eeg", "eeg", "both"])
    units = predictions.collapse(np.array(["a", "a", "b"]))
    assert units.table["rating"].to_dict() == {"a": 1.5, "b": 6.0} and units.classes == ()
    for ask in (lambda: predictions.probabilities, lambda: predictions.labels):
        with pytest.raises(DataError, match="ratings have no classes"):
            ask()


def test_several_tasks_stand_in_one_table_and_come_back_one_by_one(tmp_path: Path) -> None:
    emotion = Predictions.of(("calm", "fear"), np.array([[0.6, 0.4], [0.2, 0.8], [0.9, 0.1]]), range(3), set="calm")
    valence = Predictions.rate(np.array([2.0, 4.0, 7.0]), range(3), uncertainty=0.5)
    both = Predictions.several({"emotion": emotion, "valence": valence}, mode=["eeg", "eeg", "both"])
    both.table.to_parquet(tmp_path / "predictions.parquet")  # no class set is lost in a file
    again = Predictions(pd.read_parquet(tmp_path / "predictions.parquet"), ())
    for predictions in (both, again):
        units = predictions.collapse(np.array(["a", "a", "b"]))
        assert units.of_task("emotion").labels.to_dict() == {"a": "fear", "b": "calm"}
        assert units.of_task("valence").table["rating"].to_dict() == {"a": 3.0, "b": 7.0}
    pd.testing.assert_frame_equal(both.of_task("emotion").table[emotion.table.columns], emotion.table)
    assert list(both.of_task("valence").table) == ["rating", "uncertainty", "mode"]
    with pytest.raises(DataError, match=r"named tasks.*of_task"):
        both.labels  # noqa: B018
    with pytest.raises(DataError, match=r"no predictions of 'arousal': the table has emotion.p_calm"):
        both.of_task("arousal")
    with pytest.raises(DataError, match="different rows"):
        Predictions.several({"emotion": emotion, "valence": Predictions.rate(np.zeros(2), range(2))})


def test_one_class_set_has_named_ratings_beside_it() -> None:
    dimensions = {"valence": [1.0, 3.0], "arousal": [2.0, 2.0], "dominance": [5.0, 9.0]}
    predictions = Predictions.of(("calm", "fear"), np.full((2, 2), 0.5), [7, 8], uncertainty=0.2, **dimensions)
    assert predictions.collapse(np.array(["a", "a"])).of_task("dominance").table["rating"].tolist() == [7.0]
    assert list(predictions.of_task("valence").table) == ["rating"] and predictions.labels.tolist() == ["calm", "calm"]


def test_vectors_and_signals_follow_their_rows() -> None:
    vectors, signals = np.arange(6.0).reshape(3, 2), np.arange(24, dtype=np.float32).reshape(3, 2, 4)
    predictions = Predictions.rate(np.zeros(3), range(3)).with_arrays(embedding=vectors, cause=signals)
    units = predictions.collapse(np.array(["b", "a", "b"]))
    assert units.table.index.tolist() == ["b", "a"]
    assert units.arrays["embedding"].tolist() == [[2.0, 3.0], [2.0, 3.0]]
    assert units.arrays["cause"].shape == (2, 2, 4) and np.array_equal(units.arrays["cause"][1], signals[1])
    some = predictions.select(predictions.table.index.to_numpy() > 0)
    assert some.table.index.tolist() == [1, 2] and np.array_equal(some.arrays["embedding"], vectors[1:])
    assert predictions.select([]).collapse(np.array([])).arrays["cause"].shape == (0, 2, 4)
    joined = Predictions.several({"valence": predictions})
    assert np.array_equal(joined.of_task("valence").arrays["embedding"], vectors)
    with pytest.raises(DataError, match="embedding has 2 rows, and the table 3"):
        predictions.with_arrays(embedding=vectors[:2])
