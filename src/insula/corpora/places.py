"""Where a corpus lies on this computer."""

from __future__ import annotations

import os
from pathlib import Path

from insula.errors import SettingsError


def corpus_folder(root: Path | None, name: str) -> Path:
    """Return the folder of a corpus: `root` itself or `root/name`, `root` being `INSULA_DATA` where not given.

    Raises
    ------
    SettingsError
        Where neither is given.
    """
    if root is None:
        if not os.environ.get("INSULA_DATA"):
            raise SettingsError("no folder given", where=name, do="set root, or the variable INSULA_DATA")
        root = Path(os.environ["INSULA_DATA"])
    return root / name if (root / name).is_dir() else root
