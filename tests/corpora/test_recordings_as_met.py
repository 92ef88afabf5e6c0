"""Folders of recordings as they are met: BIDS trees of others, links, what is not there, headers of renamed files."""

from __future__ import annotations

import os
from pathlib import Path

import mne
import pytest

from insula.corpora.catalogue import corpus
from insula.corpora.recording_folders import unread
from insula.errors import DataError
from insula.evaluation.recipe import parse_change
from insula.storage.below import absent_below, absent_lines, files_below
from own_eeg import raw_of, write_bdf, write_brainvision, write_edf

CHANNELS = "name\ttype\tunits\tstatus\nFZ\tEEG\tmV\tBAD\nC3\tEEG\tmV\tgood\nx1\teog\tuV\tbad\n"


def in_bids(root: Path, *names: str) -> None:
    """Write recordings of four seconds into a BIDS tree, with events and channels beside them."""
    for name in names:
        *folders, _ = name.split("_task")
        place = root.joinpath(*folders[0].split("_"), "eeg")
        place.mkdir(parents=True)
        write_edf(raw_of([True, False], 0), place / f"{name}_eeg")
        (place / f"{name}_events.tsv").write_text("onset\tduration\ttrial_type\n0.5\t0\tsmile\n2\t0\tfrown\n")
        (place / f"{name}_channels.tsv").write_text(CHANNELS)


def of(root: Path, **settings: object):  # type: ignore[no-untyped-def]
    return corpus("recordings", root=root, **{"label": "trial_type", **settings})


def test_a_row_a_session_in_participants(tmp_path: Path) -> None:
    in_bids(tmp_path, "sub-01_ses-1_task-a", "sub-01_ses-02_task-a", "sub-02_ses-1_task-a", "sub-03_ses-1_task-a")
    rows = "sub-01\tses-1\tyoung\t3\nsub-01\t2\told\t4\nsub-02\tses-1\tyoung\t5\nsub-02\tses-1\tyoung\t6\n"
    (tmp_path / "participants.tsv").write_text(f"participant_id\tsession\tgroup\tscore\n{rows}")
    one = of(tmp_path, events="none", label="group")
    facts = [recording.events.iloc[0][["group", "score"]].tolist() for recording in one.recordings()]
    assert facts[:2] == [["old", 4], ["young", 3]] and facts[2][0] == "young" and facts[2][1] != facts[2][1]
    notes = one.notes()
    assert any("several rows of one session or person (sub-02)" in note for note in notes)
    assert any("no row of sub-03" in note for note in notes)


def test_participants_with_a_column_subject_and_people_without_a_folder(tmp_path: Path) -> None:
    in_bids(tmp_path, "sub-01_ses-1_task-a", "sub-01_ses-2_task-a")
    rows = "sub-01\tx\t1\tyoung\nsub-01\tx\t2\told\nsub-09\ty\t1\told\n"
    (tmp_path / "participants.tsv").write_text(f"participant_id\tsubject\tsession_id\tgroup\n{rows}")
    one = of(tmp_path, events="none", label="group")
    assert [recording.events["group"].tolist() for recording in one.recordings()] == [["young"], ["old"]]
    notes = one.notes()
    assert "participants.tsv names sub-09, of whom there is no folder" in notes
    assert not any("no row" in note or "several rows" in note for note in notes)


def test_events_at_one_time_under_two_labels_are_noticed(tmp_path: Path) -> None:
    write_edf(raw_of([True, False], 0), tmp_path / "S01")
    events = "recording,onset,trial_type\nS01,0.5,smile\nS01,0.5,frown\nS01,2,frown\nS01,2,frown\nS01,2,none\n"
    (tmp_path / "events.csv").write_text(events)
    notes = "\n".join(of(tmp_path).notes())
    assert "at one time under two labels: 1 (first:" in notes and "events.csv, row 1)" in notes
    assert "there twice: 1" in notes


def test_marks_types_and_units_beside_a_file_are_compared_with_it(tmp_path: Path) -> None:
    in_bids(tmp_path, "sub-01_task-a", "sub-02_task-a")
    one = of(tmp_path)
    assert [recording.bad for recording in one.recordings()] == [("Fz",), ("Fz",)]
    notes = "\n".join(one.notes())
    assert "channels.tsv says mV of Fz, C3, the file uV" in notes and notes.count("channels.tsv says") == 1
    assert "channels.tsv calls x1 bad, which the file does not have" in notes
    assert "2 classes: frown 2, smile 2" in notes
    assert "channels.tsv says" not in "\n".join(of(tmp_path, unit="uV").notes())


def test_only_raw_eeg_of_a_bids_tree_is_read_and_the_rest_is_named(tmp_path: Path) -> None:
    in_bids(tmp_path, "sub-01_task-a")
    for place in ("derivatives/clean/sub-01/eeg", "sourcedata", "sub-02/eeg"):
        (tmp_path / place).mkdir(parents=True)
    write_edf(raw_of([True], 0), tmp_path / "derivatives/clean/sub-01/eeg/sub-01_task-a_desc-clean_eeg")
    write_edf(raw_of([True], 0), tmp_path / "sourcedata/first")
    (tmp_path / "sub-02/eeg/sub-02_task-a_eeg.edf").symlink_to("../../.git/annex/objects/K/K.edf")
    one = of(tmp_path)
    assert [recording.subject for recording in one.recordings()] == ["01"]
    notes = one.notes()
    assert notes[0].startswith("2 .edf outside the raw EEG of the BIDS tree are not read")
    assert any("git annex get" in note and "sub-02_task-a_eeg.edf" in note for note in notes)
    assert "no recording is read of sub-02" in notes


def test_nothing_fetched_yet_says_how(tmp_path: Path) -> None:
    place = tmp_path / "sub-01" / "eeg"
    place.mkdir(parents=True)
    (place / "sub-01_task-a_eeg.set").symlink_to("../../.git/annex/objects/K/K.set")
    with pytest.raises(DataError, match=r"no recording in this folder.*datalad get"):
        list(of(tmp_path).recordings())


def test_linked_folders_are_read_once(tmp_path: Path) -> None:
    root, other = tmp_path / "study", tmp_path / "elsewhere"
    for place in (root / "S01", other / "inner"):
        place.mkdir(parents=True)
        (place / "rec.edf").touch()
    (root / "S02").symlink_to(other)
    (root / "S03").symlink_to(root / "S01")
    (other / "up").symlink_to(root)
    (root / "S04").symlink_to("gone")
    (root / "S05").write_text("../store/S05")  # what a copy makes of a link where there are none
    paths = [path.relative_to(root).as_posix() for path in files_below(root)]
    assert paths == ["S01/rec.edf", "S02/inner/rec.edf"]
    lines = "\n".join(absent_lines(absent_below(root), root))
    assert all(words in lines for words in ("nowhere: S04;", "as text: S05;", "S02/up", "S03")), lines
    assert any("S04" in line for line in unread(root))


def test_a_tree_below_the_root_is_pointed_to(tmp_path: Path) -> None:
    in_bids(tmp_path / "ds1", "sub-01_task-a")
    with pytest.raises(DataError, match=r"set root to .*ds1, which is a BIDS tree"):
        list(of(tmp_path).recordings())


def test_the_header_of_a_renamed_recording_says_which_line_to_mend(tmp_path: Path) -> None:
    write_brainvision(raw_of([True, False], 0), tmp_path / "old")
    for suffix in (".vhdr", ".eeg"):
        (tmp_path / f"old{suffix}").rename(tmp_path / f"S01{suffix}")
    (line,) = of(tmp_path, label=None).check()
    assert "its line DataFile=old.eeg names no file" in line and "write DataFile=S01.eeg in it" in line
    header = (tmp_path / "S01.vhdr").read_text(encoding="utf-8")
    (tmp_path / "S01.vhdr").write_text(header.replace("old.eeg", "S01.eeg"), encoding="utf-8")
    assert of(tmp_path, label=None).check() == []
    (tmp_path / "S01.eeg").unlink()
    assert "copy that file, too" in of(tmp_path, label=None).check()[0]


@pytest.mark.parametrize(
    "pattern", ["{subject}_{session}", "{subject} {session}", "*_{subject}", "{session}/{subject}"]
)
def test_a_pattern_is_typed_as_it_is_advised(pattern: str) -> None:
    assert parse_change(f"corpus.who={pattern}") == ("corpus.who", pattern)


def noted(root: Path, **settings: object) -> str:
    return "\n".join(corpus("recordings", root=root, **settings).notes())


def test_a_file_a_person_is_questioned_where_names_say_otherwise(tmp_path: Path) -> None:
    for place, name in enumerate(("S01_rest", "S01_task", "S02_rest", "s02_task")):
        write_edf(raw_of([True, False], place), tmp_path / name)
    line = next(note for note in noted(tmp_path, label=None).splitlines() if "counts as a person" in note)
    assert "--set 'corpus.who={subject}_{session}'" in line
    again = noted(tmp_path, label=None, who="{subject}_{session}")
    assert "counts as a person" not in again and "S02 and s02 count as different people" in again


def test_one_recording_under_two_names_or_in_two_formats_is_told(tmp_path: Path) -> None:
    for name in ("S01", "S02"):
        write_edf(raw_of([True, False], 0), tmp_path / name)
    write_edf(raw_of([True, False], 1), tmp_path / "S03")
    assert "recordings that are the same: S01 and S02;" in noted(tmp_path, label=None)
    write_bdf(raw_of([True, False], 1), tmp_path / "S03")
    (line,) = of(tmp_path, label=None).check()
    assert "S03.bdf and S03.edf are one recording in two formats" in line and "keep one" in line


def test_annotations_and_tables_that_are_not_read_are_told_with_what_reads_them(tmp_path: Path) -> None:
    raw = raw_of([True, False], 0)
    raw.set_annotations(mne.Annotations([0.5, 2.0], 1.0, ["smile", "frown"]))
    write_edf(raw, tmp_path / "S01")
    (tmp_path / "ratings.txt").write_text("recording,emotion\nS01,joy\n")
    notes = noted(tmp_path)
    assert "2 annotations (smile, frown) are not read: --set corpus.events=annotations" in notes
    assert "--set corpus.labels=ratings.txt" in notes
    assert "annotations (" not in noted(tmp_path, events="annotations") + noted(tmp_path, events="none")
    assert "1 class: happiness 1" in noted(tmp_path, events="none", labels="ratings.txt")


def test_what_is_wrong_with_several_files_is_one_line(tmp_path: Path) -> None:
    for name in ("S01", "S02", "S03", "S04"):
        (tmp_path / f"{name}.edf").touch()
    (line,) = of(tmp_path, label=None).check()
    assert "S01.edf" in line and "S03.edf and 1 more" in line and "empty" in line


def test_times_that_are_no_seconds_are_one_line(tmp_path: Path) -> None:
    write_edf(raw_of([True, False], 0), tmp_path / "S01")
    (tmp_path / "Events.CSV").write_text("recording,Onset,emotion\nS01,500,joy\nS01,1500,fear\n")
    (line,) = corpus("recordings", root=tmp_path).check()
    assert "all 2 events (the first 500 s to 500 s) lie outside" in line and "give seconds" in line


def test_types_of_channels_that_are_not_said_or_leave_out_electrodes(tmp_path: Path) -> None:
    in_bids(tmp_path, "sub-01_task-a")
    table = tmp_path / "sub-01" / "eeg" / "sub-01_task-a_channels.tsv"
    table.write_text("name\ttype\tunits\nFz\tn/a\tuV\nC3\tEEG\tuV\nPz\tmisc\tuV\n")
    events = table.with_name("sub-01_task-a_events.tsv")
    events.write_text(events.read_text().replace("onset", "Onset"))
    one = of(tmp_path)
    assert one.check() == []
    assert {"Fz", "C3"} <= set(next(iter(one.recordings())).channels)
    assert any("leaves out Pz (MISC), which are named as electrodes" in note for note in one.notes())


def test_a_folder_or_a_pipe_that_is_called_as_a_recording_is_named(tmp_path: Path) -> None:
    write_edf(raw_of([True, False], 0), tmp_path / "S01")
    (tmp_path / "S02.edf").mkdir()
    os.mkfifo(tmp_path / "S03.edf")
    notes = noted(tmp_path, label=None)
    assert "folders that hold nothing: S02.edf" in notes and "pipes or devices: S03.edf" in notes
    (tmp_path / "S01.edf").rename(tmp_path / os.fsdecode(b"\xe9.edf"))
    (line,) = of(tmp_path, label=None).check()
    assert "no UTF-8 text" in line
