"""What the report of ratings shows in its tables, in words."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from insula.evaluation.draw_scores import p_value
from insula.evaluation.results import Results
from insula.evaluation.verdict import MINUS, between, in_units, points

_NONE = "\u2013"


def rating_rows(results: Results, table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a row an arm: the metrics of each aggregation as texts, and the difference from the headline.

    Parameters
    ----------
    results : Results
        With ratings.
    table : DataFrame
        Its `metrics_table`.
    """
    return [_row(results, row) for row in table.to_dict("records")]


def _row(results: Results, row: dict[str, Any]) -> dict[str, Any]:
    name, own = row["arm"], f"per_{results.series or 'unit'}"
    headline = name == results.headline
    compared = name in results.comparators
    return {
        "name": name,
        "title": row["title"],
        "kind": row["kind"],
        "sd": _NONE if math.isnan(row["sd"]) else in_units(results, row["sd"]),
        "own": _metrics(results, row, own),
        "pooled": _metrics(results, row, "pooled"),
        "difference": _NONE if headline else points(row["difference"]),
        "difference_interval": _NONE if headline else between(row["difference_low"], row["difference_high"]),
        "p": p_value(row["p_holm"]).removeprefix("p ").removeprefix("= ") if compared else _NONE,
        "uncertainty_error": _number(row.get("uncertainty_error", math.nan)),
    }


def _metrics(results: Results, row: dict[str, Any], over: str) -> list[str]:
    """Return error and its interval in the label's units, then correlation, concordance and R2, each with its own."""
    error, low, high = (row[f"rmse_{over}{end}"] for end in ("", "_low", "_high"))
    texts = [in_units(results, error), _to(low, high, lambda value: in_units(results, value))]
    for metric in ("pcc", "ccc", "r2"):
        value, low, high = (row[f"{metric}_{over}{end}"] for end in ("", "_low", "_high"))
        texts += [_number(value), _to(low, high, _number)]
    return texts


def _to(low: float, high: float, text: Any) -> str:
    return _NONE if math.isnan(low) or math.isnan(high) else f"{text(low)} to {text(high)}"


def _number(value: float) -> str:
    text = f"{value:.2f}"
    return _NONE if math.isnan(value) else "0.00" if text == "-0.00" else text.replace("-", MINUS)
