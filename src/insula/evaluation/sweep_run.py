"""Run the cells of a sweep as one piece of work, and put their figures into one table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from insula.evaluation.add_ons import ADD_ONS
from insula.evaluation.chance import chance_of
from insula.evaluation.collect import collect
from insula.evaluation.experiment import fit_all, plan, prepare
from insula.evaluation.rating_metrics import METRICS
from insula.evaluation.results import CONSTANT, Results
from insula.evaluation.statistics import Estimate, gain
from insula.evaluation.sweep import Cell, Sweep
from insula.evaluation.table import metrics_table
from insula.evaluation.verdict import MINUS, Verdict, in_units, verdict
from insula.storage.cache import Cache
from insula.storage.progress import Step
from insula.tiers import naming_tier


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of one cell.

    Parameters
    ----------
    cell : Cell
        The cell.
    results : Results
        Of its recipe.
    """

    cell: Cell
    results: Results

    @cached_property
    def table(self) -> pd.DataFrame:
        """The `metrics_table`, indexed by arm."""
        return metrics_table(self.results).set_index("arm")

    @cached_property
    def verdict(self) -> Verdict:
        """The verdict."""
        return verdict(self.results)

    @cached_property
    def gain(self) -> Estimate:
        """Of the headline, as `gain_of` has it."""
        return gain_of(self.results, self.results.headline)

    @cached_property
    def placebo_gain(self) -> Estimate | None:
        """Of the placebo that is right most often; None where none was run, or where gains are counted from it."""
        names = [arm.name for arm in self.results.arms if arm.kind == "placebo"]
        best = max(names, key=self.results.score, default=None)
        return None if best in (None, against(self.results)) else gain_of(self.results, best)

    def figures(self, arm: str) -> dict[str, Any]:
        """Return what an arm reached and gained, as a row of a table of numbers."""
        results, row, gained = self.results, self.table.loc[arm], gain_of(self.results, arm)
        if results.rated:
            of_series, pooled = f"_per_{results.series or 'unit'}", "_pooled"
            kept = [f"{metric}{over}" for metric in METRICS for over in (of_series, pooled)]
            ends = {end: row[f"rmse{of_series}_{end}"] for end in ("low", "high")}
            reached = {"error": row[f"rmse{of_series}"], **ends, "constant": results.error(CONSTANT), **row[kept]}
        else:
            reached = {name: row[name] for name in ("accuracy", "low", "high")}
            reached["chance"] = chance_of(results, arm).threshold
        return {
            "practice": results.mark or "clean", "arm": arm, "arm_title": row["title"], "kind": row["kind"],
            "units": row["units"], **reached, "against": against(results),
            "gain": gained.value, "gain_low": gained.low, "gain_high": gained.high,
        }  # fmt: skip

    def reached(self, arm: str, *, short: bool = False) -> str:
        """Return in words what an arm reached: its accuracy in per cent with the interval, or its error and agreement.

        The agreement is Pearson's correlation within series, then pooled.
        """
        row = self.table.loc[arm]
        if self.results.rated:
            own = f"per_{self.results.series or 'unit'}"
            value, *ends = (in_units(self.results, row[f"rmse_{own}{end}"]) for end in ("", "_low", "_high"))
            further = f"\nr {_correlation(row[f'pcc_{own}'])}, pooled {_correlation(row['pcc_pooled'])}"
        else:
            value, *ends = (f"{100 * row[name]:.1f}" for name in ("accuracy", "low", "high"))
            further = ""
        return value if short else f"{value}\n{' to '.join(ends)}{further}"


@naming_tier()
def run_sweep(
    sweep: Sweep, cache: Cache, jobs: int = 1, progress: Step | None = None, engine: str | None = None
) -> list[Outcome]:
    """Run every cell; fits of all cells wait in one queue, and what was finished before is read, not repeated.

    Parameters
    ----------
    sweep : Sweep
        What to run.
    cache, jobs, progress, engine
        As `insula.evaluation.experiment.run` has them.
    """
    cells = sweep.cells()
    prepare([cell.recipe for cell in cells], cache, jobs, progress, engine)
    plans = [plan(cell.recipe, cache) for cell in cells]
    fit_all(plans, cache, jobs, progress, engine)
    outcomes = []
    for done, (cell, planned) in enumerate(zip(cells, plans, strict=True), start=1):
        kinds = ("all", "drawn") if _is_drawn(sweep, cell) else ("all",)
        outcomes.append(Outcome(cell, collect(planned, cache, [one for one in ADD_ONS if one.cells in kinds])))
        if progress:
            progress(done, len(cells), "reading and mapping what the fits left")
    return outcomes


def _is_drawn(sweep: Sweep, cell: Cell) -> bool:
    return any(cell.at(figure.where) for figure in sweep.figures if figure.kind == "embedding")


def cells_table(sweep: Sweep, outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """Return one row a cell and arm.

    Returns
    -------
    DataFrame
        `cell, title`, a column for each axis of the grid, `practice` ("clean", or what flatters it, as published),
        `arm, arm_title, kind, units, accuracy, low, high, chance` (adjusted for the number of units; of ratings
        `error`, that of the predictor `constant`, and every metric in both aggregations in their place); `gain,
        gain_low, gain_high`, the arm minus the system's own model without the ingredient (`against`), paired over
        units, with a 95 % interval (of ratings as a share of the constant's error); and `verdict` of the cell. Shares,
        not percentages.
    """
    rows = []
    for number, outcome in enumerate(outcomes, start=1):
        place = {axis: outcome.cell.value(axis) for axis in sweep.axes}
        cell = {"cell": number, "title": outcome.cell.title, **place}
        rows += [{**cell, **outcome.figures(arm.name), "verdict": outcome.verdict.kind} for arm in outcome.results.arms]
    return pd.DataFrame(rows)


def measure_of(outcomes: Sequence[Outcome]) -> str:
    """Return what cells are told by: the accuracy, or the error where they rate."""
    rated = {outcome.results.rated for outcome in outcomes}
    return "accuracy %" if rated == {False} else "error" if rated == {True} else "accuracy % or error"


def unit_of(outcomes: Sequence[Outcome]) -> str:
    """Return what gains are counted in: points, or per cent of the constant predictor's error where cells rate."""
    rated = {outcome.results.rated for outcome in outcomes}
    ratings = "per cent of the constant's error"
    return "points" if rated == {False} else ratings if rated == {True} else f"points, or {ratings}"


def against(results: Results) -> str:
    """Return the arm that gains are counted from: the system without the ingredient, else the best comparator."""
    return results.baseline or max(results.comparators, key=results.score)


def gain_of(results: Results, arm: str) -> Estimate:
    """Return how much better an arm is than the one that gains are counted from, with its interval."""
    if arm == against(results):
        return Estimate(float("nan"), float("nan"), float("nan"), 0)
    return gain(results, arm, against(results))


def _correlation(value: float) -> str:
    return f"{value:.2f}".replace("-", MINUS).replace("nan", "\u2013")
