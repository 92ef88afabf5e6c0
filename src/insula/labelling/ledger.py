"""The ledger of labelling: what was asked of whom, who answered what and when; in SQLite, or in PostgreSQL by URL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pandas as pd

from insula.errors import DataError
from insula.labelling.database import (
    ANSWERS,
    ITEMS,
    LEDGER,
    REQUESTS,
    ROUNDS,
    create_tables,
    has_ledger,
    in_transaction,
    keepable,
    lock,
    open_engine,
    place_of,
)
from insula.labelling.question import Question
from insula.tiers import naming_tier

with naming_tier():
    import sqlalchemy as sql
    from sqlalchemy.dialects import postgresql, sqlite

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

FORMAT = 1

EVERYONE = ""
"""The annotator of a request that goes to whoever labels."""


@dataclass(frozen=True)
class Request:
    """One item of a round, asked of one annotator or of everyone."""

    id: int
    item: str


@dataclass(frozen=True)
class Answer:
    """What an annotator said of an item: a class or a rating as text, empty where the item was skipped.

    Parameters
    ----------
    item, annotator, answer : str
        Of what, who, and what.
    at : datetime
        When, with its time zone.
    """

    item: str
    annotator: str
    answer: str
    at: datetime


class Ledger:
    """What was asked and answered of one question, kept so that nothing is asked twice and nothing is lost.

    Every change is one transaction, so that a process may be killed at any moment, and several may work at once. What
    was asked or answered is never changed or deleted: an annotator's later answer stands beside the earlier one, and
    counts.

    Parameters
    ----------
    url : str or Path
        A file for SQLite, or `postgresql://user:password@host/database`. Several machines need PostgreSQL.
    question : Question, optional
        What is asked. A ledger that is not there yet is made for it; one that asks something else is refused. Without
        a question the ledger must be there.

    Raises
    ------
    DataError
        Where there is no ledger, it cannot be reached, the database is of something else, or it asks another question.
    SettingsError
        Where the URL is none.

    Examples
    --------
    >>> import tempfile
    >>> ledger = Ledger(Path(tempfile.mkdtemp()) / "ledger.sqlite", Question(label="emotion", classes=("fear", "joy")))
    >>> [request.item for request in ledger.ask(["c/1", "c/2", "c/3"], "round-1", count=2)]
    ['c/1', 'c/2']
    >>> ledger.unasked(["c/1", "c/2", "c/3"])
    ['c/3']
    >>> ledger.record([Answer("c/1", "anna", "joy", datetime(2026, 1, 5, tzinfo=UTC))])
    1
    >>> ledger.answered()[["item", "annotator", "answer"]].values.tolist()
    [['c/1', 'anna', 'joy']]
    """

    def __init__(self, url: str | Path, question: Question | None = None) -> None:
        self._engine = open_engine(url, new=question is not None)
        self.place = place_of(self._engine)
        about = self._about()
        if about is None and question is not None:
            self._make(question)
            about = self._about()
        if about is None:
            raise DataError("there is no ledger", where=self.place, do="make one with `insula label queue`")
        if about.format != FORMAT:
            raise DataError(f"ledger format {about.format} is unknown", where=self.place, do="update insula")
        self.project: str = about.project
        self.question = Question.model_validate_json(about.question)
        if question is not None and not question.same_as(self.question):
            do = "give another --ledger for another question"
            raise DataError(f"this ledger asks for {self.question}, not for {question}", where=self.place, do=do)

    def ask(
        self, items: Sequence[str], round: str, *, count: int | None = None, annotator: str = EVERYONE,
        corpus: str = "", how: str = "",
    ) -> list[Request]:  # fmt: skip
        """Record that items are asked in a round, and return them; a round that was asked before is returned as it was.

        Parameters
        ----------
        items : sequence of str
            Qualified ids, the most wanted first. Those that were asked before, of this annotator or of everyone, are
            passed over; where everyone is asked, those that were asked of anybody.
        round : str
            Its name.
        count : int, optional
            How many to ask at most; all of them where not given.
        annotator : str
            Who is asked.
        corpus : str
            Fingerprint of the data, kept with items that are new.
        how : str
            How they were chosen, in words.

        Raises
        ------
        DataError
            Where the round was asked of another annotator, nothing is left to ask, or a name cannot be kept; nothing is
            then recorded.
        """
        _check_names(round, annotator)

        def ask(connection: Connection) -> list[Request]:
            lock(connection)
            earlier = connection.execute(sql.select(ROUNDS).where(ROUNDS.c.name == round)).first()
            if earlier is not None:
                if earlier.annotator != annotator:
                    what = f"round {round} was asked of {earlier.annotator or 'everyone'}"
                    raise DataError(what, where=self.place, do="give the round another name")
                return _requests(connection, earlier.id)
            taken = self._taken(connection, annotator)
            chosen = [item for item in dict.fromkeys(items) if item not in taken][:count]
            if not chosen:
                raise DataError("nothing is left to ask", where=self.place, do="every item was asked before")
            now = datetime.now(UTC)
            connection.execute(self._insert(ITEMS), [{"item": item, "corpus": corpus} for item in chosen])
            ids = dict(connection.execute(sql.select(ITEMS.c.item, ITEMS.c.id)).all())
            about = {"name": round, "annotator": annotator, "how": how, "asked_at": now}
            number = connection.execute(sql.insert(ROUNDS).returning(ROUNDS.c.id), about).scalar_one()
            rows = [{"item_id": ids[item], "round_id": number, "annotator": annotator} for item in chosen]
            connection.execute(sql.insert(REQUESTS), rows)
            return _requests(connection, number)

        return in_transaction(self._engine, ask, writing=True)

    def record(self, answers: Iterable[Answer], source: str = "") -> int:
        """Add answers and return how many were new; one that is there already changes nothing.

        Parameters
        ----------
        answers : iterable of Answer
            Of items that were asked; all are recorded, or none.
        source : str
            Where they are from, for example the sha256 of a file.

        Raises
        ------
        DataError
            Where an item was never asked, an answer does not fit the question, a time has no zone, or a name cannot be
            kept.
        """
        answers = list(answers)
        _check_names(*{one.annotator for one in answers})
        for one in answers:
            if one.answer and not self.question.accepts(one.answer):
                raise DataError(f"{one.answer!r} is no answer", where=one.item, do=f"the question is {self.question}")
            if one.at.tzinfo is None:
                raise DataError("the time of an answer has no zone", where=one.item, do="give it, for example UTC")

        def record(connection: Connection) -> int:
            lock(connection)
            ids = dict(connection.execute(sql.select(ITEMS.c.item, ITEMS.c.id)).all())
            strange = [one.item for one in answers if one.item not in ids]
            if strange:
                raise DataError("an item that was never asked", where=strange[0], do="give the ledger that asked it")
            now, before = datetime.now(UTC), _count(connection)
            rows = [
                {"item_id": ids[one.item], "annotator": one.annotator, "answer": one.answer, "answered_at": one.at,
                 "recorded_at": now, "source": source}
                for one in answers
            ]  # fmt: skip
            if rows:
                connection.execute(self._insert(ANSWERS), rows)
            return _count(connection) - before

        return in_transaction(self._engine, record, writing=True)

    def answered(self) -> pd.DataFrame:
        """Return the answers that count, the latest of each annotator and item: those skipped last are left out.

        Returns
        -------
        DataFrame
            Columns `item`, `annotator`, `answer` (text) and `answered_at` (UTC), in the order of asking.
        """
        latest = self.history().drop_duplicates(["item", "annotator"], keep="last")
        return latest[latest["answer"] != ""].drop(columns=["recorded_at", "source"]).reset_index(drop=True)

    def history(self) -> pd.DataFrame:
        """Return every answer ever recorded, corrections after what they correct; a skip is an empty `answer`.

        Returns
        -------
        DataFrame
            Columns `item`, `annotator`, `answer`, `answered_at`, `recorded_at` and `source`.
        """
        columns = ("annotator", "answer", "answered_at", "recorded_at", "source")
        query = (
            sql.select(ITEMS.c.item, *(ANSWERS.c[name] for name in columns))
            .join_from(ANSWERS, ITEMS)
            .order_by(ITEMS.c.id, ANSWERS.c.annotator, ANSWERS.c.answered_at, ANSWERS.c.id)
        )
        return self._table(query, ["item", *columns])

    def requests(self) -> pd.DataFrame:
        """Return what was asked, in that order: columns `id`, `item`, `round`, `annotator` and `asked_at`."""
        query = (
            sql.select(REQUESTS.c.id, ITEMS.c.item, ROUNDS.c.name, REQUESTS.c.annotator, ROUNDS.c.asked_at)
            .join_from(REQUESTS, ITEMS)
            .join(ROUNDS)
            .order_by(REQUESTS.c.id)
        )
        return self._table(query, ["id", "item", "round", "annotator", "asked_at"])

    def rounds(self) -> pd.DataFrame:
        """Return a line a round: `round`, `annotator`, `how`, `asked_at`, `asked` (items) and `answered` (of these)."""
        query = sql.select(ROUNDS.c.name, ROUNDS.c.annotator, ROUNDS.c.how, ROUNDS.c.asked_at).order_by(ROUNDS.c.id)
        rounds = self._table(query, ["round", "annotator", "how", "asked_at"])
        asked, answers = self.requests(), self.answered()
        pairs = set(zip(answers["item"], answers["annotator"], strict=True))
        anybody = {item for item, _ in pairs}
        done = [
            (item, who) in pairs if who else item in anybody
            for item, who in zip(asked["item"], asked["annotator"], strict=True)
        ]
        counts = asked.assign(done=done).groupby("round")["done"].agg(["size", "sum"])
        return rounds.assign(
            asked=counts["size"].reindex(rounds["round"]).to_numpy(),
            answered=counts["sum"].reindex(rounds["round"]).to_numpy(),
        )

    def unasked(self, ids: Iterable[str], annotator: str = EVERYONE) -> list[str]:
        """Return the ids that `ask` would still ask of an annotator, in their order."""
        taken = in_transaction(self._engine, lambda connection: self._taken(connection, annotator))
        return [item for item in ids if item not in taken]

    def _about(self) -> sql.Row | None:
        """Return what the ledger says of itself; None where it is not made yet."""

        def about(connection: Connection) -> sql.Row | None:
            return connection.execute(sql.select(LEDGER)).first() if has_ledger(connection) else None

        return in_transaction(self._engine, about)

    def _make(self, question: Question) -> None:
        """Make the tables and their first row, unless another process was faster."""
        first = {"id": 1, "format": FORMAT, "project": uuid4().hex, "question": question.model_dump_json()}

        def make(connection: Connection) -> None:
            create_tables(connection)
            if connection.execute(sql.select(LEDGER)).first() is None:
                connection.execute(sql.insert(LEDGER), {**first, "changed_at": datetime.now(UTC)})

        in_transaction(self._engine, make, writing=True)

    def _insert(self, table: sql.Table) -> sqlite.Insert | postgresql.Insert:
        """Return an insert that leaves out what the table's unique constraints say is there already."""
        dialect = sqlite if self._engine.dialect.name == "sqlite" else postgresql
        return dialect.insert(table).on_conflict_do_nothing()

    def _taken(self, connection: Connection, annotator: str) -> set[str]:
        """Return the items that must not be asked of an annotator again."""
        query = sql.select(ITEMS.c.item).join_from(REQUESTS, ITEMS)
        if annotator != EVERYONE:
            query = query.where(REQUESTS.c.annotator.in_((EVERYONE, annotator)))
        return set(connection.execute(query).scalars())

    def _table(self, query: sql.Select, columns: list[str]) -> pd.DataFrame:
        rows = in_transaction(self._engine, lambda connection: connection.execute(query).all())
        return pd.DataFrame([tuple(row) for row in rows], columns=columns)


def _check_names(*names: str) -> None:
    for name in names:
        if not keepable(name):
            raise DataError(f"{name!r} cannot be kept as a name", do="give one without control characters, in UTF-8")


def _requests(connection: Connection, number: int) -> list[Request]:
    query = sql.select(REQUESTS.c.id, ITEMS.c.item).join_from(REQUESTS, ITEMS).where(REQUESTS.c.round_id == number)
    return [Request(*row) for row in connection.execute(query.order_by(REQUESTS.c.id))]


def _count(connection: Connection) -> int:
    return connection.execute(sql.select(sql.func.count()).select_from(ANSWERS)).scalar_one()
