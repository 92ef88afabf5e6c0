"""Statistics over scored units: intervals, paired differences and tests.

The key of a unit is (study, unit). Repeats of a split predict a unit again, they do not make a second one: scores are
averaged over repeats within a unit before any n, interval or test. What is drawn is what the protocol holds out: the
`cluster` of `Results`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from insula.errors import DataError
from insula.evaluation.intervals import (
    Estimate,
    degrees_of_freedom,
    jackknife_error,
    mean_without_each,
    no_difference,
    reach,
    share_interval,
)
from insula.evaluation.metrics import wilson_interval
from insula.evaluation.results import CONSTANT, KEY, Results

_PLURALS = dict.fromkeys(("subject", "identity", "person"), "people") | {"stimulus": "stimuli"}
_EXACT = 100_000  # ways to flip signs that are counted one by one


def unit_scores(results: Results, arm: str) -> pd.DataFrame:
    """Return the score of each unit under an arm: its share of right predictions over repeats.

    Of ratings a row is a series of units, and its score the root mean square error: smaller is better.

    Returns
    -------
    DataFrame
        Index (study, unit); columns `score` and `cluster`.
    """
    rows = results.rows(arm)
    if results.rated:
        return _per_series(results, rows, results.series_errors(rows))
    return mean_scores(results, rows, rows["correct"])


def mean_scores(results: Results, rows: pd.DataFrame, scores: pd.Series | np.ndarray) -> pd.DataFrame:
    """Return the mean of each unit's scores, one a row of `rows`, as `unit_scores` does of right predictions."""
    own = rows["study"].astype(str) + "/" + rows[results.cluster or "unit"].astype(str)  # names repeat between studies
    grouped = rows.assign(score=scores, cluster=own).groupby(["study", "unit"], sort=True)
    return grouped.agg(score=("score", "mean"), cluster=("cluster", "first"))


def unit_differences(results: Results, arm: str, other: str) -> pd.DataFrame:
    """Return how much better `arm` is than `other` for each unit, from the splits in which both predicted it.

    Of ratings a row is a series of units: by how much `arm` errs less, as a share of the error of the constant
    predictor over all series.

    Returns
    -------
    DataFrame
        Index (study, unit); columns `score`, of classes in [-1, 1], and `cluster`.

    Raises
    ------
    DataError
        Where the arms have no unit in common.
    """
    score = "error" if results.rated else "correct"
    first, second = results.rows(arm), results.rows(other)
    both = first.merge(second[[*KEY, score]], on=list(KEY), suffixes=("", "_other"))
    if both.empty:
        raise DataError("two arms have no unit in common", where=f"{arm} and {other}")
    if results.rated:
        spared = results.series_errors(both, "error_other") - results.series_errors(both)
        return _per_series(results, both, spared / results.error(CONSTANT))
    return mean_scores(results, both, both["correct"] - both["correct_other"])


def _per_series(results: Results, rows: pd.DataFrame, scores: pd.Series) -> pd.DataFrame:
    series = results.series or "unit"
    first = rows.drop_duplicates(["study", series])
    clusters = first["study"].astype(str) + "/" + first[results.cluster or series].astype(str)
    clusters.index = pd.MultiIndex.from_frame(first[["study", series]])
    return pd.DataFrame({"score": scores, "cluster": clusters})


def gain(results: Results, arm: str, other: str) -> Estimate:
    """Return how much better `arm` is than `other`, with a 95 % interval, as `gain_interval` has it."""
    return gain_interval(results, unit_differences(results, arm, other))


def gain_interval(results: Results, differences: pd.DataFrame) -> Estimate:
    """Return the mean of what `unit_differences` returned, with a 95 % interval.

    Of classes by `difference_interval`. Of ratings over clusters (`cluster_interval`): 0.02 is an error smaller by 2 %
    of the constant predictor's. That the constant's error is itself an estimate is not in the interval.
    """
    if results.rated:
        return cluster_interval(differences["score"].to_numpy(), differences["cluster"].to_numpy())
    return difference_interval(differences)


def drawn_units(results: Results) -> str:
    """Return what intervals and tests draw: units, or the people, clips or trials that several units belong to."""
    name = results.cluster or results.series or "unit"
    return _PLURALS.get(name, f"{name}s")


def accuracy_interval(scores: pd.DataFrame) -> Estimate:
    """Return the mean score of units with a 95 % interval.

    Wilson's where every unit is drawn by itself and right or wrong, or all score alike; else that of a share over
    clusters (`insula.evaluation.intervals.share_interval`).

    Examples
    --------
    >>> scores = pd.DataFrame({"score": [1.0] * 77 + [0.0] * 10, "cluster": range(87)})
    >>> [round(100 * value, 1) for value in accuracy_interval(scores)[:3]]
    [88.5, 80.1, 93.6]
    """
    values, n = scores["score"].to_numpy(), scores["cluster"].nunique()
    mean = float(values.mean())
    if n == len(values) and (np.isin(values, (0, 1)).all() or np.ptp(values) == 0):
        return Estimate(mean, *wilson_interval(mean, n), n)
    _, without, sizes = _without_each(values, scores["cluster"].to_numpy())
    low, high = share_interval(mean, without, sizes)
    return Estimate(mean, float(low), float(high), n)


def difference_interval(differences: pd.DataFrame) -> Estimate:
    """Return the mean paired difference over units with a 95 % interval: over clusters, as `cluster_interval` does.

    Where every unit is drawn by itself, or all clusters differ alike, one unit won and one lost are added before the
    interval is taken, as Bonett and Price (2012) do for paired proportions: twenty units on which two arms agree are no
    proof that they always do.

    Examples
    --------
    >>> alike = pd.DataFrame({"score": [0.0] * 30, "cluster": range(30)})
    >>> estimate = difference_interval(alike)
    >>> estimate.value, estimate.low < -0.02 < 0.02 < estimate.high
    (0.0, True)
    """
    values, names = differences["score"].to_numpy(), differences["cluster"].astype(str).to_numpy(object)
    estimate = cluster_interval(values, names)
    if estimate.n == len(values) or estimate.low == estimate.high:
        padded = cluster_interval(np.append(values, [1.0, -1.0]), np.append(names, ["+", "-"]), real=estimate.n)
        estimate = padded._replace(value=estimate.value)
    return estimate._replace(low=max(estimate.low, -1.0), high=min(estimate.high, 1.0))


def cluster_interval(
    values: np.ndarray, clusters: np.ndarray, *, real: int | None = None, level: float = 0.95
) -> Estimate:
    """Return a mean with an interval over clusters, whose members are not independent: Student's t on the jackknife.

    Parameters
    ----------
    values : array, shape (n,)
        One value a unit.
    clusters : array, shape (n,)
        The cluster of each unit.
    real : int, optional
        Number of clusters that were observed, where some of `clusters` were added.
    level : float
        Coverage.
    """
    mean, without, sizes = _without_each(values, clusters)
    n = real or len(sizes)
    half = float(reach(jackknife_error(mean, without), degrees_of_freedom(sizes[:n]), level))
    return Estimate(mean, mean - half, mean + half, n)


def _without_each(values: np.ndarray, clusters: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Return a mean, what it is without each cluster, NaN for a single one, and the clusters' sizes."""
    codes = pd.factorize(clusters)[0]
    sizes = np.bincount(codes).astype(float)
    mean, without = mean_without_each(np.bincount(codes, values), sizes)
    return float(mean), without, sizes


def paired_test(differences: pd.DataFrame) -> float:
    """Return the two-sided p of no mean difference.

    Over clusters of several units by Student's t on the error of `cluster_interval`, so that p is below .05 where that
    interval leaves out 0. Where every unit is drawn by itself by flipping signs: on a single split, where a difference
    is -1, 0 or 1, it is McNemar's exact test. So it is for whole clusters where they are too few for an interval or
    differ alike. Signs are flipped in every way as long as these can be counted, else in 9999 ways drawn by lot. Both
    test the mean that is reported, which Wilcoxon's signed ranks do not (most differences are ties at 0).

    Examples
    --------
    >>> won = pd.DataFrame({"score": [1.0] * 8 + [-1.0] * 2 + [0.0] * 90, "cluster": range(100)})
    >>> round(paired_test(won), 4)
    0.1094
    """
    mean, without, sizes = _without_each(differences["score"].to_numpy(), differences["cluster"].to_numpy())
    alike = np.isnan(degrees_of_freedom(sizes)) or np.ptp(without) < 1e-12
    return _flipped(differences) if alike or sizes.max() == 1 else float(no_difference(mean, without, sizes))


def _flipped(differences: pd.DataFrame) -> float:
    from scipy.stats import binom

    sums = differences.groupby("cluster", sort=False)["score"].sum().to_numpy().round(9)
    seen = abs(sums.sum()) - 1e-6
    # of the clusters of one size it is enough to know how many are flipped up; a size of 0 changes nothing
    sizes, often = np.unique(np.abs(sums[sums != 0]), return_counts=True)
    if not len(sizes):
        return 1.0
    if np.prod(often + 1.0) <= _EXACT:
        ups = np.stack(np.meshgrid(*(np.arange(n + 1) for n in often), indexing="ij"), axis=-1).reshape(-1, len(often))
        share = binom.pmf(ups, often, 0.5).prod(axis=1)
        return float(min(share[np.abs((2 * ups - often) @ sizes) >= seen].sum(), 1.0))
    ups = np.random.default_rng(0).binomial(often, 0.5, (9999, len(often)))
    return float((1 + (np.abs((2 * ups - often) @ sizes) >= seen).sum()) / 10_000)


def corrected_tests(results: Results) -> dict[str, float]:
    """Return the p of the headline against each comparator, corrected for their number (Holm)."""
    tests = [paired_test(unit_differences(results, results.headline, name)) for name in results.comparators]
    return dict(zip(results.comparators, holm(tests).tolist(), strict=True))


def holm(values: Sequence[float]) -> np.ndarray:
    """Return p values corrected for their number (Holm 1979).

    Examples
    --------
    >>> holm([0.01, 0.04])
    array([0.02, 0.04])
    """
    order, number = np.argsort(values), len(values)
    corrected = np.empty(number)
    corrected[order] = np.maximum.accumulate(np.minimum(np.asarray(values)[order] * np.arange(number, 0, -1), 1.0))
    return corrected


def group_scores(results: Results, arm: str, by: str) -> pd.Series:
    """Return the mean score of an arm in each group of a column, each unit counting once; of ratings the error.

    The standard deviation over studies, subjects or repeats is the spread.
    """
    rows = results.rows(arm)
    if results.rated:
        series = list(dict.fromkeys([by, "study", "repeat", results.series or "unit"]))
        return np.sqrt((rows["error"] ** 2).groupby([rows[name] for name in series]).mean()).groupby(level=by).mean()
    units = rows.groupby(list(dict.fromkeys([by, "study", "unit"])))["correct"].mean()
    return units.groupby(level=by).mean()


class ResampledTest(NamedTuple):
    """Mean difference over splits of one corpus, its corrected 95 % interval and two-sided p."""

    value: float
    low: float
    high: float
    p: float
    splits: int


def corrected_resampled_t(differences: np.ndarray, test_to_train: float) -> ResampledTest:
    """Return the t test of repeated splits on one corpus, corrected for shared training data.

    Repeats train on mostly the same samples, so their differences vary too little; Nadeau and Bengio (2003) add
    n_test / n_train to 1 / splits.

    Parameters
    ----------
    differences : array, shape (splits,)
        Difference of two arms on each test part.
    test_to_train : float
        Size of a test part over that of its training part.

    Raises
    ------
    DataError
        Where there are fewer than two splits.

    Examples
    --------
    >>> round(corrected_resampled_t(np.array([0.02, 0.03, 0.01, 0.04]), 1 / 9).p, 3)
    0.048
    """
    from scipy import stats

    n = len(differences)
    if n < 2:
        raise DataError("a test over splits needs two of them", where=f"{n} split", do="set more repeats or folds")
    mean = float(np.mean(differences))
    error = float(np.sqrt((1 / n + test_to_train) * np.var(differences, ddof=1)))
    reach = float(stats.t.ppf(0.975, n - 1)) * error
    p = float(2 * stats.t.sf(abs(mean) / error, n - 1)) if error > 0 else float(mean == 0)
    return ResampledTest(mean, mean - reach, mean + reach, p, n)


def resampled_test(results: Results, arm: str, other: str) -> ResampledTest | None:
    """Return the corrected t over the splits of one corpus; None for several studies or a single split.

    What a split does not test it may train on: the ratio of sizes is taken from the units themselves.
    """
    score = "error" if results.rated else "correct"
    first, second = results.rows(arm), results.rows(other)
    both = first.merge(second[[*KEY, score]], on=list(KEY), suffixes=("", "_other"))
    splits = both.groupby(["repeat", "fold"])
    test, all_units = splits.size().mean(), both["unit"].nunique()
    if results.studies > 1 or len(splits) < 2 or test >= all_units:
        return None
    return corrected_resampled_t(_by_split(results, both), float(test / (all_units - test)))


def _by_split(results: Results, both: pd.DataFrame) -> np.ndarray:
    """Return the mean difference of two arms in each split, float (splits,), as `unit_differences` counts it."""
    split = ["repeat", "fold"]
    if not results.rated:
        return (both["correct"] - both["correct_other"]).groupby([both[name] for name in split]).mean().to_numpy()
    series = both.assign(own=both["error"] ** 2, other=both["error_other"] ** 2).groupby(
        [*split, results.series or "unit"]
    )
    errors = np.sqrt(series[["own", "other"]].mean())
    spared = (errors["other"] - errors["own"]).groupby(level=split).mean()
    return spared.to_numpy() / results.error(CONSTANT)
