"""Files of strangers, opened in a process beside this one: a library that crashes or hangs on a file ends that process.

What comes back is arrays and plain values, never a pickle. A process is started by the first file that needs one and
serves many; it ends with this one, however that ends.
"""

from __future__ import annotations

import atexit
import contextlib
import inspect
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from importlib import import_module
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any

import numpy as np

from insula.errors import DataError, InsulaError

_SECONDS, _BYTES = 3, 5_000_000  # processor time that any file has, and bytes that earn it one second more
_WAIT = 30  # s of the clock beside ten times that: others may be at work, and a disk be slow
_MEMORY, _TIMES = 4 << 30, 8  # bytes of address space that any file has, and how often its size beside that
_KEPT = 2  # processes that wait for another file
_SERVE = "import sys; sys.path[:] = {path!r}; from insula.storage.child import serve; serve({descriptor})"
_FEW_THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}  # each costs addresses
_SCALARS = (str, int, float, bool, type(None))
_STOP = b""  # asks for no more of what is being sent


def read_in_child(function: str, path: Path, *arguments: Any) -> Any:
    """Return what a function says of a file, called in a process beside this one.

    Parameters
    ----------
    function : str
        As `package.module:name`. It takes the path and the arguments, and returns arrays, numbers, text, and lists,
        tuples and dictionaries of them.
    path : Path
        The file.
    arguments : str, int, float or None
        What else it takes.

    Raises
    ------
    DataError
        As the function does, and where the process crashed, or took too long or too much memory for the file's size.

    Examples
    --------
    >>> read_in_child("insula.storage.hashing:sha256_of", Path(os.devnull))[:8]
    'e3b0c442'
    """
    return next(iter(deque(stream_from_child(function, path, *arguments), maxlen=1)), None)


def stream_from_child(function: str, path: Path, *arguments: Any) -> Iterator[Any]:
    """Yield what a generator yields of a file, run ahead of the reader in a process beside this one.

    Time and memory are limited anew for each value; one that is None says that work goes on, and is passed over.

    Parameters, Raises
        As of `read_in_child`.
    """
    size = path.stat().st_size if path.is_file() else 0
    seconds, memory = _SECONDS + size // _BYTES, _MEMORY + _TIMES * size
    child = _idle.pop() if _idle else _Child()
    if child.process.poll() is not None:
        child = _Child()
    request = {
        "function": function,
        "path": str(path.absolute()),
        "arguments": arguments,
        "seconds": seconds,
        "memory": memory,
    }
    ended = False
    try:
        child.connection.send_bytes(json.dumps(request).encode())
        while True:
            if not child.connection.poll(_WAIT + 10 * seconds):
                child.close()
                raise _too_long(path, seconds)
            header, value = _receive(child.connection)
            if "end" in header:
                ended = True
                break
            if value is not None:
                yield value
        if "lacks" in header:
            raise ModuleNotFoundError(f"No module named {header['lacks']!r}", name=header["lacks"])
        if header["end"] is not None:
            what, do = header["end"]
            raise DataError(what, where=path, do=do)
    except (EOFError, OSError):
        raise _ended(path, child, seconds) from None
    except GeneratorExit:
        ended = child.drained()
        raise
    finally:
        if ended and len(_idle) < _KEPT:
            _idle.append(child)
        else:
            child.close()


class _Child:
    """A process that waits for files."""

    def __init__(self) -> None:
        self.connection, theirs = Pipe()
        code = _SERVE.format(path=sys.path, descriptor=theirs.fileno())
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", code],  # -P: a file that lies in this folder is no module
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=os.environ | _FEW_THREADS,
        )
        theirs.close()

    def close(self) -> None:
        self.connection.close()
        self.process.kill()
        self.process.wait()

    def drained(self) -> bool:
        """Ask for no more, and return whether the process came to an end of what it was at."""
        with contextlib.suppress(EOFError, OSError):
            self.connection.send_bytes(_STOP)
            while self.connection.poll(1):
                if "end" in _receive(self.connection)[0]:
                    return True
        return False


_idle: list[_Child] = []
os.register_at_fork(after_in_child=_idle.clear)


@atexit.register
def _close() -> None:
    while _idle:
        _idle.pop().close()


def _too_long(path: Path, seconds: int) -> DataError:
    what = f"it was not read within {seconds} s of processor time, which no whole file of its size takes"
    return DataError(what, where=path, do="copy or fetch it again, or leave it out")


def _ended(path: Path, child: _Child, seconds: int) -> DataError:
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.process.wait(5)
    code = child.process.returncode or 0
    if code == -signal.SIGXCPU:
        return _too_long(path, seconds)
    name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    do = "the file is broken: copy or fetch it again, or leave it out"
    return DataError(f"the library that reads it crashed ({name})", where=path, do=do)


def serve(descriptor: int) -> None:
    """Answer requests until the other side is gone; this is all that the process beside does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the other side is interrupted, and this ends with it
    connection = Connection(descriptor)
    with contextlib.suppress(EOFError, OSError):
        while True:
            if request := connection.recv_bytes():
                _answer(connection, **json.loads(request))


def _answer(connection: Connection, function: str, path: str, arguments: list[Any], seconds: int, memory: int) -> None:
    failure, lacks = None, {}
    try:
        module, _, name = function.partition(":")
        call = getattr(import_module(module), name)
        _limit(seconds, memory)
        values = call(Path(path), *arguments)
        for value in values if inspect.isgenerator(values) else [values]:
            _send(connection, value)
            _limit(seconds, memory)
            if connection.poll():
                connection.recv_bytes()
                break
    except InsulaError as error:
        failure = [error.what, error.do]
    except MemoryError:
        failure = [f"reading it takes more than {memory / 1e9:.0f} GB of memory", "copy or fetch it again"]
    except ModuleNotFoundError as error:
        lacks = {"lacks": error.name}
    except OSError:
        raise
    except Exception as error:  # a broken file may make a library raise anything
        failure = [f"it cannot be read: {type(error).__name__}: {str(error)[:400]}", "copy or fetch it again"]
    connection.send_bytes(json.dumps({"end": failure, **lacks}).encode())


def _limit(seconds: int, memory: int) -> None:
    """Let the system end this process where it takes longer from now on, or refuse it more memory."""
    try:
        import resource
    except ImportError:  # not on Windows, where the clock alone limits it
        return
    limits = {
        resource.RLIMIT_CPU: math.ceil(time.process_time()) + seconds,
        resource.RLIMIT_AS: memory,
        resource.RLIMIT_CORE: 0,
    }
    for kind, most in limits.items():
        hard = resource.getrlimit(kind)[1]
        resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _send(connection: Connection, value: Any) -> None:
    parts: list[Any] = []
    arrays: list[np.ndarray] = []
    item = _flat(value, parts, arrays, {})
    shapes = [[array.dtype.str, array.shape] for array in arrays]
    connection.send_bytes(json.dumps({"value": item, "parts": parts, "arrays": shapes}).encode())
    for array in arrays:
        if array.nbytes:
            connection.send_bytes(array.reshape(-1).view(np.uint8).data)


def _flat(value: Any, parts: list[Any], arrays: list[np.ndarray], places: dict[int, Any]) -> Any:
    """Return a scalar as it is, and of all else where among the parts it stands, each once."""
    if type(value) in _SCALARS:
        return value
    if id(value) in places:
        return places[id(value)][0]

    def flat(values: Any) -> list[Any]:
        return [_flat(one, parts, arrays, places) for one in values]

    part: list[Any]
    if isinstance(value, np.ndarray) and value.dtype == object:
        part = ["objects", value.shape, flat(value.ravel().tolist())]
    elif isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "biufcSU":
        by_columns = value.ndim > 1 and value.flags.f_contiguous and not value.flags.c_contiguous
        by_rows = value.T if by_columns else value
        part = ["scalar" if isinstance(value, np.generic) else "array", len(arrays), by_columns]
        arrays.append(np.ascontiguousarray(by_rows).reshape(by_rows.shape))
    elif type(value) is bytes:
        part = ["bytes", value.decode("latin-1")]
    elif type(value) in (list, tuple):
        part = [type(value).__name__, flat(value)]
    elif type(value) is dict and all(type(key) in (str, int) for key in value):
        part = ["dict", list(value), flat(value.values())]
    else:
        raise TypeError(f"it holds a {type(value).__name__}")
    parts.append(part)
    places[id(value)] = [len(parts) - 1], value  # kept, so that no other value takes its number
    return [len(parts) - 1]


def _receive(connection: Connection) -> tuple[dict[str, Any], Any]:
    header = json.loads(connection.recv_bytes())
    arrays = [np.empty(shape, kind) for kind, shape in header.get("arrays", ())]
    for array in arrays:
        if array.nbytes:
            connection.recv_bytes_into(array.reshape(-1).view(np.uint8).data)
    done: list[Any] = []

    def whole(item: Any) -> Any:
        return done[item[0]] if isinstance(item, list) else item

    for kind, *about in header.get("parts", ()):
        if kind in ("array", "scalar"):
            array = arrays[about[0]].T if about[1] else arrays[about[0]]
            done.append(array[()] if kind == "scalar" else array)
        elif kind == "objects":
            filled = np.empty(math.prod(about[0]), object)
            for place, item in enumerate(about[1]):
                filled[place] = whole(item)
            done.append(filled.reshape(about[0]))
        elif kind == "bytes":
            done.append(about[0].encode("latin-1"))
        elif kind == "dict":
            done.append(dict(zip(about[0], map(whole, about[1]), strict=True)))
        else:
            done.append((tuple if kind == "tuple" else list)(map(whole, about[0])))
    return header, whole(header.get("value"))
