"""Run a recipe: corpus, protocol, audit, folds, seeds, controls; every finished fit is kept, so a run resumes."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from insula.corpora.catalogue import corpus as build_corpus
from insula.corpora.contract import Corpus
from insula.emotions import LABEL_SPACES, Binary, Categorical, Continuous, Votes, parse_task
from insula.errors import DataError, SettingsError
from insula.evaluation.passport import build_passport
from insula.evaluation.recipe import Recipe
from insula.evaluation.results import Arm, Results
from insula.protocols.audit import audit
from insula.protocols.controls import permute_labels
from insula.protocols.protocol import Protocol, protocol
from insula.protocols.split import Split
from insula.samples import Samples, System
from insula.storage.cache import Cache
from insula.storage.code import code_version
from insula.systems.catalogue import system as build_system
from insula.training.threads import one_thread

log = logging.getLogger(__name__)

ClassTask = Categorical | Binary | Votes
Progress = Callable[[int, int, str], None]

_CONTROLS = {
    "majority": "majority class of the training part",
    "linear": "logistic regression on plain features",
    "permuted": "the system itself, labels permuted",
}


@dataclass(frozen=True)
class Study:
    """One repeat: the samples, the task with its classes, the splits, and how to open the truth."""

    corpus: Corpus
    samples: Samples
    task: ClassTask
    protocol: Protocol
    splits: list[Split]
    fingerprint: str
    repeat: int


@dataclass(frozen=True)
class Fitting:
    """One system to fit on one fold: `system`, `placebo` with its name, or `control` with its name."""

    kind: str
    name: str
    repeat: int
    fold: int


def open_study(recipe: Recipe, repeat: int, cache: Cache) -> Study:
    """Build the corpus of a repeat, its task and its splits."""
    seed = recipe.seed + repeat
    settings = dict(recipe.corpus)
    name = settings.pop("name", None)
    if name is None:
        raise SettingsError("the recipe names no corpus", do="set corpus.name")
    corpus = build_corpus(name, **settings)
    if "seed" in type(corpus.settings).model_fields:  # a simulated study is drawn anew for each repeat
        corpus = build_corpus(name, **{**settings, "seed": settings.get("seed", 0) + seed})
    lacks = corpus.check()
    if lacks:
        raise DataError(lacks[0], where=f"corpus {name}", do=f"see `insula corpora check {name}`")
    samples = corpus.samples(cache)
    task = complete_task(recipe.task, samples)
    changes = {key: value for key, value in recipe.protocol.items() if key != "name"}
    chosen = protocol(recipe.protocol.get("name", ""), **{"seed": seed, **changes})
    return Study(corpus, samples, task, chosen, chosen.splits(samples, task), samples.fingerprint(), repeat)


def complete_task(values: Mapping[str, Any], samples: Samples) -> ClassTask:
    """Read a task; classes left out are those that occur in the samples, in their usual order."""
    values = {"kind": "categorical", "label": "emotion", **values}
    if values["kind"] == "categorical" and "classes" not in values:
        if values["label"] not in samples.table:
            columns = ", ".join(map(str, samples.table.columns))
            raise DataError(f"no label column {values['label']!r}", do=f"the table has {columns}")
        found = set(samples.table[values["label"]].dropna())
        usual = [name for space in LABEL_SPACES.values() for name in space]
        order = {name: place for place, name in enumerate(dict.fromkeys(usual))}
        values["classes"] = tuple(sorted(found, key=lambda name: (order.get(name, len(order)), name)))
    task = parse_task(values)
    if isinstance(task, Continuous):
        raise SettingsError("a continuous task cannot be reported yet", do="use classes, or a binary cut of the rating")
    return task


def fittings(recipe: Recipe, studies: list[Study]) -> Iterator[Fitting]:
    """Yield everything that the recipe wants fitted."""
    system = _system(recipe, 0)
    placebos = tuple(system.placebos) if recipe.placebos is None else recipe.placebos
    unknown = [name for name in recipe.controls if name not in _CONTROLS]
    if unknown:
        raise SettingsError(f"unknown control {unknown[0]!r}", do=f"controls are {', '.join(_CONTROLS)}")
    if not placebos and not set(recipe.controls) & {"majority", "linear"}:
        raise SettingsError("nothing to compare with", where="controls", do="name majority or linear")
    for name in placebos:
        system.placebo(name)  # an unknown name fails here, before hours of work
    for study in studies:
        for split in study.splits:
            yield Fitting("system", recipe.system["name"], study.repeat, split.fold)
            for name in placebos:
                yield Fitting("placebo", name, study.repeat, split.fold)
            for name in recipe.controls:
                yield Fitting("control", name, study.repeat, split.fold)


def _system(recipe: Recipe, seed: int) -> System:
    settings = dict(recipe.system)
    if "name" not in settings:
        raise SettingsError("the recipe names no system", do="set system.name")
    return build_system(settings.pop("name"), settings.pop("preset", None), **{"seed": seed, **settings})


def candidate(recipe: Recipe, fitting: Fitting) -> System:
    """Return the unfitted system that a fitting is about."""
    seed = recipe.seed + fitting.repeat
    if fitting.kind == "placebo":
        return _system(recipe, seed).placebo(fitting.name)
    if fitting.kind == "control" and fitting.name in ("majority", "linear"):
        return build_system(fitting.name, modality=recipe.control_modality, seed=seed)
    return _system(recipe, seed)


def fit_and_predict(recipe: Recipe, study: Study, fitting: Fitting, folder: Path) -> None:
    """Fit one system on one fold, audit what it was fitted on, predict the test part, write all to `folder`."""
    split = next(part for part in study.splits if part.fold == fitting.fold)
    samples, task = study.samples, study.task
    train, validation = samples.by_id(split.train), samples.by_id(split.validation)
    if fitting.name == "permuted":
        seed = recipe.seed + fitting.repeat
        train = permute_labels(train, task, study.protocol.scored_unit, seed)
        validation = permute_labels(validation, task, study.protocol.scored_unit, seed)
    test = predictable(samples.by_id(split.test), candidate(recipe, fitting))
    unlabelled = test.without(task.columns) if study.protocol.target.kind == "unlabelled" else None
    system = candidate(recipe, fitting).fit(train, validation, task, unlabelled=unlabelled)
    audited = audit(split, samples, study.protocol, system.log.fits)
    hidden = test.without(task.columns)
    modes = list(system.modes) if fitting.kind == "system" else list(system.modes)[:1]
    frames = []
    for mode in modes:
        predictions = system.predict(hidden, mode).collapse(study.protocol.scored_units(hidden))
        arm = mode if fitting.kind == "system" else fitting.name
        frames.append(predictions.table.rename_axis("unit").reset_index().assign(arm=arm))
    pd.concat(frames).to_parquet(folder / "predictions.parquet")
    about = {"facts": system.summary(), "audit": audited.to_dict()}
    (folder / "about.json").write_text(json.dumps(about, default=float))
    if fitting.kind == "system" and hasattr(system, "features") and fitting.fold == 0 and fitting.repeat == 0:
        _first_of_unit(hidden, study.protocol, system, folder)


def _first_of_unit(samples: Samples, protocol: Protocol, system: Any, folder: Path) -> None:
    units = protocol.scored_units(samples)
    _, first = np.unique(units.astype(str), return_index=True)
    features = system.features(samples.select(first))
    np.savez(folder / "features.npz", units=units[first].astype(str), **features)


def predictable(samples: Samples, system: System) -> Samples:
    """Return the samples that have what the system predicts from; others cannot be scored (unpaired data)."""
    present = np.ones(len(samples), bool)
    for modality in system.predicts_from:
        present &= samples.has(modality)
    if not present.any():
        needs = " and ".join(system.predicts_from)
        raise DataError(f"no test sample has {needs}", do="check the corpus, or use another system")
    return samples.select(present)


def run(recipe: Recipe, cache: Cache, jobs: int = 1, progress: Progress | None = None) -> Results:
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
    """
    from joblib import Parallel, delayed

    studies = [open_study(recipe, repeat, cache) for repeat in range(recipe.repeats)]
    for study in studies:
        for split in study.splits:
            audit(split, study.samples, study.protocol)  # before anything is trained
    todo = list(fittings(recipe, studies))
    if "linear" in recipe.controls and not studies[0].samples.has(recipe.control_modality).any():
        known = ", ".join(studies[0].samples.modalities)
        what = f"no modality {recipe.control_modality!r}"
        raise SettingsError(what, where="control_modality", do=f"there is {known}")
    keys = [_key(recipe, studies[fitting.repeat], fitting) for fitting in todo]

    _announce(recipe, studies[0], todo, jobs)

    def work(fitting: Fitting, key: dict[str, Any]) -> tuple[Fitting, Path]:
        study = studies[fitting.repeat]
        with one_thread():
            return fitting, cache.folder("fits", key, lambda folder: fit_and_predict(recipe, study, fitting, folder))

    folders: dict[Fitting, Path] = {}
    runner = Parallel(n_jobs=jobs, return_as="generator_unordered")
    for fitting, folder in runner(delayed(work)(*pair) for pair in zip(todo, keys, strict=True)):
        folders[fitting] = folder
        if progress:
            progress(len(folders), len(todo), f"{fitting.name}, repeat {fitting.repeat}, fold {fitting.fold}")
    return _collect(recipe, studies, {fitting: folders[fitting] for fitting in todo})


def _announce(recipe: Recipe, study: Study, todo: list[Fitting], jobs: int) -> None:
    """Say before a long run how long it will be, where the system can tell."""
    system = _system(recipe, recipe.seed)
    if not hasattr(system, "estimate_seconds"):
        return
    whole = [fitting for fitting in todo if fitting.name not in ("majority", "linear")]
    one = system.estimate_seconds(study.samples.by_id(study.splits[0].train))
    hours = one * len(whole) / jobs / 3600
    if hours > 0.25:
        log.warning(
            "about %.1f hours: %d fits of %.0f minutes on %d processes (finished fits are kept)",
            hours, len(whole), one / 60, jobs,
        )  # fmt: skip


def _key(recipe: Recipe, study: Study, fitting: Fitting) -> dict[str, Any]:
    about = recipe.model_dump(mode="json", exclude={"name", "repeats", "reported", "placebos", "controls"})
    return {
        "recipe": about,
        "data": study.fingerprint,
        "task": study.task.model_dump(mode="json"),
        "fitting": [fitting.kind, fitting.name, fitting.repeat, fitting.fold],
        "code": code_version(),
    }


def _collect(recipe: Recipe, studies: list[Study], folders: dict[Fitting, Path]) -> Results:
    """Open the truth, join it to the predictions, and build the results."""
    frames, facts, audits = [], {}, []
    for fitting, folder in folders.items():
        study = studies[fitting.repeat]
        about = json.loads((folder / "about.json").read_text())
        audits.append(about["audit"])
        if about["facts"]:
            facts[f"{fitting.name}, repeat {fitting.repeat}, fold {fitting.fold}"] = about["facts"]
        frame = pd.read_parquet(folder / "predictions.parquet")
        frame = frame.assign(repeat=fitting.repeat, fold=fitting.fold, study=study.fingerprint[:12])
        frames.append(frame.merge(answers(study), left_on="unit", right_index=True, how="left"))
    predictions = pd.concat(frames, ignore_index=True)
    task = studies[0].task
    names = np.asarray(task.classes, object)
    columns = [f"p_{name}" for name in task.classes]
    predictions["predicted"] = names[predictions[columns].to_numpy().argmax(axis=1)]
    system = _system(recipe, 0)
    arms = _arms(system, list(folders))
    comparators = [arm.name for arm in arms if arm.kind == "placebo"]
    comparators += [mode for mode in ("visual",) if mode in system.modes]
    comparators = comparators or [arm.name for arm in arms if arm.kind == "control" and not arm.at_chance]
    chosen = studies[0].protocol
    first = next(folder for fitting, folder in folders.items() if fitting.kind == "system")
    return Results(
        predictions=predictions,
        arms=tuple(arms),
        classes=tuple(task.classes),
        headline=next(iter(system.modes)),
        comparators=tuple(comparators),
        passport=build_passport(
            recipe=recipe.model_dump(mode="json"),
            task=task.model_dump(mode="json"),
            protocol=chosen,
            splits=[split for study in studies for split in study.splits],
            audits=audits,
            data_fingerprints=[study.fingerprint for study in studies],
            seeds=[recipe.seed + study.repeat for study in studies],
        ),
        facts=facts,
        embedding=_embedding(first, predictions),
        reported=recipe.reported,
        cluster="identity" if "identity" in predictions and predictions["identity"].notna().all() else None,
    )


def _arms(system: System, done: list[Fitting]) -> list[Arm]:
    arms = [Arm(mode, title, "system") for mode, title in system.modes.items()]
    names = dict.fromkeys((fitting.kind, fitting.name) for fitting in done)
    arms += [Arm(name, system.placebos[name], "placebo") for kind, name in names if kind == "placebo"]
    arms += [Arm(name, _CONTROLS[name], "control") for kind, name in names if kind == "control"]
    return arms


def answers(study: Study) -> pd.DataFrame:
    """Return what each scored unit is held against: `label` as given, `truth` as sealed (or the label), and groups.

    This is the only place that opens `Corpus.truth`.
    """
    units = study.protocol.scored_units(study.samples)
    known = np.array([unit is not None for unit in units])
    table = study.samples.table[known].assign(unit=units[known]).drop_duplicates("unit").set_index("unit")
    codes = study.task.targets(table)
    names = np.asarray(study.task.classes, object)
    found = pd.DataFrame({"label": np.where(codes >= 0, names[codes], None)}, index=table.index)
    truth = study.corpus.truth()
    found["truth"] = found["label"]
    if truth is not None and study.task.columns[0] in truth:
        stimuli = pd.Series(study.samples.units("stimulus")[known], index=units[known]).groupby(level=0).first()
        found["truth"] = truth[study.task.columns[0]].reindex(stimuli.reindex(found.index)).to_numpy()
    groups = [name for name in ("identity", "face_gender", "face_eth") if name in table]
    if study.protocol.disjoint and "subject" in study.protocol.disjoint:
        groups.append("subject")
    return found.join(table[groups])


def _embedding(folder: Path, predictions: pd.DataFrame) -> pd.DataFrame | None:
    """Return t-SNE coordinates of the features that the system named, one fold's test units."""
    path = folder / "features.npz"
    if not path.exists():
        return None
    from openTSNE import TSNE

    stored = np.load(path, allow_pickle=False)
    classes = predictions.drop_duplicates("unit").set_index("unit")["truth"]
    frames = []
    for source in (name for name in stored.files if name != "units"):
        n = len(stored["units"])
        points = TSNE(perplexity=max(2, min(30, n // 4)), random_state=0, n_jobs=1).fit(stored[source])
        frames.append(
            pd.DataFrame(np.asarray(points), columns=["x", "y"]).assign(
                source=source, **{"class": classes.reindex(stored["units"]).to_numpy()}
            )
        )
    return pd.concat(frames, ignore_index=True)
