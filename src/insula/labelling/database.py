"""The ledger's tables, and how its database is opened."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from insula.errors import DataError, MissingTierError, SettingsError
from insula.tiers import naming_tier

with naming_tier():
    import sqlalchemy as sql
    from sqlalchemy import CheckConstraint, Column, ForeignKey, Integer, MetaData, String, Table, UniqueConstraint

WRITING = "insula_writing"
"""The option of a transaction that will write."""

_LOCK = 0x696E73756C61  # an arbitrary number that only insula uses: who holds it may make tables

_GIVEN_UP = {"40P01", "40001"}
"""SQLSTATE of what PostgreSQL took back for others' sake: deadlock_detected, serialization_failure."""

_WAITS = tuple(0.02 * 2**turn for turn in range(8))
"""Seconds before each further try, 5 s in all."""

Result = TypeVar("Result")


class _Utc(sql.types.TypeDecorator[datetime]):
    """A moment, kept in UTC, whatever the database and its time zone."""

    impl = sql.DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Return what is kept."""
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Return what was kept, with its zone."""
        return None if value is None else value.replace(tzinfo=UTC)


_TABLES = MetaData()

LEDGER = Table(
    "insula_ledger", _TABLES,
    Column("id", Integer, CheckConstraint("id = 1"), primary_key=True, autoincrement=False),
    Column("format", Integer, nullable=False),
    Column("project", String, nullable=False),
    Column("question", String, nullable=False),
    Column("changed_at", _Utc, nullable=False),
)  # fmt: skip
"""One row: which project, and what it asks."""

ITEMS = Table(
    "insula_items", _TABLES,
    Column("id", Integer, primary_key=True),
    Column("item", String, nullable=False, unique=True),
    Column("corpus", String, nullable=False),
)  # fmt: skip
"""What can be asked: a qualified id, and the fingerprint of the data it was first asked from."""

ROUNDS = Table(
    "insula_rounds", _TABLES,
    Column("id", Integer, primary_key=True),
    Column("name", String, nullable=False, unique=True),
    Column("annotator", String, nullable=False),
    Column("how", String, nullable=False),
    Column("asked_at", _Utc, nullable=False),
)  # fmt: skip
"""When items were asked together, and how they were chosen."""

REQUESTS = Table(
    "insula_requests", _TABLES,
    Column("id", Integer, primary_key=True),
    Column("item_id", ForeignKey(ITEMS.c.id), nullable=False),
    Column("round_id", ForeignKey(ROUNDS.c.id), nullable=False, index=True),
    Column("annotator", String, nullable=False),
    UniqueConstraint("item_id", "annotator"),
)  # fmt: skip
"""What was asked of whom: an item once of an annotator, or (empty) of everyone."""

ANSWERS = Table(
    "insula_answers", _TABLES,
    Column("id", Integer, primary_key=True),
    Column("item_id", ForeignKey(ITEMS.c.id), nullable=False),
    Column("annotator", String, nullable=False),
    Column("answer", String, nullable=False),
    Column("answered_at", _Utc, nullable=False),
    Column("recorded_at", _Utc, nullable=False),
    Column("source", String, nullable=False),
    UniqueConstraint("item_id", "annotator", "answered_at", "answer"),
)  # fmt: skip
"""Who said what and when, only ever added to."""


def open_engine(url: str | Path, *, new: bool) -> sql.Engine:
    """Return the engine of a ledger's database; a file for SQLite must be there unless `new`.

    Raises
    ------
    SettingsError
        Where the URL is none, or is of another database.
    MissingTierError
        Where psycopg, by which PostgreSQL is reached, is not installed.
    DataError
        Where there is no file.
    """
    address = _address(url)
    if address.get_backend_name() == "postgresql":
        return _postgresql(address)
    path = Path(address.database or "")
    if path.is_dir() or not path.name:
        raise SettingsError("the ledger is no file", where=path, do="give a file, or a URL of PostgreSQL")
    if new:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"no ledger can be made: {error.strerror}", where=path, do="check --ledger") from None
    elif not path.is_file():
        raise DataError("there is no ledger", where=path, do="make one with `insula label queue`, or give --ledger")
    place = f"file:{quote(os.fsencode(path.absolute()))}?mode={'rwc' if new else 'rw'}"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(place, uri=True)

    engine = sql.create_engine(address, poolclass=sql.NullPool, creator=connect)
    sql.event.listen(engine, "connect", _prepare)
    sql.event.listen(engine, "begin", _begin)
    return engine


def _address(url: str | Path) -> sql.URL:
    if "://" not in str(url):
        return sql.URL.create("sqlite", database=str(url))
    try:
        address = sql.make_url(str(url))
    except (sql.exc.ArgumentError, ValueError):  # its text may hold the password
        raise SettingsError("the ledger's URL cannot be read", do="write postgresql://user@host/database") from None
    kinds = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}
    kind = kinds.get(address.get_backend_name())
    if kind is None:
        what = f"a ledger cannot lie in {address.get_backend_name()}"
        raise SettingsError(what, do="give a file for SQLite, or postgresql://user@host/database")
    return address.set(drivername=kind)


def _postgresql(address: sql.URL) -> sql.Engine:
    try:
        # Said, since a database may begin its transactions otherwise: who waited in `lock` must see what others wrote.
        return sql.create_engine(
            address, poolclass=sql.NullPool, connect_args={"connect_timeout": 10}, isolation_level="READ COMMITTED"
        )
    except ImportError:
        # psycopg, or the library of PostgreSQL's own that it needs
        raise MissingTierError("psycopg", "postgres") from None


def _prepare(connection: Any, _: object) -> None:
    """Set up a connection to SQLite: it waits for others, and what it committed survives a loss of power.

    The journal is the ordinary one, so that who only reads a ledger need not be able to write beside it.
    """
    connection.isolation_level = None  # transactions begin where we say so, not where the driver sees a change
    for setting in ("busy_timeout = 60000", "synchronous = EXTRA", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {setting}")


def _begin(connection: sql.Connection) -> None:
    """Begin a transaction in SQLite; one that will write says so at once, or it might have to give up halfway."""
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get(WRITING) else "BEGIN")


def place_of(engine: sql.Engine) -> str:
    """Return where a ledger lies, without user or password."""
    url = engine.url
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    return f"PostgreSQL, {url.host or 'this machine'}{f':{url.port}' if url.port else ''}, {url.database}"


def in_transaction(engine: sql.Engine, work: Callable[[sql.Connection], Result], *, writing: bool = False) -> Result:
    """Return what `work` does in one transaction; where the database ends it for the sake of others, do it again.

    Parameters
    ----------
    engine : Engine
        Of the ledger.
    work : callable
        From a connection to a result. It must change nothing but the database, for it may be called several times.
    writing : bool
        Whether it will write: it then waits for others that do, and makes those wait that come later.

    Raises
    ------
    DataError
        Where the database cannot be used, or ended the transaction for others' sake every time.
    """
    waits = iter(_WAITS)
    while True:
        try:
            with engine.execution_options(**{WRITING: writing}).begin() as connection:
                return work(connection)
        except sql.exc.DBAPIError as error:
            given_up = getattr(error.orig, "sqlstate", None) in _GIVEN_UP
            wait = next(waits, None) if given_up else None
            if wait is None:
                message = " ".join(str(error.orig).split())
                do = "run it again when fewer programs use the ledger" if given_up else "check --ledger"
                raise DataError(f"the ledger cannot be used: {message}", where=place_of(engine), do=do) from None
        time.sleep(wait)


def lock(connection: sql.Connection) -> None:
    """Let whoever else wants to write wait until this transaction ends; what is read afterwards is up to date.

    Whoever writes to a ledger that is made takes this lock before any other, so that no two wait for each other.
    """
    connection.execute(sql.update(LEDGER).values(changed_at=datetime.now(UTC)))


def has_ledger(connection: sql.Connection) -> bool:
    """Return whether a database holds a ledger.

    Raises
    ------
    DataError
        Where a file holds tables of something else, or tables of these names in another shape.
    """
    inspector = sql.inspect(connection)
    if connection.dialect.name == "postgresql":  # where others may have tables, too
        return inspector.has_table(LEDGER.name)
    names = set(inspector.get_table_names())
    place, do = place_of(connection.engine), "give another --ledger"
    if names and LEDGER.name not in names:
        what = f"the database is of something else: it has the table {min(names)}, and no ledger"
        raise DataError(what, where=place, do=do)
    for table in _TABLES.sorted_tables if names else ():
        present = {column["name"] for column in inspector.get_columns(table.name)} if table.name in names else set()
        if present != {column.name for column in table.columns}:
            raise DataError(f"the table {table.name} is none of a ledger's", where=place, do=do)
    return bool(names)


def keepable(text: str) -> bool:
    r"""Return whether every database can keep a text: no NUL, which PostgreSQL refuses, and no half of a character.

    Examples
    --------
    >>> keepable("Zoë"), keepable("Zo\0"), keepable("Zo\ud800")
    (True, False, False)
    """
    return "\0" not in text and not any("\ud800" <= sign <= "\udfff" for sign in text)


def create_tables(connection: sql.Connection) -> None:
    """Make the tables where there is no ledger yet; of processes that do so at once, one makes them.

    The others find them made and touch nothing: even an index that is there already would lock its table, in another
    order than those who work with the ledger by then.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
    if has_ledger(connection):
        return
    for table in _TABLES.sorted_tables:
        connection.execute(sql.schema.CreateTable(table, if_not_exists=True))
        for index in table.indexes:
            connection.execute(sql.schema.CreateIndex(index, if_not_exists=True))
