"""What the ledger keeps, and what it refuses."""

from __future__ import annotations

import sqlite3
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from ledgers import QUESTION

from insula.emotions import Binary, Continuous
from insula.errors import DataError, MissingTierError, SettingsError
from insula.labelling.ledger import Answer, Ledger
from insula.labelling.question import Question

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ITEMS = [f"c/{number}" for number in range(9)]


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "labels" / "ledger.sqlite", QUESTION)


def asked(ledger: Ledger, *words: object, **options: object) -> list[str]:
    return [request.item for request in ledger.ask(ITEMS, *words, **options)]  # type: ignore[arg-type]


def test_nothing_is_asked_twice_and_a_round_asked_again_is_the_same_round(ledger: Ledger) -> None:
    assert asked(ledger, "one", count=3) == ITEMS[:3]
    assert asked(ledger, "two", count=3) == ITEMS[3:6]
    assert asked(ledger, "one", count=9) == ITEMS[:3]
    assert asked(ledger, "three", count=5) == ITEMS[6:]
    assert ledger.unasked(ITEMS) == []
    with pytest.raises(DataError, match="nothing is left to ask"):
        asked(ledger, "four")
    assert ledger.rounds()["round"].tolist() == ["one", "two", "three"]


def test_an_item_that_is_named_twice_is_asked_once(ledger: Ledger) -> None:
    requests = ledger.ask([ITEMS[0], ITEMS[1], ITEMS[0]], "one")
    assert [request.item for request in requests] == ITEMS[:2]


def test_one_who_is_asked_alone_is_not_asked_what_everyone_was_and_the_other_way_round(ledger: Ledger) -> None:
    asked(ledger, "all", count=2)
    assert asked(ledger, "anna", count=3, annotator="anna") == ITEMS[2:5]
    assert asked(ledger, "ben", count=3, annotator="ben") == ITEMS[2:5]
    assert asked(ledger, "anna again", count=2, annotator="anna") == ITEMS[5:7]
    assert ledger.unasked(ITEMS) == ITEMS[7:] and ledger.unasked(ITEMS, "ben") == ITEMS[5:]
    with pytest.raises(DataError, match="was asked of anna"):
        asked(ledger, "anna", annotator="ben")


def test_a_correction_stands_beside_what_it_corrects_and_counts(ledger: Ledger) -> None:
    asked(ledger, "one")
    later = Answer("c/0", "anna", "joy", NOON + timedelta(hours=1))
    assert ledger.record([later, Answer("c/0", "anna", "fear", NOON)], "file") == 2  # the order of arrival is nothing
    assert ledger.record([later], "other file") == 0
    assert ledger.answered()[["annotator", "answer"]].values.tolist() == [["anna", "joy"]]
    assert ledger.history()["answer"].tolist() == ["fear", "joy"]
    assert set(ledger.history()["source"]) == {"file"}


def test_a_skip_is_kept_and_takes_an_answer_back(ledger: Ledger) -> None:
    asked(ledger, "one")
    ledger.record([Answer("c/0", "anna", "joy", NOON), Answer("c/1", "anna", "", NOON)])
    assert ledger.rounds()["answered"].tolist() == [1]
    ledger.record([Answer("c/0", "anna", "", NOON + timedelta(minutes=1))])
    assert ledger.answered().empty and len(ledger.history()) == 3
    assert ledger.unasked(ITEMS) == []


def test_times_are_kept_in_utc(ledger: Ledger) -> None:
    asked(ledger, "one")
    ledger.record([Answer("c/0", "anna", "joy", datetime(2026, 3, 1, 14, tzinfo=timezone(timedelta(hours=2))))])
    assert ledger.answered()["answered_at"].tolist() == [NOON]
    with pytest.raises(DataError, match="no zone"):
        ledger.record([Answer("c/1", "anna", "joy", datetime(2026, 3, 1))])


def test_what_does_not_fit_is_refused_whole(ledger: Ledger) -> None:
    asked(ledger, "one", count=2)
    fine = Answer("c/0", "anna", "joy", NOON)
    for wrong, message in (
        (Answer("c/1", "anna", "awe", NOON), "no answer"),
        (Answer("c/7", "a", "joy", NOON), "asked"),
    ):
        with pytest.raises(DataError, match=message):
            ledger.record([fine, wrong])
    assert ledger.history().empty


def test_a_ledger_asks_one_question(ledger: Ledger) -> None:
    assert Ledger(ledger.place).question == QUESTION
    assert Ledger(ledger.place, QUESTION).project == ledger.project
    with pytest.raises(DataError, match="asks for emotion"):
        Ledger(ledger.place, Question(label="valence", scale=(-1, 1)))


def test_the_order_of_classes_makes_no_other_question(ledger: Ledger) -> None:
    turned = Question(label="emotion", classes=QUESTION.classes[::-1])
    assert Ledger(ledger.place, turned).question == QUESTION
    with pytest.raises(DataError, match="asks for emotion"):
        Ledger(ledger.place, Question(label="emotion", classes=QUESTION.classes[:2]))


def test_who_only_reads_writes_nothing(ledger: Ledger, tmp_path: Path) -> None:
    asked(ledger, "one", count=2)
    place = Path(ledger.place)
    before = (place.stat().st_mtime_ns, place.read_bytes(), sorted(place.parent.iterdir()))
    reader = Ledger(place)
    assert len(reader.rounds()) == 1 and reader.answered().empty
    assert (place.stat().st_mtime_ns, place.read_bytes(), sorted(place.parent.iterdir())) == before
    empty = tmp_path / "empty.sqlite"
    empty.touch()
    with pytest.raises(DataError, match="there is no ledger"):
        Ledger(empty)
    assert empty.stat().st_size == 0


@pytest.mark.parametrize("made", ["CREATE TABLE songs (title)", "CREATE TABLE insula_items (id)"])
def test_a_database_of_something_else_is_left_alone(tmp_path: Path, made: str) -> None:
    place = tmp_path / "other.sqlite"
    connection = sqlite3.connect(place)
    connection.execute(made)
    connection.close()
    before = place.read_bytes()
    with pytest.raises(DataError, match="something else") as raised:
        Ledger(place, QUESTION)
    assert "\n" not in str(raised.value) and place.read_bytes() == before


def test_a_table_of_another_shape_is_refused(ledger: Ledger) -> None:
    connection = sqlite3.connect(ledger.place)
    connection.execute("ALTER TABLE insula_items RENAME COLUMN corpus TO origin")
    connection.close()
    with pytest.raises(DataError, match="insula_items is none of a ledger's"):
        Ledger(ledger.place, QUESTION)


@pytest.mark.parametrize("name", ["an\0na", "an\ud800na"])
def test_a_name_that_no_database_keeps_is_refused(ledger: Ledger, name: str) -> None:
    with pytest.raises(DataError, match="as a name"):
        ledger.ask(ITEMS, "one", annotator=name)
    asked(ledger, "one")
    with pytest.raises(DataError, match="as a name"):
        ledger.record([Answer("c/0", name, "joy", NOON)])


def test_a_question_is_what_a_task_wants() -> None:
    assert Question.of(Binary(label="valence", threshold=5, tie="low")).classes == ("low", "high")
    rating = Question.of(Continuous(label="valence", scale=(1, 9)))
    assert rating.accepts("9.0") and not any(rating.accepts(answer) for answer in ("9.1", "nan", "high", ""))


def test_where_there_is_no_ledger_one_line_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no ledger"):
        Ledger(tmp_path / "none.sqlite")
    (tmp_path / "text.sqlite").write_text("not a database, but long enough to look like one" * 40)
    with pytest.raises(DataError, match="not a database"):
        Ledger(tmp_path / "text.sqlite")
    (tmp_path / "empty.sqlite").touch()
    with pytest.raises(DataError, match="there is no ledger"):
        Ledger(tmp_path / "empty.sqlite")
    with pytest.raises(SettingsError, match="no file"):
        Ledger(tmp_path, QUESTION)
    with pytest.raises(DataError, match="no ledger can be made"):
        Ledger(tmp_path / "text.sqlite" / "ledger.sqlite", QUESTION)


@pytest.mark.parametrize("url", [
    "postgresql://me:hush@127.0.0.1:1/labels", "postgresql+psycopg://me:hush@127.0.0.1:1/labels",
    "mysql://me:hush@127.0.0.1/labels", "postgresql://me:hush@127.0.0.1:port/labels",
])  # fmt: skip
def test_a_url_that_leads_nowhere_is_named_without_its_password(url: str) -> None:
    with pytest.raises((DataError, SettingsError)) as raised:
        Ledger(url)
    assert "hush" not in str(raised.value) and "\n" not in str(raised.value)
    assert raised.value.__context__ is None or raised.value.__suppress_context__


def test_without_psycopg_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingTierError, match=r"insula\[postgres\]"):
        Ledger("postgresql://me@127.0.0.1/labels")
