"""How few labels are enough: the share at which a strategy reaches what all labels reach."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from insula.evaluation.results import Results
from insula.evaluation.statistics import cluster_interval
from insula.evaluation.verdict import between, percent, points

ALL = "all labels"
"""Name of the reference, which is asked everything."""

_RUN = ["repeat", "fold"]


def label_efficiency(runs: pd.DataFrame, metric: str = "macro_f1") -> pd.DataFrame:
    """Return the smallest share of labels at which each strategy reaches full accuracy.

    Reached is full accuracy less one standard error of its mean over runs. The first share at which a curve that wavers
    comes that high is a little too early by luck, for all strategies alike: read it beside that of `random`.

    Parameters
    ----------
    runs : DataFrame
        One row a run and round: `mode, strategy, repeat, fold, share`, and the metric; the strategy `all labels` is the
        reference.
    metric : str
        A column, larger is better.

    Returns
    -------
    DataFrame
        One row a mode and strategy. `share`: of the mean curve; NaN where it is not reached in any round. `reached` of
        `runs`: how many single runs reach their own full accuracy, less the same standard error. `mean_share` of these,
        a run that does not reach it counting as 1, with a 95 % interval `low, high` over repeats (over folds where
        there is one repeat; NaN for a single run). `more_than_random`: the mean difference to random of the same run,
        with `more_low, more_high`; NaN where random was not run.

    Examples
    --------
    >>> shares, scores = [0.1, 0.2, 0.3, 1.0], [0.5, 0.8, 0.8, 0.8]
    >>> runs = pd.DataFrame({"share": shares, "macro_f1": scores, "strategy": ["entropy"] * 3 + ["all labels"],
    ...                      "mode": "both", "repeat": 0, "fold": 0})
    >>> float(label_efficiency(runs)["share"].iloc[0])
    0.2
    """
    rows = []
    for mode, part in runs.groupby("mode", sort=False):
        full = part[part["strategy"] == ALL].set_index(_RUN)[metric]
        error = float(full.std(ddof=1) / np.sqrt(len(full))) if len(full) > 1 else 0.0
        asked = part[part["strategy"] != ALL]
        own = {name: _own_shares(curve, full - error, metric) for name, curve in asked.groupby("strategy", sort=False)}
        for name, shares in own.items():
            means = asked[asked["strategy"] == name].groupby("share")[metric].mean()
            enough = means.index[means >= full.mean() - error]
            interval = _interval(shares.fillna(1.0), 0.0)
            apart = _interval(shares.fillna(1.0) - own["random"].fillna(1.0), -1.0) if "random" in own else [np.nan] * 3
            rows.append([mode, name, enough.min() if len(enough) else np.nan, int(shares.notna().sum()), len(shares),
                         *interval, *(apart if name != "random" else [np.nan] * 3)])  # fmt: skip
    columns = ["mode", "strategy", "share", "reached", "runs", "mean_share", "low", "high"]
    return pd.DataFrame(rows, columns=[*columns, "more_than_random", "more_low", "more_high"])


def _own_shares(curve: pd.DataFrame, wanted: pd.Series, metric: str) -> pd.Series:
    """Return the smallest share at which each run reaches its own mark, NaN where it never does."""
    table = curve.pivot_table(index=_RUN, columns="share", values=metric)
    reached = table.ge(wanted.reindex(table.index), axis=0)
    return reached.idxmax(axis=1).where(reached.any(axis=1)).astype(float)


def _interval(values: pd.Series, least: float) -> list[float]:
    """Return a mean over runs with its interval over what is independent: repeats, or the folds of a single one."""
    repeats = values.index.get_level_values("repeat")
    clusters = repeats if len(set(repeats)) > 1 else values.index.get_level_values("fold")
    interval = cluster_interval(values.to_numpy(), np.asarray(clusters))
    return [interval.value, *np.clip([interval.low, interval.high], least, 1.0).tolist()]


def with_label_curves(results: Results, runs: pd.DataFrame) -> Results:
    """Return the results with label curves, so that a report prints and draws them.

    Parameters
    ----------
    results : Results
        Of the same recipe.
    runs : DataFrame
        From `insula.labelling.curves.label_curves`.
    """
    efficiency = label_efficiency(runs)
    means = runs.pivot_table(index=["mode", "strategy"], columns="share", values="macro_f1", sort=False)
    means = means[sorted(means)].rename(columns=lambda share: f"{100 * share:.4g} %").rename_axis(columns=None)
    return replace(
        results,
        tables={**results.tables, "label_curves": runs, "label_efficiency": efficiency},
        measured={
            **results.measured,
            "Labels that are enough": efficiency_in_words(efficiency),
            "Macro-F1 by share of labels, mean over runs": means.reset_index(),
        },
    )


def efficiency_in_words(efficiency: pd.DataFrame) -> pd.DataFrame:
    """Return the table of `label_efficiency` as people read it."""

    def share(value: float) -> str:
        return "not reached" if np.isnan(value) else f"{100 * value:.4g} %"

    rows = []
    for row in efficiency.itertuples():
        against = row.strategy != "random" and not np.isnan(row.more_than_random)
        rows.append(
            {
                "predicted in mode": row.mode,
                "asked by": row.strategy,
                "labels enough": share(row.share),
                "runs that reach it": f"{row.reached} of {row.runs}",
                "mean over runs": percent(row.mean_share),
                "95 % interval": "" if np.isnan(row.low) else f"{100 * row.low:.0f} to {100 * row.high:.0f}",
                "minus random, points": points(row.more_than_random) if against else "",
                "95 % interval ": between(row.more_low, row.more_high) if against else "",
            }
        )
    return pd.DataFrame(rows)
