"""Pictures in folders named as their classes: which level is the class, and which the part or the person."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from insula.corpora.own_names import PERSON, SHORT, is_known, part_of, usual_name
from insula.errors import DataError

_FOLD = re.compile(r"(?:cv|fold|split)[-_ ]?\d+", re.I)
_SHOWN = 5


def class_folders(root: Path, paths: Sequence[Path]) -> pd.DataFrame:
    """Return what the names of folders say of the pictures in them.

    The class is the first folder, `happy/a.jpg`. Where all folders of a level are parts (`train`, `val`, `test` and the
    like, in any case), the class is one of the others, `train/happy/a.jpg` or `happy/train/a.jpg`. Where no first
    folder is known as a class and half of the names of a deeper level are, that is the class and the first the person,
    `p001/happy/a.jpg` or `p001/day1/happy/a.jpg`; folders below the classes are people where they are named so, as in
    `happy/p001/a.jpg`. One folder that holds all the others says nothing. A validation part beside no test part is the
    test part: it is what figures are of.

    Parameters
    ----------
    root : Path
        The folder, for errors.
    paths : sequence of Path
        Of the pictures, relative to it.

    Returns
    -------
    DataFrame
        `path`, `folder` (the name of the class's folder), `below` (that of the folder in it, empty where there is
        none), `label` (the usual name of the class) and, where the layout has them, `part` and `identity`.

    Raises
    ------
    DataError
        Where a picture lies in no class folder, or classes lie beside parts, or within folds.

    Examples
    --------
    >>> paths = [Path("Test/0_angry/a.jpg"), Path("Train/0_angry/b.jpg"), Path("Train/joy/c.jpg")]
    >>> class_folders(Path("faces"), paths)[["part", "label"]].to_numpy().tolist()
    [['test', 'anger'], ['train', 'anger'], ['train', 'happiness']]
    """
    table = pd.DataFrame({"path": [path.as_posix() for path in paths]})
    folders = [list(path.parts[:-1]) for path in paths]
    parts = _take_parts(root, paths, folders)
    if {"test", "validation"} & set(parts):
        table["part"] = parts if "test" in parts else ["train" if part == "train" else "test" for part in parts]
    while len(_names(folders, 0)) == 1 and _names(folders, 1) and not _means_something(folders[0][0]):
        folders = [names[1:] for names in folders]
    stray = next((path for path, names in zip(paths, folders, strict=True) if not names), None)
    if stray is not None:
        raise DataError("a picture outside the class folders", where=root / stray,
                        do="move it into a folder named as its class, or set manifest to a CSV file")  # fmt: skip
    level = _class_level(folders)
    below = [names[level + 1] if len(names) > level + 1 else "" for names in folders]
    if level:
        table["identity"] = [names[0] for names in folders]
        if all(map(_FOLD.fullmatch, _names(folders, 0))):
            raise DataError("classes lie within folds", where=root / paths[0].parts[0],
                            do="give the folder of one fold, or a manifest with a column part")  # fmt: skip
    elif all(re.fullmatch(f"{PERSON}|{SHORT}", name, re.I) for name in below):
        table["identity"] = below
    names = [names[level] for names in folders]
    return table.assign(folder=names, below=below, label=[usual_name(name) for name in names])


def about_below(table: pd.DataFrame) -> str | None:
    """Return that folders of one name lie in several classes, which may be people; None where none do, or they are."""
    if "identity" in table:
        return None
    classes = defaultdict(set)
    for folder, below in zip(table["folder"], table["below"], strict=True):
        classes[below].add(folder)
    again = [name for name in classes if name and len(classes[name]) > 1]
    if not again:
        return None
    more = f" and {len(again) - _SHOWN} more" if len(again) > _SHOWN else ""
    named = f"folders of one name in several classes ({', '.join(again[:_SHOWN])}{more})"
    return f"{named} say nothing: if they are people, put them first, PERSON/CLASS, so that they can be kept apart"


def _take_parts(root: Path, paths: Sequence[Path], folders: list[list[str]]) -> list[str]:
    """Take the level of parts out of the folders, and return the part of each picture; empty where there is none."""
    named = [[part_of(name) for name in names] for names in folders]
    levels = [next((level for level, part in enumerate(one) if part), None) for one in named]
    level = min((one for one in levels if one is not None), default=None)
    if level is None:
        return []
    example = paths[levels.index(level)].parts[level]
    for path, one in zip(paths, named, strict=True):
        if len(one) <= level or not one[level]:
            do = f"move it into a class folder of a part, as in {example}/happy, or away"
            raise DataError(f"this lies beside the part {example}", where=root / Path(*path.parts[: level + 1]), do=do)
    for names in folders:
        del names[level]
    return [str(one[level]) for one in named]


def _names(folders: Sequence[Sequence[str]], level: int) -> set[str]:
    """Return the names of a level; none where a picture lies above it."""
    deep = all(len(names) > level for names in folders)
    return {names[level] for names in folders} if deep else set()


def _means_something(name: str) -> bool:
    return is_known(name) or bool(re.fullmatch(f"{PERSON}|{SHORT}", name, re.I))


def _class_level(folders: Sequence[Sequence[str]]) -> int:
    """Return the level of the classes: the first, unless a deeper one alone has names that are known."""
    if any(map(is_known, _names(folders, 0))):
        return 0
    for level in range(1, min(map(len, folders))):
        names = _names(folders, level)
        if 2 * sum(map(is_known, names)) >= len(names):
            return level
    return 0
