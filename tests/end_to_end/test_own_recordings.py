"""Recordings of one's own, in every format, evaluated person by person with one setting: the folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import mne
import numpy as np
import pandas as pd
import pytest
from scipy.io import savemat

from insula.deployment.fitting import fit_bundle
from insula.evaluation.experiment import run
from insula.evaluation.recipe import Recipe
from insula.storage.cache import Cache

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


def moments(root: Path, write: Write) -> None:
    """Write a recording a person, and a table of the events in them."""
    rows = []
    for number, person in enumerate(PEOPLE):
        tense = [False, True] * 4
        write(raw_of(tense, number), root / person)
        rows += [{"subject": person, "onset": 2 * place, "duration": 2, "emotion": "fear" if one else "happy",
                  "rating": place} for place, one in enumerate(tense)]  # fmt: skip
    pd.DataFrame(rows).to_csv(root / "events.csv", index=False)


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("layout", [rested_and_tense, moments])
def test_one_setting_is_enough(tmp_path: Path, name: str, layout: Callable[[Path, Write], None]) -> None:
    root = tmp_path / "own"
    root.mkdir()
    layout(root, WRITERS[name])
    with pytest.warns(UserWarning, match=r"understood: \d recordings of 3 people .*2 classes of (state|emotion)"):
        recipe = Recipe.load(root, ["controls=[majority]"])
    results = run(recipe, Cache(tmp_path / "cache"))
    mine = results.predictions[results.predictions["arm"] == results.headline]
    assert mine.groupby("fold")["subject"].nunique().tolist() == [1, 1, 1]
    assert set(mine["subject"]) == set(PEOPLE)
    assert len(mine) == {"rested_and_tense": 6, "moments": 24}[layout.__name__]
    assert (mine["predicted"] == mine["label"]).mean() > 0.9


@pytest.mark.filterwarnings("ignore:understood")
def test_the_same_folder_makes_a_bundle(tmp_path: Path) -> None:
    root = tmp_path / "own"
    root.mkdir()
    rested_and_tense(root, write_edf)
    fit_bundle(Recipe.load("recordings", [f"corpus.root={root}"]), tmp_path / "bundle", Cache(tmp_path / "cache"))
    assert "| predicts from | eeg |" in (tmp_path / "bundle" / "card.md").read_text()
