"""GDF, Neuroscan's CNT and XDF come back as they were written, here by hand, since nothing that is installed does."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from insula.eeg.reading import channel_table, read_recording, trigger_events
from insula.errors import DataError

NAMES, RATE, N = ("Fz", "Cz", "Pz"), 100, 400
VALUES = np.random.default_rng(0).normal(0, 15, (len(NAMES), N)).round(2)


def write_gdf(path: Path, unit: bytes = b"uV") -> None:
    """Write GDF 1.25: records of a second, floats, and one event in mode 1."""
    n = len(NAMES)
    head = b"GDF 1.25" + b" " * 160 + b"2020010100000000" + struct.pack("<q", 256 * (n + 1)) + bytes(44)
    head += struct.pack("<qIII", N // RATE, 1, 1, n)
    head += b"".join(name.encode().ljust(16) for name in NAMES) + b" " * 80 * n + unit.ljust(8) * n
    head += struct.pack(f"<{n}d", *[-1.0] * n) + struct.pack(f"<{n}d", *[1.0] * n)
    head += struct.pack(f"<{n}q", *[-1] * n) + struct.pack(f"<{n}q", *[1] * n) + b" " * 80 * n
    head += struct.pack(f"<{n}i", *[RATE] * n) + struct.pack(f"<{n}i", *[16] * n) + bytes(32 * n)
    records = VALUES.reshape(n, -1, RATE).swapaxes(0, 1).astype("<f4").tobytes()
    table = struct.pack("<B3sI", 1, RATE.to_bytes(3, "little"), 1) + struct.pack("<IH", 151, 770)
    path.write_bytes(head + records + table)


def write_cnt(path: Path) -> None:
    """Write Neuroscan's layout: 900 bytes of set-up, 75 a channel, whole numbers, and no event."""
    n = len(NAMES)
    head = bytearray(900 + 75 * n)
    struct.pack_into("<H", head, 370, n)
    struct.pack_into("<H", head, 376, RATE)
    head[225:247] = b"01/01/20  00:00:00    "
    struct.pack_into("<i", head, 864, N)
    struct.pack_into("<i", head, 886, len(head) + 4 * n * N)
    for place, name in enumerate(NAMES):
        begin = 900 + 75 * place
        head[begin : begin + len(name)] = name.encode()
        struct.pack_into("<f", head, begin + 59, 2.048)  # with the next, a step of 0.01 uV
        struct.pack_into("<f", head, begin + 71, 1.0)
    data = np.rint(100 * VALUES).astype("<i4").T.tobytes()
    path.write_bytes(bytes(head) + data + struct.pack("<Bii", 1, 0, 0))


def write_xdf(path: Path, unit: bytes = b"microvolts", late: float = 0.0) -> None:
    """Write a stream of EEG, whose second half begins `late` seconds late, and one of markers."""

    def chunk(tag: int, content: bytes) -> bytes:
        return b"\x04" + struct.pack("<IH", len(content) + 2, tag) + content

    def samples(values: list[bytes], stamps: np.ndarray) -> bytes:
        parts = (b"\x08" + struct.pack("<d", stamp) + value for value, stamp in zip(values, stamps, strict=True))
        return b"\x04" + struct.pack("<I", len(values)) + b"".join(parts)

    described = b"".join(
        b"<channel><label>%s</label><unit>%s</unit></channel>" % (name.encode(), unit) for name in NAMES
    )
    about = (
        b"<info><name>%s</name><type>%s</type><channel_count>%d</channel_count><nominal_srate>%d</nominal_srate>"
        b"<channel_format>%s</channel_format><desc><channels>%s</channels></desc></info>"
    )
    stamps = 50 + np.arange(N) / RATE + np.where(np.arange(N) < N // 2, 0, late)
    rows = [row.astype("<f4").tobytes() for row in VALUES.T]
    path.write_bytes(
        b"XDF:"
        + chunk(1, b"<info><version>1.0</version></info>")
        + chunk(2, struct.pack("<I", 1) + about % (b"amp", b"EEG", 3, RATE, b"float32", described))
        + chunk(2, struct.pack("<I", 2) + about % (b"keys", b"Markers", 1, 0, b"string", b""))
        + chunk(3, struct.pack("<I", 1) + samples(rows, stamps))
        + chunk(3, struct.pack("<I", 2) + samples([b"\x01\x05smile"], np.array([51.5])))
    )


@pytest.mark.parametrize(
    ("write", "marks"), [(write_gdf, [(1.5, "770")]), (write_cnt, []), (write_xdf, [(1.5, "smile")])]
)
def test_a_format_comes_back_in_microvolts_with_its_marks(
    tmp_path: Path, write: Callable[..., None], marks: list[tuple[float, str]]
) -> None:
    path = tmp_path / f"S01.{write.__name__.removeprefix('write_')}"
    write(path)
    recording = read_recording(path, "demo", "S01", "1", expected_rate=RATE)
    assert (recording.channels, recording.n_times) == (NAMES, N)
    assert np.abs(recording.read(10, N) - VALUES[:, 10:]).max() < 0.02
    events = recording.events[["onset", "stimulus"]].to_numpy().tolist()
    assert events == [[pytest.approx(onset, abs=0.011), text] for onset, text in marks]
    assert trigger_events(path).empty


@pytest.mark.parametrize("write", [write_gdf, write_xdf])
def test_a_format_without_a_unit_wants_the_setting(tmp_path: Path, write: Callable[..., None]) -> None:
    path = tmp_path / f"S01.{write.__name__.removeprefix('write_')}"
    write(path, unit=b"")
    with pytest.raises(DataError, match=r"has no unit .*--set corpus\.unit=uV"):
        read_recording(path, "demo", "S01", "1")
    assert np.abs(read_recording(path, "demo", "S01", "1", unit="uV").read() - VALUES).max() < 0.01
    assert channel_table(path, unit="mV")["factor"].eq(1e-3).all()


def test_a_stream_with_a_gap_is_refused(tmp_path: Path) -> None:
    write_xdf(tmp_path / "S01.xdf", late=3.0)
    with pytest.raises(DataError, match=r"gaps, the first after 1\.99 s"):
        read_recording(tmp_path / "S01.xdf", "demo", "S01", "1")
