"""Intervals hold what they say, and tests err as often as they say, where whole people are held out.

On simulated trials, which are more alike within a person. Six thousand repetitions know a share of 95 % to 0.3 points.
"""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from made_up_results import make_results
from scipy import stats
from sklearn.metrics import balanced_accuracy_score, cohen_kappa_score, f1_score

from insula.evaluation.class_intervals import class_intervals
from insula.evaluation.intervals import mean_without_each, no_difference, share_interval
from insula.evaluation.metrics import wilson_interval
from insula.evaluation.statistics import accuracy_interval, difference_interval, paired_test
from insula.evaluation.table import metrics_table

REPETITIONS = 6000
ALIKE = 0.05  # correlation of what is right of one person

SHAPES = {
    "15 x 45": np.full(15, 45), "32 x 40": np.full(32, 40), "15 x 15": np.full(15, 15), "23 x 18": np.full(23, 18),
    "6 x 30": np.full(6, 30), "10, uneven": np.linspace(5, 60, 10).astype(int), "15, one of them long":
    np.array([100] + [15] * 14),
}  # fmt: skip


def right(trials: np.ndarray, accuracy: float, seed: int) -> np.ndarray:
    """Return how many trials of each person are right, (people, REPETITIONS)."""
    rng = np.random.default_rng(seed)
    own = rng.beta(accuracy * (1 / ALIKE - 1), (1 - accuracy) * (1 / ALIKE - 1), (len(trials), REPETITIONS))
    return rng.binomial(trials[:, None], own).astype(float)


def scores(counts: np.ndarray, trials: np.ndarray) -> pd.DataFrame:
    """Return one row a trial, the first of each person being right."""
    rows = [np.arange(n) < count for n, count in zip(trials, counts, strict=True)]
    return pd.DataFrame({"score": np.concatenate(rows).astype(float), "cluster": np.repeat(range(len(trials)), trials)})


@pytest.mark.parametrize("accuracy", [0.3, 0.6, 0.95])
@pytest.mark.parametrize("trials", SHAPES.values(), ids=SHAPES)
def test_intervals_over_people_cover_as_often_as_they_say(trials: np.ndarray, accuracy: float) -> None:
    counts = right(trials, accuracy, seed=1)
    low, high = share_interval(*mean_without_each(counts, trials), trials)
    assert 0.93 <= np.mean((low <= accuracy) & (accuracy <= high)) <= 0.97
    one = accuracy_interval(scores(counts[:, 0], trials))
    assert (one.low, one.high) == pytest.approx((low[0], high[0]))


@pytest.mark.parametrize("accuracy", [0.3, 0.6])
@pytest.mark.parametrize("trials", list(SHAPES.values())[:-1], ids=list(SHAPES)[:-1])
def test_without_a_difference_one_test_in_twenty_finds_one(trials: np.ndarray, accuracy: float) -> None:
    differences = right(trials, accuracy, seed=2) - right(trials, accuracy, seed=3)
    p = no_difference(*mean_without_each(differences, trials), trials)
    assert 0.04 <= np.mean(p < 0.05) <= 0.06
    pair = scores(right(trials, accuracy, seed=2)[:, 0], trials)
    pair["score"] -= scores(right(trials, accuracy, seed=3)[:, 0], trials)["score"]
    assert paired_test(pair) == pytest.approx(p[0])


def test_trials_that_count_as_if_independent_cover_far_too_seldom() -> None:
    """The reason for all this: the interval of Wilson over 675 trials of 15 people."""
    trials = SHAPES["15 x 45"]
    means = right(trials, 0.6, seed=1).sum(axis=0) / trials.sum()
    ends = np.array([wilson_interval(mean, trials.sum()) for mean in means[:1000]])
    assert np.mean((ends[:, 0] <= 0.6) & (ends[:, 1] >= 0.6)) < 0.8


@pytest.mark.parametrize("trials", [np.full(2, 40), np.array([400, 5, 5, 5])], ids=["two people", "one has nearly all"])
def test_too_few_people_have_no_interval_rather_than_a_wrong_one(trials: np.ndarray) -> None:
    frame = scores(np.array([0.7, 0.6, 0.8, 0.6])[: len(trials)] * trials, trials)
    assert np.isnan(accuracy_interval(frame).low) and np.isnan(difference_interval(frame).low)
    assert paired_test(frame) > 0.05


def test_the_interval_of_a_difference_leaves_out_nothing_exactly_where_p_is_below_a_twentieth() -> None:
    trials = SHAPES["10, uneven"]
    first, second = right(trials, 0.6, seed=4)[:, :60], right(trials, 0.5, seed=5)[:, :60]
    below, outside = [], []
    for one, other in zip(first.T, second.T, strict=True):
        pair = scores(one, trials)
        pair["score"] -= scores(other, trials)["score"]
        estimate = difference_interval(pair)
        below.append(paired_test(pair) < 0.05)
        outside.append(not estimate.low <= 0 <= estimate.high)
    assert below == outside and 5 < sum(below) < 55


def test_balanced_accuracy_f1_and_kappa_have_intervals_over_people_and_the_table_says_so() -> None:
    rows = make_results(studies=1, units=240, folds=1).predictions
    who = rows["unit"].str.removeprefix("picture-").astype(int) % 12
    rows["predicted"] = rows["truth"].where(who < 3, rows["predicted"])  # three people are easy
    rows["subject"] = "P" + who.astype(str)
    people, pictures = (make_results(predictions=rows, cluster=cluster) for cluster in ("subject", None))
    table = metrics_table(people).set_index("arm").loc["c1"]
    assert (table["drawn"], table["clusters"], table["units"]) == ("people", 12, 240)
    assert set(metrics_table(pictures)["drawn"]) == {"units"}
    wide, narrow = class_intervals(people, "c1"), class_intervals(pictures, "c1")
    for name in ("balanced_accuracy", "macro_f1", "kappa"):
        low, high = (table[f"{name}_{end}"] for end in ("low", "high"))
        assert low < table[name] < high and (low, high) == (wide[f"{name}_low"], wide[f"{name}_high"])
        assert high - low > 1.5 * (narrow[f"{name}_high"] - narrow[f"{name}_low"]), name


def test_intervals_of_class_metrics_are_the_jackknife_of_scikit_learns_figures() -> None:
    """Faces of two studies share their names; one class is of a single picture, another of none, but is named."""
    rows = make_results(studies=2, units=24, folds=1, repeats=2).predictions
    rows["truth"] = rows["truth"].replace({"neutral": "fear", "surprise": "anger"})
    rows.loc[(rows["study"] == "study-0") & (rows["unit"] == "picture-0005"), "truth"] = "neutral"
    rows.loc[(rows["arm"] == "c1") & (rows["unit"] == "picture-0001"), "predicted"] = "surprise"
    results = make_results(predictions=rows, cluster="identity")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        intervals = class_intervals(results, "c1")
    own = results.rows("c1")
    faces = own["study"] + own["identity"]
    parts = [own, *(own[faces != face] for face in faces.unique())]
    sizes = np.full(12, 4.0)
    for name, metric in (
        ("balanced_accuracy", lambda y, p: balanced_accuracy_score(y, p)),
        ("macro_f1", lambda y, p: f1_score(y, p, labels=y.unique(), average="macro")),
        ("kappa", cohen_kappa_score),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of scikit-learn: a class that is named and never true
            value, *without = (metric(part["truth"], part["predicted"]) for part in parts)
        low, high = share_interval(value, np.array(without), sizes)
        if name == "kappa":
            reach = stats.t.ppf(0.975, 11) * np.sqrt(11 / 12 * ((np.array(without) - value) ** 2).sum())
            low, high = value - reach, value + reach
        assert (intervals[f"{name}_low"], intervals[f"{name}_high"]) == pytest.approx((low, high)), name


def test_an_interval_of_kappa_ends_where_kappa_does() -> None:
    rows = make_results(studies=1, units=12, folds=1, classes=("fear", "joy")).predictions
    other = rows["truth"].map({"fear": "joy", "joy": "fear"})
    ends = []
    for face in (True, False):  # one face is named wrongly, then all but this one
        rows["predicted"] = other.where((rows["identity"] == "I000") == face, rows["truth"])
        figures = class_intervals(make_results(predictions=rows, classes=("fear", "joy"), cluster="identity"), "c1")
        ends.append((figures["kappa_low"], figures["kappa_high"]))
    assert ends[0][1] == 1 and ends[1][0] == -1
