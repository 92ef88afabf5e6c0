"""A study: the samples of one repeat, the task with its classes, the splits, and what units are held against."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from insula.corpora.catalogue import corpus as build_corpus
from insula.corpora.contract import Corpus
from insula.corpora.two_roots import TwoRoots
from insula.emotions import (
    LABEL_SPACES,
    OF_RATINGS,
    Binary,
    Categorical,
    Continuous,
    Cut,
    Ordinal,
    Several,
    Votes,
    usual_task,
)
from insula.emotions.task_values import named_tasks, parse_one
from insula.errors import DataError, SettingsError
from insula.evaluation.groups import group_columns, named_groups
from insula.evaluation.recipe import Recipe
from insula.protocols.people import as_one_person
from insula.protocols.protocol import Protocol, protocol
from insula.protocols.split import Split
from insula.protocols.splitting import strata_of
from insula.protocols.units import SAMPLE, lies_within, unit_codes, unit_names, unknown_rows
from insula.samples import Predictions, Samples
from insula.samples.table import ALL_NAMES, PROVENANCE
from insula.storage.cache import Cache

ClassTask = Categorical | Binary | Ordinal | Cut | Votes
AnyTask = ClassTask | Continuous


@dataclass(frozen=True)
class Study:
    """One repeat: the samples, the task with its classes, the splits, and how to open the truth.

    A system learns `learnt`: `task`, or several at once of which `task` is scored.
    """

    corpus: Corpus
    samples: Samples
    task: AnyTask
    protocol: Protocol
    splits: list[Split]
    fingerprint: str
    repeat: int
    learnt: AnyTask | Several
    notes: tuple[str, ...] = ()
    """What a reader must know of how it is scored."""

    def scored(self, predictions: Predictions) -> Predictions:
        """Return what a system that learnt `learnt` says of `task`."""
        if not isinstance(self.learnt, Several):
            return predictions
        return predictions.of_task(next(name for name, task in self.learnt.tasks.items() if task == self.task))


def open_study(recipe: Recipe, repeat: int, cache: Cache, tell: Callable[[str], None] | None = None) -> Study:
    """Build the corpus of a repeat, its task and its splits; `tell` is told the corpus's notes before it is read."""
    chosen = protocol_of(recipe, repeat)
    corpus = corpus_of(recipe, repeat)
    with warnings.catch_warnings():
        if tell:
            for note in notes_of(corpus):
                tell(note)
                warnings.filterwarnings("ignore", re.escape(note))  # which samples may say again
        samples = corpus.samples(cache)
    samples = as_one_person(samples, chosen)
    if recipe.test is not None and not chosen.disjoint:
        chosen = chosen.model_copy(update={"disjoint": _people_known(samples)})
    task = complete_task(recipe.scored_task(), samples)
    named = {name: complete_task(values, samples) for name, values in named_tasks(recipe.task).items()}
    learnt = Several.parse({"tasks": named}, where="task") if named else task
    chosen, notes = _scored_where_labels_agree(chosen, samples, task)
    for note in notes:
        warnings.warn(note, stacklevel=2)
    splits = chosen.splits(samples, learnt)
    return Study(corpus, samples, task, chosen, splits, samples.fingerprint(), repeat, learnt, notes)


def _scored_where_labels_agree(chosen: Protocol, samples: Samples, task: AnyTask) -> tuple[Protocol, tuple[str, ...]]:
    """Return the protocol, which scores trials, or rows, where members of one scored unit have different labels.

    People call one film by different names: to hold what is said of all of them against the label of the first would
    call right answers wrong. Ratings are averaged over the unit, as predictions are.
    """
    if isinstance(task, Continuous):
        return chosen, ()
    classes, unit = strata_of(task, samples), chosen.scored_unit
    scored = (classes >= 0) & (unit_codes(samples, unit) >= 0)
    apart = {}
    for finer in dict.fromkeys((unit, "trial", SAMPLE)):
        pairs = pd.DataFrame({"unit": unit_codes(samples, finer), "class": classes})[scored].drop_duplicates()
        apart[finer] = np.sum(pairs["unit"].value_counts() > 1)
        if apart[finer] == 0 and (pairs["unit"] >= 0).all():
            break
    if finer == unit:
        return chosen, ()
    of = len(np.unique(unit_codes(samples, unit)[scored]))
    note = f"rows of one {unit} have different labels ({apart[unit]} of {of}): each {finer} is scored by itself"
    return chosen.model_copy(update={"scored_unit": finer}), (note,)


def open_again(recipe: Recipe, repeat: int, cache: Cache) -> Study:
    """Open a study in a worker: the process that hands out the work opens it, too, and its warnings are heard there."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return open_study(recipe, repeat, cache)


def corpus_of(recipe: Recipe, repeat: int) -> Corpus:
    """Return the corpus of a repeat, whose folder lacks nothing; a simulated study is drawn anew for each."""
    corpus = unchecked_corpus(recipe, repeat)
    lacks = corpus.check()
    if lacks:
        name = corpus.card.name
        root = f" --set corpus.root={recipe.corpus['root']}" if "root" in recipe.corpus else ""
        raise DataError(lacks[0], where=f"corpus {name}", do=f"see `insula corpora check {name}{root}`")
    return corpus


def unchecked_corpus(recipe: Recipe, repeat: int) -> Corpus:
    """Return the corpus of a repeat; nothing is read yet."""
    settings = dict(recipe.corpus)
    name = settings.pop("name", None)
    if name is None:
        raise SettingsError("the recipe names no corpus", do="set corpus.name")
    if recipe.test is not None:
        elsewhere = recipe.test.get("name", name) != name
        test = recipe.test if elsewhere else {**recipe.corpus, **recipe.test}
        return TwoRoots(recipe.corpus, test)  # type: ignore[return-value]  # its card is that of what it learns from
    corpus = build_corpus(name, **settings)
    if "seed" in type(corpus.settings).model_fields:
        corpus = build_corpus(name, **{**settings, "seed": settings.get("seed", 0) + recipe.seed + repeat})
    return corpus


def protocol_of(recipe: Recipe, repeat: int) -> Protocol:
    """Return the protocol of a repeat: the one that the recipe names, with its changes."""
    changes = {key: value for key, value in recipe.protocol.items() if key != "name"}
    if recipe.test is not None:
        changes |= {"parts": "part", "leave_one_out": False, "test_share": None}
    return protocol(recipe.protocol.get("name", ""), **{"seed": recipe.seed + repeat, **changes})


def _people_known(samples: Samples) -> tuple[str, ...]:
    """Return the units that are people and whom every sample names that has one."""
    return tuple(
        name
        for name in ("subject", "identity")
        if samples.table[name].notna().any() and not unknown_rows(samples, name).any()
    )


def complete_task(values: Mapping[str, Any], samples: Samples) -> AnyTask:
    """Read a task; what it leaves open is completed from the whole corpus, and part of its identity from then on.

    Classes left out are those that occur, in their usual order; edges left out are the quantiles of all labels.
    """
    values = usual_task(values)
    if values["kind"] == "categorical" and "classes" not in values:
        if values["label"] not in samples.table:
            columns = [name for name in samples.table.columns if name not in PROVENANCE]
            columns = [name for name in columns if not name.endswith(("_store", "_row"))]
            rated = [name for name in columns if pd.api.types.is_numeric_dtype(samples.table[name])]
            do = f"the table has {', '.join(columns) or 'none'}: set task.label"
            do += f" ({', '.join(rated)}: {OF_RATINGS})" if rated else ""
            raise DataError(f"no label column {values['label']!r}", do=do)
        if pd.api.types.is_numeric_dtype(samples.table[values["label"]]):
            raise DataError("the label is a rating, and the task wants classes", where=values["label"], do=OF_RATINGS)
        names = set(samples.table[values["label"]].dropna())
        if len(names) < 2:
            what = f"all samples show one class, {names.pop()}" if names else "no sample has a label"
            raise DataError(what, where=values["label"], do="give samples of at least two classes")
        usual = [name for space in LABEL_SPACES.values() for name in space]
        order = {name: place for place, name in enumerate(dict.fromkeys(usual))}
        values["classes"] = tuple(sorted(names, key=lambda name: (order.get(name, len(order)), name)))
    task = parse_one(values)
    return task.at_quantiles(samples.table) if isinstance(task, Cut) and task.edges is None else task


def series_of(study: Study) -> str | None:
    """Return the column of `answers` that says which scored units follow one another, None where none is known.

    Rows that are scored one by one are a series each trial, rated trials one each subject.
    """
    wanted = "trial" if study.protocol.scored_unit == SAMPLE else "subject"
    if wanted == "subject" and not isinstance(study.task, Continuous):
        return None
    scored = unit_codes(study.samples, study.protocol.scored_unit) >= 0
    return wanted if (unit_codes(study.samples, wanted)[scored] >= 0).all() else None


def cluster_of(study: Study) -> str | None:
    """Return the column of `answers` whose units intervals and tests draw whole, None for the scored units themselves.

    It is what the protocol holds out, of several units the one of which fewest are tested, since so few were drawn.
    Corpora are too few to be drawn: between them, and where a corpus gives the parts, it is the people, as far as
    nobody is in two parts. Units that are no series are drawn by the people whose faces they show, where all are known;
    between corpora where some are: any other picture is of somebody else. Else a series is drawn, where there is one.
    """
    protocol, series = study.protocol, series_of(study)
    tested = study.samples.by_id(np.concatenate([split.test for split in study.splits]))
    inner = unit_codes(tested, series or protocol.scored_unit)
    held = [name for name in protocol.disjoint if name != "corpus"]
    if not held and (protocol.disjoint or protocol.parts) and _apart(study, "subject"):
        held = ["subject"]
    codes = {name: unit_codes(tested, name) for name in held}
    drawn = {name: numbers for name, numbers in codes.items() if (numbers >= 0).all()}
    faces = unit_codes(tested, "identity")
    if series is None and ((faces >= 0).all() or (protocol.test_corpora and (faces >= 0).any())):
        drawn["identity"] = faces
    counts = {name: len(np.unique(numbers)) for name, numbers in drawn.items() if lies_within(inner, numbers)}
    fewest = min(counts, key=lambda name: counts[name], default=series)
    return None if fewest == protocol.scored_unit else fewest


def _apart(study: Study, unit: str) -> bool:
    """Say whether no unit of a kind is both trained on and tested."""
    names = pd.Series(unit_names(study.samples, unit), index=study.samples.ids)
    return not any(names[split.test].isin(names[split.train].dropna()).any() for split in study.splits)


def notes_of(corpus: Corpus) -> list[str]:
    """Return what one should know of a corpus, such as how many of its published pictures are there."""
    return corpus.notes() if hasattr(corpus, "notes") else []


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
    scored = np.array([unit is not None for unit in units])
    table = study.samples.table[scored].assign(unit=units[scored])
    unlabelled_last = np.argsort(~study.task.labelled(table), kind="stable")  # some rows of a unit may have no label
    first = table.iloc[unlabelled_last].drop_duplicates("unit").set_index("unit")
    held = pd.DataFrame({"label": _labels(study.task, table, first)}, index=first.index)
    held["truth"] = held["label"]
    sealed = _sealed(study, units, scored)
    if sealed is not None:
        truth = sealed.reindex(held.index).to_numpy()
        held["truth"] = np.where(pd.notna(truth), truth, held["label"])  # a joined corpus may have no sealed ones
    columns = group_columns(first, groups)
    if groups is None:  # of a unit that several people stand behind nothing is told
        columns = [name for name in columns if not table[["unit", name]].drop_duplicates()["unit"].duplicated().any()]
    columns += [*(["identity"] if "identity" in first else []), *_corpus(study)]
    if study.protocol.disjoint and "subject" in study.protocol.disjoint:
        columns.append("subject")
    named = {name: first[name] if name in PROVENANCE else named_groups(first[name]) for name in columns}
    if study.protocol.test_corpora:  # names hold within a corpus
        people = first["corpus"] + "/" + first["identity"]
        named["identity"] = people.where(people.notna(), first.index.to_series())
    for column, names in ALL_NAMES.items():  # who has several is one person
        if column in named and names in first:
            named[column] = first[names].where(first[names].notna(), named[column])
    series = _series(study, units, scored)
    if "corpus" not in named:  # names hold as they are
        series = {name: values for name, values in series.items() if name not in named}
    return held.join(pd.DataFrame(named)).assign(**series)


def _corpus(study: Study) -> list[str]:
    """Return the column of corpora, where more than one is tested."""
    tested = np.concatenate([split.test for split in study.splits])
    return ["corpus"] if len(set(study.samples.by_id(tested).table["corpus"])) > 1 else []


def _labels(task: AnyTask, table: pd.DataFrame, first: pd.DataFrame) -> np.ndarray:
    """Return the label of each unit: a class name or None, or the mean rating of its rows."""
    if isinstance(task, Continuous):
        ratings = pd.Series(task.ratings(task.targets(table)), index=table["unit"])
        return ratings.groupby(level=0).mean().reindex(first.index).to_numpy(float)
    return _names(task, first)


def _names(task: ClassTask, table: pd.DataFrame) -> np.ndarray:
    codes = task.targets(table)
    names = np.asarray(task.classes, object)[codes]
    names[codes < 0] = None
    return names


def _sealed(study: Study, units: np.ndarray, scored: np.ndarray) -> pd.Series | None:
    """Return what a simulated corpus knows to be true of each unit, by its stimulus; None where it tells nothing."""
    truth, task = study.corpus.truth(), study.task
    if truth is None or task.columns[0] not in truth:
        return None
    stimuli = pd.Series(study.samples.units("stimulus")[scored], index=units[scored]).groupby(level=0).first()
    shown = truth.reindex(stimuli).set_axis(stimuli.index)
    if isinstance(task, Continuous):
        return pd.Series(task.ratings(task.targets(shown)), index=shown.index)
    return pd.Series(_names(task, shown), index=shown.index)


def _series(study: Study, units: np.ndarray, scored: np.ndarray) -> dict[str, pd.Series]:
    """Return the columns that say what depends on what, and, of rows that are scored one by one, when they were."""
    names = {name for name in (series_of(study), cluster_of(study)) if name not in (None, "identity")}
    columns = {name: unit_names(study.samples, name)[scored] for name in names}
    if names and study.protocol.scored_unit == SAMPLE:
        columns["time"] = study.samples.table.loc[scored, "start"].to_numpy(float)
    return {name: pd.Series(values, index=units[scored]).groupby(level=0).first() for name, values in columns.items()}
