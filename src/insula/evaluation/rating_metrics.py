"""Every metric of ratings, in two aggregations, with intervals: all from sums over clusters, so that rows can be many.

Root mean square error, Pearson's and Lin's correlation and R2 follow from a few sums over rows. A cluster of rows (a
trial, a subject) is resampled by adding up its sums again, so the interval of every metric is one product of matrices,
and knows that the rows of a cluster are no independent observations.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from insula.evaluation.results import Results
from insula.evaluation.statistics import FEW

METRICS = ("rmse", "pcc", "ccc", "r2")
"""Root mean square error, Pearson's correlation, Lin's concordance and R2."""

_RESAMPLES = 4999
_POOLED = ("weight", "truth", "predicted", "truth_truth", "predicted_predicted", "truth_predicted", "error_error")


def rating_figures(results: Results, arm: str) -> dict[str, float]:
    """Return every metric of an arm's ratings, per series and pooled, with 95 % intervals over clusters.

    Returns
    -------
    dict
        `METRIC_per_SERIES` and `METRIC_pooled`, each with `_low` and `_high`, for the `METRICS`. Per series: the mean
        over series of what is computed inside each (flat truths left out of the correlations); R2 is that of all
        series together around each one's own mean, because a nearly flat series would outweigh all others in a mean.
        Pooled: over all rows at once.
    """
    sums, clusters = _sums(results, arm)
    codes, names = pd.factorize(clusters)
    by_cluster = np.zeros((len(names), sums.shape[1]))
    np.add.at(by_cluster, codes, sums)
    own = f"per_{results.series or 'unit'}"
    columns = [f"{metric}_{over}" for over in (own, "pooled") for metric in METRICS]
    values, (low, high) = _statistics(by_cluster.sum(axis=0)), _interval(by_cluster)
    figures: dict[str, float] = {}
    for place, column in enumerate(columns):
        figures |= {column: values[place], f"{column}_low": low[place], f"{column}_high": high[place]}
    return {name: float(value) for name, value in figures.items()}


def _sums(results: Results, arm: str) -> tuple[np.ndarray, np.ndarray]:
    """Return sums of each series in each repeat, float (series, 14), and the cluster it belongs to.

    The first seven are over rows, weighted so that a unit counts once; then come what is summed over series.
    """
    rows = results.rows(arm)
    centre = rows.groupby("study")["truth"].transform("mean")  # one study is no better told from another than it is
    predicted, truth = rows["rating"] - centre, rows["truth"] - centre
    series = results.series or "unit"
    keys = [rows["study"], rows["repeat"], rows[series]]
    table = pd.DataFrame({"truth": truth, "predicted": predicted})
    grouped = table.groupby(keys, sort=False)
    means = grouped.transform("mean")
    inside = table - means
    inside = inside.mask(grouped.transform("max") == grouped.transform("min"), 0.0)  # a mean may be off by a digit
    weight = rows["weight"]
    parts = pd.DataFrame(
        {
            "weight": weight,
            "truth": weight * truth,
            "predicted": weight * predicted,
            "truth_truth": weight * truth**2,
            "predicted_predicted": weight * predicted**2,
            "truth_predicted": weight * truth * predicted,
            "error_error": weight * rows["error"] ** 2,
            "n": 1.0,
            "own_truth": inside["truth"] ** 2,
            "own_predicted": inside["predicted"] ** 2,
            "own_both": inside["truth"] * inside["predicted"],
            "gap": rows["error"],
        }
    )
    added = parts.groupby(keys, sort=False).sum()
    cluster = rows["study"].astype(str) + "/" + rows[results.cluster or series].astype(str)
    return _with_series(added), cluster.groupby(keys, sort=False).first().to_numpy(object)


def _with_series(added: pd.DataFrame) -> np.ndarray:
    """Return the sums over rows beside those that means over series are made of, float (series, 14)."""
    study, _, series = added.index.names
    share = 1 / added["n"].groupby(level=[study, series]).transform("size").to_numpy()  # over repeats
    n, weight, missed = (added[name].to_numpy() for name in ("n", "weight", "error_error"))
    tt, pp, tp = (added[name].to_numpy() / n for name in ("own_truth", "own_predicted", "own_both"))
    with np.errstate(divide="ignore", invalid="ignore"):
        pearson = np.where(pp > 0, tp / np.sqrt(tt * pp), 0.0)
        concordance = 2 * tp / (tt + pp + (added["gap"].to_numpy() / n) ** 2)
    moves = tt > 0  # where the truth is flat there is nothing to agree with
    own = [
        share * np.sqrt(missed / weight),
        share,
        np.where(moves, share * pearson, 0),
        np.where(moves, share * concordance, 0),
        np.where(moves, share, 0),
        np.where(moves, missed, 0),
        weight * tt,
    ]
    return np.column_stack([added[list(_POOLED)].to_numpy(), *own])


def _statistics(sums: np.ndarray) -> np.ndarray:
    """Return the metrics that sums come to, float (..., 8): per series, then pooled."""
    w, t, p, tt, pp, tp, ee, rmse, count, pearson, concordance, moving, missed, spread = np.moveaxis(sums, -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        var_t, var_p = tt / w - (t / w) ** 2, pp / w - (p / w) ** 2
        covariance = tp / w - t * p / w**2
        still_t, still_p = (part <= 1e-12 * (square / w) for part, square in ((var_t, tt), (var_p, pp)))
        pcc = np.where(still_p, 0.0, covariance / np.sqrt(np.where(still_p, 1, var_t * var_p)))
        ccc = 2 * covariance / (var_t + var_p + (t / w - p / w) ** 2)
        pooled = [pcc, ccc, 1 - ee / (w * var_t)]
        per_series = [rmse / count, pearson / moving, concordance / moving, 1 - missed / spread]
    per_series[3] = np.where(spread > 0, per_series[3], np.nan)
    pooled = [np.where(still_t, np.nan, value) for value in pooled]
    return np.stack([*per_series, np.sqrt(ee / w), *pooled], axis=-1)


def _interval(clusters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of the 95 % intervals of all metrics, from the sums of each cluster.

    From 30 clusters on the percentile bootstrap over clusters; below, Student's t on the error of the jackknife, which
    leaves out one cluster at a time. NaN for a single cluster.
    """
    k = len(clusters)
    if k < 2:
        return np.full(2 * len(METRICS), np.nan), np.full(2 * len(METRICS), np.nan)
    if k >= FEW:
        drawn = np.random.default_rng(0).multinomial(k, np.full(k, 1 / k), _RESAMPLES) @ clusters
        low, high = np.quantile(_statistics(drawn), [0.025, 0.975], axis=0)
    else:
        from scipy import stats

        whole = clusters.sum(axis=0)
        without = _statistics(whole - clusters)
        error = np.sqrt((k - 1) / k * ((without - without.mean(axis=0)) ** 2).sum(axis=0))
        reach = stats.t.ppf(0.975, k - 1) * error
        low, high = _statistics(whole) - reach, _statistics(whole) + reach
    least = np.array([0, -1, -1, -np.inf] * 2)
    most = np.array([np.inf, 1, 1, 1] * 2)
    return np.maximum(low, least), np.minimum(high, most)
