"""Comparing runs: paired where units are shared, refused where figures do not compare."""

from __future__ import annotations

import numpy as np
import pytest
from made_up_results import make_passport, make_results

from insula.errors import DataError
from insula.evaluation.compare import compare


@pytest.fixture
def save(tmp_path):
    def save(name: str, **settings: object):
        make_results(**{"studies": 2, "units": 80, **settings}).save(tmp_path / name)
        return tmp_path / name

    return save


def test_runs_on_the_same_units_are_tested(save):
    table = compare([save("base"), save("better", skill={"fusion": 4.0}), save("same")]).set_index("run")
    assert table.loc["better", "shared"] == 160
    assert table.loc["better", "difference"] > 0.1
    assert table.loc["better", "difference_low"] > 0
    assert table.loc["better", "p_holm"] >= table.loc["better", "p"]
    assert table.loc["better", "p_holm"] < 0.01
    assert table.loc["same", "difference"] == 0
    assert np.isnan(table.loc["base", "p"])


def test_runs_that_split_differently_are_paired_by_unit(save):
    table = compare([save("three folds"), save("five folds", folds=5, repeats=2)])
    assert table["shared"].tolist() == [0, 160]


def test_runs_without_a_common_unit_stand_side_by_side_untested(save):
    other = make_results(studies=1, units=40).predictions.assign(study="elsewhere")
    table = compare([save("here"), save("there", predictions=other)])
    assert table["p"].isna().all()
    assert table["accuracy"].notna().all()


def test_different_tasks_are_refused(save):
    passport = {**make_passport(), "task": {"kind": "binary", "label": "valence"}}
    with pytest.raises(DataError, match="different tasks"):
        compare([save("a"), save("b", passport=passport)])


def test_different_protocols_are_refused(save):
    with pytest.raises(DataError, match=r"different protocols are not compared \(validation_share 0\.2 and 0\.3\)"):
        compare([save("a"), save("b", passport=make_passport(validation_share=0.3))])


def test_clean_and_leaking_runs_are_mixed_only_with_a_mark(save):
    clean, leaking = save("clean"), save("leaking", passport=make_passport(as_published=True))
    with pytest.raises(DataError, match=r"does not stand beside a clean one \(leaking\)"):
        compare([clean, leaking])
    table = compare([clean, leaking], mixed=True)
    assert table["split"].tolist() == ["clean", "leaking split, as published"]
    assert table["p"].isna().all()


def test_one_run_is_not_compared(save):
    with pytest.raises(DataError, match="nothing to be compared with"):
        compare([save("alone")])
