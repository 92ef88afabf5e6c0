"""Ratings from the command line: a run, rows scored one by one, classes cut from ratings, a sweep of both."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from insula.corpora.fake_mahnob import fake_mahnob_features

Command = Callable[..., Any]

BASE = {
    "name": "ratings",
    "corpus": {"name": "simulated-ratings", "subjects": 4, "films": 6, "seconds": 8},
    "task": {"kind": "continuous", "label": "valence", "scale": [1, 5]},
    "protocol": {"name": "subject-disjoint", "folds": 2, "validation_share": 0, "scored_unit": "trial"},
    "system": {"name": "linear", "modality": "features"},
    "control_modality": "features",
    "controls": ["permuted"],
}


def write(folder: Path, values: dict) -> str:
    path = folder / f"{values['name']}.yaml"
    path.write_text(yaml.safe_dump(values, sort_keys=False))
    return str(path)


def test_a_run_of_ratings_has_the_constant_and_a_ridge_asked_for_or_not(insula: Command, tmp_path: Path) -> None:
    said = insula("run", write(tmp_path, BASE), "-o", str(tmp_path / "run"), "--jobs", "1", "--json")
    assert said.code == 0, said.err
    told = json.loads(said.out)
    arms = {row["arm"]: row for row in told["metrics"]}
    assert set(arms) == {"plain", "permuted", "majority", "linear"}  # zero is off the scale from 1 to 5
    assert arms["plain"]["rmse_per_subject"] < arms["majority"]["rmse_per_subject"]
    assert arms["plain"]["pcc_pooled"] > 0.3 and "constant predictor" in told["verdict"]
    passport = json.loads((tmp_path / "run" / "passport.json").read_text())
    assert passport["task"]["kind"] == "continuous"
    plain = insula("run", write(tmp_path, BASE), "-o", str(tmp_path / "run"), "--jobs", "1")
    assert "Error of each subject" in plain.out
    made = insula("fit", write(tmp_path, BASE), "-o", str(tmp_path / "bundle"))
    assert made.code == 0, made.err
    graph = json.loads((tmp_path / "bundle" / "manifest.json").read_text())["graphs"]["plain"]
    assert graph["outputs"] == ["rating"] and graph["parity"]["difference"]["rating"] < 1e-4


@pytest.mark.parametrize("task", ["continuous", "cut"])
def test_features_of_mahnob_are_scored_row_by_row_and_tested_by_trial(
    insula: Command, tmp_path: Path, task: str
) -> None:
    fake_mahnob_features(tmp_path)
    halves = {"parts": 2, "classes": ["low", "high"]} if task == "cut" else {}
    values = {
        **BASE, "name": task, "corpus": {"name": "mahnob-features", "root": str(tmp_path)},
        "task": {"kind": task, "label": "valence_continuous", **halves},
        "protocol": {"name": "trial-disjoint", "folds": 3, "validation_share": 0, "scored_unit": "sample",
                     "stratify": False},
        "controls": ["majority", "linear"],
    }  # fmt: skip
    said = insula("run", write(tmp_path, values), "-o", str(tmp_path / "run"), "--jobs", "1", "--json")
    assert said.code == 0, said.err
    rows = pd.read_parquet(tmp_path / "run" / "results" / "predictions.parquet")
    assert rows["trial"].nunique() == 3 and (rows.groupby("arm")["unit"].nunique() == 72).all()
    about = json.loads((tmp_path / "run" / "results" / "about.json").read_text())
    assert about["series"] == about["cluster"] == "trial"
    if task == "continuous":
        assert {"majority", "linear", "zero"} <= set(rows["arm"])
        assert "Truth and rating over time" in (tmp_path / "run" / "report.html").read_text()
    else:
        assert len(json.loads((tmp_path / "run" / "passport.json").read_text())["task"]["edges"]) == 1


def test_a_sweep_shows_the_error_of_ratings_beside_the_accuracy_of_classes(insula: Command, tmp_path: Path) -> None:
    cut = {"task": {"kind": "cut", "label": "valence", "parts": 2, "classes": ["low", "high"]}}
    values = {
        "name": "both", "grid": "tasks", "base": {**BASE, "name": "base", "controls": ["majority"]},
        "grids": {"tasks": [{"axes": {"learnt": {"rating": {}, "classes": cut}}}]},
        "tables": [
            {"name": "T1", "title": "Both", "across": ["learnt"], "rows": [{"title": "features", "arm": "plain"}]},
            {"name": "T2", "title": "Paired", "kind": "paired", "where": {"learnt": "rating"}, "arms": ["majority"]},
        ],
        "figures": [{"name": "gains", "title": "Gains", "kind": "gains"}],
    }  # fmt: skip
    said = insula("run", write(tmp_path, values), "-o", str(tmp_path / "sweep"), "--jobs", "1", "--json")
    assert said.code == 0, said.err
    cells = pd.read_csv(tmp_path / "sweep" / "cells.csv").set_index(["cell", "arm"])
    assert cells.loc[(1, "plain"), "error"] > 0 and cells.loc[(2, "plain"), "accuracy"] > 0.5
    assert pd.isna(cells.loc[(1, "plain"), "accuracy"])
    page = (tmp_path / "sweep" / "report.html").read_text()
    assert "accuracy % or error" in page and "pooled" in page
