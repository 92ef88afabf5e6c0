"""Commands killed at a few random moments end as in peace, with nothing left over; many moments are a benchmark."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks import kills


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked for in /proc")
@pytest.mark.parametrize("name", ["run", "fit", "predict", "label"])
def test_a_killed_command_given_again_ends_as_in_peace(tmp_path: Path, name: str) -> None:
    study = tmp_path / "study"
    study.mkdir()
    kills.make_study(study)
    assert kills.kill(kills.works(study)[name], tmp_path, 2, seed=1)[0] == 2
