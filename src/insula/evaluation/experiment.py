"""Run recipes: audit, folds, seeds, placebos, controls; every finished fit is kept, so a run resumes."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from insula.corpora.contract import origin_of
from insula.eeg.steps import apply_steps, parse_steps
from insula.emotions import Continuous
from insula.errors import DataError, SettingsError
from insula.evaluation.candidates import (
    ZERO,
    Fitting,
    candidate,
    controls,
    files,
    own_system,
    peers,
    system_name,
    with_modalities,
)
from insula.evaluation.clusters import read_clusters, read_silhouettes, write_clusters
from insula.evaluation.decoding import decoding_over_time
from insula.evaluation.early_checks import check_access, check_recipe, placebos_of, probe
from insula.evaluation.engine import each, parse_engine
from insula.evaluation.explanations import read_explanations, write_explanations
from insula.evaluation.facts import epochs_by_subject
from insula.evaluation.feature_map import feature_map, feature_silhouettes, write_features
from insula.evaluation.groups import group_columns
from insula.evaluation.passport import build_passport
from insula.evaluation.recipe import Recipe
from insula.evaluation.results import CONSTANT, Arm, Results
from insula.evaluation.robustness import robustness_table, write_robustness
from insula.evaluation.scalp_maps import read_scalp_maps, write_scalp_maps
from insula.evaluation.study import (
    Study,
    answers,
    cluster_of,
    corpus_of,
    notes_of,
    open_again,
    open_study,
    series_of,
)
from insula.protocols.audit import audit
from insula.protocols.controls import permute_labels
from insula.samples import Samples
from insula.storage.cache import Cache
from insula.storage.code import code_version
from insula.storage.progress import Step
from insula.systems.base import System
from insula.tiers import naming_tier, need
from insula.training.threads import one_thread

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """A recipe with its studies opened and audited, and everything it wants fitted."""

    recipe: Recipe
    studies: list[Study]
    fittings: list[Fitting]

    def key(self, fitting: Fitting) -> dict[str, Any]:
        """Return what decides the outcome of a fit: the same key is the same fit, whichever recipe asks for it."""
        study = self.studies[fitting.repeat]
        names = {"name", "repeats", "reported", "placebos", "controls", "practice", "peers", "groups", "label_curves"}
        peer = peers(self.recipe).get(fitting.name) if fitting.kind == "control" else None
        return {
            "recipe": self.recipe.model_dump(mode="json", exclude=names),
            "peer": peer,
            "files": files(peer or self.recipe.system),
            "data": study.fingerprint,
            "task": study.task.model_dump(mode="json"),
            "fitting": [fitting.kind, fitting.name, fitting.repeat, fitting.fold],
            "code": code_version(),
        }


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
    results = collect(planned, cache)
    return replace(results, tables={**results.tables, **_decoding(planned)})


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
    chosen = recipe.model_dump(include={"corpus", "task", "protocol", "seed"})
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
        known = ", ".join(name for name in samples.modalities if samples.has(name).any())
        what = f"no sample has {wanted!r} (0 of {len(samples)})"
        raise SettingsError(what, where="control_modality", do=f"there is {known}")
    return Plan(recipe, studies, list(_fittings(recipe, studies)))


def fit_all(
    plans: Sequence[Plan], cache: Cache, jobs: int = 1, progress: Step | None = None, engine: str | None = None
) -> None:
    """Do every fit of the plans that the cache does not hold yet; fits that plans share are done once."""
    wanted: dict[Path, tuple[Plan, Fitting]] = {}
    for planned in plans:
        for fitting in planned.fittings:
            wanted.setdefault(cache.path("fits", planned.key(fitting)), (planned, fitting))
    todo = [pair for path, pair in wanted.items() if not path.exists()]
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
    samples, prepared = apply_steps(parse_steps(recipe.steps), study.samples, split.train, cache)
    train, validation = samples.by_id(split.train), samples.by_id(split.validation)
    if fitting.name == "permuted":
        seed = recipe.seed + fitting.repeat
        train = permute_labels(train, task, study.protocol.scored_unit, seed)
        validation = permute_labels(validation, task, study.protocol.scored_unit, seed)
    system = candidate(recipe, fitting)
    hidden = predictable(samples.by_id(split.test), system).without(task.columns)
    system.fit(train, validation, task, unlabelled=hidden if study.protocol.target.kind == "unlabelled" else None)
    audited = audit(split, samples, study.protocol, prepared.fits + system.log.fits)
    modes = list(system.modes) if fitting.kind == "system" else list(system.modes)[:1]
    frames = []
    for mode in modes:
        predictions = system.predict(hidden, mode).collapse(study.protocol.scored_units(hidden))
        arm = mode if fitting.kind == "system" else fitting.name
        frames.append(predictions.table.rename_axis("unit").reset_index().assign(arm=arm))
    pd.concat(frames).to_parquet(folder / "predictions.parquet")
    facts = system.summary()
    if fitting.kind == "system" and (held_out := system.measure(hidden)):
        facts = {**facts, "held_out": held_out}
    (folder / "about.json").write_text(json.dumps({"facts": facts, "audit": audited.to_dict()}, default=float))
    if recipe.robustness and fitting.kind == "system" and fitting.fold == 0:
        write_robustness(folder, system, hidden, study.protocol)
    if fitting.fold == fitting.repeat == 0:
        if fitting.kind == "system":
            write_features(folder, system, hidden, study.protocol)
        if fitting.kind != "control":
            write_scalp_maps(folder, system, hidden, study)
        if fitting.kind == "system":
            write_explanations(folder, system, samples.by_id(hidden.ids))
            spaces = {"before": study.samples, "after": samples} if recipe.steps else {"features": samples}
            write_clusters(folder, spaces, system.predicts_from, task)


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


def collect(planned: Plan, cache: Cache, *, maps: bool = True) -> Results:
    """Open the truth, join it to the predictions of finished fits, and build the results.

    Parameters
    ----------
    planned : Plan
        Whose fits are done.
    cache : Cache
        Where they lie.
    maps : bool
        Lay out the maps of features, which takes seconds.
    """
    recipe, studies = planned.recipe, planned.studies
    folders = {fitting: cache.path("fits", planned.key(fitting)) for fitting in planned.fittings}
    frames, facts, audits = [], {}, []
    held = {study.repeat: answers(study, recipe.groups) for study in studies}
    for fitting, folder in folders.items():
        study = studies[fitting.repeat]
        about = json.loads((folder / "about.json").read_text())
        audits.append(about["audit"])
        if about["facts"]:
            facts[str(fitting)] = about["facts"]
        frame = pd.read_parquet(folder / "predictions.parquet")
        frame = frame.assign(repeat=fitting.repeat, fold=fitting.fold, study=study.fingerprint[:12])
        frames.append(frame.merge(held[fitting.repeat], left_on="unit", right_index=True, how="left"))
    predictions = pd.concat(frames, ignore_index=True)
    task, system = studies[0].task, own_system(recipe, 0)
    arms = _arms(system, planned.fittings, controls(recipe))
    classes = () if isinstance(task, Continuous) else tuple(task.classes)
    if not isinstance(task, Continuous):
        names = np.asarray(classes, object)
        predictions["predicted"] = names[predictions[[f"p_{name}" for name in classes]].to_numpy().argmax(axis=1)]
    elif task.scale[0] <= 0 <= task.scale[1]:
        zero, title = ZERO
        constant = predictions[predictions["arm"] == CONSTANT]
        predictions = pd.concat([predictions, constant.assign(arm=zero, rating=0.0)], ignore_index=True)
        arms.append(Arm(zero, title, "control"))
    own = [str(fitting) for fitting in planned.fittings if fitting.kind == "system"]
    comparators = [arm.name for arm in arms if arm.kind == "placebo"]
    comparators += [mode for mode in system.comparators if mode in system.modes]
    comparators = comparators or [arm.name for arm in arms if arm.kind == "control" and not arm.at_chance]
    first = next(folder for fitting, folder in folders.items() if fitting.kind == "system")
    own_folders = [(fitting.repeat, folder) for fitting, folder in folders.items() if fitting.kind == "system"]
    return Results(
        predictions=predictions,
        arms=tuple(arms),
        classes=classes,
        headline=next(iter(system.modes)),
        comparators=tuple(comparators),
        passport=build_passport(
            recipe=recipe.model_dump(mode="json"),
            corpus=studies[0].corpus.settings.model_dump(mode="json")
            | {"notes": notes_of(studies[0].corpus), "origin": origin_of(studies[0].corpus)},
            task=task.model_dump(mode="json"),
            protocol=studies[0].protocol,
            splits=[split for study in studies for split in study.splits],
            audits=audits,
            data_fingerprints=[study.fingerprint for study in studies],
            seeds=[recipe.seed + study.repeat for study in studies],
        ),
        facts={**facts, **epochs_by_subject(studies[0].samples)},
        embedding=feature_map(first, predictions, recipe.groups or ()) if maps and classes else None,
        tables={
            **read_scalp_maps((fitting.kind, fitting.name, folder) for fitting, folder in folders.items()),
            **read_explanations(first),
            **(read_clusters(first) if maps else {}),
        },
        measured={
            **_measured(system, [facts[name] for name in own if name in facts]),
            **read_silhouettes(first),
            **(feature_silhouettes(first, predictions, recipe.groups or ()) if classes else {}),
            **robustness_table(own_folders, held, system.modes),
        },
        reported=recipe.reported,
        cluster=cluster_of(studies[0]),
        series=series_of(studies[0]),
    )


def _measured(system: System, facts: list[dict[str, Any]]) -> dict[str, pd.DataFrame]:
    """Return the tables that the system makes of the facts of its own fits, none of a placebo's."""
    return {title: table.reset_index() for title, table in system.tables(facts).items()} if facts else {}


def _arms(system: System, fittings: list[Fitting], titles: dict[str, str]) -> list[Arm]:
    arms = [Arm(mode, title, "system") for mode, title in system.modes.items()]
    names = dict.fromkeys((fitting.kind, fitting.name) for fitting in fittings)
    arms += [Arm(name, system.placebos[name], "placebo") for kind, name in names if kind == "placebo"]
    arms += [Arm(name, titles[name], "control") for kind, name in names if kind == "control"]
    return arms


def _decoding(planned: Plan) -> dict[str, pd.DataFrame]:
    """Return the table `decoding` of the first training part, where the system learns from EEG cut around events."""
    study = planned.studies[0]
    train = study.samples.by_id(study.splits[0].train)
    if isinstance(study.task, Continuous) or "eeg" not in own_system(planned.recipe, 0).trains_on:
        return {}
    table = decoding_over_time(train, study.task)
    return {} if table is None else {"decoding": table}
