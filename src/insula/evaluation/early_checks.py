"""What is wrong or missing in a recipe, said before any file is read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from insula.corpora.catalogue import CORPORA
from insula.corpora.contract import Corpus
from insula.corpora.folder import Folder
from insula.eeg.steps import parse_steps
from insula.emotions import OF_RATINGS, LabelTask, parse_task, usual_task
from insula.emotions.task_values import named_tasks
from insula.errors import SettingsError, choices
from insula.evaluation.candidates import controls, own_system, system_name
from insula.evaluation.recipe import Recipe
from insula.evaluation.study import Study, protocol_of, unchecked_corpus
from insula.protocols.people import read_people
from insula.protocols.protocol import Protocol
from insula.storage.own_code import is_own
from insula.systems.base import System


def check_recipe(recipe: Recipe) -> None:
    """Refuse what is wrong or missing in a recipe, as far as that is known before any file of its corpus is read."""
    corpus, protocol = unchecked_corpus(recipe, 0), protocol_of(recipe, 0)
    if protocol.same_people is not None:
        read_people(protocol.same_people)
    recipe.scored_task()
    named = named_tasks(recipe.task)
    for task in list(named.values()) or [recipe.task]:
        _check_task(task, corpus)
    system = own_system(recipe, 0)
    _check_modalities(recipe, system, corpus)
    system.check_kind("several" if named else usual_task(recipe.task)["kind"])
    check_access(recipe, protocol)
    if type(corpus) is Folder:  # a published corpus is what its makers say
        _check_names(corpus, protocol)


def _check_names(corpus: Folder, protocol: Protocol) -> None:
    """Refuse pictures of one class, and a protocol that keeps people apart who are not known."""
    classes, people = corpus.named()
    if len(classes) == 1:
        do = "give pictures of at least two classes"
        raise SettingsError(f"all pictures show one class, {classes[0]}", where=corpus.layout.root, do=do)
    if {"identity", "person"} & set(protocol.disjoint) and not people:
        what = f"nobody's identity is known here, and {protocol.name} keeps people apart"
        do = "set protocol.name=stimulus-disjoint, or say who is who by folders PERSON/CLASS or a column identity"
        raise SettingsError(what, where=corpus.layout.root, do=do)


def placebos_of(recipe: Recipe) -> tuple[str, ...]:
    """Return the placebos that a recipe wants; a name of system, placebo or control that is none fails here."""
    system = own_system(recipe, 0)
    placebos = tuple(system.placebos) if recipe.placebos is None else recipe.placebos
    if not placebos and not set(controls(recipe)) - {"permuted"}:
        raise SettingsError("nothing to compare with", where="controls", do="name majority or linear")
    for name in placebos:
        system.placebo(name)
    return placebos


def check_access(recipe: Recipe, protocol: Protocol) -> None:
    """Refuse a system or a step that learns from test inputs where the protocol does not let it see them."""
    wanted = {system_name(recipe): own_system(recipe, 0).target_access}
    wanted |= {f"step {name}": step.access(protocol) for name, step in parse_steps(recipe.steps).items()}
    looking = [name for name, access in wanted.items() if access == "unlabelled"]
    if looking and protocol.target.kind != "unlabelled":
        what = f"{looking[0]} learns from the test inputs, and the protocol's target is {protocol.target.kind}"
        raise SettingsError(what, where="protocol.target", do="set protocol.target=unlabelled, or do without it")


def _check_task(values: Mapping[str, Any], corpus: Corpus) -> None:
    """Refuse a task that is not whole, or whose usual label a corpus does not have, before anything is read.

    Raises
    ------
    SettingsError
        Saying all that is missing at once.
    """
    task, card = usual_task(values), corpus.card
    stated = _tells_all(corpus) and not card.labels.startswith(("one column", "columns of", "those of"))
    if stated and task["label"] == "emotion" and not re.search(r"\bemotion\b", card.labels):
        kind = "" if {"kind", "threshold"} <= set(values) else f"; {OF_RATINGS}"
        raise SettingsError(f"no label 'emotion' in {card.name}", where="task",
                            do=f"set task.label; its labels are {card.labels}{kind}")  # fmt: skip
    parse_task({"classes": ("one", "other"), **task} if task["kind"] == "categorical" else task)


def _tells_all(corpus: Corpus) -> bool:
    """Say whether a corpus's card tells what its samples hold: of those that come with insula most do."""
    return corpus.card.name in CORPORA and "any" not in corpus.card.modalities


def _check_modalities(recipe: Recipe, system: System, corpus: Corpus) -> None:
    """Refuse a system, or a control, that reads what a corpus never has, before anything is read."""
    if not _tells_all(corpus):
        return
    there = set(corpus.card.modalities)
    if getattr(corpus.settings, "faces", None) or getattr(corpus.settings, "pictures", None):
        there.add("picture")
    wanted = {f"system {system_name(recipe)}": system.predicts_from}
    if recipe.control_modality and "linear" in recipe.controls:
        wanted["control_modality"] = (recipe.control_modality,)
    for reader, modalities in wanted.items():
        lacking = [name for name in modalities if name not in there]
        if lacking:
            what = f"{corpus.card.name} has no modality {lacking[0]!r}"
            raise SettingsError(what, where=reader, do=choices("its modalities", lacking[0], sorted(there)))


def probe(recipe: Recipe, study: Study) -> None:
    """Let a network of a user's own answer once, so that what is wrong with it shows before any arm is fitted."""
    if is_own(recipe.system["name"]) and isinstance(study.task, LabelTask):
        from insula.systems.own import OwnNetwork

        system = own_system(recipe, 0)
        if isinstance(system, OwnNetwork):
            system.probe(study.samples, study.task)
