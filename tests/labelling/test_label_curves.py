"""Label curves: what they are made of, that they go on after an interruption, and how few labels are enough."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import insula
from insula.cli import main
from insula.errors import SettingsError
from insula.evaluation.draw_label_curves import label_curves as draw
from insula.evaluation.recipe import Recipe
from insula.evaluation.study import open_study
from insula.labelling import one_curve
from insula.labelling.curves import curve_settings, label_curves
from insula.labelling.efficiency import ALL, efficiency_in_words, label_efficiency, with_label_curves
from insula.labelling.one_curve import Asking
from insula.labelling.strategies import STRATEGIES
from insula.storage.cache import Cache
from insula.systems.baselines.plain import Linear

RECIPE: dict[str, Any] = {
    "name": "curves",
    "corpus": {"name": "simulated-ratings", "subjects": 3, "films": 16, "seconds": 4.0},
    "task": {"kind": "binary", "label": "valence", "threshold": 3, "tie": "high"},
    "protocol": {"name": "trial-disjoint", "folds": 4},
    "system": {"name": "linear", "modality": "features"},
    "control_modality": "features",
    "controls": ["majority"],
    "label_curves": {"strategies": ["random", "entropy"], "start": 0.2, "batch": 0.2},
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    """A cache that holds the simulated brains; curves of one test are those of another."""
    return Cache(tmp_path_factory.mktemp("cache"))


def recipe(**changes: Any) -> Recipe:
    return Recipe.complete({**RECIPE, **changes}, where="test")


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, Path | None]]:
    """Count the rows with a label that every fit is given, and note what it starts from."""
    found: list[tuple[int, Path | None]] = []
    fit = Linear.fit

    def counted(self: Linear, train: Any, validation: Any, task: Any, **more: Any) -> Linear:
        found.append((int((task.targets(train.table) >= 0).sum()), more.get("start_from")))
        return fit(self, train, validation, task, **more)

    monkeypatch.setattr(Linear, "fit", counted)
    monkeypatch.setattr(Linear, "warm_start", True)  # as networks can
    return found


# curves ---------------------------------------------------------------------------------------------------------------


def test_curves_say_what_was_reached_with_how_many_labels(data: Cache, fits: list) -> None:
    runs = label_curves(recipe(repeats=2), data)
    study = open_study(recipe(), 0, data)
    split = study.splits[0]
    trials = {part: len(set(study.samples.by_id(getattr(split, part)).units("trial+subject"))) for part in
              ("train", "validation")}  # fmt: skip
    assert set(runs["strategy"]) == {ALL, "random", "entropy"} and set(runs["repeat"]) == {0, 1}
    entropy = runs[(runs["strategy"] == "entropy") & (runs["repeat"] == 0)]
    assert entropy["share"].tolist() == [0.2, 0.4]
    labels = [round(share * trials["train"]) + max(2, round(share * trials["validation"])) for share in (0.2, 0.4)]
    assert entropy["labels"].tolist() == labels
    assert runs.loc[runs["strategy"] == ALL, "labels"].unique().tolist() == [sum(trials.values())]
    assert len(fits) == 2 * (1 + 1 + 2), "all labels, one start for every strategy, and a round of each"
    first = runs[(runs["share"] == 0.2) & (runs["repeat"] == 0)]
    assert len(set(first["accuracy"])) == 1
    assert ((runs[["accuracy", "macro_f1"]] >= 0) & (runs[["accuracy", "macro_f1"]] <= 1)).all(axis=None)
    assert label_curves(recipe(repeats=2), data).equals(runs) and len(fits) == 8, "finished curves are read"


def test_random_is_always_among_them_to_compare_with() -> None:
    assert curve_settings(recipe(label_curves={"strategies": ["entropy"]})).strategies == ("random", "entropy")


def test_a_query_is_written_down_and_no_trial_stands_twice(data: Cache) -> None:
    label_curves(recipe(), data)
    for path in data.root.glob("label-curves/*/asked.parquet"):
        asked = pd.read_parquet(path)
        assert asked["trial"].is_unique and asked["share"].is_monotonic_increasing


def test_an_interrupted_curve_goes_on_after_its_last_round(
    data: Cache, tmp_path: Path, fits: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    curves = {"strategies": ["random"], "start": 0.2, "batch": 0.2, "until": 0.8}
    whole = label_curves(recipe(label_curves=curves), Cache(tmp_path / "whole"))
    per_run, counted = len(fits), Linear.fit
    assert per_run == 5

    def dies(self: Linear, *parts: Any, **more: Any) -> Linear:
        if len(fits) == per_run + 4:
            raise KeyboardInterrupt
        return counted(self, *parts, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Linear, "fit", dies)
        with pytest.raises(KeyboardInterrupt):
            label_curves(recipe(label_curves=curves), Cache(tmp_path / "part"))
    resumed = label_curves(recipe(label_curves=curves), Cache(tmp_path / "part"))
    assert len(fits) == 2 * per_run, "no round was fitted twice"
    pd.testing.assert_frame_equal(resumed, whole)
    assert not list((tmp_path / "part" / "checkpoints").glob("*"))


@pytest.mark.parametrize(
    ("warm", "expected"),
    [("always", [0, 1, 1, 1]), ("every second round", [0, 1, 0, 1]), ("never", [0, 0, 0, 0])],
)
def test_rounds_start_from_the_round_before_or_anew(tmp_path: Path, fits: list, warm: str, expected: list[int]) -> None:
    curves = {"strategies": ["random"], "start": 0.2, "batch": 0.2, "until": 0.8, "warm": warm}
    label_curves(recipe(label_curves=curves), Cache(tmp_path))
    rounds = [start for _, start in fits[1:]]
    assert [int(start is not None) for start in rounds] == expected
    assert len({start for start in rounds if start is not None}) == sum(expected), "each from its own round before"


def test_nothing_of_the_test_part_reaches_a_query(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(root: Path) -> list[list[str]]:
        label_curves(recipe(), Cache(root))
        return [pd.read_parquet(path)["trial"].tolist() for path in sorted(root.glob("label-curves/*/asked.parquet"))]

    before = asked(tmp_path / "one")
    opened = one_curve.open_again

    def spoiled(*words: Any) -> Any:
        study = opened(*words)
        test = np.isin(study.samples.ids, study.splits[0].test)
        ratings = study.samples.table["valence"].where(~test, 6 - study.samples.table["valence"])
        assert (ratings != study.samples.table["valence"]).any()
        return replace(study, samples=study.samples.with_columns(valence=ratings))

    one_curve._study.cache_clear()
    monkeypatch.setattr(one_curve, "open_again", spoiled)
    assert asked(tmp_path / "two") == before
    one_curve._study.cache_clear()


def test_what_cannot_be_asked_is_refused_before_any_fit(data: Cache, fits: list) -> None:
    for strategies, said in (
        (["core-set"], "linear has no embedding, which the strategy core-set wants"),
        (["entropy-face"], "linear has no mode 'face', which the strategy entropy-face wants"),
        (["oracle"], "no strategy 'oracle'"),
        (["random", "random"], "name each strategy once"),
    ):
        with pytest.raises(SettingsError, match=said):
            curve_settings(recipe(label_curves={"strategies": strategies}))
    with pytest.raises(SettingsError, match="until is below start"):
        curve_settings(recipe(label_curves={"strategies": ["random"], "start": 0.6}))
    with pytest.raises(SettingsError, match="strategies ask about classes"):
        votes = {"kind": "votes", "label": "valence", "classes": ["low", "high"]}
        one_curve.label_task(replace(open_study(recipe(), 0, data), task=_task(votes)))
    assert not fits


def _task(values: dict[str, Any]) -> Any:
    from insula.emotions import parse_task

    return parse_task(values)


def test_shares_of_rounds_end_where_they_are_told() -> None:
    assert Asking().shares == (0.1, 0.2, 0.3, 0.4, 0.5)
    assert Asking(start=0.05, batch=0.3).shares == (0.05, 0.35)


@pytest.mark.slow
def test_every_strategy_asks_a_system_of_two_senses(tmp_path: Path) -> None:
    brief = {"epochs": 1, "batch_size": 128}
    pairs = Recipe.complete(
        {
            "name": "pairs",
            "corpus": {"name": "simulated-pairs", "subjects": 3, "trials": 9, "seconds": 4.0, "face_missing": 0.2},
            "protocol": {"name": "trial-disjoint", "folds": 3},
            "system": {"name": "ucmc", "compare": False, "training": brief, "teacher": {"training": brief}},
            "label_curves": {"start": 0.3, "batch": 0.2, "until": 0.5},
        },
        where="test",
    )
    runs = label_curves(pairs, Cache(tmp_path))
    assert set(runs["strategy"]) == {ALL, *STRATEGIES} and set(runs["mode"]) == {"eeg", "both"}
    assert (runs.groupby(["mode", "strategy"]).size().drop(ALL, level="strategy") == 2).all()
    assert runs["macro_f1"].between(0, 1).all()


# how few labels are enough --------------------------------------------------------------------------------------------


def made_up(strategies: dict[str, list[list[float]]], full: list[float]) -> pd.DataFrame:
    """One list a run of what each share from 0.1 on reaches."""
    rows = [("both", ALL, run, 0, 1.0, 100, score, score) for run, score in enumerate(full)]
    rows += [
        ("both", name, run, 0, round(0.1 * (place + 1), 1), 10 * (place + 1), score, score)
        for name, curves in strategies.items()
        for run, curve in enumerate(curves)
        for place, score in enumerate(curve)
    ]
    columns = ["mode", "strategy", "repeat", "fold", "share", "labels", "accuracy", "macro_f1"]
    return pd.DataFrame(rows, columns=columns)


def test_enough_is_the_first_share_within_a_standard_error_of_all_labels() -> None:
    runs = made_up({"random": [[0.5, 0.6, 0.78], [0.5, 0.6, 0.83]], "entropy": [[0.5, 0.79, 0.9], [0.6, 0.85, 0.9]]},
                   [0.78, 0.86])  # fmt: skip
    found = label_efficiency(runs).set_index("strategy")
    assert found.loc["random", "share"] == 0.3, "0.805 reaches 0.82 less 0.04"
    assert found.loc["entropy", "share"] == 0.2
    assert found.loc["random", ["reached", "runs", "mean_share"]].tolist() == [2, 2, 0.3]
    assert found.loc["entropy", "more_than_random"] == pytest.approx(-0.1)
    assert np.isnan(found.loc["random", "more_than_random"])


def test_what_is_not_reached_counts_as_all_labels_and_is_said() -> None:
    curves = [[0.5, 0.6], [0.5, 0.9], [0.5, 0.6]]
    found = label_efficiency(made_up({"entropy": curves}, [0.8, 0.8, 0.8])).iloc[0]
    assert np.isnan(found["share"]) and found["reached"] == 1
    assert found["mean_share"] == pytest.approx((1 + 0.2 + 1) / 3)
    assert 0 <= found["low"] < found["mean_share"] < found["high"] <= 1
    words = efficiency_in_words(label_efficiency(made_up({"entropy": curves}, [0.8, 0.8, 0.8]))).iloc[0]
    assert words["labels enough"] == "not reached" and words["runs that reach it"] == "1 of 3"
    assert words["minus random, points"] == "", "random was not run"


def test_a_single_run_has_no_interval() -> None:
    found = label_efficiency(made_up({"random": [[0.5, 0.9]]}, [0.8])).iloc[0]
    assert found["share"] == found["mean_share"] == 0.2 and np.isnan(found["low"])


def test_folds_of_one_repeat_are_what_is_independent_there() -> None:
    runs = made_up({"random": [[0.5, 0.9], [0.9, 0.9], [0.5, 0.9]]}, [0.8, 0.8, 0.8])
    as_folds = runs.assign(fold=runs["repeat"], repeat=0)
    columns = ["mean_share", "low", "high"]
    assert label_efficiency(as_folds)[columns].equals(label_efficiency(runs)[columns])


# the command ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_run_prints_draws_and_writes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from insula.evaluation.results import Results

    monkeypatch.setenv("INSULA_CACHE", str(tmp_path / "cache"))
    (tmp_path / "recipe.yaml").write_text(json.dumps({**RECIPE, "repeats": 2}))

    def insula(*words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["insula", "run", str(tmp_path / "recipe.yaml"), "-o", str(tmp_path / "run"),
                                          "--jobs", "1", *words])  # fmt: skip
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code
        return capsys.readouterr().out

    said = insula()
    assert "Labels that are enough" in said and "entropy" in said
    told = json.loads(insula("--json"))
    assert {row["strategy"] for row in told["label_efficiency"]} == {"random", "entropy"}
    assert len(told["label_curves"]) == 2 * (1 + 2 + 2)
    report = (tmp_path / "run" / "report.html").read_text()
    assert "How many labels are enough" in report and "Macro-F1 by share of labels" in report
    results = Results.open(tmp_path / "run")
    plot = draw(results)
    assert plot is not None and "enough are, by strategy, random" in plot.alternative
    assert draw(replace(results, tables={})) is None
    assert with_label_curves(results, results.tables["label_curves"]).measured.keys() == results.measured.keys()


def test_curves_change_no_fit_of_the_run(tmp_path: Path) -> None:
    from insula.evaluation.candidates import Fitting
    from insula.evaluation.experiment import plan

    keys: list[Callable[[Fitting], dict[str, Any]]] = [
        plan(recipe(label_curves=curves), Cache(tmp_path)).key for curves in (None, {"strategies": ["random"]})
    ]
    assert keys[0](Fitting("system", "linear", 0, 0)) == keys[1](Fitting("system", "linear", 0, 0))


def test_a_run_in_python_draws_the_curves_that_the_recipe_asks_for() -> None:
    results = insula.run(recipe(label_curves={"strategies": ["random"], "start": 0.2, "batch": 0.4}))
    assert set(results.tables["label_curves"]["strategy"]) == {"random", ALL}
    assert "label_efficiency" in results.tables
