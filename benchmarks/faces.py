"""From a photograph to emotions: detection, alignment and classification, one face and eight, beside a public peer.

Real photographs (`INSULA_DATA`, london-faces) are pasted into pictures of 640 x 480. The network is a ResNet-18 on
faces of 224 pixels, in torch, as exported to ONNX, and in eight bits; its weights are random, which does not change its
time. The peer is `fer` with its own detector, where `.venv-peers` has it. One thread everywhere, all in turns.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from benchmarks.scratch import scratch_folder
from insula.deployment.eight_bits import quantise_onnx
from insula.deployment.graphs import PROBABILITIES, Graph
from insula.deployment.onnx import write_onnx
from insula.errors import DataError
from insula.faces import FaceDetector, align, list_pictures, read_picture
from insula.networks.answer import Answer
from insula.networks.backbones import create_backbone
from insula.networks.picture_classifier import PictureClassifier, Probabilities

ROOT = Path(__file__).parents[1]
PEER = ROOT / ".venv-peers" / "bin" / "python"
WIDTH, HEIGHT, SIDE = 640, 480, 224
BUDGETS = {"fp32": 60.0, "int8": 40.0}  # ms from photograph to emotions, one face


def crowd(faces: int) -> np.ndarray:
    """Return a picture of 640 x 480 with so many real faces: one of 400 pixels, or up to eight of 160."""
    data = os.environ.get("INSULA_DATA")
    if not data:
        raise DataError("no photographs", do="set INSULA_DATA")
    paths = list_pictures(Path(data) / "london-faces")[:: max(1, 200 // faces)][:faces]
    side = 400 if faces == 1 else 160
    picture = Image.new("RGB", (WIDTH, HEIGHT), (90, 110, 120))
    for number, path in enumerate(paths):
        row, column = divmod(number, WIDTH // side)
        face = Image.fromarray(read_picture(path)).resize((side, side), Image.Resampling.LANCZOS)
        picture.paste(face, (column * side, 40 + row * side))
    return np.asarray(picture)


def in_turns(works: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Return the milliseconds of each work, the best of `rounds`, after one that is not counted."""
    spent: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(rounds + 1):
        for name, work in works.items():
            begin = time.perf_counter()
            work()
            if turn:
                spent[name].append(1000 * (time.perf_counter() - begin))
    return {name: min(times) for name, times in spent.items()}


def networks(folder: Path, calibration: np.ndarray) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """Return the classifier in its three forms; each maps faces (n, side, side, 3) to probabilities."""
    network = Answer(Probabilities(PictureClassifier(create_backbone("resnet18"), classes=7)))
    write_onnx(network, SIDE, {}, folder / "fp32.onnx")
    quantise_onnx(folder / "fp32.onnx", calibration, folder / "int8.onnx")
    graphs = {name: Graph(folder / f"{name}.onnx", 7, SIDE) for name in ("fp32", "int8")}

    def eager(faces: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return network(torch.from_numpy(faces))[0].numpy()

    def run(name: str) -> Callable[[np.ndarray], np.ndarray]:
        return lambda faces: graphs[name].answer(faces)[PROBABILITIES]

    return {"torch": eager, "fp32": run("fp32"), "int8": run("int8")}


def main(rounds: int = 15) -> dict[str, float | str]:
    """Print and return milliseconds a picture, by step and by form of the network, for one face and for eight."""
    figures: dict[str, float | str] = {}
    torch.set_num_threads(1)
    detector = FaceDetector()
    with scratch_folder() as folder:
        many = crowd(8)
        cut = np.stack([align(many, face, SIDE) for face in detector.detect(many)])
        classify = networks(folder, cut)
        figures["largest_difference_fp32"] = float(np.abs(classify["fp32"](cut) - classify["torch"](cut)).max())
        figures["largest_difference_int8"] = float(np.abs(classify["int8"](cut) - classify["torch"](cut)).max())
        for count in (1, 8):
            picture = crowd(count)
            found = detector.detect(picture)
            if len(found) != count:
                raise DataError(f"{len(found)} of {count} faces were found", where="benchmarks.faces")
            faces = np.stack([align(picture, face, SIDE) for face in found])

            def whole(form: str, picture: np.ndarray = picture) -> np.ndarray:
                cut = [align(picture, face, SIDE) for face in detector.detect(picture)]
                return classify[form](np.stack(cut))

            works: dict[str, Callable[[], Any]] = {
                "detection": lambda picture=picture: detector.detect(picture),
                "alignment": lambda p=picture, found=found: [align(p, face, SIDE) for face in found],
                **{f"classification_{form}": lambda form=form, faces=faces: classify[form](faces) for form in classify},
                **{f"whole_{form}": lambda form=form, whole=whole: whole(form) for form in classify},
            }
            Image.fromarray(picture).save(folder / f"{count}.png")
            times = in_turns(works, rounds) | peer(folder / f"{count}.png", rounds)
            suffix = "one_face" if count == 1 else "eight_faces"
            figures |= {f"{name}_ms_{suffix}": value for name, value in times.items()}
            print(f"{suffix.replace('_', ' ')}, ms: " + ", ".join(f"{name} {ms:.1f}" for name, ms in times.items()))
    figures["other_peers"] = "not timed: EmotiEffLib and py-feat come without weights, which are fetched by hand"
    print(f"other peers {figures['other_peers']}")
    for form, budget in BUDGETS.items():
        print(f"photograph to emotions, one face, {form}: {figures[f'whole_{form}_ms_one_face']:.0f} ms "
              f"(budget {budget:.0f})")  # fmt: skip
    return figures


def peer(picture: Path, rounds: int) -> dict[str, float]:
    """Return the milliseconds that `fer` takes for the same picture; nothing where it is not installed."""
    if not PEER.exists():
        return {}
    command = [PEER, "-m", "benchmarks.fer_peer", picture, str(rounds)]
    said = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False)
    if said.returncode:
        print(f"the peer fer did not run: {said.stderr.strip().splitlines()[-1]}")
        return {}
    answer = json.loads(said.stdout.splitlines()[-1])
    print(f"fer {answer['version']} found {answer['faces']} faces")
    return {"whole_fer": answer["ms"]}


if __name__ == "__main__":
    main()
