"""FIF, MNE's own format: units, bad channels, annotations, split files, and what is no recording."""

from __future__ import annotations

from pathlib import Path

import mne
import numpy as np
import pytest

from insula.corpora.recording_files import find_recordings
from insula.eeg.reading import channel_table, read_recording
from insula.errors import DataError

RATE = 100


def raw_of(seconds: float = 20.0) -> mne.io.RawArray:
    """Return noise of three electrodes and an EOG, one electrode bad, with a mark at 12.5 s."""
    values = 12e-6 * np.random.default_rng(0).standard_normal((4, int(seconds * RATE)))
    raw = mne.io.RawArray(
        values, mne.create_info(["Fz", "T3", "Pz", "EOG 1"], RATE, ["eeg"] * 3 + ["eog"]), verbose="error"
    )
    raw.info["bads"] = ["Pz"]
    return raw.set_meas_date(1e9).set_annotations(mne.Annotations([12.5], [1.0], ["smile"]), verbose="error")


@pytest.mark.parametrize("name", ["S01_raw.fif", "S01-eeg.fif.gz"])
def test_fif_comes_back_in_microvolts_with_bad_channels_and_annotations(tmp_path: Path, name: str) -> None:
    raw = raw_of().crop(10)  # such a file begins at 10 s of its own clock, and its annotations lie on that
    raw.save(tmp_path / name, verbose="error")
    recording = read_recording(tmp_path / name, "demo", "S01", "1", expected_rate=RATE)
    assert (recording.channels, recording.bad, recording.n_times) == (("Fz", "T7", "Pz"), ("Pz",), raw.n_times)
    assert np.abs(recording.read(5, 500) - 1e6 * raw.get_data()[:3, 5:500]).max() < 1e-3
    assert recording.events[["onset", "duration", "stimulus"]].to_numpy().tolist() == [[2.5, 1.0, "smile"]]
    assert channel_table(tmp_path / name).set_index("channel").loc["EOG 1", "dropped"] == "type eog"
    (found,) = find_recordings(tmp_path, "{subject}")
    assert (found.name, found.subject) == ("S01", "S01")


def test_a_split_fif_is_one_recording(tmp_path: Path) -> None:
    raw = raw_of(2000)
    raw.save(tmp_path / "S01_raw.fif", split_size="2MB", verbose="error")
    assert len(list(tmp_path.iterdir())) > 1
    (found,) = find_recordings(tmp_path, "{subject}")
    recording = read_recording(found.path, "demo", "S01", "1")
    assert recording.n_times == raw.n_times
    assert np.abs(recording.read()[:, -9:] - 1e6 * raw.get_data()[:3, -9:]).max() < 1e-3
    (tmp_path / "S01_raw-1.fif").unlink()
    with pytest.raises(DataError, match=r"S01_raw-1\.fif"):
        read_recording(found.path, "demo", "S01", "1")


def test_what_is_no_recording_is_refused_with_a_cure(tmp_path: Path) -> None:
    raw = raw_of()
    epochs = mne.make_fixed_length_epochs(raw, 2.0, preload=True, verbose="error")
    epochs.save(tmp_path / "S01-epo.fif", verbose="error")
    with pytest.raises(DataError, match=r"holds no continuous recording .*S01-epo\.fif.*: save what it was cut from"):
        read_recording(tmp_path / "S01-epo.fif", "demo", "S01", "1")
    with pytest.raises(DataError, match=r"of raw recordings; 1 -epo\.fif is not read: S01-epo\.fif"):
        find_recordings(tmp_path, "{subject}")
    raw.save(tmp_path / "S01_raw.fif", verbose="error")
    assert [one.path.name for one in find_recordings(tmp_path, "{subject}")] == ["S01_raw.fif"]
    path = tmp_path / "S01_raw.fif"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match="cannot be read") as caught:
        read_recording(path, "demo", "S01", "1").read()
    assert "\n" not in str(caught.value)
