"""From a film to its annotated copy with the runtime alone: no torch, scikit-learn, scipy or matplotlib."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from without import BROUGHT, run_without

FILM = """
from pathlib import Path
import numpy as np, pandas as pd
from insula.deployment.draw_tracks import write_tracks
from insula.deployment.sheet import annotate
from insula.faces import *

folder = Path(sys.argv[1])
picture = read_picture(folder / "face.png")
detector, tracker = FaceDetector(), FaceTracker()
with video_writer(folder / "film.mp4") as add:
    for number in range(6):
        add(Frame(number / 5, np.roll(picture, 4 * number, axis=1)))
rows = []
for frame in read_video(folder / "film.mp4", 5):
    faces = detector.detect(frame.picture)
    crops = cut_faces(frame.picture, faces, 48)
    for crop, track in zip(crops, tracker.update(frame.time, faces)):
        box = dict(zip(("left", "top", "right", "bottom"), crop.face.box))
        rows.append({"time": frame.time, "track": track, "face": 0, **box, **head_pose(crop.face)._asdict(),
                     "quality": " ".join(crop.flags), "label": "fear", "probability": 0.8, "reason": None,
                     "p_fear": 0.8, "p_joy": 0.2})
table = pd.DataFrame(rows).assign(smoothed_fear=0.8, smoothed_joy=0.2, smoothed_label="fear")
write_tracks(folder / "film.mp4", table, folder / "out", 5)
annotate(picture, table[:1])
print(table["track"].tolist(), *sorted(path.name for path in folder.iterdir()))
"""


def test_faces_are_found_followed_and_drawn_without_what_trains(
    tmp_path: Path, drawn_face: Callable[..., np.ndarray]
) -> None:
    Image.fromarray(drawn_face(256)).save(tmp_path / "face.png")
    done = run_without(BROUGHT, FILM, tmp_path)
    assert done.stdout.split("\n")[0] == (
        "[1, 1, 1, 1, 1, 1] face.png film.mp4 out-frames.png out-tracks.png out.mp4"
    ), done.stderr
