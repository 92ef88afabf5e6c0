"""Real files of other makers go through `check` and reading; broken ones get a line."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from insula.corpora.catalogue import corpus
from insula.storage.cache import Cache

# What EEGLAB's file `eeglab_chan32.locs` calls the channels of its tutorial data.
EEGLAB = (
    "FPz", "EOG1", "F3", "Fz", "F4", "EOG2", "FC5", "FC1", "FC2", "FC6", "T7", "C3", "C4", "Cz", "T8", "CP5", "CP1",
    "CP2", "CP6", "P7", "P3", "Pz", "P4", "P8", "PO7", "PO3", "POz", "PO4", "PO8", "O1", "Oz", "O2",
)  # fmt: skip
REAL: dict[str, dict[str, Any]] = {
    "test.vhdr": {"events": "annotations", "markers": {"Stimulus/S253": "a", "Stimulus/S255": "b"}},
    "test.bdf": {"preprocessing": {"band": (16, 75)}, "windows": {"seconds": 0.5}},  # it lasts one second
    # nothing says where these electrodes are: the names given here are for reading's sake alone
    "test.edf": {"rename": {"A3": "Fz", "A4": "Cz", "A5": "Pz"}, "channels": ("Fz", "Cz", "Pz")},
    "eeglab_data.set": {
        "rename": {f"EEG {i:03d}": None if name.startswith("EOG") else name for i, name in enumerate(EEGLAB)},
        "events": "annotations", "preprocessing": {"band": (1, 50)},
    },
}  # fmt: skip


@pytest.mark.parametrize("name", REAL)
@pytest.mark.filterwarnings("ignore:band")
def test_real_files_go_through_check_and_reading(data: Path, tmp_path: Path, name: str) -> None:
    root = tmp_path / "real"
    root.mkdir()
    for path in (data / "reader-fixtures").glob(f"{Path(name).stem}.*"):
        if path.name == name or path.suffix in (".eeg", ".vmrk"):
            shutil.copy(path, root)
    one = corpus("recordings", root=root, **REAL[name])
    assert one.check() == []
    found = one.samples(Cache(tmp_path / "cache"))
    values = found.read("eeg")
    assert np.isfinite(values).all() and 0.2 < values.std() < 500
    expected = {"test.vhdr": (26, {"a", "b"}), "test.bdf": (66, None), "test.edf": (3, None),
                "eeglab_data.set": (30, {"rt", "square"})}[name]  # fmt: skip
    assert values.shape[1] == expected[0]
    if expected[1]:
        assert set(found.table["emotion"]) == expected[1]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("duplicate_channel_labels.edf", "duplicate channel 'EEG F1-Ref'"),
        ("test_uneven_samp.edf", "uneven sampling rates"),
        ("test.edf", "sites of BioSemi's own system"),
        ("eeglab_data.set", "unknown channels 'EEG 000'"),
    ],
)
def test_malformed_real_files_get_a_clear_line(data: Path, tmp_path: Path, name: str, message: str) -> None:
    shutil.copy(data / "reader-fixtures" / name, tmp_path)
    (lack,) = corpus("recordings", root=tmp_path, preprocessing={"band": (4, 40), "rate": None}).check()
    assert message in lack and name in lack
