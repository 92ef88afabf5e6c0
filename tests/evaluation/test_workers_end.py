"""Processes that a run started end with it, though it was killed and they are at work."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

RUN = """
import os, sys, time
from pathlib import Path
from insula.evaluation.engine import each
from insula.storage.cache import Cache
def work(folder, number):
    Path(folder, str(os.getpid())).touch()
    time.sleep(60)
list(each([(work, (sys.argv[1], number)) for number in range(2)], 2, None, Cache(Path(sys.argv[1]))))
"""


def test_workers_of_a_killed_run_end(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", RUN, str(tmp_path)])
    _await(lambda: len(list(tmp_path.iterdir())) == 2 or process.poll() is not None)
    workers = [path.name for path in tmp_path.iterdir()]
    assert len(workers) == 2
    process.kill()
    process.wait()
    _await(lambda: not any(Path("/proc", worker).is_dir() for worker in workers))


def _await(state: Callable[[], bool]) -> None:
    begin = time.monotonic()
    while not state():
        assert time.monotonic() - begin < 50
        time.sleep(0.05)
