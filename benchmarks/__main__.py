"""Run every benchmark and write a page stamped with date and commit to docs/benchmarks."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # the budgets are for one thread; set before numpy is imported

import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import (
    audit,
    differential_entropy,
    evaluation_memory,
    leave_one_out_workers,
    paper_preset,
    shuffled_reads,
)
from insula.storage.atomic import write_file

PAGES = Path(__file__).parents[1] / "docs" / "benchmarks"


def main() -> None:
    found = {
        "Differential entropy": differential_entropy.main(),
        "Audit of one million rows": audit.main(),
        "Shuffled reads from the cache and from an LMDB": shuffled_reads.main(),
        "Peak memory while evaluating cached corpora": evaluation_memory.main(),
        "Leave one subject out, one worker and two": leave_one_out_workers.main(),
        "BMCI, preset paper on one split (all cores)": paper_preset.main(),
    }
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False, cwd=PAGES
    ).stdout.strip()
    day = datetime.now(UTC).date().isoformat()
    lines = [f"# Benchmarks of {day}, commit {commit or 'unknown'}", ""]
    lines += [f"`make bench` on {platform.machine()}, Python {platform.python_version()}, one thread.", ""]
    for title, figures in found.items():
        lines += [f"## {title}", "", "| figure | value |", "| --- | --- |"]
        lines += [f"| {name} | {value:.3g} |" if isinstance(value, float) else f"| {name} | {value} |"
                  for name, value in figures.items()] + [""]  # fmt: skip
    path = PAGES / f"{day}-{commit or 'unknown'}.md"
    with write_file(path) as temporary:
        temporary.write_text("\n".join(lines))
    print(f"\nwritten to {path.relative_to(PAGES.parents[1])}")


if __name__ == "__main__":
    main()
