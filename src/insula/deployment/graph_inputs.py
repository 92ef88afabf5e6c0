"""What graphs read: pictures, and by name rows of EEG and of features, as a manifest describes them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from insula.errors import DataError, InsulaError

if TYPE_CHECKING:
    from insula.samples import Samples

PICTURES = "pictures"
"""Name of the input of graphs that read pictures."""

_LARGEST = 1 << 24  # numbers in a row
_TRIAL = ["corpus", "subject", "session", "trial"]


class Form(NamedTuple):
    """One input of a graph: `uint8` or `float32`, and the shape for one row, of which there may be any number."""

    kind: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        """Return it in words.

        Examples
        --------
        >>> str(Form("float32", (14, 256)))
        'float32 (rows, 14, 256)'
        """
        rows = "faces" if self.kind == "uint8" else "rows"
        return f"{self.kind} ({', '.join([rows, *map(str, self.shape)])})"


def picture_form(size: int) -> dict[str, Form]:
    """Return the input of a graph that reads pictures of faces of so many pixels along an edge."""
    return {PICTURES: Form("uint8", (size, size, 3))}


def described(samples: Samples, modalities: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return what a manifest says of modalities that a system reads, from samples that it learnt from.

    Examples
    --------
    >>> from insula.samples import ArrayStore, Description, Samples, provenance
    >>> form = Description(kind="signal", axes=("channel", "time"), rate=4, channels=("Cz",), units="uV")
    >>> store = ArrayStore(np.zeros((1, 1, 8), np.float32), form)
    >>> samples = Samples(provenance(1, corpus="demo"), {}).with_modality("eeg", "eeg", store, [0])
    >>> described(samples, ["eeg"])["eeg"]["shape"]
    [1, 8]
    """
    about = {}
    for name in modalities:
        there = np.flatnonzero(samples.has(name))
        if not len(there):
            raise DataError(f"no sample has the modality {name}", where=name, do="give samples that have it")
        shape = np.asarray(samples.select(there[:1]).read(name)).shape[1:]
        about[name] = samples.store(name).description.model_dump(mode="json") | {"shape": list(shape)}
    return about


def is_description(about: object) -> bool:
    """Return whether a manifest's entry describes rows as `described` does."""
    from insula.samples import Description

    try:
        values = dict(about)  # type: ignore[call-overload]
        shape = values.pop("shape")
        form = Description(**values)
        sound = all(type(length) is int and length > 0 for length in shape) and math.prod(shape) <= _LARGEST
        named = not form.channels or shape[form.axes.index("channel")] == len(form.channels)
        return sound and 0 < len(shape) == len(form.axes) and named and {"channels", "rate"} <= set(values)
    except (InsulaError, TypeError, ValueError, KeyError, IndexError):
        return False


def opened_steps(about: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return the steps that come before a graph, by modality, from a mode's entry in the manifest.

    Raises
    ------
    Exception
        Of any kind, where it is not as it must be: a file of an array may be anything.
    """
    from insula.eeg.before_graph import BEFORE

    steps = {}
    for name, plain in about.items():
        file = plain.get("reference")
        reference = None if file is None else np.load(folder / Path(file).name, allow_pickle=False)
        if reference is not None and not np.isfinite(reference).all():
            raise ValueError("a number that is not finite")
        steps[name] = BEFORE[plain["name"]].of(plain, reference)
    return steps


def forms(inputs: Mapping[str, Mapping[str, Any]], names: Sequence[str], steps: Mapping[str, Any]) -> dict[str, Form]:
    """Return the inputs of a graph that reads these modalities, after the steps that come before it."""
    shapes = {name: tuple(inputs[name]["shape"]) for name in names}
    return {name: Form("float32", steps[name].shape(row) if name in steps else row) for name, row in shapes.items()}


def rows_of(
    samples: Samples, manifest: Mapping[str, Any], mode: str, steps: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    """Return what a graph is given of samples: float32 (n, ...) by name; NaN is what a row lacks.

    Parameters
    ----------
    samples : Samples
        With the modalities that the mode reads; of a system of two modalities any row may lack either.
    manifest : mapping
        Of the bundle: its `inputs`, the names that each of its `graphs` reads, `sides` of two modalities, and seconds
        between a face and its EEG (`max_skew`) beyond which the face counts as lacking.
    mode : str
        Whose graph it is.
    steps : mapping of str to object
        What is done before, by modality.

    Raises
    ------
    DataError
        Where a sample lacks what is read, or has rows unlike those of the training data.
    """
    given, sides = {}, manifest.get("sides") or {}
    for name in manifest["graphs"][mode]["inputs"]:
        values = _rows(samples, name, manifest["inputs"][name], lacking=bool(sides))
        if name in steps:
            trials = samples.table.groupby(_TRIAL, dropna=False, sort=False).ngroup().to_numpy()
            values = steps[name](values, trials)
        given[name] = values
    eeg = [name for name in manifest["inputs"] if sides.get(name) == "eeg"]
    face = [name for name in given if sides.get(name) == "face"]
    if eeg and face and "skew" in samples.table:  # a graph of the face alone hangs on the EEG that it is late for, too
        late = np.abs(samples.table["skew"].to_numpy(float, na_value=np.nan)) > manifest["max_skew"]
        rows = given[eeg[0]] if eeg[0] in given else _rows(samples, eeg[0], manifest["inputs"][eeg[0]], lacking=True)
        given[face[0]][late & np.isfinite(rows).reshape(len(rows), -1).all(axis=1)] = np.nan
    return given


def _rows(samples: Samples, name: str, about: Mapping[str, Any], *, lacking: bool) -> np.ndarray:
    """Return rows of a modality, float32 (n, ...); NaN where a sample lacks it, if any may."""
    present = samples.has(name) if name in samples.modalities else np.zeros(len(samples), bool)
    if not lacking and not present.all():
        raise DataError(f"a sample has no {name}", where=f"sample {samples.ids[~present][0]}")
    values = np.full((len(samples), *about["shape"]), np.nan, np.float32)
    if present.any():
        values[present] = _alike(samples.select(present), name, about)
    return values


def _alike(samples: Samples, name: str, about: Mapping[str, Any]) -> np.ndarray:
    """Return rows of a modality, channels by name in the order of the training data."""
    form, values = samples.store(name).description, np.asarray(samples.read(name))
    missing = [channel for channel in about["channels"] if channel not in form.channels]
    if missing:
        do = "harmonise the corpus to the channels of the training data"
        raise DataError(f"no channel {missing[0]}", where=f"{name}, which has {', '.join(form.channels)}", do=do)
    if tuple(about["channels"]) != form.channels and about["channels"]:
        order = [form.channels.index(channel) for channel in about["channels"]]
        values = np.take(values, order, 1 + form.axes.index("channel"))
    if list(values.shape[1:]) != list(about["shape"]) or form.rate != about["rate"]:
        what = (
            f"rows of shape {values.shape[1:]} at {form.rate} Hz are not those of the training data, "
            f"{tuple(about['shape'])} at {about['rate']} Hz"
        )
        raise DataError(what, where=name, do="cut and resample them alike")
    return values
