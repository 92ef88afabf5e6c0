"""The folder of a sweep: one page, its tables and figures as files, and a folder with a report for each cell."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import yaml

from insula.errors import SettingsError
from insula.evaluation.chance import chance_of
from insula.evaluation.draw_predictions import feature_sheet
from insula.evaluation.draw_sweep import gain_map, gains
from insula.evaluation.drawing import Plot, address, stamp, style, svg
from insula.evaluation.engine import each
from insula.evaluation.passport import plain
from insula.evaluation.report import NONE, template, write_report
from insula.evaluation.results import CONSTANT
from insula.evaluation.sweep import FigureSettings, Sweep
from insula.evaluation.sweep_run import Outcome, against, cells_table, measure_of, unit_of
from insula.evaluation.sweep_tables import show
from insula.evaluation.typeset import typeset
from insula.evaluation.verdict import between, points
from insula.storage.atomic import write_into
from insula.storage.cache import Cache
from insula.storage.tables import as_csv

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MARK = "sweep.yaml"
"""The file that shows that a folder holds a sweep."""

_ORDER = ("helps", "harms", "contributes nothing", "undecided", "refused")


def write_sweep(sweep: Sweep, outcomes: Sequence[Outcome], folder: Path, jobs: int = 1) -> str:
    """Write a sweep's folder, together or not at all, and return what its page says first.

    `report.html`, `cells.csv`, `cells.tex` and `cells.md` (to paste), `passport.json`, `sweep.yaml`, a CSV file a
    table, SVG and PNG files of figures, and `cells/` with the whole report of each.

    Parameters
    ----------
    sweep : Sweep
        As it was run.
    outcomes : sequence of Outcome
        Of its cells, in their order.
    folder : Path
        Where to write.
    jobs : int
        Processes that draw the cells' reports.
    """
    places = [f"cells/{number:02d}-{_slug(outcome.cell.title)}" for number, outcome in enumerate(outcomes, start=1)]
    with write_into(folder) as temporary:
        work = [(write_report, (o.results, temporary / place)) for o, place in zip(outcomes, places, strict=True)]
        for _ in each(work, jobs, None, Cache()):
            pass
        tables = [show(settings, outcomes, sweep.titles) for settings in sweep.tables]
        with style():
            drawn = [pair for settings in sweep.figures for pair in _draw(settings, sweep, outcomes)]
            for plot, figure in drawn:
                figure.savefig(temporary / f"{plot.name}.png")
                (temporary / f"{plot.name}.svg").write_bytes(svg(figure))
        for table in tables:
            (temporary / f"{table.settings.name}.csv").write_text(as_csv(table.data), encoding="utf-8")
        (temporary / "cells.csv").write_text(as_csv(cells_table(sweep, outcomes)), encoding="utf-8")
        summary = summarise(outcomes)
        main = headlines(outcomes)
        for name, text in typeset("cells", list(main), main.astype(str).to_numpy().tolist(), f"{summary}.").items():
            (temporary / name).write_text(text, encoding="utf-8")
        passport = {
            "sweep": {"name": sweep.name, "grid": sweep.grid, "sha256": sweep.digest()},
            "cells": [plain({"title": o.cell.title, **o.results.passport}) for o in outcomes],
        }
        (temporary / "passport.json").write_text(json.dumps(passport, indent=2) + "\n")
        settings = plain(sweep.model_dump(mode="json"))
        (temporary / MARK).write_text(yaml.safe_dump(settings, sort_keys=False, allow_unicode=True))
        page = template("sweep.html").render(
            sweep=sweep,
            summary=summary,
            created=datetime.now(UTC).date().isoformat(),
            verdicts=verdicts(outcomes),
            figures=[plot for plot, _ in drawn],
            tables=tables,
            cells=[{**_row(o), "report": f"{place}/report.html"} for o, place in zip(outcomes, places, strict=True)],
            any_mark=any(outcome.results.mark for outcome in outcomes),
            any_placebo=any(outcome.placebo_gain is not None for outcome in outcomes),
            any_rated=any(outcome.results.rated for outcome in outcomes),
            measure=measure_of(outcomes),
            unit=unit_of(outcomes),
        )
        (temporary / "report.html").write_text(page, encoding="utf-8")
    return summary


def summarise(outcomes: Sequence[Outcome]) -> str:
    """Return in one line what the data are and in how many cells, clean ones alone, each verdict was reached."""
    clean = [outcome for outcome in outcomes if not outcome.results.mark]
    counts = {kind: sum(outcome.verdict.kind == kind for outcome in clean) for kind in _ORDER}
    counted = ", ".join(f"{kind} in {count}" for kind, count in counts.items() if count)
    marked = len(outcomes) - len(clean)
    others = f"; {marked} cells were run as published and prove nothing" if marked else ""
    summary = f"{counted} of {len(clean)} cells{others}" if counted else others.removeprefix("; ")
    origins = "; ".join(dict.fromkeys(o.results.origin for o in outcomes if o.results.origin))
    return f"On {origins}: {summary}" if origins else summary[:1].upper() + summary[1:]


def verdicts(outcomes: Sequence[Outcome]) -> list[tuple[str, str]]:
    """Return for each verdict that a clean cell reached which cells these are, with the gain of each."""
    lines = []
    for kind in _ORDER:
        cells = [o for o in outcomes if o.verdict.kind == kind and not o.results.mark]
        if cells:
            lines.append((kind, "; ".join(_gain_in_words(outcome) for outcome in cells) + "."))
    return lines


def _gain_in_words(outcome: Outcome) -> str:
    answer = outcome.verdict
    ends = between(answer.low, answer.high)
    return f"{outcome.cell.title}: {points(answer.difference)} against the best comparator ({ends})"


def headlines(outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """Return one row a cell, as people read it: the headline, chance, its gain, its best placebo's, the verdict.

    Chance is adjusted for the number of units: guessing exceeds it in one test of twenty (`insula.evaluation.chance`).
    Cells of ratings have their error, with Pearson's correlation beside the interval, and the constant predictor's.
    """
    rows = [_row(outcome) for outcome in outcomes]
    guess = "adjusted chance, or constant" if any(o.results.rated for o in outcomes) else "adjusted chance"
    shown = {
        "title": "cell", "mark": "practice", "headline": measure_of(outcomes), "range": "95 % interval",
        "chance": guess, "gain": "gain", "interval": "95 % of gain", "placebo": "best placebo", "kind": "verdict",
    }  # fmt: skip
    table = pd.DataFrame(rows)[list(shown)].rename(columns=shown)
    table["practice"] = ["as published" if mark else "clean" for mark in table["practice"]]
    empty = {"practice": "clean", "best placebo": NONE}
    return table.drop(columns=[name for name, value in empty.items() if set(table[name]) == {value}])


def _row(outcome: Outcome) -> dict[str, Any]:
    results, answer = outcome.results, outcome.verdict
    gain, placebo = outcome.gain, outcome.placebo_gain
    reached, *beside = outcome.reached(results.headline).split("\n")
    constant = outcome.reached(CONSTANT, short=True) if results.rated else None
    return {
        "title": outcome.cell.title,
        "mark": results.mark,
        "units": f"{outcome.table.loc[results.headline, 'units']:,.0f}",
        "headline": reached,
        "range": ", ".join(beside),
        "chance": constant or f"{100 * chance_of(results).threshold:.1f}",
        "without": outcome.reached(against(results), short=True),
        "gain": points(gain.value),
        "interval": between(gain.low, gain.high),
        "placebo": NONE if placebo is None else points(placebo.value),
        "placebo_interval": NONE if placebo is None else between(placebo.low, placebo.high),
        "kind": answer.kind,
        "difference": f"{points(answer.difference)} ({between(answer.low, answer.high)})",
        "sentence": answer.sentence,
    }


def _draw(settings: FigureSettings, sweep: Sweep, outcomes: Sequence[Outcome]) -> list[tuple[Plot, Figure]]:
    if settings.kind == "embedding":
        outcome = next((o for o in outcomes if o.cell.at(settings.where) and o.results.embedding is not None), None)
        if outcome is None or outcome.results.embedding is None:
            what = f"no cell with the levels {settings.where} has a map of features"
            raise SettingsError(what, where=f"figure {settings.name}", do="correct the sweep")
        figure = feature_sheet(outcome.results, outcome.results.embedding)
        stamp(figure, outcome.results.mark)
        caption = f"t-SNE of held-out features, {outcome.cell.title}. Sizes of clusters and distances mean nothing."
        return [_plot(settings, settings.name, figure, caption, caption)]
    plots = [_plot(settings, settings.name, gains(outcomes, sweep.axes, sweep.titles, settings.marks),
                   _GAINS.format(unit=unit_of(outcomes)),
                   "; ".join(_gain_in_words(outcome) for outcome in outcomes))]  # fmt: skip
    over_all = gain_map(outcomes, sweep.axes, sweep.titles)
    if over_all is not None:
        plots.append(_plot(settings, f"{settings.name}-map", over_all, _MAP, "The gain in every cell of the grid."))
    return plots


_GAINS = (
    "By how much the headline arm (left of each pair) and the best of its placebos (diamonds) are better than the "
    "model without the ingredient, in {unit}, with paired 95 % intervals. One factor changes in a panel, the others "
    "stay at the reference, whose value is bold; under each value stands what the model without the ingredient "
    "reaches. The grey band is two of them either way, which is nothing. A gain that a placebo shares does not come "
    "from what the placebo takes away: the look of a dot is the verdict against the best comparator, placebos included."
)
_MAP = (
    "Gain of the headline over the model without the ingredient, by colour, in every cell of the grid. Signs are the "
    f"verdict against the best comparator: + helps, {chr(0x2212)} harms, 0 contributes nothing, ? undecided, ! refused."
)


def _plot(settings: FigureSettings, name: str, figure: Figure, caption: str, summary: str) -> tuple[Plot, Figure]:
    return Plot(name, settings.title, address(svg(figure)), summary, caption), figure


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.")[:60]
