"""A study: the samples of one repeat, the task with its classes, the splits, and what units are held against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from insula.corpora.catalogue import corpus as build_corpus
from insula.corpora.contract import Corpus
from insula.emotions import LABEL_SPACES, Binary, Categorical, Continuous, Ordinal, Votes, parse_task
from insula.errors import DataError, SettingsError
from insula.evaluation.groups import group_columns, named_groups
from insula.evaluation.recipe import Recipe
from insula.protocols.protocol import Protocol, protocol
from insula.protocols.split import Split
from insula.samples import Samples
from insula.samples.table import PROVENANCE
from insula.storage.cache import Cache

ClassTask = Categorical | Binary | Ordinal | Votes


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


def open_study(recipe: Recipe, repeat: int, cache: Cache) -> Study:
    """Build the corpus of a repeat, its task and its splits."""
    corpus = corpus_of(recipe, repeat)
    samples = corpus.samples(cache)
    task = complete_task(recipe.task, samples)
    chosen = protocol_of(recipe, repeat)
    return Study(corpus, samples, task, chosen, chosen.splits(samples, task), samples.fingerprint(), repeat)


def corpus_of(recipe: Recipe, repeat: int) -> Corpus:
    """Return the corpus of a repeat, whose folder lacks nothing; a simulated study is drawn anew for each."""
    settings = dict(recipe.corpus)
    name = settings.pop("name", None)
    if name is None:
        raise SettingsError("the recipe names no corpus", do="set corpus.name")
    corpus = build_corpus(name, **settings)
    if "seed" in type(corpus.settings).model_fields:
        corpus = build_corpus(name, **{**settings, "seed": settings.get("seed", 0) + recipe.seed + repeat})
    lacks = corpus.check()
    if lacks:
        raise DataError(lacks[0], where=f"corpus {name}", do=f"see `insula corpora check {name}`")
    return corpus


def protocol_of(recipe: Recipe, repeat: int) -> Protocol:
    """Return the protocol of a repeat: the one that the recipe names, with its changes."""
    changes = {key: value for key, value in recipe.protocol.items() if key != "name"}
    return protocol(recipe.protocol.get("name", ""), **{"seed": recipe.seed + repeat, **changes})


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


def answers(study: Study, groups: Sequence[str] | None = None) -> pd.DataFrame:
    """Return what each scored unit is held against: `label` as given, `truth` as sealed (or the label), and groups.

    This is the only place that opens `Corpus.truth`.

    Parameters
    ----------
    study : Study
        One repeat.
    groups : sequence of str, optional
        Columns to tell results by group for, as in a recipe.
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
        sealed = truth[study.task.columns[0]].reindex(stimuli.reindex(found.index)).to_numpy(object)
        found["truth"] = np.where(pd.notna(sealed), sealed, found["label"])  # a joined corpus may have no sealed ones
    columns = [*group_columns(table, groups), *(["identity"] if "identity" in table else [])]
    if study.protocol.disjoint and "subject" in study.protocol.disjoint:
        columns.append("subject")
    named = {name: table[name] if name in PROVENANCE else named_groups(table[name]) for name in columns}
    return found.join(pd.DataFrame(named))
