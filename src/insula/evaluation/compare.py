"""Compare runs: their headlines side by side, tested where they predicted the same units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from insula.errors import DataError
from insula.evaluation.results import CONSTANT, Results
from insula.evaluation.statistics import (
    accuracy_interval,
    cluster_interval,
    difference_interval,
    drawn_units,
    holm,
    paired_test,
    unit_scores,
)
from insula.evaluation.verdict import verdict
from insula.tiers import need

_SAME = ("task", "protocol")


def compare(folders: Sequence[Path | Results], *, mixed: bool = False) -> pd.DataFrame:
    """Compare the headline arms of runs with the first run's.

    Parameters
    ----------
    folders : sequence of Path or Results
        Run folders, or results, the first being the one that the others are compared with.
    mixed : bool
        Let runs as published, on a leaking split say, stand beside clean ones, marked in the column `split`.

    Returns
    -------
    DataFrame
        One row a run: `run, arm, split, drawn` (what intervals and tests draw, as in `people`), `units, accuracy, low,
        high, verdict` (of ratings `series` and `error`, the root mean square error of one, in place of `units` and
        `accuracy`); against the first run over the units both predicted `shared` (their number), `difference` (this run
        minus the first; of ratings by how much this run errs less, as a share of the first's constant predictor's
        error),
        `difference_low, difference_high, p` and `p_holm`, corrected for the number of tests; NaN where no unit is
        shared. Clean runs and runs as published are never tested against each other.

    Raises
    ------
    DataError
        For fewer than two runs, runs of different tasks or protocols, or, without `mixed`, clean runs beside runs as
        published.
    """
    need("train")
    if len(folders) < 2:
        raise DataError("one run has nothing to be compared with", do="give two or more run folders")
    opened = [one if isinstance(one, Results) else Results.open(one) for one in folders]
    runs = dict(zip(_names(folders), opened, strict=True))
    _check(runs, mixed)
    first = next(iter(runs.values()))
    rows = {name: {**_own(run), **_against(run, first)} for name, run in runs.items()}
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("run")
    tested = table["p"].notna()
    table.loc[tested, "p_holm"] = holm(table.loc[tested, "p"].to_numpy())
    return table.reset_index()


def _names(folders: Sequence[Path | Results]) -> list[str]:
    names = [_title(one) if isinstance(one, Results) else one.resolve().name for one in folders]
    if len(set(names)) == len(names):
        return names
    return [f"{number}: {_title(one)}" if isinstance(one, Results) else str(one) for number, one in enumerate(folders)]


def _title(results: Results) -> str:
    return results.arm(results.headline).title


def _check(runs: dict[str, Results], mixed: bool) -> None:
    reference, first = next(iter(runs.items()))
    for name, run in runs.items():
        for part in _SAME:
            # a leaking protocol differs from the clean one by definition: there it is the mark that separates them
            differs = part == "task" or run.as_published == first.as_published
            if differs and run.passport.get(part) != first.passport.get(part):
                raise DataError(
                    f"runs of different {part}s are not compared ({_differs(run.passport, first.passport, part)})",
                    where=f"{reference} and {name}",
                    do=f"compare runs whose passports name the same {part}",
                )
    if not mixed and len({run.as_published for run in runs.values()}) > 1:
        marked = ", ".join(name for name, run in runs.items() if run.as_published)
        raise DataError(
            "a run as published does not stand beside a clean one",
            where=marked,
            do="leave it out, or ask for a mixed table, which marks it",
        )


def _differs(passport: Mapping[str, Any], other: Mapping[str, Any], part: str) -> str:
    """Return in words which settings of a task or protocol differ, the three first of them."""
    own, first = passport.get(part) or {}, other.get(part) or {}
    names = [name for name in {**first, **own} if own.get(name) != first.get(name) and name != "description"]
    return "; ".join(f"{name} {first.get(name)} and {own.get(name)}" for name in names[:3])


def _own(run: Results) -> dict[str, object]:
    scores = unit_scores(run, run.headline)
    if run.rated:
        estimate = cluster_interval(scores["score"].to_numpy(), scores["cluster"].to_numpy())
        figures = {"series": len(scores), "error": estimate.value}
    else:
        estimate = accuracy_interval(scores)
        figures = {"units": len(scores), "accuracy": estimate.value}
    return {
        "arm": run.arm(run.headline).title,
        "split": run.mark or "clean",
        "drawn": drawn_units(run),
        **figures,
        "low": estimate.low,
        "high": estimate.high,
        "verdict": verdict(run).kind,
    }


def _against(run: Results, first: Results) -> dict[str, object]:
    columns = ("difference", "difference_low", "difference_high", "p", "p_holm")
    nothing: dict[str, object] = {"shared": 0, **dict.fromkeys(columns, float("nan"))}
    if run is first or run.as_published != first.as_published:
        return nothing
    # two runs may have split differently, so they are paired by unit and not by split
    both = unit_scores(run, run.headline).join(
        unit_scores(first, first.headline)["score"], rsuffix="_first", how="inner"
    )
    if both.empty:
        return nothing
    units = both.assign(score=both["score"] - both["score_first"])
    if run.rated:
        units["score"] /= -first.error(CONSTANT)
        estimate = cluster_interval(units["score"].to_numpy(), units["cluster"].to_numpy())
    else:
        estimate = difference_interval(units)
    return {
        **nothing,
        "shared": len(units),
        "difference": estimate.value,
        "difference_low": estimate.low,
        "difference_high": estimate.high,
        "p": paired_test(units),
    }
