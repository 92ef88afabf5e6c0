"""Every metric of ratings, in two aggregations, with intervals: all from sums over clusters, so that rows can be many.

Root mean square error, Pearson's and Lin's correlation and R2 follow from a few sums over rows. A cluster of rows (a
trial, a subject) is left out by taking its sums away, so that the interval of every metric knows that the rows of a
cluster are no independent observations.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from insula.evaluation.intervals import degrees_of_freedom, jackknife_error, reach
from insula.evaluation.results import Results

METRICS = ("rmse", "pcc", "ccc", "r2")
"""Root mean square error, Pearson's correlation, Lin's concordance and R2."""

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
    """Return the ends of the 95 % intervals of all metrics, from the sums of each cluster, NaN for too few of them.

    As `insula.evaluation.intervals` has it, an error by its logarithm, a correlation by Fisher's z, R2 by the logarithm
    of what is left.
    """
    whole = clusters.sum(axis=0)
    value, without = _scaled(_statistics(whole)), _scaled(_statistics(whole - clusters))
    half = reach(jackknife_error(value, without), degrees_of_freedom(clusters[:, 0]))
    ends = value - half, value + half
    of_error, of_r2 = (np.array([metric == name for name in METRICS] * 2) for metric in ("rmse", "r2"))
    low, high = (np.where(of_error, np.exp(end), np.where(of_r2, 1 - np.exp(end), np.tanh(end))) for end in ends)
    return np.where(of_r2, high, low), np.where(of_r2, low, high)


def _scaled(metrics: np.ndarray) -> np.ndarray:
    """Return metrics (..., 8) on scales on which their error is nearly symmetric."""
    scaled = np.empty_like(metrics)
    for place, name in enumerate(METRICS * 2):
        values = metrics[..., place]
        if name in ("rmse", "r2"):
            scaled[..., place] = np.log(np.maximum(values if name == "rmse" else 1 - values, 1e-12))
        else:
            scaled[..., place] = np.arctanh(np.clip(values, -1 + 1e-12, 1 - 1e-12))
    return scaled
