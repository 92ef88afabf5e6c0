"""Stores whose rows are altered as they are read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from insula.errors import DataError
from insula.samples import ArrayStore, Description, Store, open_store
from insula.samples.altered_store import AlteredStore, altered
from toy import toy_windows


def louder(store: Store) -> AlteredStore:
    return AlteredStore(store, lambda values, rows: values * (1 + rows.reshape(-1, 1, 1)).astype(np.float32), "louder")


def test_rows_are_altered_alike_whatever_is_read_with_them(tmp_path: Path) -> None:
    samples = toy_windows()
    store = louder(samples.store("eeg"))
    rows = np.array([5, 2])
    assert_array_equal(store.read(rows)[1], store.read(np.array([2]))[0])
    assert_array_equal(store.read(rows)[0], 6 * samples.store("eeg").read(np.array([5]))[0])
    store.save(tmp_path / "saved")
    again = open_store(tmp_path / "saved")
    assert len(again) == len(store) and again.description == store.description
    assert_array_equal(again.read(rows), store.read(rows))


def test_samples_point_into_the_altered_store_and_say_so() -> None:
    samples = toy_windows()
    changed = altered(samples, "eeg", "louder", louder)
    assert_array_equal(changed.select([3]).read("eeg")[0], 4 * samples.select([3]).read("eeg")[0])
    assert_array_equal(changed.read("features"), samples.read("features"))
    assert changed.fingerprint() != samples.fingerprint()
    with pytest.raises(DataError, match="no sample has the modality face"):
        altered(samples, "face", "louder", louder)


def test_another_alteration_has_another_fingerprint() -> None:
    form = Description(kind="features", axes=("feature",))
    source = ArrayStore(np.zeros((2, 3), np.float32), form)
    prints = {AlteredStore(source, lambda values, rows: values, key).fingerprint() for key in ("a", "b")}
    assert len(prints | {source.fingerprint()}) == 3
