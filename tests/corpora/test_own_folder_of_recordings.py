"""What a folder of recordings means where nobody says it: people, tables, labels, and how signals are cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mne
import numpy as np
import pandas as pd
import pytest

from insula.corpora.catalogue import corpus
from insula.corpora.own_recordings import OwnRecordings, understand
from insula.corpora.recording_people import guess_who
from insula.errors import DataError
from insula.evaluation.recipe import Recipe
from insula.storage.cache import Cache

RATE = 100


def write(root: Path, *names: str, seconds: float = 8.0, notes: tuple[str, ...] = ()) -> None:
    """Write noise of two electrodes as FIF under each name; notes are two seconds apart."""
    for name in names:
        path = root / f"{name}_raw.fif"
        path.parent.mkdir(parents=True, exist_ok=True)
        values = 12e-6 * np.random.default_rng(len(name)).standard_normal((2, int(seconds * RATE)))
        raw = mne.io.RawArray(values, mne.create_info(["Fz", "Pz"], RATE, "eeg"), verbose="error")
        raw.set_annotations(mne.Annotations(np.arange(len(notes)) * 2 + 1.0, 0, list(notes)))
        raw.save(path, verbose="error")


def table(path: Path, separator: str = ",", **columns: Any) -> None:
    pd.DataFrame(columns).to_csv(path, index=False, sep=separator)


def understood(root: Path, label: str | None = None, **settings: Any) -> OwnRecordings:
    return understand({"root": str(root), **settings}, label)


@pytest.mark.parametrize(
    ("names", "who"),
    [
        (("S01_rest", "S01_task", "S02_rest"), "{subject}_{session}"),
        (("sub-01_task-a", "sub-02_task-a"), "{subject}_{session}"),
        (("S01/rest", "S01/task", "S02/rest"), "{subject}/{session}"),
        (("S01/day-1/rest", "S01/day-2/rest"), "{subject}/{session}"),
        (("eeg/S01", "eeg/S02"), "eeg/{subject}"),
        (("S001R01", "S001R02", "S002R01"), "{subject}R{session}"),
        (("01_rest", "01_task", "02_rest"), "{subject}_{session}"),
        (("anna", "bert"), "{subject}"),
        (("anna/rest", "bert/rest"), "{subject}/{session}"),
    ],
)
def test_names_say_who_is_who(names: tuple[str, ...], who: str) -> None:
    assert guess_who(names) == who


@pytest.mark.parametrize("names", [("anna_1", "anna_2", "bert_1"), ("rest_01", "rest_02", "task_01"),
                                   ("anna/a", "anna/b", "bert/a"), ("a/S1", "a/S2", "b/S1")])  # fmt: skip
def test_names_that_may_be_read_twice_are_asked_about(names: tuple[str, ...]) -> None:
    with pytest.raises(
        DataError, match=r"who is in which recording is not clear .*--set 'corpus\.who=\{subject\}"
    ) as caught:
        guess_who(names)
    words = str(caught.value).split("'")
    assert Recipe.load("recordings", [words[1]]).corpus["who"] == words[1].removeprefix("corpus.who=")  # as printed


def test_a_table_says_who_and_what(tmp_path: Path) -> None:
    write(tmp_path, "anna_1", "anna_2", "bert_1", "bert_2")
    table(tmp_path / "notes.csv", ";", File=[f"{name}_raw.fif" for name in ("anna_1", "anna_2", "bert_1", "bert_2")],
          Person=["anna", "anna", "bert", "bert"], Emotion=["calm", "tense"] * 2, age=[20, 20, 30, 30])  # fmt: skip
    found = understood(tmp_path)
    assert (found.label, found.people) == ("Emotion", 2)
    assert "4 recordings of 2 people" in found.summary and "calm 2, tense 2" in found.summary
    samples = corpus("recordings", **found.settings).samples(Cache(tmp_path / "cache"))
    assert samples.table.groupby("subject")["session"].nunique().tolist() == [2, 2]
    assert set(samples.table["Emotion"]) == {"calm", "tense"}


def test_two_columns_or_none_are_asked_about(tmp_path: Path) -> None:
    names = ("S1_a", "S1_b", "S2_a", "S2_b")
    write(tmp_path, *names)
    with pytest.raises(DataError, match=r"no label is found .*write labels\.csv \(recording,label\)"):
        understood(tmp_path)
    table(tmp_path / "labels.csv", recording=names, mood=["calm", "tense"] * 2, light=["on", "off", "off", "on"])
    with pytest.raises(DataError, match=r"add --set task\.label=mood or --set task\.label=light"):
        understood(tmp_path)
    assert understood(tmp_path, "light").settings["label"] == "light"
    with pytest.raises(DataError, match=r"no label column 'lihgt' .*columns are mood, light"):
        understood(tmp_path, "lihgt")
    table(tmp_path / "labels.csv", recording=names, valence=[1.5, 7, 3, 8])
    with pytest.raises(DataError, match=r"task\.label=valence --set task\.kind=binary --set task\.threshold=5"):
        understood(tmp_path)
    with pytest.raises(DataError, match=r"valence is a rating, and the task wants classes .*task\.kind=binary"):
        understood(tmp_path, "valence")
    (tmp_path / "more.csv").write_text("recording,valence\nS1_a,2.5\n")
    (tmp_path / "labels.csv").rename(tmp_path / "other.csv")
    with pytest.raises(DataError, match=r"add --set corpus\.labels=more\.csv or --set corpus\.labels=other\.csv"):
        understood(tmp_path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("recording,label\nS1,\nS2,\n", "the column label holds nothing"),
        ("who,label\nS1,a\nS2,b\n", "give labels.csv the columns recording"),
    ],
)
def test_a_table_that_says_nothing_is_named(tmp_path: Path, content: str, words: str) -> None:
    write(tmp_path, "S1", "S2")
    (tmp_path / "labels.csv").write_text(content)
    with pytest.raises(DataError, match=words):
        understood(tmp_path)


def test_codes_are_classes_and_nothing_written_as_a_word_is_no_label(tmp_path: Path) -> None:
    names = ("S1_a", "S1_b", "S2_a", "S2_b", "S2_c")
    write(tmp_path, *names)
    table(tmp_path / "labels.csv", recording=names, label=["0", "1", "0", "1", "NaN"])
    found = understood(tmp_path)
    assert found.settings["classes"] == ["0", "1"] and "1 without" in found.summary
    one = corpus("recordings", **found.settings)
    assert one.check() == [] and any("1 of 5 recordings without a label" in note for note in one.notes())  # type: ignore[attr-defined]
    with pytest.warns(UserWarning, match="without a label"):
        samples = one.samples(Cache(tmp_path / "cache"))
    assert samples.table.groupby("file")["label"].first().tolist()[:4] == ["0", "1", "0", "1"]
    assert samples.table["label"].isna().sum() == 4


def test_annotations_that_name_conditions_are_events(tmp_path: Path) -> None:
    write(tmp_path, "S1", "S2", notes=("smile", "frown", "BAD_blink"))
    (tmp_path / "S3.nwb").touch()
    found = understood(tmp_path)
    assert found.settings["events"] == "annotations" and "frown 2, smile 2" in found.summary
    assert found.settings["preprocessing"]["epoch"] == [0.0, 1.0]  # nothing says how long they last
    one = corpus("recordings", **found.settings)
    notes = one.notes()  # type: ignore[attr-defined]
    assert notes[0] == "1 .nwb is not read: S3.nwb" and "2 classes: frown 2, smile 2" in notes
    with pytest.warns(UserWarning, match=r"1 \.nwb is not read"):
        assert len(one.samples(Cache(tmp_path / "cache"))) == 4


def test_a_table_as_spreadsheets_write_it(tmp_path: Path) -> None:
    write(tmp_path, "S1", "S2")
    rows = "S1;0,5;0,8;a.png;happy\nS1;3,5;0,8;b.png;sad\nS2;0,5;0,8;a.png;happy\nS2;3,5;0,8;b.png;sad\n"
    (tmp_path / "events.csv").write_text(f"Participant;Onset;Duration;path;emotion\n{rows}")
    found = understood(tmp_path)
    assert found.settings["preprocessing"]["epoch"] == [0.0, 0.8] and found.people == 2
    table = corpus("recordings", **found.settings).samples(Cache(tmp_path / "cache")).table
    assert table["start"].tolist() == [0.5, 3.5] * 2 and table["emotion"].tolist() == ["happiness", "sadness"] * 2


def test_events_that_last_are_cut_into_windows(tmp_path: Path) -> None:
    write(tmp_path, "S1", "S2", seconds=14)
    table(tmp_path / "events.csv", subject=["S1", "S1", "S2", "S2"], onset=[0, 6.5] * 2, duration=[6.0, 4.5] * 2,
          emotion=["fear", "joy"] * 2)  # fmt: skip
    found = understood(tmp_path)
    assert found.settings["within"] and "windows of 2 s" in found.summary
    samples = corpus("recordings", **found.settings).samples(Cache(tmp_path / "cache"))
    mine = samples.table[samples.table["subject"] == "S1"]
    assert mine["start"].tolist() == [0, 2, 4, 6.5, 8.5] and mine["trial"].tolist() == ["1", "1", "1", "2", "2"]
    assert samples.read("eeg").shape == (10, 2, 200)
    assert "within" not in understood(tmp_path, preprocessing={"rate": 50, "band": [1, 20]}, within=False).summary


def test_of_one_person_whole_trials_are_held_out(tmp_path: Path) -> None:
    write(tmp_path / "own", "S1_a", "S1_b")
    table(tmp_path / "own" / "labels.csv", recording=["S1_a", "S1_b"], label=["calm", "tense"])
    with pytest.warns(UserWarning, match="one person: whole trials are held out"):
        recipe = Recipe.load(tmp_path / "own")
    assert recipe.protocol["name"] == "trial-disjoint" and recipe.task["label"] == "label"


def test_one_person_spelt_two_ways_in_a_table_of_windows_is_one(tmp_path: Path) -> None:
    write(tmp_path, *(f"take {number}" for number in range(6)))
    names = [f"take {number}_raw.fif" for number in range(6)]
    rows = {
        "File Name": names,
        "Proband": ["S01", "S01", "S02", "s02 ", "S03", "S03"],
        "Gef\u00fchl": ["calm", "tense"] * 3,
    }
    pd.DataFrame(rows).to_csv(tmp_path / "labels.csv", index=False, sep=";", encoding="cp1252")
    with pytest.warns(UserWarning, match="S02 and s02 are taken for one person"):
        found = understood(tmp_path)
    assert found.people == 3 and found.label == "Gef\u00fchl"


def test_one_class_is_said_as_such(tmp_path: Path) -> None:
    write(tmp_path, "S01", "S02")
    table(tmp_path / "labels.csv", recording=["S01_raw", "S02_raw"], state=["calm", "calm"])
    with pytest.raises(DataError, match="every recording is 'calm', in the column state"):
        understood(tmp_path)
