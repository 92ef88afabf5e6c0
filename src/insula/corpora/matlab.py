"""MATLAB files of version 5 (MATLAB's -v5 to -v7): what they hold, and one variable of them at a time.

SciPy crashes on some that are broken, so a process beside this one reads them.
"""

from __future__ import annotations

import struct
import textwrap
from pathlib import Path
from typing import Any

import numpy as np

from insula.errors import DataError
from insula.storage.child import read_in_child

_NUMERIC = {"double", "single", "logical", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))}
_ORDERS = {b"\x00\x01IM": "<", b"\x01\x00MI": ">"}  # version 1.0, and how bytes are ordered


def matlab_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the shape of each numeric array of a file by name, in the file's order; no array is read.

    Raises
    ------
    DataError
        If the file is absent, truncated, or no MATLAB file of version 5.
    """
    return read_in_child(f"{__name__}:shapes_here", path)


def shapes_here(path: Path) -> dict[str, tuple[int, ...]]:
    """Do what `matlab_shapes` does, in this process."""
    from scipy.io import whosmat

    _check_whole(path)
    try:
        variables = whosmat(path, appendmat=False)
    except Exception as error:
        raise _unreadable(path, error) from None
    return {name: shape for name, shape, kind in variables if kind in _NUMERIC}


def matlab_array(path: Path, name: str) -> np.ndarray:
    """Return a numeric array of a file, axes of length one dropped.

    Raises
    ------
    DataError
        As `matlab_variable`, and where the variable is something else.
    """
    values = matlab_variable(path, name)
    if not np.issubdtype(np.asarray(values).dtype, np.number):
        raise DataError(f"{name} is no array of numbers", where=path, do="fetch the file again")
    return np.asarray(values)


def matlab_variable(path: Path, name: str) -> Any:
    """Return one variable of a file: arrays as arrays, structs as dictionaries, cells as sequences.

    Raises
    ------
    DataError
        As `matlab_shapes`, and where there is no such variable.
    """
    return read_in_child(f"{__name__}:variable_here", path, name)


def variable_here(path: Path, name: str) -> Any:
    """Do what `matlab_variable` does, in this process."""
    from scipy.io import loadmat

    _check_whole(path)
    # Public copies hold compressed variables with a few bytes too many, which this check of SciPy's would refuse; too
    # few bytes are refused all the same.
    lenient = {"verify_compressed_data_integrity": False}
    try:
        variables = loadmat(path, appendmat=False, variable_names=[name], simplify_cells=True, **lenient)
    except Exception as error:
        raise _unreadable(path, error) from None
    if name not in variables:
        raise DataError(f"no variable {name}", where=path, do="fetch the file again")
    return variables[name]


def _check_whole(path: Path) -> None:
    """Walk from one variable to the next: SciPy does not notice that the last ones are missing."""
    if not path.is_file():
        raise DataError("no such file", where=path, do="fetch it again")
    size, place = path.stat().st_size, 128
    with open(path, "rb") as file:
        header = file.read(place)
        if header.startswith(b"MATLAB 7.3"):
            raise DataError(
                "a MATLAB 7.3 file (HDF5) is not read", where=path, do="load and save it with -v7 in MATLAB"
            )
        order = _ORDERS.get(header[124:])
        if order is None:
            raise DataError("not a MATLAB file of version 5", where=path, do="fetch it again")
        while place + 8 <= size:
            file.seek(place)
            place += 8 + struct.unpack(f"{order}II", file.read(8))[1]
    if place != size:
        raise DataError(f"the file ends after {size} bytes, amid a variable", where=path, do="fetch it again")


def _unreadable(path: Path, error: object) -> DataError:
    message = textwrap.shorten(str(error), 400, placeholder=" ...")
    return DataError(f"this .mat file cannot be read: {message}", where=path, do="fetch it again")
