"""Folders of recordings as they are met: BIDS trees of others, links, what is not there, headers of renamed files."""

from __future__ import annotations

from pathlib import Path

import pytest

from insula.corpora.catalogue import corpus
from insula.corpora.recording_folders import unread
from insula.errors import DataError
from insula.evaluation.recipe import parse_change
from insula.storage.below import absent_below, absent_lines, files_below
from own_eeg import raw_of, write_brainvision, write_edf

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
