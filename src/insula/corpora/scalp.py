"""Simulated EEG: evoked answers to pictures in ongoing activity, line noise, blinks and muscle.

The answer to a picture is a sum of four components with the names and latencies of the face literature (P1, N170, EPN,
LPP). Each has a scalp pattern common to all classes, and one of the class, which grows with the picture's intensity and
with the subject's fidelity. Patterns are differences of Gaussians on the sphere, as a dipole's are; every subject has
the study's patterns with a share of its own. Single trials vary in latency and amplitude.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from insula.eeg.montage import positions
from insula.errors import SettingsError

MONTAGES: dict[str, tuple[str, ...]] = {
    "biosemi32": (
        "Fp1", "AF3", "F7", "F3", "FC1", "FC5", "T7", "C3", "CP1", "CP5", "P7", "P3", "Pz", "PO3", "O1", "Oz", "O2",
        "PO4", "P4", "P8", "CP6", "CP2", "C4", "T8", "FC6", "FC2", "F4", "F8", "AF4", "Fp2", "Fz", "Cz",
    ),
    "ten_ten62": (
        "Fp1", "Fpz", "Fp2", "AF7", "AF3", "AFz", "AF4", "AF8", "F7", "F5", "F3", "F1", "Fz", "F2", "F4", "F6", "F8",
        "FT7", "FC5", "FC3", "FC1", "FCz", "FC2", "FC4", "FC6", "FT8", "T7", "C5", "C3", "C1", "Cz", "C2", "C4", "C6",
        "T8", "TP7", "CP5", "CP3", "CP1", "CPz", "CP2", "CP4", "CP6", "TP8", "P7", "P5", "P3", "P1", "Pz", "P2", "P4",
        "P6", "P8", "PO7", "PO3", "POz", "PO4", "PO8", "O1", "Oz", "O2", "Iz",
    ),
}  # fmt: skip
"""Named sets of electrodes of the 10-05 system."""


@dataclass(frozen=True)
class Component:
    """One deflection: when (s), how wide (s), where, how large for every picture (uV), and for a class (uV)."""

    name: str
    latency: float
    width: float
    sites: tuple[str, ...]
    common: float
    specific: float


COMPONENTS = (
    Component("P1", 0.100, 0.020, ("O1", "O2"), 4.0, 5.0),
    Component("N170", 0.170, 0.025, ("P7", "P8"), -5.0, 12.0),
    Component("EPN", 0.260, 0.045, ("PO3", "PO4", "Oz"), -2.5, 12.0),
    Component("LPP", 0.420, 0.100, ("Pz", "CP1", "CP2"), 4.0, 12.0),
)
"""P1, N170, early posterior negativity, late positive potential; `specific` is the largest value over the scalp."""

_MIDDLE = (0.0, 0.015, 0.039)  # of the sphere through the template's electrodes, metres
_OWN_SHARE = 0.5  # of the class patterns' standard deviation, what is the subject's own
_LATENCY_JITTER = 0.012  # s, of a single trial
_AMPLITUDE_JITTER = 0.3  # of a single trial's component, as a log-normal sigma


@dataclass(frozen=True)
class Brain:
    """How one subject answers pictures.

    Parameters
    ----------
    channels : tuple of str
        Electrodes.
    common : array, shape (4, channels)
        Microvolts at each component's peak, for every picture.
    specific : array, shape (classes, 4, channels)
        Microvolts added by a class at intensity 1, fidelity already applied.
    latency : array, shape (4,)
        Seconds after the picture's onset.
    """

    channels: tuple[str, ...]
    common: np.ndarray
    specific: np.ndarray
    latency: np.ndarray


def electrode_directions(channels: Sequence[str]) -> np.ndarray:
    """Return float64 (channels, 3): unit vectors from the middle of the head, x to the right, y to the front.

    Examples
    --------
    >>> electrode_directions(("Cz",)).round(1).tolist()
    [[-0.0, 0.1, 1.0]]
    """
    at = positions(channels) - _MIDDLE
    return at / np.linalg.norm(at, axis=1, keepdims=True)


def imagine_brain(channels: Sequence[str], n_classes: int, subject: int, *, fidelity: float, seed: int) -> Brain:
    """Return one subject's brain; subjects of one seed share the core of their patterns.

    Parameters
    ----------
    channels : sequence of str
        Electrodes of the 10-05 system.
    n_classes : int
        Classes, each with a pattern of its own; the last, a neutral one, adds nothing.
    subject : int
        Number of the subject.
    fidelity : float
        How much of the class patterns comes through: 0 none, 1 the study's default.
    seed : int
        Of the study.
    """
    if fidelity < 0:
        raise SettingsError("fidelity is negative", where=f"subject {subject}", do="give 0 or more")
    directions = electrode_directions(channels)
    core, own = np.random.default_rng([seed, 11]), np.random.default_rng([seed, 12, subject])
    common = common_pattern(channels) * np.exp(0.15 * own.standard_normal((len(COMPONENTS), 1)))
    specific = np.zeros((n_classes, len(COMPONENTS), len(directions)))
    for index in range(n_classes - 1):
        for number, component in enumerate(COMPONENTS):
            shared, private = _dipole(directions, component, core), _dipole(directions, component, own)
            pattern = np.sqrt(1 - _OWN_SHARE**2) * shared + _OWN_SHARE * private
            specific[index, number] = fidelity * component.specific * pattern
    latency = np.array([c.latency for c in COMPONENTS]) * (1 + 0.03 * own.standard_normal())
    return Brain(tuple(channels), common, specific, latency)


def common_pattern(channels: Sequence[str]) -> np.ndarray:
    """Return float64 (4, channels): microvolts at the peak of each of `COMPONENTS`, in answer to any picture."""
    directions = electrode_directions(channels)
    return np.stack([c.common * _spots(directions, electrode_directions(c.sites)) for c in COMPONENTS])


def _spots(directions: np.ndarray, centres: np.ndarray, width: float = 0.45) -> np.ndarray:
    squares = ((directions[:, None] - centres[None]) ** 2).sum(-1)
    spots = np.exp(-squares / (2 * width**2)).sum(1)
    return spots / spots.max()


def _dipole(directions: np.ndarray, component: Component, rng: np.random.Generator) -> np.ndarray:
    # a source and a sink a little apart, near the component's sites, with a strength of the class's own
    near = electrode_directions(component.sites).mean(0)
    ends = near + rng.normal(scale=0.55, size=(2, 3))
    ends /= np.linalg.norm(ends, axis=1, keepdims=True)
    pattern = _spots(directions, ends[:1], 0.5) - _spots(directions, ends[1:], 0.5)
    return rng.uniform(0.6, 1.0) * pattern / np.abs(pattern).max()


def simulate_eeg(
    brain: Brain, onsets: np.ndarray, classes: np.ndarray, intensities: np.ndarray, seconds: float, rate: float,
    *, seed: Sequence[int],
) -> np.ndarray:  # fmt: skip
    """Return float32 (channels, times) in microvolts: one session of one subject.

    Parameters
    ----------
    brain : Brain
        The subject.
    onsets : array, shape (events,)
        Seconds at which pictures appear; each answer lasts less than one second.
    classes : int array, shape (events,)
        Class of each picture's true expression.
    intensities : array, shape (events,)
        0 to 1.
    seconds, rate : float
        Length and samples per second.
    seed : sequence of int
        Fixes jitter, background and artefacts.

    Examples
    --------
    >>> brain = imagine_brain(("Oz", "Cz"), 7, 0, fidelity=1.0, seed=0)
    >>> simulate_eeg(brain, np.array([1.0]), np.array([2]), np.array([1.0]), 3, 100, seed=(0, 1)).shape
    (2, 300)
    """
    rng = np.random.default_rng(list(seed))
    n_times = round(seconds * rate)
    directions = electrode_directions(brain.channels)
    signal = _background(directions, n_times, rate, rng)
    add_answers(signal, brain, onsets, classes, intensities, rate, rng)
    _add_line(signal, rate, rng)
    _add_blinks(signal, directions, rate, rng)
    _add_muscle(signal, directions, rate, rng)
    return signal


def add_answers(
    signal: np.ndarray, brain: Brain, onsets: np.ndarray, classes: np.ndarray, intensities: np.ndarray, rate: float,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    """Add the brain's answer to each picture to a signal (channels, times), in place; the rest is as `simulate_eeg`."""
    widths = np.array([c.width for c in COMPONENTS])[:, None]
    jitter = _LATENCY_JITTER * rng.standard_normal(len(onsets))
    gain = np.exp(_AMPLITUDE_JITTER * rng.standard_normal((len(onsets), len(COMPONENTS), 1)))
    for event, onset in enumerate(onsets):
        first = int(np.ceil(onset * rate))
        times = np.arange(first, min(first + int(rate), signal.shape[1])) / rate - onset
        course = np.exp(-0.5 * ((times - brain.latency[:, None] - jitter[event]) / widths) ** 2) * gain[event]
        pattern = brain.common + intensities[event] * brain.specific[classes[event]]
        signal[:, first : first + len(times)] += (pattern.T @ course).astype(np.float32)


def coloured_noise(n_times: int, rate: float, rng: np.random.Generator, peak: float | None = None) -> np.ndarray:
    """Return float32 (times,) of unit variance: power as 1/f from half a hertz up, or a rhythm around `peak` hertz.

    Examples
    --------
    >>> coloured_noise(500, 100, np.random.default_rng(0)).std().round(2).item()
    1.0
    """
    from scipy.fft import irfft, next_fast_len, rfft, rfftfreq

    length = next_fast_len(n_times, real=True)
    frequency = rfftfreq(length, 1 / rate)
    if peak is None:
        shape = 1 / np.sqrt(np.maximum(frequency, 0.5))
        shape[0] = 0
    else:
        shape = np.exp(-0.5 * ((frequency - peak) / 0.8) ** 2)
    noise = irfft(rfft(rng.standard_normal(length, np.float32)) * shape.astype(np.float32), length)[:n_times]
    return noise / noise.std()


def _background(directions: np.ndarray, n_times: int, rate: float, rng: np.random.Generator) -> np.ndarray:
    squares = ((directions[:, None] - directions[None]) ** 2).sum(-1)
    correlation = 0.95 * np.exp(-squares / (2 * 0.8**2)) + 0.05 * np.eye(len(directions))
    mixing = (9.0 * np.linalg.cholesky(correlation)).astype(np.float32)
    signal = np.empty((len(directions), n_times), np.float32)
    for channel in range(len(directions)):
        signal[channel] = coloured_noise(n_times, rate, rng)
    for first in range(0, n_times, 65536):  # in place, so that memory stays that of the result
        signal[:, first : first + 65536] = mixing @ signal[:, first : first + 65536]
    alpha = 5.0 * _spots(directions, electrode_directions(("Oz", "Pz")), 0.6).astype(np.float32)
    signal += np.outer(alpha, coloured_noise(n_times, rate, rng, peak=10.0))
    return signal


def _add_line(signal: np.ndarray, rate: float, rng: np.random.Generator, mains: float = 50.0) -> None:
    if mains >= rate / 2:
        return
    times = np.arange(signal.shape[1]) / rate
    wave = np.sin(2 * np.pi * mains * times + rng.uniform(0, 2 * np.pi)).astype(np.float32)
    for channel, gain in enumerate(4.0 * np.exp(0.5 * rng.standard_normal(len(signal)))):
        signal[channel] += np.float32(gain) * wave


def _add_blinks(signal: np.ndarray, directions: np.ndarray, rate: float, rng: np.random.Generator) -> None:
    eyes = np.array([[-0.33, 0.92, -0.2], [0.33, 0.92, -0.2]])
    field = np.exp(-((directions[:, None] - eyes[None]) ** 2).sum(-1).min(1) / (2 * 0.35**2))
    shape = np.sin(np.linspace(0, np.pi, max(3, round(0.3 * rate)))) ** 2
    for onset in _moments(signal.shape[1] / rate, 12.0, rng):
        height = 100 * np.exp(0.2 * rng.standard_normal())
        _add(signal, onset, rate, np.outer(height * field, shape))


def _add_muscle(signal: np.ndarray, directions: np.ndarray, rate: float, rng: np.random.Generator) -> None:
    for onset in _moments(signal.shape[1] / rate, 4.0, rng):
        side = np.array([[rng.choice((-1.0, 1.0)), 0.15, -0.25]])
        length = round(rng.uniform(0.3, 1.0) * rate)
        hiss = np.diff(rng.standard_normal(length + 1)) / np.sqrt(2)  # differencing takes out the low frequencies
        _add(signal, onset, rate, np.outer(20 * _spots(directions, side, 0.4), hiss * np.hanning(length)))


def _moments(seconds: float, per_minute: float, rng: np.random.Generator) -> np.ndarray:
    return rng.uniform(0, seconds, rng.poisson(per_minute * seconds / 60))


def _add(signal: np.ndarray, onset: float, rate: float, piece: np.ndarray) -> None:
    first = int(onset * rate)
    room = min(piece.shape[1], signal.shape[1] - first)
    signal[:, first : first + room] += piece[:, :room].astype(np.float32)
