"""One label curve: the rounds of one strategy on one fold, each kept when it is done."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from insula.eeg.steps import apply_steps, parse_steps
from insula.emotions import LabelTask
from insula.errors import DataError, SettingsError
from insula.evaluation.candidates import files, own_system
from insula.evaluation.experiment import predictable
from insula.evaluation.recipe import Recipe
from insula.evaluation.study import Study, open_again
from insula.labelling.efficiency import ALL
from insula.labelling.rounds import Part
from insula.labelling.strategies import asking_mode
from insula.protocols.audit import audit
from insula.storage.cache import Cache
from insula.storage.code import code_version
from insula.storage.settings import Settings
from insula.systems.catalogue import system_class
from insula.training.threads import one_thread


class Asking(Settings):
    """How rounds follow each other.

    Parameters
    ----------
    start : float
        Share that is labelled at random before the first query, spread over classes, at least one trial each.
    batch : float
        Share that is asked in a round.
    until : float
        Share at which asking ends.
    beta : float
        Weight of the entropy against the discrepancy in `combined`.
    warm : {"always", "every second round", "never"}
        When a round starts from the network of the round before, where the system can do so.
    """

    start: float = Field(default=0.1, gt=0, lt=1)
    batch: float = Field(default=0.1, gt=0, lt=1)
    until: float = Field(default=0.5, gt=0, lt=1)
    beta: float = Field(default=0.5, ge=0, le=1)
    warm: Literal["always", "every second round", "never"] = "always"

    @model_validator(mode="after")
    def _forwards(self) -> Asking:
        if self.start > self.until:
            raise ValueError("until is below start")
        return self

    @property
    def shares(self) -> tuple[float, ...]:
        """Share of labels in each round.

        Examples
        --------
        >>> Asking(until=0.35).shares
        (0.1, 0.2, 0.3)
        """
        further = int((self.until - self.start) / self.batch + 1e-9)
        return tuple(round(self.start + number * self.batch, 6) for number in range(further + 1))

    def is_warm(self, number: int) -> bool:
        """Return whether a round (0: before the first query) starts from the network of the one before."""
        return number > 0 and (self.warm == "always" or (self.warm == "every second round" and number % 2 == 1))


@dataclass(frozen=True)
class Curve:
    """One strategy on one fold of one repeat of a recipe; `all labels`, the reference, has one round and no query.

    Parameters
    ----------
    recipe : Recipe
        Its system has the settings that it has in curves.
    asking : Asking
        How rounds follow each other.
    strategy : str
        Which trials are asked.
    repeat, fold : int
        Where.
    data : str
        Fingerprint of the repeat's data.
    """

    recipe: Recipe
    asking: Asking
    strategy: str
    repeat: int
    fold: int
    data: str

    def __str__(self) -> str:
        return f"labels by {self.strategy}, repeat {self.repeat}, fold {self.fold}"

    def fit_key(self, share: float) -> dict[str, Any]:
        """Return what decides a fit on a share of trials drawn at random, which all strategies share."""
        decisive = {"corpus", "task", "protocol", "system", "steps", "seed"}
        return {
            "recipe": self.recipe.model_dump(mode="json", include=decisive),
            "files": files(self.recipe.system),
            "data": self.data,
            "place": [self.repeat, self.fold],
            "share": share,
            "code": code_version(),
        }

    @property
    def key(self) -> dict[str, Any]:
        """What decides the curve."""
        return {**self.fit_key(1.0), "asking": self.asking.model_dump(), "strategy": self.strategy}

    def path(self, cache: Cache) -> Path:
        """Return where the finished curve is, or will be."""
        return (
            cache.path("label-fits", self.fit_key(1.0))
            if self.strategy == ALL
            else cache.path("label-curves", self.key)
        )


def run_curve(curve: Curve, root: Path) -> str:
    """Run a curve, wherever this is, and say what it was; its folder gets `predictions.parquet` and `asked.parquet`.

    `predictions`: what was said of each scored unit of the test part after each round: `mode, share, labels, unit` and
    a probability for each class. `asked`: the trials of the training part that were asked, and at which share.
    """
    cache = Cache(root)
    with one_thread():
        fold = _Fold(curve, cache)
        if curve.strategy == ALL:
            fold.at_random(1.0)
        else:
            cache.resumable("label-curves", curve.key, fold.rounds)
    return str(curve)


class _Fold:
    """The parts of a fold, and how a system is fitted on some labels of it."""

    def __init__(self, curve: Curve, cache: Cache) -> None:
        recipe, self.curve, self.cache = curve.recipe, curve, cache
        self.study = _study(recipe.model_dump_json(), curve.repeat, cache.root)
        if self.study.fingerprint != curve.data:
            raise DataError("the data changed while they were used, or differ between machines", do="run it again")
        self.split = next(split for split in self.study.splits if split.fold == curve.fold)
        self.seed = recipe.seed + curve.repeat
        samples, steps = apply_steps(parse_steps(recipe.steps), self.study.samples, self.split.train, cache)
        self.samples, self.steps, self.task = samples, steps, label_task(self.study)
        self.train = Part(samples.by_id(self.split.train), self.task, self.seed)
        self.validation = Part(samples.by_id(self.split.validation), self.task, self.seed)
        self.hidden = predictable(samples.by_id(self.split.test), own_system(recipe, 0)).without(self.task.columns)

    def rounds(self, folder: Path, checkpoints: Path) -> None:
        """Fit, ask and fit again, going on after the last round that is whole."""
        curve, asking = self.curve, self.curve.asking
        asked, here = self.train.first(asking.start), self.at_random(asking.start)
        predictions, when = [pd.read_parquet(here / "predictions.parquet")], [asking.start] * len(asked)
        for number, share in enumerate(asking.shares[1:], start=1):
            system = system_class(curve.recipe.system["name"]).load(here / "system")
            wanted = self.train.count(share) - len(asked)
            chosen = self.train.ask(curve.strategy, system, asked, wanted, beta=asking.beta, seed=self.seed + number)
            asked, when = np.concatenate([asked, chosen]), when + [share] * len(chosen)
            before = here / "system" if asking.is_warm(number) else None
            fit = partial(self.fit, asked=asked, share=share, start_from=before)
            here = Cache(checkpoints).folder("rounds", number, fit)
            predictions.append(pd.read_parquet(here / "predictions.parquet"))
        pd.concat(predictions).to_parquet(folder / "predictions.parquet", index=False)
        pd.DataFrame({"trial": asked, "share": when}).to_parquet(folder / "asked.parquet", index=False)

    def at_random(self, share: float) -> Path:
        """Return the folder of a fit on a share of the trials, drawn at random: where all strategies start."""
        key = self.curve.fit_key(share)
        return self.cache.folder("label-fits", key, lambda folder: self.fit(folder, self.train.first(share), share))

    def fit(self, folder: Path, asked: np.ndarray, share: float, start_from: Path | None = None) -> None:
        """Fit on the labels of what was asked, audit it, and write the system and what it says of the test part."""
        study, chosen = self.study, self.validation.first(share)
        system = own_system(self.curve.recipe, self.seed)
        learnt, held = self.train.labelled_by(asked), self.validation.of(chosen)
        system.fit(learnt, held, self.task, start_from=start_from if system.warm_start else None)
        audit(self.split, self.samples, study.protocol, self.steps.fits + system.log.fits)
        system.save(folder / "system")
        units, frames = study.protocol.scored_units(self.hidden), []
        for mode in dict.fromkeys([next(iter(system.modes)), asking_mode(system)]):
            predictions = system.predict(self.hidden, mode).collapse(units)
            table = predictions.table[[f"p_{name}" for name in predictions.classes]].rename_axis("unit").reset_index()
            frames.append(table.assign(mode=mode, share=share, labels=len(asked) + len(chosen)))
        pd.concat(frames).to_parquet(folder / "predictions.parquet", index=False)


def label_task(study: Study) -> LabelTask:
    """Return the task of a study; raises SettingsError where its samples belong to no one class each."""
    if isinstance(study.task, LabelTask):
        return study.task
    what = f"the task is {study.task.kind}, and strategies ask about classes"
    raise SettingsError(what, where="label_curves", do="use a categorical task, or a cut of the rating")


@lru_cache(maxsize=2)
def _study(recipe: str, repeat: int, root: Path) -> Study:
    """Open a study once a process."""
    return open_again(Recipe.model_validate_json(recipe), repeat, Cache(root))
