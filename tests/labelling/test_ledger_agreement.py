"""Agreement against published figures and other people's code; merging."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score

from insula.emotions import Votes
from insula.errors import DataError
from insula.labelling.agreement import agreement, merged
from insula.labelling.question import Question

LETTERS = Question(label="emotion", classes=("1", "2", "3", "4", "5"))
RATING = Question(label="valence", scale=(1, 5))


def said(rows: list[str]) -> pd.DataFrame:
    """Return answers from strings, a string an annotator and a letter an item."""
    found = [
        (f"item {place:02d}", f"annotator {who}", letter)
        for who, row in enumerate(rows)
        for place, letter in enumerate(row)
        if letter != "."
    ]
    return pd.DataFrame(found, columns=["item", "annotator", "answer"])


def test_alpha_is_that_of_krippendorffs_own_example() -> None:
    rows = ["123321412...", "1233224125.3", ".3332342251.", "12332441251."]  # a dot where one did not look
    nominal, interval = agreement(said(rows), LETTERS), agreement(said(rows), RATING)
    assert nominal.alpha == pytest.approx(0.743, abs=5e-4) and interval.alpha == pytest.approx(0.849, abs=5e-4)
    assert (nominal.items, nominal.annotators) == (11, 4)  # the last item was seen by one alone
    assert nominal.low < nominal.alpha < nominal.high <= 1


def test_kappa_is_that_of_scikit_learn_and_its_interval_holds_the_true_one() -> None:
    rng, hits = np.random.default_rng(0), 0
    for _ in range(60):
        truth = rng.integers(1, 4, 150)
        first, second = (np.where(rng.random(150) < 0.8, truth, rng.integers(1, 4, 150)) for _ in range(2))
        found = agreement(said(["".join(map(str, row)) for row in (first, second)]), LETTERS).pairs.iloc[0]
        assert found["kappa"] == pytest.approx(cohen_kappa_score(first, second))
        hits += found["low"] <= 0.64 <= found["high"]  # both keep the truth with 0.8, and else guess
    assert hits >= 53


def test_kappa_and_its_interval_are_those_of_a_published_example() -> None:
    """Two doctors and the skin of 88 people: the worked example of SAS/STAT's procedure FREQ."""
    table = np.array([[10, 4, 1, 0], [5, 10, 12, 2], [2, 4, 12, 5], [0, 2, 6, 13]])
    first, second = ("".join(str(place[axis] + 1) * table[place] for place in np.ndindex(4, 4)) for axis in (0, 1))
    pair = agreement(said([first, second]), LETTERS).pairs.iloc[0]
    assert pair["items"] == 88
    assert pair[["kappa", "low", "high"]].tolist() == pytest.approx([0.3449, 0.2030, 0.4868], abs=5e-5)


def test_chance_is_zero_and_the_interval_of_alpha_says_so() -> None:
    rng = np.random.default_rng(1)
    found = agreement(said(["".join(map(str, row)) for row in rng.integers(1, 4, (3, 300))]), LETTERS)
    assert found.low < 0 < found.high and abs(found.alpha) < 0.1 and len(found.pairs) == 3


def test_the_class_that_divides_annotators_is_told() -> None:
    found = agreement(said(["1122331133", "1122331122"]), LETTERS).classes.set_index("class")
    assert found.loc["1", ["answers", "agreement", "alpha"]].tolist() == [8, 1, 1]
    assert found.loc["3", "agreement"] == pytest.approx(4 / 6) and found.loc["2", "alpha"] < 1
    assert found.loc["5", "answers"] == 0 and np.isnan(found.loc["5", "agreement"])


def test_where_all_say_the_same_there_is_no_figure() -> None:
    found = agreement(said(["111", "111"]), LETTERS)
    assert np.isnan([found.alpha, found.low, found.pairs["kappa"][0]]).all() and found.pairs["same"][0] == 1


def test_one_item_gives_no_interval() -> None:
    found = agreement(said(["1", "2"]), LETTERS)
    assert found.alpha == 0 and np.isnan([found.low, found.high]).all()
    assert found.pairs["kappa"][0] == 0 and found.pairs[["low", "high"]].isna().all(axis=None)


def test_ratings_have_a_distance() -> None:
    found = agreement(said(["1234", "2345"]), RATING)
    assert found.pairs["difference"].tolist() == [1.0] and found.classes.empty and "kappa" not in found.pairs


def test_without_an_item_in_common_there_is_no_agreement() -> None:
    with pytest.raises(DataError, match="no item was answered by two"):
        agreement(said(["12..", "..12"]), LETTERS)
    with pytest.raises(DataError, match="no item was answered by two"):
        agreement(said([]), LETTERS)


def test_labels_are_merged() -> None:
    answers = said(["123", "114", "1.."])
    one = merged(answers, LETTERS)
    assert one["emotion"].tolist()[0] == "1" and one["emotion"].isna().tolist() == [False, True, True]
    assert one["annotators"].tolist() == [3, 2, 2] and one["share"].tolist() == [1, 0.5, 0.5]
    votes = merged(answers, LETTERS, "votes")
    shares = Votes(label="emotion", classes=LETTERS.classes).targets(votes)
    np.testing.assert_allclose(shares[1], [0.5, 0.5, 0, 0, 0])
    assert len(merged(answers, LETTERS, "all")) == 7
    assert merged(said(["12", "24"]), RATING)["valence"].tolist() == [1.5, 3.0]
    assert merged(said([]), LETTERS).empty and merged(said([]), LETTERS, "votes").empty
    with pytest.raises(DataError, match="ratings are no votes"):
        merged(said(["12", "24"]), RATING, "votes")
