"""Tiny BIDS sets of emotion in the true format: noise in EDF and EEGLAB files, and the sets' own tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from insula.corpora.bids_sets import EMOEEG_CHANNELS, HYDROCEL

_TEN_TWENTY = (
    "Fp1", "Fp2", "F7", "F3", "Fz", "F4", "F8", "T3", "C3", "Cz", "C4", "T4", "T5", "P3", "Pz", "P4", "T6", "O1", "O2",
)  # fmt: skip


def fake_bids_emotion(root: Path) -> None:
    """Write `bids-emotion/`: two people, four trials of 4 s, emotion and valence in events.tsv."""
    folder = _describe(root / "bids-emotion", "noise")
    for number in (1, 2):
        stem = _stem(folder, f"{number:02d}", "task-emotion")
        _write_edf(stem, _TEN_TWENTY, 200, 22, seed=number)
        emotions = ["joy", "sadness", "neutral", "joy"][:: (-1) ** number]
        events = pd.DataFrame({"onset": [1.0, 6.0, 11.0, 16.0], "duration": 4.0, "trial_type": emotions,
                               "valence": [8.0, 2.5, 5.0, 7.0][:: (-1) ** number],
                               "stim_file": [f"{emotion}.mp4" for emotion in emotions]})  # fmt: skip
        _write_table(f"{stem}_events.tsv", events)


def fake_dens(root: Path) -> None:
    """Write `dens/`: two people, two clips of a minute each; of the 128 channels those near the 10-20 system, and four.

    Onsets count samples, as in the true set.
    """
    folder = _describe(root / "dens", "Dataset on Emotion with Naturalistic Stimuli (DENS)")
    for number, person in enumerate(("mit003", "mit004")):
        stem = _stem(folder, person, "task-emotion")
        _write_eeglab(stem, [*HYDROCEL, "E1", "E17", "E125", "E128"], 250, 126, seed=number)
        events = pd.DataFrame({"onset": [20, 250, 14000, 15800], "duration": 1,
                               "trial_type": ["bsl", "stm", "clk", "stm"],
                               "label": ["baseline", "neutral_1_1", "click", "12_2"]})  # fmt: skip
        _write_table(f"{stem}_events.tsv", events)
        ratings = {"stimuliName": ["neutral_1.mp4", "12.m4v"], "valence": [5.2, 9.0 - number], "arousal": [4.95, 9.0],
                   "dominance": [5.04, 8.07], "liking": [3.0, 5.0], "familiarity": [4.0, 5.0],
                   "relevance": [2.98, 4.98], "emotionCateg": ["{}", "{'0': [u'Joyous', '']}"]}  # fmt: skip
        beh = folder / f"sub-{person}" / "beh" / f"sub-{person}_task-Emotion_beh.tsv"
        _write_table(beh, pd.DataFrame(ratings), index=True)


def fake_emoeeg_mc(root: Path) -> None:
    """Write `emoeeg-mc/`: two people, two videos and two imaginations of 4 s, and the README that lists them.

    The first person has the table of events of older releases, at the top of the person's folder; the second has two
    runs and, as in release 1.0.7, annotations only.
    """
    folder = _describe(root / "emoeeg-mc", "EmoEEG-MC")
    codes = {1: ["joy5", "fear8"], 2: ["neu4", "ins5"]}
    lines = [f"{number}. `{names}`" for number, names in codes.items()]
    text = "# EmoEEG-MC\n\n`reorder = ['sad4']`\n\n- **sub02**: Missing nothing.\n\n" + "\n".join(lines) + "\n"
    (folder / "README.md").write_text(text)
    onset = [0.5, 1.0, 5.0, 6.0, 10.0]
    marks = ["28", "32", "31", "32", "31"]
    videos = ["28", "33", "31", "33", "31"]
    stem = _stem(folder, "01", "task-emotion")
    _write_edf(stem, EMOEEG_CHANNELS, 200, 24, seed=1)
    events = pd.DataFrame({"onset": [*onset, *(one + 12 for one in onset)], "duration": 0.0,
                           "stim_type": [*marks, *videos]})  # fmt: skip
    kinds = {"28": "n/a", "31": "rating", "32": "ima", "33": "vid"}
    _write_table(folder / "sub-01" / "sub-01_events.tsv", events.assign(trial_type=events["stim_type"].map(kinds)))
    bad = pd.DataFrame({"session": ["ima"], "channel": "64", "trial": 1})
    _write_table(folder / "sub-01" / "sub-01_channels.tsv", bad)
    for run, texts in ((1, marks), (2, videos)):
        stem = _stem(folder, "02", f"task-emotion_run-{run:02d}")
        _write_edf(stem, EMOEEG_CHANNELS, 200, 12, seed=1 + run, notes=list(zip(onset, texts, strict=True)))


def fake_music_emotion(root: Path) -> None:
    """Write `music-emotion/`: two people, a run of rest and one of two excerpts with eight answers each."""
    folder = _describe(root / "music-emotion", "filmClips")
    for number in (1, 2):
        _write_edf(_stem(folder, f"{number:02d}", "task-run1"), _TEN_TWENTY, 1000, 5, seed=number)
        _write_table(f"{_stem(folder, f'{number:02d}', 'task-run1')}_events.tsv",
                     pd.DataFrame({"onset": [0.0], "duration": 5.0, "trial_type": [768]}))  # fmt: skip
        rows: list[tuple[float, float, int]] = []
        for trial, onset in enumerate((2.0, 22.0)):
            rows += [(onset - 1, 0.0, 786), (onset, 20.0, 788), (onset + 0.002, 0.0, 301 + number + 200 * trial)]
            for question in range(8):
                asked = onset + 13 + 0.8 * question
                answer = 901 + (question + 3 * trial + number) % 9
                rows += [(asked, 0.0, 800 + question), (asked + 0.03, 0.0, answer)]
        stem = _stem(folder, f"{number:02d}", "task-run2")
        _write_edf(stem, _TEN_TWENTY, 1000, 42, seed=10 + number)
        _write_table(f"{stem}_events.tsv", pd.DataFrame(rows, columns=["onset", "duration", "trial_type"]))


def _describe(folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dataset_description.json").write_text(f'{{"Name": "{name}", "BIDSVersion": "1.6.0"}}')
    return folder


def _stem(folder: Path, person: str, entities: str) -> Path:
    return folder / f"sub-{person}" / "eeg" / f"sub-{person}_{entities}"


def _write_table(path: str | Path, table: pd.DataFrame, index: bool = False) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, sep="\t", index=index, na_rep="n/a")


def _write_edf(
    stem: Path, names: Sequence[str], rate: int, length: int, seed: int, notes: Sequence[tuple[float, str]] = ()
) -> None:
    import edfio

    stem.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).normal(0, 12, (len(names), length * rate)).clip(-150, 150)
    signals = [
        edfio.EdfSignal(values, rate, label=name, physical_dimension="uV", physical_range=(-150, 150))
        for name, values in zip(names, noise, strict=True)
    ]
    marks = [edfio.EdfAnnotation(onset, 0, text) for onset, text in notes]
    edfio.Edf(signals, annotations=marks).write(f"{stem}_eeg.edf")


def _write_eeglab(stem: Path, names: Sequence[str], rate: int, length: int, seed: int) -> None:
    """Write an EEGLAB file and its data (.fdt): float32 microvolts, all channels of one sample after the other."""
    from scipy.io import savemat

    stem.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).normal(0, 12, (length * rate, len(names))).astype("<f4")
    noise.tofile(f"{stem}_eeg.fdt")
    places = np.empty((1, len(names)), [("labels", object)])
    places["labels"][0] = list(names)
    about = {
        "setname": stem.name, "data": f"{stem.name}_eeg.fdt", "nbchan": len(names), "trials": 1, "pnts": len(noise),
        "srate": rate, "xmin": 0.0, "xmax": length - 1 / rate, "times": [], "ref": "common", "chanlocs": places,
        "event": [], "icawinv": [], "icaweights": [], "icasphere": [],
    }  # fmt: skip
    savemat(f"{stem}_eeg.set", {"EEG": about}, appendmat=False)
