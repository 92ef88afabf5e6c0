"""Arrays from pickles of others: NumPy arrays and plain values are admitted, and nothing that a file names is run.

It is Python's own unpickler in Python, of which only what such files need is left; it works in a process beside this
one, which limits what a file may cost.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import re
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from insula.errors import DataError
from insula.storage.child import read_in_child

_PLAIN = (str, bytes, int, float, bool)
_DEEPEST = 32  # containers within containers
_TYPES = re.compile(r"[biufc]\d{1,2}|[SU]\d+")  # NumPy's codes of truth values, numbers and text


def arrays_from_pickle(path: Path) -> Any:
    """Return what a pickle holds: NumPy arrays, in plain containers.

    Any protocol is read; text and bytes of Python 2 become `str` by latin-1, as NumPy wants it. No name in the file is
    imported: the few that NumPy writes stand for functions of this module, which make an array of bytes and of nothing
    else.

    Parameters
    ----------
    path : Path
        The file; it is read whole.

    Returns
    -------
    object
        Arrays of numbers, truth values or text, and dict (of text or whole numbers), list, tuple, str, bytes, int and
        float around them.

    Raises
    ------
    DataError
        If the file is absent or cut off, or asks for anything else, which the error names.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "s01.dat"
    >>> _ = path.write_bytes(pickle.dumps({"data": np.arange(3)}))
    >>> arrays_from_pickle(path)
    {'data': array([0, 1, 2])}
    >>> _ = path.write_bytes(pickle.dumps([print]))
    >>> arrays_from_pickle(path)
    Traceback (most recent call last):
    ...
    insula.errors.DataError: the pickle asks for 'builtins.print' (...s01.dat): it should hold arrays only, so ...
    """
    return read_in_child(f"{__name__}:arrays_here", path)


def arrays_here(path: Path) -> Any:
    """Do what `arrays_from_pickle` does, in this process."""
    if not path.is_file():
        raise DataError("no such file", where=path, do="correct the path")
    content = path.read_bytes()
    try:
        _check_opcodes(content)
        return _plain(_Arrays(io.BytesIO(content), encoding="latin-1").load(), {}, 0)
    except _RefusedError as error:
        do = "it should hold arrays only, so do not trust it"
        raise DataError(f"the pickle asks for {error}", where=path, do=do) from None
    except Exception as error:  # a broken pickle may raise anything
        message = textwrap.shorten(f"{type(error).__name__}: {error}", 400, placeholder=" ...")
        raise DataError(f"this pickle cannot be read: {message}", where=path, do="copy or fetch it again") from None


class _RefusedError(Exception):
    """Names what is not admitted."""


class _Type:
    """A dtype while it is read: NumPy's own would take any state that a file gives it."""

    def __init__(self, code: object, *_: object) -> None:
        if not (isinstance(code, str) and _TYPES.fullmatch(code)):
            raise _RefusedError(f"an array of type {code!r}")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.dtype = self.dtype.newbyteorder(state[1])  # the rest is about arrays of records


class _Array:
    """An array while it is read: NumPy's own would be made before there is anything to fill it."""

    array: np.ndarray | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, by_columns, content = state
        self.array = _shaped(content, kind, shape, "F" if by_columns else "C")


def _shaped(content: Any, kind: Any, shape: Any, order: Any) -> np.ndarray:
    """Return an array over bytes; NumPy refuses a shape that they do not fill."""
    content = content.encode("latin-1") if isinstance(content, str) else content
    return np.frombuffer(content, kind.dtype).reshape(shape, order=order)


def _reconstruct(*_: object) -> _Array:
    return _Array()


def _frombuffer(content: Any, kind: Any, shape: Any, order: Any, *axes: Any) -> _Array:
    """Stand for the function of this name by which NumPy makes arrays from protocol 5 on."""
    made = _Array()
    made.array = _shaped(content, kind, shape, "C" if axes else order)
    if axes and axes[0] is not None:
        made.array = made.array.transpose(axes[0])
    return made


def _encode(text: str, encoding: str) -> bytes:
    """Stand for `codecs.encode`, by which Python 3 writes bytes up to protocol 2."""
    if encoding != "latin1":
        raise _RefusedError(f"the encoding {encoding!r}")
    return text.encode("latin-1")


_NAMES: Mapping[str, Callable[..., Any] | str] = {
    "numpy.ndarray": "numpy.ndarray",  # an argument of _reconstruct: a word, which cannot be called
    "numpy.dtype": _Type,
    "numpy.core.multiarray._reconstruct": _reconstruct,
    "numpy._core.multiarray._reconstruct": _reconstruct,
    "numpy.core.numeric._frombuffer": _frombuffer,
    "numpy._core.numeric._frombuffer": _frombuffer,
    "_codecs.encode": _encode,
}


_ADMITTED = frozenset({
    "PROTO", "FRAME", "STOP", "MARK", "POP", "POP_MARK", "GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD",
    "PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE", "GET", "BINGET", "LONG_BINGET",
    "NONE", "NEWTRUE", "NEWFALSE", "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
    "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8",
    "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8",
    "EMPTY_LIST", "APPEND", "APPENDS", "LIST", "EMPTY_TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "TUPLE",
    "EMPTY_DICT", "DICT", "SETITEM", "SETITEMS",
})  # fmt: skip
"""What arrays and plain containers are written with: no sets, whose members would be hashed, and no objects."""


_Unpickler: Any = pickle._Unpickler


class _Arrays(_Unpickler):
    dispatch: ClassVar[dict[int, Any]] = dict(_Unpickler.dispatch)

    def find_class(self, module: str, name: str) -> Any:
        wanted = f"{module}.{name}"
        if wanted not in _NAMES:
            raise _RefusedError(repr(wanted))
        return _NAMES[wanted]

    def load_build(self) -> None:
        state, made = self.stack.pop(), self.stack[-1]
        if not isinstance(made, _Array | _Type):  # the state of a function would be its defaults
            raise _RefusedError(f"a state of a {type(made).__name__}")
        made.__setstate__(state)

    dispatch[pickle.BUILD[0]] = load_build

    def load_setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self.stack[-1][_checked(key)] = value

    dispatch[pickle.SETITEM[0]] = load_setitem

    def load_setitems(self) -> None:
        items = self.pop_mark()
        for key, value in zip(items[::2], items[1::2], strict=True):
            self.stack[-1][_checked(key)] = value

    dispatch[pickle.SETITEMS[0]] = load_setitems

    def load_dict(self) -> None:
        items = self.pop_mark()
        self.append({_checked(key): value for key, value in zip(items[::2], items[1::2], strict=True)})

    dispatch[pickle.DICT[0]] = load_dict


def _checked(key: Any) -> str | int:
    """Refuse a key that is no text or whole number: a nested one takes forever to hash, or ends the process."""
    if type(key) not in (str, int):
        raise _RefusedError(f"a key of type {type(key).__name__}")
    return key


def _check_opcodes(content: bytes) -> None:
    """Refuse what arrays are not written with, and a memo of more than the file can fill, for which room is made."""
    others = []
    for opcode, argument, _ in pickletools.genops(content):
        if opcode.name not in _ADMITTED:
            others.append(opcode.name)
        if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and int(argument or 0) > len(content):
            raise _RefusedError(f"a memo of {argument} entries")
    if others:  # said in the end: what is no pickle at all does not come so far
        raise _RefusedError(f"{others[0]}, which arrays are not written with")


def _plain(value: Any, done: dict[int, Any], depth: int) -> Any:
    """Return a value with finished arrays; `done` holds what parts became, so that one in many places is made once."""
    if type(value) in _PLAIN:
        return value
    if id(value) not in done:
        if depth > _DEEPEST:
            raise _RefusedError(f"containers within containers, more than {_DEEPEST} deep")
        if isinstance(value, _Array) and value.array is not None:
            done[id(value)] = value.array
        elif type(value) in (list, tuple):
            done[id(value)] = type(value)(_plain(part, done, depth + 1) for part in value)
        elif type(value) is dict:
            done[id(value)] = {key: _plain(part, done, depth + 1) for key, part in value.items()}
        else:
            raise _RefusedError(f"a value of type {type(value).__name__}")
    return done[id(value)]
