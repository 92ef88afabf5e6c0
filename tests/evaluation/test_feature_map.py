"""How far classes lie apart in learnt features."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from insula.evaluation.feature_map import feature_silhouettes


def predictions(truth: list[str]) -> pd.DataFrame:
    units = [f"c/{number}" for number in range(len(truth))]
    return pd.DataFrame({"unit": 2 * units, "truth": 2 * truth})


def test_classes_that_lie_apart_have_a_silhouette_near_one(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    truth = ["fear", "anger"] * 10
    apart = 20.0 * (np.array(truth) == "fear")[:, None, None] + rng.standard_normal((20, 2, 2))
    units = np.array([f"c/{number}" for number in range(20)])
    np.savez(tmp_path / "features.npz", units=units, taught=apart, alone=rng.standard_normal((20, 3)))
    (table,) = feature_silhouettes(tmp_path, predictions(truth)).values()
    found = table.set_index("features")["silhouette"]
    assert found["taught"] > 0.8 and found["alone"] == pytest.approx(0, abs=0.15)
    assert (table["n"] == 20).all() and (table["classes"] == 2).all()


def test_no_features_or_one_class_make_no_table(tmp_path: Path) -> None:
    assert feature_silhouettes(tmp_path, predictions(["fear", "anger"])) == {}
    np.savez(tmp_path / "features.npz", units=np.array(["c/0", "c/1"]), taught=np.zeros((2, 3)))
    assert feature_silhouettes(tmp_path, predictions(["fear", "fear"])) == {}
