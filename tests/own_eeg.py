"""A study of one's own, as people have it: recordings that MNE writes, and a table with the label of each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import mne
import numpy as np
import pandas as pd
from scipy.io import savemat

CHANNELS = ("Fz", "C3", "C4", "Pz")
RATE = 128
PEOPLE = ("S01", "S02", "S03")


def raw_of(tense: list[bool], seed: int) -> mne.io.RawArray:
    """Return two seconds of noise for each part; Pz is louder where a part is tense."""
    values = 12e-6 * np.random.default_rng(seed).standard_normal((len(CHANNELS), 2 * RATE * len(tense)))
    values[3] *= np.repeat(np.where(tense, 3.0, 1.0), 2 * RATE)
    return mne.io.RawArray(values, mne.create_info(list(CHANNELS), RATE, "eeg"), verbose="error")


def write_fif(raw: mne.io.RawArray, stem: Path) -> None:
    raw.save(stem.with_name(f"{stem.name}_raw.fif"), verbose="error")


def write_edf(raw: mne.io.RawArray, stem: Path) -> None:
    mne.export.export_raw(stem.with_suffix(".edf"), raw, physical_range=(-200, 200), verbose="error")


def write_bdf(raw: mne.io.RawArray, stem: Path) -> None:
    mne.export.export_raw(stem.with_suffix(".bdf"), raw, physical_range=(-200, 200), verbose="error")


def write_brainvision(raw: mne.io.RawArray, stem: Path) -> None:
    (1e6 * raw.get_data()).T.astype("<f4").tofile(stem.with_suffix(".eeg"))
    channels = "\n".join(f"Ch{place}={name},,1,µV" for place, name in enumerate(CHANNELS, start=1))
    stem.with_suffix(".vhdr").write_text(
        "Brain Vision Data Exchange Header File Version 1.0\n[Common Infos]\nCodepage=UTF-8\n"
        f"DataFile={stem.name}.eeg\nDataFormat=BINARY\nDataOrientation=MULTIPLEXED\nNumberOfChannels={len(CHANNELS)}\n"
        f"SamplingInterval={1e6 / RATE}\n[Binary Infos]\nBinaryFormat=IEEE_FLOAT_32\n[Channel Infos]\n{channels}\n",
        encoding="utf-8",
    )


def write_eeglab(raw: mne.io.RawArray, stem: Path) -> None:
    empty = np.array([])
    labels = np.array([(name,) for name in CHANNELS], dtype=[("labels", object)])
    struct = {"setname": "x", "nbchan": len(CHANNELS), "trials": 1, "pnts": raw.n_times, "srate": float(RATE),
              "xmin": 0.0, "xmax": raw.times[-1], "data": 1e6 * raw.get_data(), "chanlocs": labels, "event": empty,
              "epoch": empty, "icawinv": empty, "icaweights": empty, "icasphere": empty, "ref": "common"}  # fmt: skip
    savemat(stem.with_suffix(".set"), {"EEG": struct}, appendmat=False)


WRITERS = {write.__name__.removeprefix("write_"): write for write in
           (write_fif, write_edf, write_bdf, write_brainvision, write_eeglab)}  # fmt: skip
Write = Callable[[mne.io.RawArray, Path], None]


def rested_and_tense(root: Path, write: Write) -> None:
    """Write two recordings a person, and a table with the label of each."""
    rows = []
    for number, person in enumerate(PEOPLE):
        for task, tense in (("a", False), ("b", True)):
            write(raw_of([tense] * 4, 2 * number + tense), root / f"{person}_{task}")
            rows.append({"recording": f"{person}_{task}", "state": "tense" if tense else "calm"})
    pd.DataFrame(rows).to_csv(root / "labels.csv", index=False)
