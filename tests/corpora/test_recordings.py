"""Recordings of one's own: folders and BIDS trees, tables of events and labels, pictures, and what check says."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import edfio
import numpy as np
import pandas as pd
import pytest

from insula.corpora.catalogue import corpus
from insula.corpora.fakes import fake_recordings
from insula.errors import DataError, LabelError, SettingsError
from insula.samples import Samples
from insula.storage.cache import Cache

CHANNELS = ("Fz", "Cz", "Pz", "Oz")
SHORT = {"preprocessing": {"band": (4, 40), "rate": None}}


def write(
    path: Path, channels: tuple[str, ...] = CHANNELS, seconds: int = 12, rate: int = 100, scale: float = 1.0,
    seed: int = 0, notes: tuple[tuple[float, str], ...] = (),
) -> np.ndarray:  # fmt: skip
    """Write noise of 12 uV as EDF, a channel of the name's own kind each, and return it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = scale * 12 * np.random.default_rng(seed).standard_normal((len(channels), seconds * rate)).clip(-4, 4)
    limit = (-50 * scale, 50 * scale)
    signals = [
        edfio.EdfSignal(row, rate, label=name, physical_dimension="uV", physical_range=limit)
        for name, row in zip(channels, values, strict=True)
    ]
    edfio.Edf(signals, annotations=[edfio.EdfAnnotation(at, 0.5, text) for at, text in notes]).write(path)
    return values


def table(path: Path, **columns: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(columns).to_csv(path, index=False, sep="\t" if path.suffix == ".tsv" else ",")


def samples(root: Path, **settings: Any) -> Samples:
    return corpus("recordings", root=root, **{**SHORT, **settings}).samples(Cache(root.parent / "cache"))


def check(root: Path, **settings: Any) -> list[str]:
    lacks = corpus("recordings", root=root, **{**SHORT, **settings}).check()
    assert not any("\n" in line for line in lacks)
    return lacks


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a folder with two people, two sessions of the first, and a table of events above."""
    folder = tmp_path / "eeg"
    for number, name in enumerate(("anna_1", "anna_2", "bert_1")):
        write(folder / f"{name}.edf", seed=number)
    table(
        tmp_path / "events.csv", recording=["anna_1.edf", "anna_1", "anna_2", "bert_1", "bert_1"],
        onset=[2, 5, 3, 2, 4.5], duration=0.5, emotion=["Happy", "sad", "sad", "happy", "angry"],
        rating=[7, 2, 3, 8, 1],
    )  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def bids(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    fake_recordings(folder)
    return folder / "recordings"


NAMED = {"who": "{subject}_{session}", "events": "../events.csv"}


def test_epochs_follow_a_table_of_events_above(root: Path) -> None:
    found = samples(root, **NAMED)
    table = found.table
    assert table["subject"].tolist() == ["anna", "anna", "anna", "bert", "bert"]
    assert table["session"].tolist() == ["1", "1", "2", "1", "1"]
    assert table["trial"].tolist() == ["1", "2", "1", "1", "2"]
    assert table["emotion"].tolist() == ["happiness", "sadness", "sadness", "happiness", "anger"]
    assert table["rating"].tolist() == [7, 2, 3, 8, 1]
    assert table["start"].tolist() == [2, 5, 3, 2, 4.5] and (table["stop"] - table["start"]).eq(0.5).all()
    assert table["file"].tolist() == ["anna_1", "anna_1", "anna_2", "bert_1", "bert_1"]
    assert found.read("eeg").shape == (5, 4, 50)
    assert "eeg_quality" not in table and "eeg_cleaned_on" not in table  # nothing was looked for or learnt
    assert check(root, **NAMED) == []


def test_each_file_is_a_person_unless_something_says_otherwise(root: Path, tmp_path: Path) -> None:
    events = {"events": "../events.csv"}
    assert set(samples(root, **events).table["subject"]) == {"anna_1", "anna_2", "bert_1"}
    table(tmp_path / "who.csv", recording=["anna_1", "anna_2", "bert_1"], subject=["A", "A", "B"],
          session=["1", "2", "1"], group=["x", "x", "y"])  # fmt: skip
    found = samples(root, **events, labels="../who.csv").table
    assert set(zip(found["subject"], found["session"], found["group"], strict=True)) == {
        ("A", "1", "x"), ("A", "2", "x"), ("B", "1", "y"),
    }  # fmt: skip
    (root / "deep").mkdir()
    shutil.move(root / "bert_1.edf", root / "deep" / "bert_1.edf")
    assert check(root, **NAMED)[0].startswith("the path 'deep/bert_1' does not fit the pattern '{subject}_{session}'")
    with pytest.raises(SettingsError, match="does not say who"):
        samples(root, who="{session}")


def test_two_recordings_cannot_share_a_clock(root: Path) -> None:
    (lack,) = check(root, who="{subject}_*")
    assert "anna_1 and anna_2 are both session 1 of subject anna" in lack


def test_a_recording_listed_by_subject_and_session(root: Path, tmp_path: Path) -> None:
    table(
        tmp_path / "conditions.tsv",
        subject=["anna", "anna", "bert"],
        session=["1", "2", "1"],
        emotion=["a", "b", "n/a"],
    )
    found = samples(root, who="{subject}_{session}", labels="../conditions.tsv", windows={"seconds": 2}).table
    assert found.groupby("file")["emotion"].first().dropna().to_dict() == {"anna_1": "a", "anna_2": "b"}
    assert found.groupby("file").size().tolist() == [6, 6, 6]
    assert (found["trial"] == found["session"]).all() and found["start"].max() == 10
    table(tmp_path / "short.csv", subject=["anna"], emotion=["a"])
    assert check(root, labels="../short.csv", who="{subject}_{session}")[0].startswith("no row for the recording 'bert")
    table(tmp_path / "people.csv", subject=["anna", "bert", "carl"], emotion=["a", "b", "c"])
    whole = samples(
        root, who="{subject}_{session}", labels="../people.csv"
    ).table  # a row a person holds for all of hers
    assert whole.groupby("file")["emotion"].unique().str[0].tolist() == ["a", "a", "b"]
    table(tmp_path / "short.csv", recording=["anna_1"], emotion=["a"])
    assert check(root, labels="../short.csv")[0].startswith("no row for the recording 'anna_2'")


def test_without_any_table_there_are_unlabelled_windows(root: Path) -> None:
    found = samples(root)
    assert len(found) == 18 and "emotion" not in found.table and check(root) == []


def test_annotations_are_events_and_markers_choose_among_them(tmp_path: Path) -> None:
    notes = ((1.0, "New Segment/"), (2.0, "S 11"), (4.0, "S 12"), (6.0, "S 11"), (7.0, "response"), (11.9, "S 11"))
    write(tmp_path / "eeg" / "one.edf", notes=notes)
    root = tmp_path / "eeg"
    with pytest.warns(UserWarning, match=r"too near an end of their recording are left out: 1 of one"):
        found = samples(root, events="annotations").table
    assert found["emotion"].tolist() == ["s 11", "s 12", "s 11", "response"]
    with pytest.warns(UserWarning, match="1 of one"):
        found = samples(root, events="annotations", markers={"S 11": "fear", "S 12": "anger"}).table
    assert found["emotion"].tolist() == ["fear", "anger", "fear"] and found["start"].tolist() == [2, 4, 6]
    assert found["stimulus"].isna().all()  # a marker's code is no picture


def test_a_bids_tree_says_who_when_and_what(bids: Path, tmp_path: Path) -> None:
    one = corpus("recordings", root=bids, label="trial_type")
    assert one.check() == []
    found = one.samples(Cache(tmp_path))
    table = found.table
    assert set(zip(table["subject"], table["session"], strict=True)) == {("01", "task-faces"), ("02", "task-faces")}
    assert table.groupby("subject")["age"].first().tolist() == [20, 21]
    assert set(table["trial_type"]) == {"anger", "happiness", "neutral"}
    assert found.store("eeg").description.channels[2] == "F3" and len(found) == 24


def test_channels_tsv_says_what_is_no_eeg_and_what_is_bad(bids: Path, tmp_path: Path) -> None:
    shutil.copytree(bids, tmp_path / "tree")
    path = tmp_path / "tree" / "sub-01" / "eeg" / "sub-01_task-faces_channels.tsv"
    channels = pd.read_csv(path, sep="\t")
    channels.loc[channels["name"] == "EEG O2", "type"] = "EOG"
    channels.loc[channels["name"].isin(["EEG Fp1", "EEG O2"]), "status"] = "bad"
    channels.to_csv(path, sep="\t", index=False)
    (lack,) = check(tmp_path / "tree", label="trial_type")
    assert "sub-01_task-faces_eeg.edf lacks the channel O2, which sub-02_task-faces_eeg.edf has" in lack
    one = corpus("recordings", root=tmp_path / "tree", label="trial_type", channels="common")
    first, second = one.recordings()  # type: ignore[attr-defined]
    assert first.channels == second.channels and "O2" not in first.channels
    assert (first.bad, second.bad) == (("Fp1",), ())


def test_an_events_file_of_another_run_is_not_taken(bids: Path, tmp_path: Path) -> None:
    shutil.copytree(bids, tmp_path / "tree")
    eeg = tmp_path / "tree" / "sub-01" / "eeg"
    for path in list(eeg.iterdir()):
        path.rename(eeg / path.name.replace("task-faces", "task-faces_run-1"))
    shutil.copy(eeg / "sub-01_task-faces_run-1_eeg.edf", eeg / "sub-01_task-faces_run-2_eeg.edf")
    assert "no table of events beside sub-01_task-faces_run-2_eeg.edf" in check(tmp_path / "tree")[0]


def test_pictures_are_joined_to_the_events_that_show_them(bids: Path, tmp_path: Path) -> None:
    shutil.copytree(bids, tmp_path / "tree")
    path = tmp_path / "tree" / "sub-02" / "eeg" / "sub-02_task-faces_events.tsv"
    events = pd.read_csv(path, sep="\t", dtype=str)
    shown = events["stim_file"][0]
    events.loc[1:3, "stim_file"] = shown.removesuffix(".png")  # shown four times, and named without its suffix
    events = events.drop(columns="trial_type")[:8]  # the pictures know their labels
    events.to_csv(path, sep="\t", index=False)
    pictures = {"root": tmp_path / "tree" / "stimuli", "manifest": "pictures.csv", "faces": "cropped", "size": 16}
    one = {"pictures": pictures, "stimulus": "stim_file"}
    assert check(tmp_path / "tree", **one) == []
    found = samples(tmp_path / "tree", **one)
    again = found.select(((found.table["subject"] == "02") & (found.table["stimulus"] == shown)).to_numpy())
    assert len(again) == 4 and again.table["trial"].nunique() == 4
    assert np.ptp(again.read("picture"), axis=0).max() == 0 and np.ptp(again.read("eeg"), axis=0).max() > 0
    assert found.has("picture").all() and set(found.table["emotion"]) == {"anger", "happiness", "neutral"}
    assert found.table["identity"].notna().all()

    assert "no events say when a picture was shown" in check(tmp_path / "tree", **one, events="none")[0]
    events.assign(stim_file=[None, *events["stim_file"][1:]]).to_csv(path, sep="\t", index=False, na_rep="n/a")
    (lack,) = check(tmp_path / "tree", **one)
    assert "event 0 names no picture" in lack and path.name in lack
    events["stim_file"] = "portrait"
    events.to_csv(path, sep="\t", index=False)
    assert any("the stimulus 'portrait' is no picture" in line for line in check(tmp_path / "tree", **one))
    events["stim_file"] = shown
    events.assign(emotion="awe").to_csv(path, sep="\t", index=False)
    with pytest.raises(DataError, match=rf"emotion of {shown} is 'awe' in the events and '\w+' of the picture"):
        samples(tmp_path / "tree", **one)


def test_pictures_nobody_saw_have_rows_of_their_own(bids: Path, tmp_path: Path) -> None:
    shutil.copytree(bids, tmp_path / "tree")
    for person in ("01", "02"):
        path = tmp_path / "tree" / f"sub-{person}" / "eeg" / f"sub-{person}_task-faces_events.tsv"
        events = pd.read_csv(path, sep="\t", dtype=str)
        events[events["stim_file"] != "003.png"].to_csv(path, sep="\t", index=False)
    pictures = {"root": tmp_path / "tree" / "stimuli", "manifest": "pictures.csv", "faces": "cropped", "size": 16}
    found = samples(tmp_path / "tree", pictures=pictures, stimulus="stim_file")
    alone = found.select(~found.has("eeg"))
    assert alone.table["stimulus"].tolist() == ["003.png"] and alone.table["subject"].isna().all()
    assert alone.has("picture").all() and alone.table["emotion"].tolist() == ["anger"]


def test_channels_that_differ_are_one_line_and_common_ones_can_be_asked_for(root: Path) -> None:
    values = write(root / "bert_1.edf", channels=("Oz", "Fz", "Pz", "C3"), seed=9)
    (lack,) = check(root)
    assert "bert_1.edf lacks the channel Cz, which anna_1.edf has" in lack and "set channels to common" in lack
    with pytest.raises(DataError, match="lacks the channel Cz"):
        samples(root)
    assert check(root, channels="common") == []
    one = corpus("recordings", root=root, channels="common")
    recordings = list(one.recordings())  # type: ignore[attr-defined]
    assert {recording.channels for recording in recordings} == {("Fz", "Pz", "Oz")}
    assert np.abs(recordings[2].read() - values[[1, 2, 0]]).max() < 0.01
    assert "no channel C3" in check(root, channels=("Pz", "C3"))[0]


def test_channels_in_another_order_are_put_in_the_first_ones(root: Path) -> None:
    values = write(root / "bert_1.edf", channels=CHANNELS[::-1], seed=9)
    assert check(root) == []
    last = list(corpus("recordings", root=root).recordings())[-1]  # type: ignore[attr-defined]
    assert last.channels == CHANNELS and np.abs(last.read() - values[::-1]).max() < 0.01


def test_odd_names_are_renamed_by_a_mapping_or_a_file(tmp_path: Path) -> None:
    root = tmp_path / "eeg"
    write(root / "one.edf", channels=("E1", "E2", "E3", "Foto"))
    (lack,) = check(root)
    assert "unknown channels 'E1', 'E2', 'E3', 'Foto'" in lack and "--set 'corpus.rename={E1: null, E2: null," in lack
    (root / "names.yaml").write_text("E1: Fz\nE2: Cz\nE3:\nFoto: null\n")
    assert check(root, rename="names.yaml") == []
    (one,) = corpus("recordings", root=root, rename="names.yaml").recordings()  # type: ignore[attr-defined]
    assert one.channels == ("Fz", "Cz")
    assert check(root, rename={"E1": "Fz", "E2": "Cz", "E3": None, "Foto": None}) == []
    (root / "names.yaml").write_text("- E1")
    assert "no mapping of names" in check(root, rename="names.yaml")[0]
    assert "cannot be read" in check(root, rename="other.yaml")[0]


def test_check_looks_at_signals_headers_events_and_labels(root: Path, tmp_path: Path) -> None:
    volts = write(root / "volts_1.edf", scale=1e-6)
    assert np.ptp(volts) < 1e-3
    flat = write(root / "flat_1.edf", seed=3)
    content = bytearray((root / "flat_1.edf").read_bytes())
    content[-len(flat) * 2 * 1200 :] = bytes(len(flat) * 2 * 1200)
    (root / "flat_1.edf").write_bytes(content)
    write(root / "short_1.edf")
    (root / "short_1.edf").write_bytes((root / "short_1.edf").read_bytes()[:-100])
    write(root / "double_1.edf", channels=("Fz", "Fz", "Pz", "Oz"))
    lacks = check(root)
    for name, what in (
        ("volts_1.edf", "they look like V"),
        ("flat_1.edf", "is flat"),
        ("short_1.edf", "truncated"),
        ("double_1.edf", "duplicate channel 'Fz'"),
    ):
        (line,) = [line for line in lacks if name in line]
        assert what in line
    assert len(lacks) == 4
    for name in ("volts", "flat", "short", "double"):
        (root / f"{name}_1.edf").unlink()
    events = pd.read_csv(tmp_path / "events.csv")
    events.loc[1, "onset"] = 40
    events.to_csv(tmp_path / "events.csv", index=False)
    (lack,) = check(root, **NAMED)
    assert "event 1 (40 s to 40.5 s) lies outside the 12 s recorded" in lack and "events.csv" in lack
    events.loc[1, "onset"] = 4
    events.to_csv(tmp_path / "events.csv", index=False)
    assert "angry has no counterpart" in check(root, **NAMED, classes=("happiness", "sadness"))[0]
    with pytest.raises(LabelError, match="angry has no counterpart"):
        samples(root, **NAMED, classes=("happiness", "sadness"))
    assert "no label column 'feeling'" in check(root, **NAMED, label="feeling")[0]
    assert check(root, **NAMED, label="rating") == [] and check(root, **NAMED, label=None) == []


@pytest.mark.parametrize(
    ("content", "settings", "message"),
    [
        ("recording,time\nanna_1,1\n", {}, "no column 'onset'"),
        ("recording,onset\nanna_1,soon\n", {}, "onset 'soon' is no number"),
        ("recording,onset\ncarl_1,1\n", {}, r"no recording 'carl_1' .*recordings are anna_1"),
        ("onset\n1\n", {}, "no column recording"),
        ("recording,onset\nanna_1,1\n", {"stimulus": "stim_file"}, "no column 'stim_file'"),
        ("recording,onset\nanna_1,1\n", {"markers": {"1": "fear"}}, "markers are values of the label"),
        ("recording,onset,start\nanna_1,1,2\n", {}, "the column name 'start' is taken"),
        ("recording,onset\nanna_1,\n", {}, r"no onset \(.*events.csv, row 0\)"),
        ("recording,onset,duration\nanna_1,1,long\n", {}, "duration 'long' is no number"),
        ("recording,onset,emotion, emotion\nanna_1,1,a,b\n", {}, "two columns are called 'emotion'"),
        ("recording,onset\n,1\n", {}, "row 0 names no recording"),
        ("recording,subject,onset\nanna_1,,1\n", {}, "row 0 has no subject"),
        ("recording,onset,mood\nanna_1,1,a\n", {}, r"no label column 'emotion' .*there is mood"),
        ("recording,onset,emotion\nanna_1,1,a\n", {}, r"no event of the recording .*anna_2"),
        ("recording,onset,emotion\nanna_1,11.9,a\n", {}, r"no event of the recording that an epoch fits .*anna_1"),
        ("", {}, "not a CSV file"),
    ],
)
def test_a_table_that_does_not_fit_is_one_line(root: Path, content: str, settings: dict, message: str) -> None:
    (root / "events.csv").write_text(content)
    with pytest.raises(DataError, match=message) as caught:
        samples(root, **settings)
    assert "\n" not in str(caught.value) and "events.csv" in str(caught.value)
    lacks = check(root, **settings)
    assert any(re.search(message, line) for line in lacks)


def test_check_finds_what_would_stop_the_cutting(root: Path) -> None:
    assert re.search("no event of the recording .*anna_1", check(root, events="annotations")[0])
    assert "no electrode is named" in check(root, channels=())[0]
    write(root / "carl_1.edf", rate=200)
    (lack,) = check(root)
    assert "recordings differ in sampling rate (100 Hz in anna_1, 200 Hz in carl_1): set preprocessing.rate" in lack
    write(root / "carl_1.edf", seconds=3)
    (lack,) = check(root, windows={"seconds": 4})
    assert "3.0 s are shorter than a window of 4 s" in lack and "carl_1.edf" in lack
    write(root / "carl_1.edf", seconds=1)
    (lack,) = check(root, windows={"seconds": 1})
    assert "1.0 s are shorter than the 1.6 s of a filter from 4 Hz" in lack


def test_each_table_of_events_has_the_label(root: Path) -> None:
    for name in ("anna_1", "anna_2", "bert_1"):
        table(root / f"{name}_events.csv", onset=[1.0, 2.0], emotion=["fear", "joy"])
    assert check(root) == []
    table(root / "anna_2_events.csv", onset=[1.0, 2.0])
    (lack,) = check(root)
    assert "no label column 'emotion'" in lack and "anna_2_events.csv" in lack
    with pytest.raises(DataError, match=r"anna_2_events\.csv"):
        samples(root)


def test_marked_epochs_keep_their_row_and_lose_their_eeg_if_wanted(root: Path) -> None:
    marked = {"preprocessing": {"band": (4, 40), "rate": None, "artefacts": {"peak_to_peak": 50}}}
    kept = samples(root, **NAMED, **marked)
    noted = (kept.table["eeg_quality"] != "").to_numpy()
    assert 0 < noted.sum() < len(kept) and kept.has("eeg").all()
    dropped = samples(root, **NAMED, **marked, marked="drop")
    assert len(dropped) == len(kept) and np.array_equal(dropped.has("eeg"), ~noted)


def test_learnt_cleaning_says_what_it_learnt_from(root: Path) -> None:
    for path in root.iterdir():
        write(path, channels=(*CHANNELS, "C3", "C4", "P3", "P4", "O1", "O2", "F3", "F4", "F7", "F8", "T7", "T8"))
    learnt = {"preprocessing": {"band": (4, 40), "rate": None, "artefacts": {"bad_channels": True}}}
    found = samples(root, windows={"seconds": 3}, who="{subject}_{session}", **learnt).table
    assert found.groupby("file")["eeg_cleaned_on"].unique().str[0].tolist() == ["anna/1", "anna/2", "bert/1"]


def test_no_folder_no_recording_and_a_missing_table(root: Path, tmp_path: Path) -> None:
    assert "no such folder" in check(tmp_path / "nowhere")[0]
    (tmp_path / "empty").mkdir()
    assert "no recording in this folder" in check(tmp_path / "empty")[0]
    assert "no such file" in check(root, events="other.csv")[0]
    table(root / "anna_1_events.csv", onset=[1.0], emotion=["fear"])
    assert "no table of events beside anna_2.edf" in check(root)[0]
    assert check(root, events="none") == []
