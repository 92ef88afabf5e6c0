"""A folder of one's own in place of a recipe: pictures or recordings, and the recipe that suits what lies in it."""

from __future__ import annotations

from pathlib import Path

from insula.eeg.reading import SUFFIXES as RECORDINGS
from insula.errors import DataError
from insula.faces.pictures import SUFFIXES as PICTURES
from insula.faces.pictures import passed_over


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
    endings = {path.suffix.lower() for path in folder.rglob("*") if path.is_file()}
    if endings & set(RECORDINGS):
        return "recordings"
    if endings & PICTURES:
        return "pictures"
    do = passed_over(folder) or f"known endings are {' '.join(sorted({*RECORDINGS, *PICTURES}))}"
    raise DataError("neither recordings nor pictures lie here", where=folder, do=do)
