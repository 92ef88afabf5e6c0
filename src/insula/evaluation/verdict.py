"""The verdict: one sentence on whether an ingredient helps, computed from the paired interval against placebos."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from insula.evaluation.chance import beats_chance, chance_of
from insula.evaluation.intervals import Estimate
from insula.evaluation.results import CONSTANT, Results
from insula.evaluation.statistics import (
    cluster_interval,
    corrected_tests,
    drawn_units,
    gain,
    resampled_test,
    unit_differences,
)

MARGIN = 0.02
"""A difference inside plus or minus two points is nothing; of ratings, two per cent of the constant predictor's error.

An error is in the label's own units, so only a share says how small it is. The constant predictor says the mean of the
training ratings whatever it is shown: a gain of two per cent of its error is what nobody would miss.
"""

ALPHA = 0.05
"""A claim of help or harm has a p below it, corrected for the number of comparators."""

MINUS = "\u2212"

Kind = Literal["helps", "harms", "contributes nothing", "undecided", "refused"]


@dataclass(frozen=True)
class Question:
    """A question about how much better the headline is than its best comparator, and the interval that answers it.

    Parameters
    ----------
    asked : str
        The question.
    over : str
        What the interval counts.
    estimate : Estimate
        The difference and its 95 % interval, as `Verdict` has them.
    answer : str
        In words.
    """

    asked: str
    over: str
    estimate: Estimate
    answer: str


@dataclass(frozen=True)
class Verdict:
    """What a run says of its headline arm.

    Parameters
    ----------
    kind : {"helps", "harms", "contributes nothing", "undecided", "refused"}
        The answer.
    sentence : str
        What the data are, the answer in plain English with its numbers and, where the second question has another
        answer than the first, that one.
    difference, low, high : float
        Accuracy of the headline minus that of its best comparator, with the 95 % interval; of ratings by how much the
        headline errs less, as a share of the constant predictor's error.
    against : str
        Name of the best comparator.
    notes : tuple of str
        What a reader must know beside it: parts that do as well as the whole, placebos that gain too, how studies
        agree, missing controls.
    questions : tuple of Question
        Whether the headline, as it was trained, is better on other units, which decides the verdict, since units are
        what a protocol holds out; and whether it would be in a new study, trained anew.
    """

    kind: Kind
    sentence: str
    difference: float
    low: float
    high: float
    against: str
    notes: tuple[str, ...] = ()
    questions: tuple[Question, ...] = ()


def judge(estimate: Estimate, p: float = 0.0) -> Kind:
    """Return the answer that an interval of differences and the p beside it give; the first that holds of four.

    *helps*: all of it above 0 and p below .05, a gain of less than two points included (the sentence then says that it
    is small); *harms*: all of it below 0 and p below .05; *contributes nothing*: all of it inside two points; else
    *undecided*, as is a difference without an interval. `p` is left out where the interval stands alone.

    Examples
    --------
    >>> judge(Estimate(0.04, 0.01, 0.07, 300)), judge(Estimate(0.0, -0.01, 0.01, 300))
    ('helps', 'contributes nothing')
    >>> judge(Estimate(-0.05, -0.1, -0.003, 300), p=0.078)
    'undecided'
    """
    if estimate.low > 0 and p < ALPHA:
        return "helps"
    if estimate.high < 0 and p < ALPHA:
        return "harms"
    return "contributes nothing" if estimate.low >= -MARGIN and estimate.high <= MARGIN else "undecided"


def verdict(results: Results) -> Verdict:
    """Judge the headline arm against the best of its comparators.

    The best of several comparators, chosen by the same units, is a little better by luck, which makes the test for
    help conservative: an ingredient that truly helps a little may stay undecided, while one that does nothing is called
    helpful less often than the interval's 2.5 %. By the same luck harm would be found too often: the p that a claim
    needs is corrected for the number of comparators, and *harms* is only said where the headline is also below the
    system without the ingredient.

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
    against = max(results.comparators, key=results.score)
    estimate, tests = gain(results, results.headline, against), corrected_tests(results)
    kind: Kind = judge(estimate, tests[against])
    if kind == "harms" and results.baseline is not None and results.baseline != against:
        # The best of several comparators is best by luck, too: harm must also show against the system without.
        plain = judge(gain(results, results.headline, results.baseline), tests[results.baseline])
        kind = "harms" if plain == "harms" else "undecided"
    leaking = [arm.name for arm in results.arms if arm.at_chance and beats_chance(results, arm.name)]
    notes: list[str] = []
    questions: tuple[Question, ...] = ()
    if leaking:
        kind, sentence = "refused", _refusal(results, leaking[0])
    else:
        questions = (_on_other_units(results, estimate, kind), _trained_anew(results, against))
        sentence = _sentence(results, kind, estimate, against, tests[against]) + _if_trained_anew(kind, questions[1])
        notes = [*_part_notes(results), *_constant_notes(results, against), *_placebo_notes(results)]
        notes += [*_study_notes(results, against), *_missing_notes(results)]
    sentence = f"On {results.origin}, {sentence}" if results.origin else sentence[:1].upper() + sentence[1:]
    if results.as_published:
        sentence = f"Run with {results.mark}, so no figure proves anything. {sentence}"
    return Verdict(kind, sentence, estimate.value, estimate.low, estimate.high, against, tuple(notes), questions)


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


def _sentence(results: Results, kind: Kind, estimate: Estimate, against: str, p: float) -> str:
    claim = _claim(results, kind)
    if kind == "helps" and estimate.high < MARGIN:
        claim += ", but by less than two per cent" if results.rated else ", but by less than two points"
    parts = [f"{claim}: {(_rated if results.rated else _right)(results, estimate, against)}"]
    if estimate.low * estimate.high > 0 and p >= ALPHA:  # else a reader would ask why nothing is claimed
        number = len(results.comparators)
        parts.append(f"but p is {p:.3f}" + (f", corrected for {number} comparators" if number > 1 else ""))
    baseline = results.baseline
    if baseline is not None and baseline != against:
        over = gain(results, results.headline, baseline)
        parts.append(
            f"and {points(over.value)} {_unit(results)} against “{results.arm(baseline).title}” "
            f"({between(over.low, over.high)})"
        )
    rows = results.rows(results.headline)
    units = f"{len(rows[['study', 'unit']].drop_duplicates()):,} units"
    if results.series:
        units += f" in {len(rows[['study', results.series]].drop_duplicates()):,} {results.series}s"
    return f"{', '.join(parts)}; {units}" + (f" of {results.studies} studies." if results.studies > 1 else ".")


def _claim(results: Results, kind: Kind) -> str:
    headline = results.arm(results.headline).title
    if all(results.arm(name).kind == "control" for name in results.comparators):  # nothing was taken away from it
        return {
            "helps": f"{headline} is better than its controls",
            "harms": f"{headline} is worse than its best control",
            "contributes nothing": f"{headline} is no better than its best control",
            "undecided": f"it is undecided whether {headline} is better than its controls",
        }[kind]
    return {
        "helps": f"{headline} helps",
        "harms": f"{headline} harms",
        "contributes nothing": f"{headline} contributes nothing",
        "undecided": f"it is undecided whether {headline} helps",
    }[kind]


def _right(results: Results, estimate: Estimate, against: str) -> str:
    return (
        f"it is right in {percent(results.accuracy(results.headline))} of units, "
        f"{100 * abs(estimate.value):.1f} points {'above' if estimate.value >= 0 else 'below'} its best comparator, "
        f"“{results.arm(against).title}” ({_interval(results, estimate)})"
    )


def _rated(results: Results, estimate: Estimate, against: str) -> str:
    own, other, constant = (in_units(results, results.error(name)) for name in (results.headline, against, CONSTANT))
    share, direction = percent(abs(estimate.value)), "less" if estimate.value >= 0 else "more"
    return (
        f"its ratings miss by {own} (root mean square error of a {results.series or 'unit'}) and those of its best "
        f"comparator, “{results.arm(against).title}”, by {other}: {share} of the constant "
        f"predictor's {constant} {direction} ({_interval(results, estimate)})"
    )


def in_units(results: Results, value: float) -> str:
    """Return an error in the label's units, to a hundredth of the constant predictor's or finer."""
    if np.isnan(value):
        return "\u2013"
    digits = max(0, 2 - int(np.floor(np.log10(results.error(CONSTANT) or 1.0))))
    return f"{value:.{digits}f}".replace("-", MINUS)


def _unit(results: Results) -> str:
    return "per cent of the constant's error" if results.rated else "points"


def _refusal(results: Results, name: str) -> str:
    if results.rated:
        reached = (
            f"misses by {in_units(results, results.error(name))}, less than the constant predictor "
            f"({in_units(results, results.error(CONSTANT))}). "
        )
    else:
        reached = (
            f"is right in {percent(results.accuracy(name))} of units, where guessing stays below "
            f"{percent(chance_of(results, name).threshold)}. "
        )
    return (
        f"no verdict: “{results.arm(name).title}” must be at chance and {reached}"
        "Something of the test part is known in training; "
        "find the leak before reading any figure."
    )


def _interval(results: Results, estimate: Estimate) -> str:
    if np.isnan(estimate.low):
        return "no interval"
    return f"95 % interval over {drawn_units(results)} {between(estimate.low, estimate.high)}"


_ANSWERS: dict[Kind, str] = {
    "helps": "yes", "harms": "no, worse", "contributes nothing": "no, alike within {margin}",
    "undecided": "not settled",
}  # fmt: skip


def _answer(results: Results, kind: Kind) -> str:
    return _ANSWERS[kind].format(margin="two per cent" if results.rated else "two points")


def _on_other_units(results: Results, estimate: Estimate, kind: Kind) -> Question:
    drawn = drawn_units(results)
    asked = f"Is it better on other {drawn}, as it was trained?"
    return Question(asked, f"{estimate.n:,} {drawn}", estimate, _answer(results, kind))


def _trained_anew(results: Results, against: str) -> Question:
    """Return the question that counts the luck of training, too: over studies, or over the splits of one corpus."""
    asked = "Would it be better in a new study, trained anew?"
    if results.studies > 1:
        studies = _by_study(results, against)
        estimate, over = cluster_interval(studies.to_numpy(), np.arange(len(studies))), f"{len(studies)} studies"
    else:
        splits = resampled_test(results, results.headline, against)
        if splits is None:
            nothing = Estimate(*(float("nan"),) * 3, 1)
            return Question(asked, "a single split", nothing, "one split does not tell: run it with --set repeats=5")
        estimate = Estimate(splits.value, splits.low, splits.high, splits.splits)
        over = f"{splits.splits} splits of one corpus, corrected for shared training data (Nadeau and Bengio)"
    if not results.rated:
        estimate = estimate._replace(low=max(estimate.low, -1.0), high=min(estimate.high, 1.0))
    return Question(asked, over, estimate, _answer(results, judge(estimate)))


def _if_trained_anew(kind: Kind, anew: Question) -> str:
    """Return the sentence that keeps a claim about these units from passing for one about training."""
    if kind == "undecided" or judge(anew.estimate) == kind:
        return ""
    over = anew.over.partition(",")[0]
    if judge(anew.estimate) == "undecided":
        reach = "" if np.isnan(anew.estimate.low) else f" ({between(anew.estimate.low, anew.estimate.high)})"
        return f" Whether it would be better in a new study, trained anew, is not settled by {over}{reach}."
    return f" {anew.asked} Over {over}: {anew.answer} ({between(anew.estimate.low, anew.estimate.high)})."


def _constant_notes(results: Results, against: str) -> list[str]:
    if not results.rated or against == CONSTANT:
        return []
    estimate = gain(results, results.headline, CONSTANT)
    return [
        f"Against the constant predictor, which always says the mean of the training ratings, it spares "
        f"{points(estimate.value)} per cent of the error ({between(estimate.low, estimate.high)})."
    ]


def _placebo_notes(results: Results) -> list[str]:
    if results.baseline is None:
        return []
    notes, title = [], results.arm(results.baseline).title
    for name in results.comparators:
        if results.arm(name).kind != "placebo":
            continue
        estimate = gain(results, name, results.baseline)
        if estimate.low > 0:
            notes.append(
                f"“{results.arm(name).title}” gains over “{title}” too, {points(estimate.value)} "
                f"({between(estimate.low, estimate.high)}): that much does not come from what this placebo takes away."
            )
    return notes


def _part_notes(results: Results) -> list[str]:
    """Say which other mode of the system does as well as the whole, or better; comparators are judged elsewhere."""
    notes, whole = [], results.arm(results.headline).title
    others = [arm for arm in results.arms if arm.kind == "system" and arm.name != results.headline]
    for arm in (arm for arm in others if arm.name not in results.comparators):
        estimate = gain(results, results.headline, arm.name)
        ahead = f"{points(abs(estimate.value)).lstrip('+')} {_unit(results)}"
        if estimate.low <= 0 <= estimate.high:
            place = "ahead" if estimate.value >= 0 else "behind"
            notes.append(
                f"“{arm.title}” does as well as “{whole}”, as far as these {drawn_units(results)} tell: "
                f"the whole is {ahead} {place} ({between(estimate.low, estimate.high)})."
            )
        elif estimate.high < 0:
            ends = between(-estimate.high, -estimate.low)
            notes.append(f"“{arm.title}” does better than “{whole}”, by {ahead} ({ends}).")
    return notes


def _study_notes(results: Results, against: str) -> list[str]:
    if results.studies == 1:
        return []
    studies = _by_study(results, against)
    return [
        f"By study: above the best comparator in {int((studies > 0).sum())} of {len(studies)}, with a standard "
        f"deviation of {100 * studies.std(ddof=1):.1f} {_unit(results)}."
    ]


def _by_study(results: Results, against: str) -> pd.Series:
    return unit_differences(results, results.headline, against).groupby(level="study")["score"].mean()


def _missing_notes(results: Results) -> list[str]:
    notes = []
    if not any(arm.at_chance for arm in results.arms):
        notes.append("No arm with permuted labels was run, so a leak would not show here: add permuted to controls.")
    if not any(results.arm(name).kind == "placebo" for name in results.comparators):
        notes.append("No placebo was run: a gain may come from anything that the headline arm has more of.")
    return notes
