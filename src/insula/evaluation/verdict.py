"""The verdict: one sentence on whether an ingredient helps, computed from the paired interval against placebos."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from insula.evaluation.chance import beats_chance, chance_of
from insula.evaluation.results import Results
from insula.evaluation.statistics import (
    Estimate,
    cluster_interval,
    difference_interval,
    resampled_test,
    unit_differences,
)

MARGIN = 0.02
"""A difference inside plus or minus two points is nothing."""

MINUS = "\u2212"

Kind = Literal["helps", "harms", "contributes nothing", "undecided", "refused"]


@dataclass(frozen=True)
class Verdict:
    """What a run says of its headline arm.

    Parameters
    ----------
    kind : {"helps", "harms", "contributes nothing", "undecided", "refused"}
        The answer.
    sentence : str
        The answer in plain English, with its numbers.
    difference, low, high : float
        Accuracy of the headline minus that of its best comparator, with the 95 % interval.
    against : str
        Name of the best comparator.
    notes : tuple of str
        What a reader must know beside it: placebos that gain too, how studies or splits agree, missing controls.
    """

    kind: Kind
    sentence: str
    difference: float
    low: float
    high: float
    against: str
    notes: tuple[str, ...] = ()


def judge(found: Estimate) -> Kind:
    """Return the answer that an interval of differences gives; the first that holds of four.

    *helps*: all of it above 0, a gain of less than two points included (the sentence then says that it is small);
    *harms*: all of it below 0; *contributes nothing*: all of it inside two points; else *undecided*, as is a
    difference without an interval.

    Examples
    --------
    >>> judge(Estimate(0.04, 0.01, 0.07, 300)), judge(Estimate(0.0, -0.01, 0.01, 300))
    ('helps', 'contributes nothing')
    """
    if found.low > 0:
        return "helps"
    if found.high < 0:
        return "harms"
    return "contributes nothing" if found.low >= -MARGIN and found.high <= MARGIN else "undecided"


def verdict(results: Results) -> Verdict:
    """Judge the headline arm against the best of its comparators.

    The best of several comparators, chosen by the same units, is a little better by luck, which makes the test for
    help conservative: an ingredient that truly helps a little may stay undecided, while one that does nothing is called
    helpful less often than the interval's 2.5 %. By the same luck harm would be found too often, so *harms* is only
    said where the headline is also below the system without the ingredient.

    Parameters
    ----------
    results : Results
        A whole experiment.

    Returns
    -------
    Verdict
        Its kind is "refused" where an arm that must be at chance is above it: then something of the test part was
        known in training, and no difference means anything.
    """
    against = max(results.comparators, key=results.accuracy)
    found = difference_interval(unit_differences(results, results.headline, against))
    kind: Kind = judge(found)
    if kind == "harms" and results.baseline is not None and results.baseline != against:
        # The best of several comparators is best by luck, too: harm must also show against the system without.
        plain = judge(difference_interval(unit_differences(results, results.headline, results.baseline)))
        kind = "harms" if plain == "harms" else "undecided"
    leaking = [arm.name for arm in results.arms if arm.at_chance and beats_chance(results, arm.name)]
    if leaking:
        kind, sentence, notes = "refused", _refusal(results, leaking[0]), []
    else:
        sentence = _sentence(results, kind, found, against)
        notes = [*_placebo_notes(results), *_agreement_notes(results, against, kind), *_missing_notes(results)]
    if results.as_published:
        sentence = f"Run with {results.mark}, so no figure proves anything. {sentence}"
    return Verdict(kind, sentence, found.value, found.low, found.high, against, tuple(notes))


def percent(value: float) -> str:
    """Return a share as people read it.

    Examples
    --------
    >>> percent(0.7123)
    '71.2 %'
    """
    return f"{100 * value:.1f} %"


def points(value: float) -> str:
    """Return a difference in points, with its sign.

    Examples
    --------
    >>> points(-0.0123)
    '−1.2'
    """
    text = f"{100 * value:+.1f}".replace("-", MINUS)
    return "0.0" if text[1:] == "0.0" else text


def between(low: float, high: float) -> str:
    """Return an interval of differences in points, or that there is none."""
    return "no interval" if np.isnan(low) else f"{points(low)} to {points(high)}"


def _sentence(results: Results, kind: Kind, found: Estimate, against: str) -> str:
    headline, other = results.arm(results.headline).title, results.arm(against).title
    first = headline[:1].upper() + headline[1:]
    direction = "above" if found.value >= 0 else "below"
    if all(results.arm(name).kind == "control" for name in results.comparators):  # nothing was taken away from it
        said = {
            "helps": f"{first} is better than its controls",
            "harms": f"{first} is worse than its best control",
            "contributes nothing": f"{first} is no better than its best control",
            "undecided": f"It is undecided whether {headline} is better than its controls",
        }[kind]
    else:
        said = {
            "helps": f"{first} helps",
            "harms": f"{first} harms",
            "contributes nothing": f"{first} contributes nothing",
            "undecided": f"It is undecided whether {headline} helps",
        }[kind]
    if kind == "helps" and found.high < MARGIN:
        said += ", but by less than two points"
    sentence = (
        f"{said}: it is right in {percent(results.accuracy(results.headline))} of units, "
        f"{100 * abs(found.value):.1f} points {direction} its best comparator, “{other}” "
        f"(95 % interval {between(found.low, found.high)})"
    )
    baseline = results.baseline
    if baseline is not None and baseline != against:
        gain = difference_interval(unit_differences(results, results.headline, baseline))
        title = results.arm(baseline).title
        sentence += f", and {points(gain.value)} points against “{title}” ({between(gain.low, gain.high)})"
    units = len(results.rows(results.headline)[["study", "unit"]].drop_duplicates())
    return f"{sentence}; {units:,} units" + (f" of {results.studies} studies." if results.studies > 1 else ".")


def _refusal(results: Results, name: str) -> str:
    guess = chance_of(results, name)
    return (
        f"No verdict: “{results.arm(name).title}” must be at chance and is right in "
        f"{percent(results.accuracy(name))} of units, where guessing stays below {percent(guess.threshold)}. "
        "Something of the test part is known in training; "
        "find the leak before reading any figure."
    )


def _placebo_notes(results: Results) -> list[str]:
    if results.baseline is None:
        return []
    notes, title = [], results.arm(results.baseline).title
    for name in results.comparators:
        if results.arm(name).kind != "placebo":
            continue
        gain = difference_interval(unit_differences(results, name, results.baseline))
        if gain.low > 0:
            notes.append(
                f"“{results.arm(name).title}” gains over “{title}” too, {points(gain.value)} "
                f"({between(gain.low, gain.high)}): that much does not come from what this placebo takes away."
            )
    return notes


def _agreement_notes(results: Results, against: str, kind: Kind) -> list[str]:
    units = unit_differences(results, results.headline, against)
    studies = units.groupby(level="study")["score"].mean()
    if len(studies) > 1:
        over = cluster_interval(studies.to_numpy(), np.arange(len(studies)))
        note = (
            f"By study: above the best comparator in {int((studies > 0).sum())} of {len(studies)}, "
            f"{points(over.value)} with a standard deviation of {100 * studies.std(ddof=1):.1f} points; "
            f"the interval over studies, which also counts the luck of training, is {between(over.low, over.high)}"
        )
        return [note + (", so more studies are needed to be sure." if kind in ("helps", "harms") and
                        over.low <= 0 <= over.high else ".")]  # fmt: skip
    splits = resampled_test(results, results.headline, against)
    if splits is None:
        return ["A single split: the interval covers the units, not the luck of training."]
    return [
        f"Over {splits.splits} splits of one corpus, corrected for shared training data (Nadeau and Bengio): "
        f"{points(splits.value)} ({between(splits.low, splits.high)}), p = {splits.p:.3f}."
    ]


def _missing_notes(results: Results) -> list[str]:
    notes = []
    if not any(arm.at_chance for arm in results.arms):
        notes.append("No arm with permuted labels was run, so a leak would not show here.")
    if not any(results.arm(name).kind == "placebo" for name in results.comparators):
        notes.append("No placebo was run: a gain may come from anything that the headline arm has more of.")
    return notes
