"""Queues: which items are asked next, and the folder of a round that Label Studio reads."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd

from insula.corpora.catalogue import CORPORA
from insula.errors import DataError, SettingsError, choices
from insula.evaluation.recipe import RECIPES, SWEEPS, Recipe, apply, parse_change
from insula.evaluation.study import complete_task, corpus_of, protocol_of
from insula.labelling.label_studio import KEY, media_name, page, task
from insula.labelling.ledger import EVERYONE, Ledger, Request
from insula.labelling.media import kinds_of, write_media
from insula.labelling.question import Question
from insula.protocols.units import SAMPLE, unit_names
from insula.samples import Predictions, Samples
from insula.samples.predictions import normalised_entropy
from insula.storage.atomic import write_folder
from insula.storage.cache import Cache
from insula.storage.hashing import digest
from insula.storage.tables import read_csv

TASKS, PAGE = "tasks.json", "page.xml"

_BUNDLE = "give a bundle of the same modalities and classes"


class Predicting(Protocol):
    """What a system and a bundle have in common."""

    @property
    def modes(self) -> Collection[str]:
        """Ways to predict."""

    @property
    def predicts_from(self) -> tuple[str, ...]:
        """Modalities a sample must have to be predicted."""

    def predict(self, samples: Samples, mode: str | None = None) -> Predictions:
        """Say what each sample shows."""


@dataclass(frozen=True)
class Pool:
    """What can be asked.

    Parameters
    ----------
    samples : Samples
        All rows of a corpus, without its labels.
    units : array of str, shape (n,)
        The item of each row, a qualified id; None where a row belongs to none.
    labelled : array of bool, shape (n,)
        Which rows the corpus has a label for.
    question : Question
        What is asked.
    seed : int
        Decides the order of items that nothing else orders.
    """

    samples: Samples
    units: np.ndarray
    labelled: np.ndarray
    question: Question
    seed: int = 0

    def items(self, *, labelled: bool = False) -> list[str]:
        """Return the items without a label, or all of them, in an order drawn by the seed.

        Two annotators who are asked apart get the same items first, so that their agreement can be told.

        Raises
        ------
        DataError
            Where there is none.
        """
        done = {unit for unit in self.units[self.labelled] if unit is not None} if not labelled else set()
        items = [unit for unit in dict.fromkeys(self.units) if unit is not None and unit not in done]
        if not items and done:
            raise DataError("the corpus has a label for every item", do="ask of labelled ones too, with --all")
        if not items:
            raise DataError("there is nothing to ask", do="check the corpus")
        return sorted(items, key=lambda item: digest([self.seed, item]))


def open_pool(source: str, changes: Iterable[str], cache: Cache) -> Pool:
    """Open the corpus of a recipe, or a corpus by its name, for labelling.

    An item is the recipe's scored unit; without a recipe a trial, where the corpus has trials, else a stimulus (a
    picture), else a row.

    Parameters
    ----------
    source : str
        A recipe by name or path, or the name of a corpus.
    changes : iterable of str
        As in a recipe: `corpus.root=DIR`, `task.label=emotion`, `task.classes=basic7`.
    cache : Cache
        Where prepared data lie.
    """
    recipe = _recipe(source, list(changes))
    samples = corpus_of(recipe, 0).samples(cache)
    if recipe.task.get("kind", "categorical") == "categorical" and not recipe.task.get("classes"):
        label = recipe.task.get("label", "emotion")
        if label not in samples.table or samples.table[label].isna().all():
            raise SettingsError(f"the corpus has no {label} to take classes from", do="set task.classes, as in basic7")
    chosen = complete_task(recipe.task, samples)
    columns = [column for column in chosen.columns if column in samples.table]
    labelled = samples.table[columns].notna().any(axis=1).to_numpy() if columns else np.zeros(len(samples), bool)
    if recipe.protocol:
        units = protocol_of(recipe, 0).scored_units(samples)
    else:
        named = (name for name in ("trial", "stimulus") if samples.table[name].notna().any())
        units = unit_names(samples, next(named, SAMPLE))
    return Pool(samples.without(columns), units, labelled, Question.of(chosen), recipe.seed)


def _recipe(source: str, changes: list[str]) -> Recipe:
    if source in RECIPES or source in SWEEPS or Path(source).is_file():
        return Recipe.load(source, changes)
    if source not in CORPORA:
        do = f"give a YAML file, a recipe or a corpus; {choices('names', source, [*RECIPES, *CORPORA])}"
        raise SettingsError(f"no recipe and no corpus {source!r}", do=do)
    values = {"name": source, "corpus": {"name": source}, "protocol": {}, "system": {}}
    for change in changes:
        apply(values, *parse_change(change))
    return Recipe.parse(values, where=f"corpus {source}")


def uncertainty(pool: Pool, system: Predicting) -> pd.Series:
    """Return how unsure a system is of each item, 0 to 1: its own `uncertainty`, or else the entropy of its answer.

    A system that can predict from both modalities does, and from one where the other is missing. Items that lack what
    it predicts from are left out.

    Raises
    ------
    DataError
        Where it reads what the corpus does not have, can predict none of the items, or knows none of the classes.
    """
    mode = "both" if "both" in system.modes and "both" not in getattr(system, "not_bundled", ()) else None
    lacks = [name for name in system.predicts_from if name not in pool.samples.modalities]
    if lacks:
        modalities = ", ".join(pool.samples.modalities) or "nothing"
        raise DataError(f"the bundle reads {' and '.join(lacks)}, and the corpus has {modalities}", do=_BUNDLE)
    present = np.array([unit is not None for unit in pool.units])
    for modality in system.predicts_from if mode is None else ():
        present &= pool.samples.has(modality)
    if not present.any():
        raise DataError(f"no item has {' and '.join(system.predicts_from)}", do=_BUNDLE)
    predictions: Predictions = system.predict(pool.samples.select(present), mode).collapse(pool.units[present])
    asked = pool.question.classes
    if predictions.classes and asked and not set(predictions.classes) & set(asked):
        raise DataError(f"the bundle knows {', '.join(predictions.classes)}, and asked is {pool.question}", do=_BUNDLE)
    if "uncertainty" in predictions.table and predictions.table["uncertainty"].notna().any():
        return predictions.table["uncertainty"]
    if not predictions.classes:
        raise DataError("the bundle does not say how unsure it is", do="give --scores, or a bundle with uncertainty")
    return pd.Series(normalised_entropy(predictions.probabilities), index=predictions.table.index)


def read_scores(path: Path) -> pd.Series:
    """Return the scores of items from a CSV file with the columns `item` and `score`; the highest is asked first.

    Raises
    ------
    DataError
        Where a column is missing, a score is no number, or an item stands there twice.
    """
    table = read_csv(path, dtype={"item": str})
    lacks = [name for name in ("item", "score") if name not in table]
    if lacks:
        raise DataError(f"no column {lacks[0]!r}", where=path, do="give the columns item and score")
    scores = pd.to_numeric(table["score"], errors="coerce")
    if scores.isna().any() or table["item"].duplicated().any():
        raise DataError("a score is no number, or an item stands there twice", where=path, do="correct the file")
    return pd.Series(scores.to_numpy(float), index=table["item"])


def ranked(items: Sequence[str], scores: pd.Series | None) -> list[str]:
    """Return items, those of the highest score first and those without one last; ties stay in their order.

    Examples
    --------
    >>> ranked(["a", "b", "c"], pd.Series({"c": 0.9, "a": 0.1}))
    ['c', 'a', 'b']
    """
    if scores is None:
        return list(items)
    values = scores.reindex(items).to_numpy(float)
    return [items[place] for place in np.argsort(-np.nan_to_num(values, nan=-np.inf), kind="stable")]


def write_queue(
    ledger: Ledger, pool: Pool, items: Sequence[str], folder: Path, *, count: int | None = None,
    annotator: str = EVERYONE, how: str = "",
) -> list[Request]:  # fmt: skip
    """Ask the next items: record the round in the ledger, then write its folder, in this order.

    The folder's name is the round's. That it can be made is seen first, and it appears whole, in one rename. Where the
    process ends in between, the same call finds the round in the ledger and writes its folder; where both are there,
    nothing changes. Thus whatever ends a process, nothing is asked twice.

    Parameters
    ----------
    ledger : Ledger
        Where the round is recorded.
    pool : Pool
        What the items are shown from.
    items : sequence of str
        The most wanted first.
    folder : Path
        To write: `tasks.json`, `page.xml` and `media/`.
    count : int, optional
        How many to ask at most.
    annotator : str
        Who is asked; everyone where not given.
    how : str
        How the items were ordered, in words, for the ledger.

    Returns
    -------
    list of Request

    Raises
    ------
    DataError
        Where there is nothing to show, or nothing is left to ask.
    SettingsError
        Where something else is in the folder's place, or it cannot be made.
    """
    written = _tasks_in(folder)
    kinds = kinds_of(pool.samples, pool.units)
    recorded = set(ledger.requests()["round"])
    if written and folder.name not in recorded:
        raise _in_the_way(folder)
    fingerprint = pool.samples.fingerprint()
    ask = partial(ledger.ask, items, folder.name, count=count, annotator=annotator, corpus=fingerprint, how=how)
    if written:
        asked = ask()
        if written != {f"{ledger.project}/{request.id}" for request in asked}:
            raise _in_the_way(folder)
        return asked
    with _new_folder(folder) as temporary:
        asked = ask()
        _check_known(asked, pool)
        (temporary / "media").mkdir()
        for request in asked:
            samples = pool.samples.select(pool.units == request.item)
            for kind in kinds:
                write_media(samples, kind, temporary / media_name(request.id, kind))
        tasks = [task(ledger.project, request.id, folder.name, kinds) for request in asked]
        (temporary / TASKS).write_text(json.dumps(tasks, indent=1), encoding="utf-8")
        (temporary / PAGE).write_text(page(ledger.question, kinds) + "\n", encoding="utf-8")
    return asked


@contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """Yield what becomes a folder when the block ends well; one that cannot be made is refused before the block."""
    with ExitStack() as stack:
        try:
            temporary = stack.enter_context(write_folder(folder))
        except OSError as error:
            raise _cannot_be_made(folder, error) from None
        yield temporary


def _cannot_be_made(folder: Path, error: OSError) -> SettingsError:
    do = "give --output a place where a folder can be made"
    return SettingsError(f"the folder cannot be made: {error.strerror}", where=folder, do=do)


def _check_known(asked: Sequence[Request], pool: Pool) -> None:
    units = set(pool.units)
    lost = [request.item for request in asked if request.item not in units]
    if lost:
        what = f"{len(lost)} items of the round are not in the corpus"
        raise DataError(what, where=f"first: {lost[0]}", do="give the corpus that the round was asked from")


def _tasks_in(folder: Path) -> set[str]:
    """Return the requests that a folder holds the tasks of; none where there is no folder, or an empty one."""
    if folder.name in ("", ".."):
        raise SettingsError("the output is no folder of its own", where=folder, do="give a new folder")
    try:
        if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
            return set()
    except OSError as error:  # a folder that may not be looked into, a name that is too long
        raise _cannot_be_made(folder, error) from None
    try:
        return {one["data"][KEY] for one in json.loads((folder / TASKS).read_text(encoding="utf-8"))}
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        raise _in_the_way(folder) from None


def _in_the_way(folder: Path) -> SettingsError:
    return SettingsError("the folder holds something else than this round", where=folder, do="give a new folder")
