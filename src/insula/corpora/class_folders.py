"""Pictures in folders named as their classes: which level is the class, and which the part or the person."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from insula.corpora.own_names import PARTS, is_known, usual_name
from insula.errors import DataError


def class_folders(root: Path, paths: Sequence[Path]) -> pd.DataFrame:
    """Return what the names of folders say of the pictures in them.

    The class is the first folder, `happy/a.jpg`; deeper ones say nothing. Where all first folders are parts (`train`,
    `val`, `test` and the like, in any case), the class is the second, `train/happy/a.jpg`. Where no first folder is
    known as a class and every second one is, the first is the person, `p001/happy/a.jpg`. A validation part beside no
    test part is the test part: it is what figures are of.

    Parameters
    ----------
    root : Path
        The folder, for errors.
    paths : sequence of Path
        Of the pictures, relative to it.

    Returns
    -------
    DataFrame
        `path`, `folder` (the name of the class's folder), `label` (the usual name of the class) and, where the layout
        has them, `part` and `identity`.

    Raises
    ------
    DataError
        Where a picture lies in no class folder, or classes lie beside parts.

    Examples
    --------
    >>> paths = [Path("Test/0_angry/a.jpg"), Path("Train/0_angry/b.jpg"), Path("Train/joy/c.jpg")]
    >>> class_folders(Path("faces"), paths)[["part", "label"]].to_numpy().tolist()
    [['test', 'anger'], ['train', 'anger'], ['train', 'happiness']]
    """
    folders = [path.parts[:-1] for path in paths]
    table = pd.DataFrame({"path": [path.as_posix() for path in paths]})
    parts = [PARTS.get(names[0].lower()) if names else None for names in folders]
    if any(parts):
        for path, part in zip(paths, parts, strict=True):
            if part is None:
                first = next(name for name, part in zip(paths, parts, strict=True) if part).parts[0]
                raise DataError(f"this lies beside the part {first}", where=root / path.parts[0],
                                do=f"move it into a class folder of a part, as in {first}/happy, or away")  # fmt: skip
        if {"test", "validation"} & set(parts):
            table["part"] = parts if "test" in parts else ["train" if part == "train" else "test" for part in parts]
        folders = [names[1:] for names in folders]
    stray = next((path for path, names in zip(paths, folders, strict=True) if not names), None)
    if stray is not None:
        raise DataError("a picture outside the class folders", where=root / stray,
                        do="move it into a folder named as its class, or set manifest to a CSV file")  # fmt: skip
    deep = all(len(names) > 1 for names in folders)
    are_labels = [[is_known(name) for name in names[:2]] for names in folders]
    if deep and all(second and not first for first, second in are_labels):
        table["identity"] = [names[0] for names in folders]
        folders = [names[1:] for names in folders]
    names = [names[0] for names in folders]
    return table.assign(folder=names, label=[usual_name(name) for name in names])
