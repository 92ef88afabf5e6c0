"""How UCMC reads rows: strung together, windows of signal, pictures, rows with a time axis of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from insula.emotions import Categorical
from insula.errors import DataError, SettingsError
from insula.samples import ArrayStore, Description, Samples, provenance
from insula.systems.ucmc.networks import student_of
from insula.systems.ucmc.reading import Reader, items_of, sequences
from insula.systems.ucmc.settings import UCMCSettings
from insula.systems.ucmc.system import UCMC
from toy import CLASSES, toy_pairs

TASK = Categorical(label="emotion", classes=CLASSES)
BRIEF = {"training": {"epochs": 1, "batch_size": 16, "learning_rate": 3e-3}}
FRAME = Description(kind="features", axes=("feature",))


def trials(lengths: list[int], width: int = 3, seed: int = 0) -> Samples:
    """Frames of trials of these lengths, in no order."""
    trial = np.repeat(np.arange(len(lengths)), lengths)
    time = np.concatenate([np.arange(length) for length in lengths])
    mixed = np.random.default_rng(seed).permutation(len(trial))
    table = provenance(corpus="c", subject="S1", session="1", trial=trial[mixed].astype(str), start=time[mixed] / 4)
    values = np.random.default_rng(seed + 1).standard_normal((len(trial), width)).astype(np.float32)
    return Samples(table, {}).with_modality("features", "f", ArrayStore(values, FRAME), range(len(trial)))


def test_sequences_hold_every_row_in_the_order_of_time_within_its_trial() -> None:
    samples = trials([10, 3, 7])
    places = sequences(samples, steps=4, hop=2)
    assert set(places[places >= 0]) == set(range(20))
    for row in places:
        there = samples.table.iloc[row[row >= 0]]
        assert there["trial"].nunique() == 1 and np.allclose(np.diff(there["start"]), 0.25)
        assert (np.diff((row >= 0).astype(int)) <= 0).all(), "nothing follows the end of a trial"
    assert sequences(samples.select(slice(0, 0)), 4, 2).shape == (0, 4)
    unknown = samples.with_columns(trial=None)
    assert sequences(unknown, 4, 2)[:, 0].tolist() == list(range(20)), "a row of no known trial is one by itself"
    with pytest.raises(SettingsError, match="leaves rows out"):
        UCMCSettings(steps=4, hop=5)


def reader_of(samples: Samples, settings: UCMCSettings) -> Any:
    return student_of(settings, Reader.of(samples, "features", "EEG", "tcn"), _Aim()).eval()  # type: ignore[arg-type]


class _Aim:
    kind, outputs = "classes", 3


def features_of(network: Any, samples: Samples, usable: np.ndarray, settings: UCMCSettings) -> np.ndarray:
    reader = Reader.of(samples, "features", "EEG", "tcn")
    cells = reader.cells(samples)
    items = items_of(reader, samples, cells, usable, settings.steps, settings.hop)
    return items.each(lambda batch: network(batch).features, settings.width).numpy()


def test_what_is_said_of_a_row_in_several_sequences_is_averaged_and_other_trials_have_no_part_in_it() -> None:
    samples, everything = trials([9, 5]), np.ones(14, bool)
    settings = UCMCSettings(encoder="tcn", width=4, steps=6, hop=3)
    network = reader_of(samples, settings)
    said = features_of(network, samples, everything, settings)
    places = sequences(samples, 6, 3)
    values = torch.from_numpy(samples.read("features"))
    for row in range(14):
        mine = []
        for place in places[(places == row).any(axis=1)]:
            there = place[place >= 0]
            mine.append(network(values[there][None]).features[0, there.tolist().index(row)].detach().numpy())
        assert np.allclose(said[row], np.mean(mine, axis=0), atol=1e-5)
    first = (samples.table["trial"] == "0").to_numpy()
    apart = features_of(network, samples.select(first), everything[first], settings)
    assert np.allclose(apart, said[first], atol=1e-5)


def test_a_row_that_cannot_be_used_is_a_gap_and_not_a_number() -> None:
    samples = trials([8])
    settings = UCMCSettings(encoder="tcn", width=4, steps=8, hop=8)
    network = reader_of(samples, settings)
    late = samples.table["start"].argmax()
    whole = features_of(network, samples, np.ones(8, bool), settings)
    store = samples.store("features")
    assert isinstance(store, ArrayStore)
    values = store.values.copy()
    values[samples.rows("features")[late]] = np.nan
    broken = Samples(samples.table, {"f": ArrayStore(values, FRAME)})
    said = features_of(network, broken, np.ones(8, bool), settings)
    others = np.arange(8) != late
    assert np.allclose(said[others], whole[others], atol=1e-6), "the network is causal"
    assert not said[late].any()


def parts(samples: Samples) -> tuple[Samples, Samples, Samples]:
    subject = samples.table["subject"].to_numpy()
    return tuple(samples.select(np.isin(subject, names)) for names in (("S1", "S2"), ("S3",), ("S4",)))  # type: ignore[return-value]


def pictured(samples: Samples) -> Samples:
    """Return the samples with pictures in place of the face's numbers: how bright three parts are."""
    labels = np.array([CLASSES.index(name) for name in samples.table["emotion"]])
    values = np.random.default_rng(0).integers(0, 80, (len(labels), 12, 12, 3)).astype(np.uint8)
    for row, label in enumerate(labels):
        values[row, 4 * label : 4 * label + 4] += 120
    store = ArrayStore(values, Description(kind="picture", axes=("row", "column", "colour"), units="uint8 RGB"))
    return samples.with_modality(
        "picture", "p", store, np.where(samples.has("face_features"), np.arange(len(labels)), -1)
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"eeg": "eeg", "encoder": "eegnet"},
        {"eeg": "eeg", "encoder": "deep4net"},
        {"eeg": "eeg", "encoder": "tsception"},
        {"eeg": "eeg", "encoder": "tcn"},
        {"encoder": "tcn", "steps": 2, "hop": 1, "face": "picture"},
        {"face": "picture", "teacher": {**BRIEF, "encoder": "tcn"}, "steps": 3, "hop": 3},
    ],
    ids=["eegnet", "deep4net", "tsception", "tcn-in-a-row", "tcn-of-rows", "pictures-in-time"],
)
def test_every_encoder_learns_and_is_saved_with_rows_missing(changes: dict[str, Any], tmp_path: Path) -> None:
    samples = pictured(toy_pairs())
    table = samples.table.copy()
    table.loc[::5, "eeg_row"] = -1
    train, held, test = parts(Samples(table, samples.stores))
    system = UCMC(
        UCMCSettings.parse({"width": 8, "compare": False, "teacher": BRIEF, **BRIEF, **changes}, where="test")
    )
    system.fit(train, held, TASK).save(tmp_path)
    again = UCMC.load(tmp_path)
    for mode in ("eeg", "face", "both"):
        said = system.predict(test, mode)
        assert np.allclose(said.probabilities.sum(axis=1), 1)
        assert np.allclose(again.predict(test, mode).probabilities, said.probabilities, atol=1e-5)
    assert "both" in set(system.predict(test, "both").table["mode"])


def test_an_encoder_that_cannot_read_the_modality_says_so() -> None:
    train, held, _ = parts(toy_pairs())
    for changes, what in (({"encoder": "eegnet"}, "reads channels x times"), ({"eeg": "eeg"}, "mlp reads features")):
        with pytest.raises(DataError, match=what):
            UCMC(UCMCSettings.parse({**BRIEF, **changes}, where="test")).fit(train, held, TASK)
