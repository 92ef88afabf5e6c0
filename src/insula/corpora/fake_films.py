"""Tiny films of a drawn face, for corpora that filmed people."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from insula.corpora.drawn_faces import draw_faces

FILM_RATE = 10
"""Frames a second."""

_SIZE = 96  # pixels along an edge


def write_film(path: Path, lights: np.ndarray, shown: int | None = None) -> None:
    """Write a film of one face, MPEG-4, a frame for each light (0 to 1); only the first `shown` frames show the face.

    By its light a test knows which frame, or which film, a face was cut out of.
    """
    import av

    face = draw_faces(["happiness"], [0.8], [0], nuisance=0.0, size=_SIZE)[0]
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=FILM_RATE)
        stream.width = stream.height = _SIZE
        stream.bit_rate, stream.pix_fmt = 2_000_000, "yuv420p"
        for number, light in enumerate(lights):
            picture = face if shown is None or number < shown else np.full_like(face, 128)
            container.mux(stream.encode(av.VideoFrame.from_ndarray((light * picture).astype(np.uint8))))
        container.mux(stream.encode())
