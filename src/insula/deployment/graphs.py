"""A graph of a bundle: checked before it is given to ONNX Runtime, and run on one thread."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np

from insula.deployment.graph_inputs import PICTURES, Form, picture_form
from insula.deployment.onnx_content import BOOL, FLOAT32, UINT8, Content, RefusedError, read_content
from insula.errors import BundleError, DataError

PROBABILITIES, RATING, ADMITTED = "probabilities", "rating", "admitted"
"""Names of the outputs of which every graph has one, and of the one that holds sets of classes."""

USED, USES = "used", ("none", "eeg", "face", "both")
"""The output that says what each row was answered from, and what its numbers mean."""

_BATCH = 32  # rows at a time
_MEMORY = 4 << 30  # bytes that the graphs of a process may hold: one that asks for more fails, and not the machine
_REMAKE = "use a bundle that `insula fit` wrote"


class Graph:
    """An ONNX file that answers for pictures of faces, or for rows of EEG or of features.

    All of it is checked when it is opened, see `insula.deployment.onnx_content`, and so are its inputs, such as
    `pictures`, uint8 RGB (faces, size, size, 3), or `eeg`, float32 (rows, channels, times), and its outputs:
    `probabilities`, float32 (rows, classes), or `rating`, float32 (rows,), and, where it has them, `admitted`, bool
    (rows, classes), and further columns, float32 (rows,).

    Parameters
    ----------
    path : Path
        The file.
    classes : int
        How many classes it tells apart; 0 where it gives a rating.
    inputs : int or mapping of str to Form
        The side of the faces it is given, in pixels; or what it is given, by name.
    sha256 : str, optional
        Of the file, where a manifest gives it.
    wide : mapping of str to tuple of int, optional
        Of a graph that neither classifies nor rates, the shape of each output for one row.

    Raises
    ------
    BundleError
        Where the file was altered, or holds what a graph of a bundle must not.
    """

    def __init__(
        self,
        path: Path,
        classes: int,
        inputs: int | Mapping[str, Form],
        sha256: str | None = None,
        wide: Mapping[str, tuple[int, ...]] | None = None,
    ) -> None:
        self.path, self.classes, self.sha256, self.wide = path, classes, sha256, wide
        self.inputs = picture_form(inputs) if isinstance(inputs, int) else dict(inputs)
        self._rows = "faces" if PICTURES in self.inputs else "rows"
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
        """Refuse inputs or outputs that are not as every graph of a bundle has them."""
        for name, form in self.inputs.items():
            given = read.inputs.get(name)
            kind = UINT8 if form.kind == "uint8" else FLOAT32
            if set(read.inputs) != set(self.inputs) or given is None or given.kind != kind:
                raise RefusedError(f"its input is not {name!r}, {form}")
            if given.shape[1:] != form.shape or isinstance(given.shape[0], int):
                raise RefusedError(f"its input is not {name!r}, {form}")
        wanted = PROBABILITIES if self.classes else RATING
        if self.wide is not None and set(read.outputs) != set(self.wide):
            raise RefusedError(f"its outputs are not {', '.join(self.wide)}")
        if self.wide is None and wanted not in read.outputs:
            raise RefusedError(f"it has no output {wanted!r}")
        for name, value in read.outputs.items():
            kind, shape = self._form(name)
            of = {FLOAT32: "float32", BOOL: "bool"}
            if value.kind != kind or value.shape[1:] != shape or len(value.shape) != 1 + len(shape):
                wanted = ", ".join([self._rows, *map(str, shape)])
                raise RefusedError(f"its output {name!r} is not {of[kind]} ({wanted})")
            if isinstance(value.shape[0], int) or not name.isidentifier():
                raise RefusedError(f"its output {name!r} is not for any number of {self._rows}, or has no plain name")

    def _form(self, name: str) -> tuple[int, tuple[int, ...]]:
        """Return what an output must be: its type, and its shape for one row."""
        if self.wide is not None:
            return FLOAT32, self.wide[name]
        wide = (self.classes,) if name in (PROBABILITIES, ADMITTED) else ()
        return BOOL if name == ADMITTED else FLOAT32, wide

    def answer(self, given: np.ndarray | Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return what the graph answers for faces, or rows.

        Parameters
        ----------
        given : uint8 array, shape (faces, size, size, 3), or mapping of str to array
            RGB, framed as the bundle's training pictures were; or each input by name, of any number of rows. Of several
            inputs NaN stands for what a row lacks.

        Returns
        -------
        dict of str to array
            Each output by name, one row a face.

        Raises
        ------
        DataError
            Where an input is absent, or has another type or size.
        BundleError
            Where the graph cannot be run, or answers with what is no finite number.
        """
        values = given if isinstance(given, Mapping) else {PICTURES: given}
        for name, form in self.inputs.items():
            if name not in values:
                raise DataError(f"no {name} to judge", do=f"give {name}, {form}")
            value = values[name]
            if value.dtype != form.kind or value.shape[1:] != form.shape:
                what = f"{self._rows} of {value.dtype} {value.shape} cannot be judged"
                shape = str(form).partition(" ")[2]
                raise DataError(what, do=f"give {form.kind}{' RGB' if name == PICTURES else ''} of shape {shape}")
        count = len(values[name])
        if not count:
            kinds = {BOOL: np.dtype(bool), FLOAT32: np.dtype(np.float32)}
            forms = [(name, *self._form(name)) for name in self.outputs]
            return {name: np.empty((0, *wide), kinds[kind]) for name, kind, wide in forms}
        parts = [
            self._run({name: values[name][start : start + _BATCH] for name in self.inputs})
            for start in range(0, count, _BATCH)
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in self.outputs}

    def _run(self, given: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the answer for one batch."""
        session, count = self._session, len(next(iter(given.values())))
        try:
            batch = {name: np.ascontiguousarray(value) for name, value in given.items()}
            values = session.run(list(self.outputs), batch)
        except Exception as error:  # whatever ONNX Runtime raises
            raise BundleError(f"the graph cannot be run: {_first(error)}", where=self.path, do=_REMAKE) from None
        answer = dict(zip(self.outputs, values, strict=True))
        for name, value in answer.items():
            if value.shape != (count, *self._form(name)[1]):
                raise BundleError(f"the graph's {name} has the shape {value.shape}", where=self.path, do=_REMAKE)
            if value.dtype == np.float32 and not np.isfinite(value).all():
                what = f"the graph's answer has a {name} that is no finite number"
                raise BundleError(what, where=self.path, do=_REMAKE)
            if name == USED and not np.isin(value, range(len(USES))).all():
                raise BundleError(f"the graph's {name} names no side", where=self.path, do=_REMAKE)
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


def applying(answer: Mapping[str, np.ndarray], refuse_above: float | None = None) -> dict[str, np.ndarray]:
    """Return what a graph answers, NaN where a column does not apply to a row: a graph itself gives numbers alone.

    Parameters
    ----------
    answer : mapping of str to array
        Each output by name.
    refuse_above : float, optional
        The strangeness above which a picture is answered by itself: what parts of the system that were not asked agree
        on is nothing.

    Examples
    --------
    >>> answer = {"used": np.array([1, 3]), "uncertainty_face": np.array([0.5, 0.25])}
    >>> applying(answer)["uncertainty_face"].tolist()
    [nan, 0.25]
    """
    meant = dict(answer)
    if USED in meant:
        eeg, face = (np.isin(meant[USED], [USES.index(side), USES.index("both")]) for side in ("eeg", "face"))
        applies = {"uncertainty_eeg": eeg, "uncertainty_face": face, "discrepancy": eeg & face}
    else:
        strange = meant.get("out_of_distribution", np.zeros(0)).astype(float)
        applies = {} if refuse_above is None else {"epistemic": ~(strange > refuse_above)}
    return meant | {name: np.where(rows, meant[name], np.nan) for name, rows in applies.items() if name in meant}


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
