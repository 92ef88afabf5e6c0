"""Corpora as clients: what each process reads, who predicts whose rows, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from insula.emotions import Categorical
from insula.errors import InsulaError
from insula.samples import ArrayStore, Samples, concat
from insula.systems.catalogue import system
from insula.systems.federated.system import Federated
from toy import CLASSES, toy_windows

TASK = Categorical(label="emotion", classes=CLASSES)
CHANNELS = {"first": slice(0, 6), "second": slice(0, 4), "third": slice(2, 6)}
BRIEF: dict[str, Any] = {"clients": "corpus", "rounds": 1, "training": {"epochs": 1}}


class Watched(ArrayStore):
    """A store that writes down which process reads it."""

    def __init__(self, values: np.ndarray, description: Any, notes: Path) -> None:
        super().__init__(values, description)
        self.notes = notes

    def read(self, rows: np.ndarray) -> np.ndarray:
        with self.notes.open("a") as file:
            file.write(f"{os.getpid()}\n")
        return super().read(rows)


def corpora(folder: Path, **labels: Any) -> Samples:
    """Return three corpora with other electrodes each; their stores note their readers in a file of their name."""
    parts = []
    for number, (corpus, chosen) in enumerate(CHANNELS.items()):
        toy = toy_windows(subjects=2, sessions=1, windows=1, seed=number)
        store = toy.store("eeg")
        values, names = store.read(np.arange(len(store)))[:, chosen], store.description.channels[chosen]
        form = store.description.model_copy(update={"channels": names})
        own = Samples(toy.table.drop(columns=["eeg_store", "eeg_row", "features_store", "features_row"]), {})
        own = own.with_modality("eeg", "eeg", Watched(np.asarray(values), form, folder / corpus), range(len(toy)))
        parts.append(own.with_columns(corpus=corpus, **(labels if corpus == "third" else {})))
    return concat(parts)


def fitted(samples: Samples, **changes: Any) -> Federated:
    empty = samples.select(np.zeros(len(samples), bool))
    unfitted = system("federated", "tiny", **{**BRIEF, **changes})
    return unfitted.fit(samples, empty, TASK)  # type: ignore[return-value]


def test_no_clients_samples_are_read_by_anothers_process(tmp_path: Path) -> None:
    fitted(corpora(tmp_path), pooled=False, privacy={"noise": 5.0}, proximal=0.1, aggregate="median")
    readers = {corpus: set((tmp_path / corpus).read_text().split()) for corpus in CHANNELS}
    assert all(len(processes) == 1 for processes in readers.values())
    assert len(set.union(*readers.values(), {str(os.getpid())})) == 4, "a process each, none of them the server's"


def test_rows_are_predicted_by_their_own_client_and_epsilon_is_told(tmp_path: Path) -> None:
    samples = corpora(tmp_path)
    federated = fitted(samples, privacy={"noise": 5.0})
    assert federated.facts["privacy"]["epsilon"] > 0 and federated.facts["clients"]["third"] == 12
    third = samples.select(samples.table["corpus"] == "third")
    for mode in federated.modes:
        assert np.isfinite(federated.predict(samples, mode).probabilities).all()
    for mode in ("federated", "alone"):
        for name in ("first", "second"):
            del federated.networks[name][mode]  # not asked
        assert len(federated.predict(third, mode).table) == 12
    stranger = third.with_columns(corpus="fourth")
    assert np.allclose(
        federated.predict(stranger, "pooled").probabilities, federated.predict(third, "pooled").probabilities
    )


@pytest.mark.parametrize(
    ("changes", "labels", "message"),
    [
        ({"clients": "stimulus_kind"}, {}, r"no column 'stimulus_kind' \(system.clients\)"),
        ({}, {"emotion": None}, r"client third has 0 labelled windows of 0 classes .*set system.source_label=COLUMN"),
        ({"source_label": "source"}, {"emotion": None, "source": "unheard-of"}, "unheard-of"),
        ({"shared": "nothing"}, {}, "client first cannot take part: no tensor to share has 'nothing'"),
        ({"shared": "conv_spatial"}, {}, r"clients 0 and 1 have no conv_spatial.* of one shape"),
    ],
)
def test_bad_input_is_one_line(tmp_path: Path, changes: dict[str, Any], labels: dict[str, Any], message: str) -> None:
    with pytest.raises(InsulaError, match=message) as caught:
        fitted(corpora(tmp_path, **labels), **changes)
    assert "\n" not in str(caught.value)


def test_one_corpus_alone_is_no_federation(tmp_path: Path) -> None:
    samples = corpora(tmp_path)
    with pytest.raises(InsulaError, match=r"1 client in the training part.*join two corpora"):
        fitted(samples.select(samples.table["corpus"] == "first"))
