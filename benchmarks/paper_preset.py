"""BMCI's preset `paper` on one split of a study of the source's size: time by stage, peak memory, cost of the table.

It takes hours. A finished measurement is kept in the cache, so `make bench` repeats it only when the code has changed;
`python -m benchmarks.paper_preset` runs it alone.
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

from insula.evaluation.experiment import Fitting, fit_and_predict
from insula.evaluation.recipe import Recipe
from insula.evaluation.study import open_study
from insula.storage.cache import Cache
from insula.storage.code import code_version
from insula.training.threads import one_thread

CHANGES = (
    "corpus.pictures=870", "corpus.identities=87", "corpus.subjects=6", "corpus.montage=ten_ten62",
    "protocol.test_share=0.1", "protocol.validation_share=0.1", "system.preset=paper", "repeats=1",
)  # fmt: skip
REPEATS = 10
RATIOS = (9, 8, 7, 6, 5)  # tenths of the pictures that train, as in the source's table
TAUGHT = {"EEG encoder": 4, "virtual EEG": 5, "fusion classifiers": 6}
"""How many arms need a stage anew: the system, c2, c3 and permuted labels all train encoders; c1 needs no encoder, c4
neither encoder nor forest."""
NETWORKS = 4  # the plain ResNet, DAN and DANN (whose batches are twice as large count as one and a half each)


def measure(folder: Path) -> None:
    """Fit and predict one split in this process; write `measured.json` beside the predictions."""
    recipe = Recipe.load("bmci", CHANGES)
    study = open_study(recipe, 0, Cache())
    begin = time.perf_counter()
    with peak_memory() as peak, one_thread(alone=True):
        fit_and_predict(recipe, study, Fitting("system", "bmci", 0, 0), folder)
    about = json.loads((folder / "about.json").read_text())
    measured = {
        "seconds": about["facts"]["seconds"],
        "whole": time.perf_counter() - begin,
        "peak_gb": peak[0] / 1e9,
    }
    (folder / "measured.json").write_text(json.dumps(measured))


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
    share = REPEATS * sum(ratio / RATIOS[0] for ratio in RATIOS)  # of splits, each as dear as it has pictures
    table = sum(seconds * TAUGHT.get(name, NETWORKS) for name, seconds in measured["seconds"].items()) * share
    result = {f"{name}_s": seconds for name, seconds in measured["seconds"].items()}
    result |= {"one_fit_s": measured["whole"], "peak_memory_gb": measured["peak_gb"], "whole_table_h": table / 3600}
    print("preset paper, one split: " + ", ".join(f"{name} {value:.3g}" for name, value in result.items()))
    return result


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(Path(sys.argv[1]))
    else:
        main()
