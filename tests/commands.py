"""What tests say to the command, and what it answers."""

from __future__ import annotations

from typing import NamedTuple

TINY = [
    "corpus.pictures=140", "corpus.identities=20", "corpus.subjects=2", "system.encoder=linear", "system.trees=10",
    "system.folds=2", "repeats=1", "system.penalties=[0.01, 1.0]",
]  # fmt: skip
"""Changes that make the recipe bmci a matter of seconds."""


class Said(NamedTuple):
    code: int
    out: str
    err: str


def sets(changes: list[str]) -> list[str]:
    return [word for change in changes for word in ("--set", change)]
