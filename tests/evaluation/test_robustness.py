"""Fitted systems on disturbed inputs."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from insula.emotions import Categorical, Continuous
from insula.evaluation.candidates import Fitting
from insula.evaluation.experiment import run
from insula.evaluation.recipe import Recipe
from insula.evaluation.robustness import DISTURBED, KEY, Robustness, disturbances
from insula.protocols.protocol import protocol
from insula.samples import Samples
from insula.storage.cache import Cache
from insula.systems.catalogue import system
from toy import CLASSES, toy_pairs, toy_study, toy_windows

TASK = Categorical(label="emotion", classes=CLASSES)
RATING = Continuous(label="valence", scale=(1, 9))


def disturbed(samples: Samples, modality: str) -> dict[tuple[str, str], Samples]:
    return {(name, level): some for name, level, some in disturbances(samples, modality)}


def test_noise_has_the_power_that_its_decibels_say() -> None:
    samples = toy_windows(subjects=2)
    before, found = samples.read("eeg"), disturbed(samples, "eeg")
    for decibels in (20, 0):
        noise = found["noise", f"{decibels} dB"].read("eeg") - before
        ratio = before.var(axis=(0, 2)) / noise.var(axis=(0, 2))
        assert 10 * np.log10(ratio) == pytest.approx(decibels, abs=0.5)


def test_missing_dropped_and_covered_are_as_many_as_said() -> None:
    samples = toy_windows(subjects=2)
    found = disturbed(samples, "eeg")
    assert [found["missing", share].has("eeg").mean() for share in ("25%", "50%", "100%")] == [0.75, 0.5, 0]
    assert found["missing", "50%"].has("features").all(), "the other modality stays"
    same = (found["dropped channels", "50%"].read("eeg") == samples.read("eeg")).all(axis=2)
    assert same.sum(axis=1).tolist() == [3] * len(samples)
    study = toy_study(pictures=9, subjects=("S1",))
    covered = disturbed(study, "picture")["covered", "25%"].read("picture")
    assert (covered == 128).all(axis=3).mean(axis=(1, 2)) == pytest.approx(0.25, abs=0.02)
    smooth = disturbed(study, "picture")["blur", "4 pixels"].read("picture")
    assert smooth.std() < study.read("picture").std()


def test_a_run_prints_the_table_of_disturbed_inputs(tmp_path: Path) -> None:
    recipe = Recipe(
        name="robust",
        corpus={"name": "simulated-ratings", "subjects": 4, "films": 9, "seconds": 6, "fidelity": 3},
        task={"kind": "binary", "label": "valence", "threshold": 3, "tie": "high"},
        protocol={"name": "subject-disjoint", "test_share": 0.5, "validation_share": 0},
        system={"name": "svm", "modality": "features"},
        controls=("majority",),
        robustness=True,
    )
    results = run(recipe, Cache(tmp_path))
    table = results.measured["Disturbed inputs: share of units that are right"]
    assert list(table) == ["modality", "disturbance", "level", results.arm(results.headline).title]
    assert set(table["disturbance"]) == {"noise", "dropped channels"}, "without its one modality it could say nothing"
    assert table.iloc[:, 3:].to_numpy().min() >= 0 and table.iloc[:, 3:].to_numpy().max() <= 1


def test_a_modality_that_no_test_row_has_is_left_alone(tmp_path: Path) -> None:
    pairs = toy_pairs()
    faceless = pairs.with_columns(face_features_row=-1, face_features_store=None)
    pair = system("late-fusion").fit(pairs, pairs.select([]), TASK)
    units = protocol("subject-disjoint", scored_unit="sample")
    study, test = SimpleNamespace(protocol=units), faceless.without(["emotion"])
    fit: Any = SimpleNamespace(folder=tmp_path, system=pair, test=test, study=study)
    Robustness().write(fit)
    said = pd.read_parquet(tmp_path / "robustness.parquet")
    assert set(said["modality"]) == {"features"} and set(said["arm"]) == {"both", "eeg", "face"}


def test_ratings_are_scored_by_their_error(tmp_path: Path) -> None:
    frame = pd.DataFrame({"unit": ["a", "b"], "rating": [0.0, 2.0], "arm": "eeg"})
    frame.assign(**dict.fromkeys(KEY, "x")).to_parquet(tmp_path / "robustness.parquet")
    truth = pd.DataFrame({"truth": [0.0, 0.0]}, index=["a", "b"])
    run: Any = SimpleNamespace(
        own={Fitting("system", "s", 0, 0): tmp_path, Fitting("system", "s", 0, 1): tmp_path / "elsewhere"},
        answers={0: truth}, system=SimpleNamespace(modes={"eeg": "EEG"}), studies=[SimpleNamespace(task=RATING)],
    )  # fmt: skip
    assert Robustness().read(run)[DISTURBED["ratings"]]["EEG"].tolist() == pytest.approx([2**0.5])
    run.own.pop(Fitting("system", "s", 0, 0))
    assert Robustness().read(run) == {}
