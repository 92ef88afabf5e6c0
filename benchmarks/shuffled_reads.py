"""Windows per second from the cache, in shuffled batches as training reads them, beside an LMDB of the same windows.

`make bench` installs the LMDB in `.venv-peers`; then `python -m benchmarks.shuffled_reads` runs this alone. The page
cache is warm: both sides have read everything once, so this compares the work of reading and not the disk.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import torch

from benchmarks.lmdb_windows import batches_in, digest_of_pass, seconds_of_pass
from benchmarks.scratch import scratch_folder
from insula.errors import DataError
from insula.samples import ArrayStore, Description, Samples, open_store, provenance
from insula.training.rows import Rows

ROOT = Path(__file__).parents[1]
PEER = ROOT / ".venv-peers" / "bin" / "python"
WINDOWS, CHANNELS, TIMES = 10_000, 62, 200  # half a gigabyte
BATCH = 64


def main(windows: int = WINDOWS, rounds: int = 7) -> dict[str, float | bool]:
    """Measure, print and return windows per second of both sides, best of `rounds`, and whether values were equal."""
    if not PEER.exists():
        raise DataError("LMDB is not installed", where=PEER, do="run `make .venv-peers/installed`")
    with scratch_folder() as folder:
        rng = np.random.default_rng(0)
        values = rng.standard_normal((windows, CHANNELS, TIMES), dtype=np.float32)
        ArrayStore(values, Description(kind="signal", axes=("channel", "time"), units="uV")).save(folder / "windows")
        np.save(folder / "order.npy", rng.permutation(windows))
        del values
        samples = Samples(provenance(windows, corpus="noise"), {})
        store = open_store(folder / "windows")
        rows = Rows(samples.with_modality("eeg", "eeg", store, range(windows)), "eeg")
        batches = batches_in(folder, BATCH)

        def read(chosen: np.ndarray) -> np.ndarray:
            return rows[torch.from_numpy(chosen)].numpy()

        command = [PEER, "-m", "benchmarks.lmdb_windows", folder, str(BATCH)]
        with subprocess.Popen(command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as peer:
            assert peer.stdin and peer.stdout
            same = digest_of_pass(read, batches) == json.loads(peer.stdout.readline())
            spent: list[tuple[float, float]] = []
            for _ in range(rounds):  # in turns, so that a busy moment of the machine meets both sides
                mine = seconds_of_pass(read, batches)
                print(file=peer.stdin, flush=True)
                spent.append((mine, json.loads(peer.stdout.readline())))
            peer.stdin.close()
    ours, theirs = (windows / min(column) for column in zip(*spent, strict=True))
    figures = {
        "cache_windows_per_second": ours,
        "lmdb_windows_per_second": theirs,
        "cache_over_lmdb": ours / theirs,
        "values_equal": same,
    }
    print(f"{windows:,} windows of {CHANNELS} x {TIMES} float32, shuffled, {BATCH} a batch, page cache warm")
    print(f"insula's cache {ours:9,.0f} windows/s   {ours / theirs:.2f}x the LMDB")
    print(f"LMDB           {theirs:9,.0f} windows/s   values equal: {same}")
    return figures


if __name__ == "__main__":
    main()
