"""A bundle that embeds: windows of EEG to vectors, by two graphs and NumPy between them; without torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from insula.deployment.graph_inputs import Form
from insula.deployment.graphs import Graph
from insula.eeg.harmonisation import montage_matrix
from insula.eeg.loudness import robust_moments
from insula.eeg.montage import canonical
from insula.errors import BundleError, DataError, SettingsError
from insula.samples import Store
from insula.storage.folder import verify

NORMALISE = ("session", "calibration", "source")
"""Whose moments normalise: of all windows of a recording, of its first seconds, or those of pre-training."""

ARRAYS = "between.npz"
_ROWS = 32  # windows in memory at a time
_REMAKE = "use a bundle that `insula fit` wrote"

Moments = tuple[np.ndarray, np.ndarray]


def is_encoder(folder: Path) -> bool:
    """Return whether a folder is a bundle, unaltered, that gives vectors and no answers."""
    return "embeds" in verify(folder)


@dataclass(frozen=True)
class Encoder:
    """An opened bundle that embeds.

    Parameters
    ----------
    manifest : dict
        What `manifest.json` says; `embeds` holds the montage, the form of windows, tokens and vectors, loudness of
        those it learnt from, and the fewest windows that have moments of their own.
    tokens, features : Graph
        Before normalisation, and after.
    arrays : mapping of str to ndarray
        The projection between them, and moments of pre-training.
    """

    manifest: dict[str, Any]
    tokens: Graph
    features: Graph
    arrays: Mapping[str, np.ndarray]

    @property
    def about(self) -> dict[str, Any]:
        """What the manifest says of embedding."""
        return dict(self.manifest["embeds"])

    @property
    def width(self) -> int:
        """Numbers of a vector."""
        return int(self.about["width"])

    def vectors(
        self, store: Store, rows: np.ndarray, normalise: str = "session", known: np.ndarray | None = None
    ) -> tuple[np.ndarray, bool]:
        """Return float32 (n, width), a vector for each window, and whether there were enough to normalise as asked.

        Parameters
        ----------
        store : Store
            Windows of one person's session, (n, channels, times), of any electrodes, at the bundle's rate.
        rows : int array, shape (n,)
            Which of them.
        normalise : str
            One of `NORMALISE`.
        known : int array, optional
            Rows whose moments normalise; by default all.

        Raises
        ------
        DataError
            Where no electrode is of the bundle's montage, or windows are of another rate or length.
        """
        read = self._reader(store, rows, own=normalise != "source")
        known = rows if known is None else known
        enough = normalise == "source" or len(known) >= self.about["fewest"]
        moments = self._source() if normalise == "source" or not enough else self._moments(read(known))
        parts = [self.features.answer({"spatial": self._spatial(tokens, moments)})["features"]
                 for tokens in self._tokens(read(rows))]  # fmt: skip
        return np.concatenate(parts) if parts else np.empty((0, self.width), np.float32), enough

    def _reader(self, store: Store, rows: np.ndarray, *, own: bool) -> Callable[[np.ndarray], Iterator[np.ndarray]]:
        """Return what yields windows in the bundle's montage and in the person's own unit."""
        form, about = store.description, self.about
        if not set(canonical(form.channels)) & set(about["montage"]):
            what = f"no electrode of the bundle's montage among {', '.join(form.channels)}"
            raise DataError(what, do=f"it needs some of {', '.join(about['montage'])}")
        length = np.shape(store.read(np.arange(1)))[-1]
        if (length, form.rate) != (about["times"], about["rate"]):
            what = f"windows of {length} samples at {form.rate:g} Hz"
            raise DataError(what, do=f"give {about['times']} samples at {about['rate']:g} Hz")
        matrix = montage_matrix(form.channels, about["montage"])
        mean, deviation = 0.0, about["loudness"]
        if own:
            mean, deviation = robust_moments([np.asarray(store.read(rows[first : first + _ROWS]))
                                              for first in range(0, len(rows), _ROWS)])  # fmt: skip

        def read(some: np.ndarray) -> Iterator[np.ndarray]:
            for first in range(0, len(some), _ROWS):
                windows = matrix @ np.asarray(store.read(some[first : first + _ROWS]), np.float32)
                yield (windows - np.float32(mean)) / np.float32(deviation)

        return read

    def _tokens(self, batches: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        for windows in batches:
            yield self.tokens.answer({"windows": windows})["tokens"]

    def _source(self) -> tuple[Moments, Moments]:
        first, second = ((self.arrays[f"mean_{place}"], self.arrays[f"deviation_{place}"]) for place in (0, 1))
        return first, second

    def _moments(self, batches: Iterator[np.ndarray]) -> tuple[Moments, Moments]:
        """Return a session's moments at both places; the second follow from the tokens' covariance, in float64."""
        weight, bias = self.arrays["weight"].astype(float), self.arrays["bias"]
        count, total, products = 0, np.zeros(()), np.zeros(())
        for tokens in self._tokens(batches):
            wide = tokens.astype(float).transpose(1, 2, 0, 3).reshape(*tokens.shape[1:3], -1)
            count += wide.shape[2]
            total, products = total + wide.sum(axis=2), products + wide @ wide.swapaxes(1, 2)
        mean = total / count
        covariance = (products - count * mean[:, :, None] * mean[:, None]) / (count - 1)
        deviation = _deviations(covariance)
        scaled = weight / (deviation[:, None] + self.about["small"])
        projected = _deviations(scaled @ covariance @ scaled.swapaxes(1, 2))
        return (mean, deviation), (np.tile(bias, (len(projected), 1)), projected)

    def _spatial(self, tokens: np.ndarray, moments: tuple[Moments, Moments]) -> np.ndarray:
        projected = self.arrays["weight"] @ self._normalised(tokens, moments[0]) + self.arrays["bias"][:, None]
        return self._normalised(projected, moments[1])

    def _normalised(self, values: np.ndarray, moments: Moments) -> np.ndarray:
        mean, deviation = (value[..., None].astype(np.float32) for value in moments)
        return np.asarray((values - mean) / (deviation + np.float32(self.about["small"])), np.float32)


def _deviations(covariance: np.ndarray) -> np.ndarray:
    return np.sqrt(np.maximum(np.diagonal(covariance, axis1=1, axis2=2), 0))


def open_encoder(folder: Path) -> Encoder:
    """Check every file of a bundle that embeds against its hash, and its graphs for what they must not hold.

    Raises
    ------
    BundleError
        Where the folder is no bundle, was altered, or its parts do not fit one another.
    SettingsError
        Where it is a bundle that answers and does not embed.
    """
    manifest = verify(folder)
    if "embeds" not in manifest:
        do = "use one that `insula fit mdjpt -o BUNDLE` wrote, or ask what this one answers: insula predict"
        raise SettingsError("this bundle does not embed", where=folder, do=do)
    try:
        about = manifest["embeds"]
        electrodes, times, width = len(canonical(about["montage"])), about["times"], about["width"]
        tokens, spatial = tuple(about["tokens"]), tuple(about["spatial"])
        whole = all(type(size) is int and size > 0 for size in (times, width, *tokens, *spatial))
        numbers = (about["rate"], about["loudness"], about["fewest"], about["small"])
        if not whole or not all(0 < float(number) < np.inf for number in numbers):
            raise ValueError
        with np.load(folder / ARRAYS, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        places = {"0": tokens[:2], "1": spatial[:2]}
        shapes = {f"{name}_{place}": shape for place, shape in places.items() for name in ("mean", "deviation")}
        shapes |= {"weight": (spatial[1], tokens[1]), "bias": (spatial[1],)}
        right = {name: value.shape for name, value in arrays.items()} == shapes
        if not right or not all(np.isfinite(value).all() for value in arrays.values()):
            raise ValueError
        sha256 = {name: manifest["files"][f"{name}.onnx"]["sha256"] for name in ("tokens", "features")}
    except Exception:  # whatever entries or a file without sense lead to
        what = "the manifest and the arrays of this bundle do not fit one another"
        raise BundleError(what, where=folder, do=_REMAKE) from None
    windows = {"windows": Form("float32", (electrodes, times))}
    between = {"spatial": Form("float32", spatial)}
    first = Graph(folder / "tokens.onnx", 0, windows, sha256["tokens"], {"tokens": tokens})
    last = Graph(folder / "features.onnx", 0, between, sha256["features"], {"features": (width,)})
    return Encoder(manifest, first, last, arrays)


def check_normalise(normalise: str, calibration: float | None) -> None:
    """Refuse another way to normalise, and seconds of calibration where they are not used, or lack.

    Raises
    ------
    SettingsError
    """
    if normalise not in NORMALISE:
        raise SettingsError(f"unknown normalise {normalise!r}", do=f"it is {', '.join(NORMALISE)}")
    if (normalise == "calibration") != (calibration is not None) or not (calibration or 1) > 0:
        what = "seconds of calibration go with normalising by calibration, and only with it"
        raise SettingsError(what, where="calibration", do="give --normalise calibration --calibration 60")
