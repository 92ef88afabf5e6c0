"""Frames of a video, one after the other and the right side up; never the whole video in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from insula.errors import DataError, SettingsError

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

_SHORT_SECONDS, _SHORT_SHARE = 1.0, 0.1  # FFmpeg ends a file that was cut short without a word, where its kind permits
SUFFIXES = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ogv", ".webm", ".wmv"})


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame of a video.

    Parameters
    ----------
    time : float
        Seconds since the first frame, by the video's own clock.
    picture : ndarray, uint8, (height, width, 3)
        RGB, the right side up, of square pixels.
    """

    time: float
    picture: np.ndarray


def read_video(path: Path, rate: float | None = None) -> Iterator[Frame]:
    """Yield the frames of a video, one in memory at a time.

    Times are those that the file gives each frame, so that a variable frame rate is told as it is; where it gives none,
    they are counted at the average rate. The rotation that phones write beside the picture is applied, in quarters.

    Parameters
    ----------
    path : Path
        A video that FFmpeg reads; the first video stream is taken.
    rate : float, optional
        At most so many frames a second: of each interval the first one. All frames where not given.

    Raises
    ------
    DataError
        Where the file is absent, no video, without a stream of video or without a frame, breaks off, or ends well
        before the time that it says; what was yielded before is good.
    SettingsError
        Where the rate is not positive.
    """
    if rate is not None and not rate > 0:
        raise SettingsError(f"no rate of {rate} frames a second", where=path, do="give one above 0")
    import av

    start, last, time = None, -1, 0.0
    with _opened(path) as (container, stream):
        for count, frame in enumerate(container.decode(stream)):
            time = _time(frame, count, stream, path)
            start = time if start is None else start
            tick = count if rate is None else int((time - start) * rate + 1e-6)  # 0.3 * 10 is a little less than 3
            if tick > last:
                last = tick
                yield Frame(time - start, _upright(frame, stream))
        if start is None:
            raise DataError("the video has no frame", where=path, do="give one that plays")
        promised, seen = (container.duration or 0) / av.time_base, time - start
        if seen < promised - max(_SHORT_SECONDS, _SHORT_SHARE * promised):
            what = f"the video has no frame after {seen:.1f} of {promised:.1f} seconds"
            raise DataError(what, where=path, do="copy it again if it was cut short")


@contextmanager
def _opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a video; what FFmpeg says inside the block is told in one line."""
    import av

    try:
        with av.open(str(path)) as container:
            streams = [s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic]
            if not streams:
                raise DataError("there is no video in it", where=path, do="give a file with a stream of video")
            yield container, streams[0]
    except FileNotFoundError:
        raise DataError("no such file", where=path, do="correct the path") from None
    except av.FFmpegError as error:
        what = str(error.strerror or error).lower()
        raise DataError(f"broken video: {what}", where=path, do="give one that plays, or leave it out") from None


def _time(frame: VideoFrame, count: int, stream: VideoStream, path: Path) -> float:
    if frame.time is not None:
        return float(frame.time)
    if not stream.average_rate:
        raise DataError("its frames have no time and no rate", where=path, do="write the video anew, as MP4")
    return float(count / stream.average_rate)


def _upright(frame: VideoFrame, stream: VideoStream) -> np.ndarray:
    """Return a frame as RGB of square pixels, turned as the file says."""
    shape = stream.sample_aspect_ratio or 1
    picture = frame.to_ndarray(format="rgb24", width=max(1, round(frame.width * shape)), height=frame.height)
    return np.ascontiguousarray(np.rot90(picture, round(frame.rotation / 90)))  # both count against the clock
