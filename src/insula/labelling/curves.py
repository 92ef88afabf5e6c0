"""Label curves: how well a system does with so many labels, asked for by one strategy or another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field, field_validator

from insula.errors import SettingsError
from insula.evaluation.candidates import own_system, with_modalities
from insula.evaluation.engine import each
from insula.evaluation.metrics import classification_metrics
from insula.evaluation.recipe import Recipe
from insula.evaluation.study import answers, open_study
from insula.labelling.efficiency import ALL
from insula.labelling.one_curve import Asking, Curve, label_task, run_curve
from insula.labelling.strategies import STRATEGIES
from insula.storage.cache import Cache
from insula.storage.progress import Step
from insula.systems.base import System

_MODES = {"entropy-eeg": "eeg", "entropy-face": "face"}  # what a strategy asks the system to predict in
_EMBEDDING = ("combined", "badge", "core-set")  # strategies that want an embedding


class CurveSettings(Asking):
    """The field `label_curves` of a recipe: the settings of `Asking`, and what is compared.

    Parameters
    ----------
    strategies : tuple of str
        Of `insula.labelling.strategies.STRATEGIES`; `random` is added where it is left out, to compare with.
    folds : int
        How many folds of each repeat are run.
    system : dict
        Settings of the system that differ from the recipe's, as for a shorter training.
    """

    strategies: tuple[str, ...] = tuple(STRATEGIES)
    folds: int = Field(default=1, ge=1)
    system: dict[str, Any] = Field(default={})

    @field_validator("strategies")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in value if name not in STRATEGIES]
        if unknown:
            raise ValueError(f"no strategy {unknown[0]!r}; strategies are {', '.join(STRATEGIES)}")
        if not value or len(set(value)) < len(value):
            raise ValueError("name each strategy once")
        return value if "random" in value else ("random", *value)


def curve_settings(recipe: Recipe) -> CurveSettings:
    """Read the field `label_curves` of a recipe.

    Raises
    ------
    SettingsError
        Where it cannot be read, or a strategy wants what the recipe's system does not have.
    """
    settings = CurveSettings.parse(recipe.label_curves or {}, where="label_curves")
    system, name = own_system(_in_curves(recipe, settings), 0), recipe.system["name"]
    if system.target_access != "none":
        what = f"{name} learns from the test inputs, and who asks for labels may not look at them"
        raise SettingsError(what, where="label_curves", do="use a system that does without them")
    for strategy in settings.strategies:
        lacks = None
        if strategy in _MODES and _MODES[strategy] not in system.modes:
            lacks = f"mode {_MODES[strategy]!r}"
        if strategy in _EMBEDDING and type(system).embed is System.embed:
            lacks = "embedding"
        if lacks:
            what = f"{name} has no {lacks}, which the strategy {strategy} wants"
            raise SettingsError(what, where="label_curves", do="leave it out of strategies")
    return settings


def label_curves(
    recipe: Recipe, cache: Cache, jobs: int = 1, progress: Step | None = None, engine: str | None = None
) -> pd.DataFrame:
    """Run every strategy on every repeat, and return what was reached with how many labels.

    A share is of the trials of the training part. As large a share of those of the validation part is labelled with
    it, drawn at random, the same for every strategy, and it alone chooses the epoch: so a share of 0.3 means that 0.3
    of all trials that are not tested have a label. The test part is predicted after each round and seen by no query;
    its truth is opened when all rounds are done. A finished curve is kept, and one that was interrupted goes on after
    its last round.

    Parameters
    ----------
    recipe : Recipe
        Its corpus, protocol, system and repeats are used; `label_curves` says which strategies, and how far.
    cache, jobs, progress, engine
        As `insula.evaluation.experiment.run` has them.

    Returns
    -------
    DataFrame
        One row a mode, strategy, repeat, fold and round: `mode` (how the test part was predicted: in the system's first
        mode, and in the one that is asked what is unsure), `strategy` (`all labels` for the reference), `repeat`,
        `fold`, `share`, `labels` (trials labelled, validation included), `accuracy` and `macro_f1` over scored units
        against the truth, sealed where there is one.

    Raises
    ------
    SettingsError
        Where a strategy wants what the system does not have, or the task has no classes.
    """
    settings = curve_settings(recipe)
    studies = [open_study(recipe, repeat, cache) for repeat in range(recipe.repeats)]
    label_task(studies[0])
    asking = Asking(**settings.model_dump(include=set(Asking.model_fields)))
    changed = _in_curves(with_modalities(recipe, studies[0].samples), settings)
    curves = [
        Curve(changed, asking, strategy, study.repeat, split.fold, study.fingerprint)
        for strategy in (ALL, *settings.strategies)
        for study in studies  # the inner loop: strategies of one repeat share its first round, and would wait for it
        for split in study.splits[: settings.folds]
    ]
    todo = [curve for curve in curves if not cache.holds(curve.path(cache))]
    before = len(curves) - len(todo)
    if progress and before:
        progress(before, len(curves), "finished before")
    work = [(run_curve, (curve, cache.root)) for curve in todo]
    for done, what in enumerate(each(work, jobs, engine, cache) if work else (), start=before + 1):
        if progress:
            progress(done, len(curves), what)
    truth = {study.repeat: answers(study)["truth"] for study in studies}
    return pd.concat([_scored(curve, cache, truth[curve.repeat]) for curve in curves], ignore_index=True)


def _in_curves(recipe: Recipe, settings: CurveSettings) -> Recipe:
    """Return the recipe with the system that curves use."""
    return recipe.model_copy(update={"system": {**recipe.system, **settings.system}})


def _scored(curve: Curve, cache: Cache, truth: pd.Series) -> pd.DataFrame:
    """Hold what was predicted after each round against the truth of the units."""
    predictions = pd.read_parquet(curve.path(cache) / "predictions.parquet")
    columns = [name for name in predictions if name.startswith("p_")]
    classes, rows = [name.removeprefix("p_") for name in columns], []
    place = {"strategy": curve.strategy, "repeat": curve.repeat, "fold": curve.fold}
    for (mode, share, labels), part in predictions.groupby(["mode", "share", "labels"], sort=False):
        probabilities = part[columns].to_numpy(float)
        predicted = np.asarray(classes, object)[probabilities.argmax(axis=1)]
        metrics = classification_metrics(truth[part["unit"]].to_numpy(object), predicted, probabilities, classes)
        reached = {name: metrics[name] for name in ("accuracy", "macro_f1")}
        rows.append({"mode": mode, **place, "share": share, "labels": labels, **reached})
    return pd.DataFrame(rows)
