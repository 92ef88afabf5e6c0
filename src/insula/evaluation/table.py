"""The table of a run: one row an arm, every metric, and the headline's paired differences."""

from __future__ import annotations

import numpy as np
import pandas as pd

from insula.evaluation.metrics import classification_metrics
from insula.evaluation.results import Results
from insula.evaluation.statistics import (
    accuracy_interval,
    difference_interval,
    group_scores,
    holm,
    paired_test,
    unit_differences,
    unit_scores,
)


def metrics_table(results: Results) -> pd.DataFrame:
    """Return every figure of a run.

    Parameters
    ----------
    results : Results
        A whole experiment.

    Returns
    -------
    DataFrame
        One row an arm: `arm, title, kind, split` ("clean", or "leaking, as published"), `units`,
        `accuracy` with its 95 % interval `low, high`, `sd` (over studies, else over repeats; NaN for one of each),
        `balanced_accuracy, macro_f1, kappa, log_loss, brier, ece, auroc_error, recall_CLASS`, `agreement` (with the
        given label, where that differs from the scored truth); then, for every arm but the headline,
        `difference` (the headline minus this arm) with `difference_low, difference_high`, and for the comparators
        `p` of the paired test and `p_holm`, corrected for their number. Shares, not percentages.
    """
    rows = {arm.name: {"title": arm.title, "kind": arm.kind, **_figures(results, arm.name)} for arm in results.arms}
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("arm")
    table.insert(2, "split", "leaking, as published" if results.as_published else "clean")
    tests = pd.DataFrame.from_dict(
        {arm.name: _against(results, arm.name) for arm in results.arms if arm.name != results.headline}, orient="index"
    )
    table = table.join(tests)
    compared = list(results.comparators)
    table.loc[compared, "p_holm"] = holm(table.loc[compared, "p"].to_numpy())
    return table.reset_index()


def _figures(results: Results, name: str) -> dict[str, float]:
    rows = results.rows(name)
    found = accuracy_interval(unit_scores(results, name))
    by = "study" if results.studies > 1 else "repeat"
    groups = group_scores(results, name, by)
    metrics = classification_metrics(
        rows["truth"].to_numpy(object),
        rows["predicted"].to_numpy(object),
        rows[[f"p_{label}" for label in results.classes]].to_numpy(float),
        results.classes,
        uncertainty=rows["uncertainty"].to_numpy(float) if "uncertainty" in rows else None,
        weights=rows["weight"].to_numpy(),
    )
    figures = {
        "units": len(rows[["study", "unit"]].drop_duplicates()),
        "accuracy": metrics.pop("accuracy"),
        "low": found.low,
        "high": found.high,
        "sd": float(groups.std(ddof=1)) if len(groups) > 1 else float("nan"),
        **metrics,
    }
    if not (rows["label"] == rows["truth"]).all():
        agrees = (rows["predicted"] == rows["label"]).to_numpy(float)
        figures["agreement"] = float(np.average(agrees, weights=rows["weight"]))
    return figures


def _against(results: Results, name: str) -> dict[str, float]:
    units = unit_differences(results, results.headline, name)
    found = difference_interval(units)
    return {
        "difference": found.value,
        "difference_low": found.low,
        "difference_high": found.high,
        "p": paired_test(units) if name in results.comparators else float("nan"),
    }
