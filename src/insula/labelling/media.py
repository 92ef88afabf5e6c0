"""What an annotator sees of an item: a picture or a clip of the face, and the EEG drawn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from insula.errors import DataError
from insula.samples import Samples

PICTURE, CLIP, EEG = "picture", "clip", "eeg"
"""Kinds of media, in the order in which they are shown."""

SUFFIXES = {PICTURE: ".png", CLIP: ".mp4", EEG: ".png"}

_DEFAULT_RATE = 4.0  # frames a second, where the rows do not say when they are
_CLIP_EDGE = 240  # pixels that a clip's shorter edge has at least
_HEIGHT_PER_CHANNEL, _WIDTH = 0.28, 12.0  # inches
_MOST_POINTS = 6000  # a channel is drawn with; more cannot be seen


def kinds_of(samples: Samples, units: np.ndarray) -> tuple[str, ...]:
    """Return the kinds of media that items of these samples have: the same for all, so that one page fits them.

    Parameters
    ----------
    samples : Samples
        With the modality `picture`, `eeg` or both.
    units : array of str, shape (n,)
        The item of each row.

    Raises
    ------
    DataError
        Where there is nothing that a person could look at.
    """
    kinds = []
    pictured = samples.has(PICTURE) & np.array([unit is not None for unit in units])
    if pictured.any():
        table = samples.table.loc[pictured, [f"{PICTURE}_store", f"{PICTURE}_row"]].assign(unit=units[pictured])
        several = table.drop_duplicates().groupby("unit").size().max() > 1
        kinds.append(CLIP if several else PICTURE)
    if samples.has(EEG).any():
        kinds.append(EEG)
    if not kinds:
        names = ", ".join(samples.modalities) or "nothing"
        raise DataError("there is nothing to show an annotator", do=f"pictures or eeg are needed, and there is {names}")
    return tuple(kinds)


def write_media(samples: Samples, kind: str, path: Path) -> None:
    """Write what is seen of one item; where it has none of that kind, a picture that says so.

    Parameters
    ----------
    samples : Samples
        The rows of the item.
    kind : {"picture", "clip", "eeg"}
        What to write: PNG, MP4 (H.264) or PNG.
    path : Path
        The file.
    """
    present = samples.select(samples.has(EEG if kind == EEG else PICTURE))
    if kind == EEG:
        if len(present):
            _draw_eeg(present, path)
        else:
            _save(_words("no EEG"), path)
        return
    frames, rate = _frames(present) if len(present) else (_words("no picture")[None], 1.0)
    if kind == CLIP:
        write_clip(frames, rate, path)
    else:
        _save(frames[0], path)


def _save(picture: np.ndarray, path: Path) -> None:
    from PIL import Image

    Image.fromarray(picture).save(path)


def _words(text: str) -> np.ndarray:
    """Return a grey picture with a word on it, uint8 RGB."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (_CLIP_EDGE, _CLIP_EDGE), (200, 200, 200))
    ImageDraw.Draw(image).text((_CLIP_EDGE / 2, _CLIP_EDGE / 2), text, fill=(30, 30, 30), anchor="mm")
    return np.asarray(image)


def _frames(samples: Samples) -> tuple[np.ndarray, float]:
    """Return the different pictures of an item in the order of time, (n, height, width, 3), and their rate."""
    pointers = samples.table[[f"{PICTURE}_store", f"{PICTURE}_row"]]
    once = samples.select(~pointers.duplicated().to_numpy())
    start = once.table["start"].to_numpy(float)
    ordered = once.select(np.argsort(start, kind="stable"))
    steps = np.diff(np.sort(start))
    step = float(np.median(steps)) if len(steps) and np.isfinite(steps).all() else 0.0
    return ordered.read(PICTURE), 1 / step if step > 0 else _DEFAULT_RATE


def write_clip(frames: np.ndarray, rate: float, path: Path) -> None:
    """Write frames as a video that browsers play (H.264 in MP4).

    Parameters
    ----------
    frames : uint8 array, shape (n, height, width, 3)
        RGB; small ones are enlarged.
    rate : float
        Frames a second.
    path : Path
        The file.
    """
    from fractions import Fraction

    import av

    scale = 2 * max(1, -(-_CLIP_EDGE // (2 * min(frames.shape[1:3]))))  # even, as the codec wants edges to be
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(rate).limit_denominator(1000))
        stream.height, stream.width = frames.shape[1] * scale, frames.shape[2] * scale
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            large = np.ascontiguousarray(frame.repeat(scale, axis=0).repeat(scale, axis=1))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(large, format="rgb24")))
        container.mux(stream.encode(None))


def _draw_eeg(samples: Samples, path: Path) -> None:
    """Draw the channels of an item one above the other, over its seconds."""
    from insula.evaluation.drawing import FAINT, INK, canvas, style

    form = samples.store(EEG).description
    names = form.channels or tuple(str(number) for number in range(samples.select([0]).read(EEG).shape[1]))
    times, values = _course(samples)
    values = np.where(np.isfinite(values), values, np.nan)
    values = values - np.nan_to_num(np.nanmedian(values, axis=1, keepdims=True)) if values.size else values
    sizes = np.abs(values[np.isfinite(values)])
    spacing = float(2 * np.quantile(sizes, 0.99)) if len(sizes) else 1.0
    spacing = spacing or 1.0
    with style():
        figure, axes = canvas(_WIDTH, 1.0 + _HEIGHT_PER_CHANNEL * len(names))
        places = -np.arange(len(names))
        axes.plot(times, (values / spacing + places[:, None]).T, color=INK, lw=0.6)
        axes.set_yticks(places, names)
        axes.set(ylim=(places[-1] - 1, 1), xlim=(times[0], times[-1]), xlabel=f"s; {_amplitude(spacing, form.units)}")
        axes.grid(axis="x", color=FAINT)
        figure.savefig(path, format="png", dpi=90)


def _amplitude(spacing: float, units: str) -> str:
    return f"channels are {spacing:.3g} {'µV' if units == 'uV' else units} apart".replace("  ", " ")


def _course(samples: Samples) -> tuple[np.ndarray, np.ndarray]:
    """Return seconds, (n,), and the EEG of an item's windows one after the other, (channels, n); NaN marks a gap.

    Of windows that overlap, those are taken that begin where the last one ended, or later.
    """
    samples = samples.select(np.argsort(samples.table["start"].to_numpy(float), kind="stable"))
    rate = samples.store(EEG).description.rate or 1.0
    starts, stops = samples.table["start"].to_numpy(float), samples.table["stop"].to_numpy(float)
    windows: list[np.ndarray] = []
    times: list[np.ndarray] = []
    last = -np.inf
    for place, chosen in enumerate(_after_another(starts, stops)):
        window = samples.select([chosen]).read(EEG)[0].astype(float)
        start = starts[chosen] if np.isfinite(starts[chosen]) else place * window.shape[1] / rate
        if windows and start > last + 1.5 / rate:
            windows.append(np.full((len(window), 1), np.nan))
            times.append(np.array([last]))
        windows.append(window)
        times.append(start + np.arange(window.shape[1]) / rate)
        last = times[-1][-1]
    joined, clock = np.concatenate(windows, axis=1), np.concatenate(times)
    every = max(1, len(clock) // _MOST_POINTS)
    return clock[::every] - clock[0], joined[:, ::every]


def _after_another(starts: np.ndarray, stops: np.ndarray) -> Sequence[int]:
    """Return the places of windows, sorted by start, that do not overlap; of windows without a time, all."""
    if not (np.isfinite(starts).all() and np.isfinite(stops).all()):
        return range(len(starts))
    chosen, last = [], -np.inf
    for place in range(len(starts)):
        if starts[place] >= last - 1e-6:
            chosen.append(place)
            last = stops[place]
    return chosen
