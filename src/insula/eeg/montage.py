"""Electrodes by name: one spelling, positions on a template head, and the matrix from one montage to another."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache

import numpy as np

from insula.errors import DataError

#: Names that the 10-05 system no longer has, or never had. CB1 and CB2 (SEED's Neuroscan cap) lie below O1 and O2 where
#: no 10-05 site is named; PO9 and PO10 are the usual nearest ones, an approximation.
OLD_NAMES = {"t3": "T7", "t4": "T8", "t5": "P7", "t6": "P8", "cb1": "PO9", "cb2": "PO10"}

_PREFIX = re.compile(r"^eeg[\s_:-]+")
# A common reference, or an ear or mastoid; 'Fp1-F3' is another signal and stays unknown.
_SUFFIX = re.compile(
    r"[\s_-]+(?:ref|le|avg|avr|ar)$|(?<![am][12])[\s_-]+\(?(?:[am]1\s?\+?\s?[am]2|[am][12])\)?(?:/2)?$"
)
_REFERENCED = re.compile(r"(.+)[-:/_(]([^-:/_(]*)")
_NAMED = 20  # channels that a cure names one by one
_SHARED = 3  # channels that name one reference, from which on it is the recording's
_EYES, _MASTOIDS = ("E1", "E2"), ("M1", "M2")  # which stand beside the names of any cap
_BIOSEMI = re.compile(r"[A-I](?:[1-9]|[12]\d|3[0-2])")


def canonical(channels: Sequence[str], *, where: object = None) -> tuple[str, ...]:
    """Return the 10-05 names of `channels`, whatever their case, age and decoration.

    Parameters
    ----------
    channels : sequence of str
        Names as files spell them: "EEG Fp1", "Fp1-Ref", "FP1.", "T3" (now T7).
    where : object, optional
        The file or recording, for the error.

    Raises
    ------
    DataError
        If a name is no electrode of the 10-05 system, or two name one electrode.

    Examples
    --------
    >>> canonical(["EEG FP1-Ref", "Fc5.", "T3", "cz"])
    ('Fp1', 'FC5', 'T7', 'Cz')
    >>> canonical(["Cz", "F33"])
    Traceback (most recent call last):
    ...
    insula.errors.DataError: unknown channel 'F33': drop it, or name a 10-05 electrode (close: F3, FC3, F3h)
    """
    electrodes = {name.lower(): name for name in _template()} | OLD_NAMES
    bare = [_SUFFIX.sub("", _PREFIX.sub("", channel.strip().lower().rstrip("."))) for channel in channels]
    unknown = [(channel, name) for channel, name in zip(channels, bare, strict=True) if name not in electrodes]
    if unknown:
        names = ", ".join(electrodes[near] for near in difflib.get_close_matches(unknown[0][1], electrodes))
        close = f" (close: {names})" if names and len(unknown) == 1 else ""
        what = f"unknown channel{'s' * (len(unknown) > 1)} {some(repr(channel) for channel, _ in unknown)}"
        raise DataError(what, where=where, do=f"drop it, or name a 10-05 electrode{close}")
    spelt: dict[str, str] = {}
    for channel, name in zip(channels, bare, strict=True):
        if electrodes[name] in spelt:
            what = f"duplicate channel: {spelt[electrodes[name]]!r} and {channel!r} are both {electrodes[name]}"
            raise DataError(what, where=where, do="keep one of them")
        spelt[electrodes[name]] = channel
    return tuple(spelt)


def electrode_of(channel: str) -> str | None:
    """Return the 10-05 name of a channel, as `canonical` does; None where it is none."""
    try:
        return canonical([channel])[0]
    except DataError:
        return None


def without_reference(channels: Sequence[str]) -> list[str]:
    """Return names without the reference that they share, where each is an electrode less that one.

    Examples
    --------
    >>> without_reference(["EEG Fp1-CPz", "EEG F3-CPz", "EEG C3-CPz", "ECG"])
    ['EEG Fp1', 'EEG F3', 'EEG C3', 'ECG']
    >>> without_reference(["Fp1:Left", "F3:Left", "C3:Left"])
    ['Fp1', 'F3', 'C3']
    >>> without_reference(["Fp1-F3", "F3-C3", "C3-P3"])
    ['Fp1-F3', 'F3-C3', 'C3-P3']
    """
    matches = [_REFERENCED.fullmatch(name) for name in channels]
    pairs = [match if match and electrode_of(match[1]) else None for match in matches]
    references = [match[2].strip().lower() for match in pairs if match]
    if len(references) < _SHARED or len(set(references)) > 1:
        return list(channels)
    return [match[1] if match else name for match, name in zip(pairs, channels, strict=True)]


def biosemi_names(channels: Sequence[str]) -> list[str]:
    """Return the channels that are named as BioSemi's caps name theirs: A1 and C3 are other sites than the 10-20's.

    They are told by a letter and a number that no electrode has, and by no other electrode that is named.

    Examples
    --------
    >>> biosemi_names(["A1", "A20", "C3", "EXG1"]), biosemi_names(["A1", "A2", "C3", "Cz"])
    (['A1', 'A20', 'C3'], [])
    """
    named = [name for name in channels if _BIOSEMI.fullmatch(name)]
    own = any(electrode_of(name) is None for name in named if name not in _EYES)
    others = any(electrode_of(name) for name in channels if name not in (*named, *_MASTOIDS))
    return named if own and not others else []


def some(names: Iterable[str], most: int = 6) -> str:
    """Return names as a person would read them out: all where they are few, else the first and how many more.

    Examples
    --------
    >>> some(["Fz", "Cz", "Pz"], 2)
    'Fz, Cz and 1 more'
    """
    every = list(names)
    return ", ".join(every[:most]) + (f" and {len(every) - most} more" if len(every) > most else "")


def as_rename(names: Mapping[str, str | None]) -> str:
    """Return the setting that renames channels, or leaves them out, as it is typed; in a file where they are many.

    Examples
    --------
    >>> print(as_rename({"EXG1": None, "A1": "Cz"}))
    --set 'corpus.rename={EXG1: null, A1: Cz}'
    """
    if len(names) > _NAMED:
        return f"--set corpus.rename=rename.yaml, a file with a line a channel, such as {next(iter(names))}: Cz,"
    plain = re.compile(r"[A-Za-z][\w -]*\w")
    pairs = (f"{key if plain.fullmatch(key) else json.dumps(key)}: {name or 'null'}" for key, name in names.items())
    return f"--set 'corpus.rename={{{', '.join(pairs)}}}'"


def positions(channels: Sequence[str]) -> np.ndarray:
    """Return electrode positions, (channels, 3) in metres: x to the right ear, y to the nose, z up.

    They are MNE's template "colin27_1005" (until MNE 1.13 "standard_1005") in head coordinates: the x axis runs
    through the points before the ears, the y axis through the nasion. Names and errors are those of `canonical`.

    Examples
    --------
    >>> left, right = positions(["C3", "C4"])
    >>> bool(left[0] < 0 < right[0])
    True
    """
    template = _template()
    return np.array([template[name] for name in canonical(channels)]).reshape(-1, 3)


def flat_positions(channels: Sequence[str]) -> np.ndarray:
    """Return where electrodes lie on a drawn head, (channels, 2): x to the right ear, y to the nose.

    The azimuthal equidistant projection: distance from the centre is the angle from the vertex, 1 at the equator of the
    10-20 system (the plane nearest to Fpz, T7, Oz and T8).

    Examples
    --------
    >>> flat_positions(["Fz", "T8", "Iz"]).round(1) + 0.0
    array([[ 0. ,  0.5],
           [ 1.1,  0. ],
           [ 0. , -1.2]])
    """
    front, left, right, back = equator = positions(["Fpz", "T7", "T8", "Oz"])
    to_right = (right - left) / np.linalg.norm(right - left)
    up = np.cross(to_right, front - back)
    up /= np.linalg.norm(up)
    axes = np.array([to_right, np.cross(up, to_right), up])
    x, y, z = axes @ (positions(channels) - equator.mean(axis=0)).T
    across = np.hypot(x, y)
    angle = np.arctan2(across, z) / (np.pi / 2)
    return np.column_stack([x, y]) * (angle / np.maximum(across, 1e-12))[:, None]


def interpolation(source: Sequence[str], target: Sequence[str]) -> np.ndarray:
    """Return the matrix that takes a signal from one montage to another.

    A target electrode that the source has is copied; any other is interpolated from all the source's electrodes by
    spherical splines, as in MNE's `interpolate_bads`, on the sphere fitted to all 10-05 sites.

    Parameters
    ----------
    source, target : sequence of str
        Channel names; leave broken channels out of the source. Errors are those of `canonical`.

    Returns
    -------
    ndarray of float32, (target, source)
        ``interpolation(source, target) @ signal`` is the signal (target, times).

    References
    ----------
    Perrin, Pernier, Bertrand and Echallier (1989), Spherical splines for scalp potential and current density mapping,
    Electroencephalography and Clinical Neurophysiology 72(2), 184-187.

    Examples
    --------
    >>> interpolation(["Fz", "Cz", "C3", "C4"], ["T7", "Cz"]).round(2)[1]
    array([0., 1., 0., 0.], dtype=float32)
    """
    if not source:
        raise DataError("no source channel to interpolate from", do="name at least one electrode")
    available, wanted = canonical(source), canonical(target)
    matrix = _splines(positions(available), positions(wanted))
    for row, name in enumerate(wanted):
        if name in available:
            matrix[row] = np.array(available) == name
    return matrix.astype(np.float32)


def _splines(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return (target, source) spherical-spline weights; order 4, 50 Legendre terms, ridge 1e-5, as in MNE."""
    order = np.arange(1, 51)
    coefficients = np.r_[0, (2 * order + 1) / (order**4.0 * (order + 1) ** 4.0 * 4 * np.pi)]
    centre = _sphere_centre()
    source, target = ((at - centre) / np.linalg.norm(at - centre, axis=1, keepdims=True) for at in (source, target))
    n = len(source)
    system = np.ones((n + 1, n + 1))  # the last row and column: weights sum to one
    system[:n, :n] = np.polynomial.legendre.legval(source @ source.T, coefficients) + 1e-5 * np.eye(n)
    system[n, n] = 0
    kernel = np.polynomial.legendre.legval(target @ source.T, coefficients)
    return np.linalg.solve(system, np.c_[kernel, np.ones(len(target))].T)[:n].T


@cache
def _sphere_centre() -> np.ndarray:
    """Return the centre of the least-squares sphere through all 10-05 sites."""
    sites = np.array(list(_template().values()))
    return np.linalg.lstsq(np.c_[2 * sites, np.ones(len(sites))], (sites**2).sum(axis=1), rcond=None)[0][:3]


@cache
def _template() -> dict[str, np.ndarray]:
    """Return every site of the 10-05 system and where it is, in metres."""
    from mne.channels import make_standard_montage
    from mne.channels.montage import transform_to_head

    montage = transform_to_head(make_standard_montage("colin27_1005"))
    sites: dict[str, np.ndarray] = montage.get_positions()["ch_pos"]
    return {name: at for name, at in sites.items() if name.lower() not in OLD_NAMES}
