"""Run recipes: audit, folds, seeds, placebos, controls; every finished fit is kept, so a run resumes."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from insula.eeg.steps import apply_steps, parse_steps
from insula.emotions import Continuous
from insula.errors import DataError, SettingsError
from insula.evaluation.add_on import FinishedFit
from insula.evaluation.add_ons import write_additions
from insula.evaluation.candidates import Fitting, Plan, candidate, controls, system_name, with_modalities
from insula.evaluation.collect import collect
from insula.evaluation.early_checks import check_access, check_recipe, placebos_of, probe
from insula.evaluation.engine import each, parse_engine
from insula.evaluation.groups import group_columns
from insula.evaluation.recipe import Recipe
from insula.evaluation.results import Results
from insula.evaluation.study import Study, corpus_of, open_again, open_study
from insula.protocols.audit import audit
from insula.protocols.controls import permute_labels
from insula.samples import Samples
from insula.storage.cache import Cache
from insula.storage.progress import Step
from insula.systems.base import System
from insula.tiers import naming_tier, need
from insula.training.threads import one_thread

log = logging.getLogger(__name__)


@naming_tier()
def run(
    recipe: Recipe, cache: Cache, jobs: int = 1, progress: Step | None = None, engine: str | None = None
) -> Results:
    """Run a recipe and return its results; a fit that was finished before is read, not repeated.

    Parameters
    ----------
    recipe : Recipe
        What to run.
    cache : Cache
        Where prepared data and finished fits lie.
    jobs : int
        Processes.
    progress : callable, optional
        Called with (done, total, what was just finished).
    engine : str, optional
        A cluster in place of this machine's processes: see `insula.evaluation.engine.each`.

    Raises
    ------
    MissingTierError
        Where what trains is not installed, or what the recipe needs besides.
    """
    prepare([recipe], cache, jobs, progress, engine)
    planned = plan(recipe, cache)
    fit_all([planned], cache, jobs, progress, engine)
    return collect(planned, cache, progress=progress)


def prepare(
    recipes: Sequence[Recipe], cache: Cache, jobs: int = 1, progress: Step | None = None, engine: str | None = None
) -> None:
    """Let all processes fill the cache with what opening the recipes' studies needs: simulations, filtered EEG.

    What is wrong in the engine's name or in a recipe's corpus, protocol, system, steps, placebos or controls is said
    first, before any of that work.
    """
    need("train")
    if engine is not None:
        parse_engine(engine)
    for recipe in recipes:
        placebos_of(recipe)
        check_recipe(recipe)
    for recipe in {_about(recipe): recipe for recipe in recipes}.values():
        corpus_of(recipe, 0)
    wanted = dict.fromkeys((_about(recipe), repeat) for recipe in recipes for repeat in range(recipe.repeats))
    if len(wanted) == 1 or (jobs == 1 and engine is None):
        return  # nothing to share out: opening does it
    work = [(_prepare, (about, repeat, cache.root)) for about, repeat in wanted]
    for done, _ in enumerate(each(work, jobs, engine, cache), start=1):
        if progress:
            progress(done, len(work), "preparing data")


def _about(recipe: Recipe) -> str:
    """Return what decides the studies of a recipe, whatever is run on them."""
    chosen = recipe.model_dump(include={"corpus", "test", "task", "scored", "protocol", "seed"})
    return Recipe(name="", system={}, **chosen).model_dump_json()


def _prepare(about: str, repeat: int, root: Path) -> None:
    with one_thread():
        open_again(Recipe.model_validate_json(about), repeat, Cache(root))


def plan(recipe: Recipe, cache: Cache) -> Plan:
    """Open the studies of a recipe, audit every split, and list what is to be fitted; nothing is trained."""
    studies = [open_study(recipe, repeat, cache) for repeat in range(recipe.repeats)]
    recipe = with_modalities(recipe, studies[0].samples)
    check_access(recipe, studies[0].protocol)
    probe(recipe, studies[0])
    group_columns(studies[0].samples.table, recipe.groups)
    for study in studies:
        for split in study.splits:
            audit(split, study.samples, study.protocol)
    if isinstance(studies[0].task, Continuous) and recipe.groups:
        raise SettingsError("ratings are not told by group", where="groups", do="leave groups out, or use classes")
    samples, wanted = studies[0].samples, recipe.control_modality
    if "linear" in controls(recipe) and not (wanted and samples.has(wanted).any()):
        present = ", ".join(name for name in samples.modalities if samples.has(name).any())
        what = f"no sample has {wanted!r} (0 of {len(samples)})"
        raise SettingsError(what, where="control_modality", do=f"there is {present}")
    return Plan(recipe, studies, list(_fittings(recipe, studies)))


def fit_all(
    plans: Sequence[Plan], cache: Cache, jobs: int = 1, progress: Step | None = None, engine: str | None = None
) -> None:
    """Do every fit of the plans that the cache does not hold yet; fits that plans share are done once."""
    wanted: dict[Path, tuple[Plan, Fitting]] = {}
    for planned in plans:
        for fitting in planned.fittings:
            wanted.setdefault(cache.path("fits", planned.key(fitting)), (planned, fitting))
    todo = [pair for path, pair in wanted.items() if not cache.holds(path)]
    before = len(wanted) - len(todo)
    if progress and before:
        progress(before, len(wanted), "finished before")
    _announce(todo, jobs)
    work = [(_fit, (planned.recipe, fitting, planned.key(fitting), cache.root)) for planned, fitting in todo]
    for done, what in enumerate(each(work, jobs, engine, cache) if work else (), start=before + 1):
        if progress:
            progress(done, len(wanted), what)


def _fit(recipe: Recipe, fitting: Fitting, key: dict[str, Any], root: Path) -> str:
    """Do one fit, wherever this runs, and say what it was."""
    with one_thread():
        study = _study(_about(recipe), fitting.repeat, key["data"], root)
        cache = Cache(root)
        cache.folder("fits", key, lambda folder: fit_and_predict(recipe, study, fitting, folder, cache))
    return f"{recipe.name}: {fitting}"


@lru_cache(maxsize=4)
def _study(about: str, repeat: int, fingerprint: str, root: Path) -> Study:
    """Open a study once a process: it is prepared already, and a worker elsewhere reads it from the shared cache."""
    study = open_again(Recipe.model_validate_json(about), repeat, Cache(root))
    if study.fingerprint != fingerprint:
        raise DataError("the data changed while they were used, or differ between machines", do="run it again")
    return study


def _fittings(recipe: Recipe, studies: list[Study]) -> Iterator[Fitting]:
    placebos = placebos_of(recipe)
    for study in studies:
        for split in study.splits:
            yield Fitting("system", system_name(recipe), study.repeat, split.fold)
            for name in placebos:
                yield Fitting("placebo", name, study.repeat, split.fold)
            for name in controls(recipe):
                yield Fitting("control", name, study.repeat, split.fold)


def fit_and_predict(recipe: Recipe, study: Study, fitting: Fitting, folder: Path, cache: Cache) -> None:
    """Fit one system on one fold, audit what it was fitted on, predict the test part, write all to `folder`."""
    split, task = next(part for part in study.splits if part.fold == fitting.fold), study.task
    learnt = task if fitting.plain else study.learnt
    samples, prepared = apply_steps(parse_steps(recipe.steps), study.samples, split.train, cache)
    train, validation = samples.by_id(split.train), samples.by_id(split.validation)
    if fitting.name == "permuted":
        seed = recipe.seed + fitting.repeat
        train = permute_labels(train, learnt, study.protocol.scored_unit, seed)
        validation = permute_labels(validation, learnt, study.protocol.scored_unit, seed)
    system = candidate(recipe, fitting)
    test = samples.by_id(split.test)
    if study.learnt is not task:  # a row may be there for its other labels
        test = test.select(task.labelled(test.table))
    hidden = predictable(test, system).without(study.learnt.columns)
    system.fit(train, validation, learnt, unlabelled=hidden if study.protocol.target.kind == "unlabelled" else None)
    audited = audit(split, samples, study.protocol, prepared.fits + system.log.fits)
    modes = list(system.modes) if fitting.kind == "system" else list(system.modes)[:1]
    frames = []
    for mode in modes:
        predictions = system.predict(hidden, mode)
        predictions = predictions if fitting.plain else study.scored(predictions)
        predictions = predictions.collapse(study.protocol.scored_units(hidden))
        arm = mode if fitting.kind == "system" else fitting.name
        frames.append(predictions.table.rename_axis("unit").reset_index().assign(arm=arm))
    pd.concat(frames).to_parquet(folder / "predictions.parquet")
    facts = system.summary()
    if fitting.kind == "system" and (held_out := system.measure(hidden)):
        facts = {**facts, "held_out": held_out}
    (folder / "about.json").write_text(json.dumps({"facts": facts, "audit": audited.to_dict()}, default=float))
    write_additions(FinishedFit(folder, recipe, study, fitting, system, samples, hidden))


def predictable(samples: Samples, system: System) -> Samples:
    """Return the samples that have what the system predicts from; others cannot be scored (unpaired data)."""
    present = np.ones(len(samples), bool)
    for modality in system.predicts_from:
        present &= samples.has(modality)
    if not present.any():
        needs = " and ".join(system.predicts_from)
        raise DataError(f"no test sample has {needs}", do="check the corpus, or use another system")
    return samples.select(present)


def _announce(todo: list[tuple[Plan, Fitting]], jobs: int) -> None:
    """Say before a long run how long it will be, where the systems can tell."""
    seconds, fits = 0.0, 0
    for planned, fitting in todo:
        system = candidate(planned.recipe, fitting)
        study = planned.studies[fitting.repeat]
        if estimate := system.estimate_seconds(study.samples.by_id(study.splits[0].train)):
            seconds += estimate
            fits += 1
    if seconds > 900 * jobs:
        what = (
            "about %.1f hours: %d fits of %.0f minutes on %d processes, less where work is shared; stopped, it goes on"
        )
        log.warning(what, seconds / jobs / 3600, fits, seconds / fits / 60, jobs)
