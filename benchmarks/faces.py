"""From a photograph on disk to emotions, by stage, beside a public peer; and a film, frame by frame.

Real faces (`INSULA_DATA`, london-faces) are pasted into pictures of 640 x 480, one and eight, and of 1920 x 1080, and
kept as JPEG. Times are processor time on one thread, the least of several rounds in turns, so that a busy machine meets
all alike; medians stand beside the wholes. The network is a stand-in of the size of a small recogniser, in 32 and in
eight bits; its weights are random, which does not change its time. `whole_in_box` is `Predictor().predict(path)`, table
and all, with the recogniser in the box; `tables` is its work once faces and answers are there. `before` is the way
without quick looks: the whole file decoded, tiles, every candidate judged. The peer is `fer` with its own
detector, where `.venv-peers` has it.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.photographs import photograph
from benchmarks.places import PEER, ROOT
from benchmarks.scratch import scratch_folder
from benchmarks.stand_in import SIDE, write_stand_in
from insula.deployment.predictor import Predictor
from insula.errors import DataError
from insula.faces import (
    FaceDetector,
    FaceFollower,
    Frame,
    crop_photograph,
    cut_faces,
    frame_by_box,
    head_pose,
    quality,
    read_picture,
    read_reduced,
    read_video,
    video_writer,
)
from insula.faces.crops import LOOKED_AT

SCENES = {"one_face": (1, 640, 480), "eight_faces": (8, 640, 480), "large": (1, 1920, 1080)}
BUDGETS = {
    ("one_face", "fp32"): 40.0,
    ("one_face", "int8"): 25.0,
    ("eight_faces", "int8"): 110.0,
    ("large", "fp32"): 70.0,
}  # ms of processor time
DETECTION_BUDGETS = {"one_face": 12.0, "eight_faces": 20.0, "large": 35.0}
TABLE_BUDGET = 3.0
FRAMES, FRAMES_A_SECOND = 60, 60.0

Classify = Callable[[np.ndarray], np.ndarray]


def in_turns(works: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Return the milliseconds of processor time of each work in `rounds`, after one that is not counted."""
    spent: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(rounds + 1):
        for name, work in works.items():
            begin = time.process_time()
            work()
            if turn:
                spent[name].append(1000 * (time.process_time() - begin))
    return spent


def classifiers(folder: Path, faces: np.ndarray) -> dict[str, Classify]:
    """Return what maps faces (n, side, side, 3) to probabilities, in 32 and in eight bits."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1

    def opened(path: Path) -> Classify:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        return lambda faces: session.run(["probabilities"], {"pictures": faces})[0]

    return {form: opened(path) for form, path in write_stand_in(folder, faces).items()}


def stages(path: Path, classify: dict[str, Classify]) -> dict[str, Callable[[], Any]]:
    """Return the works on one photograph: each stage alone, with what the stages before it made, and all together."""
    quick, thorough = FaceDetector(quick=True), FaceDetector()
    picture, whole = read_reduced(path, LOOKED_AT)[0], read_picture(path)
    faces = quick.detect(picture)
    cut = np.stack([frame_by_box(picture, face, SIDE) for face in faces])

    def all_of(form: str) -> np.ndarray:
        crops = crop_photograph(path, SIDE, quick, "box")
        for crop in crops:
            head_pose(crop.face)
        return classify[form](np.stack([crop.pixels for crop in crops]))

    def all_before(form: str) -> np.ndarray:
        picture = read_picture(path)
        crops = cut_faces(picture, thorough.detect(picture), SIDE)
        for crop in crops:
            head_pose(crop.face)
        return classify[form](np.stack([crop.pixels for crop in crops]))

    predictor = Predictor()
    own = np.stack([crop.pixels for crop in crop_photograph(path, predictor.recogniser.size, quick, "box")])
    answer = dict(predictor.recogniser.answer(own, None))
    answered = Predictor(replace(predictor.recogniser, answer=lambda faces, mode: answer), "cropped")
    return {
        "whole_in_box": lambda: predictor.predict(path),
        "reading": lambda: read_reduced(path, LOOKED_AT),
        "reading_before": lambda: read_picture(path),
        "detection": lambda: quick.detect(picture),
        "detection_before": lambda: thorough.detect(whole),
        "crops": lambda: [frame_by_box(picture, face, SIDE) for face in faces],
        "flags": lambda: [quality(picture, face) for face in faces],
        "tables": lambda: answered.predict(own),
        "poses": lambda: [head_pose(face) for face in faces],
        **{f"classification_{form}": lambda form=form: classify[form](cut) for form in classify},
        **{f"whole_{form}": lambda form=form: all_of(form) for form in classify},
        **{f"whole_before_{form}": lambda form=form: all_before(form) for form in classify},
    }


def film(folder: Path, picture: np.ndarray, classify: Classify) -> float:
    """Return frames a second of processor time, every frame of a film of one moving face looked at."""
    with video_writer(folder / "film.mp4") as add:
        for number in range(FRAMES):
            add(Frame(number / 30, np.roll(picture, number, axis=1)))
    detector = FaceDetector(quick=True)

    def watch() -> None:
        follower = FaceFollower(detector)
        for frame in read_video(folder / "film.mp4"):
            crops = cut_faces(frame.picture, follower.update(frame.time, frame.picture), SIDE, "box")
            classify(np.stack([crop.pixels for crop in crops]))

    return 1000 * FRAMES / min(in_turns({"film": watch}, 2)["film"])


def peer(picture: Path, rounds: int) -> dict[str, float]:
    """Return the milliseconds that `fer` takes for the same file; nothing where it is not installed."""
    if not PEER.exists():
        return {}
    command = [PEER, "-m", "benchmarks.fer_peer", picture, str(rounds)]
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False)
    if done.returncode:
        print(f"the peer fer did not run: {done.stderr.strip().splitlines()[-1]}")
        return {}
    answer = json.loads(done.stdout.splitlines()[-1])
    print(f"fer {answer['version']} found {answer['faces']} faces")
    return {"whole_fer": answer["ms"], "whole_fer_median": answer["median"]}


def main(rounds: int = 15) -> dict[str, float | str]:
    """Print and return milliseconds a photograph, by stage, for one face, eight, and a large picture; and the film."""
    figures: dict[str, float | str] = {}
    with scratch_folder() as folder:
        paths = {name: photograph(folder / f"{name}.jpg", *scene) for name, scene in SCENES.items()}
        many, detector = read_picture(paths["eight_faces"]), FaceDetector()
        classify = classifiers(folder, np.stack([frame_by_box(many, face, SIDE) for face in detector.detect(many)]))
        for name, path in paths.items():
            faces = len(crop_photograph(path, SIDE, FaceDetector(quick=True)))
            if faces != SCENES[name][0]:
                raise DataError(f"{faces} of {SCENES[name][0]} faces were found", where="benchmarks.faces")
            spent = in_turns(stages(path, classify), rounds)
            times = {one: min(each) for one, each in spent.items()}
            times |= {f"{one}_median": median(each) for one, each in spent.items() if one.startswith("whole")}
            times |= peer(path, rounds)
            figures |= {f"{one}_ms_{name}": value for one, value in times.items()}
            print(f"{name.replace('_', ' ')}, ms: " + ", ".join(f"{one} {ms:.1f}" for one, ms in times.items()))
        figures["film_frames_per_second"] = film(folder, read_picture(paths["one_face"]), classify["int8"])
    figures["other_peers"] = "not timed: EmotiEffLib and py-feat come without weights, which are fetched by hand"
    for (name, form), budget in BUDGETS.items():
        print(f"photograph to emotions, {name.replace('_', ' ')}, {form}: {figures[f'whole_{form}_ms_{name}']:.0f} ms "
              f"(budget {budget:.0f})")  # fmt: skip
    for name, budget in DETECTION_BUDGETS.items():
        print(f"detection, {name.replace('_', ' ')}: {figures[f'detection_ms_{name}']:.1f} ms (budget {budget:.0f}), "
              f"tables {figures[f'tables_ms_{name}']:.1f} ms (budget {TABLE_BUDGET:.0f})")  # fmt: skip
    print(f"film, every frame: {figures['film_frames_per_second']:.0f} a second (budget {FRAMES_A_SECOND:.0f})")
    return figures


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
