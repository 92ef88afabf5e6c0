"""From finished fits to results: the truth is opened, joined to what was predicted, and add-ons are read."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pandas as pd

from insula.corpora.contract import origin_of
from insula.emotions import Continuous
from insula.evaluation.add_on import AddOn, FinishedRun
from insula.evaluation.add_ons import ADD_ONS, read_additions
from insula.evaluation.candidates import ZERO, Fitting, Plan, controls, own_system
from insula.evaluation.facts import epochs_by_subject
from insula.evaluation.passport import build_passport
from insula.evaluation.results import CONSTANT, Arm, Results
from insula.evaluation.study import answers, cluster_of, notes_of, series_of
from insula.storage.cache import Cache
from insula.storage.progress import Step
from insula.systems.base import System


def collect(planned: Plan, cache: Cache, add_ons: Sequence[AddOn] = ADD_ONS, progress: Step | None = None) -> Results:
    """Open the truth, join it to the predictions of finished fits, and build the results.

    Parameters
    ----------
    planned : Plan
        Whose fits are done.
    cache : Cache
        Where they lie.
    add_ons : sequence of AddOn
        What the report is to show beside the figures.
    progress : callable, optional
        Called with (done, total, what was just finished).
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
    comparators = [arm.name for arm in arms if arm.kind == "placebo"]
    comparators += [mode for mode in system.comparators if mode in system.modes]
    comparators = comparators or [arm.name for arm in arms if arm.kind == "control" and not arm.at_chance]
    run = FinishedRun(recipe, studies, system, folders, predictions, held, facts)
    return Results(
        predictions=predictions,
        arms=tuple(arms),
        classes=classes,
        headline=next(iter(system.modes)),
        comparators=tuple(comparators),
        passport=build_passport(
            recipe=recipe.model_dump(mode="json"),
            corpus=studies[0].corpus.settings.model_dump(mode="json")
            | {"notes": [*notes_of(studies[0].corpus), *studies[0].notes], "origin": origin_of(studies[0].corpus)},
            task=task.model_dump(mode="json"),
            protocol=studies[0].protocol,
            splits=[split for study in studies for split in study.splits],
            audits=audits,
            data_fingerprints=[study.fingerprint for study in studies],
            seeds=[recipe.seed + study.repeat for study in studies],
        ),
        facts={**facts, **epochs_by_subject(studies[0].samples)},
        **read_additions(run, add_ons, progress),
        reported=recipe.reported,
        cluster=cluster_of(studies[0]),
        series=series_of(studies[0]),
    )


def _arms(system: System, fittings: list[Fitting], titles: dict[str, str]) -> list[Arm]:
    arms = [Arm(mode, title, "system") for mode, title in system.modes.items()]
    names = dict.fromkeys((fitting.kind, fitting.name) for fitting in fittings)
    arms += [Arm(name, system.placebos[name], "placebo") for kind, name in names if kind == "placebo"]
    arms += [Arm(name, titles[name], "control") for kind, name in names if kind == "control"]
    return arms
