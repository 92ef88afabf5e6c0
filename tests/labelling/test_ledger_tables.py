"""The tables that a ledger gives: their columns, their order, and the times in them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ledgers import QUESTION

from insula.errors import DataError
from insula.labelling.ledger import Answer, Ledger

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Give one in which the round of one person follows that of everyone, and names do not come in their order."""
    ledger = Ledger(tmp_path / "ledger.sqlite", QUESTION)
    ledger.ask(["c/9", "c/1"], "second to none", how="entropy")
    ledger.ask(["c/5", "c/4", "c/3"], "first", annotator="zoe")
    return ledger


def test_requests_are_listed_as_they_were_asked(ledger: Ledger) -> None:
    requests = ledger.requests()
    assert list(requests) == ["id", "item", "round", "annotator", "asked_at"]
    assert requests["id"].is_monotonic_increasing and requests["id"].is_unique
    assert requests["item"].tolist() == ["c/9", "c/1", "c/5", "c/4", "c/3"]
    assert requests["annotator"].tolist() == ["", "", "zoe", "zoe", "zoe"]
    assert requests["round"].tolist() == ["second to none"] * 2 + ["first"] * 3
    again = ledger.ask(["c/5"], "first", annotator="zoe")
    assert [request.id for request in again] == requests["id"].tolist()[2:]
    now = datetime.now(UTC)
    for asked_at in (requests["asked_at"], ledger.rounds()["asked_at"]):
        assert all(timedelta(0) <= now - one < timedelta(minutes=10) for one in asked_at), "in UTC"


def test_a_round_counts_what_it_asked_and_what_whom_it_asked_answered(ledger: Ledger) -> None:
    ledger.record([Answer("c/9", "anna", "joy", NOON), Answer("c/9", "ben", "joy", NOON)])
    ledger.record([Answer("c/5", "zoe", "fear", NOON), Answer("c/4", "anna", "fear", NOON)])
    ledger.record([Answer("c/3", "zoe", "", NOON)])
    rounds = ledger.rounds()
    assert list(rounds) == ["round", "annotator", "how", "asked_at", "asked", "answered"]
    assert rounds["round"].tolist() == ["second to none", "first"]
    assert rounds["annotator"].tolist() == ["", "zoe"]
    assert rounds["how"].tolist() == ["entropy", ""]
    assert rounds["asked"].tolist() == [2, 3]
    assert rounds["answered"].tolist() == [1, 1], "of zoe's three she answered one, and skipped one"


def test_counts_stand_beside_their_round_in_whatever_order_names_come(ledger: Ledger) -> None:
    ledger.record([Answer("c/5", "zoe", "fear", NOON), Answer("c/4", "zoe", "fear", NOON)])
    assert ledger.rounds()[["round", "answered"]].to_numpy().tolist() == [["second to none", 0], ["first", 2]]


def test_answers_follow_the_order_of_asking_then_the_names_then_the_times(ledger: Ledger) -> None:
    later = NOON + timedelta(hours=1)
    ledger.record([Answer("c/1", "zoe", "joy", later), Answer("c/1", "anna", "joy", later)])
    ledger.record([Answer("c/1", "anna", "fear", NOON), Answer("c/9", "mia", "neutral", later)], "export")
    history = ledger.history()
    assert list(history) == ["item", "annotator", "answer", "answered_at", "recorded_at", "source"]
    wanted = [("c/9", "mia", "neutral"), ("c/1", "anna", "fear"), ("c/1", "anna", "joy"), ("c/1", "zoe", "joy")]
    assert [tuple(row) for row in history[["item", "annotator", "answer"]].to_numpy()] == wanted
    assert history["source"].tolist() == ["export", "export", "", ""]
    now = datetime.now(UTC)
    assert all(timedelta(0) <= now - one < timedelta(minutes=10) for one in history["recorded_at"])
    answered = ledger.answered()
    assert list(answered) == ["item", "annotator", "answer", "answered_at"] and answered.index.tolist() == [0, 1, 2]
    assert answered["answer"].tolist() == ["neutral", "joy", "joy"]


def test_of_two_answers_at_one_time_the_one_recorded_later_counts(ledger: Ledger) -> None:
    ledger.record([Answer("c/9", "anna", "joy", NOON)])
    ledger.record([Answer("c/9", "anna", "fear", NOON)])
    assert ledger.answered()["answer"].tolist() == ["fear"]


def test_an_empty_ledger_has_its_columns_and_a_name_of_its_own(tmp_path: Path) -> None:
    ledger, other = (Ledger(tmp_path / f"{name}.sqlite", QUESTION) for name in ("ledger", "other"))
    assert ledger.project == Ledger(tmp_path / "ledger.sqlite").project != other.project
    assert list(ledger.rounds()) == ["round", "annotator", "how", "asked_at", "asked", "answered"]
    assert ledger.rounds().empty and ledger.requests().empty and ledger.answered().empty


def test_a_name_that_cannot_be_kept_is_refused_wherever_it_stands(ledger: Ledger) -> None:
    for words, options in ((("a\0b",), {}), (("round",), {"annotator": "a\0b"})):
        with pytest.raises(DataError, match="cannot be kept as a name"):
            ledger.ask(["c/8"], *words, **options)  # type: ignore[arg-type]
