"""What a ledger in PostgreSQL does where others hold locks: it waits for few, and begins again where it was given up.

Who holds what is arranged by connections of the test's own, so that nothing depends on how fast anybody is.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from secrets import token_hex

import pytest
import sqlalchemy as sql
from ledgers import QUESTION
from postgres_server import new_database

from insula.errors import DataError
from insula.labelling import database
from insula.labelling.ledger import FORMAT, Ledger

pytestmark = pytest.mark.slow
psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ITEMS = [f"c/{number}" for number in range(4)]
SOON = 120
"""Seconds within which even a busy machine does it; waiting for a lock would take for ever."""


@pytest.fixture
def url(postgresql: str) -> str:
    return new_database(postgresql, f"locks_{token_hex(4)}")


@pytest.fixture
def other(url: str) -> Iterator[psycopg.Connection]:
    """Return a connection in a transaction, which looks for deadlocks later than anybody else."""
    with psycopg.connect(url) as connection:
        connection.execute("SET deadlock_timeout = '10min'")
        connection.commit()
        yield connection
        connection.rollback()


@pytest.fixture
def aside() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as threads:
        yield threads


def wait_for_waiting(url: str, count: int) -> None:
    """Return when so many connections to a database wait for a lock."""
    late = time.monotonic() + SOON
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with psycopg.connect(url, autocommit=True) as connection:
        while connection.execute(query).fetchone() != (count,):
            assert time.monotonic() < late, "nobody waits"
            time.sleep(0.01)


def eager(url: str) -> str:
    """Return the URL for somebody who looks for deadlocks at once, and whom the database therefore gives up."""
    return f"{url}?options=-c%20deadlock_timeout%3D10ms"


def test_a_round_that_the_database_gave_up_for_a_deadlock_is_asked_again(
    url: str, other: psycopg.Connection, aside: ThreadPoolExecutor
) -> None:
    ledger = Ledger(eager(url), QUESTION)
    other.execute("LOCK TABLE insula_requests IN SHARE MODE")  # as making an index does
    with psycopg.connect(url) as third:
        third.execute("LOCK TABLE insula_items IN SHARE MODE")
        asking = aside.submit(ledger.ask, ITEMS, "one", count=2)  # has the ledger's lock, and waits for the items
        wait_for_waiting(url, 1)
        locking = aside.submit(other.execute, "UPDATE insula_ledger SET format = format")  # waits for who is asking
        wait_for_waiting(url, 2)
    locking.result(SOON)  # so it was the other one that was given up
    other.commit()
    assert [request.item for request in asking.result(SOON)] == ITEMS[:2]
    assert ledger.requests()["item"].tolist() == ITEMS[:2]


def test_a_transaction_given_up_for_another_is_begun_again_and_not_without_end(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_WAITS", (0.0, 0.0))
    engine = database.open_engine(url, new=False)
    for code, tries in (("40P01", 3), ("40001", 3), ("53100", 1)):  # the last one is a full disk
        begun = []

        def work(connection: object, code: str = code, begun: list = begun) -> None:
            begun.append(connection)
            connection.exec_driver_sql(f"DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{code}'; END $$")

        with pytest.raises(DataError, match="the ledger cannot be used: no"):
            database.in_transaction(engine, work)
        assert len(begun) == tries


def test_who_finds_the_ledger_just_made_waits_for_nobody_at_work(url: str, aside: ThreadPoolExecutor) -> None:
    """It used to lock a table in another order than who was asking by then, and one of them was given up."""
    with database.open_engine(url, new=False).connect() as faster:
        faster.exec_driver_sql(f"SELECT pg_advisory_lock({database._LOCK})")
        slower = aside.submit(Ledger, url, QUESTION)  # found no ledger, and waits to make one
        wait_for_waiting(url, 1)
        database.create_tables(faster)
        row = {"id": 1, "format": FORMAT, "project": "p", "question": QUESTION.model_dump_json(), "changed_at": NOON}
        faster.execute(sql.insert(database.LEDGER), row)
        faster.commit()
        database.lock(faster)  # and now it asks
        faster.exec_driver_sql("LOCK TABLE insula_requests IN ROW EXCLUSIVE MODE")  # as an insert does
        faster.exec_driver_sql(f"SELECT pg_advisory_unlock({database._LOCK})")
        assert slower.result(SOON).project == "p"
        faster.rollback()


def test_a_database_that_begins_its_transactions_otherwise_makes_no_difference(
    url: str, other: psycopg.Connection, aside: ThreadPoolExecutor
) -> None:
    name = url.rsplit("/", 1)[1]
    other.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'")
    other.commit()
    first, second = Ledger(url, QUESTION), Ledger(url, QUESTION)
    other.execute("LOCK TABLE insula_rounds IN SHARE MODE")
    one = aside.submit(first.ask, ITEMS, "one", count=2)  # has the ledger's lock
    wait_for_waiting(url, 1)
    two = aside.submit(second.ask, ITEMS, "two", count=2)  # waits for it
    wait_for_waiting(url, 2)
    other.commit()
    assert [request.item for request in one.result(SOON)] == ITEMS[:2]
    assert [request.item for request in two.result(SOON)] == ITEMS[2:]
