"""Pictures of the EEG: classes on the scalp, measured and virtual, and decoding over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from insula.eeg.montage import flat_positions
from insula.evaluation.drawing import ACCENT, INK, PALETTE, QUIET, WIDTH, Plot, canvas, in_percent, picture, rows_of
from insula.evaluation.results import Results
from insula.evaluation.statistics import cluster_interval
from insula.evaluation.verdict import MINUS, percent

_DIVERGING = "PuOr_r"
"""Orange above the mean, purple below: told apart by colour-blind readers (ColorBrewer)."""

_PROXY = "Nobody measured the virtual EEG: it is the readout of a regression from the picture, a statistical proxy."


def scalp_maps(results: Results) -> Plot | None:
    """Draw how each class differs on the scalp, as measured and as the system would have it."""
    if "maps" not in results.tables:
        return None
    table = results.tables["maps"]
    sources, classes, channels, times = (list(table[name].unique()) for name in ("source", "class", "channel", "time"))
    maps = table["value"].to_numpy(float).reshape(len(sources), len(classes), len(channels), len(times))
    present = np.isfinite(maps).all(axis=(0, 2, 3))
    maps, names = maps[:, present], [name for name, shown in zip(classes, present, strict=True) if shown]
    moment = int((maps[0] ** 2).mean(axis=(0, 1)).argmax())
    figure, panels = canvas(WIDTH, 2.9, nrows=2, ncols=len(names), squeeze=False)
    electrodes = flat_positions(channels)
    for row, values, label in zip(panels, maps[:, :, :, moment], ("measured", "virtual"), strict=True):
        limit = float(np.abs(values).max()) or 1.0
        for axes, value in zip(row, values, strict=True):
            drawn = _head(axes, value, electrodes, limit)
        row[0].set_ylabel(label)
        bar = figure.colorbar(drawn, ax=list(row), aspect=12, shrink=0.8, pad=0.02, label="µV")
        bar.set_ticks([-limit, 0, limit], labels=[f"{MINUS}{limit:.2g}", "0", f"+{limit:.2g}"])
        bar.outline.set_visible(False)
    for axes, name in zip(panels[0], names, strict=True):
        axes.set_title(name, fontsize=9.5)
    strength = percent(float(np.sqrt((maps[1] ** 2).mean() / (maps[0] ** 2).mean())))
    when = f"{1000 * times[moment]:.0f} ms after the picture appears"
    return Plot(
        "scalp", "Classes on the scalp", picture(figure, results),
        f"Scalp maps of {', '.join(names)} {when}, measured above, virtual below. Virtual maps have {strength} of the "
        f"measured amplitude. At their strongest: {_peaks(maps[:, :, :, moment], names, channels)}.",
        f"What sets each class apart {when}, when the measured classes differ most: mean over its held-out pictures "
        "minus the mean over classes, in microvolts, averaged over the subjects of the first fold; nose up, one dot an "
        f"electrode. Each row has its own scale: virtual maps have {strength} of the measured amplitude. {_PROXY}",
    )  # fmt: skip


def _peaks(maps: np.ndarray, names: Sequence[str], channels: Sequence[str]) -> str:
    """Say where each class differs most, measured and virtual."""
    strongest = np.abs(maps).argmax(axis=2)
    return "; ".join(
        f"{name} measured {maps[0, place, real]:+.2g} µV at {channels[real]}, virtual "
        f"{maps[1, place, virtual]:+.2g} µV at {channels[virtual]}".replace("-", MINUS)
        for place, (name, real, virtual) in enumerate(zip(names, *strongest, strict=True))
    )


def _head(axes: Any, values: np.ndarray, electrodes: np.ndarray, limit: float) -> Any:
    from mne.viz import plot_topomap

    edge = 1.03 * max(1.0, float(np.linalg.norm(electrodes, axis=1).max()))  # the outline encloses every electrode
    drawn, _ = plot_topomap(
        values, electrodes, axes=axes, show=False, cmap=_DIVERGING, vlim=(-limit, limit), contours=4,
        sphere=(0, 0, 0, edge),
    )  # fmt: skip
    return drawn


def map_agreement(results: Results) -> Plot | None:
    """Draw how well virtual maps agree with measured ones, the system beside its placebos and the noise."""
    if "agreement" not in results.tables:
        return None
    table = results.tables["agreement"]
    own = table[table["kind"] == "system"]
    rows = [("measured against measured (two halves)", own["halves"], INK), ("virtual EEG", own["agreement"], ACCENT)]
    for name, part in table[table["kind"] == "placebo"].groupby("arm", sort=False):
        rows.append((results.arm(str(name)).title, part["agreement"], QUIET))
    rows = [(label, values.dropna().to_numpy(), shade) for label, values, shade in rows if values.notna().any()]
    figure, axes = canvas(WIDTH, 1.0 + 0.36 * len(rows))
    axes.axvline(0, color=INK, lw=1)
    for place, (_, values, shade) in enumerate(rows):
        axes.plot(values, np.full(len(values), place), "o", ms=4, color=shade, alpha=0.45, mew=0)
        axes.plot(values.mean(), place, "D", ms=7, color=shade)
    rows_of(axes, [label for label, _, _ in rows])
    axes.set_xlabel("correlation with the measured maps, over classes, electrodes and time")
    axes.set_xlim(min(-0.1, axes.get_xlim()[0]), 1)
    summary = "; ".join(f"{label} {values.mean():.2f}".replace("-", MINUS) for label, values, _ in rows)
    return Plot(
        "agreement", "Does the virtual EEG look like the measured one?", picture(figure, results),
        f"Mean correlation of class maps: {summary}.",
        f"Correlation of virtual and measured maps of the classes on {own['n'].sum():,} held-out epochs of the first "
        f"fold; a dot a subject, a diamond the mean ({summary}). Maps of few epochs are noisy, hence the first row. A "
        "placebo that knows the class draws maps too: only what the virtual EEG has beyond it can come from the brain. "
        f"{_PROXY}",
    )  # fmt: skip


def decoding(results: Results) -> Plot | None:
    """Draw how well each moment of the measured EEG tells the class, within the training part."""
    if "decoding" not in results.tables:
        return None
    table = results.tables["decoding"]
    courses = table.pivot_table(index="time", columns="subject", values="accuracy")
    times, values = 1000 * courses.index.to_numpy(float), courses.to_numpy()
    mean, subjects = np.nanmean(values, axis=1), courses.shape[1]
    guess, threshold = float(table["chance"].max()), float(table["threshold"].max())
    figure, axes = canvas(WIDTH, 3.4)
    shade = PALETTE[0]
    axes.plot(times, values, color=shade, lw=0.8, alpha=0.35)
    top = max(1.05 * np.nanmax(values), 1.5 * threshold)
    if subjects > 2:
        intervals = [cluster_interval(row, np.arange(len(row))) for row in (row[np.isfinite(row)] for row in values)]
        highs = [min(one.high, 1) for one in intervals]
        top = max(top, 1.03 * np.nanmax(highs))
        axes.fill_between(times, [one.low for one in intervals], highs, color=shade, alpha=0.15, lw=0)
    axes.plot(times, mean, color=shade, lw=2.2)
    axes.axhline(guess, color=INK, lw=1)
    axes.axhline(threshold, color=QUIET, lw=1, ls="--")
    for level, label in ((guess, "chance"), (threshold, "chance, with luck")):
        axes.text(1.01, level, label, transform=axes.get_yaxis_transform(), va="center", color=INK, fontsize=8.5)
    axes.axvline(0, color=INK, lw=1)
    axes.set(xlabel="ms after the picture appears", ylabel="epochs that are right", xlim=(min(0, times[0]), times[-1]))
    axes.set_ylim(0, top)
    axes.grid(axis="y")
    in_percent(axes, "y")
    peak = int(mean.argmax())
    spread = " with its 95 % interval" if subjects > 2 else ""
    summary = f"It is highest {times[peak]:.0f} ms after the picture appears, {percent(mean[peak])}; {_before(table)}"
    return Plot(
        "decoding", "Decoding over time", picture(figure, results),
        f"Decoding accuracy over time, mean of {subjects} subjects. {summary}",
        f"How well the measured EEG of each moment tells the label of a picture that was left out: a discriminant "
        f"analysis for each time bin, cross-validated within the training part of the first fold, people and pictures "
        f"kept apart. Thick: mean of {subjects} subjects{spread}; thin: each subject ("
        f"{_range(table['n'])} epochs). Guessing reaches {percent(guess)}, and by luck, in any of {len(times)} bins of "
        f"one subject, up to {percent(threshold)}. {summary} A check of the data, not a result of the system.",
    )  # fmt: skip


def _before(table: pd.DataFrame) -> str:
    """Say what was decoded before the picture appeared, which must be nothing."""
    early = table[table["time"] < 0]
    if early.empty:
        return "epochs start with the picture, so that a leak before it would not be seen."
    high, bins = early["accuracy"].max(), int((early["accuracy"] > early["threshold"]).sum())
    if not bins:
        return f"before it appears it is at most {percent(high)} in any subject, which is chance."
    return (
        f"before it appears it reaches {percent(high)} and is above chance in {bins} of {len(early)} bins: labels "
        "leak, or a filter smears what comes after the picture into what came before."
    )


def _range(values: pd.Series) -> str:
    low, high = values.min(), values.max()
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
