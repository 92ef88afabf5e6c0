"""A network that begins with weights of another task: what is kept, what learns, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from insula.emotions import Categorical
from insula.errors import SettingsError
from insula.samples import ArrayStore, Samples
from insula.systems.catalogue import system
from toy import CLASSES, toy_windows

WINDOWS = toy_windows(subjects=2)
TASK = Categorical(label="emotion", classes=CLASSES)
OTHER = Categorical(label="side", classes=("one", "two"))
ROWS = WINDOWS.with_columns(side=np.where(WINDOWS.table["emotion"] == CLASSES[0], "one", "two"))
NONE = ROWS.select([])


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("eegnet")
    system("eegnet", "tiny").fit(WINDOWS, NONE, TASK).save(folder)
    return folder


def fitted(saved: Path | None, rows: Samples = ROWS, **settings: Any) -> Any:
    training = {"epochs": 2, "batch_size": 16, "learning_rate": 0.01}
    return system("pretrained", weights=saved, training=training, **settings).fit(rows, NONE, OTHER)


def weights(network: Any) -> dict[str, torch.Tensor]:
    return {name.removeprefix("network."): value for name, value in network.network.network.state_dict().items()}


def test_a_probe_learns_its_head_and_keeps_all_else(saved: Path, tmp_path: Path) -> None:
    before, probe = weights(system_of(saved)), fitted(saved, tune="probe")
    after = weights(probe)
    changed = {name for name in before if name not in probe.head and not torch.equal(before[name], after[name])}
    assert probe.head and not changed, "not even running means"
    assert all(after[name].shape != before[name].shape for name in probe.head)
    probe.save(tmp_path)
    loaded = type(probe).load(tmp_path)
    assert np.allclose(loaded.predict(ROWS).probabilities, probe.predict(ROWS).probabilities, atol=1e-6)


def test_fine_tuning_moves_what_was_saved_less_than_the_head(saved: Path) -> None:
    before, tuned = weights(system_of(saved)), fitted(saved, backbone_rate=0.01)
    after = weights(tuned)
    learnt = [name for name, _ in tuned.network.network.named_parameters() if name not in tuned.head]
    moved = max((after[name] - before[name]).abs().max().item() for name in learnt)
    assert 0 < moved < 0.01 * 0.01 * 20, "at most the slowed rate in each of its steps"


def test_without_weights_it_is_the_plain_network(saved: Path) -> None:
    plain = system("eegnet", training={"epochs": 2, "batch_size": 16, "learning_rate": 0.01}).fit(ROWS, NONE, OTHER)
    assert np.array_equal(fitted(None).predict(ROWS).probabilities, plain.predict(ROWS).probabilities)


def test_weights_of_another_form_and_of_no_network_are_refused(saved: Path) -> None:
    store = ROWS.store("eeg")
    fast = ArrayStore(store.read(ROWS.rows("eeg")), store.description.model_copy(update={"rate": 256}))
    with pytest.raises(SettingsError, match=r"the saved network is of another form .*: keep its channels and its rate"):
        fitted(saved, ROWS.with_modality("eeg", "fast", fast, range(len(ROWS))))
    with pytest.raises(SettingsError, match=r"a probe of random weights \(tune\): set weights, or tune=fine-tune"):
        system("pretrained", tune="probe")
    with pytest.raises(SettingsError, match=r"linear is not one network on one modality \(backbone\): use eegnet"):
        fitted(None, backbone="linear")


def system_of(folder: Path) -> Any:
    return type(system("eegnet")).load(folder)
