"""Frames of a video, one after the other and the right side up; never the whole video in memory.

A process beside this one decodes them, ahead of the reader: a broken video may crash FFmpeg, or take it forever.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from insula.errors import DataError, SettingsError
from insula.storage.child import stream_from_child

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

_ROUNDED = 0.1  # s; what a file says of its length may be rounded, and count a frame that the encoder held back
_CLOCKED = re.compile(r"(\d{1,9}):(\d\d):(\d\d(?:\.\d*)?)\0*")  # hours, minutes and seconds
_CLOCK = Fraction(1, 90_000)  # seconds a tick, as MPEG counts
SUFFIXES = frozenset({
    ".3g2", ".3gp", ".asf", ".avi", ".f4v", ".flv", ".h264", ".h265", ".hevc", ".m2ts", ".m2v", ".m4v", ".mkv", ".mov",
    ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".ogv", ".ts", ".vob", ".webm", ".wmv",
})  # fmt: skip
_CONTAINERS = "mov,mp4,matroska,webm,avi,flv,mpegts,mpeg,mpegvideo,ogg,asf,mxf,h264,hevc,m4v"
"""What those endings stand for; of the other kinds that FFmpeg knows some open further files, as playlists do."""
_KINDS = {"format_whitelist": _CONTAINERS, "protocol_whitelist": "file"}


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame of a video.

    Parameters
    ----------
    time : float
        Seconds since the first frame, by the video's own clock.
    picture : ndarray, uint8, (height, width, 3)
        RGB, the right side up, of square pixels.
    number : int
        Which of the video's frames it is, from 0.
    """

    time: float
    picture: np.ndarray
    number: int = 0


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
        Where the file is absent, no video, without a stream of video or without a frame, breaks off, or ends more than
        two frames before the time that it says; what was yielded before is good. WMV and MPEG streams that were cut
        short no longer say how long they were: they end like a shorter film.
    SettingsError
        Where the rate is not positive.
    """
    if rate is not None and not rate > 0:
        raise SettingsError(f"no rate of {rate} frames a second", where=path, do="give one above 0")
    for time, picture, number in stream_from_child(f"{__name__}:frames_here", path, rate):
        yield Frame(time, picture, number)


def frames_here(path: Path, rate: float | None) -> Iterator[tuple[float, np.ndarray, int] | None]:
    """Do what `read_video` does, in this process; a frame that is passed over is None."""
    start, last, time, longest = None, -1, 0.0, 0.0
    with _opened(path) as (container, stream):
        for count, frame in enumerate(container.decode(stream)):
            before, time = time, _time(frame, count, stream, path)
            start, longest = (time, 0.0) if start is None else (start, max(longest, time - before))
            tick = count if rate is None else int((time - start) * rate + 1e-6)  # 0.3 * 10 is a little less than 3
            if tick > last:
                last = tick
                yield time - start, _upright(frame, stream), count
            else:
                yield None
        if start is None:
            raise DataError("the video has no frame", where=path, do="give one that plays")
        promised, end = _promised(container, stream), time + float((frame.duration or 0) * (frame.time_base or 0))
        if end < promised - 2 * longest - _ROUNDED:  # FFmpeg itself ends such a file without a word
            what = f"the video has no frame after {end:.1f} of {promised:.1f} seconds"
            raise DataError(what, where=path, do="copy it again if it was cut short")


@contextmanager
def _opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a video; what FFmpeg says inside the block is told in one line."""
    import av

    try:
        with av.open(f"file:{path}", options=_KINDS, metadata_errors="replace") as container:
            streams = [s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic]
            if not streams:
                raise DataError("there is no video in it", where=path, do="give a file with a stream of video")
            yield container, streams[0]
    except FileNotFoundError:
        raise DataError("no such file", where=path, do="correct the path") from None
    except av.FFmpegError as error:
        what = str(error.strerror or error).lower()
        raise DataError(f"broken video: {what}", where=path, do="give one that plays, or leave it out") from None


def _promised(container: InputContainer, stream: VideoStream) -> float:
    """Return the seconds that a file says its pictures last, by its header; 0 where it says nothing."""
    import av

    if container.format.name == "avi":  # FFmpeg cuts its duration down to the size of the file, and leaves the count
        return float(stream.frames / stream.average_rate) if stream.average_rate else 0.0
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    if "DURATION" in stream.metadata:  # Matroska and WebM
        clock = _CLOCKED.fullmatch(stream.metadata["DURATION"])
        return 3600 * int(clock[1]) + 60 * int(clock[2]) + float(clock[3]) if clock else 0.0
    alone = len(container.streams) == 1  # sound may go on after the last picture
    return (container.duration or 0) / av.time_base if alone else 0.0


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


@contextmanager
def video_writer(path: Path) -> Iterator[Callable[[Frame], None]]:
    """Yield what adds a frame to a new video, H.264 in a container of the path's ending, without sound.

    Frames must come in the order of their times, and are shown at those times. Width and height lose a pixel where they
    are odd. The file is whole when the block ends.
    """
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("h264", rate=30)  # a hint to the encoder: the times of the frames are what counts
        stream.pix_fmt, stream.time_base = "yuv420p", _CLOCK
        stream.codec_context.time_base = _CLOCK

        def add(frame: Frame) -> None:
            height, width = (side // 2 * 2 for side in frame.picture.shape[:2])
            if not stream.codec_context.is_open:
                stream.height, stream.width = height, width
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame.picture[:height, :width]))
            picture.pts, picture.time_base = round(frame.time / _CLOCK), _CLOCK
            container.mux(stream.encode(picture))

        yield add
        container.mux(stream.encode())
