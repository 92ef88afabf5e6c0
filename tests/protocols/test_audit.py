"""The audit's report, the manifest of splits, and the audit of anybody's tables."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from insula.errors import DataError, LeakageError, SettingsError
from insula.protocols import Split, audit, audit_tables, open_splits, protocol, save_splits
from insula.protocols.tables import audit_files
from protocols.studies import TASK, watched_pictures, windows

SAMPLES = windows(subjects=6, trials=6)


def test_report_counts_names_its_checks_and_has_a_stable_hash() -> None:
    rule = protocol("subject-disjoint", folds=3)
    split = rule.splits(SAMPLES, TASK)[0]
    found = audit(split, SAMPLES, rule)
    assert found.clean and found.leaks == ()
    assert found.counts == {"train": 54, "validation": 18, "test": 36, "target": 0, "unused": 0, "scored units": 12}
    assert {"sample", "trial", "subject", "time", "fitted steps"} <= set(found.checks)
    assert found.shared["stimulus"] == 6 and found.shared["session"] == 0  # the same films, shown to other people
    plain = json.loads(json.dumps(found.to_dict()))
    assert plain["sha256"] == audit(split, SAMPLES, rule).sha256 and plain["clean"] is True
    other = rule.model_copy(update={"seed": 1})
    assert found.sha256 != audit(split, SAMPLES, other).sha256
    assert any("another protocol" in note for note in audit(split, SAMPLES, other).warnings)


def test_target_rows_that_do_not_train_are_a_leak() -> None:
    rule = protocol("subject-disjoint", folds=3, target={"kind": "labelled", "share": 0.3})
    split = rule.splits(SAMPLES, TASK)[0]
    assert audit(split, SAMPLES, rule).clean and len(split.target)
    misplaced = Split(np.setdiff1d(split.train, split.target[:1]), split.validation, split.test, split.target)
    with pytest.raises(LeakageError, match="target rows are outside training"):
        audit(misplaced, SAMPLES, rule)


def test_as_published_marks_every_figure() -> None:
    rule = protocol("random", as_published=True, folds=3)
    found = audit(rule.splits(SAMPLES, TASK)[0], SAMPLES, rule)
    assert not found.clean and found.as_published
    assert any(leak.startswith("trial c0/S0/0/0 and") for leak in found.leaks)


def test_samples_that_are_not_there_or_twice() -> None:
    rule = protocol("trial-disjoint")
    none = np.array([], int)
    with pytest.raises(DataError, match=r"2 ids in test are no samples.*first: 400"):
        audit(Split(np.array([0]), none, np.array([3, 400, 401])), SAMPLES, rule)
    with pytest.raises(DataError, match=r"sample 5 is listed twice in train"):
        audit(Split(np.array([5, 0, 5]), none, np.array([100])), SAMPLES, rule)


def test_window_that_ends_before_it_begins() -> None:
    table = SAMPLES.table.copy()
    table.loc[7, "stop"] = -1.0
    with pytest.raises(DataError, match=r"stops before it starts.*row 7"):
        protocol("trial-disjoint").splits(SAMPLES.with_columns(stop=table["stop"]), TASK)


def test_manifest_returns_what_was_saved_and_an_altered_one_is_refused(tmp_path: Path) -> None:
    rule = protocol("subject-disjoint", folds=3, target={"kind": "labelled", "share": 0.3})
    splits = rule.splits(SAMPLES, TASK)
    path = tmp_path / "new" / "splits.json"
    save_splits(splits, path)
    again = open_splits(path)
    assert [split.digest() for split in again] == [split.digest() for split in splits]
    assert audit(again[1], SAMPLES, rule).sha256 == audit(splits[1], SAMPLES, rule).sha256
    content = json.loads(path.read_text())
    content["splits"][0]["train"].append(content["splits"][0]["test"][0])
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"manifest was altered"):
        open_splits(path)
    for text, message in (("{", "cannot be read"), ("[]", "cannot be read"), ('{"a": 1}', "cannot be read")):
        path.write_text(text)
        with pytest.raises(DataError, match=message):
            open_splits(path)
    path.write_text(json.dumps({**content, "format": "insula splits 9"}))
    with pytest.raises(DataError, match=r"unknown manifest 'insula splits 9'"):
        open_splits(path)
    with pytest.raises(DataError, match=r"no split manifest here"):
        open_splits(tmp_path / "absent.json")


def test_manifest_keeps_text_ids_and_empty_parts(tmp_path: Path) -> None:
    split = Split(np.array(["a", "b"], object), np.array([], object), np.array(["c"], object))
    save_splits([split], tmp_path / "splits.json")
    (again,) = open_splits(tmp_path / "splits.json")
    assert again.train.tolist() == ["a", "b"] and again.digest() == split.digest() and len(again.validation) == 0
    assert again.validation.dtype == np.int64, "of no ids none is text"


# --- anybody's tables

TABLE = pd.DataFrame({
    "subject": ["S1", "S1", "S1", "S1", "S2", "S2", "S2", "S2"],
    "session": [1, 1, 2, 2, 1, 1, 2, 2],
    "trial": ["T1", "T1", "T1", "T1", "T1", "T1", "T7", "T7"],
    "start": [0, 1, 0, 1, 0, 1, 5, 6],
    "stop": [1, 2, 1, 2, 1, 2, 6, 7],
})  # fmt: skip


def parts(*names: str) -> pd.DataFrame:
    return pd.DataFrame({"index": range(len(names)), "part": names})


def test_trial_on_both_sides_is_named_with_its_rows() -> None:
    with pytest.raises(LeakageError, match=r"trial S2/2/T7 is in train and test \(train: row 6; test: row 7\)"):
        audit_tables(TABLE, parts("train", "train", "train", "train", "val", "val", "train", "test"))


def test_trials_of_one_number_in_other_subjects_and_sessions_are_others() -> None:
    found = audit_tables(TABLE, parts("train", "train", "test", "test", "val", "val", "test", "test"))
    assert found.clean and found.shared == {"subject": 1, "session": 0}


def test_units_asked_for_are_looked_at() -> None:
    split = parts("train", "train", "test", "test", "test", "test", "train", "train")
    assert audit_tables(TABLE, split).clean
    with pytest.raises(LeakageError, match=r"subject S1 and 1 more are in train and test"):
        audit_tables(TABLE, split, ["subject"])
    assert audit_tables(TABLE, split, ["subject+session"]).clean


def test_overlapping_windows_need_no_trial() -> None:
    table = TABLE.drop(columns=["trial"])
    table["start"] = [0, 0.5, 0, 1, 0, 1, 5, 6]
    with pytest.raises(LeakageError, match=r"windows of S1/1 overlap.*train: row 0; test: row 1"):
        audit_tables(table, parts("train", "test", "train", "train", "train", "train", "train", "train"))
    assert audit_tables(TABLE[["start", "stop"]].iloc[6:], parts("train", "test")).clean


def test_times_that_begin_anew_with_every_trial_are_not_taken_for_one_clock() -> None:
    table = pd.DataFrame({"subject": "S1", "trial": [1, 1, 2, 2], "start": [0, 1, 0, 1], "stop": [1, 2, 1, 2]})
    found = audit_tables(table, parts("train", "train", "test", "test"))
    assert any("begin anew" in note for note in found.warnings)


def test_rows_are_found_by_the_tables_own_index() -> None:
    table = TABLE.assign(index=[f"w{n}" for n in range(8)])
    split = pd.DataFrame({"index": ["w0", "w1", "w7"], "part": ["train", "test", " Test "]})
    with pytest.raises(LeakageError, match=r"trial S1/1/T1.*train: row w0; test: row w1"):
        audit_tables(table, split)
    with pytest.raises(DataError, match=r"index w8 is not in the table.*row 0 of the split"):
        audit_tables(table, pd.DataFrame({"index": ["w8"], "part": ["train"]}))
    with pytest.raises(DataError, match=r"names two rows alike"):
        audit_tables(TABLE.assign(index=1), split)


def test_a_row_in_two_parts() -> None:
    split = pd.DataFrame({"index": [0, 4, 0], "part": ["train", "train", "test"]})
    with pytest.raises(LeakageError, match=r"sample 0 is in train and test"):
        audit_tables(TABLE, split)


@pytest.mark.parametrize(
    ("split", "units", "message"),
    [
        (pd.DataFrame({"index": [0, 99], "part": ["train", "test"]}), None, "index 99 is not in the table.*8 rows"),
        (pd.DataFrame({"index": [0, 1.5], "part": ["train", "test"]}), None, "index 1.5 is not in the table"),
        (pd.DataFrame({"index": [0, "x"], "part": ["train", "test"]}), None, "index is 'x'"),
        (pd.DataFrame({"index": [0, 1], "part": ["train", "held"]}), None, "unknown part 'held'.*row 1"),
        (pd.DataFrame({"index": [0, 1], "part": ["train", None]}), None, "no test row"),
        (pd.DataFrame({"index": [0], "part": ["train"]}), None, "no test row"),
        (pd.DataFrame({"place": [0], "part": ["train"]}), None, "no column index"),
        (pd.DataFrame({"index": [0]}), None, "no column part"),
        (parts("train", "test"), ["stimulus"], "no column stimulus"),
    ],
)
def test_tables_that_cannot_be_audited(split: pd.DataFrame, units: list | None, message: str) -> None:
    with pytest.raises(DataError, match=message):
        audit_tables(TABLE, split, units)


def test_a_table_without_provenance_or_with_words_for_seconds() -> None:
    with pytest.raises(DataError, match=r"nothing to audit"):
        audit_tables(pd.DataFrame({"subject": ["a", "b"]}), parts("train", "test"))
    with pytest.raises(DataError, match=r"start is 'noon'.*row 0"):
        audit_tables(pd.DataFrame({"trial": [1, 2], "start": ["noon", 1], "stop": [1, 2]}), parts("train", "test"))
    with pytest.raises(SettingsError, match=r"no unit named 'colour'"):
        audit_tables(TABLE.assign(colour=1), parts("train", "test"), ["colour"])


def test_scored_rows_of_an_unknown_subject_are_refused_when_subjects_count() -> None:
    table = TABLE.assign(subject=TABLE["subject"].where(TABLE.index != 6))
    with pytest.raises(LeakageError, match=r"the subject of 1 row is unknown \(test: row 6\)"):
        audit_tables(table, parts("train", "train", "train", "train", "val", "val", "test", "train"), ["subject"])


def test_files_of_numbers_and_gaps(tmp_path: Path) -> None:
    pd.DataFrame({"subject": [1, 1, None, 2], "trial": [3, 3, None, 3]}).to_csv(tmp_path / "table.csv", index=False)
    parts("train", "test", "train", "test").to_csv(tmp_path / "split.csv", index=False)
    with pytest.raises(LeakageError, match=r"trial 1.0/3.0 is in train and test \(train: row 0; test: row 1\)"):
        audit_files(tmp_path / "table.csv", tmp_path / "split.csv")
    (tmp_path / "named.csv").write_text("trial\nNA\nx\ny\nNA\n")  # NA may be a name
    with pytest.raises(LeakageError, match=r"trial NA is in train and test"):
        audit_files(tmp_path / "named.csv", tmp_path / "split.csv")
    with pytest.raises(DataError, match=r"no such file"):
        audit_files(tmp_path / "absent.csv", tmp_path / "split.csv")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(DataError, match=r"not a CSV file"):
        audit_files(tmp_path / "empty.csv", tmp_path / "split.csv")


def test_numbers_that_gaps_made_fractions_are_whole_again() -> None:
    table = pd.DataFrame({"subject": [1, 1, None, 2], "trial": [3, 3, None, 3]})
    with pytest.raises(LeakageError, match=r"trial 1/3 is in train and test"):
        audit_tables(table, parts("train", "test", "train", "test"))


def test_pictures_seen_by_several_people_share_trial_numbers_but_no_trial() -> None:
    faces = watched_pictures(pictures=48, identities=16)
    rule = protocol("identity-disjoint")
    found = audit(rule.splits(faces, TASK)[0], faces, rule)
    assert found.shared["subject"] == 3 and found.counts["scored units"] < found.counts["test"]


def test_cleaning_that_learnt_from_test_inputs_needs_access_to_them() -> None:
    eeg = windows()
    eeg = eeg.with_columns(eeg_cleaned_on=eeg.table["subject"] + "/" + eeg.table["session"])
    for name in ("trial-disjoint", "subject-disjoint"):
        rule = protocol(name)
        split = rule.splits(eeg, TASK)[0]
        with pytest.raises(
            LeakageError, match=r"cleaning of eeg S\d/0.* learnt from inputs of the test part.*test: rows"
        ):
            audit(split, eeg, rule)
        rule = protocol(name, target="unlabelled")
        found = audit(rule.splits(eeg, TASK)[0], eeg, rule)
        assert found.clean and any("learnt from inputs of the test part" in note for note in found.warnings)
    untouched = eeg.with_columns(eeg_cleaned_on=eeg.table["eeg_cleaned_on"].where(eeg.table["subject"] == "nobody"))
    rule = protocol("trial-disjoint")
    assert audit(rule.splits(untouched, TASK)[0], untouched, rule).clean
