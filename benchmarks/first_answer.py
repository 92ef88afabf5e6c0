"""The first answer, cold: processor time and peak memory of a whole process that reads one photograph of 640 x 480.

Each way is a process of its own, the start of Python included, several in turns. `insula` is the command
`insula predict PHOTO`, where there is a recogniser that needs no bundle; `runtime` does what it must at least: faces by
`insula.faces` and a stand-in of a small recogniser by ONNX Runtime. `torch` is the way of bundles of old: a ResNet-18
at 224 pixels by torch, with what opening a bundle imports. `fer` is the peer, where `.venv-peers` has it. Files are in
the page cache.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.photographs import photograph
from benchmarks.places import PEER, ROOT
from benchmarks.scratch import scratch_folder

BUDGET_S, BUDGET_MB = 1.0, 250.0

# A child's peak counts what its parent held when it was started, so a small process starts it.
_WATCH = """
import json, os, subprocess, sys
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
output, error = child.stdout.read(), child.stderr.read()
_, status, usage = os.wait4(child.pid, 0)
unit = 1e6 if sys.platform == "darwin" else 1e3
print(json.dumps([os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit,
                  output.decode(), error.decode()]))
"""

_RUNTIME = """
import sys
from pathlib import Path
import numpy as np
import onnxruntime
from insula.faces import FaceDetector, crop_photograph
crops = crop_photograph(Path(sys.argv[1]), 96, FaceDetector(quick=True), "box")
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[2], options, providers=["CPUExecutionProvider"])
(answer,) = session.run(["probabilities"], {"pictures": np.stack([crop.pixels for crop in crops])})
print(answer.argmax(axis=1), len(sys.modules), "modules")
"""

_TORCH = """
import sys
from pathlib import Path
import numpy as np
import pandas
import sklearn.linear_model
import torch
from insula.faces import FaceDetector, cut_faces, read_picture
from insula.networks.backbones import create_backbone
from insula.networks.picture_classifier import PictureClassifier
torch.set_num_threads(1)
picture = read_picture(Path(sys.argv[1]))
crops = cut_faces(picture, FaceDetector().detect(picture), 224)
network = PictureClassifier(create_backbone("resnet18"), classes=7).eval()
pictures = torch.from_numpy(np.stack([crop.pixels for crop in crops]).transpose(0, 3, 1, 2).copy())
with torch.inference_mode():
    print(network(pictures).argmax(1), len(sys.modules), "modules")
"""


def spent(command: list[str]) -> tuple[float, float, str] | None:
    """Return seconds of processor time, megabytes at most and what was printed; None where the command fails."""
    watch = [sys.executable, "-S", "-c", _WATCH, *command]
    done = subprocess.run(watch, cwd=ROOT, capture_output=True, text=True, check=True)
    code, seconds, megabytes, output, error = json.loads(done.stdout)
    if code:
        print(f"{Path(command[0]).name} {' '.join(command[1:3])[:40]} ended with {code}: {error.strip()[-200:]}")
        return None
    return seconds, megabytes, output.strip()


def main(rounds: int = 5) -> dict[str, float | str]:
    """Print and return processor time and peak memory, the median of `rounds` processes each."""
    from benchmarks.stand_in import SIDE, write_stand_in

    figures: dict[str, float | str] = {}
    with scratch_folder() as folder:
        path = str(photograph(folder / "photograph.jpg", 1, 640, 480))
        graph = str(write_stand_in(folder, np.zeros((2, SIDE, SIDE, 3), np.uint8))["fp32"])
        ways = {
            "insula": [
                str(Path(sys.executable).parent / "insula"),
                "predict",
                path,
                "--output",
                str(folder / "out"),
                "--json",
            ],
            "runtime": [sys.executable, "-c", _RUNTIME, path, graph],
            "torch": [sys.executable, "-c", _TORCH, path],
            "fer": [str(PEER), "-m", "benchmarks.fer_peer", path, "0"],
        }
        if not PEER.exists():
            del ways["fer"]
        runs: dict[str, list[tuple[float, float, str]]] = {name: [] for name in ways}
        for turn in range(rounds + 1):
            for name in list(ways):
                one = spent(ways[name])
                if one is None:
                    del ways[name]
                elif turn:
                    runs[name].append(one)
    for name, each in runs.items():
        if each:
            seconds, megabytes = median(one[0] for one in each), median(one[1] for one in each)
            figures |= {f"{name}_seconds": seconds, f"{name}_peak_mb": megabytes}
            print(f"first answer, {name}: {seconds:.2f} s of processor time, {megabytes:,.0f} MB at most")
        else:
            figures[f"{name}_seconds"] = "it did not answer"
    print(f"budget {BUDGET_S:.1f} s and {BUDGET_MB:.0f} MB")
    return figures


if __name__ == "__main__":
    main()
