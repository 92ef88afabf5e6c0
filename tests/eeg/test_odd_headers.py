"""What headers of recordings say and is not so: units, references, other systems of names, ends and triggers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import edfio
import numpy as np
import pytest

from insula.corpora.catalogue import corpus
from insula.deployment.preparation import Preparation
from insula.eeg.checks import check_recording
from insula.eeg.montage import canonical, without_reference
from insula.eeg.reading import channel_table, read_recording, trigger_events
from insula.errors import DataError, SettingsError
from insula.storage.cache import Cache
from own_eeg import raw_of, write_brainvision

NAMES = ("Fp1", "F3", "C3", "Pz", "O1")


def write(path: Path, names: tuple[str, ...] = NAMES, units: str | list[str] = "uV", *more: edfio.EdfSignal) -> None:
    """Write noise of 12 units at 100 Hz for four seconds."""
    units = [units] * len(names) if isinstance(units, str) else units
    values = 12 * np.random.default_rng(0).standard_normal((len(names), 400)).clip(-4, 4)
    signals = [edfio.EdfSignal(row, 100, label=name, physical_dimension=unit, physical_range=(-50, 50))
               for name, unit, row in zip(names, units, values, strict=True)]  # fmt: skip
    edfio.Edf([*signals, *more]).write(path)


def read(path: Path, **options: object) -> np.ndarray:
    return read_recording(path, "demo", "S1", "1", **options).read()  # type: ignore[arg-type]


@pytest.mark.parametrize("unit", ["uv", "UV", "microV", "uVolt", "\N{MICRO SIGN}V"])
def test_spellings_of_microvolts_are_read_as_these(tmp_path: Path, unit: str) -> None:
    write(tmp_path / "one.edf", units=[*["uV"] * 4, "@@"])
    content = (tmp_path / "one.edf").read_bytes()
    (tmp_path / "one.edf").write_bytes(content.replace(b"@@      ", unit.encode("latin-1").ljust(8), 1))
    values = read(tmp_path / "one.edf")
    assert len(values) == 5 and 8 < values[4].std() < 16


def test_an_electrode_whose_unit_is_not_known_is_named_and_read_where_that_is_set(tmp_path: Path) -> None:
    write(tmp_path / "one.edf", units=["uV", "uV", "uV", "uV", "xV"])
    (note,) = read_recording(tmp_path / "one.edf", "demo", "S1", "1").notes
    assert "O1 (unit 'xV')" in note and "--set corpus.unit=uV" in note
    assert 8 < read(tmp_path / "one.edf", unit="uV")[4].std() < 16
    with pytest.raises(SettingsError, match="'pound' is no unit of voltage"):
        channel_table(tmp_path / "one.edf", unit="pound")


@pytest.mark.parametrize("odd", [2, 3])  # fewer and more than half
def test_channels_whose_unit_is_wrong_are_named_and_stop_a_study_and_the_cure_cures(tmp_path: Path, odd: int) -> None:
    write(tmp_path / "one.edf", units=[*["uV"] * (5 - odd), *["mV"] * odd])
    for kind in (lambda one: one.check(), lambda one: one.samples(Cache(tmp_path / "cache"))):
        one = corpus("recordings", root=tmp_path, label=None, preprocessing={"band": (4, 40), "rate": None})
        try:
            said = "".join(kind(one))  # type: ignore[no-untyped-call]
        except DataError as error:
            said = str(error)
        assert ", ".join(NAMES[-odd:]) + " (mV) spread " in said and "--set corpus.unit=uV" in said
    recording = read_recording(tmp_path / "one.edf", "demo", "S1", "1", unit="uV")
    assert check_recording(recording, where="one") == []


def test_a_channel_on_another_scale_with_the_same_unit_is_told_with_a_cure(tmp_path: Path) -> None:
    values = 12e3 * np.random.default_rng(1).standard_normal(400)
    write(tmp_path / "one.edf", NAMES, "uV", edfio.EdfSignal(values, 100, label="EEG Oz", physical_dimension="uV"))
    one = corpus("recordings", root=tmp_path, label=None)
    assert one.check() == []
    notes = "".join(one.notes())  # type: ignore[attr-defined]
    assert "EEG Oz (uV) spread" in notes and "--set 'corpus.rename={EEG Oz: null}'" in notes


def test_a_unit_that_all_share_and_is_wrong_is_named_with_the_likely_one(tmp_path: Path) -> None:
    write(tmp_path / "one.edf", units="mV")
    recording = read_recording(tmp_path / "one.edf", "demo", "S1", "1")
    with pytest.raises(DataError, match=r"says that values are mV, and they look like uV .*--set corpus\.unit=uV"):
        check_recording(recording, where="one")


@pytest.mark.parametrize(
    "spelt", ["EEG {}-Ref", "{}-CPz", "EEG {}-A2", "{}-A1A2", "{}-LE", "{}-M2", "{}-(A1+A2)/2", "{}-G19", "EEG {}-AVG"]
)
def test_a_reference_that_names_share_is_no_part_of_them(tmp_path: Path, spelt: str) -> None:
    write(tmp_path / "one.edf", (*(spelt.format(name) for name in NAMES), "POL E", "POL C4"))
    recording = read_recording(tmp_path / "one.edf", "demo", "S1", "1")
    assert recording.channels == NAMES
    assert recording.notes == ("channels left out: POL E (no electrode), POL C4 (no electrode)",)


def test_differences_of_electrodes_stay_unknown_and_are_named_at_once(tmp_path: Path) -> None:
    assert canonical(["C3-A2", "C4-A1", "O1-M2"]) == ("C3", "C4", "O1")
    pairs = ("Fp1-F3", "F3-C3", "C3-P3")
    assert without_reference(pairs) == list(pairs)
    write(tmp_path / "one.edf", (*pairs, "Cz"))
    with pytest.raises(DataError, match=r"'Fp1-F3', 'F3-C3', 'C3-P3' .*--set 'corpus\.rename=\{Fp1-F3: null, F3-C3"):
        read(tmp_path / "one.edf")


def test_sites_of_biosemi_are_refused_unless_rename_says_which_they_are(tmp_path: Path) -> None:
    write(tmp_path / "one.edf", ("A1", "A20", "C3", "D31"))
    with pytest.raises(DataError, match=r"A1, C3 are sites of BioSemi's own system.*--set 'corpus\.rename=\{A1: Cz\}'"):
        channel_table(tmp_path / "one.edf")
    some = read_recording(tmp_path / "one.edf", "demo", "S1", "1", rename={"A1": "Cz", "A20": "Oz"}, channels=("Oz",))
    assert some.channels == ("Oz",)
    with pytest.raises(DataError, match="no channel C3"):
        read(tmp_path / "one.edf", rename={"A1": "Cz"}, channels=("C3",))
    write(tmp_path / "two.edf", ("A1", "C3", "E1", "O1"))  # a sleep laboratory's
    with pytest.raises(DataError, match="unknown channel 'E1'"):
        read(tmp_path / "two.edf")


def test_a_comma_in_the_duration_and_bytes_after_the_end_are_no_obstacle(tmp_path: Path) -> None:
    path = tmp_path / "one.edf"
    write(path)
    values, content = read(path), bytearray(path.read_bytes() + b"\x00" * 77)
    content[244:252] = b"1,0     "
    path.write_bytes(content)
    recording = read_recording(path, "demo", "S1", "1")
    assert recording.notes == ("77 bytes after the last record are not read",)
    assert np.array_equal(recording.read(), values)


@pytest.mark.parametrize(("name", "unit"), [("MARKER", "uV"), ("Status", "Boolean"), ("TRIGGER", "")])
def test_codes_of_a_channel_are_events(tmp_path: Path, name: str, unit: str) -> None:
    codes = np.zeros(400)
    codes[100:110], codes[250:260] = 11, 12
    mark = edfio.EdfSignal(codes, 100, label=name, physical_dimension=unit, physical_range=(-100, 100))
    write(tmp_path / "one.edf", NAMES, "uV", mark)
    events = trigger_events(tmp_path / "one.edf")
    assert events.to_numpy().tolist() == [[1.0, 0.0, "11"], [2.5, 0.0, "12"]]


@pytest.mark.parametrize("before", [0xFF00, 0])  # the second port pulled up throughout, or from a second on
def test_a_second_port_that_is_not_connected_is_no_part_of_the_codes(tmp_path: Path, before: int) -> None:
    codes = np.r_[np.full(100, before), np.full(300, 0xFF00)].astype(float)
    codes[150:160] += 11
    values = np.random.default_rng(0).standard_normal(400)
    signals = [edfio.BdfSignal(row, 100, label=label, physical_dimension=unit, physical_range=(low, high))
               for row, label, unit, low, high in ((values, "Cz", "uV", -50, 50),
                                                   (codes, "Status", "", -(2**23), 2**23 - 1))]  # fmt: skip
    edfio.Bdf(signals).write(tmp_path / "one.bdf")
    assert trigger_events(tmp_path / "one.bdf").to_numpy().tolist() == [[1.5, 0.0, "11"]]


@pytest.mark.parametrize("name", ["Mark", "Photic", "DIN1", "STI 014", "DC01"])
def test_a_channel_of_marks_without_a_unit_stops_nothing(tmp_path: Path, name: str) -> None:
    mark = edfio.EdfSignal(np.zeros(400), 100, label=name, physical_range=(-100, 100))
    write(tmp_path / "one.edf", NAMES, "uV", mark)
    assert read_recording(tmp_path / "one.edf", "demo", "S1", "1").channels == NAMES


def test_a_bundle_refuses_a_unit_that_is_wrong_and_keeps_the_one_that_its_corpus_set(tmp_path: Path) -> None:
    write(tmp_path / "one.edf", units=["uV", "uV", "uV", "mV", "mV"])
    cut = {"preprocessing": {"band": (4, 40), "rate": None}, "windows": {"seconds": 1.0}}
    one = corpus("recordings", root=tmp_path, label=None, unit="uV", **cut)
    preparation = Preparation.of(one.settings, one.samples(Cache(tmp_path / "cache")), ())
    assert isinstance(preparation, Preparation)
    with preparation.samples(tmp_path / "one.edf") as samples:
        assert len(samples) == 4
    without = preparation.model_copy(update={"unit": None})
    with pytest.raises(DataError, match=r"Pz, O1 \(mV\) spread"), without.samples(tmp_path / "one.edf"):
        pass


def patch(path: Path, at: int, text: str) -> None:
    """Write eight characters into a header."""
    content = path.read_bytes()
    path.write_bytes(content[:at] + text.ljust(8).encode("latin-1") + content[at + 8 :])


@pytest.mark.parametrize(
    ("at", "text", "words"),
    [
        (244, "-1", "the duration of a record is '-1'"),
        (244, "one", "the duration of a record is 'one'"),
        (236, "many", "the number of records is 'many'"),
        (256 + 5 * 104, "low", "the physical range of Fp1 is 'low'"),
        (256 + 5 * 216 + 8, "", "the samples of F3 a record is ''"),
    ],
)
def test_the_field_of_a_header_that_is_wrong_is_named(tmp_path: Path, at: int, text: str, words: str) -> None:
    write(tmp_path / "one.edf")
    patch(tmp_path / "one.edf", at, text)
    with pytest.raises(DataError, match=words):
        read(tmp_path / "one.edf")


def test_a_channel_whose_values_have_no_scale_is_left_out_and_named(tmp_path: Path) -> None:
    write(tmp_path / "one.edf")
    for at in (104, 112):
        patch(tmp_path / "one.edf", 256 + 5 * at, "0")
    recording = read_recording(tmp_path / "one.edf", "demo", "S1", "1")
    assert recording.channels == NAMES[1:]
    assert any("Fp1 (physical range from 0 to 0)" in note for note in recording.notes)


def test_annotations_that_are_no_utf_8_are_read_and_that_is_told(tmp_path: Path) -> None:
    write(tmp_path / "one.edf")
    signals = edfio.read_edf(tmp_path / "one.edf").signals
    edfio.Edf(signals, annotations=[edfio.EdfAnnotation(1, 1, "fr@hlich")]).write(tmp_path / "one.edf")
    content = (tmp_path / "one.edf").read_bytes()
    (tmp_path / "one.edf").write_bytes(content.replace(b"fr@hlich", b"fr\xf6hlich"))
    recording = read_recording(tmp_path / "one.edf", "demo", "S1", "1")
    assert recording.events["stimulus"].tolist() == ["fr\N{LATIN SMALL LETTER O WITH DIAERESIS}hlich"]
    assert any("Latin-1" in note for note in recording.notes)


@pytest.mark.parametrize("suffix", [".edf", ".vhdr", ".set", ".fif", ".xdf"])
def test_a_file_of_no_bytes_is_called_empty(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"S01{suffix}").touch()
    with pytest.raises(DataError, match="empty"):
        read(tmp_path / f"S01{suffix}")


def test_a_recording_of_which_all_channels_are_bad_is_refused_as_that(tmp_path: Path) -> None:
    write(tmp_path / "one.edf")
    recording = replace(read_recording(tmp_path / "one.edf", "demo", "S1", "1"), bad=NAMES)
    with pytest.raises(DataError, match="all its channels are marked bad"):
        check_recording(recording, where="one.edf")


@pytest.mark.parametrize(
    ("right", "wrong", "words"),
    [
        ("SamplingInterval=7812.5", "SamplingInterval=7812,5", "SamplingInterval=7812,5 .*with a point"),
        ("SamplingInterval=7812.5", "SamplingInterval=0", "SamplingInterval=0 "),
        ("Fz,,1,", "Fz,,0,1,", "'Fz,,0,1,"),
    ],
)
def test_the_line_of_a_brainvision_header_that_is_wrong_is_named(
    tmp_path: Path, right: str, wrong: str, words: str
) -> None:
    write_brainvision(raw_of([True, False], 0), tmp_path / "S01")
    header = (tmp_path / "S01.vhdr").read_text(encoding="utf-8")
    assert right in header
    (tmp_path / "S01.vhdr").write_text(header.replace(right, wrong), encoding="utf-8")
    with pytest.raises(DataError, match=words):
        read(tmp_path / "S01.vhdr")


def test_electrodes_that_are_called_as_none_are_read_as_the_refusal_says(tmp_path: Path) -> None:
    write(tmp_path / "one.edf", tuple(f"POL {name}" for name in NAMES))
    with pytest.raises(DataError, match=r"no EEG channel.*--set 'corpus\.rename=\{POL Fp1: Fp1\}'"):
        read(tmp_path / "one.edf")
    assert len(read(tmp_path / "one.edf", rename={"POL Fp1": "Fp1"})) == 1
