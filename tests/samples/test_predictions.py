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
    said = Predictions.of(
        ("anger", "fear"), np.array([[0.6, 0.4], [0.6, 0.4], [0.1, 0.9]]), range(3), set_coverage=0.9,
        set=["anger fear", "anger fear", "fear"], mode=["fusion", "fusion", "visual"], reason=["", "", "strange"],
    )  # fmt: skip
    units = said.collapse(np.array(["b", "b", "a"]))
    units.table.to_parquet(tmp_path / "said.parquet")
    table = pd.read_parquet(tmp_path / "said.parquet")
    assert table["set"].to_dict() == {"b": "anger fear", "a": "fear"}
    assert table["reason"].tolist() == ["", "strange"] and table["mode"].tolist() == ["fusion", "visual"]
    assert table["set_coverage"].tolist() == [0.9, 0.9] and units.labels.tolist() == ["anger", "fear"]


def test_sets_read_back_as_written_with_any_class_name() -> None:
    classes = ("no emotion", "emotion", "no")
    admitted = np.array([[a, b, c] for a in (True, False) for b in (True, False) for c in (True, False)])
    assert (split_sets(join_sets(admitted, classes), classes) == admitted).all()
    assert split_sets([], classes).shape == (0, 3)


def test_ratings_have_no_classes_and_say_so() -> None:
    said = Predictions.rate(np.array([1.0, 2.0, 6.0]), range(3), mode=["eeg", "eeg", "both"])
    units = said.collapse(np.array(["a", "a", "b"]))
    assert units.table["rating"].to_dict() == {"a": 1.5, "b": 6.0} and units.classes == ()
    for ask in (lambda: said.probabilities, lambda: said.labels):
        with pytest.raises(DataError, match="ratings have no classes"):
            ask()
