"""What was said of the faces of a video: curves over time, an annotated copy, and a page of its frames."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageOps

from insula.deployment.curves import draw_curves
from insula.deployment.tracks import calm
from insula.errors import DataError, printable
from insula.storage.atomic import write_file

_MOST_FRAMES = 12
_SIDE = 400  # pixels of a frame on the page


def write_tracks(path: Path, rows: pd.DataFrame, stem: Path, rate: float | None) -> None:
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
    rate : float or None
        Frames a second that were looked at; None: all.
    """
    from insula.deployment.sheet import sheet

    title = printable(path.name)
    with write_file(stem.with_name(f"{stem.name}-tracks.png")) as temporary:
        draw_curves(rows, title).save(temporary, format="PNG")
    with write_file(stem.with_name(f"{stem.name}.mp4")) as temporary:
        drawn = _annotated(path, calm(rows), rate, temporary)
    captions = [f"{time:.1f} s" for time in drawn]
    page = stem.with_name(f"{stem.name}-frames.png")
    sheet(list(drawn.values()), captions, [None] * len(drawn), title, page, columns=3, side=_SIDE)


def _annotated(path: Path, rows: pd.DataFrame, rate: float | None, copy: Path) -> dict[float, np.ndarray]:
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
