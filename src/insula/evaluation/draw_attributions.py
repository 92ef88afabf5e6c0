"""Pictures of what a network on EEG answers from: attributions and attention on the scalp."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from insula.eeg.montage import flat_positions
from insula.evaluation.attributions import Sanity
from insula.evaluation.drawing import INK, WIDTH, Plot, address, canvas, stamp, svg
from insula.evaluation.results import Results
from insula.evaluation.verdict import MINUS

_FROM_NONE = "Oranges"
"""White for nothing, dark for much."""


def attributions(results: Results) -> Plot | None:
    """Draw what the network of the first fit answers from, where that was asked."""
    tables = results.tables
    if "attributions" not in tables:
        return None
    return draw_attributions(tables["attributions"], Sanity.of(tables["sanity"]), tables["cascade"], results.mark)


def attention(results: Results) -> Plot | None:
    """Draw which electrodes attend to each other in the first fit, where the system says."""
    if "attention" not in results.tables:
        return None
    table = results.tables["attention"]
    channels = list(table["from"].unique())
    return draw_attention(table["value"].to_numpy().reshape(len(channels), -1), channels, results.mark)


def draw_attributions(
    table: pd.DataFrame, sanity: Sanity | None = None, fading: pd.DataFrame | None = None, mark: str = ""
) -> Plot:
    """Draw attributions on the scalp: a panel a class and band; times are averaged.

    A map that fails its check is said to, on the picture and first of all in words.

    Parameters
    ----------
    table : DataFrame
        From `channel_attributions`.
    sanity : Sanity, optional
        From `check_attributions`.
    fading : DataFrame, optional
        From `cascade`.
    mark : str
        What is written across the figure, where something flatters the system.
    """
    table = table[table.groupby("class")["value"].transform(lambda values: values.notna().all())]
    table = table if "band" in table else table.assign(band="")
    classes, channels, bands = (list(table[name].unique()) for name in ("class", "channel", "band"))
    means = table.groupby(["class", "channel", "band"], sort=False)["value"].mean().to_numpy()
    maps = means.reshape(len(classes), len(channels), len(bands)).transpose(0, 2, 1)
    across = maps if len(bands) > len(classes) else maps.swapaxes(0, 1)
    rows, columns = (classes, bands) if len(bands) > len(classes) else (bands, classes)
    side = min(2.1, (WIDTH - 1.4) / len(columns))
    size = max(5.0, side * len(columns) + 1.4), (side - 0.1) * len(rows) + 0.5
    figure, panels = canvas(*size, nrows=len(rows), ncols=len(columns), squeeze=False)
    electrodes, largest = flat_positions(channels), float(maps.max()) or 1.0
    for line, values, name in zip(panels, across, rows, strict=True):
        for axes, value in zip(line, values, strict=True):
            drawn = _head(axes, value / largest, electrodes, (0, 1))
        line[0].set_ylabel(name)
    for axes, name in zip(panels[0], columns, strict=True):
        axes.set_title(name, fontsize=9.5)
    bar = figure.colorbar(drawn, ax=panels, aspect=12 * len(rows), pad=0.02, label="share of the largest")
    bar.outline.set_visible(False)
    top = maps.sum(axis=1).argsort(axis=1)[:, ::-1][:, :3]
    peaks = "; ".join(f"{name} {', '.join(channels[at] for at in own)}" for name, own in zip(classes, top, strict=True))
    failed = sanity is not None and not sanity.passed
    stamp(figure, ", ".join([mark] * bool(mark) + ["fails its sanity check"] * failed))
    verdict = sanity.verdict if sanity else "Not checked against networks of random weights."
    asked = " to ".join(f"{count}" for count in sorted({table["n"].min(), table["n"].max()}))
    return Plot(
        "attributions", f"What the network answers from{': this map does not tell' * failed}", address(svg(figure)),
        f"{verdict} Scalp maps of attributions by class. Strongest electrodes: {peaks}.",
        f"{verdict} How much each electrode moves the score of the true class ({table['method'].iloc[0]}): mean over "
        f"{asked} held-out samples a class of the first fold, inputs in deviations of the training samples, as a share "
        f"of the largest; nose up, one dot an electrode. Strongest: {peaks}. What moves a network need not be where "
        "the brain makes it: volume conduction spreads it, and so do muscles and eyes."
        f"{' ' + sanity.numbers if sanity else ''}{_fades(fading)}",
    )  # fmt: skip


def _fades(fading: pd.DataFrame | None) -> str:
    if fading is None or fading.empty:
        return ""
    first, last = fading["correlation"].iloc[[0, -1]]
    return (
        f" With the network's {len(fading)} layers drawn anew one after the other, from the output to the input, the "
        f"correlation with its map goes from {first:.2f} to {last:.2f}."
    ).replace("-", MINUS)


def draw_attention(attention: np.ndarray, channels: Sequence[str], mark: str = "") -> Plot:
    """Draw the strongest links between electrodes, as many as electrodes, over the attention that each receives.

    Parameters
    ----------
    attention : array, shape (channels, channels)
        Rows attend to columns and add up to one, as from `RBTransformer.attention`.
    channels : sequence of str
        Their names.
    mark : str
        As for `draw_attributions`.
    """
    from matplotlib.patheffects import withStroke

    count = len(channels)
    times = count * attention  # 1 is attention spread evenly
    links = (times + times.T) / 2
    one, other = np.triu_indices(count, 1)
    chosen = links[one, other].argsort()[::-1][:count]
    received, electrodes = times.mean(axis=0), flat_positions(channels)
    figure, axes = canvas(5.2, 4.4)
    drawn = _head(axes, received, electrodes, (min(1.0, received.min()), max(1.0, received.max())))
    strength = links[one, other][chosen]
    shares = strength / strength.max()
    for start, stop, share in zip(one[chosen], other[chosen], shares, strict=True):
        axes.plot(*electrodes[[start, stop]].T, color=INK, lw=2.5 * share, alpha=0.2 + 0.6 * share, zorder=5)
    halo = [withStroke(linewidth=2, foreground="white")]
    for name, (x, y) in zip(channels, electrodes, strict=True):
        axes.annotate(name, (x, y), (0, 4), textcoords="offset points", ha="center", fontsize=7, color=INK, zorder=6,
                      path_effects=halo)  # fmt: skip
    figure.colorbar(drawn, ax=axes, aspect=14, shrink=0.8, label="attention received (1: as if even)").outline.set(
        visible=False
    )
    stamp(figure, mark)
    best = ", ".join(
        f"{channels[one[at]]} and {channels[other[at]]} ({links[one[at], other[at]]:.2f})" for at in chosen[:3]
    )
    return Plot(
        "attention", "Which electrodes attend to each other", address(svg(figure)),
        f"The {len(chosen)} strongest links between {count} electrodes, strongest {best} times even attention.",
        f"The {len(chosen)} strongest of {len(one)} links, mean of both directions over heads, blocks and samples; "
        f"colour is the attention that an electrode receives, 1 if it were spread evenly. Strongest: {best}. Attention "
        "says what is mixed, not what decides the answer: for that, see the attributions.",
    )  # fmt: skip


def _head(axes: Any, values: np.ndarray, electrodes: np.ndarray, limits: tuple[float, float]) -> Any:
    from mne.viz import plot_topomap

    edge = 1.03 * max(1.0, float(np.linalg.norm(electrodes, axis=1).max()))  # the outline encloses every electrode
    drawn, _ = plot_topomap(
        values, electrodes, axes=axes, show=False, cmap=_FROM_NONE, vlim=limits, contours=0, sphere=(0, 0, 0, edge)
    )
    return drawn
