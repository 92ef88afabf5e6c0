"""Small films for tests, written with PyAV."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np

_CLOCK = Fraction(1, 1000)  # seconds a tick


def film(path: Path, pictures: Iterable[np.ndarray], times: Iterable[float], *, rotation: float = 0) -> Path:
    """Write uint8 RGB pictures, even in width and height, as MPEG-4; the container is that of the path's ending.

    `rotation` is that of the display, in degrees against the clock.
    """
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=30)
        stream.time_base = stream.codec_context.time_base = _CLOCK
        stream.bit_rate, stream.pix_fmt = 4_000_000, "yuv420p"
        for number, (picture, time) in enumerate(zip(pictures, times, strict=True)):
            if number == 0:
                stream.height, stream.width = picture.shape[:2]
                stream.set_display_rotation(rotation)
            frame = av.VideoFrame.from_ndarray(picture)
            frame.pts, frame.time_base = round(time / _CLOCK), _CLOCK
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def break_off(path: Path, frame: int) -> Path:
    """Overwrite what a film holds of one frame, so that it cannot be read beyond."""
    import av

    with av.open(str(path)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    place, size = packets[frame]
    content = path.read_bytes()
    path.write_bytes(content[:place] + b"\xff" * size + content[place + size :])
    return path
