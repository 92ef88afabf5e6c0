"""The ledger survives whatever ends a process, and many processes at once; on SQLite, and on PostgreSQL where it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from secrets import token_hex

import pytest
from ledgers import QUESTION
from postgres_server import new_database

from insula.labelling.ledger import Answer, Ledger

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent

ENDS_WITHIN = 1200
"""Seconds after which a process is taken to hang; less than a minute where nobody else is at work."""


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], str]:
    """Return what makes a URL of a name."""
    if request.param == "sqlite":
        return lambda name: str(tmp_path / f"{name}.sqlite")
    running = request.getfixturevalue("postgresql")
    return lambda name: new_database(running, f"{name}_{token_hex(4)}")


def python(*words: object) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent)]), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, *map(str, words)], env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def test_killed_at_fifty_random_moments_the_ledger_is_whole_and_nothing_is_asked_again(
    database: Callable[[str], str], tmp_path: Path
) -> None:
    rounds = tmp_path / "rounds"
    rounds.mkdir()
    process = python(HERE / "killed_rounds.py", database("ledger"), database("spare"), rounds, 50, 7)
    out, err = process.communicate(timeout=ENDS_WITHIN)
    assert process.returncode == 0, err
    told = json.loads(out)
    assert told["rounds"] > 5 and told["open_when_killed"] > 5  # the moments were such that they could do harm


def test_both_databases_keep_the_same(database: Callable[[str], str]) -> None:
    url = database("ledger")
    ledger = Ledger(url, QUESTION)
    asked = [request.item for request in ledger.ask(["c/ä", "c/1", "c/2"], "one", count=2, corpus="x", how="at random")]
    assert asked == ["c/ä", "c/1"]
    early = datetime(2026, 3, 1, 14, 0, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
    said = [Answer("c/ä", "anna", "joy", early), Answer("c/ä", "anna", "fear", early + timedelta(seconds=1)),
            Answer("c/1", "ben", "", early)]  # fmt: skip
    assert (ledger.record(said, "file"), ledger.record(said, "again")) == (3, 0)
    assert ledger.history()[["item", "annotator", "answer", "source"]].values.tolist() == [
        ["c/ä", "anna", "joy", "file"], ["c/ä", "anna", "fear", "file"], ["c/1", "ben", "", "file"],
    ]  # fmt: skip
    again = Ledger(url)
    assert again.project == ledger.project and again.question == QUESTION
    assert again.history()["answered_at"][0] == datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
    assert again.rounds()[["round", "annotator", "how", "asked", "answered"]].values.tolist() == [
        ["one", "", "at random", 2, 1]
    ]
    assert again.unasked(["c/2", "c/1"]) == ["c/2"]


ASKING = """
import sys
from ledgers import QUESTION
from insula.errors import DataError
from insula.labelling.ledger import Ledger
items = [f"c/{number}" for number in range(32)]
for number in range(100):
    try:
        Ledger(sys.argv[1], QUESTION).ask(items, f"{sys.argv[2]}-{number}", count=4)
    except DataError as error:
        assert "nothing is left" in str(error), error
        break
"""


def test_processes_that_ask_at_once_share_the_items_among_them(database: Callable[[str], str]) -> None:
    url = database("ledger")
    processes = [python("-c", ASKING, url, name) for name in "abc"]
    ended = [process.communicate(timeout=ENDS_WITHIN) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], ended
    asked = Ledger(url, QUESTION).requests()
    assert sorted(asked["item"]) == sorted(f"c/{number}" for number in range(32))
    assert (asked.groupby("round").size() == 4).all()
