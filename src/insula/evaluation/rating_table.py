"""The table of a run with ratings: one row an arm, every metric in two aggregations, and paired differences."""

from __future__ import annotations

import numpy as np
import pandas as pd

from insula.evaluation.rating_metrics import rating_figures
from insula.evaluation.results import Results
from insula.evaluation.statistics import group_scores


def rating_figures_of(results: Results, name: str) -> dict[str, float]:
    """Return the figures of an arm: how many units, clusters and series there are, and what `rating_figures` has.

    `sd` is that of the error of a series over studies, else over repeats (NaN for one of each), and
    `uncertainty_error` Spearman's correlation of the uncertainty with the size of the error, over all rows; it is there
    for arms that say how unsure they are, and NaN where one is always equally unsure.
    """
    rows = results.rows(name)
    groups = group_scores(results, name, "study" if results.studies > 1 else "repeat")
    figures = {
        "units": len(rows[["study", "unit"]].drop_duplicates()),
        "clusters": len(rows[["study", results.cluster or results.series or "unit"]].drop_duplicates()),
        "series": len(rows[["study", results.series or "unit"]].drop_duplicates()),
        "sd": float(groups.std(ddof=1)) if len(groups) > 1 else float("nan"),
        **rating_figures(results, name),
    }
    if "uncertainty" in rows and rows["uncertainty"].notna().all():
        figures["uncertainty_error"] = _rank_correlation(rows["uncertainty"], rows["error"].abs())
    return figures


def _rank_correlation(first: pd.Series, second: pd.Series) -> float:
    from scipy.stats import spearmanr

    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(spearmanr(first, second).statistic)
