"""A folder of one's own in place of a recipe: pictures or recordings, and the recipe that suits what lies in it."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from insula.corpora.recording_folders import unread
from insula.eeg.reading import SUFFIXES as RECORDINGS
from insula.eeg.reading import suffix_of
from insula.errors import DataError
from insula.faces.pictures import SUFFIXES as PICTURES
from insula.faces.pictures import passed_over
from insula.storage.below import files_below


def recipe_name(folder: Path) -> str:
    """Return the recipe that suits a folder: `recordings` where EEG lies in it, `pictures` where only pictures do.

    Raises
    ------
    DataError
        Where there is neither.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> (folder / "joy").mkdir()
    >>> (folder / "joy" / "a.jpg").touch()
    >>> recipe_name(folder)
    'pictures'
    """
    endings = {suffix_of(path) for path in files_below(folder)}
    if endings & set(RECORDINGS):
        return "recordings"
    if endings & PICTURES:
        return "pictures"
    do = (
        "; ".join(unread(folder))
        or passed_over(folder)
        or f"known endings are {' '.join(sorted({*RECORDINGS, *PICTURES}))}"
    )
    raise DataError("neither recordings nor pictures lie here", where=folder, do=do)


def understood(values: dict[str, Any]) -> dict[str, Any]:
    """Return the plain values of a recipe about recordings of one's own, what it leaves open found out.

    Warns
    -----
    UserWarning
        Saying in one line what was understood.
    """
    from insula.corpora.own_recordings import understand

    corpus = {key: value for key, value in values["corpus"].items() if key != "name"}
    task = {"kind": "categorical", **(values.get("task") or {})}
    folder = understand(corpus, task.get("label"), classes=task["kind"] == "categorical")
    warnings.warn(folder.summary, stacklevel=3)
    values = {**values, "corpus": {"name": "recordings", **folder.settings}, "task": {**task, "label": folder.label}}
    protocol = values["protocol"]
    if folder.people == 1 and isinstance(protocol, dict) and protocol.get("name") == "loso":
        values["protocol"] = {**protocol, "name": "trial-disjoint"}
        warnings.warn("one person: whole trials are held out, nothing is said of other people", stacklevel=3)
    return values
