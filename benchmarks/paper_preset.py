"""BMCI's preset `paper` on one split of a study of the source's size: time by stage, peak memory, cost of the table.

It takes about an hour. A finished measurement is kept in the cache, so `make bench` repeats it only when the code has
changed; `python -m benchmarks.paper_preset` runs it alone.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import torch

from insula.evaluation.experiment import Fitting, fit_and_predict
from insula.evaluation.recipe import Recipe
from insula.evaluation.study import open_study
from insula.networks.backbones import feature_map, load_backbone
from insula.storage.cache import Cache
from insula.storage.code import code_version
from insula.training.threads import one_thread

CHANGES = (
    "corpus.pictures=870", "corpus.identities=87", "corpus.subjects=6", "corpus.montage=ten_ten62",
    "protocol.test_share=0.1", "protocol.validation_share=0.1", "system.preset=paper", "repeats=1",
    "system.picture_size=96",  # of the drawn faces; what 224 pixels would cost is measured in a few steps
)  # fmt: skip
DRAWN, PRESET = 96, 224  # pixels
REPEATS = 10
RATIOS = (9, 8, 7, 6, 5)  # tenths of the pictures that train, as in the source's table
FITS = {"picture network": 1 + 2 + 2, "EEG encoder": 4, "virtual EEG": 5, "fusion classifiers": 6}
"""How often the whole table repeats a stage of one split. Three picture networks: plain, DAN and DANN; a batch of the
last two holds as many target pictures again. Encoders: the system, c2, c3 and permuted labels each train their own. c1
needs a regressor but no encoder; c4 classifiers alone. Other stages are shared."""


def measure(folder: Path) -> None:
    """Fit and predict one split in this process; write `measured.json` beside the predictions."""
    recipe = Recipe.load("bmci", CHANGES)
    cache = Cache()
    study = open_study(recipe, 0, cache)
    begin = time.perf_counter()
    with one_thread(alone=True):
        with peak_memory() as peak:
            fit_and_predict(recipe, study, Fitting("system", "bmci", 0, 0), folder, cache)
        whole, drawn = time.perf_counter() - begin, seconds_of_a_step(DRAWN)
        with peak_memory() as peak_of_preset:
            preset = seconds_of_a_step(PRESET)
    about = json.loads((folder / "about.json").read_text())
    measured = {
        "seconds": about["facts"]["seconds"],
        "whole": whole,
        "peak_gb": peak[0] / 1e9,
        "dearer": preset / drawn,
        "peak_of_preset_gb": peak_of_preset[0] / 1e9,
    }
    (folder / "measured.json").write_text(json.dumps(measured))


def seconds_of_a_step(size: int) -> float:
    """Return how long one training step of the backbone takes on a batch of pictures of this size, best of three."""
    network = load_backbone("resnet50").requires_grad_(True).train()
    pictures, spent = torch.rand(32, 3, size, size) * 255, []
    for _ in range(3):
        begin = time.perf_counter()
        feature_map(network, pictures).mean().backward()
        spent.append(time.perf_counter() - begin)
    return min(spent)


@contextmanager
def peak_memory() -> Iterator[list[float]]:
    """Yield a list whose one entry becomes the most bytes that this process and its workers held together."""
    peak, over = [0.0], threading.Event()

    def watch() -> None:
        while not over.wait(0.5):
            held = 0
            for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
                with suppress(psutil.NoSuchProcess):  # it has ended since
                    held += process.memory_info().rss
            peak[0] = max(peak[0], held)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        over.set()
        watcher.join()


def main() -> dict[str, float]:
    """Print and return seconds by stage, peak memory and the extrapolated hours of the whole table."""

    def build(folder: Path) -> None:
        alone = {**os.environ, "OMP_NUM_THREADS": str(os.cpu_count())}
        subprocess.run([sys.executable, "-m", "benchmarks.paper_preset", str(folder)], check=True, env=alone)

    folder = Cache().folder("benchmarks", ["paper", list(CHANGES), code_version()], build)
    measured = json.loads((folder / "measured.json").read_text())
    seconds = measured["seconds"]
    share = REPEATS * sum(ratio / RATIOS[0] for ratio in RATIOS)  # of splits, each as dear as it has pictures
    hours = {name: spent * FITS.get(name, 1) * share / 3600 for name, spent in seconds.items()}
    result = {f"{name}, s of one process": spent for name, spent in seconds.items()}
    result |= {
        "one fit and its predictions, s": measured["whole"],
        "peak memory, GB": measured["peak_gb"],
        "picture network at 224 pixels, s (extrapolated)": seconds["picture network"] * measured["dearer"],
        "peak memory of its training steps, GB": measured["peak_of_preset_gb"],
        "whole table, h (extrapolated)": sum(hours.values()),
        "whole table at 224 pixels, h (extrapolated)": sum(hours.values())
        + hours["picture network"] * (measured["dearer"] - 1),
    }
    print("preset paper, one split: " + "; ".join(f"{name}: {value:.3g}" for name, value in result.items()))
    return result


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(Path(sys.argv[1]))
    else:
        main()
