"""A clean split, then one leak planted: the audit names the unit and the rows, for every kind of leak."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from insula.errors import LeakageError
from insula.protocols import Split, audit, protocol
from insula.samples import ArrayStore, Description, Fit, Samples
from protocols.studies import TASK, point, watched_pictures, windows

BRAINS = windows(subjects=6, trials=8, sessions=2)
FACES = watched_pictures(pictures=48, identities=16)


def clean(name: str, samples: Samples, **changes: object) -> tuple[Split, object]:
    rule = protocol(name, **{"folds": 3, **changes})
    split = rule.splits(samples, TASK)[0]
    assert audit(split, samples, rule).clean
    return split, rule


def moved(split: Split, rows: np.ndarray | list, source: str, to: str, keep: bool = False) -> Split:
    """Return the split with rows of one part in another (too)."""
    left = getattr(split, source)
    changes = {to: np.append(getattr(split, to), rows)}
    return replace(split, **({} if keep else {source: left[~np.isin(left, rows)]}), **changes)


def changed(samples: Samples, row: int, **values: object) -> Samples:
    """Return the samples with other provenance in one row."""
    table = samples.table.copy()
    for column, value in values.items():
        table.loc[row, column] = value
    return Samples(table, samples.stores, samples.one_person)


@pytest.mark.parametrize(("source", "to"), [("test", "train"), ("test", "validation"), ("validation", "train")])
def test_one_sample_in_two_parts(source: str, to: str) -> None:
    split, rule = clean("trial-disjoint", BRAINS)
    row = getattr(split, source)[0]
    with pytest.raises(LeakageError, match=rf"sample {row} is in {to if to == 'train' else 'validation'}"):
        audit(moved(split, [row], source, to, keep=True), BRAINS, rule)


@pytest.mark.parametrize("name", ["trial-disjoint", "session-disjoint", "subject-disjoint", "stratified"])
@pytest.mark.parametrize(("source", "to"), [("test", "train"), ("test", "validation"), ("validation", "train")])
def test_one_window_of_a_trial_elsewhere(name: str, source: str, to: str) -> None:
    split, rule = clean(name, BRAINS, scored_unit="trial")
    row = getattr(split, source)[0]
    trial = rule.scored_units(BRAINS)[row]
    with pytest.raises(LeakageError, match=rf"trial {trial} is in .*{to}.*{to}: row {row}"):
        audit(moved(split, [row], source, to), BRAINS, rule)


@pytest.mark.parametrize(
    ("name", "samples", "column"),
    [
        ("subject-disjoint", BRAINS, "subject"),
        ("session-disjoint", BRAINS, "session"),
        ("stimulus-disjoint", FACES, "stimulus"),
        ("identity-disjoint", FACES, "identity"),
    ],
)
def test_one_whole_trial_of_a_forbidden_unit_in_training(name: str, samples: Samples, column: str) -> None:
    split, rule = clean(name, samples)
    scored = rule.scored_units(samples)
    rows = split.test[scored[split.test] == scored[split.test[0]]]
    if column == "stimulus":  # a stimulus is its own scored unit: let one person's view of it stray
        rows = rows[:1]
    value = samples.units(column)[rows[0]].split("/")[-1]
    with pytest.raises(LeakageError, match=rf"{column} \S*{value} is in .*train.*test.*train: rows? {rows[0]}"):
        audit(moved(split, rows, "test", "train"), samples, rule)


def test_a_corpus_on_both_sides() -> None:
    samples = windows(corpora=3)
    split, rule = clean("cross-corpus", samples)
    trial = rule.scored_units(samples)
    with pytest.raises(LeakageError, match=r"corpus c0 is in train and test"):
        audit(moved(split, split.test[trial[split.test] == trial[split.test[0]]], "test", "train"), samples, rule)


def test_a_scored_unit_cut_in_two() -> None:
    split, rule = clean("stratified", FACES)
    row = split.test[0]
    with pytest.raises(LeakageError, match=rf"stimulus {FACES.units('stimulus')[row]} is in train and test"):
        audit(moved(split, [row], "test", "train"), FACES, rule)


def test_a_second_unit_of_a_combination() -> None:
    split, rule = clean("subject-and-stimulus-disjoint", BRAINS, folds=2, validation_share=0)
    unused = np.setdiff1d(BRAINS.ids, np.concatenate([split.train, split.test]))
    tested = set(BRAINS.by_id(split.test).units("subject"))
    row = next(row for row in unused if BRAINS.units("subject")[row] not in tested)
    film = BRAINS.units("stimulus")[row]
    with pytest.raises(LeakageError, match=rf"stimulus {film} is in train and test \(train: row {row}; test"):
        audit(replace(split, train=np.append(split.train, row)), BRAINS, rule)


def test_a_person_who_is_subject_here_and_face_there() -> None:
    split, rule = clean("subject-disjoint", BRAINS, scored_unit="trial")
    watcher = BRAINS.table["subject"][split.test[0]]
    table = BRAINS.table.assign(identity=None).astype({"identity": "str"})
    table.loc[split.train[0], "identity"] = watcher  # a face that the test subject has, under another's EEG
    audit(split, Samples(table, BRAINS.stores), rule)
    with pytest.raises(LeakageError, match=rf"person c0/{watcher} is in train and test \(train: row {split.train[0]}"):
        audit(split, Samples(table, BRAINS.stores, ["c0"]), rule)


@pytest.mark.parametrize(("part", "other"), [("train", "test"), ("validation", "test"), ("train", "validation")])
def test_a_window_that_overlaps_another_part(part: str, other: str) -> None:
    split, rule = clean("trial-disjoint", BRAINS)
    table = BRAINS.table
    session = BRAINS.units("subject+session")
    pairs = product(getattr(split, part), getattr(split, other))
    row, near = next((row, near) for row, near in pairs if session[row] == session[near])
    samples = changed(BRAINS, row, start=table["start"][near] + 0.1, stop=table["start"][near] + 1.1)
    with pytest.raises(LeakageError, match=rf"windows of c0/S\d/\d overlap.*{part}: row {row}.*{other}: row {near}"):
        audit(split, samples, rule)
    close = changed(BRAINS, row, start=table["stop"][near] + 50, stop=table["stop"][near] + 51)
    assert audit(split, close, rule).clean
    with pytest.raises(LeakageError, match=r"or lie within 60 s"):
        audit(split, close, rule.model_copy(update={"embargo": 60}))


def pictured(kind: str = "picture") -> Samples:
    """Return pictures of coarse noise, each unlike the others, one stimulus and identity each."""
    grain = np.random.default_rng(0).integers(0, 200, (30, 8, 8, 3), np.uint8)
    store = ArrayStore(
        grain.repeat(8, axis=1).repeat(8, axis=2), Description(kind=kind, axes=("row", "column", "colour"))
    )
    return FACES.by_id(np.arange(0, 90, 3)).with_modality("picture", "photographs", store, range(30))


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_copy_of_a_test_picture_in_training(mirrored: bool) -> None:
    samples = pictured()
    split, rule = clean("identity-disjoint", samples, validation_share=0)
    store = samples.stores["photographs"]
    train, test = (int(samples.rows("picture")[samples.ids == ids[0]][0]) for ids in (split.train, split.test))
    copies = store.values.copy()
    copies[train] = np.clip(store.values[test, :, :: -1 if mirrored else 1] * 0.9 + 20, 0, 255)
    leaky = Samples(samples.table, {**samples.stores, "photographs": ArrayStore(copies, store.description)})
    with pytest.raises(
        LeakageError, match=rf"sample {split.train[0]} is a near-duplicate of that of sample {split.test[0]} \(1 pair"
    ):
        audit(split, leaky, rule)


def test_pictures_that_a_protocol_lets_be_shared_are_not_compared() -> None:
    split, rule = clean("subject-disjoint", watched_pictures(subjects=6))
    samples = watched_pictures(subjects=6).with_modality("picture", "photographs", *one_picture(144))
    assert any("not compared" in note for note in audit(split, samples, rule).warnings)


def one_picture(n: int) -> tuple[ArrayStore, list[int]]:
    grain = np.random.default_rng(0).integers(0, 200, (1, 32, 32, 3), np.uint8)
    return ArrayStore(grain, Description(kind="picture", axes=("row", "column", "colour"))), [0] * n


def test_the_very_same_picture_under_two_names() -> None:
    samples = pictured()
    split, rule = clean("identity-disjoint", samples, validation_share=0)
    table = samples.table.copy()
    table.loc[split.train[0], "picture_row"] = table.loc[split.test[0], "picture_row"]
    with pytest.raises(LeakageError, match=r"near-duplicate"):
        audit(split, Samples(table, samples.stores), rule)


@pytest.mark.parametrize(
    ("use", "part", "access", "fine"),
    [
        ("labels", "train", "none", True),
        ("labels", "validation", "none", False),
        ("labels", "test", "unlabelled", False),
        ("selection", "validation", "none", True),
        ("selection", "test", "unlabelled", False),
        ("inputs", "validation", "none", True),
        ("inputs", "test", "none", False),
        ("inputs", "test", "unlabelled", True),
    ],
)
def test_a_step_fitted_on_more_than_its_use_permits(use: str, part: str, access: str, fine: bool) -> None:
    split, rule = clean("subject-disjoint", BRAINS, target=access)
    fit = Fit("scaler", np.append(split.train, getattr(split, part)[:2]) if part != "train" else split.train, use)
    if fine:
        assert "fitted steps" in audit(split, BRAINS, rule, [fit]).checks
        return
    first = getattr(split, part)[0]
    with pytest.raises(LeakageError, match=rf"step scaler was fitted \({use}\) on 2 samples.*{part}: rows {first}"):
        audit(split, BRAINS, rule, [Fit("gru", split.train, "labels"), fit])


def test_a_step_fitted_on_what_no_part_holds_or_nobody_knows() -> None:
    split, rule = clean("subject-and-stimulus-disjoint", BRAINS, folds=2, validation_share=0)
    with pytest.raises(LeakageError, match=r"fitted \(labels\) on .* samples outside its part \(in no part"):
        audit(split, BRAINS, rule, [Fit("gru", np.setdiff1d(BRAINS.ids, split.test), "labels")])
    with pytest.raises(LeakageError, match=r"fitted on 1 sample that the audit does not know \(first: 9999"):
        audit(split, BRAINS, rule, [Fit("gru", np.array([9999]), "inputs")])


def test_labelled_target_rows_without_leave_or_beyond_the_share() -> None:
    split, rule = clean("subject-disjoint", BRAINS, target={"kind": "labelled", "share": 0.25})
    fit = [Fit("head", split.train, "labels")]
    assert audit(split, BRAINS, rule, fit).counts["target"] == len(split.target) > 0
    with pytest.raises(LeakageError, match=r"subject c0/S\d.* in train and test"):
        audit(replace(split, target=split.target[:0]), BRAINS, rule)
    with pytest.raises(LeakageError, match=r"where access to the target is unlabelled"):
        audit(split, BRAINS, protocol("subject-disjoint", target="unlabelled"))
    with pytest.raises(LeakageError, match=r"4 labelled target units where 1% of 16"):
        audit(split, BRAINS, protocol("subject-disjoint", target={"kind": "labelled", "share": 0.01}))
    part = moved(split, split.target[:1], "train", "test")
    with pytest.raises(LeakageError, match=r"trial c0/S"):
        audit(part, BRAINS, rule)


def test_scored_rows_whose_unit_nobody_knows() -> None:
    split, rule = clean("identity-disjoint", FACES)
    row = split.test[0]
    with pytest.raises(LeakageError, match=rf"the identity of 1 row is unknown \(test: row {row}\)"):
        audit(split, changed(FACES, row, identity=None), rule)
    with pytest.raises(LeakageError, match=r"the identity of 1 row is unknown \(train: row"):
        audit(split, changed(FACES, split.train[0], identity=None), rule)


def test_every_kind_is_counted_and_as_published_collects_them_all() -> None:
    split, rule = clean("subject-disjoint", BRAINS)
    bad = moved(split, split.test[:1], "test", "train")
    fits = [Fit("scaler", split.test, "labels")]
    with pytest.raises(LeakageError, match=r"trial .*: further kinds of leak: 2"):
        audit(bad, BRAINS, rule, fits)
    found = audit(bad, BRAINS, rule.model_copy(update={"as_published": True}), fits)
    assert not found.clean and len(found.leaks) == 3
    assert [leak.split()[0] for leak in found.leaks] == ["trial", "subject", "step"]


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_any_row_of_any_part_that_strays_is_caught(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["trial-disjoint", "subject-disjoint", "stimulus-disjoint", "identity-disjoint"]))
    samples = BRAINS if name in ("trial-disjoint", "subject-disjoint") else FACES
    rule = protocol(name, folds=3, seed=data.draw(st.integers(0, 5)))
    split = data.draw(st.sampled_from(rule.splits(samples, TASK)))
    source, to = data.draw(st.permutations(["train", "validation", "test"]))[:2]
    row = data.draw(st.sampled_from(getattr(split, source).tolist()))
    units = pd.Series(rule.scored_units(samples))
    if (units[getattr(split, source)] == units[row]).sum() == 1 and rule.disjoint[0] in ("trial", "stimulus"):
        return  # its unit moves as a whole: no leak
    with pytest.raises(LeakageError):
        audit(moved(split, [row], source, to), samples, rule)


def test_provenance_alone_decides_and_not_the_modality() -> None:
    samples = point(BRAINS, "picture", np.zeros(len(BRAINS), bool))
    split, rule = clean("subject-disjoint", samples)
    assert "near-duplicate pictures" not in audit(split, samples, rule).checks


def test_training_rows_that_only_call_themselves_target() -> None:
    split, rule = clean("subject-disjoint", BRAINS, target={"kind": "labelled", "share": 0.25})
    trial = rule.scored_units(BRAINS)
    stranger = split.train[trial[split.train] == trial[np.setdiff1d(split.train, split.target)[0]]]
    with pytest.raises(LeakageError, match=r"subject c0/S\d is in train and test"):
        audit(replace(split, target=np.append(split.target, stranger)), BRAINS, rule)
