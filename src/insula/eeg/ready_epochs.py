"""Epochs that somebody else has cut: arrays on disk, with a file that says what they are."""

from __future__ import annotations

from math import ceil
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import yaml
from pydantic import PositiveFloat

from insula.eeg.checks import check_signal
from insula.eeg.epoch_store import mark_epochs, quality_in
from insula.eeg.features import samples_in
from insula.eeg.filters import resampling_ratio
from insula.eeg.montage import canonical
from insula.eeg.preprocessing import Preprocessing
from insula.errors import DataError
from insula.samples import ArrayStore, Description, open_store
from insula.storage.cache import Cache
from insula.storage.hashing import sha256_of
from insula.storage.settings import Settings

SUFFIXES = (".npy", ".npz")

_LOOKED_AT = 32  # epochs of a file, before all are read
_AT_ONCE = 64  # epochs resampled together


class EpochForm(Settings):
    """What ready epochs are, as their YAML file says.

    Parameters
    ----------
    channels : tuple of str
        Electrodes, in the order of the array's second axis.
    rate : float
        Samples per second.
    start : float
        Seconds from the event to the first sample, negative where epochs begin before it.
    units : str
        Only "uV".

    Examples
    --------
    The file may read: `{channels: [Fz, Cz, Pz], rate: 1000, start: -0.2}`.
    """

    channels: tuple[str, ...]
    rate: PositiveFloat
    start: float = 0.0
    units: str = "uV"

    @classmethod
    def read(cls, path: Path) -> EpochForm:
        """Read the YAML file.

        Raises
        ------
        DataError
            If it is absent or no YAML mapping, or names no electrode.
        """
        try:
            values = yaml.safe_load(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            do = "write {channels: [Fz, ...], rate: 1000, start: 0}"
            raise DataError("no such file", where=path, do=do) from None
        except (UnicodeError, yaml.YAMLError) as error:
            raise DataError(f"no YAML: {error}", where=path, do="write channels, rate and start") from None
        if not isinstance(values, dict):
            raise DataError("no mapping", where=path, do="write channels, rate and start")
        form = cls.parse(values, where=str(path))
        return form.model_copy(update={"channels": canonical(form.channels, where=path)})


def open_epochs(path: Path, form: EpochForm, preprocessing: Preprocessing) -> np.ndarray:
    """Return the array of a file, (epochs, channels, times), memory-mapped where it is a `.npy` file.

    Raises
    ------
    DataError
        If it is no array of numbers, does not fit the form, does not hold the epoch of the settings, or some of its
        epochs are no live EEG in microvolts.
    """
    try:
        values: Any = np.load(path, mmap_mode="r", allow_pickle=False)
        if isinstance(values, np.lib.npyio.NpzFile):
            with values as archive:
                values = archive["epochs"]
    except FileNotFoundError:
        raise DataError("no such file", where=path, do="correct the path") from None
    except KeyError:
        raise DataError("no array named 'epochs'", where=path, do="save it as numpy.savez(path, epochs=...)") from None
    except (ValueError, EOFError, OSError, BadZipFile) as error:
        message = str(error).split(". ")[0]  # numpy goes on to advise unpickling
        raise DataError(f"no array: {message}", where=path, do="save float32 with numpy.save") from None
    if values.ndim != 3 or values.shape[1] != len(form.channels) or values.dtype.kind != "f" or not len(values):
        what = f"an array of {values.dtype} {values.shape} for {len(form.channels)} channels"
        raise DataError(what, where=path, do="save floats, (epochs, channels, times)")
    _check_span(values.shape[-1], form, preprocessing, path)
    some = np.unique(np.linspace(0, len(values) - 1, _LOOKED_AT).astype(int))
    for row in some:
        _check_finite(values[row : row + 1], path, row)
    looked = np.concatenate(list(values[some]), axis=1)
    check_signal(looked, form.channels, form.rate, form.units, where=path, window=0.0)
    return values


def _check_span(length: int, form: EpochForm, settings: Preprocessing, path: Path) -> None:
    rate = settings.rate or form.rate
    length = ceil(length * resampling_ratio(form.rate, rate))
    first, wanted = _span(settings.epoch, form, rate)
    if first < 0 or first + wanted > length:
        held, asked = f"{form.start:g} to {form.start + length / rate:g} s", "{:g} to {:g} s".format(*settings.epoch)
        raise DataError(f"epochs from {held} do not hold {asked}", where=path, do="set preprocessing.epoch")


def _check_finite(values: np.ndarray, path: Path, row: int) -> None:
    finite = np.isfinite(values).all(axis=(1, 2))
    if not finite.all():
        what = f"epoch {row + int(np.argmin(finite))} has NaN or infinite values"
        raise DataError(what, where=path, do="mend or drop the epoch")


def ready_store(
    path: Path, form: EpochForm, preprocessing: Preprocessing, cache: Cache
) -> tuple[ArrayStore, np.ndarray]:
    """Return ready epochs at the rate and span of the settings, and what was noticed about each.

    They are resampled, re-referenced, cut and, where their baseline was recorded, baseline-corrected; peak-to-peak
    marks and autoreject are as for epochs of recordings. Band, notch, bad channels and ICA want the continuous
    recording: they are left to whoever cut the epochs.

    Returns
    -------
    store : ArrayStore
        Float32 microvolts, (epochs, channels, times), with the axes channel and time; memory-mapped.
    quality : ndarray of str, (epochs,)
        As of `insula.eeg.epoch_store.epoch_quality`.

    Raises
    ------
    DataError
        As `open_epochs`, or if a value is not finite.
    """
    rate = preprocessing.rate or form.rate

    def build(folder: Path) -> None:
        values = open_epochs(path, form, preprocessing)
        about = Description(
            kind="signal", axes=("channel", "time"), rate=rate, channels=form.channels, units="uV",
            start=preprocessing.epoch[0],
        )  # fmt: skip
        raw = folder / "raw"
        shape = (len(values), len(form.channels), _span(preprocessing.epoch, form, rate)[1])
        cut = np.memmap(raw, np.float32, "w+", shape=shape)
        for row in range(0, len(values), _AT_ONCE):
            cut[row : row + _AT_ONCE] = _prepared(values[row : row + _AT_ONCE], form, preprocessing, path, row)
        ArrayStore(cut, about).save(folder / "epochs")
        raw.unlink()
        mark_epochs(folder, "epochs", preprocessing, path)

    key = [sha256_of(path), form.digest(), preprocessing.digest()]
    folder = cache.folder("ready-epochs", key, build)
    store = open_store(folder / "epochs")
    assert isinstance(store, ArrayStore)
    return store, quality_in(folder, len(store))


def _prepared(values: np.ndarray, form: EpochForm, settings: Preprocessing, path: Path, row: int) -> np.ndarray:
    from scipy.signal import resample_poly

    _check_finite(values, path, row)
    rate = settings.rate or form.rate
    ratio = resampling_ratio(form.rate, rate)
    if ratio != 1:
        values = resample_poly(values, ratio.numerator, ratio.denominator, axis=-1, padtype="line")
    first, length = _span(settings.epoch, form, rate)
    cut = values[..., first : first + length].astype(np.float32)
    if settings.baseline:
        base, base_length = _span(settings.baseline, form, rate)
        if base >= 0 and base + base_length <= values.shape[-1]:
            cut -= values[..., base : base + base_length].mean(axis=-1, keepdims=True)
    if settings.reference == "average":
        cut -= cut.mean(axis=1, keepdims=True)
    return cut


def _span(span: tuple[float, float], form: EpochForm, rate: float) -> tuple[int, int]:
    """Return a span's first sample within an epoch and its number of samples, at least one."""
    return samples_in(span[0] - form.start, rate), max(1, samples_in(span[1] - span[0], rate))
