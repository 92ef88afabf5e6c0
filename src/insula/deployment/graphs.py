"""A graph of a bundle: checked before it is given to ONNX Runtime, and run on one thread."""

from __future__ import annotations

import hashlib
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np

from insula.deployment.onnx_content import BOOL, FLOAT32, UINT8, Content, RefusedError, read_content
from insula.errors import BundleError, DataError

INPUT, PROBABILITIES, ADMITTED = "pictures", "probabilities", "admitted"
"""Names of the input, of the output that every graph has, and of the one that holds sets of classes."""

_SURE = (PROBABILITIES, "out_of_distribution")  # of a further column NaN says that it is not known
_BATCH = 32  # faces at a time
_MEMORY = 4 << 30  # bytes that the graphs of a process may hold: one that asks for more fails, and not the machine
_REMAKE = "use a bundle that `insula fit` wrote"


class Graph:
    """An ONNX file that answers for pictures of faces.

    All of it is checked when it is opened, see `insula.deployment.onnx_content`, and so are its input `pictures`, uint8
    RGB (faces, size, size, 3), and its outputs: `probabilities`, float32 (faces, classes), and, where it has them,
    `admitted`, bool (faces, classes), and further columns, float32 (faces,).

    Parameters
    ----------
    path : Path
        The file.
    classes, size : int
        How many classes it tells apart, and the side of the faces it is given, in pixels.
    sha256 : str, optional
        Of the file, where a manifest gives it.

    Raises
    ------
    BundleError
        Where the file was altered, or holds what a graph of a bundle must not.
    """

    def __init__(self, path: Path, classes: int, size: int, sha256: str | None = None) -> None:
        self.path, self.classes, self.size, self.sha256 = path, classes, size, sha256
        content = self._bytes()
        self.sha256 = hashlib.sha256(content).hexdigest()
        try:
            read = read_content(content)
            self._check(read)
        except RefusedError as error:
            raise BundleError(f"the graph is refused: {error}", where=path, do=_REMAKE) from None
        self.outputs, self.metadata = tuple(read.outputs), read.metadata

    def _bytes(self) -> bytes:
        """Return the file's content, which stays the same from the first look to the last."""
        content = self.path.read_bytes()
        if self.sha256 not in (None, hashlib.sha256(content).hexdigest()):
            raise BundleError("the bundle was altered", where=self.path, do="use the original, or fit it again")
        return content

    def _check(self, read: Content) -> None:
        """Refuse an input or outputs that are not as every graph of a bundle has them."""
        pictures = read.inputs.get(INPUT)
        square = (self.size, self.size, 3)
        if len(read.inputs) != 1 or pictures is None or pictures.kind != UINT8 or pictures.shape[1:] != square:
            raise RefusedError(f"its input is not {INPUT!r}, uint8 (faces, {self.size}, {self.size}, 3)")
        if PROBABILITIES not in read.outputs:
            raise RefusedError(f"it has no output {PROBABILITIES!r}")
        for name, value in read.outputs.items():
            kind, shape = self._form(name)
            of = {FLOAT32: "float32", BOOL: "bool"}
            if value.kind != kind or value.shape[1:] != shape or len(value.shape) != 1 + len(shape):
                wanted = ", ".join(["faces", *map(str, shape)])
                raise RefusedError(f"its output {name!r} is not {of[kind]} ({wanted})")
            if isinstance(value.shape[0], int) or not name.isidentifier():
                raise RefusedError(f"its output {name!r} is not for any number of faces, or has no plain name")

    def _form(self, name: str) -> tuple[int, tuple[int, ...]]:
        """Return what an output must be: its type, and its shape for one face."""
        wide = (self.classes,) if name in (PROBABILITIES, ADMITTED) else ()
        return BOOL if name == ADMITTED else FLOAT32, wide

    def answer(self, pictures: np.ndarray) -> dict[str, np.ndarray]:
        """Return what the graph answers for faces.

        Parameters
        ----------
        pictures : uint8 array, shape (faces, size, size, 3)
            RGB, framed as the bundle's training pictures were; of any number of faces.

        Returns
        -------
        dict of str to array
            Each output by name, one row a face. A column beside probabilities and strangeness may hold NaN, where it is
            not known.

        Raises
        ------
        DataError
            Where the pictures have another type or size.
        BundleError
            Where the graph cannot be run, or answers with what is no finite number.
        """
        side = self.size
        if pictures.dtype != np.uint8 or pictures.shape[1:] != (side, side, 3):
            what = f"faces of {pictures.dtype} {pictures.shape} cannot be judged"
            raise DataError(what, do=f"give uint8 RGB of shape (faces, {side}, {side}, 3)")
        if not len(pictures):
            kinds = {BOOL: np.dtype(bool), FLOAT32: np.dtype(np.float32)}
            forms = [(name, *self._form(name)) for name in self.outputs]
            return {name: np.empty((0, *wide), kinds[kind]) for name, kind, wide in forms}
        parts = [self._run(pictures[start : start + _BATCH]) for start in range(0, len(pictures), _BATCH)]
        return {name: np.concatenate([part[name] for part in parts]) for name in self.outputs}

    def _run(self, pictures: np.ndarray) -> dict[str, np.ndarray]:
        """Return the answer for one batch."""
        session = self._session
        try:
            values = session.run(list(self.outputs), {INPUT: np.ascontiguousarray(pictures)})
        except Exception as error:  # whatever ONNX Runtime raises
            raise BundleError(f"the graph cannot be run: {_first(error)}", where=self.path, do=_REMAKE) from None
        answer = dict(zip(self.outputs, values, strict=True))
        for name, value in answer.items():
            if value.shape != (len(pictures), *self._form(name)[1]):
                raise BundleError(f"the graph's {name} has the shape {value.shape}", where=self.path, do=_REMAKE)
            wrong = np.isnan(value) if name in _SURE else np.zeros(0)
            if value.dtype == np.float32 and (wrong.any() or np.isinf(value).any()):
                what = f"the graph's answer has a {name} that is no finite number"
                raise BundleError(what, where=self.path, do=_REMAKE)
        return answer

    @cached_property
    def _session(self) -> Any:
        """ONNX Runtime with this graph, from bytes: it opens no file by itself."""
        import onnxruntime

        _limit_memory()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4  # what goes wrong is raised, in one line
        options.add_session_config_entry("session.load_model_format", "ONNX")  # and not what the bytes might say
        options.add_session_config_entry("session.use_env_allocators", "1")
        try:
            return onnxruntime.InferenceSession(
                self._bytes(),
                options,
                providers=["CPUExecutionProvider"],
                disabled_optimizers=["ConstantFolding"],  # done at export; here it would run before memory is limited
            )
        except BundleError:
            raise
        except Exception as error:  # whatever ONNX Runtime raises
            raise BundleError(f"the graph cannot be opened: {_first(error)}", where=self.path, do=_REMAKE) from None


@cache
def _limit_memory() -> None:
    """Let all graphs of this process share one store of memory, which has an end."""
    import onnxruntime

    kind = onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR
    place = onnxruntime.OrtMemoryInfo("Cpu", kind, 0, onnxruntime.OrtMemType.DEFAULT)
    grow = {"arena_extend_strategy": 1, "initial_chunk_size_bytes": -1, "max_dead_bytes_per_chunk": -1}  # as asked for
    onnxruntime.create_and_register_allocator(place, onnxruntime.OrtArenaCfg({"max_mem": _MEMORY, **grow}))


def _first(error: Exception) -> str:
    """Return the beginning of a message of ONNX Runtime, whose messages are long."""
    return " ".join(str(error).split())[:200]
