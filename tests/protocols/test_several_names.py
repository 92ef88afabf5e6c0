"""People under several names: spellings that are joined on request, and names that a table says are one person's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from insula.errors import DataError, LeakageError, SettingsError
from insula.protocols import Split, audit, audit_tables, protocol
from insula.samples import Samples, provenance
from protocols.studies import CLASSES, TASK

NONE = np.array([], int)
HEADER = "corpus,person,other_corpus,other_person\n"


def people(**columns: list[str | None]) -> Samples:
    """Return three rows a person, of one label each."""
    count = 3 * len(next(iter(columns.values())))
    table = provenance(count, **{"corpus": "c", **{name: np.repeat(values, 3) for name, values in columns.items()}},
                       trial=[str(row) for row in range(count)])  # fmt: skip
    return Samples(table.assign(emotion=[CLASSES[row % 3] for row in range(count)]), {})


def test_spellings_are_told_with_what_is_typed_to_join_them_and_joined_where_it_is() -> None:
    samples = people(subject=["S01", "s1", "S2", "S3", "S4"])
    rule = protocol("subject-disjoint", leave_one_out=True, validation_share=0)
    splits = rule.splits(samples, TASK)
    assert len(splits) == 5
    assert any("'S01' and 's1' count as different people" in line and "--set protocol.spellings=joined" in line
               for line in audit(splits[0], samples, rule).warnings)  # fmt: skip
    joined = rule.model_copy(update={"spellings": "joined"})
    with pytest.warns(UserWarning, match=r"people: c/S01 = c/s1 count as one person each, as asked"):
        splits = joined.splits(samples, TASK)
    assert len(splits) == 4 and splits[0].test.tolist() == [0, 1, 2, 3, 4, 5]
    report = audit(splits[0], samples, joined)
    assert report.clean and any("c/S01 = c/s1" in line for line in report.warnings)
    with pytest.raises(LeakageError, match=r"subject c/S01 = c/s1 is in train and test"):
        audit(rule.splits(samples, TASK)[0], samples, joined)


def test_only_what_is_one_spelling_is_joined_and_in_one_corpus_and_column() -> None:
    samples = people(corpus=["a", "b", "b", "b"], subject=["1", "01", "x1", "11"], identity=["01", None, None, "1"])
    rule = protocol("subject-disjoint", leave_one_out=True, validation_share=0, spellings="joined")
    assert len(rule.splits(samples, TASK)) == 4


def test_tables_of_others_join_spellings_on_request() -> None:
    table = pd.DataFrame({"subject": ["P001", "p1", "2", "2"], "trial": [1, 2, 3, 4]})
    split = pd.DataFrame({"index": range(4), "part": ["train", "test", "train", "train"]})
    assert any("join them by --spellings joined" in line for line in audit_tables(table, split, ["subject"]).warnings)
    with pytest.raises(LeakageError, match=r"subject P001 = p1 is in train and test"):
        audit_tables(table, split, ["subject"], spellings="joined")
    with pytest.raises(SettingsError, match="spellings: Input should be 'told' or 'joined'"):
        audit_tables(table, split, ["subject"], spellings="joint")


def test_one_person_under_two_corpora_s_names_is_found_and_named_by_both(tmp_path: Path) -> None:
    samples = people(corpus=["a", "a", "b", "b"], subject=["S1", "S2", "7", "8"])
    (tmp_path / "people.csv").write_text(HEADER + "a,S1,b,7\n")
    given = {"validation_share": 0, "same_people": str(tmp_path / "people.csv")}
    for name, changes in {
        "cross-corpus": {"leave_one_out": True},
        "corpus-to-corpus": {"test_corpora": ("b",), "scored_unit": "trial"},
    }.items():
        alone = protocol(name, **changes, validation_share=0)
        assert audit(alone.splits(samples, TASK)[0], samples, alone).clean
        rule = protocol(name, **changes, **given)
        with pytest.warns(UserWarning, match="people: a/S1 = b/7"):
            split = rule.splits(samples, TASK)[0]
        with pytest.raises(LeakageError, match=r"person a/S1 = b/7 is in train and test"):
            audit(split, samples, rule)
    rule = protocol("subject-disjoint", leave_one_out=True, **given)
    with pytest.warns(UserWarning, match="people: a/S1 = b/7"):
        splits = rule.splits(samples, TASK)
    assert len(splits) == 3 and splits[0].test.tolist() == [0, 1, 2, 6, 7, 8]


@pytest.mark.filterwarnings("ignore:people")
def test_who_was_recorded_in_one_corpus_and_photographed_in_another_is_one_person(tmp_path: Path) -> None:
    samples = people(corpus=["a", "a", "b", "b", "b"], subject=["1", "2", None, None, None],
                     identity=[None, None, "7", "8", "9"])  # fmt: skip
    (tmp_path / "people.csv").write_text(HEADER + "b,7,a,1\n")
    rule = protocol("person-disjoint", leave_one_out=True, validation_share=0, same_people=str(tmp_path / "people.csv"))
    splits = rule.splits(samples, TASK)
    assert len(splits) == 4 and splits[0].test.tolist() == [0, 1, 2, 6, 7, 8]
    parted = Split(np.arange(6), NONE, np.arange(6, 15))
    with pytest.raises(LeakageError, match=r"b/7 = a/1 is in train and test"):
        audit(parted, samples, rule)


def test_where_people_may_be_shared_who_has_two_names_is_told() -> None:
    table = pd.DataFrame({"corpus": list("aabb"), "subject": ["S1", "S2", "7", "8"], "trial": range(4)})
    split = pd.DataFrame({"index": range(4), "part": ["train", "train", "test", "test"]})
    same = pd.DataFrame({"corpus": ["a"], "person": ["S1"], "other_corpus": ["b"], "other_person": [7]})
    report = audit_tables(table, split, same_people=same)
    assert report.clean and any("person a/S1 = b/7 is in train and test" in line for line in report.warnings)
    for unit in ("subject", "corpus"):
        with pytest.raises(LeakageError, match=r"a/S1 = b/7 is in train and test"):
            audit_tables(table, split, [unit], same_people=same)
    one = table.drop(columns="corpus")
    with pytest.raises(LeakageError, match=r"subject S1 = 7 is in train and test"):
        audit_tables(one, split, ["subject"], same_people=same[["person", "other_person"]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("corpus,person\na,S1\n", "the table of people has no column other_person"),
        ("person,other_person\nS1,7\n", "the table of people has no column corpus"),
        (HEADER, "the table of people is empty"),
        (HEADER + "a,S1,b,\n", "other_person is empty .*row 1"),
        (HEADER + "a,S1,b,7\na,S2,bb,8\n", "there is no corpus 'bb' .*row 2.* did you mean b"),
        (HEADER + "a,S9,b,7\n", "a has nobody called 'S9' .*row 1.*its people are S1, S2"),
        (HEADER + "a,S1,b,7\na,S1,b,8\n", "S1 of a is given as two people of b, 7 and 8"),
        (HEADER + "a,S1,b,7\nb,7,a,S2\n", "7 of b is given as two people of a, S2 and S1|7 of b is .* S1 and S2"),
        ("", "not a CSV file"),
    ],
)
def test_bad_tables_of_people_are_refused_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "people.csv"
    path.write_text(text)
    samples = people(corpus=["a", "a", "b", "b"], subject=["S1", "S2", "7", "8"])
    with pytest.raises(DataError, match=message) as caught:
        protocol("subject-disjoint", folds=2, same_people=str(path)).splits(samples, TASK)
    assert "\n" not in str(caught.value) and "people.csv" in str(caught.value)
