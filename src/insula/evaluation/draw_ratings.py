"""Pictures of ratings: the error of every arm, truth and rating over time, and one against the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from insula.evaluation.drawing import ACCENT, FAINT, INK, QUIET, SHAPES, WIDTH, Plot, canvas, colour, picture, rows_of
from insula.evaluation.rating_metrics import METRICS
from insula.evaluation.results import CONSTANT, Results
from insula.evaluation.statistics import drawn_units
from insula.evaluation.verdict import MARGIN, in_units

_SHOWN = (0.1, 0.5, 0.9)  # trials by their error: a good one, the middle one, a bad one
_MOST = 3000  # dots that a person can tell apart
_WORDS = dict(zip(METRICS, ("root mean square error", "Pearson", "concordance", "R²"), strict=True))


def errors(results: Results, table: pd.DataFrame) -> Plot:
    """Draw the error of every arm with its interval, beside the constant predictor."""
    arms = sorted(results.arms, key=lambda arm: ("system", "placebo", "control").index(arm.kind))
    own, constant = f"rmse_per_{results.series or 'unit'}", results.error(CONSTANT)
    figure, axes = canvas(WIDTH, 0.9 + 0.32 * len(arms))
    axes.axvspan((1 - MARGIN) * constant, (1 + MARGIN) * constant, color=FAINT, lw=0)
    axes.axvline(constant, color=QUIET, lw=1, ls="--")
    parts = []
    for place, arm in enumerate(arms):
        row, shade = table.loc[arm.name], colour(results, arm)
        value, low, high = (row[f"{own}{end}"] for end in ("", "_low", "_high"))
        if not np.isnan(low):
            axes.hlines(place, low, high, color=shade, lw=1.8)
        filled = shade if arm.kind == "system" else "white"
        axes.plot(value, place, SHAPES[arm.kind], ms=6.5, mfc=filled, mec=shade, mew=1.4, ls="")
        span = "" if np.isnan(low) else f"  ({in_units(results, low)} to {in_units(results, high)})"
        axes.text(1.02, place, in_units(results, value) + span, transform=axes.get_yaxis_transform(), va="center",
                  color=shade)  # fmt: skip
        parts.append(f"{arm.title} {in_units(results, value)}")
    rows_of(axes, [arm.title for arm in arms])
    for label, arm in zip(axes.get_yticklabels(), arms, strict=True):
        label.set_fontweight("bold" if arm.name == results.headline else "normal")
    axes.set_xlabel(f"root mean square error of a {results.series or 'unit'}, in the label's units")
    axes.set_xlim(left=0)
    return Plot(
        "overview", "Error of every arm", picture(figure, results), f"Error of each arm: {'; '.join(parts)}.",
        f"Root mean square error of a {results.series or 'unit'} on average, with 95 % intervals over "
        f"{drawn_units(results)}; circles are systems, diamonds placebos, squares controls. "
        f"Dashed: the constant predictor, {in_units(results, constant)}; grey: two per cent either way, which is "
        "nothing. Farther left is better.",
    )  # fmt: skip


def tracks(results: Results) -> Plot | None:
    """Draw truth and rating over time in a good, a middling and a bad trial of the headline; None without times."""
    if "time" not in results.predictions or results.series is None:
        return None
    rows = results.rows(results.headline)
    rows = rows[(rows["study"] == rows["study"].iloc[0]) & (rows["repeat"] == rows["repeat"].iloc[0])]
    missed = results.series_errors(rows).sort_values()
    names = [missed.index[round(share * (len(missed) - 1))][1] for share in _SHOWN]
    figure, panels = canvas(WIDTH, 1 + 1.75 * len(names), nrows=len(names), squeeze=False, sharey=True)
    parts = []
    for axes, name in zip(panels[:, 0], names, strict=True):
        part = rows[rows[results.series] == name].sort_values("time")
        time = part["time"] - part["time"].min()
        axes.plot(time, part["truth"], color=INK, lw=1.6, label="truth")
        for arm, shade, dashes in _beside(results):
            other = results.rows(arm).merge(part[["study", "repeat", "unit"]]).sort_values("time")
            axes.plot(other["time"] - part["time"].min(), other["rating"], color=shade, ls=dashes, lw=1.2,
                      label=results.arm(arm).title)  # fmt: skip
        error = in_units(results, float(np.sqrt((part["error"] ** 2).mean())))
        axes.set_title(f"{name}: {error}", fontsize=9.5, loc="left")
        axes.grid(axis="y")
        parts.append(f"{name} {error}")
    panels[-1, 0].set_xlabel("seconds")
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return Plot(
        "tracks", "Truth and rating over time", picture(figure, results),
        f"Root mean square error of the headline in the trials shown: {'; '.join(parts)}.",
        f"Three {results.series}s, chosen by the headline's error alone: one with less of it than nine in ten, the "
        "middle one, and one with more of it than nine in ten. Beside the name: its error there.",
    )  # fmt: skip


def agreement(results: Results, table: pd.DataFrame) -> Plot:
    """Draw rating against truth, for the headline and what it is held against."""
    shown = _beside(results)
    figure, panels = canvas(4.2 * len(shown), 4.6, ncols=len(shown), squeeze=False, sharex=True, sharey=True)
    parts = []
    for axes, (name, shade, _) in zip(panels[0], shown, strict=True):
        rows = results.rows(name)
        ends = rows["truth"].min(), rows["truth"].max()
        axes.plot(ends, ends, color=QUIET, lw=1, ls="--")
        some = rows.sample(min(_MOST, len(rows)), random_state=0)
        many = len(some) > 500
        size, alpha = (4, 0.35) if many else (7, 0.7)
        axes.plot(some["truth"], some["rating"], ".", color=shade, ms=size, alpha=alpha, mew=0, rasterized=many)
        figures = ", ".join(f"{_WORDS[metric]} {table.loc[name, f'{metric}_pooled']:.2f}" for metric in METRICS[1:])
        axes.set_title(f"{results.arm(name).title}\n{figures}", fontsize=9.5)
        axes.set_xlabel("truth")
        parts.append(f"{results.arm(name).title}: {figures}")
    panels[0, 0].set_ylabel("rating")
    return Plot(
        "agreement", "Rating against truth", picture(figure, results), f"Pooled over all rows. {'; '.join(parts)}.",
        f"One dot a row, at most {_MOST:,} of them; the correlations are pooled over all. On the dashed line a rating "
        "is the truth.",
    )  # fmt: skip


def _beside(results: Results) -> list[tuple[str, Any, str]]:
    """Return the headline and its best comparator, with colours and dashes; the constant says nothing in a picture."""
    rest = [name for name in results.comparators if name not in (CONSTANT, "zero")] or ["linear"]
    names = [arm.name for arm in results.arms]
    other = max((name for name in rest if name in names and name != results.headline), key=results.score, default=None)
    return [(results.headline, ACCENT, "-"), *([(other, QUIET, "--")] if other else [])]
