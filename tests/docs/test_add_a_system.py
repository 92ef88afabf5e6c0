"""The system of the page "add a system", found by name as an installed package's, passes what every system must."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from walk import blocks

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/jobs/add-a-system.md"


@pytest.mark.slow
def test_it_is_found_by_name_and_keeps_the_contract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    steps = blocks(PAGE)
    exec(next(step.code for step in steps if step.kind == "python"), {})
    entry = next(step.code for step in steps if "entry-points" in step.code)
    about = tmp_path / "class_means-1.0.dist-info"  # what pip writes
    about.mkdir()
    about.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: class-means\nVersion: 1.0\n")
    group, line = entry.strip().splitlines()
    assert group == '[project.entry-points."insula.systems"]'
    about.joinpath("entry_points.txt").write_text("[insula.systems]\n" + line.replace('"', "") + "\n")
    path = os.pathsep.join([str(tmp_path), str(ROOT / "src")])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "tests/contract/test_systems.py", "-k", "class-means"],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout and "skipped" not in done.stdout.splitlines()[-1]
