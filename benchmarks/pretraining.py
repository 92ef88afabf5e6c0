"""A step of mdJPT's pre-training at its published sizes: joint, corpus by corpus, and with activations made again.

Two corpora of eight windows (four clips, two people) of five seconds at 125 Hz, brought to 60 electrodes. Each way is a
process of its own, one thread; told are processor time a step, and peak memory without what the process begins with.
Then windows a second as the loader reads, brings to the montage and scales them, beside what the network takes.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.scratch import scratch_folder

CLIPS, WINDOWS, LENGTH = 4, 3, 625
WAYS = {
    "joint": {"two_pass": False},
    "corpus by corpus": {"two_pass": True},
    "corpus by corpus, activations made again": {"two_pass": True, "pretraining": {"recompute": True}},
}


def _samples(folder: Path):
    from insula.eeg.harmonisation import MONTAGE_60
    from insula.samples import Description, Samples, concat, open_store, provenance
    from insula.samples.stores import new_store

    parts = []
    for name, electrodes in (("wide", MONTAGE_60), ("narrow", MONTAGE_60[::2])):
        count = 2 * CLIPS * WINDOWS
        place = folder / name
        if not place.exists():
            place.mkdir()
            form = Description(kind="signal", axes=("channel", "time"), rate=125, channels=electrodes, units="uV")
            rows = new_store(place, (count, len(electrodes), LENGTH), np.float32, form)
            rows[:] = np.random.default_rng(0).normal(size=rows.shape)
            rows.flush()
        people, clips = np.repeat(["S1", "S2"], count // 2), np.tile(np.repeat(range(CLIPS), WINDOWS), 2).astype(str)
        table = provenance(corpus=name, subject=people, session="1", trial=clips, stimulus=clips)
        start = np.tile(np.arange(WINDOWS) * 5.0, 2 * CLIPS)
        samples = Samples(table.assign(start=start, stop=start + 5), {})
        parts.append(samples.with_modality("eeg", name, open_store(place), range(count)))
    return concat(parts)


def _objective(samples, **settings):
    from insula.systems.catalogue import system
    from insula.systems.mdjpt.aligning import PairAlignment
    from insula.systems.mdjpt.windows import Windows
    from insula.training.pairs import PairSampler

    about = system("mdjpt", **settings).settings
    return about, PairAlignment(Windows(samples, "eeg", about.encoder.montage), PairSampler(samples.table), about, "")


def step(folder: Path, way: str) -> None:
    """Print processor seconds of the second step of a way, and the megabytes that both took at their peak."""
    from insula.systems.mdjpt.pretrained import untrained
    from insula.training.recomputing import recomputing

    torch.set_num_threads(1)
    settings, objective = _objective(_samples(folder), **WAYS[way])
    network, batch = untrained(settings).train(), objective.draw(0, 0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(2):
        begin = time.process_time()
        if settings.pretraining.recompute:
            with recomputing(network):
                objective.backward(network, batch, 1.0, torch.device("cpu"))
        else:
            objective.backward(network, batch, 1.0, torch.device("cpu"))
        seconds = time.process_time() - begin
    print(seconds, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e3)


def main() -> dict[str, float]:
    """Print and return seconds and megabytes of each way, and windows a second of loader and network."""
    figures: dict[str, float] = {}
    with scratch_folder() as folder:
        for way in WAYS:
            code = f"from benchmarks.pretraining import *; step(Path({str(folder)!r}), {way!r})"
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
            seconds, megabytes = map(float, done.stdout.split())
            figures |= {f"{way}, s a step": seconds, f"{way}, MB": megabytes}
            print(f"{way}: {seconds:.1f} s a step of {4 * CLIPS} windows, {megabytes:.0f} MB")
        _, objective = _objective(_samples(folder))
        objective.draw(0, 0)  # measures the loudness of each person first
        begin = time.process_time()
        for number in range(20):
            objective.draw(1, number)
        read = 20 * 4 * CLIPS / (time.process_time() - begin)
    taken = 4 * CLIPS / figures["corpus by corpus, s a step"]
    print(f"windows a second: {read:.0f} read, {taken:.1f} learnt from")
    return figures | {
        "windows_a_second_read": read,
        "windows_a_second_learnt_from": taken,
        "read_over_learnt": read / taken,
    }


if __name__ == "__main__":
    main()
