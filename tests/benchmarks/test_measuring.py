from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest

from insula.errors import DataError


def benchmark(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(Path(__file__).parents[2])
    return importlib.import_module(f"benchmarks.{name}")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells pages of files from others")
def test_pages_of_files_are_told_from_memory_that_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "corpus").write_bytes(bytes(80_000_000))
    # it lives on until a busy machine, too, has looked at it once
    work = """
import mmap, sys, time
with open(sys.argv[1], "rb") as file:
    pages = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    found = sum(pages[place] for place in range(0, len(pages), 4096))
asked = bytearray(b"1") * 40_000_000
time.sleep(2)
"""
    command = [sys.executable, "-c", work, str(tmp_path / "corpus")]
    anonymous, resident = benchmark("evaluation_memory", monkeypatch).peaks_of(command)
    assert 40 < anonymous < 60
    assert resident > 120


def test_without_the_peers_it_is_said_how_to_get_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    reads = benchmark("shuffled_reads", monkeypatch)
    monkeypatch.setattr(reads, "PEER", tmp_path / "python")
    with pytest.raises(DataError, match=r"LMDB is not installed .*run `make .venv-peers/installed`"):
        reads.main(windows=10)
