"""Tiny copies of FACED in its two true formats: noise in pickles, and noise in a BIDS tree of BDF."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pandas as pd

_CLIPS = 28
_EMOTIONS = [
    *(name for name in ("Anger", "Disgust", "Fear", "Sadness") for _ in range(3)),
    *("\\",) * 4,  # so the true files call neutral
    *(name for name in ("Amusement", "Inspiration", "Joy", "Tenderness") for _ in range(3)),
]
_SHARED = (
    "Fp1", "Fp2", "Fz", "F3", "F4", "F7", "F8", "FC1", "FC2", "FC5", "FC6", "Cz", "C3", "C4", "CP1", "CP2", "CP5",
    "CP6", "Pz", "P3", "P4", "PO3", "PO4", "Oz", "O1", "O2",
)  # fmt: skip
_COHORTS = {
    "sub-000": (("T3", "T4", "T5", "T6", "A1", "A2"), 1000),
    "sub-061": (("T7", "T8", "P7", "P8", "HEOR", "HEOL"), 250),
}


def fake_faced(root: Path, subjects: int = 2, seconds: int = 4) -> None:
    """Write `faced/`: pickles of 28 clips, shorter than the true 30 s, and the order in which each was played."""
    from scipy.io import savemat

    for subject in range(subjects):
        rng = np.random.default_rng(subject)
        path = root / "faced" / "Processed_data" / f"sub{subject:03d}.pkl"
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = 10 * rng.standard_normal((_CLIPS, 32, seconds * 250), np.float32)
        path.write_bytes(pickle.dumps(noise.astype(float), protocol=4))
        played = np.empty((_CLIPS, 1), [("score", object), ("trial", object), ("vid", object)])
        for place, clip in enumerate(rng.permutation(_CLIPS) + 1):
            played[place, 0] = (rng.uniform(0, 7, (1, 12)), float(place + 1), float(clip))
        remarks = root / "faced" / "After_remarks" / path.stem / "After_remarks.mat"
        remarks.parent.mkdir(parents=True, exist_ok=True)
        savemat(remarks, {"After_remark": played})


def fake_faced_bids(root: Path, seconds: int = 4) -> None:
    """Write `faced/`, a BIDS tree: one person of each cohort, whose electrodes and rates differ."""
    import edfio

    folder = root / "faced"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dataset_description.json").write_text('{"Name": "FACED", "BIDSVersion": "1.7.0"}')
    people = pd.DataFrame({"participant_id": list(_COHORTS), "age": [20, 21]})
    people.to_csv(folder / "participants.tsv", sep="\t", index=False)
    for number, (person, (others, rate)) in enumerate(_COHORTS.items()):
        rng = np.random.default_rng(number)
        names = rng.permutation([*_SHARED, *others]).tolist()
        noise = 10 * rng.standard_normal((len(names), (3 + _CLIPS * (seconds + 1)) * rate), np.float32)
        signals = [
            edfio.BdfSignal(values, rate, label=name, physical_dimension="uV", physical_range=(-200, 200))
            for name, values in zip(names, noise, strict=True)
        ]
        stem = folder / person / "eeg" / f"{person}_task-watchingVideoClips"
        stem.parent.mkdir(parents=True, exist_ok=True)
        edfio.Bdf(signals).write(stem.with_name(f"{stem.name}_eeg.bdf"))
        channels = pd.DataFrame({"name": names, "type": "EEG", "units": "µV", "status": "good"})
        channels.to_csv(stem.with_name(f"{stem.name}_channels.tsv"), sep="\t", index=False)
        clips = rng.permutation(_CLIPS) + 1
        begun = {"onset": [0.5], "duration": 0.0, "trial_type": "Experiment start", "value": 5}
        shown = {
            "onset": 2.0 + (seconds + 1) * np.arange(_CLIPS),
            "duration": float(seconds),
            "trial_type": [f"Film {clip}" for clip in clips],
            "value": 1,
            "emotion_label": [_EMOTIONS[clip - 1] for clip in clips],
            "video_index": clips,
        }
        events = pd.concat([pd.DataFrame(begun), pd.DataFrame(shown)]).astype({"video_index": "Int64"})
        events.to_csv(stem.with_name(f"{stem.name}_events.tsv"), sep="\t", index=False, na_rep="n/a")
