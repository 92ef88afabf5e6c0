"""Where BIDS sets of emotion keep the labels of a trial: beside the events, among them, or in the README."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from insula.corpora.recording_files import NAMES
from insula.emotions import normalise_label
from insula.errors import DataError
from insula.storage.settings import Settings
from insula.storage.tables import read_table

Scale = tuple[float, float]
Rated = Mapping[str, Mapping[str, float | None]]
"""A person's ratings by stimulus."""
Lists = Mapping[tuple[str, str], Sequence[str]]
"""Codes of stimuli by person and context."""


class Ratings(Settings):
    """Ratings in a table of behaviour, `sub-X/beh/*_beh.tsv`, one row a stimulus.

    Parameters
    ----------
    stimulus : str
        The table's column that names the stimulus.
    scales : mapping of str to (low, high)
        Columns that are labels, and their scales.
    """

    stimulus: str
    scales: dict[str, Scale]


class Answers(Settings):
    """Ratings among the events: a code for each question, and one for each answer.

    Parameters
    ----------
    questions : mapping of str to str
        From codes to the labels they ask for.
    first, last : int
        The codes of the answers 1 and up; the answer is the code less `first` plus one.
    within : float
        Seconds between a question's code and its answer's, at most.
    """

    questions: dict[str, str]
    first: int
    last: int
    within: float


class Order(Settings):
    """Codes of stimuli in the order of play, listed in the set's README for each person and context.

    Parameters
    ----------
    emotions : mapping of str to str
        From the letters of a code to the emotion: `joy5` is `joy`.
    contexts : mapping of str to str
        From how a trial's start is called to how the README calls it.
    """

    emotions: dict[str, str]
    contexts: dict[str, str]


def check_scale(value: float, name: str, scale: Scale, where: object) -> float:
    """Return a rating on its scale.

    Raises
    ------
    DataError
        If it is off the scale.
    """
    if not scale[0] <= value <= scale[1]:
        what = f"{name} is {value:g}, off its scale of {scale[0]:g} to {scale[1]:g}"
        raise DataError(what, where=where, do="fetch it again")
    return value


def same_stimulus(name: object) -> str:
    """Return what a stimulus is called whatever the spelling: a file's name without suffix, in lower case.

    Examples
    --------
    >>> same_stimulus("neutral_1.mp4"), same_stimulus("12.m4v"), same_stimulus("1_2")
    ('neutral1', '12', '1_2')
    """
    return re.sub(r"(?<=[a-z])_(?=\d)", "", re.sub(r"\.\w+$", "", str(name).strip().lower()))


def rated(root: Path, subject: str, ratings: Ratings) -> Rated:
    """Return a person's ratings by stimulus (`same_stimulus`); empty where there is no table of the person's.

    Raises
    ------
    DataError
        If a column is missing, a stimulus is named twice, or a rating is off its scale.
    """
    paths = sorted((root / f"sub-{subject}").rglob("*_beh.tsv"))
    answers: dict[str, dict[str, float | None]] = {}
    for path in paths:
        table = read_table(path, NAMES)
        absent = [name for name in (ratings.stimulus, *ratings.scales) if name not in table]
        if absent:
            raise DataError(f"no column {absent[0]!r}", where=path, do=f"its columns are {', '.join(table.columns)}")
        for row in table.to_dict("records"):
            name = same_stimulus(row[ratings.stimulus])
            if name in answers:
                raise DataError(f"stimulus {name!r} is rated twice", where=path, do="keep one row a stimulus")
            answers[name] = {}
            for column, scale in ratings.scales.items():
                cell = row[column]
                try:
                    value = None if pd.isna(cell) else check_scale(float(cell), column, scale, path)
                except ValueError:
                    raise DataError(f"{column} is {cell!r}, no number", where=path, do="fetch it again") from None
                answers[name][column] = value
    return answers


def answered(
    events: pd.DataFrame, starts: np.ndarray, answers: Answers, where: object
) -> list[dict[str, float | None]]:
    """Return the answers given after each start and before the next, the last one where a question has several.

    Parameters
    ----------
    events : DataFrame
        Columns `onset` and `code` (text).
    starts : float array, (trials,)
        Seconds, in order.

    Raises
    ------
    DataError
        If a question is answered by no code between `first` and `last`, but by one of the same hundred.
    """
    labels: list[dict[str, float | None]] = [dict.fromkeys(answers.questions.values()) for _ in starts]
    codes = pd.to_numeric(events["code"], errors="coerce").to_numpy()
    onset = events["onset"].to_numpy()
    asked = events["code"].isin(list(answers.questions)).to_numpy()
    answer_rows = np.flatnonzero(codes // 100 == answers.first // 100)
    for row in answer_rows if asked.any() else []:
        question = np.flatnonzero(asked)[np.argmin(np.abs(onset[asked] - onset[row]))]
        trial = int(np.searchsorted(starts, onset[row], side="right")) - 1
        if trial < 0 or abs(onset[question] - onset[row]) > answers.within:
            continue
        if not answers.first <= codes[row] <= answers.last:
            what = f"answer code {codes[row]:g} at {onset[row]:g} s"
            raise DataError(what, where=where, do=f"answers are {answers.first} to {answers.last}: fetch it again")
        labels[trial][answers.questions[events["code"].iloc[question]]] = float(codes[row] - answers.first + 1)
    return labels


def listed(root: Path) -> Lists:
    """Return the lists of codes in a README by person ("03") and context: "imagery", "video", or "" for both.

    A list stands in backticks after a number ("3.") or, of later people, after "sub56" and "Imagery sequence".

    Raises
    ------
    DataError
        If there is no README, or it has no such list.
    """
    paths = [path for path in sorted(root.glob("*")) if path.name.lower() in ("readme.md", "readme")]
    if not paths:
        raise DataError("no README: it lists which stimulus was played when", where=root, do="fetch README.md")
    orders: dict[tuple[str, str], list[str]] = {}
    person, context = "", ""
    for line in paths[0].read_text(encoding="utf-8", errors="replace").splitlines():
        numbered, named = re.match(r"\s*(\d+)\. ", line), re.search(r"\bsub(\d+)\b", line)
        if numbered or named:
            person, context = f"{int((numbered or named)[1]):02d}", ""  # type: ignore[index]  # one of them matched
        heading = re.search(r"(imagery|video) sequence", line, re.IGNORECASE)
        context = heading[1].lower() if heading else context
        codes = re.search(r"`\[(.*)\]`", line)
        if codes and person:
            orders[person, context] = re.findall(r"'(\w+)'", codes[1])
    if not orders:
        raise DataError("no list of stimuli", where=paths[0], do="fetch the README of the set again")
    return orders


def of_person(lists: Lists, person: str, context: str | None) -> Sequence[str]:
    """Return a person's codes in a context; one list may be that of both contexts, and none is an empty one."""
    return lists.get((person, context or ""), lists.get((person, ""), ()))


def in_order(
    order: Order, lists: Lists, person: str, starts: Sequence[str], root: Path
) -> list[tuple[str | None, str | None]]:
    """Return stimulus and emotion of each of a person's trials, missing where the README lists another number of them.

    Parameters
    ----------
    starts : sequence of str
        How each trial's start is called, in the order of play.

    Raises
    ------
    DataError
        If a code is of no known emotion.
    """
    named: list[tuple[str | None, str | None]] = [(None, None)] * len(starts)
    for start, context in order.contexts.items():
        places = [place for place, name in enumerate(starts) if name == start]
        codes = of_person(lists, person, context)
        if len(codes) != len(places):
            continue
        for place, code in zip(places, codes, strict=True):
            emotion = order.emotions.get(code.rstrip("0123456789"))
            if emotion is None:
                what = f"stimulus {code!r} of person {person} is of no known emotion"
                raise DataError(what, where=f"{root}, README", do="fetch the README of the set again")
            named[place] = (f"{start} {code}", normalise_label(emotion))
    return named
