"""Differential entropy beside one rfft pass and beside scipy's zero-phase filters: one run, one thread.

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

    with threadpool_limits(1):
        # In turns, so that a busy moment of the machine meets both sides of the ratio.
        rounds = [(_seconds(lambda: fft.rfft(windows)), _seconds(lambda: differential_entropy(noise, RATE)))
                  for _ in range(repeats)]  # fmt: skip
        filtering = min(_seconds(zero_phase) for _ in range(2))
    rfft, entropy = (min(column) for column in zip(*rounds, strict=True))
    figures = {
        "rfft_seconds": rfft,
        "entropy_seconds": entropy,
        "entropy_over_rfft": entropy / rfft,
        "filters_seconds": filtering,
        "filters_over_entropy": filtering / entropy,
    }
    print(f"{channels} channels x {seconds} s at {RATE} Hz, windows of 1 s, {len(BANDS)} bands, one thread")
    print(f"one float32 rfft pass          {rfft:8.3f} s")
    print(f"differential entropy, spectral {entropy:8.3f} s   {entropy / rfft:.2f}x the pass (budget {BUDGET}x)")
    print(f"scipy zero-phase filters       {filtering:8.3f} s   {filtering / entropy:.0f}x the entropy", end=" ")
    print(f"(at least {LEAST_SPEEDUP:g}x)")
    return figures


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
