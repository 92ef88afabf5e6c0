"""Pictures of scores: all arms, the placebo panel, recall by class, the spread, errors by group."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from insula.evaluation.chance import chance_of
from insula.evaluation.drawing import (
    ACCENT,
    FAINT,
    INK,
    QUIET,
    SHAPES,
    WIDTH,
    Plot,
    canvas,
    colour,
    in_percent,
    in_points,
    picture,
    rows_of,
)  # fmt: skip
from insula.evaluation.groups import grouped_by
from insula.evaluation.intervals import Estimate
from insula.evaluation.results import CONSTANT, Results
from insula.evaluation.statistics import accuracy_interval, drawn_units, group_scores, unit_scores
from insula.evaluation.verdict import MARGIN, between, percent, points


def overview(results: Results, table: pd.DataFrame) -> Plot:
    """Draw the accuracy of every arm with its interval, beside chance."""
    arms = sorted(results.arms, key=lambda arm: ("system", "placebo", "control").index(arm.kind))
    guess = chance_of(results)
    figure, axes = canvas(WIDTH, 0.9 + 0.32 * len(arms))
    axes.axvspan(guess.best, guess.threshold, color=FAINT, lw=0)
    axes.axvline(guess.level, color=QUIET, lw=1, ls="--")
    for place, arm in enumerate(arms):
        row, shade = table.loc[arm.name], colour(results, arm)
        filled = shade if arm.kind == "system" else "white"
        _dot(axes, place, Estimate(row["accuracy"], row["low"], row["high"], 0), shade, SHAPES[arm.kind], filled)
        text = f"{percent(row['accuracy'])}  ({100 * row['low']:.1f} to {100 * row['high']:.1f})"
        axes.text(1.02, place, text, transform=axes.get_yaxis_transform(), va="center", color=shade)
    rows_of(axes, [arm.title for arm in arms])
    for before, after in zip(range(len(arms)), range(1, len(arms)), strict=False):
        if arms[before].kind != arms[after].kind:
            axes.axhline(before + 0.5, color=FAINT, lw=0.8)
    _emphasise(axes, [arm.name == results.headline for arm in arms])
    axes.set_xlabel("units that are right")
    axes.set_xlim(left=0)
    in_percent(axes)
    summary = "; ".join(f"{arm.title} {percent(table.loc[arm.name, 'accuracy'])}" for arm in arms)
    return Plot(
        "overview", "Accuracy of every arm", picture(figure, results), f"Accuracy of each arm: {summary}.",
        f"Share of units that are right, with 95 % intervals over {drawn_units(results)}; circles are systems, "
        f"diamonds placebos, squares controls. Dashed: one in {len(results.classes)} classes, {percent(guess.level)}. "
        f"Grey band: from always naming the commonest class, {percent(guess.best)}, to what guessing exceeds "
        f"in 5 % of tests with {guess.n:,} units, {percent(guess.threshold)}.",
    )  # fmt: skip


def placebo_panel(results: Results, table: pd.DataFrame) -> Plot:
    """Draw the paired difference of the headline from each comparator."""
    names = sorted(results.comparators, key=results.score, reverse=True)
    figure, axes = canvas(WIDTH, 1.0 + 0.36 * len(names))
    axes.axvspan(-MARGIN, MARGIN, color=FAINT, lw=0)
    axes.axvline(0, color=INK, lw=1)
    parts = []
    for place, name in enumerate(names):
        row = table.loc[name]
        estimate = Estimate(row["difference"], row["difference_low"], row["difference_high"], 0)
        _dot(axes, place, estimate, ACCENT, "o", ACCENT)
        text = f"{points(estimate.value)}  ({between(estimate.low, estimate.high)})  {p_value(row['p_holm'])}"
        axes.text(1.02, place, text, transform=axes.get_yaxis_transform(), va="center")
        parts.append(f"{results.arm(name).title} {points(estimate.value)} ({between(estimate.low, estimate.high)})")
    rows_of(axes, [results.arm(name).title for name in names])
    _emphasise(axes, [place == 0 for place in range(len(names))])
    title = results.arm(results.headline).title
    if results.rated:
        unit, nothing = "per cent of the constant predictor's error", "two per cent either way"
        axes.set_xlabel(f"by how much “{title}” errs less, in {unit}")
    else:
        unit, nothing = "points", "two points either way"
        axes.set_xlabel(f"points by which “{title}” is right more often")
    in_points(axes)
    return Plot(
        "placebos", "Against each comparator", picture(figure, results),
        f"Paired differences in {unit}, headline minus comparator: {'; '.join(parts)}.",
        f"Paired differences in {unit} over the same {results.series or 'unit'}s with 95 % intervals over "
        f"{drawn_units(results)}; the best comparator (bold) decides the verdict. Right of the line the headline is "
        f"better; the grey band is {nothing}, which is nothing. "
        f"p: paired test over {drawn_units(results)}, corrected for the number of comparators (Holm).",
    )  # fmt: skip


def recall_by_class(results: Results, table: pd.DataFrame) -> Plot | None:
    """Draw the recall of each class under the baseline and under the headline."""
    if results.baseline is None:
        return None
    rows = results.rows(results.headline)
    counts = rows.groupby("truth")["weight"].sum().round().astype(int)
    before = table.loc[results.baseline, [f"recall_{name}" for name in results.classes]].astype(float).to_numpy()
    after = table.loc[results.headline, [f"recall_{name}" for name in results.classes]].astype(float).to_numpy()
    order = [place for place in np.argsort(-(after - before)) if not np.isnan(before[place] + after[place])]
    figure, axes = canvas(WIDTH, 1.1 + 0.34 * len(order))
    for place, index in enumerate(order):
        axes.plot([before[index], after[index]], [place, place], color=FAINT, lw=4, solid_capstyle="round")
        change = points(after[index] - before[index])
        axes.text(1.02, place, change, transform=axes.get_yaxis_transform(), va="center")
    places = range(len(order))
    axes.plot(before[order], places, "o", ms=9, mfc="white", mec=INK, label=results.arm(results.baseline).title)
    axes.plot(after[order], places, "o", ms=6, color=ACCENT, label=results.arm(results.headline).title)
    rows_of(axes, [f"{results.classes[i]}  (n = {counts.get(results.classes[i], 0):,})" for i in order])
    axes.set_xlabel("recall: units of the class that are found")
    in_percent(axes)
    figure.legend(loc="outside upper center", ncols=2)
    summary = "; ".join(f"{results.classes[i]} {percent(before[i])} to {percent(after[i])}" for i in order)
    return Plot(
        "recall", "Recall by class, before and after", picture(figure, results), f"Recall by class: {summary}.",
        f"From “{results.arm(results.baseline).title}” (hollow) to “{results.arm(results.headline).title}” (filled), "
        "the largest gain first; the change in points stands on the right.",
    )  # fmt: skip


def spread(results: Results) -> Plot | None:
    """Draw how the headline and the baseline do in each subject, else study, else repeat."""
    by = next((c for c in ("subject", "study", "repeat") if c in results.predictions and
               len(results.predictions[c].dropna().unique()) > 1), None)  # fmt: skip
    if by is None:
        return None
    other = results.baseline or results.comparators[0]
    pairs = pd.DataFrame({name: group_scores(results, name, by) for name in (other, results.headline)}).dropna()
    pairs = pairs.iloc[np.argsort((pairs[other] - pairs[results.headline]).to_numpy(), kind="stable")]
    few = len(pairs) <= 40
    figure, axes = canvas(WIDTH, 1.2 + (0.28 * len(pairs) if few else 4))
    places = np.arange(len(pairs))
    axes.hlines(places, pairs[other], pairs[results.headline], color=FAINT, lw=3)
    axes.plot(pairs[other], places, "o", ms=9, mfc="white", mec=INK, label=results.arm(other).title)
    axes.plot(pairs[results.headline], places, "o", ms=6, color=ACCENT, label=results.arm(results.headline).title)
    short = {name: f"{by} {place + 1}" for place, name in enumerate(sorted(pairs.index))} if by == "study" else {}
    names = [f"repeat {name}" if by == "repeat" else short.get(name, str(name)) for name in pairs.index]
    rows_of(axes, names if few else ["" for _ in names])
    gains = pairs[results.headline] - pairs[other]
    if results.rated:
        gains = -gains / results.error(CONSTANT)
        axes.set_xlabel(f"root mean square error of a {results.series or 'unit'}, in the label's units")
    else:
        axes.set_xlabel("units that are right")
        in_percent(axes)
    figure.legend(loc="outside upper center", ncols=2)
    unit = "per cent of the constant's error" if results.rated else "points"
    summary = (
        f"“{results.arm(results.headline).title}” is better than “{results.arm(other).title}” in "
        f"{(gains > 0).sum()} of {len(pairs)}; the difference is {points(gains.mean())} {unit} on average, "
        f"with a standard deviation of {100 * gains.std(ddof=1):.1f}."
    )
    return Plot("spread", f"By {by}", picture(figure, results), summary, f"One line a {by}. {summary}")


def errors_by_group(results: Results) -> Plot | None:
    """Draw the error in each group of provenance with few members: of headline and baseline, or another mode."""
    columns = grouped_by(results)
    if not columns:
        return None
    others = [arm.name for arm in results.arms if arm.kind == "system" and arm.name != results.headline]
    arms = [*([results.baseline] if results.baseline else others[:1]), results.headline]
    groups = [
        (column, value, {name: _error(results, name, column, value) for name in arms})
        for column in columns
        for value in sorted(results.predictions[column].dropna().unique(), key=str)
    ]
    figure, axes = canvas(WIDTH, 1.2 + 0.42 * len(groups))
    for place, (_, _, errors) in enumerate(groups):
        for shift, name in zip((-0.13, 0.13), arms, strict=False):
            shade = colour(results, results.arm(name))
            label = results.arm(name).title if place == 0 else None
            _dot(axes, place + shift, errors[name], shade, "o", shade if name == results.headline else "white", label)
    rows_of(
        axes, [f"{column.replace('_', ' ')}: {value}  (n = {errors[arms[-1]].n:,})" for column, value, errors in groups]
    )
    for place in range(1, len(groups)):
        if groups[place][0] != groups[place - 1][0]:
            axes.axhline(place - 0.5, color=QUIET, lw=0.8)
    axes.set_xlabel("units that are wrong")
    axes.set_xlim(left=0)
    in_percent(axes)
    figure.legend(loc="outside upper center", ncols=2)
    summary = "; ".join(f"{column} {value} {percent(errors[arms[-1]].value)}" for column, value, errors in groups)
    return Plot(
        "groups", "Errors by group", picture(figure, results), f"Share of errors of the headline: {summary}.",
        f"Share of units that are wrong, with 95 % intervals over {drawn_units(results)}. "
        "Groups whose intervals lie apart are not served alike.",
    )  # fmt: skip


def p_value(value: float) -> str:
    """Return a p value as people read it.

    Examples
    --------
    >>> p_value(0.0003), p_value(0.0421)
    ('p < 0.001', 'p = 0.042')
    """
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def _error(results: Results, name: str, column: str, value: object) -> Estimate:
    rows = results.predictions
    members = rows.loc[(rows["arm"] == name) & (rows[column] == value), ["study", "unit"]].drop_duplicates()
    scores = unit_scores(results, name)
    estimate = accuracy_interval(scores.loc[pd.MultiIndex.from_frame(members)])
    return Estimate(1 - estimate.value, 1 - estimate.high, 1 - estimate.low, len(members))


def _dot(
    axes: Any, place: float, estimate: Estimate, shade: str, marker: str, filled: str, label: str | None = None
) -> None:
    if not np.isnan(estimate.low):
        axes.hlines(place, estimate.low, estimate.high, color=shade, lw=1.8)
    axes.plot(estimate.value, place, marker, ms=6.5, mfc=filled, mec=shade, mew=1.4, label=label, ls="")


def _emphasise(axes: Any, bold: list[bool]) -> None:
    for label, strong in zip(axes.get_yticklabels(), bold, strict=True):
        label.set_fontweight("bold" if strong else "normal")
