"""What an audit of a few rows says, word by word and number by number."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from insula.errors import DataError, LeakageError
from insula.protocols import Audit, Split, audit, protocol
from insula.protocols.tables import audit_tables
from insula.samples import ArrayStore, Description, Fit, Samples, provenance
from protocols.studies import point

NONE = np.array([], int)
TIMES = {"start": [0.0, 10, 0, 10, 0, 10], "stop": [4.0, 14, 4, 14, 4, 14]}


def people(**columns: object) -> Samples:
    """Return two trials of each of three people."""
    table = provenance(6, corpus="c", subject=list("AABBCC"), session="1", trial=list("121212"), **TIMES)
    return Samples(table.assign(**columns), {})


def by_trial(train: list[int], validation: list[int], test: list[int], samples: Samples, **settings: object) -> Audit:
    rule = protocol("trial-disjoint", scored_unit="sample", **settings)
    return audit(Split(np.array(train), np.array(validation, int), np.array(test)), samples, rule)


def test_a_clean_split_says_what_it_looked_for_and_counted() -> None:
    report = by_trial([0, 2], [3], [1, 4], people())
    assert report.checks == ("sample", "trial", "time", "fitted steps") and report.warnings == ()
    counts = {"train": 2, "validation": 1, "test": 2, "target": 0, "unused": 1, "scored units": 2}
    assert report.counts == counts and report.shared == {"corpus": 1, "subject": 1, "session": 1}
    assert report.leaks == () and report.clean


def test_nothing_is_said_to_be_compared_in_time_where_no_row_has_any() -> None:
    timeless = people(start=np.nan, stop=np.nan)
    for test in ([1, 4], [1]):  # with rows in no part, too
        report = by_trial([0, 2], [3], test, timeless)
        assert report.checks == ("sample", "trial", "fitted steps")
        assert report.warnings == ("time: no row says when it was recorded",)


def test_odd_rows_are_counted_among_those_that_are_used_and_timed() -> None:
    same = people(start=[0.0, 10, 0, 0, 5, np.nan], stop=[4.0, 10, 4, 4, 9, np.nan], trial=list("123456"))
    with pytest.raises(LeakageError, match=r"windows of c/B/1 overlap \(1 row\) \(train: row 2; test: row 3\)"):
        by_trial([0, 1, 2], [], [3, 4, 5], same)
    report = by_trial([0, 1, 2, 3], [], [4, 5], same)
    twice = "time: 1 row of a recording, start and stop that another row has, too"
    assert report.warnings == ("time: 1 row of no duration touch nothing: give start and stop", twice)
    assert by_trial([1, 2], [], [4], same).warnings == report.warnings[:1]
    both = people(start=0.0, stop=[4.0, 4, 5, 5, np.nan, np.nan], trial=list("123456"))
    assert by_trial([0, 1, 2, 3], [], [4, 5], both).warnings == (
        "time: 2 rows of a recording, start and stop that another row has, too",
    )


@pytest.mark.parametrize(
    ("embargo", "leak"),
    [
        (6.0, None),
        (7.0, "windows of c/A/1 overlap or lie within 7 s (1 row) (train: row 0; test: row 1)"),
        (40.0, "windows of c/A/1 overlap or lie within 40 s (1 row) (train: row 0; test: row 1)"),
    ],
)
def test_windows_lie_as_far_apart_as_the_embargo_says(embargo: float, leak: str | None) -> None:
    if leak is None:
        assert by_trial([0, 2], [], [1, 4], people(), embargo=embargo).clean
    else:
        with pytest.raises(LeakageError) as error:
            by_trial([0, 2], [], [1, 4], people(), embargo=embargo)
        assert str(error.value) == leak


def test_the_nearest_window_is_named_and_validation_is_kept_apart_too() -> None:
    near = people(subject=list("AAAABB"), trial=list("123456"), start=[0.0, 20, 40, 27, 0, 30],
                  stop=[9.0, 29, 49, 41, 9, 39])  # fmt: skip
    with pytest.raises(LeakageError, match=r"windows of c/A/1 overlap \(1 row\) \(train: row 3; test: row 1\)"):
        by_trial([3], [], [0, 1, 2], near)
    with pytest.raises(LeakageError, match=r"overlap \(2 rows\) \(validation: rows 1, 2; test: row 3\)"):
        by_trial([4], [1, 2], [3], near)
    with pytest.raises(LeakageError, match=r"overlap \(1 row\) \(train: row 3; validation: row 1\)"):
        by_trial([3], [0, 1, 2], [4], near)


@pytest.mark.parametrize(
    ("parts", "units", "leak"),
    [
        ("TTtttt", None, None),
        ("TtTtTt", None, None),
        ("TtTtTt", ["subject"], "subject A and 2 more are in train and test (train: row 0; test: row 1)"),
        ("TVttTT", ["subject"], "subject A is in train and validation (train: row 0; validation: row 1)"),
        ("TVtTtt", ["subject"], "subject A and 1 more are in train and validation (train: row 0; validation: row 1)"),
    ],
)
def test_units_on_two_sides_are_named_with_their_rows(parts: str, units: list[str] | None, leak: str | None) -> None:
    table = people().table.drop(columns=["corpus", "session", "start", "stop"])
    split = pd.DataFrame({"index": range(6), "part": [{"T": "train", "V": "val", "t": "test"}[one] for one in parts]})
    if leak is None:
        assert audit_tables(table, split, units).clean
    else:
        with pytest.raises(LeakageError) as error:
            audit_tables(table, split, units)
        assert str(error.value) == leak


def test_unknown_units_are_told_or_refused() -> None:
    some = people(trial=["1", None, None, "2", None, "2"])
    rule = protocol("subject-disjoint", scored_unit="sample")
    report = audit(Split(np.array([0, 1]), NONE, np.array([2, 3])), some, rule)
    assert report.warnings == ("trial: unknown in 2 rows, not compared there",)
    with pytest.raises(LeakageError, match=r"the trial of 1 row is unknown \(test: row 2\)"):
        by_trial([0, 1], [], [2, 3], some)
    assert by_trial([0, 1], [], [3, 5], some).warnings == ("trial: unknown in 1 row, not compared there",)
    seen = point(some, "eeg", [True] * 6)
    with pytest.raises(LeakageError, match=r"the trial of 1 row is unknown \(train: row 1\)"):
        by_trial([0, 1], [], [3, 5], seen)


def test_pictures_are_compared_where_the_protocol_parts_what_they_show() -> None:
    pictures = np.random.default_rng(0).integers(0, 255, (6, 32, 32, 3), np.uint8).repeat(2, 1).repeat(2, 2)
    pictures[4] = pictures[0]
    store = ArrayStore(pictures, Description(kind="picture", axes=("row", "column", "colour"), units="uint8 RGB"))
    shown = people(stimulus=list("uvwxyz")).with_modality("picture", "pictures", store, range(6))
    looked, told = (
        "near-duplicate pictures",
        "near-duplicate pictures: not compared, the protocol lets pictures be shared",
    )
    split = Split(np.array([0, 1]), NONE, np.array([2, 3]))
    for disjoint, scored, compared in (
        (("stimulus",), "sample", True),
        (("subject",), "stimulus", True),
        (("subject+stimulus",), "sample", True),
        (("subject",), "sample", False),
        ((), "sample", True),  # at random
        ((), "trial", False),
    ):
        rule = protocol("trial-disjoint").model_copy(update={"disjoint": disjoint, "scored_unit": scored})
        report = audit(split, shown, rule)
        assert (looked in report.checks, told in report.warnings) == (compared, not compared), (disjoint, scored)
    copied = Split(np.array([0, 1]), NONE, np.array([4, 5]))
    with pytest.raises(LeakageError) as error:
        audit(copied, shown, protocol("stimulus-disjoint", scored_unit="sample"))
    assert str(error.value) == (
        "the picture of sample 0 is a near-duplicate of that of sample 4 (1 pair) (train: row 0; test: row 4)"
        ": keep copies on one side: --set protocol.copies=together"
    )
    named = shown.with_columns(path=[f"{name}.png" for name in "uvwxyz"])
    with pytest.raises(LeakageError, match=r"picture of u\.png \(sample 0\) is a near-duplicate of that of y\.png"):
        audit(copied, named, protocol("stimulus-disjoint", scored_unit="sample"))


def test_a_split_that_is_not_the_given_one_says_what_was_given() -> None:
    given = people(part=["train", "train", "validation", "test", "test", None], start=np.nan, stop=np.nan)
    rule = protocol("as-given", scored_unit="sample")
    split = Split(np.array([0, 1]), np.array([2]), np.array([3, 4]))
    assert audit(split, given, rule).clean
    for changed, leak in (
        ({"train": np.array([0]), "test": np.array([1, 3, 4])}, "sample 1 to train, and 1 row so (test: row 1)"),
        ({"train": np.array([0, 1, 5])}, "sample 5 to no part, and 1 row so (train: row 5)"),
    ):
        with pytest.raises(LeakageError) as error:
            audit(dataclasses.replace(split, **changed), given, rule)
        assert str(error.value) == f"the corpus gives {leak}"


CLEANED = "learnt from inputs of the test part, without labels"


@pytest.mark.parametrize(
    ("split", "settings", "columns", "said"),
    [
        (([0, 2], [2], [4, 0], []), {}, {}, "sample 0 is in train and test (in two parts: rows 0, 2)"),
        (([0, 1], [], [4], [9]), {}, {}, "1 ids in target are no samples (first: 9): use the samples that the split "
                                         "was made for"),
        (([0, 1, 4], [], [5], [4]), {}, {}, "labelled target rows in training, where access to the target is none "
                                            "(train: row 4)"),
        (([0, 1, 4, 5], [], [2, 3], [4, 5]), {"target": {"kind": "labelled", "share": 0.1}}, {},
         "2 labelled target units where 10% of 4 are permitted (train: rows 4, 5)"),
        (([0, 1, 4], [], [2, 3], [4]), {"target": {"kind": "labelled", "share": 0.1}}, {}, None),
        (([0, 1], [4], [2, 3], [4, 5]), {"target": {"kind": "labelled", "share": 0.5}}, {},
         "target rows are outside training (validation: row 4)"),
        (([0, 1], [], [2, 3], [4, 5]), {"target": {"kind": "labelled", "share": 0.1}}, {},
         "target rows are outside training (in no part: rows 4, 5): further kinds of leak: 1"),
        (([0, 1], [], [2, 3, 4], []), {}, {"eeg_cleaned_on": ["x", None, "y", "z", "z", None]},
         f"the cleaning of eeg y and 1 more {CLEANED}: say target unlabelled, or clean without learning "
         "(test: rows 2, 3, 4)"),
        (([0, 1], [], [2, 3, 4], []), {}, {"ecg_cleaned_on": ["x", None, None, None, "q", None]},
         f"the cleaning of ecg q {CLEANED}: say target unlabelled, or clean without learning (test: row 4)"),
        (([0, 1], [], [2, 3], []), {}, {"eeg_cleaned_on": ["x", "x", None, None, "y", "y"]}, None),
    ],
)  # fmt: skip
def test_what_is_said_of_a_leak(split: tuple, settings: dict, columns: dict, said: str | None) -> None:
    rule = protocol("subject-disjoint", scored_unit="sample", **settings)
    parts = Split(*(np.array(part, int) for part in split))
    if said is None:
        assert audit(parts, people(**columns), rule).clean
    else:
        with pytest.raises((LeakageError, DataError)) as error:
            audit(parts, people(**columns), rule)
        assert str(error.value) == said


def test_what_the_protocol_allows_is_told_in_a_report_that_names_its_split() -> None:
    rule = protocol("subject-disjoint", scored_unit="sample", target={"kind": "unlabelled"})
    columns = {"eeg_cleaned_on": ["x", None, "y", "z", "z", None], "ecg_cleaned_on": None}
    split = Split(np.array([0, 1]), NONE, np.array([2, 3, 4]), fold=3, protocol="another")
    report = audit(split, people(**columns), rule, [Fit("scaler", np.array([0, 3]), "inputs")])
    assert report.warnings == (
        "the split was made by another protocol than the one it is audited against",
        f"the cleaning of eeg y and 1 more {CLEANED}, as the protocol's target access allows",
    )
    assert (report.fold, report.protocol, report.split) == (3, rule.digest(), split.digest())
    assert report.checks == ("sample", "trial", "subject", "time", "learnt cleaning", "fitted steps")


@pytest.mark.parametrize(
    ("use", "ids", "said"),
    [
        ("labels", [0, 1], None),
        ("labels", [0, 1, 2], "step scaler was fitted (labels) on 1 sample outside its part (validation: row 2)"),
        ("selection", [0, 2], None),
        ("selection", [0, 3, 4], "step scaler was fitted (selection) on 2 samples outside its part (test: rows 3, 4)"),
        ("inputs", [0, 1, 2], None),
        ("inputs", [0, 3], "step scaler was fitted (inputs) on 1 sample outside its part (test: row 3)"),
        ("labels", [5], "step scaler was fitted (labels) on 1 sample outside its part (in no part: row 5)"),
        ("inputs", [0, 77, 78], "step scaler was fitted on 2 samples that the audit does not know (first: 77)"),
    ],
)
def test_a_step_sees_what_its_use_permits(use: str, ids: list[int], said: str | None) -> None:
    split, samples = Split(np.array([0, 1]), np.array([2]), np.array([3, 4])), people(trial=list("123456"))
    fits = [Fit("other", np.array([0]), "labels"), Fit("scaler", np.array(ids), use)]  # type: ignore[arg-type]
    if said is None:
        assert audit(split, samples, protocol("trial-disjoint"), fits).clean
    else:
        with pytest.raises(LeakageError) as error:
            audit(split, samples, protocol("trial-disjoint"), fits)
        assert str(error.value) == said
