"""Controls: cells and labels are handed out anew, and nothing else changes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from insula.emotions import Continuous, Votes
from insula.errors import DataError, LabelError
from insula.protocols import permute_labels, shuffle_modality
from insula.samples import ArrayStore, Description, Samples
from protocols.studies import CLASSES, TASK, point, watched_pictures, windows

WATCHED = watched_pictures(subjects=3, pictures=60, identities=20, unseen=6)


def own_stores(samples: Samples) -> Samples:
    """Return the samples with one EEG store for each subject."""
    bare = samples.without(["eeg_store", "eeg_row"])
    for name in ("S0", "S1", "S2"):
        mine = (samples.table["subject"] == name).to_numpy()
        store = ArrayStore(np.zeros((mine.sum(), 1)), Description(kind="features", axes=("feature",)))
        bare = bare.with_modality("eeg", name, store, np.where(mine, mine.cumsum() - 1, -1))
    return bare


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), within=st.sampled_from([None, "emotion"]), apart=st.booleans())
def test_every_subject_keeps_its_own_cells(seed: int, within: str | None, apart: bool) -> None:
    samples = own_stores(WATCHED) if apart else WATCHED
    shuffled = shuffle_modality(samples, "eeg", seed, within)
    before, after = samples.table, shuffled.table
    assert after.drop(columns="eeg_row").equals(before.drop(columns="eeg_row"))
    for _, rows in (
        before[samples.has("eeg")].groupby(["eeg_store", "subject", *([within] if within else [])]).groups.items()
    ):
        assert sorted(before.loc[rows, "eeg_row"]) == sorted(after.loc[rows, "eeg_row"])
    assert np.array_equal(samples.has("eeg"), shuffled.has("eeg"))
    assert (after["eeg_row"] == before["eeg_row"])[samples.has("eeg")].mean() < 0.25  # one in 54, or in 18 of a class


def test_cells_of_unknown_people_stay_in_their_store() -> None:
    samples = own_stores(WATCHED).with_columns(subject=np.full(len(WATCHED), None, object))
    before = samples.table[samples.has("eeg")]
    after = shuffle_modality(samples, "eeg", 0).table.loc[before.index]
    for name in ("S0", "S1", "S2"):
        mine = before["eeg_store"] == name
        assert sorted(before.loc[mine, "eeg_row"]) == sorted(after.loc[mine, "eeg_row"])


def test_as_many_cells_stay_in_place_as_chance_leaves() -> None:
    stay = [(shuffle_modality(WATCHED, "eeg", seed).rows("eeg") == WATCHED.rows("eeg"))[WATCHED.has("eeg")].sum()
            for seed in range(200)]  # fmt: skip
    assert 2.4 < np.mean(stay) < 3.6  # one for each of three subjects


def test_pairing_with_pictures_is_lost_and_the_seed_decides() -> None:
    one, same, other = (shuffle_modality(WATCHED, "eeg", seed).rows("eeg") for seed in (1, 1, 2))
    assert np.array_equal(one, same) and not np.array_equal(one, other)
    picture = shuffle_modality(WATCHED, "picture", 1)
    assert np.array_equal(picture.rows("eeg"), WATCHED.rows("eeg"))
    assert not np.array_equal(picture.rows("picture"), WATCHED.rows("picture"))


def test_rows_that_are_not_given_are_not_touched() -> None:
    train = WATCHED.select(slice(0, 90))
    given_cells = set(train.rows("eeg"))
    assert set(shuffle_modality(train, "eeg", 0).rows("eeg")) == given_cells
    assert np.array_equal(WATCHED.rows("eeg"), point(WATCHED, "eeg", WATCHED.has("eeg")).rows("eeg"))


def test_what_is_not_there_cannot_be_shuffled() -> None:
    with pytest.raises(DataError, match=r"no sample has the modality face"):
        shuffle_modality(WATCHED, "face", 0)
    with pytest.raises(DataError, match=r"no column named 'class'"):
        shuffle_modality(WATCHED, "eeg", 0, within="class")


def test_permuted_labels_are_the_same_labels_over_whole_stimuli() -> None:
    permuted = permute_labels(WATCHED, TASK, "stimulus", 3)
    per_picture = permuted.table.groupby("stimulus")["emotion"]
    assert set(per_picture.nunique()) == {1}
    assert sorted(per_picture.first()) == sorted(WATCHED.table.groupby("stimulus")["emotion"].first())
    agreement = (per_picture.first() == WATCHED.table.groupby("stimulus")["emotion"].first()).mean()
    assert 0.1 < agreement < 0.6
    assert permuted.table.drop(columns="emotion").equals(WATCHED.table.drop(columns="emotion"))
    assert permute_labels(WATCHED, TASK, "stimulus", 3).table.equals(permuted.table)


def test_unlabelled_units_stay_unlabelled() -> None:
    hidden = WATCHED.table["stimulus"].isin(["p3", "p8"])
    samples = WATCHED.with_columns(emotion=WATCHED.table["emotion"].where(~hidden, None))
    assert permute_labels(samples, TASK, "stimulus", 0).table["emotion"].isna().equals(hidden.rename("emotion"))


def test_ratings_and_votes_move_together() -> None:
    number = WATCHED.table["stimulus"].str[1:].astype(int)
    rated = WATCHED.with_columns(valence=number / 60, votes_fear=number, votes_anger=60 - number, votes_neutral=0)
    valence = permute_labels(rated, Continuous(label="valence"), "stimulus", 1).table["valence"]
    assert sorted(valence) == pytest.approx(sorted(number / 60)) or set(valence) == set(number / 60)
    votes = permute_labels(rated, Votes(label="votes", classes=CLASSES), "stimulus", 1).table
    assert (votes["votes_fear"] + votes["votes_anger"] == 60).all()
    assert not votes["votes_fear"].equals(rated.table["votes_fear"])


def test_labels_that_differ_within_a_unit_or_have_none() -> None:
    brains = windows()
    with pytest.raises(LabelError, match=r"subject c0/S0 has several labels"):
        permute_labels(brains, TASK, "subject", 0)
    two = brains.select(slice(0, 21)).with_columns(emotion=["fear"] * 18 + ["anger", "anger", "fear"])
    with pytest.raises(LabelError, match=r"subject c0/S1 has several labels"):  # of the second, which alone has
        permute_labels(two, TASK, "subject", 0)
    with pytest.raises(LabelError, match=r"labelled samples have no identity.*sample 0"):
        permute_labels(brains, TASK, "identity", 0)
    assert isinstance(permute_labels(brains, TASK, "sample", 0).table, pd.DataFrame)
