"""The table of a run: one row an arm, every metric, and the headline's paired differences."""

from __future__ import annotations

import numpy as np
import pandas as pd

from insula.evaluation.class_intervals import class_intervals
from insula.evaluation.metrics import (
    calibration_error,
    classification_metrics,
    ordinal_metrics,
    places_of,
    reliability,
    set_metrics,
)
from insula.evaluation.rating_table import rating_figures_of
from insula.evaluation.results import Results
from insula.evaluation.statistics import (
    accuracy_interval,
    corrected_tests,
    drawn_units,
    gain_interval,
    group_scores,
    mean_scores,
    paired_test,
    unit_differences,
    unit_scores,
)
from insula.samples.predictions import split_sets


def metrics_table(results: Results) -> pd.DataFrame:
    """Return every figure of a run.

    Of ratings the columns between `split` and `difference` are those of
    `insula.evaluation.rating_table.rating_figures_of`, in the label's own units, and a difference is by how much the
    headline errs less, as a share of the constant predictor's error.

    Parameters
    ----------
    results : Results
        A whole experiment.

    Returns
    -------
    DataFrame
        One row an arm: `arm, title, kind, split` ("clean", or what flatters it, as published), `drawn` (what
        intervals and tests draw, as `people`), `units`, `clusters` (how many were drawn),
        `accuracy` with its 95 % interval `low, high`, `sd` (over studies, else over repeats; NaN for one of each),
        `balanced_accuracy, macro_f1, kappa, log_loss, brier, ece, auroc_error, aurc, aurc_best, recall_CLASS` (see
        `insula.evaluation.metrics.classification_metrics`, the first three each with `_low` and `_high`),
        `agreement` (with the given label, where that differs from the scored truth); of ordered classes `top_two`,
        `neighbours` and `near`
        (see `insula.evaluation.metrics.ordinal_metrics`); of arms that give sets of classes, `ece_before` (of
        the probabilities before the temperature), `coverage` (how often the set holds the given label) with
        `coverage_low, coverage_high` and `coverage_promised`, `coverage_truth` (how often it holds the truth, where
        that differs), `set_size`, `fell_back` (share predicted in another mode than asked for) and `refused` (share
        for which the system would rather not answer; the other figures count them); then, for every arm but the
        headline,
        `difference` (the headline minus this arm) with `difference_low, difference_high`, and for the comparators
        `p` of the paired test and `p_holm`, corrected for their number. Shares, not percentages.
    """
    figures = rating_figures_of if results.rated else _figures
    rows = {arm.name: {"title": arm.title, "kind": arm.kind, **figures(results, arm.name)} for arm in results.arms}
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("arm")
    table.insert(2, "split", results.mark or "clean")
    table.insert(3, "drawn", drawn_units(results))
    tests = pd.DataFrame.from_dict(
        {arm.name: _against(results, arm.name) for arm in results.arms if arm.name != results.headline}, orient="index"
    )
    table = table.join(tests)
    return table.join(pd.Series(corrected_tests(results), name="p_holm")).reset_index()


def _figures(results: Results, name: str) -> dict[str, float]:
    rows = results.rows(name)
    estimate = accuracy_interval(unit_scores(results, name))
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
        "clusters": estimate.n,
        "accuracy": metrics.pop("accuracy"),
        "low": estimate.low,
        "high": estimate.high,
        "sd": float(groups.std(ddof=1)) if len(groups) > 1 else float("nan"),
        **metrics,
        **class_intervals(results, name),
    }
    if not (rows["label"] == rows["truth"]).all():
        agrees = (rows["predicted"] == rows["label"]).to_numpy(float)
        figures["agreement"] = float(np.average(agrees, weights=rows["weight"]))
    if results.passport.get("task", {}).get("kind") == "ordinal":
        places = places_of(rows["truth"].to_numpy(object), results.classes)
        probabilities = rows[[f"p_{label}" for label in results.classes]].to_numpy(float)
        figures |= ordinal_metrics(places, probabilities, rows["weight"].to_numpy())
    if "set" in rows and rows["set"].notna().all():
        figures |= _sets(results, name, rows)
    return figures


def _sets(results: Results, name: str, rows: pd.DataFrame) -> dict[str, float]:
    """Return what an arm that gives sets promised and kept, over the units that have a label."""
    rows = rows[rows["label"].notna()]
    weights, classes = rows["weight"].to_numpy(), results.classes
    given, truth = rows["label"].to_numpy(object), rows["truth"].to_numpy(object)
    admitted = split_sets(rows["set"], classes)
    held = accuracy_interval(mean_scores(results, rows, admitted[np.arange(len(rows)), places_of(given, classes)]))
    figures = {
        **set_metrics(admitted, given, classes, weights),
        "coverage_low": held.low,
        "coverage_high": held.high,
        "coverage_promised": float(rows["set_coverage"].mean()),
        "ece_before": _ece_before(rows, classes),
    }
    if (given != truth).any():
        figures["coverage_truth"] = set_metrics(admitted, truth, classes, weights)["coverage"]
    asked = name if results.arm(name).kind == "system" else results.headline
    figures["fell_back"] = float(np.average(rows["mode"] != asked, weights=weights))
    figures["refused"] = float(np.average(rows["reason"] != "", weights=weights))
    return figures


def _ece_before(rows: pd.DataFrame, classes: tuple[str, ...]) -> float:
    """Return the calibration error of the probabilities with the temperature undone."""
    powers = rows[[f"p_{label}" for label in classes]].to_numpy(float) ** rows["temperature"].to_numpy(float)[:, None]
    confidence = powers.max(axis=1) / powers.sum(axis=1)
    return calibration_error(reliability(confidence, rows["correct"].to_numpy(), rows["weight"].to_numpy()))


def _against(results: Results, name: str) -> dict[str, float]:
    units = unit_differences(results, results.headline, name)
    estimate = gain_interval(results, units)
    return {
        "difference": estimate.value,
        "difference_low": estimate.low,
        "difference_high": estimate.high,
        "p": paired_test(units) if name in results.comparators else float("nan"),
    }
