"""Recordings that went wrong once: units, references, gaps, triggers, and formats beside EDF."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from insula.corpora.recordings import Recordings, RecordingsSettings
from insula.errors import DataError
from insula.evaluation.experiment import run
from insula.evaluation.recipe import Recipe
from insula.storage.cache import Cache

EIGHT = ("Fp1", "Fp2", "F3", "F4", "C3", "C4", "O1", "O2")


def opened(root: Path, **settings: object) -> Recordings:
    return Recordings(RecordingsSettings(root=root, **{"label": None, **settings}))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("edf-unit-partial", None),
        ("edf-pol", "channels left out: POL E .*POL X1"),
        ("edf-ref-a1a2", None),
        ("edf-ref-a2", None),
        ("edf-comma-duration", None),
        ("edf-plus-d-nogap", None),
        ("edf-trailing", "500 bytes after the last record are not read"),
        ("fif-beside-edf", None),
    ],
)
def test_it_is_read_with_every_electrode_and_what_is_odd_is_told(
    case: Callable[[str], Path], name: str, note: str | None
) -> None:
    corpus = opened(case(name) / "data")
    assert corpus.check() == []
    recordings = list(corpus.recordings())
    assert all(recording.channels == EIGHT for recording in recordings)
    spread = recordings[0].read(0, 256).std(axis=1)
    assert (spread > 1).all() and (spread < 200).all(), "microvolts"
    assert any(re.search(note, one) for one in corpus.notes()) if note else not corpus.notes()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("edf-unit-mixed", r"O1, O2 \(mV\).*--set corpus\.unit=uV"),
        ("edf-unit-dotV", r"Fp1 \(unit '\.V'\).*--set corpus\.unit=uV"),
        ("edf-unit-mV-misdeclared", r"header says that values are mV, and they look like uV.*--set corpus\.unit=uV"),
        ("edf-plus-c-gap", "the first after 10 s, of 60 s"),
        ("edf-annotations-only", "no EEG in this file"),
        ("run-mixed-units", r"O1, O2 \(mV\)"),
    ],
)
def test_it_is_refused_and_said_why(case: Callable[[str], Path], name: str, words: str) -> None:
    lacks = opened(case(name) / "data").check()
    assert any(re.search(words, line) for line in lacks), lacks


@pytest.mark.parametrize("name", ["edf-unit-mixed", "edf-unit-dotV", "edf-unit-mV-misdeclared"])
def test_the_cure_that_is_printed_cures(case: Callable[[str], Path], name: str) -> None:
    corpus = opened(case(name) / "data", unit="uV")
    assert corpus.check() == []
    assert next(iter(corpus.recordings())).channels == EIGHT


def test_units_that_are_mixed_stop_a_study_too(case: Callable[[str], Path], tmp_path: Path) -> None:
    root = case("run-mixed-units") / "data"
    with pytest.raises(DataError, match=r"O1, O2 \(mV\) spread .*S05\.edf.*--set corpus\.unit=uV"):
        opened(root, preprocessing={"epoch": (0, 1)}).samples(Cache(tmp_path))


@pytest.mark.parametrize("name", ["edf-anno-beyond", "edf-neg-onset"])
def test_events_outside_the_recording_are_told(case: Callable[[str], Path], name: str) -> None:
    notes = opened(case(name) / "data", events="annotations").notes()
    assert any(re.search(r"1 annotation.*outside.*S01\.edf", note) for note in notes), notes


@pytest.mark.parametrize(("name", "channel"), [("edf-trigger-channel", "MARKER"), ("bdf-status-events", "Status")])
def test_triggers_are_named_and_read_where_that_is_asked(case: Callable[[str], Path], name: str, channel: str) -> None:
    root = case(name) / "data"
    assert any(channel in note and "events=annotations" in note for note in opened(root).notes())
    events = next(iter(opened(root, events="annotations").recordings())).events
    assert len(events) > 1 and events["onset"].is_monotonic_increasing


def test_what_is_no_recording_whatever_its_ending_is_named(case: Callable[[str], Path]) -> None:
    lacks = opened(case("cnt-vhdr-mix") / "data").check()
    assert all(any(name in line for line in lacks) for name in ("S02.xdf", "S03.gdf", "S04.cnt"))


def test_sites_of_biosemi_are_not_taken_for_electrodes(case: Callable[[str], Path]) -> None:
    lacks = opened(case("run-biosemi-common") / "data", channels="common").check()
    assert any("A1, C1, C2, C3" in line and "BioSemi" in line for line in lacks), lacks


def test_what_nobody_rated_is_no_class_of_a_run(case: Callable[[str], Path], tmp_path: Path) -> None:
    values = yaml.safe_load(
        "{name: re, corpus: {name: recordings, events: events.csv, preprocessing: {epoch: [0, 1]}}, placebos: [],"
        " protocol: {name: subject-disjoint, folds: 2}, system: {name: linear}, controls: [majority]}"
    )
    values["corpus"]["root"] = str(case("run-label-nan") / "data")
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        results = run(Recipe.complete(values, where="test"), Cache(tmp_path))
    assert set(results.passport["task"]["classes"]) == {"happiness", "sadness"}
    assert any("12 x 'nan'" in str(one.message) for one in heard)
