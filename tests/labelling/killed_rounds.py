"""A program that labels round after round, is killed at random moments, and looks whether the ledger is whole.

It runs by itself, `killed_rounds.py URL SPARE-URL FOLDER KILLS SEED`, so that the processes it forks are small.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import tempfile
from pathlib import Path

import sqlalchemy as sql
from ledgers import QUESTION, label_all, picture_pool, two_people
from PIL import Image

from insula.errors import DataError
from insula.labelling.database import open_engine
from insula.labelling.label_studio import import_export
from insula.labelling.ledger import Ledger
from insula.labelling.queue import write_queue

POOL = picture_pool(400)
ITEMS = POOL.items()
COUNT = 2


def one_round(url: str, folder: Path, number: int) -> None:
    """Ask, let two people answer, and import: each step is a command that may be given again."""
    ledger = Ledger(url, QUESTION)
    place, export = folder / f"round-{number}", folder / f"export-{number}.json"
    write_queue(ledger, POOL, ITEMS, place, count=COUNT)
    if not export.exists():
        label_all(place, export, two_people)
    import_export(ledger, export)


def calls_of_a_round(url: str) -> int:
    """Return how many functions a process calls that finds a ledger and does a round: its length on any machine."""
    count = 0

    def counted(*_: object) -> None:
        nonlocal count
        count += 1

    with tempfile.TemporaryDirectory() as name:
        one_round(url, Path(name), 1)  # makes the tables, and loads what is loaded late, for the processes to come, too
        sys.setprofile(counted)
        try:
            one_round(url, Path(name), 1 + len(Ledger(url).rounds()))
        finally:
            sys.setprofile(None)
    return count


def work(url: str, folder: Path) -> None:
    """Go on with the round that was under way, and then with further ones, without an end."""
    try:
        number = max(1, len(Ledger(url).rounds()))
    except DataError:  # killed before there was a ledger
        number = 1
    while True:
        one_round(url, folder, number)
        number += 1


def killed(url: str, folder: Path, calls: int, delay: float) -> None:
    """Start a process that works, and have it killed when it has called so many functions and `delay` seconds passed.

    So it is killed at the same places on a slow or busy machine; the short delay reaches into what a function does.
    """
    child = os.fork()
    if child == 0:

        def counted(*_: object) -> None:
            nonlocal calls
            calls -= 1
            if calls <= 0:
                sys.setprofile(None)
                signal.setitimer(signal.ITIMER_REAL, delay)

        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)  # which ends a process as SIGKILL does, whatever it is at
            sys.setprofile(counted)
            work(url, folder)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "the process ended by itself"


def whole(url: str, folder: Path) -> tuple[set, set]:
    """Look whether ledger and folders are whole, and return everything that was asked and answered."""
    try:
        ledger = Ledger(url)
    except DataError:
        assert not list(folder.glob("round-*")), "a round without a ledger"
        return set(), set()
    engine = open_engine(url, new=False)
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            assert connection.execute(sql.text("PRAGMA integrity_check")).scalars().all() == ["ok"]
            assert connection.execute(sql.text("PRAGMA foreign_key_check")).all() == []
    asked, history = ledger.requests(), ledger.history()
    assert asked["item"].is_unique, "an item was asked twice"
    by_round = asked.groupby("round")["id"].agg(set).to_dict()
    assert all(len(ids) == COUNT for ids in by_round.values()), "a round was recorded in part"
    for place in folder.glob("round-*"):
        tasks = json.loads((place / "tasks.json").read_text())
        shown = {int(one["data"]["insula"].split("/")[1]) for one in tasks}
        assert shown == by_round[place.name], "a folder does not fit its round"
        for one in tasks:
            with Image.open(folder / one["data"]["picture"].split("?d=")[1]) as picture:
                picture.verify()
    answers = set(history[["item", "annotator", "answer", "answered_at"]].itertuples(index=False, name=None))
    assert len(answers) == len(history), "an answer was recorded twice"
    exported = history.groupby("source").size()
    assert (exported == 2 * COUNT).all(), "an export was imported in part"
    return set(asked[["id", "item", "round"]].itertuples(index=False, name=None)), answers


def main(url: str, spare: str, folder: Path, kills: int, seed: int) -> None:
    """Kill, look, and kill again; at last finish what was under way."""
    longest = 3 * calls_of_a_round(spare)
    draw, asked, answers = random.Random(seed), set(), set()
    open_when_killed = 0
    for _ in range(kills):
        killed(url, folder, draw.randint(1, longest), draw.uniform(1e-6, 0.005))
        now_asked, now_answers = whole(url, folder)
        assert asked <= now_asked and answers <= now_answers, "something was lost"
        asked, answers = now_asked, now_answers
        open_when_killed += 2 * len(asked) > len(answers)
    before = Ledger(url, QUESTION).requests()
    last = max(1, before["round"].nunique())
    one_round(url, folder, last)  # the same command again
    assert len(before) == 0 or before.equals(Ledger(url).requests()), "the same command asked anew"
    one_round(url, folder, last + 1)
    asked, answers = whole(url, folder)
    assert len(answers) == 2 * len(asked) == 2 * COUNT * (last + 1)
    assert len(list(folder.glob("round-*"))) == last + 1
    print(json.dumps({"rounds": last + 1, "answers": len(answers), "open_when_killed": open_when_killed}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]))
