"""Intervals over clusters of what a table of true and predicted classes tells."""

from __future__ import annotations

import numpy as np
import pandas as pd

from insula.evaluation.intervals import degrees_of_freedom, jackknife_error, reach, share_interval
from insula.evaluation.metrics import places_of
from insula.evaluation.results import Results


def class_intervals(results: Results, arm: str) -> dict[str, float]:
    """Return `METRIC_low` and `METRIC_high` of an arm's balanced accuracy, macro-F1 and kappa."""
    rows, names = results.rows(arm), results.classes
    clusters = pd.factorize(rows["study"].astype(str) + "/" + rows[results.cluster or "unit"].astype(str))[0]
    truth, answers = (places_of(rows[column].to_numpy(object), names) for column in ("truth", "predicted"))
    shape = (int(clusters.max()) + 1, len(names), len(names))
    tables = np.bincount(np.ravel_multi_index((clusters, truth, answers), shape), rows["weight"], np.prod(shape))
    tables = tables.reshape(shape)
    whole, sizes = tables.sum(axis=0), tables.sum(axis=(1, 2))
    values, without = _metrics(whole), _metrics(whole - tables)
    figures: dict[str, float] = {}
    for name, value in values.items():
        if name == "kappa":
            half = reach(jackknife_error(value, without[name]), degrees_of_freedom(sizes))
            low, high = np.maximum(value - half, -1), np.minimum(value + half, 1)
        else:
            low, high = share_interval(value, without[name], sizes)
        figures |= {f"{name}_low": float(low), f"{name}_high": float(high)}
    return figures


def _metrics(tables: np.ndarray) -> dict[str, np.ndarray]:
    """Return the metrics of tables (..., classes, classes) of true (row) and predicted class, each of shape (...)."""
    hits, present, named = np.diagonal(tables, axis1=-2, axis2=-1), tables.sum(axis=-1), tables.sum(axis=-2)
    there = present > 1e-9  # a class absent from the truth counts in no mean
    classes, total = there.sum(axis=-1), present.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        balanced = np.where(there, hits / present, 0).sum(axis=-1) / classes
        f1 = np.where(there, 2 * hits / (present + named), 0).sum(axis=-1) / classes
        by_chance = (present * named).sum(axis=-1) / total**2
        kappa = (hits.sum(axis=-1) / total - by_chance) / (1 - by_chance)
    return {"balanced_accuracy": balanced, "macro_f1": f1, "kappa": kappa}
