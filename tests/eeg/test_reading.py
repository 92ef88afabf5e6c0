"""EEG files as recordings."""

from __future__ import annotations

from pathlib import Path

import edfio
import mne
import numpy as np
import pytest

from insula.eeg.reading import channel_table, read_recording
from insula.errors import DataError

NAMES = ("EEG Fp1", "EEG T3", "EEG CZ-Ref")


def write_edf(path: Path, names=NAMES, rates=None, unit: str = "uV", seconds: int = 4, kind=edfio.Edf) -> np.ndarray:
    """Write noise, three channels and an ECG, and return it in microvolts."""
    rates = rates or [128] * len(names)
    signal = edfio.EdfSignal if kind is edfio.Edf else edfio.BdfSignal
    values = [np.random.default_rng(i).normal(0, 15, seconds * rate).clip(-99, 99) for i, rate in enumerate(rates)]
    channels = [
        signal(row, rate, label=name, physical_dimension=unit, physical_range=(-100, 100))
        for name, rate, row in zip(names, rates, values, strict=True)
    ]
    heart = signal(
        np.sin(np.arange(seconds * 64)), 64, label="ECG ECG", physical_dimension="mV", physical_range=(-2, 2)
    )
    notes = [edfio.EdfAnnotation(1.5, 0.5, "smile"), edfio.EdfAnnotation(2.5, None, "frown")]
    kind([*channels, heart], annotations=notes).write(path)
    return np.array(values) if len(set(rates)) == 1 else np.empty(0)


@pytest.mark.parametrize(("suffix", "kind", "step"), [(".edf", edfio.Edf, 200 / 2**16), (".bdf", edfio.Bdf, 1e-4)])
def test_edf_and_bdf_come_back_in_microvolts_by_name(tmp_path: Path, suffix: str, kind, step: float) -> None:
    path = tmp_path / f"one{suffix}"
    values = write_edf(path, kind=kind)
    recording = read_recording(path, "demo", "S1", "1", expected_rate=128)
    assert recording.channels == ("Fp1", "T7", "Cz")
    assert (recording.rate, recording.n_times, recording.units) == (128, 512, "uV")
    assert recording.read().dtype == np.float32
    assert np.abs(recording.read() - values).max() < step + 1e-4
    assert np.array_equal(recording.read(100, 150), recording.read()[:, 100:150])
    table = channel_table(path).set_index("channel")
    assert table.loc["ECG ECG", "dropped"] == "no electrode"  # and at 64 Hz: its rate does not matter
    assert table["dropped"].isna().sum() == 3


def test_annotations_are_events_unless_events_are_given(tmp_path: Path) -> None:
    write_edf(tmp_path / "one.edf")
    events = read_recording(tmp_path / "one.edf", "demo", "S1", "1").events
    assert events["onset"].tolist() == [1.5, 2.5]
    assert events["stimulus"].tolist() == ["smile", "frown"]
    assert events["trial"].tolist() == ["0", "1"]
    given = read_recording(tmp_path / "one.edf", "demo", "S1", "1", events=events[:1])
    assert len(given.events) == 1


def test_the_fingerprint_is_the_content(tmp_path: Path) -> None:
    write_edf(tmp_path / "one.edf")
    (tmp_path / "copy.edf").write_bytes((tmp_path / "one.edf").read_bytes())
    write_edf(tmp_path / "other.edf", names=("EEG Fp1", "EEG T4", "EEG CZ-Ref"))
    one, copy, other = (
        read_recording(tmp_path / f"{name}.edf", "demo", "S1", "1") for name in ("one", "copy", "other")
    )
    assert one.fingerprint == copy.fingerprint != other.fingerprint


def test_eeglab_comes_back(tmp_path: Path) -> None:
    from scipy.io import savemat

    values = np.random.default_rng(0).normal(0, 15, (2, 500)).astype(np.float32)
    labels = np.array([("Fz",), ("Cz",)], dtype=[("labels", object)])
    struct = {
        "setname": "x", "nbchan": 2, "trials": 1, "pnts": 500, "srate": 250.0, "xmin": 0.0, "xmax": 1.996,
        "data": values, "chanlocs": labels, "event": np.array([]), "epoch": np.array([]), "icawinv": np.array([]),
        "icaweights": np.array([]), "icasphere": np.array([]), "ref": "common",
    }  # fmt: skip
    savemat(tmp_path / "one.set", {"EEG": struct}, appendmat=False)
    recording = read_recording(tmp_path / "one.set", "demo", "S1", "1")
    assert (recording.channels, recording.rate) == (("Fz", "Cz"), 250)
    assert np.allclose(recording.read(), values, atol=1e-3)


def write_brainvision(folder: Path, names: tuple[str, ...]) -> np.ndarray:
    values = np.random.default_rng(0).normal(0, 15, (500, len(names))).astype("<f4")
    values.tofile(folder / "one.eeg")
    channels = "\n".join(f"Ch{i + 1}={name},,1,µV" for i, name in enumerate(names))
    (folder / "one.vhdr").write_text(
        "Brain Vision Data Exchange Header File Version 1.0\n[Common Infos]\nCodepage=UTF-8\nDataFile=one.eeg\n"
        "MarkerFile=one.vmrk\nDataFormat=BINARY\nDataOrientation=MULTIPLEXED\n"
        f"NumberOfChannels={len(names)}\nSamplingInterval=4000\n[Binary Infos]\nBinaryFormat=IEEE_FLOAT_32\n"
        f"[Channel Infos]\n{channels}\n",
        encoding="utf-8",
    )
    (folder / "one.vmrk").write_text(
        "Brain Vision Data Exchange Marker File, Version 1.0\n[Common Infos]\nCodepage=UTF-8\nDataFile=one.eeg\n"
        "[Marker Infos]\nMk1=Stimulus,S  1,126,1,0\n"
    )
    return values.T


def test_brainvision_comes_back(tmp_path: Path) -> None:
    values = write_brainvision(tmp_path, ("Fz", "Cz", "VEOG"))
    recording = read_recording(tmp_path / "one.vhdr", "demo", "S1", "1")
    assert (recording.channels, recording.rate) == (("Fz", "Cz"), 250)
    assert np.allclose(recording.read(), values[:2], atol=1e-3)
    assert recording.events["onset"].tolist() == [0.5]
    (tmp_path / "one.eeg").write_bytes((tmp_path / "one.eeg").read_bytes()[::-1])
    assert read_recording(tmp_path / "one.vhdr", "demo", "S1", "1").fingerprint != recording.fingerprint


def test_brainvision_with_a_name_twice_is_refused(tmp_path: Path) -> None:
    write_brainvision(tmp_path, ("Fz", "Cz", "Fz"))
    with pytest.raises(DataError, match=r"duplicate channel 'Fz' \(.*one.vhdr\)"):
        read_recording(tmp_path / "one.vhdr", "demo", "S1", "1")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"names": ("EEG Fp1", "EEG Fp1", "EEG Cz")}, "duplicate channel 'EEG Fp1'"),
        ({"names": ("EEG T3", "EEG T7", "EEG Cz")}, "duplicate channel: 'EEG T3' and 'EEG T7' are both T7"),
        ({"names": ("EEG Fp1", "EEG F33", "EEG Cz")}, "unknown channel 'EEG F33'"),
        ({"rates": [128, 64, 128]}, "uneven sampling rates: 'EEG Fp1' at 128 Hz, 'EEG T3' at 64 Hz"),
        ({"unit": ""}, r"channel 'EEG Fp1', 'EEG T3', .* has no unit .*--set corpus\.unit=uV"),
        ({"unit": "mm"}, r"no EEG channel .*EEG Fp1 \(unit 'mm'\).*--set corpus\.unit=uV"),
    ],
)
def test_a_file_whose_header_cannot_be_used_is_refused(tmp_path: Path, options: dict, message: str) -> None:
    write_edf(tmp_path / "one.edf", **options)
    with pytest.raises(DataError, match=message) as caught:
        read_recording(tmp_path / "one.edf", "demo", "S1", "1")
    assert "one.edf" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_another_rate_than_expected_is_refused(tmp_path: Path) -> None:
    write_edf(tmp_path / "one.edf")
    with pytest.raises(DataError, match="declared as 500 Hz, the header says 128 Hz"):
        read_recording(tmp_path / "one.edf", "demo", "S1", "1", expected_rate=500)


@pytest.mark.parametrize("keep", [0, 100, 600, 2000])
def test_a_truncated_file_is_refused(tmp_path: Path, keep: int) -> None:
    write_edf(tmp_path / "one.edf")
    (tmp_path / "one.edf").write_bytes((tmp_path / "one.edf").read_bytes()[:keep])
    with pytest.raises(DataError, match=r"cannot be read|truncated") as caught:
        read_recording(tmp_path / "one.edf", "demo", "S1", "1")
    assert "one.edf" in str(caught.value)


@pytest.mark.parametrize("kind", [b"EDF+C", b"EDF+D"])
def test_what_begins_late_tells_of_gaps_and_the_header_does_not(tmp_path: Path, kind: bytes) -> None:
    path = tmp_path / "one.edf"
    write_edf(path)
    content = path.read_bytes().replace(b"EDF+C", kind)
    path.write_bytes(content)
    assert read_recording(path, "demo", "S1", "1").n_times == 512
    assert content.count(b"+3\x14\x14") == 1
    path.write_bytes(content.replace(b"+3\x14\x14", b"+9\x14\x14"))  # the last of four seconds
    with pytest.raises(DataError, match=r"has gaps \(EDF\+[CD]\): 1, the first after 3 s, of 6 s"):
        read_recording(path, "demo", "S1", "1")


@pytest.mark.parametrize("name", ["one.edf", "one.bdf", "one.vhdr", "one.set"])
def test_what_is_no_such_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_recording(tmp_path / name, "demo", "S1", "1")
    (tmp_path / name).write_bytes(b"nonsense " * 500)
    with pytest.raises(DataError, match="cannot be read"):
        read_recording(tmp_path / name, "demo", "S1", "1")
    (tmp_path / "one.txt").write_text("x")
    with pytest.raises(DataError, match=r"not a kind of EEG file .* \.edf, \.bdf, \.vhdr, \.set"):
        read_recording(tmp_path / "one.txt", "demo", "S1", "1")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("duplicate_channel_labels.edf", "duplicate channel 'EEG F1-Ref'"),
        ("test_uneven_samp.edf", "uneven sampling rates"),
        ("test.edf", "A1, A2, C1, C2, C3, C4 and .* are sites of BioSemi's own system here"),
        ("eeglab_data.set", "unknown channels 'EEG 000', 'EEG 001', .* and 26 more"),
    ],
)
def test_malformed_and_unnamed_fixtures_are_refused(data: Path, name: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_recording(data / "reader-fixtures" / name, "demo", "S1", "1")


def test_channels_are_renamed_left_out_and_chosen(tmp_path: Path) -> None:
    path = tmp_path / "one.edf"
    values = write_edf(path, names=("A1x", "EXG3", "EEG Cz"))
    table = channel_table(path, {"A1x": "Oz", "EXG3": "Fz"}).set_index("channel")
    assert table["dropped"].isna()["EXG3"]  # who renames it knows what it is
    assert table["electrode"].dropna().to_dict() == {"A1x": "Oz", "EXG3": "Fz", "EEG Cz": "Cz"}
    whole = read_recording(path, "demo", "S1", "1", rename={"A1x": "Oz", "EXG3": "Fz"})
    assert whole.channels == ("Oz", "Fz", "Cz")
    some = read_recording(path, "demo", "S1", "1", rename={"A1x": "Oz", "EXG3": "Fz"}, channels=("CZ", "Oz"))
    assert some.channels == ("Cz", "Oz")
    assert np.abs(some.read() - values[[2, 0]]).max() < 0.01
    assert some.fingerprint != whole.fingerprint
    left = read_recording(path, "demo", "S1", "1", rename={"A1x": None, "EXG3": None})
    assert left.channels == ("Cz",)
    assert (
        channel_table(path, {"A1x": None}).set_index("channel").loc["A1x", "dropped"]
        == "left out by rename or channels.tsv"
    )
    only = read_recording(path, "demo", "S1", "1", channels=("Cz",))  # the unknown one is not asked for
    assert only.channels == ("Cz",)
    with pytest.raises(DataError, match=r"no channel Pz and 1 more: the file has .* \(.*one.edf\)"):
        read_recording(path, "demo", "S1", "1", channels=("Cz", "Pz", "Fz"))
    with pytest.raises(DataError, match="'EEG Cz' are both Cz"):
        read_recording(path, "demo", "S1", "1", rename={"A1x": "Cz"}, channels=("Cz",))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data, header: (data[:-3], header), r"one.eeg has 5997 bytes, its header says 12 bytes a sample"),
        (lambda data, header: (data[: 12 * 100], header), "markers to sample 126"),
        (lambda data, header: (data[:-12], header.replace("Codepage=UTF-8", "DataPoints=500")), "says 6000 bytes"),
    ],
)
def test_a_truncated_brainvision_file_is_refused(tmp_path: Path, change, message: str) -> None:
    write_brainvision(tmp_path, ("Fz", "Cz", "VEOG"))
    data, header = change((tmp_path / "one.eeg").read_bytes(), (tmp_path / "one.vhdr").read_text())
    (tmp_path / "one.eeg").write_bytes(data)
    (tmp_path / "one.vhdr").write_text(header)
    with pytest.raises(DataError, match=message) as caught:
        read_recording(tmp_path / "one.vhdr", "demo", "S1", "1")
    assert "truncated" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "channels"), [("test.bdf", 66), ("test.vhdr", 26)])
def test_fixtures_are_read_as_mne_reads_them(data: Path, name: str, channels: int) -> None:
    path = data / "reader-fixtures" / name
    recording = read_recording(path, "demo", "S1", "1")
    kept = channel_table(path).query("dropped.isna()")["channel"]
    raw = mne.io.read_raw(path, verbose="error")
    assert len(recording.channels) == channels
    assert recording.rate == raw.info["sfreq"]
    assert np.allclose(recording.read(10, 400), raw.get_data(list(kept), 10, 400) * 1e6, rtol=1e-5, atol=1e-3)
