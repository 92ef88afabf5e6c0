"""Run the cells of a sweep as one piece of work, and put their figures into one table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from insula.evaluation.chance import chance_of
from insula.evaluation.experiment import Progress, collect, fit_all, plan, prepare
from insula.evaluation.results import Results
from insula.evaluation.statistics import Estimate, difference_interval, unit_differences
from insula.evaluation.sweep import Cell, Sweep
from insula.evaluation.table import metrics_table
from insula.evaluation.verdict import Verdict, verdict
from insula.storage.cache import Cache


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
    def said(self) -> Verdict:
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
        best = max(names, key=self.results.accuracy, default=None)
        return None if best in (None, against(self.results)) else gain_of(self.results, best)

    def figures(self, arm: str) -> dict[str, Any]:
        """Return what an arm reached and gained, as a row of a table of numbers."""
        results, row, gain = self.results, self.table.loc[arm], gain_of(self.results, arm)
        return {
            "practice": results.mark or "clean", "arm": arm, "arm_title": row["title"], "kind": row["kind"],
            "units": row["units"], "accuracy": row["accuracy"], "low": row["low"], "high": row["high"],
            "chance": chance_of(results, arm).threshold, "against": against(results),
            "gain": gain.value, "gain_low": gain.low, "gain_high": gain.high,
        }  # fmt: skip


def run_sweep(
    sweep: Sweep, cache: Cache, jobs: int = 1, progress: Progress | None = None, engine: str | None = None
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
    for cell, planned in zip(cells, plans, strict=True):
        outcomes.append(Outcome(cell, collect(planned, cache, maps=_wants_maps(sweep, cell))))
    return outcomes


def _wants_maps(sweep: Sweep, cell: Cell) -> bool:
    return any(cell.at(figure.where) for figure in sweep.figures if figure.kind == "embedding")


def cells_table(sweep: Sweep, outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """Return one row a cell and arm.

    Returns
    -------
    DataFrame
        `cell, title`, a column for each axis of the grid, `practice` ("clean", or what flatters it, as published),
        `arm, arm_title, kind, units, accuracy, low, high, chance` (adjusted for the number of units); `gain, gain_low,
        gain_high`, the arm minus the system's own model without the ingredient (`against`), paired over units, with a
        95 % interval; and `verdict` of the cell. Shares, not percentages.
    """
    rows = []
    for number, outcome in enumerate(outcomes, start=1):
        place = {axis: outcome.cell.value(axis) for axis in sweep.axes}
        cell = {"cell": number, "title": outcome.cell.title, **place}
        rows += [{**cell, **outcome.figures(arm.name), "verdict": outcome.said.kind} for arm in outcome.results.arms]
    return pd.DataFrame(rows)


def against(results: Results) -> str:
    """Return the arm that gains are counted from: the system without the ingredient, else the best comparator."""
    return results.baseline or max(results.comparators, key=results.accuracy)


def gain_of(results: Results, arm: str) -> Estimate:
    """Return how much more often an arm is right than the one that gains are counted from, with its interval."""
    if arm == against(results):
        return Estimate(float("nan"), float("nan"), float("nan"), 0)
    return difference_interval(unit_differences(results, arm, against(results)))
