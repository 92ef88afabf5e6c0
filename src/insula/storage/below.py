"""Files below a folder, links followed once, and what stands for a file that is not there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from insula.errors import DataError

_LONGEST = 1024  # bytes of a pointer or of a link that was written as text
_WAYS_OUT = {
    "annex": "git-annex has not fetched {}: cd into the folder and run git annex get . (or datalad get .)",
    "lfs": "Git LFS has not fetched {}: cd into the folder and run git lfs pull",
    "link": "links that lead nowhere: {}; copy what they stand for, or leave them out",
    "text": "links that were copied as text: {}; copy what they stand for, as with cp -rL",
    "closed": "folders that may not be opened: {}; allow reading them, or leave them out",
    "special": "no files, but pipes or devices: {}; leave them out",
    "empty": "folders that hold nothing: {}",
    "again": "links to folders that are read already, or lie above: {}; each folder is read once",
}


def files_below(root: Path) -> list[Path]:
    """Return the files below a folder, in the order of their paths, none that is hidden; linked folders are entered.

    Each folder is read once, however many links lead to it; `absent_lines` names what is not there.
    """
    return sorted(path for path, kind in _below(root) if kind == "file")


def absent_below(root: Path) -> dict[Path, str]:
    """Return what below a folder stands for files and holds none, and of which kind it is, as `absent_lines` says."""
    return {path: kind for path, kind in sorted(_below(root)) if kind != "file"}


def absent_lines(absent: Mapping[Path, str], root: Path) -> list[str]:
    """Return a line for each kind of thing that stands for files and holds none, with a way out.

    Links that lead nowhere, those of git-annex told apart, pointers of Git LFS and git-annex, links that a copy made
    texts of, folders that may not be opened or that hold nothing, pipes, and links to a folder that is read under
    another name.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> (folder / "S01.edf").symlink_to(".git/annex/objects/XYZ")
    >>> (folder / "S02").symlink_to("gone")
    >>> for line in absent_lines(absent_below(folder), folder):
    ...     print(line)
    git-annex has not fetched S01.edf: cd into the folder and run git annex get . (or datalad get .)
    links that lead nowhere: S02; copy what they stand for, or leave them out
    """
    kinds: dict[str, list[str]] = {kind: [] for kind in _WAYS_OUT}
    for path, kind in absent.items():
        kinds[kind].append(path.relative_to(root).as_posix())
    return [_WAYS_OUT[kind].format(first_of(names)) for kind, names in kinds.items() if names]


def first_of(names: Sequence[str]) -> str:
    """Return the first three of some names, and how many there are where they are more.

    Examples
    --------
    >>> first_of(["a", "b"]), first_of(["a", "b", "c", "d"])
    ('a, b', 'a, b, c and 1 more')
    """
    return ", ".join(names[:3]) + (f" and {len(names) - 3:,} more" if len(names) > 3 else "")


def not_fetched(path: Path) -> str | None:
    """Return that a file only stands for another that is not there, in words; None where it is one itself."""
    kind = _stub(path)
    return _WAYS_OUT[kind].format(path.name) if kind else None


def check_names(paths: Sequence[Path], root: Path) -> None:
    """Refuse names that no table can hold: file systems allow bytes that are no text.

    Raises
    ------
    DataError
        Naming the first.
    """
    odd = [path for path in paths if re.search("[\ud800-\udfff]", path.as_posix())]
    if odd:
        do = "rename them; convmv -f latin1 -t utf8 -r --notest FOLDER renames those of older systems"
        raise DataError(f"paths that are no UTF-8 text: {len(odd):,}", where=odd[0].relative_to(root), do=do)


def _below(root: Path) -> Iterator[tuple[Path, str]]:
    """Yield paths below a folder and what they are: a `file`, or what stands in place of one."""
    folders, links = [root], list[Path]()
    entered = set(root.resolve().parents)  # a link to what lies above is none to enter
    while folders or links:
        folder = folders.pop() if folders else links.pop()  # links once all folders are entered that are none
        if folder.resolve() in entered:
            yield folder, "again"
            continue
        entered.add(folder.resolve())
        try:
            entries = [entry for entry in sorted(folder.iterdir()) if not entry.name.startswith(".")]
        except OSError:
            yield folder, "closed"
            continue
        if not entries and folder != root:
            yield folder, "empty"
        for entry in entries:
            if entry.is_dir():
                (links if entry.is_symlink() else folders).append(entry)
            elif entry.is_file():
                yield entry, _stub(entry) or "file"
            elif entry.is_symlink() and not entry.exists():
                yield entry, "annex" if "annex/objects" in str(entry.readlink()) else "link"
            else:
                yield entry, "special"


def _stub(path: Path) -> str | None:
    """Return what a small file stands for, where it is a pointer or a link that was written as text."""
    try:
        text = path.read_bytes().decode("latin-1").strip() if path.stat().st_size <= _LONGEST else ""
    except OSError:  # which whoever reads it says
        return None
    if text.startswith("version https://git-lfs"):
        return "lfs"
    if "annex/objects/" in text:
        return "annex"
    return "text" if text.startswith(("../", "./")) and len(text.splitlines()) == 1 else None
