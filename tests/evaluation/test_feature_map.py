"""How far classes lie apart in learnt features."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from insula.emotions import Categorical
from insula.evaluation.feature_map import FeatureMap, FeatureSilhouettes


def predictions(truth: list[str]) -> pd.DataFrame:
    units = [f"c/{number}" for number in range(len(truth))]
    return pd.DataFrame({"unit": 2 * units, "truth": 2 * truth})


def run(folder: Path, predictions: pd.DataFrame, groups: Sequence[str] = ()) -> Any:
    task = Categorical(label="emotion", classes=("fear", "anger"))
    recipe, study = SimpleNamespace(groups=groups), SimpleNamespace(task=task)
    return SimpleNamespace(first=folder, predictions=predictions, recipe=recipe, studies=[study])


def test_classes_that_lie_apart_have_a_silhouette_near_one(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    truth = ["fear", "anger"] * 10
    apart = 20.0 * (np.array(truth) == "fear")[:, None, None] + rng.standard_normal((20, 2, 2))
    units = np.array([f"c/{number}" for number in range(20)])
    np.savez(tmp_path / "features.npz", units=units, taught=apart, alone=rng.standard_normal((20, 3)))
    (table,) = FeatureSilhouettes().read(run(tmp_path, predictions(truth))).values()
    found = table.set_index("features")["silhouette"]
    assert (table["by"] == "class").all()
    assert found["taught"] > 0.8 and found["alone"] == pytest.approx(0, abs=0.15)
    assert (table["n"] == 20).all() and (table["groups"] == 2).all()


def test_groups_that_a_recipe_names_are_told_beside_the_classes(tmp_path: Path) -> None:
    truth, style = ["fear", "anger"] * 10, ["plain"] * 10 + ["stylised"] * 10
    units = np.array([f"c/{number}" for number in range(20)])
    apart = 20.0 * (np.arange(20) < 10)[:, None] + np.random.default_rng(0).standard_normal((20, 3))
    np.savez(tmp_path / "features.npz", units=units[::-1], taught=apart[::-1])
    said = predictions(truth).assign(style=2 * style)
    (table,) = FeatureSilhouettes().read(run(tmp_path, said, ["style"])).values()
    found = table.set_index("by")["silhouette"]
    assert found["style"] > 0.8 > 0.2 > abs(found["class"])
    points = FeatureMap().read(run(tmp_path, said, ["style"]))["embedding"]
    assert (
        points[["class", "style"]].to_numpy().tolist() == [list(pair) for pair in zip(truth, style, strict=True)][::-1]
    )
    left = points.groupby("style")[["x", "y"]].mean()
    assert (
        np.linalg.norm(left.loc["plain"] - left.loc["stylised"]) > points.groupby("style")[["x", "y"]].std().max().max()
    )


def test_no_features_or_one_class_make_no_table(tmp_path: Path) -> None:
    assert FeatureSilhouettes().read(run(tmp_path, predictions(["fear", "anger"]))) == {}
    np.savez(tmp_path / "features.npz", units=np.array(["c/0", "c/1"]), taught=np.zeros((2, 3)))
    assert FeatureSilhouettes().read(run(tmp_path, predictions(["fear", "fear"]))) == {}


def test_of_many_units_some_are_drawn_with_their_own_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("insula.evaluation.feature_map._UNITS", 20)
    truth = ["fear", "anger"] * 30
    apart = 20.0 * (np.array(truth) == "fear")[:, None] + np.random.default_rng(0).standard_normal((60, 3))
    np.savez(tmp_path / "features.npz", units=np.array([f"c/{number}" for number in range(60)]), taught=apart)
    (table,) = FeatureSilhouettes().read(run(tmp_path, predictions(truth))).values()
    assert table["n"].tolist() == [20] and table["silhouette"][0] > 0.8
    monkeypatch.setattr("insula.evaluation.feature_map._MAPPED", 12)  # a map is laid out of fewer
    assert len(FeatureMap().read(run(tmp_path, predictions(truth)))["embedding"]) == 12
