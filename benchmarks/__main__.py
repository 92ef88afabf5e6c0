"""Run benchmarks and write a page stamped with date and commit to docs/benchmarks: all of them, or those named."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # the budgets are for one thread; set before numpy is imported

import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

from insula.storage.atomic import write_file

PAGES = Path(__file__).parents[1] / "docs" / "benchmarks"
TITLES = {
    "differential_entropy": "Differential entropy",
    "audit": "Audit of one million rows",
    "reading": "One hour of 62 channels at 1000 Hz, read and preprocessed",
    "shuffled_reads": "Shuffled reads from the cache and from an LMDB",
    "evaluation_memory": "Peak memory while evaluating cached corpora",
    "leave_one_out_workers": "Leave one subject out, one worker and two",
    "faces": "From a photograph to emotions",
    "first_answer": "The first answer of a process, and its memory",
    "face_training": "Training on faces",
    "training_loop": "The loop of the engine beside a plain one",
    "pretraining": "A step of mdJPT's pre-training at its published sizes",
    "paper_preset": "BMCI, preset paper on one split",
    "fuzz": "Mutated files of every kind",
    "copies": "Copies of pictures: what is found, and what is taken for one",
    "kills": "Commands killed at random moments, and given again",
}
LONG = ("fuzz", "kills", "copies")
"""Run where they are named: they take up to an hour."""


def main(names: list[str]) -> None:
    unknown = [name for name in names if name not in TITLES]
    if unknown:
        sys.exit(f"no benchmark {unknown[0]}: there are {', '.join(TITLES)}")
    figures_by_title = {
        TITLES[name]: import_module(f"benchmarks.{name}").main()
        for name in names or [one for one in TITLES if one not in LONG]
    }
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False, cwd=PAGES
    ).stdout.strip()
    day = datetime.now(UTC).date().isoformat()
    lines = [f"# Benchmarks of {day}, commit {commit or 'unknown'}", ""]
    command = f"python -m benchmarks {' '.join(names)}" if names else "make bench"
    lines += [f"`{command}` on {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}.", ""]
    for title, figures in figures_by_title.items():
        lines += [f"## {title}", "", "| figure | value |", "| --- | --- |"]
        lines += [f"| {name} | {_shown(value)} |" for name, value in figures.items()] + [""]
    path = PAGES / f"{day}-{commit or 'unknown'}.md"
    with write_file(path) as temporary:
        temporary.write_text("\n".join(lines))
    print(f"\nwritten to {path.relative_to(PAGES.parents[1])}")


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return str(value)


if __name__ == "__main__":
    main(sys.argv[1:])
