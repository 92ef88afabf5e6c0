"""Measured facts, many fits of one system drawn together into one line each."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from insula.evaluation.add_on import AddOn, FinishedRun, Tables
from insula.samples import Samples

LOSSES = ("train_losses", "validation_losses")
"""Entries that hold the loss of each epoch of a training, as `insula.training.engine.Trained.facts` has them."""

_FIT = re.compile(r", repeat \d+, fold \d+$")


def summarise(facts: Mapping[str, Any]) -> dict[str, list[tuple[str, str]]]:
    """Return facts as (name, text) under each heading; those of a system's folds and repeats share one line.

    Parameters
    ----------
    facts : mapping
        Nested, JSON-like. Entries named `SYSTEM, repeat N, fold N` belong together: numbers become their mean and
        range, and whatever else differs is counted. Losses by epoch are left out: they are drawn.

    Examples
    --------
    >>> summarise({"bmci, repeat 0, fold 0": {"R2": 0.25}, "bmci, repeat 0, fold 1": {"R2": 0.35}, "pictures": 60})
    {'bmci, mean over 2 fits (range)': [('R2', '0.3 (0.25 to 0.35)')], '': [('pictures', '60')]}
    """
    fits: dict[str, list[dict[str, Any]]] = defaultdict(list)
    rest = {}
    for name, value in facts.items():
        system = system_of(name)
        if system and isinstance(value, Mapping):
            fits[system].append(dict(_flat(value)))
        else:
            rest[name] = value
    tables = {}
    for name, group in fits.items():
        over = f", mean over {len(group)} fits (range)" if len(group) > 1 else ""
        keys = dict.fromkeys(key for fit in group for key in fit)
        tables[name + over] = [(key, _together([fit[key] for fit in group if key in fit])) for key in keys]
    if rest:
        tables[""] = flat(rest)
    return tables


def system_of(name: str) -> str | None:
    """Return whose fit an entry of facts is; None of one that is no fit.

    Examples
    --------
    >>> system_of("bmci, repeat 0, fold 1"), system_of("epochs of EEG")
    ('bmci', None)
    """
    return _FIT.sub("", name) if _FIT.search(name) else None


def fingerprints(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what each fit says tells it from others, where its system leaves a `fingerprint` among its facts.

    Examples
    --------
    >>> fingerprints({"a, repeat 0, fold 0": {"fingerprint": {"bank": "3d"}}, "b, repeat 0, fold 0": {}})
    {'a, repeat 0, fold 0': {'bank': '3d'}}
    """
    fits = {name: fit for name, fit in facts.items() if isinstance(fit, Mapping)}
    return {name: fit["fingerprint"] for name, fit in fits.items() if "fingerprint" in fit}


class MeasuredTables(AddOn):
    """The tables that the system makes of the facts of its own fits, none of a placebo's."""

    field = "measured"

    def read(self, run: FinishedRun) -> Tables:
        """Return them by title."""
        facts = [run.facts[str(fitting)] for fitting in run.own if str(fitting) in run.facts]
        return {title: table.reset_index() for title, table in run.system.tables(facts).items()} if facts else {}


def epochs_by_subject(samples: Samples) -> dict[str, dict[str, str]]:
    """Return how many epochs of EEG each subject has, of how many pictures, and how many are marked; empty without EEG.

    Marks are those of preprocessing, in the column `eeg_quality`; a marked epoch may have been left out.

    Examples
    --------
    >>> from insula.samples import ArrayStore, Description, provenance
    >>> table = provenance(corpus="c", subject="S1", stimulus=["a", "b", "a"])
    >>> table = table.assign(eeg_quality=["", "160 uV at Cz", ""])
    >>> store = ArrayStore(np.zeros((3, 1, 4)), Description(kind="signal", axes=("channel", "time")))
    >>> epochs_by_subject(Samples(table, {}).with_modality("eeg", "S1", store, range(3)))
    {'epochs of EEG': {'c/S1': '3 of 2 pictures, 1 marked'}}
    """
    subjects, present, pictures = samples.units("subject"), samples.has("eeg"), samples.units("stimulus")
    counts = {}
    for subject in sorted(set(subjects[present & pd.notna(subjects)])):
        own = present & (subjects == subject)
        seen = len(set(pictures[own & pd.notna(pictures)]))
        counts[subject] = f"{own.sum():,}" + (f" of {seen:,} pictures" if seen else "")
        if "eeg_quality" in samples.table:
            marks = samples.table.loc[subjects == subject, "eeg_quality"].fillna("")
            counts[subject] += f", {(marks != '').sum():,} marked"
    return {"epochs of EEG": counts} if counts else {}


def flat(value: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the entries of nested facts as (name, text).

    Examples
    --------
    >>> flat({"seconds": {"forest": 18.94321}, "folds": 3})
    [('seconds: forest', '18.94'), ('folds', '3')]
    """
    return [(name, _text(entry)) for name, entry in _flat(value)]


def _flat(value: Mapping[str, Any], before: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    for key, entry in value.items():
        if isinstance(entry, Mapping):
            yield from _flat(entry, (*before, str(key)))
        elif key not in LOSSES:
            yield ": ".join((*before, str(key))), entry


def _together(values: list[Any]) -> str:
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) == len(values) and len(set(numbers)) > 1:
        return f"{_text(float(np.mean(numbers)))} ({_text(min(numbers))} to {_text(max(numbers))})"
    texts = list(dict.fromkeys(_text(value) for value in values))
    return texts[0] if len(texts) == 1 else f"{len(texts)} different values"


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(_text(entry) for entry in value) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.4g}"
    if isinstance(value, int):
        return f"{value:,}"
    return "none" if value is None else str(value)
