"""A plan of a long pre-training follows from the measured figures that it is given."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks import plan


def written(path: Path, seconds: float, **changes: str) -> dict[str, float]:
    shown = dict.fromkeys(plan.needed(), f"{seconds:.3g}") | {"windows_a_second_read": "1,600"} | changes
    rows = [f"| {name} | {value} |" for name, value in shown.items() if value]
    path.write_text("\n".join(["# Benchmarks", "| figure | value |", "| --- | --- |", *rows]))
    return plan._read(path)


def test_hours_are_those_of_the_published_windows_and_fall_with_processes(tmp_path: Path) -> None:
    text = plan.page(written(tmp_path / "page.md", 16.0), "a test")
    row = next(line for line in text.splitlines() if line.startswith("| as published"))
    told = [float(number.replace(",", "")) for number in re.findall(r"`([\d,.]+) h`", row)]
    assert told == pytest.approx([20 * 1024 * 16 / 3600 / count for count in plan.PROCESSES], rel=0.05, abs=0.05)
    assert "what `1,600` such processes learn" in text


def test_a_page_without_the_figures_ends_the_command(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"has no figure 'joint, MB': python -m benchmarks pretraining"):
        written(tmp_path / "page.md", 16.0, **{"joint, MB": ""})
