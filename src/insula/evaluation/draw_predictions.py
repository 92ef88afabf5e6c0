"""Pictures of predictions: confusion, calibration, and maps of the features behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
    colour,
    in_percent,
    picture,
    sheet,
)
from insula.evaluation.metrics import calibration_error, confusion, rejection, reliability
from insula.evaluation.results import Results
from insula.evaluation.verdict import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


_NAMED = 14  # two lines of a map's legend; more names than these nobody reads
_FEWEST, _POINTS = 0.1, 500  # of a rejection curve: the least share that is shown, and points that are drawn


def confusions(results: Results) -> Plot:
    """Draw the confusion of the baseline and the headline, side by side."""
    names = [name for name in (results.baseline, results.headline) if name is not None]
    size = len(results.classes)
    panel = max(3.0, 0.57 * size)
    figure, panels = canvas(1.2 + panel * len(names), panel + 1.2, ncols=len(names), squeeze=False, sharey=True)
    parts = []
    for axes, name in zip(panels[0], names, strict=True):
        rows = results.rows(name)
        table = confusion(
            rows["truth"].to_numpy(object), rows["predicted"].to_numpy(object), results.classes, rows["weight"]
        )
        total = table.sum(axis=1, keepdims=True)
        shares = np.divide(table, total, out=np.zeros_like(table), where=total > 0)
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for row, column in np.ndindex(size, size):
            if round(100 * shares[row, column]):
                shade = "white" if shares[row, column] > 0.55 else INK
                axes.text(column, row, f"{100 * shares[row, column]:.0f}", ha="center", va="center", color=shade)
        axes.set_xticks(range(size), results.classes, rotation=45, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(size), results.classes)
        axes.set_xlabel("predicted")
        axes.set_title(results.arm(name).title, fontsize=9.5, color=ACCENT if name == results.headline else INK)
        axes.spines[:].set_visible(False)
        off = shares - np.diag(np.diag(shares))
        worst = np.unravel_index(off.argmax(), off.shape)
        parts.append(
            f"{results.arm(name).title}: {results.classes[worst[0]]} is most often taken for "
            f"{results.classes[worst[1]]} ({percent(float(off[worst]))})"
        )
    panels[0][0].set_ylabel("true")
    return Plot(
        "confusion", "What is taken for what", picture(figure, results), f"{'; '.join(parts)}.",
        "Percent of each true class (row) by predicted class (column); right answers on the diagonal. "
        f"{'; '.join(parts)}.",
    )  # fmt: skip


def calibration(results: Results, table: pd.DataFrame) -> Plot:
    """Draw how often the headline and the baseline are right against how sure they are."""
    figure, (axes, below) = canvas(6.2, 6.2, nrows=2, height_ratios=(4, 1), sharex=True)
    axes.plot([0, 1], [0, 1], color=QUIET, lw=1, ls="--")
    parts = []
    shown = [(results.baseline, INK, "white"), (results.headline, ACCENT, ACCENT)]
    for name, shade, filled in [entry for entry in shown if entry[0] is not None]:
        rows = results.rows(str(name))
        sure = rows[[f"p_{label}" for label in results.classes]].to_numpy(float).max(axis=1)
        curve = reliability(sure, rows["correct"].to_numpy(), rows["weight"].to_numpy())
        title = f"{results.arm(str(name)).title}: ECE {percent(calibration_error(curve))}"
        axes.plot(curve["confidence"], curve["accuracy"], "-", color=shade, lw=1.2)
        axes.scatter(curve["confidence"], curve["accuracy"], 12 + 260 * curve["share"], color=filled, ec=shade,
                     zorder=3, label=title, clip_on=False)  # fmt: skip
        below.step(np.linspace(0, 1, 16), np.r_[_shares(sure, rows["weight"].to_numpy()), 0], where="post", color=shade)
        parts.append(title)
    axes.set(xlim=(0, 1), ylim=(0, 1), ylabel="how often it is right")
    axes.grid()
    below.set(xlabel="how sure it is (highest probability)", ylabel="share of\nunits", ylim=(0, None))
    for each, which in ((axes, "y"), (below, "x"), (below, "y")):
        in_percent(each, which)
    legend = figure.legend(loc="outside upper center")
    for handle in legend.legend_handles:
        handle.set_sizes([40])  # type: ignore[union-attr]
    return Plot(
        "calibration", "Is it as right as it is sure?", picture(figure, results),
        f"Reliability curves. {'; '.join(parts)} (expected calibration error, 15 bins).",
        "Reliability in 15 bins; larger dots hold more units. Below the dashed line a system is surer than it "
        "should be; ECE is the mean distance from that line. The headline's uncertainty finds its errors with AUROC "
        f"{table.loc[results.headline, 'auroc_error']:.2f} (0.5 is guessing).",
    )  # fmt: skip


def rejections(results: Results, table: pd.DataFrame) -> Plot:
    """Draw how often each system is right when it answers only what it is surest of."""
    figure, axes = canvas(WIDTH, 4.2)
    parts = []
    for arm in [arm for arm in results.arms if arm.kind == "system"]:
        rows = results.rows(arm.name)
        sure = rows[[f"p_{label}" for label in results.classes]].to_numpy(float).max(axis=1)
        unsure = (
            rows["uncertainty"].fillna(pd.Series(1 - sure, index=rows.index)) if "uncertainty" in rows else 1 - sure
        )
        curve = rejection(rows["correct"].to_numpy(), np.asarray(unsure, float), rows["weight"].to_numpy())
        curve = curve[curve["coverage"] >= _FEWEST].iloc[:: max(1, len(curve) // _POINTS)]
        title = f"{arm.title}: AUROC {table.loc[arm.name, 'auroc_error']:.2f}"
        width, dashes = (2, "-") if arm.name == results.headline else (1.2, "--")
        axes.plot(curve["coverage"], curve["accuracy"], color=colour(results, arm), lw=width, ls=dashes, label=title)
        parts.append(title)
    axes.set(xlim=(1, _FEWEST), xlabel="share that is answered, the surest first", ylabel="how often it is right")
    axes.grid()
    for which in ("x", "y"):
        in_percent(axes, which)
    figure.legend(loc="outside upper center", ncols=2)
    return Plot(
        "rejection", "What an uncertainty is good for", picture(figure, results),
        f"Accuracy against the share of units answered. {'; '.join(parts)}.",
        "How often a system is right if the units it is least sure of are left out, more of them farther right. A flat "
        "line means that the uncertainty knows nothing of the errors; AUROC is how well it finds them, 0.5 is "
        "guessing. Below a tenth of the units nothing is drawn: few are left.",
    )  # fmt: skip


def _shares(sure: np.ndarray, weights: np.ndarray) -> np.ndarray:
    counts = np.histogram(sure, bins=15, range=(0, 1), weights=weights)[0]
    return counts / counts.sum()


def feature_maps(results: Results) -> Plot | None:
    """Draw the two-dimensional maps of features, one panel a source: by class and, below, by each group."""
    if results.embedding is None:
        return None
    sources = " and ".join(dict.fromkeys(results.embedding["source"]))
    by = " and ".join(["class", *_groups_of(results.embedding)])
    return Plot(
        "features", "Where the classes lie", picture(feature_sheet(results, results.embedding), results),
        f"Maps of {sources} features, one dot a unit, coloured by {by}.",
        f"t-SNE of held-out features of {results.embedding['source'].value_counts().max():,} units of the first fold, "
        "of more drawn by lot. Neighbours are alike; sizes of clusters and distances between them mean nothing.",
    )  # fmt: skip


def feature_sheet(results: Results, embedding: pd.DataFrame) -> Figure:
    """Return the figure that `feature_maps` shows."""
    sources = list(dict.fromkeys(embedding["source"]))
    groups = {name: sorted(embedding[name].dropna().unique(), key=str) for name in _groups_of(embedding)}
    rows = {"class": list(results.classes), **groups}
    figure = sheet(4.8 * len(sources), 5.3 * len(rows))
    parts = figure.subfigures(nrows=len(rows), squeeze=False)[:, 0]
    for part, (column, names) in zip(parts, rows.items(), strict=True):
        panels = part.subplots(ncols=len(sources), squeeze=False)[0]
        for axes, source in zip(panels, sources, strict=True):
            _scatter(axes, embedding[embedding["source"] == source], column, names)
            by = f", by {column.replace('_', ' ')}" if len(rows) > 1 else ""
            axes.set_title(f"{source} features{by}", fontsize=9.5)
        handles, labels = panels[0].get_legend_handles_labels()
        if len(labels) <= _NAMED:
            part.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 7), markerscale=1.6,
                        handletextpad=0.2, columnspacing=1.2)  # fmt: skip
    return figure


def _groups_of(embedding: pd.DataFrame) -> list[str]:
    return [str(name) for name in embedding if name not in ("x", "y", "source", "class")]


def _scatter(axes: Axes, points: pd.DataFrame, column: str, names: list[Any]) -> None:
    for place, name in enumerate(names):
        own = points[points[column] == name]
        shade, marker = PALETTE[place % len(PALETTE)], MARKERS[(place + place // len(PALETTE)) % len(MARKERS)]
        axes.scatter(own["x"], own["y"], 14, color=shade, marker=marker, alpha=0.75, lw=0, label=name)
    axes.set(xticks=[], yticks=[])
    axes.set_box_aspect(1)  # the map fills its frame: its distances mean nothing, so that neither does their scale
    axes.spines[:].set_visible(True)
    axes.spines[:].set_color(FAINT)
