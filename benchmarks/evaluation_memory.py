"""Peak memory of evaluating a cached corpus of 1 GB and of 4 GB: one run of DGCNN with its controls, audit and report.

The budget is about anonymous memory, what a process has allocated. Pages of the cache's files count as resident, too,
while nobody else needs the room; the kernel takes them back when somebody does, so they are reported but no cost. Each
corpus is prepared beforehand, from a fake of EEGMAT in the true format; an evaluation is a process of its own. They
take some minutes, and 7 GB beside the cache; `python -m benchmarks.evaluation_memory` runs them alone.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psutil

from benchmarks.scratch import scratch_folder
from insula.corpora.catalogue import corpus
from insula.corpora.fakes import fake_eegmat
from insula.evaluation.experiment import run
from insula.evaluation.recipe import Recipe
from insula.evaluation.report import write_report
from insula.storage.cache import Cache

BUDGET = 1.1  # times the peak of the smallest corpus
SIZES = (1.0, 4.0)  # GB of windows
SUBJECTS_A_GB, CHANNELS, RATE, WINDOW = 10, 19, 128, 4  # windows of 4 s: 39 KB each, 26,000 a GB
EVERY = 0.02  # s


def settings_in(folder: Path) -> dict[str, object]:
    return {"root": folder, "window": WINDOW}


def prepare(folder: Path, size: float) -> None:
    """Write a corpus whose windows take `size` GB, and fill the cache with them."""
    seconds = size * 1e9 / (4 * CHANNELS * RATE)
    subjects = max(5, round(SUBJECTS_A_GB * size))
    fake_eegmat(folder, subjects, seconds=round(seconds / subjects / 2), rate=RATE)
    corpus("eegmat", **settings_in(folder)).samples(Cache(folder / "cache"))


def evaluate(folder: Path) -> None:
    """Run a recipe on the corpus in this process, from opening it to the report."""
    recipe = Recipe(
        name="memory",
        corpus={"name": "eegmat", **settings_in(folder)},
        task={"label": "condition"},
        protocol={"name": "subject-disjoint", "test_share": 0.2},
        system={"name": "dgcnn", "training": {"epochs": 1}},
        controls=("majority", "linear"),
        control_modality="features",
    )
    write_report(run(recipe, Cache(folder / "cache")), folder / "run")


def peaks_of(command: list[str]) -> tuple[float, float]:
    """Run a command and return the most bytes it held: anonymous, and resident with the pages of files."""
    anonymous = resident = 0
    with subprocess.Popen(command) as child:
        while child.poll() is None:
            memory = psutil.Process(child.pid).memory_info()
            resident = max(resident, memory.rss)
            anonymous = max(anonymous, memory.rss - getattr(memory, "shared", 0))  # Linux alone tells them apart
            time.sleep(EVERY)
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, command)
    return anonymous / 1e6, resident / 1e6


def main(sizes: tuple[float, ...] = SIZES) -> dict[str, float]:
    """Print and return peak memory (MB) and seconds of the evaluation of each corpus, and the ratio of the budget."""
    figures: dict[str, float] = {}
    peaks = []
    for size in sizes:
        with scratch_folder() as folder:
            prepare(folder, size)
            begin = time.perf_counter()
            anonymous, resident = peaks_of([sys.executable, "-m", "benchmarks.evaluation_memory", str(folder)])
            seconds = time.perf_counter() - begin
        peaks.append(anonymous)
        of = f"of_{size:g}_gb"
        figures |= {f"peak_mb_{of}": anonymous, f"resident_mb_{of}": resident, f"seconds_{of}": seconds}
        print(f"evaluation of {size:g} GB of cached windows: at most {anonymous:,.0f} MB, "
              f"{resident:,.0f} MB with pages of files; {seconds:,.0f} s")  # fmt: skip
    figures["largest_over_smallest"] = peaks[-1] / peaks[0]
    print(f"peak of {sizes[-1]:g} GB over that of {sizes[0]:g} GB: {peaks[-1] / peaks[0]:.2f} (budget {BUDGET})")
    return figures


if __name__ == "__main__":
    if len(sys.argv) > 1:
        evaluate(Path(sys.argv[1]))
    else:
        main()
