"""Fit a recipe on all its training data and write a bundle."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from insula.deployment.bundle import check_output, write_bundle
from insula.deployment.card import score_in_words
from insula.deployment.graph_inputs import described
from insula.emotions import Categorical, Continuous
from insula.errors import SettingsError
from insula.evaluation.candidates import Fitting, candidate, own_system, system_name, with_modalities
from insula.evaluation.early_checks import check_recipe
from insula.evaluation.experiment import predictable
from insula.evaluation.recipe import Recipe
from insula.evaluation.statistics import accuracy_interval
from insula.evaluation.study import AnyTask, Study, cluster_of, notes_of, open_study
from insula.protocols.access import TargetAccess
from insula.protocols.audit import audit
from insula.protocols.protocol import Protocol
from insula.protocols.split import Split
from insula.protocols.units import unit_names
from insula.samples import Samples
from insula.storage.cache import Cache
from insula.storage.progress import followed
from insula.systems.base import System
from insula.tiers import naming_tier, need
from insula.training.threads import one_thread

_WARMING, _TIMED = 2, 8  # steps that are not timed, since they are slower, and those that are


@naming_tier()
def fit_bundle(
    recipe: Recipe,
    output: Path,
    cache: Cache,
    *,
    int8: bool = False,
    tell: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Fit the recipe's system on everything but a validation part, and write the bundle.

    The validation part is held out by the recipe's own protocol; it chooses epochs and is not scored; a test part that
    the corpus gives is not seen by the system, and scores it. On the pictures of the validation part what the bundle
    answers is compared with what was trained and, where eight bits are asked for, measured. What is wrong with the
    output, a name or a setting is said before any picture or recording is read.

    Parameters
    ----------
    recipe : Recipe
        What to fit, on what.
    output : Path
        The bundle's folder.
    cache : Cache
        Of corpora.
    int8 : bool
        As in `insula.deployment.bundle.write_bundle`.
    tell : callable, optional
        Told, line by line, what is known of the data and what will be done, before it is, and how the bundle does on
        the test part.

    Returns
    -------
    dict
        The system's measured facts.

    Raises
    ------
    MissingTierError
        Where what trains is not installed, or what the recipe needs besides.
    """
    need("train")
    check_output(output)
    if recipe.steps:
        from insula.deployment.preparation import check_steps

        check_steps(recipe.steps)
    check_recipe(recipe)
    if int8 and "picture" not in own_system(recipe, 0).predicts_from:
        raise SettingsError("only what predicts from pictures can be written in eight bits", do="leave --int8 away")
    study = open_study(recipe, 0, cache, tell)
    recipe = with_modalities(recipe, study.samples)
    own = own_system(recipe, 0)
    if type(own)._answering is System._answering and not own.embeds:
        what = "a bundle holds graphs, and this system cannot be written as one"
        raise SettingsError(what, where=system_name(recipe), do="evaluate it with `insula run`")
    if study.learnt is not study.task:
        raise SettingsError("a bundle answers one task", where="task", do="use `insula run`, or keep one task")
    if isinstance(study.task, Continuous) and "picture" in own_system(recipe, 0).predicts_from:
        what = "a bundle of pictures answers with classes, not with ratings"
        raise SettingsError(what, where="task", do="use `insula run`, or a cut")
    split = validation_alone(study.protocol, study.samples, study.task)
    audit(split, study.samples, study.protocol)
    recording = _recording(study, recipe, any_cap=own.embeds)
    if recipe.steps:
        from insula.eeg.steps import apply_steps, parse_steps

        samples, _ = apply_steps(parse_steps(recipe.steps), study.samples, split.train, cache)
        study = replace(study, samples=samples)
    train, validation = study.samples.by_id(split.train), study.samples.by_id(split.validation)
    system = candidate(recipe, Fitting("system", system_name(recipe), 0, 0)).alone()
    tell(_plan(study, train, validation))
    with one_thread(alone=True), followed(_TrainingTime(tell)):
        system.fit(train, validation, study.task)
    audit(split, study.samples, study.protocol, system.log.fits)
    about: dict[str, Any] = {
        "classes": list(getattr(study.task, "classes", ())),
        "task": study.task.model_dump(mode="json"),
        "data": study.fingerprint,
        "trained_on": {"samples": len(train), "validation": len(validation)},
        "size": _picture_size(train),
        "notes": notes_of(study.corpus),
        **recording,
        **_rows(system, train),
        **_framing(system, study),
        **_tested(system, study),
    }
    if "tested" in about:
        tell(f"right on the test part: {score_in_words(about['tested'])}")
    held = train if system.embeds and not len(validation) else validation
    write_bundle(system, system_name(recipe), recipe, output, about, held, int8=int8)
    return system.summary()


class _TrainingTime:
    """Says how long the training of a network takes, from its first steps."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.tell, self.times = tell, list[float]()

    def __call__(self, done: int, total: int, what: str) -> None:
        if what != "training" or len(self.times) > _WARMING + _TIMED:
            return
        self.times.append(time.monotonic())
        if len(self.times) > _WARMING + _TIMED:
            minutes = float(np.median(np.diff(self.times[_WARMING:]))) * (total - done) / 60
            if minutes > 0.5:
                self.tell(f"training takes about {max(1, round(minutes))} minutes here: {total - done:,} more steps")


def _plan(study: Study, train: Samples, validation: Samples) -> str:
    """Return what is learnt from, what chooses and what is tested, in words."""
    count = {"learns from": train, "chooses and calibrates on": validation}
    if study.protocol.parts is not None:
        count["is tested on"] = study.samples.by_id(study.splits[0].test)
    classes = getattr(study.task, "classes", None)
    answers = f"{len(classes)} classes" if classes else f"ratings of {study.task.columns[0]}"
    words = ", ".join(f"{what} {len(part):,}" for what, part in count.items())
    return f"of {len(study.samples):,} samples it {words}; {answers}"


def _framing(system: System, study: Study) -> dict[str, str]:
    """Return how the bundle is to read new pictures: as those that it was trained on were cut."""
    pictures = study.corpus.pictures
    if pictures == "whole" and system.framing == "box":
        pictures = "auto"  # a detector had cut out what the system is made for
    if pictures == "auto":
        return {"pictures": pictures, "framing": "box"}
    return {"pictures": pictures, "framing": getattr(study.corpus, "framing", "eyes")}


def _tested(system: System, study: Study) -> dict[str, Any]:
    """Return how often the system is right on the test part that the corpus gives, which nothing was fitted on."""
    if study.protocol.parts is None or not isinstance(study.task, Categorical):
        return {}
    test = predictable(study.samples.by_id(study.splits[0].test), system)
    test = test.select(study.task.targets(test.table) >= 0)
    if not len(test):
        return {}
    units = study.protocol.scored_units(test)
    predictions = system.predict(test.without(study.task.columns)).collapse(units)
    labels = pd.Series(study.task.targets(test.table), units).groupby(level=0).first()
    wanted = labels[predictions.table.index].to_numpy()
    right = predictions.probabilities.argmax(axis=1) == wanted
    drawn = cluster_of(study)
    clusters = pd.Series(units if drawn is None else unit_names(test, drawn), units).groupby(level=0).first()
    clusters = clusters[predictions.table.index].fillna(clusters.index.to_series())
    estimate = accuracy_interval(pd.DataFrame({"score": right.astype(float), "cluster": clusters.to_numpy()}))
    interval = None if np.isnan(estimate.low) else [estimate.low, estimate.high]
    names = {name: wanted == code for code, name in enumerate(study.task.classes)}
    recalls = {name: round(float(right[mine].mean()), 4) for name, mine in names.items() if mine.any()}
    return {"tested": {"units": len(right), "accuracy": estimate.value, "interval": interval, "recalls": recalls}}


def _recording(study: Study, recipe: Recipe, *, any_cap: bool) -> dict[str, Any]:
    """Return how a recording becomes such rows, or why it cannot; nothing where there is no EEG."""
    if "eeg" not in study.samples.modalities:
        return {}
    if any_cap:
        from insula.deployment.encoder_writing import of_any_cap

        corpora = getattr(study.corpus, "parts", {study.corpus.card.name: study.corpus})
        return {"recording": of_any_cap(corpora, study.samples, recipe.steps).model_dump(mode="json")}
    from insula.deployment.preparation import Preparation

    how = Preparation.of(study.corpus.settings, study.samples, recipe.steps)
    return {"recording": how if isinstance(how, str) else how.model_dump(mode="json")}


def _rows(system: System, samples: Samples) -> dict[str, Any]:
    """Return what rows of EEG and of features are like; nothing of a system that predicts from pictures."""
    if "picture" in system.predicts_from or system.embeds:
        return {}
    names = [name for name in samples.modalities if samples.has(name).any() and name != "picture"]
    return {"inputs": described(samples, names)}


def _picture_size(samples: Samples) -> int | None:
    """Return the pixels along an edge of the pictures; None where there are none. Rows of EEG alone have none."""
    pictured = np.flatnonzero(samples.has("picture"))
    return samples.select(pictured[:1]).read("picture").shape[1] if len(pictured) else None


def validation_alone(protocol: Protocol, samples: Samples, task: AnyTask) -> Split:
    """Return a split without a test part, validation held out by the protocol's own rule.

    Where the corpus gives the parts, its test part stays unseen, so that other people can still test on it.
    """
    share = protocol.validation_share or 0.15
    changes: dict[str, Any] = {"validation_share": share, "target": TargetAccess()}
    if protocol.parts is None:
        changes |= {"test_share": share, "validation_share": 0.0, "leave_one_out": False}
    split = protocol.model_copy(update=changes).splits(samples, task)[0]
    held = split.validation if protocol.parts is not None else split.test
    return Split(split.train, held, np.empty(0, held.dtype), protocol=protocol.digest())
