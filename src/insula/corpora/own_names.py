"""Names that people give classes and faces of their own: which are known, which are misspelt, which are alike."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

import pandas as pd

from insula.emotions import LABEL_SPACES, SYNONYMS, normalise_label

_KNOWN = {*SYNONYMS, *(name for space in LABEL_SPACES.values() for name in space)}
_NEAR = 0.74  # of difflib: "hap" and "happy" are 0.75
_SHOWN = 5

NOBODY = (
    "nobody's identity is known, so identity was not held out: the same people may be learnt from and tested on "
    "(folders PERSON/CLASS, or a manifest with a column identity, say who is who)"
)
"""The mark of figures from pictures of unknown people."""


def usual_name(name: str) -> str:
    """Return the usual name of a class as `normalise_label` does, a number before a known name left out.

    Examples
    --------
    >>> [usual_name(name) for name in ("Happy", "3_sad", "07 - Fear", "3_d")]
    ['happiness', 'sadness', 'fear', '3_d']
    """
    plain = normalise_label(name)
    unnumbered = normalise_label(re.sub(r"^\d+[\s._-]*", "", plain))
    return unnumbered if unnumbered in _KNOWN else plain


def is_known(name: str) -> bool:
    """Return whether a name, numbered or not, is a class of one of insula's label spaces."""
    return usual_name(name) in _KNOWN


def about_names(table: pd.DataFrame, label: str, folders: Mapping[str, str]) -> list[str]:
    """Return what should be known of the names in a table of pictures, one line each.

    Parameters
    ----------
    table : DataFrame
        One row a picture, with the label column and, as far as they are known, `identity` and `part`.
    label : str
        Name of the label column.
    folders : mapping of str to str
        The class by the name of a folder; empty where there is a manifest.
    """
    counts = dict(sorted(table[label].value_counts().items(), key=lambda one: (-one[1], str(one[0]))))
    lines = [_classes(counts, folders), _unknown(counts)]
    if "part" in table:
        parts = table["part"].value_counts()
        lines += ["parts as given: " + ", ".join(f"{name} {count:,}" for name, count in parts.items())]
    lines += [_alike(table["identity"].dropna()) if "identity" in table else NOBODY]
    return [line for line in lines if line]


def _classes(counts: Mapping[str, int], folders: Mapping[str, str]) -> str:
    """Return the classes, how many pictures each has, and other names that it has in the folder."""
    others = defaultdict(list)
    for folder, name in folders.items():
        if folder != name:
            others[name].append(_plain(folder))
    classes = [
        f"{_plain(name)} {count:,}" + (f" ({', '.join(others[name])})" if name in others else "")
        for name, count in counts.items()
    ]
    return f"{len(classes)} {'class' if len(classes) == 1 else 'classes'}: {', '.join(classes)}"


def _unknown(names: Iterable[str]) -> str | None:
    """Return which classes are not known, and what they may be meant to be; None where all are known."""
    unknown = [name for name in names if not is_known(name)]
    if not unknown:
        return None
    near = {name: get_close_matches(name, _KNOWN, 1, _NEAR) for name in unknown}
    meant = {name: normalise_label(matches[0]) for name, matches in near.items() if matches}
    shown = [f"{_plain(name)} ({meant[name]}?)" if name in meant else _plain(name) for name in unknown[:_SHOWN]]
    one = next((name for name in meant if name.isprintable()), None)
    cure = f"; to join one to another, --set 'corpus.codes={{{one}: {meant[one]}}}'" if one else ""
    return f"names that are no known class stay classes of their own: {', '.join(shown)}{_more(unknown)}{cure}"


def _alike(names: Iterable[str]) -> str | None:
    """Return names of people that differ in case, blanks or zeros alone; None where none do."""
    groups = defaultdict(list)
    for name in dict.fromkeys(names):
        groups[re.sub(r"\.0$", "", name.strip().casefold()).lstrip("0")].append(_plain(name))
    alike = [" and ".join(group) for group in groups.values() if len(group) > 1]
    do = "write a person the same way everywhere"
    return f"{', '.join(alike[:_SHOWN])}{_more(alike)} count as different people: {do}" if alike else None


def _more(names: Sequence[str]) -> str:
    return f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""


def _plain(name: str) -> str:
    """Return a name as it is, one with a line break or the like in quotes."""
    return name if name.isprintable() else repr(name)
