"""Samples: paired, partly paired and unpaired data in one type; ids survive; stores stay apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from insula.errors import DataError
from insula.samples import ArrayStore, Description, Predictions, RaggedStore, Samples, concat, open_store, provenance
from toy import toy_study

SIGNAL = Description(kind="signal", axes=("channel", "time"), rate=100, channels=("Cz", "Pz"), units="uV")


def _signal(n: int, description: Description = SIGNAL) -> ArrayStore:
    values = np.arange(n * len(description.channels) * 5, dtype=np.float32)
    return ArrayStore(values.reshape(n, len(description.channels), 5), description)


def test_provenance_is_not_optional() -> None:
    with pytest.raises(DataError, match="missing provenance column trial"):
        Samples(provenance(2, corpus="c").drop(columns="trial"), {})


def test_ids_survive_selection_and_order_follows_the_request() -> None:
    samples = toy_study()
    part = samples.select(np.flatnonzero(samples.table["subject"] == "S2"))
    again = samples.by_id(part.ids[::-1])
    assert again.ids.tolist() == part.ids[::-1].tolist()
    assert np.array_equal(again.read("eeg"), part.read("eeg")[::-1])


def test_a_missing_modality_is_a_value_until_it_is_read() -> None:
    samples = toy_study(watched=0.5)
    assert 0 < samples.has("eeg").sum() < len(samples) and samples.has("picture").all()
    with pytest.raises(DataError, match="samples have no eeg"):
        samples.read("eeg")
    assert samples.select(samples.has("eeg")).read("eeg").dtype == np.float32
    assert not samples.has("clip").any() and (samples.rows("clip") == -1).all()


def test_unpaired_corpora_join_and_stores_of_one_name_stay_apart() -> None:
    faces = Samples(provenance(corpus="faces", identity=["a", "b"]), {})
    brains = Samples(provenance(corpus="brains", subject=["a", "b"]), {}).with_modality("eeg", "x", _signal(2), [1, 0])
    others = Samples(provenance(corpus="others", subject=["a"]), {}).with_modality("eeg", "x", _signal(3), [2])
    both = concat([faces, brains, others])
    assert both.ids.tolist() == [0, 1, 2, 3, 4]
    assert both.has("eeg").tolist() == [False, False, True, True, True]
    assert both.units("subject").tolist() == [None, None, "brains/a", "brains/b", "others/a"]
    last = both.select(both.has("eeg")).read("eeg")
    assert np.array_equal(last, np.concatenate([_signal(2).values[[1, 0]], _signal(3).values[[2]]]))


def test_stores_of_different_form_are_not_stacked() -> None:
    other = SIGNAL.model_copy(update={"channels": ("Pz", "Cz")})
    one = Samples(provenance(corpus="a", subject=["s"]), {}).with_modality("eeg", "x", _signal(1), [0])
    two = Samples(provenance(corpus="b", subject=["s"]), {}).with_modality("eeg", "y", _signal(1, other), [0])
    with pytest.raises(DataError, match="differs in channels, rate or units"):
        concat([one, two]).read("eeg")


def test_units_combine_and_persons_join_two_names() -> None:
    table = provenance(corpus="c", subject=["p1", None], session=["1", None], identity=[None, "p1"])
    samples = Samples(table, {}, one_person=["c"])
    assert samples.units("subject+session").tolist() == ["c/p1/1", None]
    assert samples.units("person").tolist() == ["c/p1", "c/p1"]
    with pytest.raises(DataError, match="no unit named 'window'"):
        samples.units("window")


def test_saved_samples_come_back_lazily_and_identical(tmp_path: Path) -> None:
    samples = toy_study(watched=0.7)
    samples.save(tmp_path / "s")
    again = Samples.open(tmp_path / "s")
    pd.testing.assert_frame_equal(again.table, samples.table)
    assert again.fingerprint() == samples.fingerprint()
    store = again.stores["pictures"]
    assert isinstance(store, ArrayStore) and isinstance(store.values, np.memmap)
    with pytest.raises(DataError, match="no samples here"):
        Samples.open(tmp_path)


def test_fingerprint_sees_labels_pointers_and_content() -> None:
    samples = toy_study()
    relabelled = samples.with_columns(emotion="neutral")
    store = samples.stores["pictures"]
    assert isinstance(store, ArrayStore)
    moved = samples.with_modality("picture", "pictures", store, samples.rows("picture")[::-1])
    brighter = Samples(samples.table, {**samples.stores, "pictures": ArrayStore(store.values + 1, store.description)})
    assert len({each.fingerprint() for each in (samples, relabelled, moved, brighter)}) == 4


def test_ragged_rows_keep_their_clock_and_mask(tmp_path: Path) -> None:
    form = Description(kind="track", axes=("time", "dimension"), channels=(), units="valence")
    mask = np.array([True, False, True, True, True])
    store = RaggedStore(np.arange(10.0).reshape(5, 2), np.array([0, 2, 5]), np.arange(5) / 4, mask, form)
    store.save(tmp_path / "track")
    again = open_store(tmp_path / "track")
    assert isinstance(again, RaggedStore) and [len(row) for row in again.read(np.array([1, 0]))] == [3, 2]
    times, present = again.read_clock(np.array([0]))[0]
    assert times.tolist() == [0, 0.25] and present.tolist() == [True, False]
    samples = Samples(provenance(corpus="c", subject=["s"]), {}).with_modality("track", "t", store, [0])
    with pytest.raises(DataError, match="different lengths cannot be stacked"):
        samples.read("track")


def test_wrong_shapes_names_and_rows_are_one_line() -> None:
    with pytest.raises(DataError, match="2 channel names do not fit"):
        ArrayStore(np.zeros((1, 3, 5), np.float32), SIGNAL)
    with pytest.raises(DataError, match="rows have 1 axes"):
        ArrayStore(np.zeros((1, 3), np.float32), SIGNAL)
    with pytest.raises(DataError, match="row 5 is beyond the 2 rows"):
        Samples(provenance(corpus="c", subject=["s"]), {}).with_modality("eeg", "x", _signal(2), [5])


def test_predictions_collapse_to_the_mean_of_a_unit() -> None:
    predictions = Predictions.of(["a", "b"], np.array([[0.9, 0.1], [0.5, 0.5], [0.2, 0.8]]), index=[3, 4, 5])
    units = predictions.collapse(np.array(["x", "x", "y"]))
    assert units.probabilities.tolist() == [[0.7, 0.3], [0.2, 0.8]]
    assert units.labels.to_dict() == {"x": "a", "y": "b"}
