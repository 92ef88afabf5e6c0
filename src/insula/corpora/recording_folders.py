"""What lies in a folder of recordings: which files are recordings, in a BIDS tree or not, and what is not read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from insula.eeg.reading import SUFFIXES, suffix_of
from insula.storage.below import absent_below, absent_lines, files_below, first_of

_IN_TREE = ("sub-*/eeg/sub-*_eeg.*", "sub-*/ses-*/eeg/sub-*_eeg.*")
_RAW = re.compile(r"(sub-[^_/]+)/(?:(ses-[^_/]+)/)?eeg/\1_(?:\2_)?(?:.+_)?eeg")
_DERIVED = re.compile(r".*[-_](epo|ave|ica|cov|fwd|inv|trans|src|proj|eve|annot|bem|sol|tfr)(-\d+)?\.fif(\.gz)?", re.I)
_PARTS = {".eeg": ".vhdr", ".vmrk": ".vhdr", ".fdt": ".set"}  # of recordings, by the ending of their headers
_FOLDERS = (".mff", ".ds", ".zarr")  # recordings that are folders
_BESIDE = {
    "", ".csv", ".tsv", ".txt", ".md", ".rst", ".json", ".yaml", ".yml", ".xml", ".pdf", ".doc", ".docx", ".html",
    ".png", ".jpg", ".jpeg", ".gif", ".bmp", ".svg", ".tif", ".tiff", ".webp", ".mp4", ".avi", ".mov", ".mkv", ".wav",
    ".mp3", ".py", ".m", ".r", ".ipynb", ".sh", ".log", ".ini", ".toml", ".db", ".bib",
}  # fmt: skip


def is_bids(root: Path) -> bool:
    """Say whether a folder is the root of a BIDS tree, with EEG where BIDS has it."""
    return any(True for pattern in _IN_TREE for _ in root.glob(pattern))


def recordings_below(root: Path) -> list[Path]:
    """Return the files below a folder that are recordings: in a BIDS tree its raw EEG, of a split FIF the first part.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> names = "sub-1/eeg/sub-1_task-a_eeg.edf", "derivatives/x/sub-1/eeg/sub-1_task-a_desc-x_eeg.edf", "sub-2/a.edf"
    >>> for path in (folder / name for name in names):
    ...     path.parent.mkdir(parents=True)
    ...     path.touch()
    >>> [path.name for path in recordings_below(folder)], [path.name for path in recordings_below(folder / "sub-2")]
    (['sub-1_task-a_eeg.edf'], ['a.edf'])
    """
    return _raw(root, _recorded(files_below(root)))


def _raw(root: Path, recorded: Sequence[Path]) -> list[Path]:
    if not is_bids(root):
        return list(recorded)
    raw = [path for path in recorded if "fif" not in path.suffix]  # BIDS has EEG in no FIF
    return [path for path in raw if _RAW.fullmatch(_below(path.with_suffix(""), root))]


def _recorded(paths: Sequence[Path]) -> list[Path]:
    recordings = [path for path in paths if suffix_of(path) in SUFFIXES and not _DERIVED.fullmatch(path.name)]
    names = set(recordings)
    return [path for path in recordings if path.suffix.lower() != ".fif" or _first_part(path) not in names - {path}]


def _first_part(path: Path) -> Path:
    """Return the file that a part of a split FIF goes on from, as MNE and BIDS name them."""
    return path.with_name(re.sub(r"-\d+(?=\.fif$)|(?<=_split-)\d+", _one, path.name, flags=re.I))


def _one(number: re.Match[str]) -> str:
    return "" if number[0].startswith("-") else "1".rjust(len(number[0]), "0")


def unread(root: Path) -> list[str]:
    """Return what below a folder is not read, a line a kind of file with its number, and whose recordings thus lack.

    Tables, texts, pictures and films do not count, nor what lies in a BIDS tree beside its EEG.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> for name in ("S01_raw.fif", "S01-epo.fif", "S02.abc", "S03.abc"):
    ...     (folder / name).touch()
    >>> unread(folder)
    ['1 -epo.fif is not read: S01-epo.fif', '2 .abc are not read: S02.abc, S03.abc']
    """
    paths, bids = files_below(root), is_bids(root)
    recorded = _recorded(paths)
    read, headers = set(_raw(root, recorded)), {(path.parent, suffix_of(path)) for path in recorded}
    kinds: dict[str, list[str]] = {}
    for path in (path for path in paths if path not in read):
        name, kind = _kind(path.relative_to(root), path in recorded)
        in_place = not bids or path in recorded or path.parent.name == "eeg"
        if kind and in_place and (path.parent, _PARTS.get(kind)) not in headers:
            kinds.setdefault(kind, []).append(name)
    absent = absent_below(root)
    lines = [f"{len(names)} {kind} {'is' if len(names) == 1 else 'are'} not read: {first_of(names)}"
             for kind, names in ((kind, [*dict.fromkeys(names)]) for kind, names in kinds.items())]  # fmt: skip
    places = {path.relative_to(root).parts[0] for path in read if path.parent != root}
    others = [*(name for names in kinds.values() for name in names), *(_below(path, root) for path in absent)]
    people = (
        {path.name for path in root.glob("sub-*/")} if bids else {name.split("/")[0] for name in others if "/" in name}
    )
    lost = sorted(people - places) if places else []
    return [*lines, *absent_lines(absent, root), *([f"no recording is read of {first_of(lost)}"] if lost else [])]


def _below(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _kind(path: Path, is_recording: bool) -> tuple[str, str | None]:
    """Return what a file belongs to that is not read, and how it is called by its ending; None of a document."""
    whole = next((folder for folder in path.parents if folder.suffix.lower() in _FOLDERS), path)
    derived = _DERIVED.fullmatch(path.name)
    if derived:
        return path.as_posix(), f"-{derived[1].lower()}.fif"
    if is_recording:
        return path.as_posix(), f"{suffix_of(path)} outside the raw EEG of the BIDS tree"
    ending = "".join(path.suffixes[-2:]).lower() if path.suffix.lower() in (".gz", ".zip") else whole.suffix.lower()
    return whole.as_posix(), None if ending in _BESIDE else ending
