"""Results by group: how often an arm is right for each age, gender or ethnicity, and how far apart these lie."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd

from insula.errors import SettingsError
from insula.evaluation.metrics import recalls
from insula.evaluation.results import Results
from insula.evaluation.statistics import accuracy_interval, difference_interval, paired_test, unit_scores

USUAL = ("face_gender", "face_eth", "face_age", "gender", "ethnicity", "race", "age")
"""Columns that a run groups by where the corpus has them and the recipe names none."""

_MOST = 12  # more groups than this nobody reads
_LEAST = 5  # clusters; a smaller group is shown, and says nothing of how far groups lie apart
_QUARTERS = 4
_SHUFFLES, _FEW_SHUFFLES = 1999, 199
_MOST_SHUFFLED = 10_000_000  # people times shuffles: a second


def group_columns(table: pd.DataFrame, wanted: Sequence[str] | None) -> list[str]:
    """Return the columns of a corpus to group by: those a recipe names, or the usual ones that there are.

    Raises
    ------
    SettingsError
        Where the recipe names one that the corpus has not.
    """
    if wanted is None:
        return [name for name in USUAL if name in table]
    unknown = [name for name in wanted if name not in table]
    if unknown:
        do = f"the corpus has {', '.join(map(str, table.columns))}"
        raise SettingsError(f"no column {unknown[0]!r} to group by", where="groups", do=do)
    return list(wanted)


def named_groups(values: pd.Series) -> pd.Series:
    """Return a column as names of groups: numbers of many values, such as ages, are cut at their quartiles.

    Examples
    --------
    >>> named_groups(pd.Series([18, 20, 21, 27, None, 28, 41, 42, 60])).dropna().unique().tolist()
    ['18 to 20', '21 to 27', '28 to 41', '42 to 60']
    """
    present = values.notna()
    if pd.api.types.is_numeric_dtype(values) and values.nunique() > _QUARTERS:
        held = values.groupby(pd.qcut(values, _QUARTERS, duplicates="drop"), observed=True)
        values = held.transform("min").map("{:g}".format) + " to " + held.transform("max").map("{:g}".format)
    return values.astype(object).where(present, None)


def grouped_by(results: Results) -> list[str]:
    """Return the columns that results are told by group for: provenance of few values, but not that of people.

    There are none for ratings.
    """
    if results.rated:
        return []
    columns = [name for name in results.groups if name not in ("subject", results.cluster, results.series)]
    return [name for name in columns if 2 <= results.predictions[name].nunique() <= _MOST]


def group_table(results: Results) -> pd.DataFrame:
    """Return how every arm does in every group.

    Returns
    -------
    DataFrame
        One row an arm, column and group: `arm, column, group, units`, `clusters` (people, where these are known),
        `accuracy` with its 95 % interval `low, high` over clusters, and `balanced_accuracy` (over the classes that the
        group has). A unit predicted in several repeats counts once.
    """
    parts = [_by_group(results, arm.name, column) for arm in results.arms for column in grouped_by(results)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def group_differences(results: Results, table: pd.DataFrame) -> pd.DataFrame:
    """Return how far the best and the worst served group lie apart; groups of fewer than 5 clusters are left out.

    Parameters
    ----------
    results : Results
        A whole experiment.
    table : DataFrame
        Its `group_table`.

    Returns
    -------
    DataFrame
        One row an arm and column: `arm, column`, `best` and `worst` (groups), `difference` of their accuracies with a
        95 % interval `low, high` (Newcombe's, from the two groups' own intervals), and `p`: how often people that are
        put into groups of these sizes at random lie as far apart. Best and worst were chosen by what they reached, so
        the interval, which does not know that, lies too high; `p` knows. Where every cluster has as many units in
        either group (each face in two styles), both are paired: the interval of differences within clusters, and a
        sign-flip test over clusters, times the number of pairs of groups. They are NaN where some clusters are in two
        groups and others are not.

    References
    ----------
    Newcombe (1998), Interval estimation for the difference between independent proportions, Statistics in Medicine 17.
    """
    rows = []
    for arm in results.arms:
        scores = unit_scores(results, arm.name)
        for column in grouped_by(results):
            served = table[(table["arm"] == arm.name) & (table["column"] == column) & (table["clusters"] >= _LEAST)]
            if len(served) < 2:
                continue
            best, worst = served.loc[served["accuracy"].idxmax()], served.loc[served["accuracy"].idxmin()]
            group_of = _units(results, arm.name, column)
            kept = scores.assign(group=group_of).loc[lambda units, served=served: units["group"].isin(served["group"])]
            low, high, p = _tested(best, worst, kept)
            rows.append(
                {
                    "arm": arm.name,
                    "column": column,
                    "best": best["group"],
                    "worst": worst["group"],
                    "difference": best["accuracy"] - worst["accuracy"],
                    "low": low,
                    "high": high,
                    "p": p,
                }
            )
    return pd.DataFrame(rows, columns=["arm", "column", "best", "worst", "difference", "low", "high", "p"])


def _units(results: Results, arm: str, column: str) -> pd.Series:
    """Return the group of each unit, index (study, unit)."""
    return results.rows(arm).groupby(["study", "unit"])[column].first()


def _by_group(results: Results, arm: str, column: str) -> pd.DataFrame:
    from fairlearn.metrics import MetricFrame

    rows = results.rows(arm).dropna(subset=[column])
    frame = MetricFrame(
        metrics={"accuracy": _accuracy, "balanced_accuracy": partial(_balanced, classes=results.classes)},
        y_true=rows["truth"],
        y_pred=rows["predicted"],
        sensitive_features=rows[[column]].astype(str),
        sample_params={name: {"sample_weight": rows["weight"]} for name in ("accuracy", "balanced_accuracy")},
    ).by_group
    scores, group_of = unit_scores(results, arm), _units(results, arm, column).astype(str)
    members = [scores[group_of == group] for group in frame.index]
    intervals = pd.DataFrame([accuracy_interval(units) for units in members], index=frame.index)
    about = {"units": [len(units) for units in members], "clusters": intervals["n"]}
    table = frame.assign(arm=arm, column=column, **about).join(intervals[["low", "high"]])
    order = ["arm", "column", "group", "units", "clusters", "accuracy", "low", "high", "balanced_accuracy"]
    return table.rename_axis("group").reset_index()[order]


def _accuracy(truth: np.ndarray, predicted: np.ndarray, sample_weight: np.ndarray) -> float:
    return float(np.average(truth == predicted, weights=sample_weight))


def _balanced(truth: np.ndarray, predicted: np.ndarray, sample_weight: np.ndarray, classes: tuple[str, ...]) -> float:
    return float(np.nanmean(recalls(truth, predicted, classes, sample_weight)))


def _tested(best: pd.Series, worst: pd.Series, units: pd.DataFrame) -> tuple[float, float, float]:
    """Return the interval of the difference of two groups, and its p; NaN where there is neither."""
    if not units[["cluster", "group"]].drop_duplicates()["cluster"].duplicated().any():
        return *_newcombe(best, worst), _by_luck(units)
    ordered = units.sort_values("cluster", kind="stable")
    first, second = (ordered[ordered["group"] == row["group"]] for row in (best, worst))
    if first["cluster"].tolist() != second["cluster"].tolist():
        return np.nan, np.nan, np.nan
    pairs = first.assign(score=first["score"].to_numpy() - second["score"].to_numpy())
    estimate, count = difference_interval(pairs), units["group"].nunique()
    return estimate.low, estimate.high, min(1.0, paired_test(pairs) * count * (count - 1) / 2)


def _newcombe(best: pd.Series, worst: pd.Series) -> tuple[float, float]:
    """Return the interval of a difference of two independent groups from the interval of each."""
    difference = best["accuracy"] - worst["accuracy"]
    below = np.hypot(best["accuracy"] - best["low"], worst["high"] - worst["accuracy"])
    above = np.hypot(best["high"] - best["accuracy"], worst["accuracy"] - worst["low"])
    return float(difference - below), float(min(difference + above, 1.0))


def _by_luck(units: pd.DataFrame) -> float:
    """Return the share of random groups of people, of the same sizes, that lie as far apart as the real ones."""
    people = units.groupby("cluster").agg(total=("score", "sum"), n=("score", "size"), group=("group", "first"))
    codes = pd.factorize(people["group"])[0]
    draw = np.random.default_rng(0)
    shuffles = max(_FEW_SHUFFLES, min(_SHUFFLES, _MOST_SHUFFLED // len(codes)))
    tried = np.vstack([codes, draw.permuted(np.tile(codes, (shuffles, 1)), axis=1)])
    inside = [(tried == group).astype(np.float32) for group in range(codes.max() + 1)]
    means = [group @ people["total"].to_numpy() / (group @ people["n"].to_numpy()) for group in inside]
    reach = np.ptp(means, axis=0)
    return float((reach >= reach[0] - 1e-9).mean())
