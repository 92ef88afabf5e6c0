"""Saved folders: every file hashed in a manifest, checked before anything is read; systems as plain values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from insula.errors import BundleError
from insula.storage.estimators import load_estimator, save_estimator  # noqa: F401
from insula.storage.hashing import digest, sha256_of

if TYPE_CHECKING:
    from insula.storage.settings import Settings

MANIFEST = "manifest.json"
_SYSTEM = "system.yaml"


def seal(folder: Path, **about: Any) -> None:
    """Write `manifest.json`: facts about the folder and the sha256 and size of each file in it."""
    files = {
        str(path.relative_to(folder)): {"sha256": sha256_of(path), "bytes": path.stat().st_size}
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }
    content = json.loads(json.dumps({**about, "files": files}))
    (folder / MANIFEST).write_text(json.dumps({**content, "sha256": digest(content)}, indent=2) + "\n")


def verify(folder: Path) -> dict[str, Any]:
    """Return the manifest of a sealed folder after checking every file against it.

    Raises
    ------
    BundleError
        Where the manifest is absent or unreadable, a file is missing or altered, or one was added.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise BundleError("no bundle here", where=folder, do="give a folder that `insula fit` wrote")
    try:
        manifest = json.loads(path.read_text())
        sealed = manifest.pop("sha256")
        files = {name: str(fact["sha256"]) for name, fact in manifest["files"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise BundleError("the manifest cannot be read", where=path, do="copy the bundle again") from None
    if digest(manifest) != sealed:
        raise BundleError("the manifest was altered", where=path, do="use the original, or fit it again")
    present = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and p.name != MANIFEST}
    for name, sha256 in files.items():
        if name not in present:
            raise BundleError("a file of the bundle is missing", where=folder / name, do="copy the bundle again")
        if sha256_of(folder / name) != sha256:
            raise BundleError("the bundle was altered", where=folder / name, do="use the original, or fit it again")
    for name in sorted(present - set(files)):
        raise BundleError("the bundle holds a file that is not its own", where=folder / name, do="remove it")
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
