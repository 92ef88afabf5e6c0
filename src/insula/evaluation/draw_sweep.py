"""Pictures of a sweep: what the ingredient gains along each factor, and over a whole grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from insula.evaluation import drawing
from insula.evaluation.drawing import ACCENT, FAINT, INK, QUIET, WARNING, in_points, rows_of, stamp
from insula.evaluation.statistics import Estimate
from insula.evaluation.sweep_run import Outcome, against, unit_of
from insula.evaluation.verdict import MARGIN, MINUS, between, points

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_ROWS = 30  # more cells than this are no rows that a person reads
_LOOKS: dict[str, tuple[str, str, str]] = {  # of a verdict: marker, edge, fill
    "helps": ("o", ACCENT, ACCENT),
    "undecided": ("o", ACCENT, "white"),
    "contributes nothing": ("s", INK, "white"),
    "harms": ("v", WARNING, WARNING),
    "refused": ("X", WARNING, "white"),
}
_PLACEBO = ("D", QUIET, "white")
_SIGNS = {"helps": "+", "undecided": "?", "contributes nothing": "0", "harms": MINUS, "refused": "!"}

Marks = Mapping[str, Mapping[float, str]]


def gains(outcomes: Sequence[Outcome], axes: Sequence[str], titles: Mapping[str, str], marks: Marks) -> Figure:
    """Draw the gain of the headline and of its best placebo along each factor, and in the cells beside.

    Parameters
    ----------
    outcomes : sequence of Outcome
        The first is the reference, from which one factor at a time is changed.
    axes : sequence of str
        The factors.
    titles : mapping
        What factors are called.
    marks : mapping
        Values of factors to mark, with the words that say what they are.
    """
    lines = {axis: line for axis in axes if len(line := _along(outcomes, axis)) > 1}
    shown = {id(outcome) for line in lines.values() for outcome in line}
    rest = [outcome for outcome in outcomes if id(outcome) not in shown]
    rest = rest if len(rest) <= _MOST_ROWS or not lines else []
    rows = -(-len(lines) // 2)
    heights = [height for height in (2.9 * rows, 0.7 + 0.42 * len(rest) if rest else 0) if height]
    figure = drawing.sheet(drawing.WIDTH, sum(heights) + 0.8)
    parts = list(figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0])
    if lines:
        _factors(parts[0].subplots(rows, 2, sharey=True, squeeze=False).ravel(), lines, outcomes[0], titles, marks)
    if rest:
        _beside(parts[-1].subplots(), rest)
    _legend(figure, [outcome for outcome in outcomes if id(outcome) in shown] + rest)
    stamp(figure, _mark(outcomes))
    return figure


def gain_map(outcomes: Sequence[Outcome], axes: Sequence[str], titles: Mapping[str, str]) -> Figure | None:
    """Draw the gain in every cell of a full grid; None for cells that are none.

    The last two factors span a panel, of which there is one for each combination of the others.
    """
    cells_at = {tuple(outcome.cell.value(axis) for axis in axes): outcome for outcome in outcomes}
    levels = [_ordered(values) for values in zip(*cells_at, strict=True)]
    if len(axes) < 2 or len(cells_at) != np.prod([len(values) for values in levels]):
        return None
    from matplotlib.ticker import FuncFormatter

    *outer, down, across = levels
    panels = list(product(*outer))
    columns = len(outer[-1]) if outer else 1
    rows = len(panels) // columns
    size = (1.6 + columns * (0.7 + 0.45 * len(across)), 1.2 + rows * (0.5 + 0.36 * len(down)))
    figure, grid = drawing.canvas(*size, nrows=rows, ncols=columns, squeeze=False, sharex=True, sharey=True)
    reach = max(abs(outcome.gain.value) for outcome in outcomes) or 1.0
    for panel, fixed in zip(grid.flat, panels, strict=True):
        cells = [[cells_at[(*fixed, y, x)] for x in across] for y in down]
        values = [[outcome.gain.value for outcome in row] for row in cells]
        image = panel.imshow(values, cmap="PuOr_r", vmin=-reach, vmax=reach, aspect="auto")
        for y, x in np.ndindex(len(down), len(across)):
            panel.text(x, y, _SIGNS[cells[y][x].verdict.kind], ha="center", va="center", color=INK)
        names = (f"{titles.get(axis, axis)} {_text(value)}" for axis, value in zip(axes, fixed, strict=False))
        panel.set_title("\n".join(names), fontsize=7.5)
        panel.set_xticks(range(len(across)), map(_text, across))
        panel.set_yticks(range(len(down)), map(_text, down))
        panel.spines[:].set_visible(False)
    figure.supxlabel(titles.get(axes[-1], axes[-1]), fontsize=9.5)
    figure.supylabel(titles.get(axes[-2], axes[-2]), fontsize=9.5)
    figure.colorbar(
        image, ax=grid, shrink=0.8, label=f"gain, {unit_of(outcomes)}", format=FuncFormatter(lambda v, _: points(v))
    )
    stamp(figure, _mark(outcomes))
    return figure


def _along(outcomes: Sequence[Outcome], axis: str) -> list[Outcome]:
    """Return the cells that differ from the first in one factor alone, in the order of its values."""

    def others(outcome: Outcome) -> dict[str, str]:
        return {name: level for name, level in outcome.cell.levels.items() if name != axis}

    line = [outcome for outcome in outcomes if others(outcome) == others(outcomes[0])]
    order = _ordered([outcome.cell.value(axis) for outcome in line])
    return sorted(line, key=lambda outcome: order.index(outcome.cell.value(axis)))


def _ordered(values: Sequence[Any]) -> list[Any]:
    """Return each value once: numbers by size, names as they come."""
    levels = list(dict.fromkeys(values))
    return sorted(levels) if _are_numbers(levels) else levels


def _are_numbers(values: Sequence[Any]) -> bool:
    return all(isinstance(value, int | float) for value in values)


def _mark(outcomes: Sequence[Outcome]) -> str:
    return next((outcome.results.mark for outcome in outcomes if outcome.results.mark), "")


def _factors(
    panels: np.ndarray, lines: Mapping[str, list[Outcome]], first: Outcome, titles: Mapping[str, str], marks: Marks
) -> None:
    for place, (panel, (axis, line)) in enumerate(zip(panels, lines.items(), strict=False)):
        _factor(panel, line, axis, first, marks.get(axis, {}))
        panel.set_title(titles.get(axis, axis), fontsize=9.5)
        if place % 2 == 0:
            panel.set_ylabel(f"gain, {unit_of([first])}")
            panel.annotate("without:", (0, 0), (-6, -27), "axes fraction", "offset points", ha="right", fontsize=8,
                           color=QUIET)  # fmt: skip
    panels[0].set_ylim(*_reach([outcome for line in lines.values() for outcome in line]))
    for panel in panels[len(lines) :]:
        panel.set_visible(False)


def _factor(axes: Axes, line: list[Outcome], axis: str, first: Outcome, marks: Mapping[float, str]) -> None:
    axes.axhspan(-MARGIN, MARGIN, color=FAINT, lw=0)
    axes.axhline(0, color=INK, lw=1)
    values = [outcome.cell.value(axis) for outcome in line]
    for value, words in marks.items() if _are_numbers(values) else ():
        place = float(np.interp(value, np.asarray(values, float), range(len(values))))
        axes.axvline(place, color=QUIET, lw=1, ls=":")
        axes.text(place - 0.04, 0.99, words, transform=axes.get_xaxis_transform(), rotation=90, ha="right", va="top",
                  color=QUIET, fontsize=8)  # fmt: skip
    for place, outcome in enumerate(line):
        _dots(axes, place, 0.1, outcome, upright=True)
    labels = [f"{_text(value)}\n{_without(outcome)}" for value, outcome in zip(values, line, strict=True)]
    axes.set_xticks(range(len(line)), labels)
    axes.get_xticklabels()[line.index(first)].set_fontweight("bold")
    axes.set_xlim(-0.5, len(line) - 0.5)
    in_points(axes, "y")
    axes.grid(axis="y")


def _without(outcome: Outcome) -> str:
    other = against(outcome.results)
    return (
        outcome.reached(other, short=True)
        if outcome.results.rated
        else f"{100 * outcome.results.accuracy(other):.0f} %"
    )


def _beside(axes: Axes, outcomes: list[Outcome]) -> None:
    axes.axvspan(-MARGIN, MARGIN, color=FAINT, lw=0)
    axes.axvline(0, color=INK, lw=1)
    for place, outcome in enumerate(outcomes):
        _dots(axes, place, 0.16, outcome)
        own = outcome.gain
        text = f"{points(own.value)}  ({between(own.low, own.high)})  {outcome.verdict.kind}"
        axes.text(1.02, place, text, transform=axes.get_yaxis_transform(), va="center", color=INK)
    rows_of(axes, [o.cell.title for o in outcomes])
    in_points(axes)
    axes.set_xlabel(f"gain, {unit_of(outcomes)}")


def _dots(axes: Axes, place: int, aside: float, outcome: Outcome, *, upright: bool = False) -> None:
    """Draw the headline's gain before a place, and its best placebo's behind."""
    if outcome.placebo_gain is not None:
        _dot(axes, place + aside, outcome.placebo_gain, _PLACEBO, upright)
    _dot(axes, place - aside, outcome.gain, _LOOKS[outcome.verdict.kind], upright)


def _dot(axes: Axes, place: float, estimate: Estimate, look: tuple[str, str, str], upright: bool) -> None:
    marker, edge, fill = look
    if not np.isnan(estimate.low):
        lines = axes.vlines if upright else axes.hlines
        lines(place, estimate.low, estimate.high, color=edge, lw=1.8)
    where = (place, estimate.value) if upright else (estimate.value, place)
    axes.plot(*where, marker, ms=6.5, mfc=fill, mec=edge, mew=1.4, ls="")


def _legend(figure: Figure, outcomes: Sequence[Outcome]) -> None:
    from matplotlib.lines import Line2D

    kinds = {outcome.verdict.kind for outcome in outcomes}
    headline = outcomes[0].results.arm(outcomes[0].results.headline).title
    looks = [(f"{headline}: {kind}", *look) for kind, look in _LOOKS.items() if kind in kinds]
    if any(outcome.placebo_gain for outcome in outcomes):
        looks.append(("its best placebo", *_PLACEBO))
    handles = [
        Line2D([], [], ls="", marker=marker, mec=edge, mfc=fill, mew=1.4, ms=6.5, label=label)
        for label, marker, edge, fill in looks
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=3)


def _reach(outcomes: list[Outcome]) -> tuple[float, float]:
    """Return limits that hold every interval."""
    estimates = [e for o in outcomes for e in (o.gain, o.placebo_gain) if e is not None]
    ends = [end for e in estimates for end in (e.value, e.low, e.high) if not np.isnan(end)]
    margin = 0.08 * (max(ends) - min(ends)) + MARGIN / 2
    return min(*ends, -MARGIN) - margin, max(*ends, MARGIN) + margin


def _text(value: Any) -> str:
    if value is None:
        return "base"
    return f"{value:,g}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
