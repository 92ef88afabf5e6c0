"""Cases of recordings: BIDS as it is met, links, labels that are missing, doubled events, names of variables."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from insula.cli import app
from insula.corpora.catalogue import corpus
from insula.storage.cache import Cache

Case = Callable[[str], Path]
BIDS, EVENTS = "label=trial_type", "events=events.csv"


@pytest.mark.parametrize(
    ("name", "setting", "line"),
    [
        ("bids-derivatives-desc", BIDS, "2 .edf outside the raw EEG of the BIDS tree are not read"),
        ("bids-person-twice", BIDS, "participants.tsv has several rows of one session or person (sub-01)"),
        ("bids-chan-units", BIDS, "channels.tsv says V of Fp1"),
        ("bids-events-none", BIDS, "no events are told, so recordings are cut into windows, and no label trial_type"),
        ("bids-like-folder", BIDS, "the path 'sub-01/rec' does not fit the pattern '{subject}'"),
        ("bids-like-folder", "who={subject}/{session}", "nothing is broken"),
        ("bv-renamed", "events=annotations", "write DataFile=S01.eeg in it"),
        ("rec-links", "who={subject}", "links that were copied as text: S02"),
        ("ev-labels-nan", EVENTS, "2 of 4 events without a label (1 x 'nan', 1 x 'NA')"),
        ("ev-labels-none", EVENTS, "2 of 4 events without a label (1 x 'None', 1 x 'null')"),
        ("ev-label-missing", EVENTS, "1 of 4 events without a label"),
        ("ev-dup", EVENTS, "events that are there twice: 1"),
        ("ev-quoted-newline", EVENTS, "labels that hold a line break or the like ('hap\\npy')"),
        ("run-label-nan", EVENTS, "2 classes: happiness 24, sadness 24"),
        ("cnt-vhdr-mix", "events=none", "S04.cnt"),
    ],
)
def test_check_names_it(case: Case, name: str, setting: str, line: str) -> None:
    words = ["corpora", "check", "recordings", str(case(name) / "data"), "--set", setting]
    answer = CliRunner().invoke(app, words)
    assert line in answer.output + str(answer.exception)


def test_variables_of_seed_are_named(case: Case) -> None:
    answer = CliRunner().invoke(app, ["corpora", "check", "seed", str(case("seed-key-underscore") / "data")])
    assert answer.exit_code == 2 and "its variables are s1_eeg_1, s1_eeg_2" in answer.output


def test_who_is_typed_as_advised(case: Case) -> None:
    one = corpus("recordings", root=case("who-as-advised") / "data", who="{subject}_{session}", label=None)
    assert {(one.subject, one.session) for one in one.recordings()} == {  # type: ignore[attr-defined]
        (person, session) for person in ("S1", "S2") for session in "12"
    }


def test_a_mark_spelt_otherwise_reaches_its_channel(case: Case) -> None:
    one = corpus("recordings", root=case("bids-chan-bad-missed") / "data", label="trial_type")
    assert [recording.bad for recording in one.recordings()] == [("Fp1",), ("Fp1",)]  # type: ignore[attr-defined]


def test_no_label_is_no_class(case: Case, tmp_path: Path) -> None:
    shutil.copytree(case("ev-labels-nan") / "data", tmp_path / "data")
    with pytest.warns(UserWarning, match="without a label"):
        samples = corpus("recordings", root=tmp_path / "data", events="events.csv").samples(Cache(tmp_path / "cache"))
    assert set(samples.table["emotion"].dropna()) == {"happiness"}


def test_one_person_as_fif_and_one_as_edf_are_two(case: Case) -> None:
    one = corpus("recordings", root=case("fif-beside-edf") / "data", label=None)
    assert [recording.subject for recording in one.recordings()] == ["S01", "S02"]  # type: ignore[attr-defined]
