"""Sets of classes in a run's figures: what was promised, what was kept, and how often the system would not answer."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_up_results import CLASSES, make_results

from insula.evaluation.metrics import calibration_error, reliability, set_metrics
from insula.evaluation.report import write_report
from insula.evaluation.results import Results
from insula.evaluation.statistics import accuracy_interval
from insula.evaluation.table import metrics_table
from insula.samples.predictions import join_sets, split_sets
from insula.training.calibration import Calibration

TEMPERATURE = 1.6


@pytest.fixture(scope="module")
def results() -> Results:
    """Return a run in which every arm but the upper bound was tempered and gives its classes above 10 %."""
    made = make_results(studies=1, repeats=2, units=80, embedding=None)
    rows = made.predictions
    columns = [f"p_{name}" for name in CLASSES]
    raw = rows[columns].to_numpy()
    rows[columns] = Calibration(TEMPERATURE).temper(raw)
    said = {
        "temperature": TEMPERATURE,
        "set": join_sets(Calibration(threshold=0.9).sets(raw), CLASSES),
        "set_coverage": 0.9,
        "mode": np.where(rows["unit"] == "picture-0003", "visual", rows["arm"]),
        "reason": np.where(rows["unit"] == "picture-0004", "unlike the training pictures", ""),
    }
    rows = rows.assign(**said)
    rows.loc[rows["arm"] == "real", ["temperature", "set", "set_coverage"]] = None
    return make_results(studies=1, repeats=2, units=80, embedding=None, predictions=rows)


@pytest.fixture(scope="module")
def table(results: Results) -> pd.DataFrame:
    return metrics_table(results).set_index("arm")


def test_coverage_is_of_the_given_label_and_every_unit_counts_once(results: Results, table: pd.DataFrame) -> None:
    rows = results.predictions[results.predictions["arm"] == "fusion"]
    held = pd.Series(
        [label in said.split() for label, said in zip(rows["label"], rows["set"], strict=True)], rows["unit"].to_numpy()
    )
    each = held.groupby(level=0).mean()
    assert len(each) == 80
    assert table.loc["fusion", "coverage"] == pytest.approx(each.mean())
    expected = accuracy_interval(pd.DataFrame({"score": each.to_numpy(float), "cluster": each.index}))
    assert table.loc["fusion", ["coverage_low", "coverage_high"]].tolist() == pytest.approx(expected[1:3])
    assert table.loc["fusion", "coverage_promised"] == pytest.approx(0.9)
    assert table.loc["fusion", "set_size"] == pytest.approx(rows["set"].str.split().str.len().mean())


def test_the_truth_is_named_apart_where_labels_are_wrong(table: pd.DataFrame) -> None:
    assert table.loc["fusion", "coverage_truth"] > table.loc["fusion", "coverage"] + 0.1
    assert "coverage_truth" not in metrics_table(make_results(studies=1, units=30, label_noise=0.0))


def test_refusals_and_fallbacks_are_counted(table: pd.DataFrame) -> None:
    assert table.loc["fusion", "refused"] == pytest.approx(1 / 80)
    assert table.loc["fusion", "fell_back"] == pytest.approx(1 / 80)
    assert table.loc["visual", "fell_back"] == 0, "asked for the picture alone"


def test_calibration_error_before_is_that_of_the_untempered_probabilities(table: pd.DataFrame) -> None:
    raw = make_results(studies=1, repeats=2, units=80, embedding=None).rows("fusion")
    sure = raw[[f"p_{name}" for name in CLASSES]].to_numpy().max(axis=1)
    before = calibration_error(reliability(sure, raw["correct"].to_numpy(), raw["weight"].to_numpy()))
    assert table.loc["fusion", "ece_before"] == pytest.approx(before, abs=1e-6)
    assert table.loc["fusion", "ece"] != pytest.approx(before, abs=0.01)


def test_an_arm_without_sets_promises_nothing(table: pd.DataFrame) -> None:
    figures = ["coverage", "coverage_promised", "set_size", "refused", "ece_before"]
    assert table.loc["real", figures].isna().all() and table.loc["fusion", figures].notna().all()
    assert "coverage" not in metrics_table(make_results(studies=1, units=30))


def test_the_report_shows_promise_and_measure(results: Results, table: pd.DataFrame, tmp_path: Path) -> None:
    write_report(results, tmp_path)
    page = (tmp_path / "report.html").read_text()
    promise, measured = "Holds the label", f"<td>90.0</td><td>{100 * table.loc['fusion', 'coverage']:.1f}</td>"
    assert promise in page and measured in page and "the truth is not what was promised" in page
    assert page.count('<th scope="row">Fusion') == 3
    rows = {row["arm"]: row for row in csv.DictReader((tmp_path / "metrics.csv").open())}
    assert float(rows["fusion"]["coverage"]) == pytest.approx(table.loc["fusion", "coverage"])
    assert rows["real"]["coverage"] == ""
    assert Results.open(tmp_path).predictions["set"].dropna().str.len().min() > 0


def test_sets_of_every_class_and_of_none_but_the_answer() -> None:
    labels, weights = np.array(["a", "b", "b"]), np.ones(3)
    whole = set_metrics(np.ones((3, 2), bool), labels, ("a", "b"), weights)
    assert whole["coverage"] == 1 and whole["set_size"] == 2
    single = set_metrics(split_sets(["a", "a", "b"], ("a", "b")), labels, ("a", "b"), weights)
    assert single["coverage"] == pytest.approx(2 / 3) and single["set_size"] == 1
