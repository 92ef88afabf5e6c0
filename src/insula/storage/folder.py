"""Saved folders: every file hashed in a manifest, checked before anything is read; systems as plain values."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from insula.errors import BundleError
from insula.storage.estimators import load_estimator, save_estimator  # noqa: F401
from insula.storage.hashing import digest, sha256_of

if TYPE_CHECKING:
    from insula.storage.settings import Settings

MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
_LARGEST = 1 << 26  # bytes of a manifest
_SYSTEM = "system.yaml"


def contents(folder: Path) -> dict[str, Path]:
    """Return the files of a folder by name, without its manifest and signature; of folders those that are empty.

    Raises
    ------
    BundleError
        Where something lies there that is neither a file nor a folder, such as a link, or a folder cannot be read.
    """
    files, folders = {}, [folder]
    try:
        while folders:
            place = folders.pop()
            with os.scandir(place) as entries:
                inside = list(entries)
            if not inside and place != folder:
                files[f"{place.relative_to(folder).as_posix()}/"] = place
            for entry in inside:
                path = Path(entry.path)
                if entry.is_dir(follow_symlinks=False):
                    folders.append(path)
                elif not entry.is_file(follow_symlinks=False):
                    raise BundleError("this is neither a file nor a folder", where=path, do="remove it")
                elif path not in (folder / MANIFEST, folder / SIGNATURE):
                    files[path.relative_to(folder).as_posix()] = path
    except OSError as error:
        raise BundleError(
            f"a folder cannot be read: {error.strerror}", where=folder, do="check its permissions"
        ) from None
    return files


def seal(folder: Path, **about: Any) -> None:
    """Write `manifest.json`: facts about the folder and the sha256 and size of each file in it."""
    files = {name: _fact(path) for name, path in sorted(contents(folder).items())}
    content = json.loads(json.dumps({**about, "files": files}))
    (folder / MANIFEST).write_text(
        json.dumps({**content, "sha256": digest(content)}, indent=2) + "\n", encoding="utf-8"
    )


def _fact(path: Path) -> dict[str, Any]:
    return {"sha256": sha256_of(path), "bytes": path.stat().st_size} if path.is_file() else {}


def verify(folder: Path) -> dict[str, Any]:
    """Return the manifest of a sealed folder after checking every file against it.

    Raises
    ------
    BundleError
        Where the manifest is absent or unreadable, or does not list exactly what is there: a file is missing or
        altered, or a file, link or empty folder was added.
    """
    path, again = folder / MANIFEST, "copy the bundle again"
    try:
        there = path.is_file()
    except OSError as error:
        what = f"the bundle cannot be read: {error.strerror}"
        raise BundleError(what, where=folder, do="check its permissions") from None
    if not there:
        raise BundleError("no bundle here", where=folder, do="give a folder that `insula fit` wrote")
    present = contents(folder)
    try:
        if path.stat().st_size > _LARGEST:
            raise ValueError
        manifest = json.loads(path.read_text(encoding="utf-8"))
        sealed, files = manifest.pop("sha256"), dict(manifest["files"].items())
        altered = digest(manifest) != sealed
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise BundleError("the manifest cannot be read", where=path, do=again) from None
    if altered:
        raise BundleError("the manifest was altered", where=path, do="use the original, or fit it again")
    for name, fact in files.items():
        if name not in present:
            raise BundleError("a file is missing", where=folder / name, do=again)
        try:
            whole = _fact(present[name]) == fact
        except OSError as error:
            what = f"a file cannot be read: {error.strerror}"
            raise BundleError(what, where=folder / name, do=again) from None
        if not whole:
            raise BundleError("a file was altered", where=folder / name, do="use the original, or fit it again")
    for name in sorted(present.keys() - files.keys()):
        raise BundleError("a file was added", where=folder / name, do="remove it")
    return manifest


class Rebuilt:
    """An object that is saved as the attributes it consists of, plain values and estimators."""

    def parts(self) -> dict[str, Any]:
        """Return what `of` rebuilds it from."""
        return dict(vars(self))

    @classmethod
    def of(cls, parts: dict[str, Any]) -> Self:
        """Rebuild a saved one."""
        rebuilt = cls.__new__(cls)
        rebuilt.__dict__.update(parts)
        return rebuilt


def save_system(folder: Path, kind: str, settings: Settings, task: Settings, /, **about: Any) -> None:
    """Write the name of a system's class, its settings, its task and further plain values to `system.yaml`."""
    import yaml

    values = {
        "class": kind,
        "settings": settings.model_dump(mode="json"),
        "task": task.model_dump(mode="json"),
        **about,
    }
    (folder / _SYSTEM).write_text(yaml.safe_dump(values, sort_keys=False))


def load_system(folder: Path, kind: str) -> dict[str, Any]:
    """Read what `save_system` wrote of a class of systems, as plain values.

    Raises
    ------
    BundleError
        Where it wrote nothing there, or another class.
    """
    import yaml

    path = folder / _SYSTEM
    if not path.is_file():
        raise BundleError("no system was saved here", where=folder, do="give a folder that `save` wrote")
    try:
        about = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError):
        about = None
    if not isinstance(about, dict) or about.get("class") != kind:
        other = about.get("class") if isinstance(about, dict) else None
        what = f"this is no saved {kind}{f', but a {other}' if isinstance(other, str) else ''}"
        raise BundleError(what, where=folder, do="give a folder that a system of this class was saved to")
    return about
