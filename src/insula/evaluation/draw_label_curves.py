"""A picture of label curves: what is reached with how many labels, and how many are enough."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from insula.evaluation.drawing import (
    ACCENT,
    FAINT,
    INK,
    MARKERS,
    PALETTE,
    QUIET,
    WIDTH,
    Plot,
    canvas,
    in_percent,
    picture,
    rows_of,
)
from insula.evaluation.results import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LOOKS = {"random": (INK, "o", "--"), "combined": (ACCENT, "o", "-")}


def label_curves(results: Results) -> Plot | None:
    """Draw macro-F1 against the share of labels, and the share that is enough, a row for each mode of predicting."""
    if "label_curves" not in results.tables:
        return None
    runs, enough = results.tables["label_curves"], results.tables["label_efficiency"]
    modes, strategies = list(enough["mode"].unique()), list(enough["strategy"].unique())
    others = iter(zip(PALETTE, MARKERS, strict=True))
    looks = {name: _LOOKS.get(name) or (*next(others, (QUIET, ".")), "-") for name in strategies}
    figure, panels = canvas(WIDTH, (2.2 + 0.16 * len(strategies)) * len(modes) + 0.4, nrows=len(modes), ncols=2,
                            squeeze=False, width_ratios=(1.25, 1))  # fmt: skip
    for (left, right), mode in zip(panels, modes, strict=True):
        _curves(left, runs[runs["mode"] == mode], strategies, looks)
        _enough(right, enough[enough["mode"] == mode], looks)
        left.set_title(f"predicted in mode {mode}", fontsize=9.5)
    panels[-1][0].set_xlabel("trials labelled, of all that are not tested")
    panels[-1][1].set_xlabel("labels that are enough, mean and 95 % interval")
    count = len(runs[["repeat", "fold"]].drop_duplicates())
    return Plot(
        "label-curves", "How many labels are enough", picture(figure, results), _in_words(runs, enough, modes),
        f"Left: macro-F1 by scored unit, mean over {count} {'run' if count == 1 else 'runs'}, with the trials labelled "
        "that a strategy asked for; the line and band are all labels and one standard error of their mean. Right: the "
        "share at which a run reaches what it reaches with all labels, less that standard error; a run that does not "
        "counts as all labels, and a hollow mark says that the mean curve does not get there either. All strategies "
        "start from the same trials, drawn at random. The first crossing of a curve that wavers is early by luck: read "
        "every strategy beside random.",
    )  # fmt: skip


def _curves(axes: Axes, runs: pd.DataFrame, strategies: list[str], looks: dict[str, tuple[str, str, str]]) -> None:
    full = runs.loc[~runs["strategy"].isin(strategies), "macro_f1"]
    error = full.std(ddof=1) / np.sqrt(len(full)) if len(full) > 1 else 0.0
    axes.axhspan(full.mean() - error, full.mean() + error, color=FAINT, lw=0)
    axes.axhline(full.mean(), color=INK, lw=1)
    for name in sorted(strategies, key=lambda name: name in _LOOKS):  # those to compare on top
        mean = runs[runs["strategy"] == name].groupby("share")["macro_f1"].mean()
        shade, marker, line = looks[name]
        axes.plot(mean.index, mean, line, color=shade, marker=marker, ms=4, lw=2.2 if name in _LOOKS else 1.1)
    axes.grid(axis="y")
    axes.set_ylabel("macro-F1")
    in_percent(axes)


def _enough(axes: Axes, enough: pd.DataFrame, looks: dict[str, tuple[str, str, str]]) -> None:
    for place, row in enumerate(enough.itertuples()):
        shade, marker, _ = looks[str(row.strategy)]
        if not np.isnan(row.low):
            axes.hlines(place, row.low, row.high, color=shade, lw=1.6)
        fill = "white" if np.isnan(row.share) else shade
        axes.plot(row.mean_share, place, marker, mec=shade, mfc=fill, ms=6, ls="")
    rows_of(axes, list(enough["strategy"]))
    axes.set_xlim(0, 1.02)
    in_percent(axes)


def _in_words(runs: pd.DataFrame, enough: pd.DataFrame, modes: list[str]) -> str:
    full = runs[~runs["strategy"].isin(enough["strategy"])].groupby("mode")["macro_f1"].mean()
    sentences = []
    for mode in modes:
        shares = enough[enough["mode"] == mode].set_index("strategy")["share"]
        each = ", ".join(f"{name} {'not reached' if np.isnan(s) else f'{100 * s:.4g} %'}" for name, s in shares.items())
        sentences.append(f"mode {mode}: macro-F1 {full[mode]:.2f} with all labels; enough are, by strategy, {each}")
    return "Macro-F1 against the share of labels. " + "; ".join(sentences) + "."
