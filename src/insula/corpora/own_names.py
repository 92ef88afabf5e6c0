"""Names that people give classes and faces of their own: which are known, which are misspelt, which are alike."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType

import pandas as pd

from insula.emotions import LABEL_SPACES, SYNONYMS, normalise_label
from insula.protocols.spelling import JOIN, plain_name
from insula.protocols.split import PART_NAMES
from insula.storage.tables import is_missing

_CLASSES = {name for space in LABEL_SPACES.values() for name in space}
_KNOWN = {*SYNONYMS, *_CLASSES}
_NEAR = 0.74  # of difflib: "hap" and "happy" are 0.75
_SHOWN, _MOST_CLASSES, _MOST_CODES = 5, 30, 10  # numbers of more than ten values are ratings

_CODE = re.compile(r"[sr] *\d+")  # as BrainVision calls stimuli and responses

PERSON = r"(?:sub|subj|subject|participant|person|proband|ppt?|vpn?)[-_ ]?\d+"
"""Regular expression of a name that is a person's."""

SHORT = r"(?:s|p|u|id|user)[-_ ]?\d+"
"""Of one that may be a person's: s and p may be sessions and parts, too."""

_KINDS = {  # what a label may be instead of a class, and what to do
    "broken": ("labels that hold a line break or the like", "write each on one line"),
    "number": ("labels that are numbers", "name those that are classes, as in --set 'corpus.{codes}={{{one}: joy}}'"),
    "part": ("labels that are parts of a split", "they count as classes: give the column or folders of the classes"),
    "person": ("labels that are people", "they count as classes: give the column or folders of the classes"),
    "several": ("labels that are several classes in one", "each counts as a class of its own: give one label a row"),
}  # fmt: skip

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


def part_of(name: str) -> str | None:
    """Return the part of a split that a name is of; None where it is of none.

    Examples
    --------
    >>> [part_of(name) for name in ("Train", "val_set", "Testing images", "tests of fear")]
    ['train', 'validation', 'test', None]
    """
    letters = re.sub(r"[^a-z]", "", name.lower())
    return PART_NAMES.get(re.sub(r"(set|data|images|pictures|faces|split)$", "", letters))


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
    lines = about_labels(table[label].dropna(), "pictures", "codes", folders)
    if "part" in table:
        parts = table["part"].value_counts(dropna=False)
        lines += ["parts as given: " + ", ".join(f"{'in none' if name != name else name} {count:,}"
                                                 for name, count in parts.items())]  # fmt: skip
    people = table["identity"].dropna() if "identity" in table else pd.Series(dtype=str)
    if not len(people):
        return [*lines, NOBODY]
    lacking = f"; of {len(table) - len(people):,} pictures it is not said who" if len(people) < len(table) else ""
    names = people.unique()
    lines += [f"{len(names):,} {'people' if len(names) > 1 else 'person'}: {_some(names)}{lacking}"]
    spelt = alike(people)
    return [*lines, spelt] if spelt else lines


def about_labels(
    values: pd.Series, rows: str, codes: str, folders: Mapping[str, str] = MappingProxyType({})
) -> list[str]:
    """Return what should be known of the labels that people gave, one line each: counts, and what may be no class.

    Parameters
    ----------
    values : Series
        The labels, as they are written or under their usual names; its name is that of the column.
    rows : str
        What has a label, in the plural.
    codes : str
        The setting of the corpus that gives names to labels.
    folders : mapping of str to str
        The class by the name of a folder, where labels are names of folders.

    Examples
    --------
    >>> for note in about_labels(pd.Series(["Happy", "hapy", "sad/angry", "NA"], name="emotion"), "events", "codes"):
    ...     print(note)
    1 of 4 events without a label (1 x 'NA'): never learnt nor scored; give it
    3 classes: happiness 1, hapy 1, sad/angry 1
    labels that are several classes in one (sad/angry): each counts as a class of its own: give one label a row
    names that are no known class stay classes of their own: hapy (happiness?); to join one to another, --set ...
    >>> about_labels(pd.Series(["1", "2", "1"]), "events", "codes")[1]
    "labels that are numbers (1, 2): name those that are classes, as in --set 'corpus.codes={1: joy}'"
    """
    missing = is_missing(values)
    lines = []
    if missing.any():
        words = values[missing].dropna().astype("str").value_counts()
        written = f" ({', '.join(f'{count} x {word!r}' for word, count in words.items())})" if len(words) else ""
        lines.append(
            f"{missing.sum():,} of {len(values):,} {rows} without a label{written}: never learnt nor scored; give it"
        )
    values = values[~missing]
    if values.empty:
        return lines
    if pd.api.types.is_numeric_dtype(values) and (len(values.unique()) > _MOST_CODES or (values % 1 != 0).any()):
        return [*lines, f"{len(values):,} ratings from {values.min():g} to {values.max():g}"]
    words = _words(values)
    spelt = dict(zip(words, values, strict=True))  # one of the ways in which each is spelt
    counts = dict(sorted(words.value_counts().items(), key=lambda one: (-one[1], one[0])))
    lines.append(_classes(counts, folders))
    kinds = defaultdict(list)
    for name in counts:
        code = codes == "markers" and _CODE.fullmatch(name)
        kinds["number" if code else _kind(name, counts)].append(name)
    for kind, (what, do) in _KINDS.items():
        if kinds[kind]:
            one = kinds[kind][0]
            one = one if isinstance(spelt[one], float) else spelt[one]
            lines.append(f"{what} ({_some(kinds[kind])}): {do.format(codes=codes, one=one)}")
    return lines + ([_unknown(kinds["unknown"], codes)] if kinds["unknown"] else [])


def _words(values: pd.Series) -> pd.Series:
    """Return labels under their usual names, whole numbers without a point."""
    return values.map(lambda value: normalise_label(f"{value:g}" if isinstance(value, float) else value))


def _kind(name: str, names: Collection[str]) -> str:
    """Return what a label is among others: a `class` that is known, or what may be none."""
    if is_known(name):
        return "class"
    if not name.isprintable():
        return "broken"
    if re.fullmatch(r"[+-]?[\d.]+", name):
        return "number"
    if part_of(name):
        return "part"
    if re.fullmatch(f"{PERSON}|{SHORT}", name, re.I):
        return "person"
    several = [part for part in re.split(r"[\W_]+(?:(?:and|und|et)[\W_]+)?", name) if part]
    return "several" if len(several) > 1 and all(is_known(part) or part in names for part in several) else "unknown"


def _classes(counts: Mapping[str, int], folders: Mapping[str, str]) -> str:
    """Return the classes, how many rows each has, and other names that it has in the folder."""
    others = defaultdict(list)
    for folder, name in folders.items():
        if folder != name:
            others[name].append(_plain(folder))
    classes = [
        f"{_plain(name)} {count:,}" + (f" ({', '.join(others[name])})" if name in others else "")
        for name, count in [*counts.items()][:_MOST_CLASSES]
    ]
    more = f" and {len(counts) - _MOST_CLASSES} more" if len(counts) > _MOST_CLASSES else ""
    return f"{len(counts)} {'class' if len(counts) == 1 else 'classes'}: {', '.join(classes)}{more}"


def _unknown(names: Sequence[str], codes: str) -> str:
    """Return a line for classes that are not known, with what they may be meant to be."""
    near = {name: get_close_matches(name, _KNOWN, 1, _NEAR) or _begun(name) for name in names}
    meant = {name: normalise_label(matches[0]) for name, matches in near.items() if matches}
    shown = [f"{name} ({meant[name]}?)" if name in meant else name for name in names]
    one = next(iter(meant), None)
    join = f"--set 'corpus.{codes}={{{one}: {meant.get(one or '')}}}'" if codes == "codes" else "write both alike"
    cure = f"; to join one to another, {join}" if one else ""
    return f"names that are no known class stay classes of their own: {_some(shown)}{cure}"


def _begun(name: str) -> list[str]:
    """Return the class that a name of two letters or more is the beginning of, where there is one."""
    classes = [one for one in _CLASSES if one.startswith(name)] if len(name) > 1 else []
    return classes if len(classes) == 1 else []


def alike(names: Iterable[str]) -> str | None:
    """Return names of people that differ in case, blanks, zeros or `sub-` alone; None where none do."""
    groups = defaultdict(list)
    for name in dict.fromkeys(names):
        groups[plain_name(name)].append(_plain(name))
    several = [" and ".join(group) for group in groups.values() if len(group) > 1]
    do = f"write a person the same way everywhere, or join them by {JOIN}"
    return f"{_some(several)} count as different people: {do}" if several else None


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(_plain(name) for name in names[:_SHOWN]) + more


def _plain(name: str) -> str:
    """Return a name as it is, one with a line break or the like in quotes."""
    return name if name.isprintable() else repr(name)
