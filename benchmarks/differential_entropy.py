"""Differential entropy beside an rfft pass, whole and block by block, and beside scipy's zero-phase filters.

Processor time of one thread in one run; a pass block by block spares the pages of its 180 MB result.

Run with ``python -m benchmarks.differential_entropy``.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from scipy import fft, signal
from threadpoolctl import threadpool_limits

from insula.eeg.features import BANDS, FILTER_ORDER, differential_entropy

CHANNELS, SECONDS, RATE = 62, 3600, 200
BUDGET = 1.3  # times one rfft pass
AT_ONCE = 1000  # windows of a blocked pass, whose spectra stay in the cache
LEAST_SPEEDUP = 25.0  # over the filters


def main(channels: int = CHANNELS, seconds: int = SECONDS, repeats: int = 7) -> dict[str, float]:
    """Measure, print and return the figures: seconds (best of `repeats`) and the two ratios of the budget."""
    noise = np.random.default_rng(0).standard_normal((channels, seconds * RATE), dtype=np.float32)
    windows = noise.reshape(channels, seconds, RATE)
    filters = [signal.butter(FILTER_ORDER, band, "bandpass", fs=RATE, output="sos") for band in BANDS.values()]

    def zero_phase() -> None:
        for sections in filters:
            for row in noise:  # a channel at a time: whole arrays in float64 are slower
                signal.sosfiltfilt(sections, row)

    def blocked() -> None:
        flat = windows.reshape(-1, RATE)
        for first in range(0, len(flat), AT_ONCE):
            fft.rfft(flat[first : first + AT_ONCE])

    with threadpool_limits(1):
        # In turns, so that a busy moment of the machine meets both sides of the ratio.
        works = [lambda: fft.rfft(windows), blocked, lambda: differential_entropy(noise, RATE)]
        rounds = [[_seconds(work) for work in works] for _ in range(repeats)]
        filtering = min(_seconds(zero_phase) for _ in range(2))
    rfft, blocks, entropy = (min(column) for column in zip(*rounds, strict=True))
    figures = {
        "rfft_seconds": rfft,
        "entropy_seconds": entropy,
        "entropy_over_rfft": entropy / rfft,
        "blocked_rfft_seconds": blocks,
        "entropy_over_blocked_rfft": entropy / blocks,
        "filters_seconds": filtering,
        "filters_over_entropy": filtering / entropy,
    }
    print(f"{channels} channels x {seconds} s at {RATE} Hz, windows of 1 s, {len(BANDS)} bands, one thread")
    print(f"one float32 rfft pass          {rfft:8.3f} s")
    print(f"the same, block by block       {blocks:8.3f} s")
    print(
        f"differential entropy, spectral {entropy:8.3f} s   {entropy / rfft:.2f}x the pass (budget {BUDGET}x)", end=", "
    )
    print(f"{entropy / blocks:.2f}x blocked")
    print(f"scipy zero-phase filters       {filtering:8.3f} s   {filtering / entropy:.0f}x the entropy", end=" ")
    print(f"(at least {LEAST_SPEEDUP:g}x)")
    return figures


def _seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


if __name__ == "__main__":
    main()
