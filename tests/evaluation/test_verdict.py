"""The verdict's logic, on made-up scores."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from made_up_results import make_passport, make_results

from insula.evaluation.results import Arm, Results
from insula.evaluation.statistics import Estimate
from insula.evaluation.verdict import judge, verdict


@pytest.mark.parametrize(
    ("low", "high", "kind"),
    [
        (0.001, 0.05, "helps"),
        (0.001, 0.015, "helps"),  # a small gain is a gain
        (-0.05, -0.001, "harms"),
        (-0.015, -0.001, "harms"),
        (-0.02, 0.02, "contributes nothing"),
        (0.0, 0.02, "contributes nothing"),
        (-0.021, 0.01, "undecided"),
        (-0.01, 0.03, "undecided"),
        (float("nan"), float("nan"), "undecided"),
    ],
)
def test_the_interval_decides(low, high, kind):
    assert judge(Estimate(0.0, low, high, 100)) == kind


def scored(n: int = 1000, studies: int = 1, passport: dict | None = None, **right: float) -> Results:
    """Return results in which each arm is right on the first units, so that differences are exact."""
    kinds = {"fusion": "system", "visual": "system", "permuted": "control"}
    arms = tuple(Arm(name, name, kinds.get(name, "placebo")) for name in right)  # type: ignore[arg-type]
    parts = []
    for name, share in right.items():
        place = np.tile(np.arange(n // studies), studies)
        good = place < round(share * n / studies)
        truth = np.where(place % 2 == 0, "a", "b")
        said = np.where(good, truth, np.where(truth == "a", "b", "a"))
        parts.append(
            pd.DataFrame(
                {
                    "arm": name, "study": np.repeat(np.arange(studies), n // studies).astype(str),
                    "repeat": 0, "fold": 0,
                    "unit": place.astype(str), "truth": truth, "label": truth, "predicted": said,
                    "p_a": np.where(said == "a", 0.9, 0.1), "p_b": np.where(said == "a", 0.1, 0.9),
                }
            )
        )  # fmt: skip
    return Results(
        predictions=pd.concat(parts, ignore_index=True),
        arms=arms,
        classes=("a", "b"),
        headline="fusion",
        comparators=tuple(arm.name for arm in arms if arm.name != "fusion" and arm.kind != "control"),
        passport=passport or {"as_published": False},
    )


def test_a_gain_over_everything_helps():
    said = verdict(scored(fusion=0.8, visual=0.7, c3=0.72, permuted=0.5))
    assert (said.kind, said.against) == ("helps", "c3")
    assert said.difference == pytest.approx(0.08)
    assert 0 < said.low < 0.08 < said.high
    assert "8.0 points above its best comparator, “c3”" in said.sentence
    assert "+10.0 points against “visual”" in said.sentence
    assert "1,000 units" in said.sentence


def test_a_small_gain_helps_and_says_that_it_is_small():
    said = verdict(scored(n=3000, fusion=0.71, visual=0.70, permuted=0.5))
    assert said.kind == "helps"
    assert "less than two points" in said.sentence


def test_a_placebo_that_does_as_well_means_nothing_was_contributed():
    said = verdict(scored(n=2000, fusion=0.80, visual=0.70, c3=0.80, permuted=0.5))
    assert said.kind == "contributes nothing"
    assert any("“c3” gains over “visual” too, +10.0" in note for note in said.notes)


def test_a_loss_harms():
    assert verdict(scored(fusion=0.6, visual=0.7, permuted=0.5)).kind == "harms"


def test_being_below_the_luckiest_placebo_alone_is_no_harm():
    assert verdict(scored(fusion=0.70, visual=0.70, c2=0.75, permuted=0.5)).kind == "undecided"
    assert verdict(scored(fusion=0.65, visual=0.70, c2=0.75, permuted=0.5)).kind == "harms"


def test_a_system_without_placebos_is_held_against_its_controls_in_words():
    results = scored(fusion=0.8, permuted=0.5, visual=0.6)
    arms = tuple(Arm(arm.name, arm.name, "control" if arm.name != "fusion" else "system") for arm in results.arms)
    said = verdict(dataclasses.replace(results, arms=arms, comparators=("visual",)))
    assert "better than its controls" in said.sentence and "helps" not in said.sentence


def test_few_units_are_undecided_even_where_the_arms_agree():
    assert verdict(scored(n=40, fusion=0.7, visual=0.7, permuted=0.5)).kind == "undecided"


def test_a_placebo_that_gains_nothing_is_not_named():
    said = verdict(scored(fusion=0.8, visual=0.7, c2=0.7, c3=0.69, permuted=0.5))
    assert not any("gains over" in note for note in said.notes)


def test_permuted_labels_above_chance_refuse_a_verdict():
    said = verdict(make_results(skill={"permuted": 1.5}))
    assert said.kind == "refused"
    assert said.notes == ()
    assert "“Labels permuted” must be at chance" in said.sentence


def test_missing_controls_are_said():
    notes = " ".join(verdict(scored(fusion=0.8, visual=0.7)).notes)
    assert "permuted labels" in notes
    assert "No placebo" in notes


def test_a_leaking_split_is_said_first():
    said = verdict(make_results(passport=make_passport(as_published=True)))
    assert said.sentence.startswith("Run with leaking split, as published")


def test_studies_that_disagree_are_said():
    results = make_results(skill={"fusion": 2.2, "visual": 2.1})
    note = next(note for note in verdict(results).notes if note.startswith("By study"))
    assert "of 5" in note

    one = scored(n=600, studies=3, fusion=0.8, visual=0.7, permuted=0.5)
    rows = one.predictions
    lost = (rows["arm"] == "fusion") & (rows["study"] == "2") & (rows["unit"].astype(int) >= 130)
    other = np.where(rows["truth"] == "a", "b", "a")
    rows.loc[lost, "predicted"] = other[lost]
    said = verdict(one)
    assert said.kind == "helps"
    assert said.questions[0].answer == "yes"
    assert said.questions[1].answer == "not settled"
    assert "Whether it would be better in a new study, trained anew, is not settled by 3 studies" in said.sentence


def test_a_claim_about_units_is_no_claim_about_training():
    once = verdict(scored(fusion=0.8, visual=0.7, permuted=0.5))
    assert once.sentence.endswith(
        "Whether it would be better in a new study, trained anew, is not settled by a single split."
    )
    assert "repeats=5" in once.questions[1].answer
    agreeing = verdict(make_results(skill={"fusion": 3.5}, studies=1, repeats=3))
    assert [question.answer for question in agreeing.questions] == ["yes"] * 2
    assert "trained anew" not in agreeing.sentence


def test_what_the_data_are_stands_in_the_sentence():
    told = {"as_published": False, "corpus": {"origin": "simulated brains and drawn faces"}}
    for shares in (
        {"visual": 0.7, "permuted": 0.5},
        {"visual": 0.8, "permuted": 0.5},
        {"visual": 0.7, "permuted": 0.9},
    ):
        results = scored(fusion=0.8, passport=told, **shares)
        assert verdict(results).sentence.startswith("On simulated brains and drawn faces, ")
        old = dataclasses.replace(results, passport={"as_published": False})
        assert verdict(old).sentence[0].isupper() and "simulated" not in verdict(old).sentence


def test_a_part_that_does_as_well_as_the_whole_is_named():
    results = scored(fusion=0.8, visual=0.7, half=0.798, ceiling=0.9, weak=0.6, permuted=0.5)
    parts = ("half", "ceiling", "weak")
    arms = tuple(dataclasses.replace(arm, kind="system") if arm.name in parts else arm for arm in results.arms)
    notes = verdict(dataclasses.replace(results, arms=arms, comparators=("visual",))).notes
    assert notes[0].startswith("“half” does as well as “fusion”") and "the whole is 0.2 points ahead" in notes[0]
    assert notes[1].startswith("“ceiling” does better than “fusion”, by 10.0 points")
    assert not any("weak" in note for note in notes)


def test_without_a_picture_only_model_there_is_no_gain_over_it():
    said = verdict(scored(fusion=0.8, c3=0.7, permuted=0.5))
    assert said.kind == "helps"
    assert "against" not in said.sentence


def test_an_ingredient_that_does_nothing_is_seldom_said_to_help():
    """Six made-up studies without any effect of the ingredient: the best placebo guards."""
    skill = dict.fromkeys(("fusion", "visual", "c1", "c2", "c3", "c4"), 2.1)
    kinds = [verdict(make_results(skill=skill, seed=seed, studies=1, units=200)).kind for seed in range(6)]
    assert kinds.count("helps") <= 1


def test_an_ingredient_that_works_is_found():
    assert verdict(make_results()).kind == "helps"


def test_no_claim_stands_beside_a_p_that_does_not_bear_it():
    """An interval below zero beside a p that is .2 once it is corrected is no harm, and the sentence says why."""
    worse = dict.fromkeys(("visual", "c1", "c2", "c3", "c4"), 2.1) | {"fusion": 1.95}
    kinds = set()
    for seed in (2, 3, 5, 14):
        results = make_results(studies=1, units=200, folds=1, seed=seed, skill=worse)
        answer = results.verdict()
        p = results.metrics().set_index("arm").loc[answer.against, "p_holm"]
        assert answer.high < 0 and (answer.kind == "harms") == (p < 0.05)
        assert (f"but p is {p:.3f}, corrected for 5 comparators" in answer.sentence) == (p >= 0.05)
        kinds.add(answer.kind)
    assert kinds == {"harms", "undecided"}
