"""Who is in which recording, by what the files are called, where their names leave no doubt."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from insula.corpora.own_names import PERSON, SHORT
from insula.corpora.recording_files import who_and_when
from insula.errors import DataError

_PERSON, _SHORT = re.compile(PERSON, re.I), re.compile(SHORT, re.I)
_NUMBER = re.compile(r"\d{2,}")
_JOINED = re.compile(r"[A-Za-z]+\d+([A-Za-z]+)\d+")  # as in S001R02


def guess_who(names: Sequence[str], people: Collection[str] = ()) -> str:
    """Return the pattern (`RecordingsSettings.who`) that says who is in which recording.

    Parameters
    ----------
    names : sequence of str
        Paths of the recordings below their root, without suffix.
    people : collection of str
        Names of people in a table; a pattern must then find all of them.

    Raises
    ------
    DataError
        Where names that several recordings share may be those of people, of sessions or of conditions.

    Examples
    --------
    >>> guess_who(["S01_rest", "S01_task", "S02_rest"]), guess_who(["S01/rest", "S02/rest"]), guess_who(["a", "b"])
    ('{subject}_{session}', '{subject}/{session}', '{subject}')
    >>> guess_who(["anna_1", "anna_2", "bert_1"])
    Traceback (most recent call last):
    ...
    insula.errors.DataError: who is in which recording is not clear (anna_1, anna_2, bert_1): add --set ...
    >>> guess_who(["anna_1", "anna_2", "bert_1"], people={"anna", "bert"})
    '{subject}_{session}'
    """
    partitions = _partitions(names)
    if people:
        fitting = [pattern for pattern, persons in partitions.items() if set(people) <= set(persons)]
        return fitting[0] if fitting else next(iter(partitions))
    clear = [pattern for pattern in partitions if _leaves_no_doubt(pattern, partitions[pattern])]
    whole = [pattern for pattern in partitions if len(set(partitions[pattern])) == len(names)]
    coarse = [pattern for pattern in partitions if 1 < len(set(partitions[pattern])) < len(names)]
    if clear and all(_same(partitions[pattern], partitions[clear[0]]) for pattern in clear):
        return clear[0]
    if whole and not (clear or coarse):
        return whole[0]
    do = " or ".join(f"--set 'corpus.who={pattern}'" for pattern in (*coarse[:2], *whole[:1]) or partitions)
    some = ", ".join(names[:3]) + (" and so on" if len(names) > 3 else "")
    raise DataError("who is in which recording is not clear", where=some, do=f"add {do}, or subjects to the table")


def _partitions(names: Sequence[str]) -> dict[str, list[str]]:
    """Return for each pattern that may be meant the person of each recording."""
    above = _above(names)
    joined = {match and match[1] for match in (_JOINED.fullmatch(name.removeprefix(above)) for name in names)}
    marks = ["/"] if all("/" in name.removeprefix(above) for name in names) else ["_", "-", ".", " "]
    marks += [mark for mark in joined if mark and len(joined) == 1]
    patterns = ["{subject}", *(f"{{subject}}{mark}{{session}}" for mark in marks), f"{{session}}{marks[0]}{{subject}}"]
    partitions = {}
    for pattern in patterns:
        pairs = [who_and_when(name, above + pattern) for name in names]
        if None not in pairs and len(set(pairs)) == len(names):
            partitions[above + pattern] = [pair[0] for pair in pairs if pair]
    return partitions or {above + "{subject}": list(names)}


def _above(names: Sequence[str]) -> str:
    """Return the folder that all recordings lie in, with a slash, "" where there is none."""
    shared = []
    for folders in zip(*(name.split("/")[:-1] for name in names), strict=False):
        if len(set(folders)) > 1:
            break
        shared.append(folders[0])
    person = shared and (_PERSON.fullmatch(shared[0]) or _SHORT.fullmatch(shared[0]))
    return "" if person else "".join(f"{folder}/" for folder in shared)


def _leaves_no_doubt(pattern: str, persons: Sequence[str]) -> bool:
    first = "{session}" not in pattern.partition("{subject}")[0]
    kinds = [_PERSON, *([_SHORT, _NUMBER] if first or len(set(persons)) == len(persons) else [])]
    return any(all(kind.fullmatch(person) for person in persons) for kind in kinds)


def _same(one: Sequence[str], other: Sequence[str]) -> bool:
    """Say whether two lists put the same recordings together."""
    return len(set(zip(one, other, strict=True))) == len(set(one)) == len(set(other))
