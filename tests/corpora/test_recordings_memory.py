"""Many recordings take the memory of a few."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

from test_recordings import samples, write


def test_memory_does_not_grow_with_the_number_of_recordings(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        root = tmp_path / str(count) / "eeg"
        for number in range(count):
            write(root / f"S{number:02d}.edf", seconds=60, seed=100 * count + number)
        tracemalloc.start()
        found = samples(root, windows={"seconds": 2})
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert len(found) == 30 * count
        return size

    peak(1)  # imports
    assert peak(12) < 1.5 * peak(2)
