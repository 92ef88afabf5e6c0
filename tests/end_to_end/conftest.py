"""The command, called as a person would, in this process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NamedTuple

import pytest

from insula.cli import main

TINY = [
    "corpus.pictures=140", "corpus.identities=20", "corpus.subjects=2", "system.encoder=linear", "system.trees=10",
    "system.folds=2", "repeats=1", "system.penalties=[0.01, 1.0]",
]  # fmt: skip
"""Changes that make the recipe bmci a matter of seconds."""


class Said(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def insula(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    def call(*words: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["insula", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        code = ended.value.code
        return Said(code if isinstance(code, int) else 0, out, err)

    return call


def sets(changes: list[str]) -> list[str]:
    return [word for change in changes for word in ("--set", change)]
