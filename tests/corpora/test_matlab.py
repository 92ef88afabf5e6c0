"""MATLAB files: what is refused, and that one variable is read as it was written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from insula.corpora.matlab import matlab_array, matlab_shapes, matlab_variable
from insula.errors import DataError


@pytest.fixture(params=[True, False], ids=["compressed", "plain"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    cell = np.empty((1, 2), object)
    cell[0, 0], cell[0, 1] = np.zeros(3), "words"
    content = {"first": np.arange(12.0).reshape(3, 4), "cell": cell, "text": "words", "last": np.ones((2, 5), np.int16)}
    savemat(tmp_path / "file.mat", content, do_compression=request.param)
    return tmp_path / "file.mat"


def test_shapes_are_those_of_arrays_of_numbers(path: Path) -> None:
    assert matlab_shapes(path) == {"first": (3, 4), "last": (2, 5)}


def test_an_array_is_read_as_it_was_written(path: Path) -> None:
    np.testing.assert_array_equal(matlab_array(path, "first"), np.arange(12.0).reshape(3, 4))


@pytest.mark.parametrize(("name", "said"), [("cell", "no array"), ("text", "no array"), ("other", "no variable other")])
def test_what_is_no_array_is_refused(path: Path, name: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        matlab_array(path, name)


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
def test_a_truncated_file_is_noticed_before_an_array_is_read(path: Path, share: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(DataError, match=r"the file ends after \d+ bytes.*file\.mat"):
        matlab_shapes(path)


def test_a_file_that_is_damaged_inside_is_one_line(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[150:260] = bytes(110)
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"file\.mat") as caught:
        matlab_variable(path, "first")
    assert "\n" not in str(caught.value)


def test_other_kinds_of_file_are_named(tmp_path: Path) -> None:
    path = tmp_path / "file.mat"
    path.write_bytes(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM" + bytes(384) + b"\x89HDF\r\n")
    with pytest.raises(DataError, match=r"HDF5.*-v7"):
        matlab_shapes(path)
    path.write_text("subject,rating\n")
    with pytest.raises(DataError, match="not a MATLAB file"):
        matlab_shapes(path)
    path.unlink()
    with pytest.raises(DataError, match="no such file"):
        matlab_shapes(path)
