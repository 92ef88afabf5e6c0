"""Copies on one side: joined before the split where a protocol asks for it, and refused where it does not."""

from __future__ import annotations

import numpy as np
import pytest
from test_given_parts import PICTURES, study
from test_given_parts import TASK as PICTURE_TASK
from test_what_audits_tell import eeg, recorded

from insula.errors import DataError, LeakageError, SettingsError
from insula.protocols import audit, protocol
from insula.samples import ArrayStore, Samples, provenance
from protocols.studies import TASK

COPIES = {19: 0, 18: 5, 17: 5, 8: 1}


def pictures() -> Samples:
    return study([None] * 20, COPIES, mirrored=True)


@pytest.mark.parametrize("name", ["stratified", "stimulus-disjoint"])
def test_copies_of_pictures_stay_on_one_side(name: str) -> None:
    samples = pictures()
    refusing, rule = protocol(name, folds=2), protocol(name, folds=2, copies="together")
    with pytest.raises(LeakageError, match=r"near-duplicate.*keep copies on one side: --set protocol.copies=together"):
        for split in refusing.splits(samples, PICTURE_TASK):
            audit(split, samples, refusing)
    with pytest.warns(UserWarning, match=r"copies: 4 of 20 rows of picture are copies of others and stay with them"):
        splits = rule.splits(samples, PICTURE_TASK)
    for split in splits:
        report = audit(split, samples, rule)
        assert report.clean and any("copies: 4 of 20" in line for line in report.warnings)
        for rows in ([0, 19], [5, 17, 18], [1, 8]):
            assert any(set(rows) <= set(part) for part in (split.train, split.validation, split.test))


@pytest.mark.filterwarnings("ignore:copies")
def test_copies_of_a_face_join_its_people_and_not_those_who_looked_at_it() -> None:
    samples = pictures().with_columns(identity=[f"i{row}" for row in range(20)])
    rule = protocol("identity-disjoint", folds=2, copies="together")
    splits = rule.splits(samples, PICTURE_TASK)
    assert all(audit(split, samples, rule).clean for split in splits)
    watched = provenance(40, corpus="c", subject=[f"S{row // 10}" for row in range(40)], stimulus=[
        f"p{row % 10}" for row in range(40)], trial=[str(row % 10) for row in range(40)])  # fmt: skip
    faces = pictures().read("picture")[:10].copy()
    faces[9] = faces[1]  # seen by everybody: four people are not one
    both = Samples(watched.assign(emotion=["anger", "happiness"] * 20), {}).with_modality(
        "picture", "pictures", ArrayStore(faces, PICTURES), np.arange(40) % 10
    )
    crossed = protocol("subject-and-stimulus-disjoint", folds=2, validation_share=0, copies="together")
    splits = crossed.splits(both, PICTURE_TASK)
    assert len(splits) == 4 and all(audit(split, both, crossed).clean for split in splits)


@pytest.mark.filterwarnings("ignore:copies")
def test_labelled_rows_of_the_target_take_their_copies_along() -> None:
    samples = pictures()
    rule = protocol("stimulus-disjoint", folds=2, copies="together", target={"kind": "labelled", "share": 0.5})
    for seed in range(2):
        rule = rule.model_copy(update={"seed": seed})
        assert all(audit(split, samples, rule).clean for split in rule.splits(samples, PICTURE_TASK))


def test_recordings_of_one_person_under_two_names_stay_on_one_side() -> None:
    one = eeg(0)
    samples = recorded({"S01": one, "S02": eeg(1), "S03": eeg(2), "S15": 3 * one + 1, "S04": eeg(4)}, "signal")
    rule = protocol("subject-disjoint", leave_one_out=True, validation_share=0, copies="together")
    with pytest.warns(UserWarning, match=r"copies: c/S01 and c/S15 have one eeg, and stay on one side"):
        splits = rule.splits(samples, TASK)
    tested = [set(samples.by_id(split.test).table["subject"]) for split in splits]
    assert len(tested) == 4 and {"S01", "S15"} in tested
    assert all(audit(split, samples, rule).clean for split in splits)
    refusing = rule.model_copy(update={"copies": "refused"})
    with pytest.raises(LeakageError, match=r"rises and falls alike.*--set protocol.copies=together"):
        for split in refusing.splits(samples, TASK):
            audit(split, samples, refusing)


@pytest.mark.filterwarnings("ignore:copies")
def test_copies_that_leave_too_few_units_and_contradictions_are_told() -> None:
    samples = study([None] * 4, {2: 0, 3: 1})
    with pytest.raises(DataError, match=r"2 stimulus for 3 folds.*4 became 2 .* or are copies"):
        protocol("stimulus-disjoint", folds=3, copies="together").splits(samples, PICTURE_TASK)
    with pytest.raises(SettingsError, match="as_published is for a split that leaks"):
        protocol("random", as_published=True, copies="together")
    with pytest.raises(SettingsError, match="copies: Input should be 'refused' or 'together'"):
        protocol("stratified", copies="apart")
