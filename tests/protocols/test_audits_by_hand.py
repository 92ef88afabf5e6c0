"""What audits make of small tables, and of signals, at the edges of their rules."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from test_what_audits_tell import PARTS, eeg, recorded

from insula.errors import DataError, LeakageError
from insula.protocols.duplicates import linked
from insula.protocols.signal_copies import copied_people
from insula.protocols.tables import audit_tables

TIMES = {"start": [0, 10, 5, 15], "stop": [4, 14, 9, 19]}


@pytest.mark.parametrize(
    ("table", "units"),
    [
        ({"corpus": list("aabb"), "subject": ["S1"] * 4}, ["subject"]),  # names hold within a corpus
        ({"session": [1, 1, 2, 2], "start": [0, 9, 0, 9], "stop": [5, 14, 5, 14]}, None),  # so do times in a session
        ({"trial": [None, 1, None, 2]}, None),  # what is unknown is not one
        ({"trial": ["", "1", " ", "2"]}, None),
        ({"subject": list("AABB"), "trial": [1, 2, 1, 2]}, ["person"]),
    ],
)
def test_what_may_be_shared_is_no_leak(table: dict, units: list[str] | None) -> None:
    assert audit_tables(pd.DataFrame(table), PARTS, units).clean


def test_a_recording_without_a_name_has_none() -> None:
    table = pd.DataFrame({"start": [0, 10, 3, 15], "stop": [4, 14, 9, 19]})
    with pytest.raises(LeakageError, match=r"^windows of one recording overlap \(1 row\) \(train: row 0; test"):
        audit_tables(table, PARTS)


def test_a_row_listed_twice_is_named_as_it_is_written() -> None:
    split = pd.DataFrame({"index": [1.0, 1.0, 2.0], "part": ["train", "train", "test"]})
    with pytest.raises(DataError, match="sample 1 is listed twice in train"):
        audit_tables(pd.DataFrame(TIMES), split)


def alike(people: dict[str, np.ndarray], kind: str = "features") -> int:
    return len(copied_people(recorded(people, kind), "eeg")[0])


def features(seed: int, numbers: int = 4, windows: int = 24) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((windows, numbers))


def test_people_are_told_apart_by_how_they_change_and_by_nothing_else() -> None:
    """Neighbours in the table, of eight windows, of a tiny unit: they are compared all the same."""
    assert alike({"S1": eeg(0, 8), "S2": 2 * eeg(0, 8), "S3": eeg(1, 8)}, "signal") == 1
    assert alike({"S1": 1e-4 * features(0), "S2": 1e-4 * features(0), "S3": features(1)}) == 1
    drift = 30 * np.arange(24)[:, None] * np.array([1, -1, 2, 3])  # a trend that everybody's amplifier shows
    assert alike({"S1": drift + features(0), "S2": drift + features(1)}) == 0
    dead = np.zeros((24, 60))  # channels that say nothing, beside three that do
    assert alike({"S1": np.hstack([features(0, 3), dead]), "S2": np.hstack([features(1, 3), dead])}) == 0
    assert alike({"S1": np.ones((24, 4)), "S2": np.ones((24, 4)), "S3": features(1)}) == 0


def test_people_of_unlike_recordings_and_rows_of_nobody_are_left_out() -> None:
    three, four = recorded({"S1": features(0, 3), "S2": features(0, 3)}, "features"), features(1)
    samples = recorded({"S1": four, "S2": four, "S3": features(2)}, "features")
    nobody = samples.table["subject"].where(samples.table["subject"] != "S2", None)
    assert copied_people(samples.with_columns(subject=nobody), "eeg")[0] == []
    silent = samples.table["eeg_row"].where(samples.table["subject"] != "S2", -1)
    assert copied_people(samples.with_columns(eeg_row=silent), "eeg")[0] == []
    assert len(copied_people(three, "eeg")[0]) == 1


def test_rows_linked_through_others_are_one() -> None:
    assert linked(np.array([[3, 2], [0, 3], [5, 4]]), 6).tolist() == [0, 1, 0, 0, 4, 4]
