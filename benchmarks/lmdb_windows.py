"""Windows in an LMDB, read in shuffled batches: the peer's side of `shuffled_reads`.

The Python of `.venv-peers` runs it, with numpy and lmdb. One window a key, raw float32, read in one transaction without
copying until a batch is stacked: what libraries that keep EEG in an LMDB do, less the unpickling and the transaction
for each window that they add.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

Read = Callable[[np.ndarray], np.ndarray]


def digest_of_pass(read: Read, batches: list[np.ndarray]) -> str:
    """Return the sha256 of all that is read, in the order in which it is."""
    hasher = hashlib.sha256()
    for rows in batches:
        hasher.update(read(rows))
    return hasher.hexdigest()


def seconds_of_pass(read: Read, batches: list[np.ndarray]) -> float:
    begin = time.perf_counter()
    for rows in batches:
        read(rows)
    return time.perf_counter() - begin


def batches_in(folder: Path, size: int) -> list[np.ndarray]:
    """Return the shuffled order of the folder, cut in batches."""
    order = np.load(folder / "order.npy")
    return [order[start : start + size] for start in range(0, len(order), size)]


def serve(folder: Path, size: int) -> None:
    """Write the LMDB, print the digest of a pass, and then for each line of input the seconds of another one."""
    import lmdb

    windows, batches = np.load(folder / "windows" / "values.npy", mmap_mode="r"), batches_in(folder, size)
    shape = windows.shape[1:]
    keys = [b"%d" % row for row in range(len(windows))]
    with lmdb.open(str(folder / "lmdb"), map_size=2 * windows.nbytes + 2**24) as database:
        with database.begin(write=True) as transaction:
            for key, window in zip(keys, windows, strict=True):
                transaction.put(key, window.tobytes())
        with database.begin(buffers=True) as transaction:

            def read(rows: np.ndarray) -> np.ndarray:
                found = (np.frombuffer(transaction.get(keys[row]), np.float32) for row in rows)
                return np.stack([window.reshape(shape) for window in found])

            print(json.dumps(digest_of_pass(read, batches)), flush=True)
            for _ in sys.stdin:
                print(json.dumps(seconds_of_pass(read, batches)), flush=True)


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]))
