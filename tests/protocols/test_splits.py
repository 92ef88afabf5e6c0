"""Splits: what each protocol holds out, what it leaves out, what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from insula.emotions import Binary, Categorical, Continuous, Votes
from insula.errors import DataError, LabelError, SettingsError
from insula.protocols import PROTOCOLS, Protocol, Split, TargetAccess, audit, protocol
from insula.protocols.partition import assign_folds, hold_out
from insula.protocols.splitting import strata_of
from insula.protocols.units import unit_names
from insula.samples import Samples, concat, provenance
from protocols.studies import CLASSES, TASK, point, watched_pictures, windows


def units_of(samples: Samples, ids: np.ndarray, name: str) -> set:
    return set(unit_names(samples.by_id(ids), name))


def test_every_named_protocol_but_the_random_one_keeps_its_units_apart() -> None:
    brains = windows(subjects=6, trials=12, sessions=6, corpora=3)
    faces = watched_pictures(pictures=48, identities=12)
    for name, rule in PROTOCOLS.items():
        if rule.as_published:
            continue
        samples = brains if rule.scored_unit == "trial" else faces
        if rule.parts is not None:
            samples = samples.with_columns(part=np.where(samples.ids < len(samples) / 2, "train", "test"))
        for split in rule.splits(samples, TASK):
            audit(split, samples, rule)
            for unit in rule.disjoint:
                train, validation, test = (
                    units_of(samples, ids, unit) for ids in (split.train, split.validation, split.test)
                )
                assert not train & test and not validation & test and not train & validation, name
                assert train and validation and test


def test_random_wants_the_flag_and_then_ignores_every_unit() -> None:
    with pytest.raises(SettingsError, match=r"random leaks.*as_published"):
        protocol("random")
    samples = windows()
    rule = protocol("random", as_published=True)
    splits = rule.splits(samples, TASK)
    assert sorted(np.concatenate([split.test for split in splits])) == list(samples.ids)
    assert units_of(samples, splits[0].train, "trial") & units_of(samples, splits[0].test, "trial")


@pytest.mark.parametrize(
    ("word", "name", "one_out"),
    [("loso", "subject-disjoint", True), ("Leave_One_Subject_Out", "subject-disjoint", True),
     ("cross-subject", "subject-disjoint", False), ("subject independent", "subject-disjoint", False)],
)  # fmt: skip
def test_words_of_the_field_are_understood(word: str, name: str, one_out: bool) -> None:
    assert (protocol(word).name, protocol(word).leave_one_out) == (name, one_out)
    assert not protocol(word, leave_one_out=False).leave_one_out


def test_folds_that_nothing_follows_are_told() -> None:
    with pytest.warns(UserWarning, match="folds is not used: leave_one_out"):
        protocol("loso", folds=5)
    with pytest.raises(SettingsError, match=r"no protocol named 'within-subjects': set protocol\.name=trial-disjoint"):
        protocol("within-subjects")


def test_unknown_protocol_or_setting_is_named() -> None:
    with pytest.raises(SettingsError, match=r"no protocol named 'lsoo': did you mean loso"):
        protocol("lsoo")
    with pytest.raises(SettingsError, match=r"unknown key 'fold'.*folds"):
        protocol("stratified", fold=3)
    with pytest.raises(SettingsError, match=r"no unit named 'window'"):
        protocol("stratified", scored_unit="window")
    with pytest.raises(SettingsError, match=r"exclude each other"):
        protocol("subject-disjoint", leave_one_out=True, test_share=0.2)
    with pytest.raises(SettingsError, match=r"name one"):
        protocol("stratified", leave_one_out=True)


def test_leave_one_subject_out_tests_each_subject_alone() -> None:
    samples = windows(subjects=5)
    splits = protocol("subject-disjoint", leave_one_out=True, validation_share=0.25).splits(samples, TASK)
    assert [units_of(samples, split.test, "subject") for split in splits] == [{f"c0/S{n}"} for n in range(5)]
    assert all(len(units_of(samples, split.validation, "subject")) == 1 for split in splits)


def test_cross_corpus_leaves_one_corpus_out() -> None:
    samples = windows(corpora=3)
    splits = protocol("cross-corpus").splits(samples, TASK)
    assert [units_of(samples, split.test, "corpus") for split in splits] == [{"c0"}, {"c1"}, {"c2"}]


def test_unseen_stimuli_and_unseen_subjects_drop_what_is_held_out_in_one_alone() -> None:
    samples = windows(subjects=6, trials=9)
    rule = protocol("subject-and-stimulus-disjoint", validation_share=0)
    splits = rule.splits(samples, TASK)
    assert len(splits) == 9
    assert sorted(np.concatenate([split.test for split in splits])) == list(samples.ids)
    for split in splits:
        assert len(split.test) == 2 * 3 * 3 and len(split.train) == 4 * 6 * 3
        audit(split, samples, rule)


def test_leave_one_subject_out_on_unseen_stimuli() -> None:
    samples = windows(subjects=4, trials=9)
    rule = protocol("subject-and-stimulus-disjoint", leave_one_out=True, validation_share=0)
    splits = rule.splits(samples, TASK)
    assert len(splits) == 4 * 3
    assert {frozenset(units_of(samples, split.test, "subject")) for split in splits} == {
        frozenset({f"c0/S{n}"}) for n in range(4)
    }


@pytest.mark.parametrize("disjoint", [("subject", "trial"), ("trial", "subject"), ("corpus", "subject", "session")])
def test_nested_units_leave_nothing_out(disjoint: tuple[str, ...]) -> None:
    samples = windows(corpora=3)
    for split in Protocol(disjoint=disjoint, folds=3).splits(samples, TASK):
        assert len(split.train) + len(split.validation) + len(split.test) == len(samples)


def test_joined_units_count_as_one() -> None:
    samples = windows(subjects=2, trials=12, sessions=4)
    splits = Protocol(disjoint=("subject+session",), folds=4, scored_unit="trial").splits(samples, TASK)
    assert all(len(units_of(samples, split.test, "subject+session")) == 2 for split in splits)


def test_scored_unit_stays_whole_and_is_balanced_by_class() -> None:
    samples = watched_pictures(subjects=3, pictures=45, identities=45)
    splits = protocol("stratified").splits(samples, TASK)
    for split in splits:
        pictures = samples.by_id(split.test).units("stimulus")
        assert len(pictures) == 3 * len(set(pictures))


def test_stratified_folds_hold_each_class_evenly() -> None:
    samples = watched_pictures(subjects=2, pictures=60, identities=15)
    for split in protocol("stratified", folds=5, validation_share=0.25).splits(samples, TASK):
        counts = samples.by_id(split.test).table["emotion"].value_counts()
        assert set(counts) == {8}  # 4 pictures of each class, seen by two people
        assert samples.by_id(split.validation).table["emotion"].value_counts().min() >= 6


def test_holdout_gives_one_split_of_that_share() -> None:
    samples = watched_pictures(pictures=60, identities=20)
    (split,) = protocol("identity-disjoint", test_share=0.3, validation_share=0.2).splits(samples, TASK)
    assert 5 <= len(units_of(samples, split.test, "identity")) <= 7
    assert 2 <= len(units_of(samples, split.validation, "identity")) <= 4


def test_pictures_that_nobody_saw_are_scored_by_identity_and_only_train_by_subject() -> None:
    samples = watched_pictures(subjects=5, pictures=48, identities=16, unseen=12)
    unseen = set(samples.ids[~samples.has("eeg")])
    by_face = protocol("identity-disjoint").splits(samples, TASK)
    assert unseen <= set(np.concatenate([split.test for split in by_face]))
    for split in protocol("subject-disjoint").splits(samples, TASK):
        assert unseen <= set(split.train)
        assert not unseen & {*split.test, *split.validation}


@pytest.mark.parametrize(("name", "unit"), [("subject-disjoint", "subject"), ("trial-disjoint", "trial")])
def test_eeg_of_an_unknown_unit_is_refused_by_name(name: str, unit: str) -> None:
    samples = windows()
    table = samples.table.copy()
    table.loc[[4, 7], unit] = None
    with pytest.raises(DataError, match=f"the {unit} of 2 samples is unknown.*sample 4, 7"):
        protocol(name).splits(Samples(table, samples.stores), TASK)


def test_picture_of_an_unknown_identity_is_refused_and_eeg_without_picture_is_not() -> None:
    samples = watched_pictures(pictures=48, identities=16)
    table = samples.table.assign(identity=samples.table["identity"].where(samples.ids != 5))
    with pytest.raises(DataError, match=r"the identity of 1 samples is unknown"):
        protocol("identity-disjoint").splits(Samples(table, samples.stores), TASK)
    brains = windows()
    both = concat([samples, brains])
    for split in protocol("identity-disjoint").splits(both, TASK):
        assert set(range(len(samples), len(both))) <= set(split.train)


def test_unlabelled_rows_train_and_are_never_scored() -> None:
    samples = watched_pictures(pictures=48, identities=16)
    table = samples.table.assign(emotion=samples.table["emotion"].where(samples.ids % 7 != 0, None))
    samples = Samples(table, samples.stores)
    silent = set(samples.ids[::7])
    splits = protocol("identity-disjoint").splits(samples, TASK)
    assert not silent & set(np.concatenate([ids for split in splits for ids in (split.test, split.validation)]))
    assert silent & set(splits[0].train)


def test_person_who_is_subject_here_and_face_there_is_one_unit() -> None:
    people = [f"P{n}" for n in range(8)]
    table = provenance(
        corpus="c", subject=people + [None] * 8, trial=[str(n) for n in range(8)] + [None] * 8,
        identity=[None] * 8 + people, stimulus=[None] * 8 + people,
    ).assign(emotion=[CLASSES[n % 2] for n in range(8)] * 2)  # fmt: skip
    samples = Samples(table, {}, one_person=["c"])
    samples = point(point(samples, "eeg", np.arange(16) < 8), "picture", np.arange(16) >= 8)
    rule = protocol("subject-disjoint", folds=4)
    for split in rule.splits(samples, Categorical(label="emotion", classes=CLASSES[:2])):
        tested = units_of(samples, split.test, "person")
        assert not tested & units_of(samples, split.train, "person")
        assert set(split.test) <= set(range(8))
        audit(split, samples, rule)


def test_overlapping_windows_are_kept_apart_and_the_embargo_widens_the_gap() -> None:
    table = provenance(40, corpus="c", subject="S1", session="1", start=np.arange(40.0), stop=np.arange(40.0) + 1)
    samples = point(Samples(table.assign(emotion=[CLASSES[n % 2] for n in range(40)]), {}), "eeg", np.ones(40, bool))
    task = Categorical(label="emotion", classes=CLASSES[:2])
    kept = {}
    for embargo in (0.0, 1.5):
        rule = Protocol(scored_unit="sample", folds=5, validation_share=0, embargo=embargo)
        for split in rule.splits(samples, task):
            audit(split, samples, rule)
            gaps = np.abs(split.train[:, None] - split.test[None])
            assert gaps.min() >= (1 if embargo == 0 else 3)
            kept[embargo] = len(split.train)
    assert kept[1.5] < kept[0.0] == 32


def test_the_embargo_keeps_validation_apart_from_training_and_test() -> None:
    table = provenance(300, corpus="c", subject="S1", session="1", start=np.arange(300.0), stop=np.arange(300.0) + 1)
    samples = point(Samples(table.assign(emotion=[CLASSES[n % 2] for n in range(300)]), {}), "eeg", np.ones(300, bool))
    rule = Protocol(scored_unit="sample", folds=3, validation_share=0.1, embargo=1.5)
    for split in rule.splits(samples, Categorical(label="emotion", classes=CLASSES[:2])):
        assert len(split.validation)
        for part in (split.train, split.test):
            assert np.abs(split.validation[:, None] - part[None]).min() >= 3


def test_each_fold_draws_its_own_validation() -> None:
    samples = windows(subjects=10, trials=3, length=1)
    rule = protocol("subject-disjoint", leave_one_out=True, stratify=False, validation_share=0.3)
    ranks = set()
    for split in rule.splits(samples, TASK):
        training = np.sort(np.concatenate([split.train, split.validation]))
        ranks.add(tuple(np.flatnonzero(np.isin(training, split.validation))))
    assert len(ranks) > 3


def test_too_few_units_are_counted() -> None:
    with pytest.raises(DataError, match=r"too few units: 3 subject for 5 folds.*fewer folds"):
        protocol("subject-disjoint").splits(windows(subjects=3), TASK)
    with pytest.raises(DataError, match=r"too few units: 1 subject for training and validation in fold 0"):
        protocol("subject-disjoint", folds=2).splits(windows(subjects=2), TASK)


def test_units_that_a_scored_unit_ties_together_are_explained() -> None:
    samples = watched_pictures(subjects=4, pictures=12)
    with pytest.raises(DataError, match=r"1 subject for 2 folds.*4 became 1 since their rows share"):
        protocol("subject-disjoint", folds=2, scored_unit="stimulus").splits(samples, TASK)


def test_one_class_alone_cannot_be_learnt() -> None:
    samples = windows().with_columns(emotion="fear")
    with pytest.raises(LabelError, match=r"every labelled sample is fear"):
        protocol("trial-disjoint").splits(samples, TASK)


def test_class_that_training_lacks_is_named_with_its_fold() -> None:
    samples = windows(subjects=4)
    emotion = samples.table["emotion"].where(samples.table["subject"] != "S2", "neutral")
    emotion = emotion.where((emotion != "neutral") | (samples.table["subject"] == "S2"), "fear")
    samples = samples.with_columns(emotion=emotion)
    with pytest.raises(LabelError, match=r"the training part of fold 2 has no neutral"):
        protocol("subject-disjoint", leave_one_out=True, validation_share=0).splits(samples, TASK)


def test_without_a_label_or_a_known_unit_there_is_nothing_to_score() -> None:
    samples = windows()
    with pytest.raises(LabelError, match=r"no sample is labelled"):
        protocol("trial-disjoint").splits(samples.with_columns(emotion=None), TASK)
    with pytest.raises(DataError, match=r"no labelled sample has a known identity"):
        protocol("identity-disjoint").splits(samples, TASK)


@pytest.mark.parametrize(
    "task",
    [
        Binary(label="valence", threshold=5, tie="high"),
        Continuous(label="valence", scale=(1, 9)),
        Votes(label="votes", classes=CLASSES[:2]),
    ],
)
def test_other_tasks_are_split_and_balanced_too(task: Binary | Continuous | Votes) -> None:
    samples = watched_pictures(subjects=2, pictures=60, identities=60)
    pictures = samples.table["stimulus"].str[1:].astype(int)
    valence = 1 + 8 * (pictures * 7 % 60) / 59
    samples = samples.with_columns(
        valence=valence.where(pictures != 0), votes_fear=np.where(pictures == 0, 0, pictures % 2),
        votes_anger=np.where(pictures == 0, 0, 1 - pictures % 2),
    )  # fmt: skip
    splits = protocol("stimulus-disjoint", folds=5).splits(samples, task)
    tested = np.concatenate([split.test for split in splits])
    assert sorted(tested) == list(samples.ids[pictures > 0])
    means = [samples.by_id(split.test).table["valence"].mean() for split in splits]
    assert task.kind != "continuous" or np.ptp(means) < 1
    strata = strata_of(task, samples)
    shares = [np.bincount(strata[split.test]) / len(split.test) for split in splits]
    assert np.ptp(shares, axis=0).max() < 0.12


def test_labelled_share_of_the_target_trains_and_is_not_scored() -> None:
    samples = windows(subjects=5, trials=20)
    rule = protocol("subject-disjoint", target={"kind": "labelled", "share": 0.25})
    for split in rule.splits(samples, TASK):
        assert audit(split, samples, rule).counts["target"] == len(split.target) == 5 * 3
        assert set(split.target) <= set(split.train)
        trials = rule.scored_units(samples)
        assert not set(trials[split.target]) & set(trials[split.test])
        assert units_of(samples, split.target, "subject") == units_of(samples, split.test, "subject")


def test_every_target_subject_gives_its_share() -> None:
    samples = windows(subjects=4, trials=12)
    rule = protocol("subject-disjoint", folds=2, target={"kind": "labelled", "share": 0.5})
    for split in rule.splits(samples, TASK):
        given = samples.by_id(split.target).table.groupby("subject")["trial"].nunique()
        assert given.tolist() == [6, 6]


def test_target_access_is_none_unlabelled_or_a_share() -> None:
    assert Protocol(target="unlabelled").target.kind == "unlabelled"
    for wrong in ({"kind": "labelled"}, {"kind": "labelled", "share": 1.0}, {"kind": "none", "share": 0.5}, "some"):
        with pytest.raises(SettingsError):
            Protocol.parse({"target": wrong}, where="recipe")
    assert TargetAccess().kind == "none"


def test_same_seed_same_splits_other_seed_others() -> None:
    samples = windows(subjects=8)
    first, again, other = (
        [split.digest() for split in protocol("trial-disjoint", seed=seed).splits(samples, TASK)] for seed in (1, 1, 2)
    )
    assert first == again != other


def test_scored_units_of_equal_number_in_two_subjects_stay_apart() -> None:
    samples = windows(subjects=2, trials=3, length=2)
    rule = protocol("trial-disjoint")
    assert len(set(rule.scored_units(samples))) == 6
    alone = samples.select(samples.table["subject"].eq("S1").to_numpy())
    assert set(rule.scored_units(alone)) == {"c0/S1/0/0", "c0/S1/0/1", "c0/S1/0/2"}
    assert protocol("stratified", scored_unit="sample").scored_units(alone)[0] == "6"


def test_split_says_its_size() -> None:
    assert "test 1" in repr(Split(np.array([1]), np.array([2]), np.array([3])))


def test_folds_are_never_empty_and_keep_groups() -> None:
    rng = np.random.default_rng(0)
    for strata in (None, rng.integers(0, 3, 50), np.arange(50)):
        groups = rng.integers(0, 9, 50)
        fold = assign_folds(groups, strata, 4, seed=1)
        assert set(fold) == {0, 1, 2, 3}
        assert all(len(set(fold[groups == group])) == 1 for group in set(groups))


@pytest.mark.parametrize("share", [0.1, 0.15, 0.3, 0.5, 0.85, 0.99])
def test_holdout_comes_near_its_share(share: float) -> None:
    for strata in (None, np.arange(100) % 3):
        held = hold_out(np.arange(100), strata, share, seed=0)
        assert abs(held.mean() - min(share, 0.95)) <= 0.05 and not held.all()
    assert hold_out(np.array([0, 1]), np.array([0, 1]), share, seed=0).sum() == 1
