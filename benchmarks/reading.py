"""From an hour of EEG in a file to clean windows on disk, beside MNE called plainly: one run, one thread.

Both sides read BrainVision (int16), resample, filter, take the mains out, reference, cut, and write the same windows.
MNE holds the recording in memory, as its tutorials do, and works in the cheaper order: resampling first. It resamples
by its method "polyphase", as insula does: its default, by one Fourier transform, takes longer, rounds the lengths that
give the ratio, and differs by hundredths of a microvolt in noise, and by more at the ends. Each turn is a process of
its own, timed after a warm-up on a short recording, with the file in the page cache. It takes some minutes, and 1 GB
beside the cache; `python -m benchmarks.reading` runs it alone.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

import mne
import numpy as np
from threadpoolctl import threadpool_limits

from insula.corpora.scalp import MONTAGES
from insula.eeg.epoch_store import Windows, window_store
from insula.eeg.preprocessing import Preprocessing
from insula.eeg.reading import read_recording
from insula.storage.cache import Cache

CHANNELS, SECONDS, RATE = MONTAGES["ten_ten62"], 3600, 1000
SETTINGS, WINDOW = Preprocessing(), 2.0  # 1-75 Hz, mains at 50 Hz, average reference, 250 Hz; seconds
BUDGET = 1.1  # times MNE
TOLERANCE = 1e-4  # uV, everywhere: the ends of the recording and of insula's blocks included


def write_recording(path: Path, seconds: int) -> None:
    """Write noise and mains as BrainVision: int16 at 0.1 uV, channel by channel within a sample."""
    rng = np.random.default_rng(0)
    with open(path.with_suffix(".eeg"), "wb") as file:
        for first in range(0, seconds, 10):
            clock = np.arange(first * RATE, min(first + 10, seconds) * RATE) / RATE
            values = 150 * rng.standard_normal((len(clock), len(CHANNELS)), np.float32)
            values += (50 * np.sin(2 * np.pi * 50 * clock))[:, None]
            values.round().astype("<i2").tofile(file)
    common = {
        "DataFile": f"{path.stem}.eeg", "DataFormat": "BINARY", "DataOrientation": "MULTIPLEXED",
        "NumberOfChannels": len(CHANNELS), "SamplingInterval": round(1e6 / RATE),
    }  # fmt: skip
    lines = ["Brain Vision Data Exchange Header File Version 1.0", "[Common Infos]", "Codepage=UTF-8"]
    lines += [f"{key}={value}" for key, value in common.items()]
    lines += ["[Binary Infos]", "BinaryFormat=INT_16", "[Channel Infos]"]
    lines += [f"Ch{number}={name},,0.1,µV" for number, name in enumerate(CHANNELS, start=1)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def by_insula(path: Path, target: Path) -> np.ndarray:
    """Return the windows of a recording, memory-mapped; insula writes them where they are not yet."""
    recording = read_recording(path, corpus="noise", subject="S1", session="1")
    store, _ = window_store([recording], SETTINGS, Windows(seconds=WINDOW), Cache(target))
    return store.values


def by_mne(path: Path, target: Path) -> np.ndarray:
    """Write the windows as MNE's own methods make them, and return them memory-mapped."""
    raw = mne.io.read_raw_brainvision(path, preload=True, verbose="error")
    raw.resample(SETTINGS.rate, method="polyphase", verbose="error")
    raw.filter(*SETTINGS.band, verbose="error")
    raw.notch_filter(SETTINGS.notch, verbose="error")
    raw.set_eeg_reference("average", verbose="error")
    epochs = mne.make_fixed_length_epochs(raw, WINDOW, preload=True, verbose="error")
    target.mkdir()
    np.save(target / "windows.npy", epochs.get_data(units="uV", copy=False).astype(np.float32))
    return np.load(target / "windows.npy", mmap_mode="r")


SIDES = {"insula": by_insula, "mne": by_mne}


def turn(side: str, folder: Path) -> None:
    """Do the work of one side in this process, once as a warm-up and once on the clock."""
    for name in ("short", "hour"):
        shutil.rmtree(folder / side, ignore_errors=True)
        begin = time.perf_counter()
        with threadpool_limits(1):
            SIDES[side](folder / f"{name}.vhdr", folder / side)
    (folder / f"{side}.txt").write_text(str(time.perf_counter() - begin))


def main(seconds: int = SECONDS, repeats: int = 3) -> dict[str, float]:
    """Measure, print and return seconds (best of `repeats`), their ratio, peak memory and the largest difference."""
    from benchmarks.evaluation_memory import peaks_of  # here: a turn should not hold what this imports

    root = Cache().root
    root.mkdir(parents=True, exist_ok=True)
    spent: dict[str, list[float]] = {side: [] for side in SIDES}
    peaks: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="reading-", dir=root) as name:
        folder = Path(name)
        write_recording(folder / "short.vhdr", 30)
        write_recording(folder / "hour.vhdr", seconds)
        for side in list(SIDES) * repeats:  # in turns, so that a busy moment of the machine meets both sides
            peaks[side], _ = peaks_of([sys.executable, "-m", "benchmarks.reading", side, name])
            spent[side].append(float((folder / f"{side}.txt").read_text()))
        ours = by_insula(folder / "hour.vhdr", folder / "insula")
        theirs = np.load(folder / "mne" / "windows.npy", mmap_mode="r")
        if ours.shape != theirs.shape:
            raise RuntimeError(f"insula cuts {ours.shape}, MNE {theirs.shape}")
        difference = max(float(np.abs(one - other).max()) for one, other in zip(ours, theirs, strict=True))
    if not difference <= TOLERANCE:
        raise RuntimeError(f"insula and MNE differ by {difference:.1e} uV, more than {TOLERANCE:g}")
    insula, plain = (min(spent[side]) for side in SIDES)
    figures = {
        "insula_seconds": insula,
        "mne_seconds": plain,
        "insula_over_mne": insula / plain,
        "insula_peak_mb": peaks["insula"],
        "mne_peak_mb": peaks["mne"],
        "largest_difference_uv": difference,
    }
    print(f"{len(CHANNELS)} channels x {seconds} s at {RATE} Hz to windows of {WINDOW:g} s, one thread")
    print(f"insula             {insula:8.1f} s, {peaks['insula']:6,.0f} MB at most")
    print(f"MNE called plainly {plain:8.1f} s, {peaks['mne']:6,.0f} MB at most")
    print(f"insula over MNE    {insula / plain:8.2f}x (budget {BUDGET}x)")
    print(f"largest difference {difference:8.1e} uV (at most {TOLERANCE:g})")
    return figures


if __name__ == "__main__":
    if len(sys.argv) > 1:
        turn(sys.argv[1], Path(sys.argv[2]))
    else:
        main()
