"""A leave-one-subject-out run with one worker and with two: seconds, speed-up, and whether predictions are the same.

EEGNet on a fake of EEGMAT in the true format. Prepared data are shared, finished fits are thrown away before each run,
and each run is a process of its own, so that the seconds are those of `insula run --jobs`, imports and report included.
It takes some minutes; `python -m benchmarks.leave_one_out_workers` runs it alone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.scratch import scratch_folder
from insula.corpora.catalogue import corpus
from insula.corpora.fakes import fake_eegmat
from insula.evaluation.experiment import run
from insula.evaluation.recipe import Recipe
from insula.evaluation.report import write_report
from insula.evaluation.results import Results
from insula.storage.cache import Cache

SUBJECTS, SECONDS, EPOCHS = 8, 240, 4
WORKERS = (1, 2)


def evaluate(folder: Path, jobs: int, epochs: int) -> None:
    """Run the recipe in this process, with so many workers."""
    recipe = Recipe(
        name="leave one out",
        corpus={"name": "eegmat", "root": folder},
        task={"label": "condition"},
        protocol={"name": "subject-disjoint", "leave_one_out": True},
        system={"name": "eegnet", "training": {"epochs": epochs, "patience": epochs}},
        controls=("majority",),
    )
    write_report(run(recipe, Cache(folder / "cache"), jobs), folder / f"run-{jobs}")


def main(
    subjects: int = SUBJECTS, seconds: int = SECONDS, epochs: int = EPOCHS, rounds: int = 2
) -> dict[str, float | bool]:
    """Measure, print and return seconds by workers, best of `rounds`, and the speed-up."""
    with scratch_folder() as folder:
        fake_eegmat(folder, subjects, seconds)
        corpus("eegmat", root=folder).samples(Cache(folder / "cache"))
        spent: dict[int, list[float]] = {jobs: [] for jobs in WORKERS}
        for _ in range(rounds):  # in turns, so that a busy moment of the machine meets both
            for jobs in WORKERS:
                shutil.rmtree(folder / "cache" / "fits", ignore_errors=True)
                command = [sys.executable, "-m", "benchmarks.leave_one_out_workers", folder, str(jobs), str(epochs)]
                begin = time.perf_counter()
                subprocess.run(command, check=True)
                spent[jobs].append(time.perf_counter() - begin)
        predictions = [Results.open(folder / f"run-{jobs}").predictions for jobs in WORKERS]
    one, two = (min(spent[jobs]) for jobs in WORKERS)
    same = predictions[0].equals(predictions[1])
    figures = {
        "one_worker_seconds": one,
        "two_workers_seconds": two,
        "speed_up": one / two,
        "predictions_equal": same,
        "cores": os.cpu_count() or 1,
    }
    print(f"{subjects} subjects left out one by one, {epochs} epochs of EEGNet: {one:.1f} s with one worker, "
          f"{two:.1f} s with two ({one / two:.2f}x on {os.cpu_count()} cores); predictions equal: {same}")  # fmt: skip
    return figures


if __name__ == "__main__":
    if len(sys.argv) > 1:
        evaluate(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
    else:
        main()
