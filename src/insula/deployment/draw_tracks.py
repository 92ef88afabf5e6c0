"""What was said of the faces of a video: curves over time, an annotated copy, and a page of its frames."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from PIL import Image, ImageOps

from insula.deployment.tracks import calm, no_answer
from insula.errors import DataError
from insula.storage.atomic import write_file

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_TRACKS, _MOST_CLASSES, _MOST_FRAMES = 6, 5, 12
_SIDE = 400  # pixels of a frame on the page
_GAP = 1.0  # s without the face, after which a curve is broken


def write_tracks(path: Path, rows: pd.DataFrame, stem: Path, rate: float) -> None:
    """Write a video's curves (`STEM-tracks.png`), annotated copy (`STEM.mp4`) and a page of frames (`STEM-frames.png`).

    The copy has the frames that were looked at, each at its own time, and no sound.

    Parameters
    ----------
    path : Path
        The video.
    rows : DataFrame
        What `Predictor.predict` says of its faces.
    stem : Path
        The folder, and what the names of the files begin with.
    rate : float
        Frames a second that were looked at.
    """
    from insula.deployment.sheet import sheet
    from insula.evaluation.drawing import style

    with style(), write_file(stem.with_name(f"{stem.name}-tracks.png")) as temporary:
        draw_tracks(rows, path.name).savefig(temporary, format="png")
    with write_file(stem.with_name(f"{stem.name}.mp4")) as temporary:
        drawn = _annotated(path, calm(rows), rate, temporary)
    captions = [f"{time:.1f} s" for time in drawn]
    page = stem.with_name(f"{stem.name}-frames.png")
    sheet(list(drawn.values()), captions, [None] * len(drawn), path.name, page, columns=3, side=_SIDE)


def _annotated(path: Path, rows: pd.DataFrame, rate: float, copy: Path) -> dict[float, np.ndarray]:
    """Write the annotated copy; return frames with a face, evenly over the video, annotated and small, by their times.

    Where the video breaks off, which was said when it was predicted, so does the copy.
    """
    from insula.deployment.sheet import annotate
    from insula.faces import Frame, read_video, video_writer

    times = rows["time"].unique()
    wanted = set(times[np.unique(np.linspace(0, len(times) - 1, _MOST_FRAMES).round().astype(int))])
    drawn: dict[float, np.ndarray] = {}
    with video_writer(copy) as add, suppress(DataError):
        for frame in read_video(path, rate):
            here = rows[rows["time"] == frame.time]
            add(Frame(frame.time, np.asarray(annotate(frame.picture, here))))
            if frame.time in wanted:
                drawn[frame.time] = _small(frame.picture, here)
    return drawn


def _small(picture: np.ndarray, rows: pd.DataFrame) -> np.ndarray:
    """Return a frame as it goes onto the page, annotated after it was shrunk, so that the words stay readable."""
    from insula.deployment.sheet import annotate

    image = ImageOps.contain(Image.fromarray(picture), (_SIDE, _SIDE), Image.Resampling.LANCZOS)
    box = ["left", "top", "right", "bottom"]
    scaled = rows.assign(**(rows[box].astype(float) * image.width / picture.shape[1]))
    return np.asarray(annotate(np.asarray(image), scaled))


def draw_tracks(rows: pd.DataFrame, title: str) -> Figure:
    """Draw the probabilities of the longest tracks of one video, of each frame (dots) and smoothed (lines).

    Of many classes only those that are the answer most often are drawn. A frame without an answer is a cross at the
    bottom, and the panel's heading says why.

    Parameters
    ----------
    rows : DataFrame
        What `Predictor.predict` says of the faces of one video.
    title : str
        Heading.
    """
    from insula.evaluation.drawing import MARKERS, PALETTE, WIDTH, canvas, in_percent

    shown = rows["track"].value_counts().index[:_MOST_TRACKS].sort_values()
    often = rows["smoothed_label"].value_counts().index[:_MOST_CLASSES]
    told = [str(name)[2:] for name in rows if str(name).startswith("p_") and str(name)[2:] in often]
    looks = {name: (PALETTE[place % len(PALETTE)], MARKERS[place % len(MARKERS)]) for place, name in enumerate(told)}
    figure, axes = canvas(WIDTH, 1.3 + 1.8 * len(shown), nrows=len(shown), squeeze=False, sharex=True, sharey=True)
    for panel, track in zip(axes[:, 0], shown, strict=True):
        _curves(panel, rows[rows["track"] == track], looks)
        remark = no_answer(rows[rows["track"] == track])
        panel.set_title(f"face {int(track)}{', ' * bool(remark)}{remark}", loc="left", fontsize="medium")
        panel.set_ylim(-0.03, 1.03)
        panel.grid(axis="y")
        in_percent(panel, "y")
    end = rows["time"].max() or 1.0
    axes[-1, 0].set_xlim(-0.02 * end, 1.02 * end)
    axes[-1, 0].set_xlabel("seconds")
    named: dict[str, Artist] = {}
    for panel in axes[:, 0]:
        handles, labels = panel.get_legend_handles_labels()
        named |= dict(zip(labels, handles, strict=True))
    figure.legend(named.values(), named.keys(), loc="outside lower center", ncols=_MOST_CLASSES + 1)
    more = rows["track"].nunique() - len(shown)
    tail = f", and {more} seen for shorter" if more else ""
    figure.suptitle(f"{title}: each frame (dots), smoothed (lines){tail}", x=0.01, ha="left")
    return figure


def _curves(axes: Axes, rows: pd.DataFrame, looks: dict[str, tuple[str, str]]) -> None:
    from insula.evaluation.drawing import QUIET

    times = rows["time"].to_numpy(float)
    breaks = np.flatnonzero(np.diff(times) > _GAP) + 1
    for name, (colour, marker) in looks.items():
        axes.plot(times, rows[f"p_{name}"].to_numpy(float), marker, color=colour, ms=3.5, alpha=0.45, mew=0)
        smooth = rows[f"smoothed_{name}"].to_numpy(float)
        axes.plot(np.insert(times, breaks, np.nan), np.insert(smooth, breaks, np.nan), color=colour, label=name)
    silent = rows.loc[rows["reason"].notna(), "time"]
    if len(silent):
        axes.plot(silent, np.zeros(len(silent)), "x", color=QUIET, ms=5, label="no answer")
