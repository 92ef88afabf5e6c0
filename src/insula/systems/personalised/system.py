"""Any system that can begin with a saved one: first fitted on everybody, then further on each person's own rows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from pydantic import Field

from insula.emotions import LabelTask
from insula.errors import SettingsError
from insula.samples import Predictions, Samples
from insula.storage.atomic import scratch_folder
from insula.storage.own_code import is_own
from insula.storage.settings import Settings, over
from insula.systems.base import System, TrainingData
from insula.systems.catalogue import system
from insula.systems.fitting import labelled


class PersonalisedSettings(Settings):
    """Which system, and how it goes on with one person.

    Parameters
    ----------
    system : dict
        Of the system for everybody: `name`, `preset` and settings, as in a recipe.
    personal : dict
        Settings that differ when it goes on with one person.
    least : int
        Labelled rows of each class below which a person is answered by the system for everybody.
    seed : int
        Of both.
    """

    system: dict[str, Any] = Field(default={"name": "eegnet"})
    personal: dict[str, Any] = Field(default={"training": {"epochs": 5, "learning_rate": 1e-4}})
    least: int = Field(2, ge=1)
    seed: int = 0


class Personalised(System):
    """One system for everybody, and one for each person of whom there are labelled rows, which begins with it.

    Under a protocol whose target is `labelled`, the people of the test part are among those: their share of labels is
    what personalising costs.
    """

    Settings: ClassVar = PersonalisedSettings
    learns: ClassVar = LabelTask
    modes: ClassVar[Mapping[str, str]] = {
        "personalised": "the system as it went on with each person",
        "general": "the same system for everybody",
    }
    comparators: ClassVar = ("general",)
    presets: ClassVar = {"tiny": {"system": {"name": "eegnet", "preset": "tiny"}}}

    def __init__(self, settings: PersonalisedSettings | None = None) -> None:
        super().__init__(settings)
        self.general = self._system({})
        self.people: dict[str, System] = {}

    def _system(self, changes: dict[str, Any]) -> System:
        about = {"seed": self.settings.seed, **self.settings.system}
        name = about.pop("name", None)
        if not isinstance(name, str) or is_own(name):  # a saved one is opened, and must not run code that it names
            do = "use a network of insula's, such as eegnet"
            raise SettingsError(f"{name!r} cannot be personalised", where="system.name", do=do)
        built = system(name, about.pop("preset", None), **about)
        if changes:
            built = type(built)(built.Settings.parse(over(built.settings, changes), where="personal"))
        if not built.warm_start:
            what = f"{type(built).__name__} begins with nothing saved, so it cannot go on with a person"
            raise SettingsError(what, where="system", do="use a network, such as eegnet")
        return built

    @property
    def trains_on(self) -> tuple[str, ...]:  # type: ignore[override]
        """Modalities of the system for everybody."""
        return self.general.trains_on

    @property
    def predicts_from(self) -> tuple[str, ...]:
        """Modalities of the system for everybody."""
        return self.general.predicts_from

    def _fit(self, data: TrainingData) -> None:
        train, validation, unlabelled, _ = data
        self.general = self._system({}).fit(train, validation, self.task, unlabelled=unlabelled)
        self.log.fits += self.general.log.fits
        self.people = {}
        with scratch_folder() as folder:
            self.general.save(folder)
            for person, own in _by_person(labelled(train, self.task)):
                counts = np.bincount(self.task.targets(own.table), minlength=len(self.task.classes))
                if (counts >= self.settings.least).sum() < 2:
                    continue
                held = validation.select(validation.units("subject") == person)
                one = self._system(self.settings.personal)
                self.people[person] = one.fit(own, held, self.task, start_from=folder)
                self.log.fits += one.log.fits
        self.facts = {**self.general.facts, "people": sorted(self.people)}

    def _predict(self, samples: Samples, mode: str) -> Predictions:
        people = self.people if mode == "personalised" else {}
        tables = [
            people.get(person, self.general)
            .predict(own)
            .table.assign(mode="personalised" if person in people else "general")
            for person, own in _by_person(samples)
        ]
        if not tables:
            return self.general.predict(samples)
        return Predictions(pd.concat(tables).loc[samples.ids], tuple(self.task.classes))

    def _save(self, folder: Path) -> dict[str, Any]:
        self.general.save(folder / "general")
        people = sorted(self.people)
        for number, person in enumerate(people):
            self.people[person].save(folder / f"person-{number}")
        return {"people": people}

    def _load(self, folder: Path, about: dict[str, Any]) -> None:
        kind = type(self.general)
        self.general = kind.load(folder / "general")
        self.people = {person: kind.load(folder / f"person-{number}") for number, person in enumerate(about["people"])}


def _by_person(samples: Samples) -> list[tuple[str, Samples]]:
    """Return each person's rows; rows of nobody known are one person's, without a name."""
    people = pd.Series(samples.units("subject")).fillna("")
    return [(str(person), samples.select(np.sort(places))) for person, places in people.groupby(people).indices.items()]
