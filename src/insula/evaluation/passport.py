"""The passport of a result: what another person needs to know, and no more, to repeat and to trust it."""

from __future__ import annotations

import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from insula.errors import printable
from insula.evaluation.wording import protocol_in_words, selection_in_words
from insula.protocols.protocol import Protocol
from insula.protocols.split import Split
from insula.storage.code import code_version
from insula.storage.hashing import digest

LIBRARIES = (
    "torch", "torchvision", "timm", "scikit-learn", "mne", "numpy", "scipy", "pandas",
    "ai-edge-litert", "openTSNE",
)  # fmt: skip
"""Libraries whose version can change a figure."""

_AUDITED = ("checks", "leaks", "warnings")

# an absolute or relative place on a disk, on any system; the path of a web address is left alone
_PATH = re.compile(
    r"file:/+[^\s'\",;)]+|(?<![\w/.:<])(?:~|\.\.?)?/(?!/)[\w.][^\s'\",;)]*|(?<!\w)[A-Za-z]:\\[^\s'\",;)]*"
)


def plain(value: Any) -> Any:
    """Return a value as JSON knows it, every path on this machine's disks replaced by `(path)`, without credentials.

    Control characters are spelt out.

    Examples
    --------
    >>> plain({"root": Path("/somewhere/faces"), "r2": np.float32(0.5), "from": "https://example.org/a"})
    {'root': '(path)', 'r2': 0.5, 'from': 'https://example.org/a'}
    >>> plain("labels from postgresql://anna:secret@example.org/labels")
    'labels from postgresql://example.org/labels'
    """
    if isinstance(value, Mapping):
        return {printable(str(key)): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(entry) for entry in (sorted(value, key=str) if isinstance(value, set | frozenset) else value)]
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, float) and not np.isfinite(value):
        return None
    if value is None or isinstance(value, bool | int | float):
        return value
    text = re.sub(r"(?<=://)[^\s/'\"]*@", "", printable(str(value)))
    return "(path)" if isinstance(value, Path) else _PATH.sub("(path)", text)


def build_passport(
    *,
    recipe: Mapping[str, Any],
    corpus: Mapping[str, Any],
    task: Mapping[str, Any],
    protocol: Protocol,
    splits: Sequence[Split],
    audits: Sequence[Mapping[str, Any]],
    data_fingerprints: Sequence[str],
    seeds: Sequence[int],
) -> dict[str, Any]:
    """Return the passport of a run: no host name, no user name and no path.

    Parameters
    ----------
    recipe, corpus, task : mapping
        The recipe as it was written, all settings of its corpus, and the task with its classes.
    protocol : Protocol
        By which the splits were made.
    splits : sequence of Split
        Every fold of every repeat.
    audits : sequence of mapping
        What each audit found: `leaks`, `warnings`, `checks`.
    data_fingerprints : sequence of str
        Of the data of each repeat.
    seeds : sequence of int
        Every seed.

    Examples
    --------
    >>> from insula.protocols.protocol import protocol
    >>> record = build_passport(recipe={"name": "demo", "corpus": {"root": "/somewhere/faces"}}, corpus={}, task={},
    ...                         protocol=protocol("identity-disjoint"), splits=[], audits=[], data_fingerprints=["ab"],
    ...                         seeds=[0])
    >>> record["recipe"]["settings"], record["audit"]["leaks"]
    ({'name': 'demo', 'corpus': {'root': '(path)'}}, [])
    """
    settings = plain(recipe)
    records = [plain(audit) for audit in audits]
    findings = {name: sorted({text for audit in records for text in audit.get(name, ())}) for name in _AUDITED}
    labels = "ratings" if task.get("kind") == "continuous" else "classes"
    practice = "leaking split" if protocol.as_published or findings["leaks"] else str(settings.get("practice", ""))
    return {
        "as_published": bool(practice),
        "practice": practice,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "task": plain(task),
        "protocol": {"description": protocol_in_words(protocol, labels), **plain(protocol.model_dump(mode="json"))},
        "selection": selection_in_words(protocol),
        "test_inputs_used": protocol.target.kind == "unlabelled",
        "audit": {"sha256": digest(records), **findings},
        "splits": {"sha256": digest([split.digest() for split in splits]), "number": len(splits)},
        "recipe": {"sha256": digest(settings), "settings": settings},
        "corpus": plain(corpus),
        "data": sorted(set(data_fingerprints)),
        "seeds": [int(seed) for seed in seeds],
        "code": {"version": code_version(), **commit()},
        "libraries": library_versions(),
        "platform": {
            "system": platform.system(),
            "machine": platform.machine(),
            "python": platform.python_version(),
        },
    }


def library_versions() -> dict[str, str]:
    """Return the version of each installed library that can change a figure."""
    versions = {}
    for name in LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def commit() -> dict[str, Any]:
    """Return the commit of insula's own checkout and whether its files were changed since; empty outside of one."""
    here = Path(__file__).parent
    # a user's own repository may hold the environment: only one that tracks this very file is insula's
    if _git("ls-files", "--error-unmatch", Path(__file__).name, at=here) is None:
        return {}
    changed = _git("status", "--porcelain", "--", "..", at=here)
    return {"commit": _git("rev-parse", "HEAD", at=here), "changed": bool(changed)}


def _git(*words: str, at: Path) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(at), *words], capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
