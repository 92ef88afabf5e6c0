"""Pickles of arrays are read; hostile, foreign and broken ones are refused in one line, and run nothing."""

from __future__ import annotations

import io
import os
import pickle
import pickletools
import struct
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from insula.errors import DataError
from insula.storage.arrays_from_pickle import arrays_from_pickle

FLOAT = b"cnumpy\ndtype\n(U\x02f8K\x00K\x01tR(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"


def python2_array(content: bytes, shape: bytes, kind: bytes = FLOAT) -> bytes:
    """Return an array as Python 2's cPickle writes it, protocol 2: bytes are its strings."""
    begun = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    return begun + b"(K\x01" + shape + kind + b"\x89" + b"T" + struct.pack("<I", len(content)) + content + b"tb"


class Runs:
    """What unpickling would run."""

    def __init__(self, call: Any, *arguments: Any) -> None:
        self.what = (call, arguments)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.what


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s01.dat"


def refusal(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        arrays_from_pickle(path)
    said = str(caught.value)
    assert path.name in said
    assert "\n" not in said
    return said


ARRAYS = [
    np.arange(6.0).reshape(2, 3),
    np.arange(6.0).reshape(2, 3).T,
    np.arange(24, dtype=np.int16).reshape(2, 3, 4).transpose(1, 2, 0),
    np.arange(4, dtype=">f4"),
    np.array([True, False]),
    np.array(["anger", "joy"]),
    np.array([b"a", b"bc"]),
    np.array(1.5),
    np.arange(12.0)[::3],
    np.array([1 + 2j]),
]


@pytest.mark.parametrize("protocol", range(6))
def test_arrays_come_back_as_they_were(protocol: int, path: Path) -> None:
    for array in ARRAYS:
        path.write_bytes(pickle.dumps({"data": array, "more": [array, (1, 2.5, "a", True)]}, protocol=protocol))
        found = arrays_from_pickle(path)
        for copy in (found["data"], found["more"][0]):
            assert type(copy) is np.ndarray
            assert copy.dtype == array.dtype
            np.testing.assert_array_equal(copy, array)
        assert found["more"][1] == (1, 2.5, "a", True)


def test_an_array_of_python_2_comes_back(path: Path) -> None:
    array = np.array([[1.5, -2.0, 1e300]])
    inside = python2_array(array.tobytes(), b"K\x01K\x03\x86")
    path.write_bytes(b"\x80\x02}U\x04data" + inside + b"s.")
    found = arrays_from_pickle(path)
    np.testing.assert_array_equal(found["data"], array)
    with path.open("rb") as file:  # NumPy's own reading of the same bytes
        np.testing.assert_array_equal(pickle.load(file, encoding="latin1")["data"], array)


def test_nothing_that_a_file_names_is_run(path: Path, tmp_path: Path) -> None:
    made = tmp_path / "made"
    hostile = [
        (Runs(os.system, f"touch {made}"), f"{os.system.__module__}.system"),
        (Runs(eval, f"open({str(made)!r}, 'w')"), ".eval"),
        (Runs(getattr, "a", "upper"), ".getattr"),
        (Runs(np.save, made, np.zeros(2)), "numpy.save"),
        (Runs(np.memmap, made, "u1", "w+", 0, (9,)), "numpy.memmap"),
    ]
    for value, name in hostile:
        for protocol in range(6):
            what = {"data": np.zeros(2), "labels": [value]}
            assert name in refusal(path, pickle.dumps(what, protocol=protocol))
    assert not made.exists()


def test_a_name_inside_an_admitted_one_is_refused(path: Path) -> None:
    assert "numpy.ndarray.tofile" in refusal(path, b"\x80\x04\x8c\x05numpy\x8c\x0endarray.tofile\x93.")


def test_an_array_of_objects_is_refused(path: Path) -> None:
    smuggled = np.array([print, len], dtype=object)
    for protocol in range(6):
        assert "'O8'" in refusal(path, pickle.dumps(smuggled, protocol=protocol))
    records = np.zeros(2, dtype=[("a", object), ("b", "f8")])
    assert "'V16'" in refusal(path, pickle.dumps(records))


def test_an_admitted_name_is_no_value(path: Path) -> None:
    for name in (b"numpy\ndtype\n", b"numpy.core.multiarray\n_reconstruct\n", b"_codecs\nencode\n"):
        assert "a value of type" in refusal(path, b"\x80\x02]c" + name + b"a.")
    assert "not callable" in refusal(path, b"\x80\x02cnumpy\nndarray\nK\x09\x85R.")


@pytest.mark.parametrize("value", [None, {1, 2}, OrderedDict(a=1), np.float64(1), np.ma.zeros(2), np.dtype("f8"), 1j])
def test_other_values_are_refused(value: Any, path: Path) -> None:
    assert "asks for" in refusal(path, pickle.dumps([value]))


def test_a_file_cut_off_is_refused(path: Path) -> None:
    whole = pickle.dumps({"data": np.arange(999.0)})
    for length in (0, 1, 40, len(whole) // 2, len(whole) - 1):
        assert "cannot be read" in refusal(path, whole[:length])
    assert "cannot be read" in refusal(path, b"subject,session\n1,2\n")
    path.unlink()
    with pytest.raises(DataError, match="no such file"):
        arrays_from_pickle(path)


def test_a_header_that_promises_more_than_the_file_holds_makes_nothing(path: Path) -> None:
    huge = b"(" + 3 * b"\x8a\x06\x00\x00\x00\x00\x00\x01" + b"t"  # 2 to the power of 40, thrice
    assert "reshape" in refusal(path, b"\x80\x02" + python2_array(bytes(16), huge) + b".")
    assert "cannot be read" in refusal(path, b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b"abc.")
    assert "a memo of 2147483647 entries" in refusal(path, b"\x80\x02Nr" + struct.pack("<I", 2**31 - 1) + b".")


def test_containers_that_hold_each_other_are_neither_endless_nor_many(path: Path) -> None:
    itself: list[Any] = []
    itself.append(itself)
    assert "more than 32 deep" in refusal(path, pickle.dumps(itself))
    doubled: Any = [np.arange(3)]
    for _ in range(30):
        doubled = [doubled, doubled]
    path.write_bytes(pickle.dumps(doubled))
    found = arrays_from_pickle(path)
    assert found[0] is found[1]


def test_keys_that_take_forever_to_hash_and_states_of_functions_are_refused(path: Path) -> None:
    def nested(times: int, part: bytes) -> bytes:
        return b"\x80\x04}" + b"K\x01" + part * times + b"K\x01s."

    assert "a key of type tuple" in refusal(path, nested(100_000, b"\x85"))  # ends the process where it is hashed
    assert "DUP, which" in refusal(path, nested(60, b"2\x86"))  # two to the power of 60 to hash
    assert "EMPTY_SET, which" in refusal(path, b"\x80\x04\x8f(" + b"K\x01" + b"\x85" * 100_000 + b"\x90.")
    poison = b"\x80\x04cnumpy.core.multiarray\n_reconstruct\n}\x8c\x0c__defaults__K\x01\x85sb."
    assert "a state of a function" in refusal(path, poison)


def test_our_pickle_of_python_2_is_one(path: Path) -> None:
    said = io.StringIO()
    pickletools.dis(b"\x80\x02" + python2_array(bytes(8), b"K\x01\x85") + b".", out=said)
    assert "BINSTRING" in said.getvalue()
