"""Tables that a sweep declares: arms of cells side by side, recall by class, paired tests, what the system measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from insula.errors import SettingsError
from insula.evaluation.report import number_in_words
from insula.evaluation.statistics import gain_interval, holm, paired_test, unit_differences
from insula.evaluation.sweep import Row, TableSettings
from insula.evaluation.sweep_run import Outcome, measure_of
from insula.evaluation.verdict import between, percent, points

NOT_RUN = "not run"


@dataclass(frozen=True)
class Shown:
    """A table for readers and for machines.

    Parameters
    ----------
    settings : TableSettings
        What it is.
    head : tuple of (mark, title)
        Of the columns that people read; `mark` says what flatters a column, empty for a clean one.
    rows : tuple of (mark, cells)
        What people read, likewise.
    data : DataFrame
        The numbers, one a row.
    """

    settings: TableSettings
    head: tuple[tuple[str, str], ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]
    data: pd.DataFrame

    @property
    def marks(self) -> str:
        """Whatever flatters a part of the table."""
        return "; ".join(dict.fromkeys(mark for mark, _ in (*self.head, *self.rows) if mark))


def show(settings: TableSettings, outcomes: Sequence[Outcome], titles: Mapping[str, str]) -> Shown:
    """Return a table that a sweep declares; `titles` says what axes are called.

    Raises
    ------
    SettingsError
        Where no cell has the levels, the arm or the system's table that it names.
    """
    shown = _KINDS[settings.kind](settings, outcomes)
    return replace(shown, head=tuple((mark, titles.get(name, name)) for mark, name in shown.head))


def _accuracy(settings: TableSettings, outcomes: Sequence[Outcome]) -> Shown:
    """One row an arm: what was published, a column for each combination of levels that a cell has, what was not run."""
    places: dict[tuple[str, ...], str] = {}
    for outcome in outcomes:
        if any(_holds(row, outcome) for row in settings.rows) and set(settings.across) <= set(outcome.cell.levels):
            places.setdefault(tuple(outcome.cell.levels[axis] for axis in settings.across), outcome.results.mark)
    if not places:
        raise _unknown(settings, f"no cell has its rows and the axes {', '.join(settings.across)}")
    order = [list(dict.fromkeys(o.cell.levels.get(axis) for o in outcomes)) for axis in settings.across]
    columns = sorted(
        places, key=lambda place: [levels.index(level) for levels, level in zip(order, place, strict=True)]
    )
    rows, data = [], []
    published = list(dict.fromkeys(name for row in settings.rows for name in row.reported))
    for row in settings.rows:
        reported = {f"reported: {name}": row.reported.get(name, "") for name in published}
        cells = [row.title, *reported.values()]
        for place in columns:
            levels = dict(zip(settings.across, place, strict=True))
            matching = [o for o in outcomes if _holds(row, o) and o.cell.at(levels)]
            cells.append(matching[0].reached(row.arm) if matching else NOT_RUN if row.arm else "")
            about = {**levels, "row": row.title, **reported}
            data += [{**about, **o.figures(row.arm), "cell": o.cell.title} for o in matching[:1]]
        rows.append(("", (*cells, *(NOT_RUN if row.arm else "" for _ in settings.blank))))
    theirs = [("", f"reported, not ours:\n{name}") for name in published]
    ours = [(places[place], "\n".join(place)) for place in columns]
    head = (("", ""), *theirs, *ours, *(("", f"ours:\n{name}") for name in settings.blank))
    return Shown(settings, head, tuple(rows), pd.DataFrame(data))


def _holds(row: Row, outcome: Outcome) -> bool:
    return outcome.cell.at(row.where) and row.arm in outcome.table.index


def _recall(settings: TableSettings, outcomes: Sequence[Outcome]) -> Shown:
    """One row a class and cell: recall under the first arm, under the second, and the change."""
    chosen = _chosen(settings, outcomes)
    if len(settings.arms) != 2 or any(arm not in outcome.table.index for outcome in chosen for arm in settings.arms):
        raise _unknown(settings, f"arms are two that were run, not {', '.join(settings.arms) or 'none'}")
    if any(outcome.results.rated for outcome in chosen):
        raise _unknown(settings, "ratings have no recall of classes")
    before, after = settings.arms
    rows, data = [], []
    for outcome in chosen:
        counts = outcome.results.rows(after).groupby("truth")["weight"].sum()
        for name in outcome.results.classes:
            old, new = (float(outcome.table.loc[arm, f"recall_{name}"]) for arm in (before, after))
            level = outcome.cell.levels.get(settings.by, "")
            number = round(float(counts.get(name, 0)))
            rows.append(
                (outcome.results.mark, (level, name, str(number), percent(old), percent(new), points(new - old)))
            )
            data.append({settings.by or "cell": level or outcome.cell.title, "class": name, "units": number,
                         f"recall_{before}": old, f"recall_{after}": new, "change": new - old})  # fmt: skip
    titles = [chosen[0].results.arm(arm).title for arm in (before, after)]
    head = tuple(("", title) for title in (settings.by, "class", "units", *titles, "change, points"))
    return Shown(settings, head, tuple(rows), pd.DataFrame(data))


def _paired(settings: TableSettings, outcomes: Sequence[Outcome]) -> Shown:
    """One row a cell: how often it is right, and how much more often than each arm, with p corrected over cells."""
    chosen = _chosen(settings, outcomes)
    for outcome in chosen:
        lost = [arm for arm in settings.arms if arm not in outcome.table.index]
        if lost or not settings.arms:
            raise _unknown(settings, f"no arm {', '.join(lost) or 'is named'} in the cell {outcome.cell.title!r}")
    rows = [[o.cell.title, o.reached(o.results.headline)] for o in chosen]
    data = []
    for arm in settings.arms:
        units = [unit_differences(o.results, o.results.headline, arm) for o in chosen]
        corrected = holm([paired_test(one) for one in units])
        for row, outcome, one, p in zip(rows, chosen, units, corrected, strict=True):
            estimate = gain_interval(outcome.results, one)
            in_words = "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
            row.append(f"{points(estimate.value)} ({between(estimate.low, estimate.high)})\n{in_words}")
            name = "error" if outcome.results.rated else "accuracy"
            about = {"cell": outcome.cell.title, "against": arm, name: abs(outcome.results.score(arm))}
            data.append({**about, "gain": estimate.value, "low": estimate.low, "high": estimate.high, "p_holm": p})
    unit = "" if chosen[0].results.rated else " %"
    titles = [
        f"against {chosen[0].results.arm(arm).title}\n{chosen[0].reached(arm, short=True)}{unit}"
        for arm in settings.arms
    ]
    head = tuple(("", name) for name in ("", measure_of(chosen), *titles))
    marked = tuple((o.results.mark, tuple(row)) for o, row in zip(chosen, rows, strict=True))
    return Shown(settings, head, marked, pd.DataFrame(data))


def _system(settings: TableSettings, outcomes: Sequence[Outcome]) -> Shown:
    """Return the system's own table of every chosen cell, one under the other."""
    rows, frames = [], []
    for outcome in _chosen(settings, outcomes):
        if settings.table not in outcome.results.measured:
            titles = ", ".join(outcome.results.measured) or "none"
            raise _unknown(settings, f"the system made no table {settings.table!r}; it made {titles}")
        table = outcome.results.measured[settings.table]
        level = outcome.cell.levels.get(settings.by, "")
        frames.append(table.assign(**{settings.by or "cell": level or outcome.cell.title}))
        for values in table.itertuples(index=False):
            rows.append((outcome.results.mark, (level, *(number_in_words(value) for value in values))))
    head = tuple(("", title) for title in (settings.by, *map(str, frames[0].columns[:-1])))
    return Shown(settings, head, tuple(rows), pd.concat(frames, ignore_index=True))


def _chosen(settings: TableSettings, outcomes: Sequence[Outcome]) -> list[Outcome]:
    chosen = [outcome for outcome in outcomes if outcome.cell.at(settings.where)]
    if not chosen:
        raise _unknown(settings, f"no cell has the levels {settings.where}")
    return chosen


def _unknown(settings: TableSettings, what: str) -> SettingsError:
    return SettingsError(what, where=f"table {settings.name}", do="correct the sweep")


_KINDS: dict[str, Callable[[TableSettings, Sequence[Outcome]], Shown]] = {
    "accuracy": _accuracy, "recall": _recall, "paired": _paired, "system": _system,
}  # fmt: skip
