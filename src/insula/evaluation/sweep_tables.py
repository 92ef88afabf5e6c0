"""Tables that a sweep declares: arms of cells side by side, recall by class, and what the system measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from insula.errors import SettingsError
from insula.evaluation.report import number_in_words
from insula.evaluation.sweep import TableSettings
from insula.evaluation.sweep_run import Outcome, gain_of
from insula.evaluation.verdict import percent, points

NOT_RUN = "not run"


@dataclass(frozen=True)
class Shown:
    """A table for readers and for machines.

    Parameters
    ----------
    settings : TableSettings
        What it is.
    head : tuple of str
        Titles of the columns that people read.
    rows : tuple of (mark, cells)
        What people read; `mark` says what flatters a row, empty for a clean one.
    data : DataFrame
        The numbers, one a row.
    """

    settings: TableSettings
    head: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]
    data: pd.DataFrame

    @property
    def marked(self) -> bool:
        """Whether any row is flattered."""
        return any(mark for mark, _ in self.rows)


def show(settings: TableSettings, outcomes: Sequence[Outcome], titles: Mapping[str, str]) -> Shown:
    """Return a table that a sweep declares; `titles` says what axes are called.

    Raises
    ------
    SettingsError
        Where no cell has the levels, the arm or the system's table that it names.
    """
    shown = _KINDS[settings.kind](settings, outcomes)
    return replace(shown, head=tuple(titles.get(name, name) for name in shown.head))


def _accuracy(settings: TableSettings, outcomes: Sequence[Outcome]) -> Shown:
    """One row a level of `rows` and of `by`; a column an arm of the cell at these levels and at the column's own."""
    axes = [axis for axis in (settings.rows, settings.by) if axis]
    places = list(dict.fromkeys(tuple(o.cell.levels[axis] for axis in axes) for o in outcomes if
                                set(axes) <= set(o.cell.levels)))  # fmt: skip
    if not axes or not places:
        raise _unknown(settings, f"no cell has the axes {', '.join(axes) or 'rows and by'}")
    places.sort(key=lambda place: [_rank(outcomes, axis, level) for axis, level in zip(axes, place, strict=True)])
    rows, data = [], []
    for place in places:
        levels = dict(zip(axes, place, strict=True))
        mark, cells = "", [*place]
        for column in settings.columns:
            found = [o for o in outcomes if o.cell.at({**levels, **column.where}) and column.arm in o.table.index]
            if not found:
                cells.append(NOT_RUN)
                continue
            outcome, mark = found[0], found[0].results.mark
            row, gain = outcome.table.loc[column.arm], gain_of(outcome.results, column.arm)
            cells.append(f"{100 * row['accuracy']:.1f} ({100 * row['low']:.1f} to {100 * row['high']:.1f})")
            data.append({
                **levels, "practice": mark or "clean", "column": column.title, "arm": column.arm,
                "units": row["units"], "accuracy": row["accuracy"], "low": row["low"], "high": row["high"],
                "gain": gain.value, "gain_low": gain.low, "gain_high": gain.high, "cell": outcome.cell.title,
            })  # fmt: skip
        rows.append((mark, tuple(cells)))
    return Shown(settings, (*axes, *(column.title for column in settings.columns)), tuple(rows), pd.DataFrame(data))


def _recall(settings: TableSettings, outcomes: Sequence[Outcome]) -> Shown:
    """One row a class and cell: recall under the first arm, under the second, and the change."""
    before, after = settings.arms
    chosen = _chosen(settings, outcomes)
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
    head = (settings.by, "class", "units", *titles, "change, points")
    return Shown(settings, head, tuple(rows), pd.DataFrame(data))


def _system(settings: TableSettings, outcomes: Sequence[Outcome]) -> Shown:
    """Return the system's own table of every chosen cell, one under the other."""
    rows, frames = [], []
    for outcome in _chosen(settings, outcomes):
        if settings.table not in outcome.results.measured:
            known = ", ".join(outcome.results.measured) or "none"
            raise _unknown(settings, f"the system made no table {settings.table!r}; it made {known}")
        table = outcome.results.measured[settings.table]
        level = outcome.cell.levels.get(settings.by, "")
        frames.append(table.assign(**{settings.by or "cell": level or outcome.cell.title}))
        for values in table.itertuples(index=False):
            rows.append((outcome.results.mark, (level, *(number_in_words(value) for value in values))))
    head = (settings.by, *map(str, frames[0].columns[:-1]))
    return Shown(settings, head, tuple(rows), pd.concat(frames, ignore_index=True))


def _chosen(settings: TableSettings, outcomes: Sequence[Outcome]) -> list[Outcome]:
    chosen = [outcome for outcome in outcomes if outcome.cell.at(settings.where)]
    if not chosen:
        raise _unknown(settings, f"no cell has the levels {settings.where}")
    return chosen


def _rank(outcomes: Sequence[Outcome], axis: str, level: str) -> int:
    """Return the place of a level on its axis: the order in which the sweep's cells name it."""
    return list(dict.fromkeys(outcome.cell.levels.get(axis) for outcome in outcomes)).index(level)


def _unknown(settings: TableSettings, what: str) -> SettingsError:
    return SettingsError(what, where=f"table {settings.name}", do="correct the sweep")


_KINDS: dict[str, Callable[[TableSettings, Sequence[Outcome]], Shown]] = {
    "accuracy": _accuracy, "recall": _recall, "system": _system,
}  # fmt: skip
