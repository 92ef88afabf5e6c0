"""A recipe of several tasks: the system learns all at once, and one of them is scored as if it were alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
import pytest

from insula.emotions import Several
from insula.errors import SettingsError
from insula.evaluation.candidates import Fitting
from insula.evaluation.early_checks import check_recipe
from insula.evaluation.experiment import fit_and_predict
from insula.evaluation.recipe import Recipe
from insula.evaluation.study import answers, open_study
from insula.samples import Predictions, Samples
from insula.storage.cache import Cache
from insula.systems.base import System, TrainingData
from insula.systems.baselines.plain import Linear, PlainSettings


class OneOfEach(System):
    """A linear model of each task."""

    Settings = PlainSettings
    learns: ClassVar = Several
    modes: ClassVar[Mapping[str, str]] = {"each": "a linear model of each task"}

    def _fit(self, data: TrainingData) -> None:
        self.parts = {name: Linear(self.settings) for name in self.task.tasks}
        for name, part in self.parts.items():
            part.held_out = self.held_out
            part.fit(data.train, data.validation, self.task.tasks[name])
        self.log.fits = [fit for part in self.parts.values() for fit in part.log.fits]

    def _predict(self, samples: Samples, mode: str) -> Predictions:
        assert not {"valence", "arousal"} & set(samples.table)  # no label is shown, scored or not
        return Predictions.several({name: part.predict(samples) for name, part in self.parts.items()})

    def _save(self, folder: Path) -> dict[str, Any]:
        raise NotImplementedError

    def _load(self, folder: Path, about: dict[str, Any]) -> None:
        raise NotImplementedError


VALUES: dict[str, Any] = {
    "name": "x",
    "corpus": {"name": "simulated-ratings", "subjects": 4, "films": 4, "seconds": 8},
    "task": {
        "valence": {"kind": "continuous", "scale": [1, 5]},
        "excited": {"kind": "binary", "label": "arousal", "threshold": 3, "tie": "high"},
    },
    "protocol": {"name": "loso"},
    "system": {"name": OneOfEach, "modality": "features"},
    "control_modality": "features",
}


@pytest.mark.parametrize("scored", ["valence", "excited"])
def test_each_of_several_tasks_is_scored_as_if_it_were_alone(scored: str, tmp_path: Path) -> None:
    recipe, cache = Recipe(**VALUES, scored=scored), Cache(tmp_path / "cache")
    check_recipe(recipe)
    study, tables = open_study(recipe, 0, cache), {}
    for kind, name in (("system", "each"), ("control", "linear"), ("control", "permuted")):
        (tmp_path / name).mkdir()
        fit_and_predict(recipe, study, Fitting(kind, name, 0, 1), tmp_path / name, cache)
        tables[name] = pd.read_parquet(tmp_path / name / "predictions.parquet").drop(columns="arm")
    assert ("rating" in tables["each"]) == (scored == "valence")
    assert tables["each"].equals(tables["linear"]) and not tables["each"].equals(tables["permuted"])
    assert len(answers(study).loc[tables["each"]["unit"]].dropna(subset="truth")) == len(tables["each"]) > 0


def test_a_task_that_is_none_of_several_is_refused_at_once() -> None:
    with pytest.raises(SettingsError, match=r"no task 'mood' \(scored\): tasks are valence, excited"):
        check_recipe(Recipe(**VALUES, scored="mood"))
