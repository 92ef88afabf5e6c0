"""What a process beside this one reads comes back as it was; its end is one line, and the next file is read again."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from insula.errors import DataError, SettingsError
from insula.storage import child
from insula.storage.child import read_in_child, stream_from_child
from insula.storage.hashing import sha256_of

HERE = Path(os.devnull)


def everything(path: Path) -> Any:
    cell = np.empty((1, 2), object)
    cell[0, 0], cell[0, 1] = np.arange(3), "words"
    array = np.arange(6, dtype=">i2").reshape(2, 3)
    return {
        "arrays": [array, array.T, array[:, ::2], np.array(1.5), np.zeros((0, 3)), np.array(["é", "bc"])],
        1: (True, None, 2.5, b"\xff\x00", np.float32(0.25), float("inf")),
        "cell": cell,
        "same": [array, array],
    }


def crash(path: Path) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def fill(path: Path) -> Any:
    return np.ones(1 << 33)


def turn(path: Path) -> None:
    while True:
        pass


def refuse(path: Path, words: str) -> None:
    raise SettingsError(words, where="elsewhere", do="do so")


def count(path: Path, most: int) -> Iterator[int | None]:
    for number in range(most):
        yield None
        yield number


def call(name: str, *arguments: Any) -> Any:
    return read_in_child(f"test_child:{name}", HERE, *arguments)


def test_values_come_back_as_they_were() -> None:
    there, here = call("everything"), everything(HERE)
    assert list(there) == ["arrays", 1, "cell", "same"] and there[1] == here[1]
    assert type(there[1][4]) is np.float32
    for one, other in zip(there["arrays"], here["arrays"], strict=True):
        assert one.dtype == other.dtype and one.flags.f_contiguous == other.flags.f_contiguous
        np.testing.assert_array_equal(one, other)
    assert (
        there["cell"].shape == (1, 2) and there["cell"][0, 0].tolist() == [0, 1, 2] and there["cell"][0, 1] == "words"
    )
    assert there["same"][0] is there["same"][1]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("crash", r"the library that reads it crashed \(SIGSEGV\) \(/dev/null\)"),
        ("fill", r"more than 4 GB of memory \(/dev/null\)"),
        ("turn", r"not read within 1 s of processor time"),
        ("absent", r"it cannot be read: AttributeError"),
    ],
)
def test_what_ends_the_process_is_one_line_and_the_next_file_is_read(
    name: str, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "_SECONDS", 1)
    with pytest.raises(DataError, match=line) as caught:
        call(name)
    assert "\n" not in str(caught.value)
    assert list(stream_from_child("test_child:count", HERE, 3)) == [0, 1, 2]


def test_a_refusal_keeps_its_words_and_names_the_file() -> None:
    with pytest.raises(DataError, match=r"^it lacks a row \(/dev/null\): do so$"):
        call("refuse", "it lacks a row")


def test_a_reader_that_stops_early_leaves_a_process_that_serves_the_next() -> None:
    numbers = stream_from_child("test_child:count", HERE, 10**9)
    assert [next(numbers) for _ in range(3)] == [0, 1, 2]
    other = stream_from_child("test_child:count", HERE, 2)  # both at once
    assert next(other) == 0 and next(numbers) == 3 and next(other) == 1
    numbers.close()
    begin = time.process_time()
    assert list(stream_from_child("test_child:count", HERE, 2)) == [0, 1]
    assert time.process_time() - begin < 1


def test_a_path_is_meant_from_the_folder_that_one_is_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "other"):  # the process that was started in the first waits for the second
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        Path("file.txt").write_text(name)
        assert read_in_child("insula.storage.hashing:sha256_of", Path("file.txt")) == sha256_of(Path("file.txt"))
