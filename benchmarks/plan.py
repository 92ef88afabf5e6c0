"""A page that plans a pre-training on 25,000 people from measured throughput: `python -m benchmarks.plan [PAGE]`.

PAGE, one of docs/benchmarks, holds the figures of `python -m benchmarks pretraining`; without it they are measured.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks import pretraining
from insula.storage.atomic import write_file

DOCS = Path(__file__).parents[1] / "docs"
EPOCHS, STEPS, WINDOWS_A_STEP = 20, 1024, 4 * pretraining.CLIPS  # published
PEOPLE = 25_000
# of one person: sessions x clips, seconds of a clip, electrodes, rate; windows of five seconds that do not overlap
CORPORA = {
    "123 people x 28 clips of 33 s, 30 electrodes (as FACED)": (28, 33, 30, 250, 123),
    "15 people x 45 films of 226 s, 62 electrodes (as SEED)": (45, 226, 62, 200, 15),
    "32 people x 40 clips of 60 s, 32 electrodes (as DEAP)": (40, 60, 32, 128, 32),
}
WINDOW = 5
ENOUGH = 10
"""Times that a run sees each window, where it is planned by the windows and not by the published steps."""
PROCESSES = (1, 16, 128, 1024)


def main(arguments: list[str]) -> None:
    figures = _read(Path(arguments[0])) if arguments else pretraining.main()
    source = f"`{Path(arguments[0]).name}` of docs/benchmarks" if arguments else "a measurement at the time of writing"
    path = DOCS / "explanation" / "pretraining-at-scale.md"
    with write_file(path) as temporary:
        temporary.write_text(page(figures, source))
    print(f"written to {path.relative_to(DOCS.parent)}")


def _read(path: Path) -> dict[str, float]:
    """Return the figures of a page of benchmarks; a page without those that are needed ends the command."""
    rows = (line.strip("| ").split(" | ") for line in path.read_text().splitlines() if line.startswith("| "))
    figures = {name: float(value.replace(",", "")) for name, value in rows if value[0].isdigit()}
    if missing := [name for name in needed() if name not in figures]:
        sys.exit(f"{path} has no figure {missing[0]!r}: python -m benchmarks pretraining")
    return figures


def needed() -> list[str]:
    """Return the names of the figures that a plan is made of."""
    return [f"{way}, {unit}" for way in pretraining.WAYS for unit in ("s a step", "MB")] + ["windows_a_second_read"]


def size(clips: int, seconds: int, electrodes: int, rate: int, people: int) -> tuple[int, int]:
    """Return the windows of some people, and their bytes as float32.

    Examples
    --------
    >>> size(2, 11, 30, 100, 10)
    (40, 2400000)
    """
    windows = people * clips * (seconds // WINDOW)
    return windows, windows * WINDOW * rate * electrodes * 4


def hours(windows: float, seconds_a_window: float, processes: int = 1) -> float:
    """Return hours of learning from so many windows, shared by processes that lose nothing by sharing.

    Examples
    --------
    >>> hours(7200, 1.0, 2)
    1.0
    """
    return windows * seconds_a_window / processes / 3600


def page(figures: dict[str, float], source: str) -> str:
    """Return the text of the page."""
    slowness = {way: figures[f"{way}, s a step"] / WINDOWS_A_STEP for way in pretraining.WAYS}
    usual = slowness["corpus by corpus"]
    published = EPOCHS * STEPS * WINDOWS_A_STEP
    disk = [
        f"| {name} | `{_windows(own[0])}` | `{_bytes(own[1])}` | `{_windows(all_[0])}` | `{_bytes(all_[1])}` |"
        for name, about in CORPORA.items()
        for own, all_ in [(size(*about), size(*about[:4], PEOPLE))]
    ]
    most = {name: size(*about[:4], PEOPLE)[0] for name, about in CORPORA.items()}
    runs = {"as published": published} | {
        f"each window {ENOUGH} times, {name.split('(')[1][:-1]}": ENOUGH * count for name, count in most.items()
    }
    times = [
        f"| {name} | `{_windows(count / WINDOWS_A_STEP)}` | "
        + " | ".join(f"`{_hours(hours(count, usual, processes))}`" for processes in PROCESSES)
        + " |"
        for name, count in runs.items()
    ]
    ways = [
        f"| {way} | `{figures[f'{way}, s a step']:.1f}` | `{slowness[way]:.2f}` | `{figures[f'{way}, MB']:,.0f}` |"
        for way in pretraining.WAYS
    ]
    heads = " | ".join(f"{count:,} processes" if count > 1 else "one core" for count in PROCESSES)
    readers = figures["windows_a_second_read"] * usual
    return f"""# Pre-training at scale

What a pre-training of [mdJPT](../systems/index.md) on {PEOPLE:,} people would take. Written by
`python -m benchmarks.plan` from {source}; what stands in code is computed or was measured, as each table says.

## Bytes

Windows of {WINDOW} s that do not overlap, as float32, at the rate of the corpus. Computed, not measured; the cache
holds them once, and pages of it are read as they are needed.

| corpus | windows | on disk | windows of {PEOPLE:,} people | on disk |
| --- | --- | --- | --- | --- |
{chr(10).join(disk)}

## Seconds and memory of a step

Measured on one thread of a CPU, at the published sizes: {WINDOWS_A_STEP} windows of {WINDOW} s at 125 Hz,
60 electrodes, two corpora. Memory is the peak without what the process begins with.

| `two_pass`, `pretraining.recompute` | s a step | s a window | MB |
| --- | --- | --- | --- |
{chr(10).join(ways)}

The loader reads `{figures["windows_a_second_read"]:,.0f}` windows a second, what `{readers:,.0f}` such processes learn
from: one thread for each of them is enough, and a GPU that is faster than that many cores waits for it.

## Hours

A draw is {WINDOWS_A_STEP} windows here, and a step `pretraining.draws` of them, one at least for each process:
with more processes the run is shorter by steps of more draws. Published are {EPOCHS} epochs of {STEPS:,} steps of
one draw. Hours corpus by corpus, where sharing costs nothing, which was not measured.

| run | draws | {heads} |
| --- | --- | {" | ".join("---" for _ in PROCESSES)} |
{chr(10).join(times)}

## How it is started

On one machine, with two processes; the first runs the command, reads the corpus, writes the cache and the report, and
hands each pre-training to the others, fold by fold:

```bash
torchrun --standalone --nproc-per-node 2 \\
  -m insula.cli run mdjpt-simulated --jobs 1 --set system.pretraining.draws=2
```

On many, by Slurm:

```bash
#!/bin/bash
#SBATCH --nodes=16 --ntasks-per-node=1 --gpus-per-node=8 --cpus-per-task=64 --time=48:00:00
export INSULA_CACHE=/shared/insula-cache  # the same folder on all nodes
first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
srun torchrun --nnodes "$SLURM_NNODES" --nproc-per-node 8 --rdzv-backend c10d --rdzv-endpoint "$first:29500" \\
  --rdzv-id "$SLURM_JOB_ID" -m insula.cli fit recipe.yaml -o bundle \\
  --set system.pretraining.draws=128 --set system.pretraining.keep_every=50
```

Given again after the time is up, the job goes on from the last `keep_every` steps. Without torchrun,
`--set system.pretraining.devices=8 --set system.pretraining.draws=8` starts eight processes on one machine.

- Every process has at least one draw of a step; fewer draws than processes are refused.
- The cache and the corpus lie under the same path on all nodes: others open what the first one hands them.
- `--jobs 1`: fits in processes of their own have no helpers, and pre-train alone.
- `training.devices` stays at one: torchrun's processes start no others that share a training.
- Only pre-training is shared. Reading, aligning, the head and the evaluation are the first process's.
- In a script of one's own all processes call `insula.training.pretraining.pretrain`, on the same data in the same
  order, or one does inside `insula.training.devices.leading`. Unlike data are refused.

## What was not measured

No GPU was at hand: neither its throughput nor NCCL was tried, and hours on GPUs are hours here divided by how much
faster one takes a step. Two processes of torchrun on one CPU give the weights of one, which is a test; several
machines, Slurm, and what sums of gradients cost on a network were not tried. Nor were {PEOPLE:,} people: figures are
of small corpora, multiplied.
"""


def _windows(count: float) -> str:
    return f"{count / 1e6:,.1f} million" if count >= 1e6 else f"{count:,.0f}"


def _bytes(count: float) -> str:
    return f"{count / 1e12:,.1f} TB" if count >= 1e12 else f"{count / 1e9:,.1f} GB"


def _hours(count: float) -> str:
    return f"{count:,.0f} h" if count >= 10 else f"{count:.1f} h"


if __name__ == "__main__":
    main(sys.argv[1:])
