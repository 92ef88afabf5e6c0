"""Metrics of a continuous prediction, in two aggregations that are never confused: per trial and pooled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from insula.errors import DataError


def rmse(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Return the root mean square error, in the truth's unit.

    Examples
    --------
    >>> rmse(np.array([0.0, 0.0]), np.array([3.0, 4.0]))
    3.5355...
    """
    return float(np.sqrt(np.mean((predicted - truth) ** 2)))


def pearson(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Return Pearson's correlation: NaN where the truth is flat, 0 where only the prediction is.

    A flat prediction of a truth that moves has found nothing; leaving it out would reward it.
    """
    if np.ptp(truth) == 0:
        return float("nan")
    return _covariance(truth, predicted) / float(truth.std() * predicted.std()) if np.ptp(predicted) > 0 else 0.0


def concordance(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Return Lin's concordance with population moments (Lin 1989); NaN where the truth is flat.

    Examples
    --------
    >>> concordance(np.array([0.0, 1.0, 2.0]), np.array([1.0, 2.0, 3.0]))
    0.571...
    """
    if np.ptp(truth) == 0:
        return float("nan")
    gap = truth.mean() - predicted.mean()
    return float(2 * _covariance(truth, predicted) / (truth.var() + predicted.var() + gap**2))


def _covariance(truth: np.ndarray, predicted: np.ndarray) -> float:
    return float(np.mean((truth - truth.mean()) * (predicted - predicted.mean())))


def explained_variance(truth: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Return R2 of several outputs, `r2_uniform` (mean over outputs) and `r2_weighted` (by the outputs' variance).

    Parameters
    ----------
    truth, predicted : array, shape (n, outputs)
        For example the EEG embedding of a held-out trial and the one predicted from its picture.

    Examples
    --------
    >>> explained_variance(np.array([[0.0], [2.0]]), np.array([[0.0], [1.0]]))
    {'r2_uniform': 0.5, 'r2_weighted': 0.5}
    """
    from sklearn.metrics import r2_score

    return {
        "r2_uniform": float(r2_score(truth, predicted, multioutput="uniform_average")),
        "r2_weighted": float(r2_score(truth, predicted, multioutput="variance_weighted")),
    }


def continuous_metrics(truth: np.ndarray, predicted: np.ndarray, trials: Sequence | np.ndarray) -> dict[str, float]:
    """Return error and agreement on one scale, both per trial and pooled.

    The same predictions of MAHNOB-HCI's continuous valence correlate 0.24 per trial and 0.49 pooled, so a figure
    without its aggregation means nothing.

    Parameters
    ----------
    truth, predicted : array, shape (n,)
        One rating a row.
    trials : array, shape (n,)
        The trial of each row.

    Returns
    -------
    dict
        `rmse_pooled`, `pcc_pooled`, `ccc_pooled`, `r2_pooled` over all rows together, and `rmse_per_trial`,
        `pcc_per_trial`, `ccc_per_trial`: means over trials. Last `r2_per_trial`, of all trials together around each
        one's own mean: the mean of the trials' own R2 would be that of the flattest one. Trials with a flat truth count
        in the error alone.

    Raises
    ------
    DataError
        Where the lengths differ, nothing is given or a value is not finite.

    Examples
    --------
    >>> said = continuous_metrics(np.array([0.0, 1.0, 5.0, 6.0]), np.array([1.0, 0.0, 6.0, 5.0]), [1, 1, 2, 2])
    >>> round(said["pcc_pooled"], 2), round(said["pcc_per_trial"], 2)
    (0.92, -1.0)
    """
    from sklearn.metrics import r2_score

    truth, predicted, trials = np.asarray(truth, float), np.asarray(predicted, float), np.asarray(trials)
    if not len(truth) or not (len(truth) == len(predicted) == len(trials)):
        raise DataError(
            "ratings, predictions and trials do not go together",
            where=f"{len(truth)}, {len(predicted)} and {len(trials)} rows",
            do="give one of each a row",
        )
    broken = ~(np.isfinite(truth) & np.isfinite(predicted))
    if broken.any():
        raise DataError("a rating or prediction is not a number", where=f"row {np.flatnonzero(broken)[0]}")
    groups = [(truth[trials == trial], predicted[trials == trial]) for trial in np.unique(trials)]
    scores = {"rmse": rmse, "pcc": pearson, "ccc": concordance}
    pooled = {f"{name}_pooled": score(truth, predicted) for name, score in scores.items()}
    per_trial = {}
    for name, score in scores.items():
        values = np.array([score(*group) for group in groups])
        defined = values[~np.isnan(values)]
        per_trial[f"{name}_per_trial"] = float(defined.mean()) if len(defined) else float("nan")
    moving = [(own, said) for own, said in groups if np.ptp(own) > 0]
    spread = sum(((own - own.mean()) ** 2).sum() for own, _ in moving)
    missed = sum(((own - said) ** 2).sum() for own, said in moving)
    per_trial["r2_per_trial"] = float(1 - missed / spread) if spread > 0 else float("nan")
    return {**pooled, "r2_pooled": float(r2_score(truth, predicted)), **per_trial}
