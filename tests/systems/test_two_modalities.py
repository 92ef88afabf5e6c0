"""Which cells of a row can be used, and what is said of the others."""

from __future__ import annotations

import numpy as np
import pytest

from insula.errors import DataError
from insula.samples import ArrayStore, Description, Samples, provenance
from insula.systems import two_modalities
from insula.systems.two_modalities import Cells, modes_used, read_cells, without_late

SIGNAL = Description(kind="signal", axes=("channel", "time"), rate=4, channels=("Fz", "Cz", "Pz"), units="uV")
RNG = np.random.default_rng(0)


def windows(values: np.ndarray, rows: list[int], form: Description = SIGNAL) -> Samples:
    samples = Samples(provenance(len(rows), corpus="test"), {})
    return samples.with_modality("eeg", "eeg", ArrayStore(values, form), rows)


def test_what_is_missing_or_not_finite_is_said_and_the_rest_is_as_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(two_modalities, "_ROWS", 2)  # several batches
    values = RNG.standard_normal((5, 3, 8)).astype(np.float32)
    values[1, 2, 3], values[3, 0, 0] = np.nan, -np.inf
    cells = read_cells(windows(values, [4, 3, -1, 2, 1, 0]), "eeg", "EEG")
    assert cells.reasons.tolist() == ["", "EEG not finite", "no EEG", "", "EEG not finite", ""]
    assert cells.usable.tolist() == [True, False, False, True, False, True]
    assert np.array_equal(cells.values[cells.usable], values[[4, 2, 0]])
    assert not cells.values[~cells.usable].any()


def test_what_is_kept_is_what_describes_a_batch() -> None:
    values = RNG.standard_normal((4, 3, 8)).astype(np.float32)
    values[2] = 1e30  # of which the power is beyond a float
    cells = read_cells(windows(values, [0, 1, 2, 3]), "eeg", "EEG", describe=lambda rows: (rows**2).sum(axis=2))
    assert cells.reasons.tolist() == ["", "", "EEG not finite", ""]
    assert np.allclose(cells.values[[0, 1, 3]], (values[[0, 1, 3]] ** 2).sum(axis=2))


def test_channels_are_found_by_name() -> None:
    values = RNG.standard_normal((2, 3, 8)).astype(np.float32)
    turned = windows(values[:, ::-1], [0, 1], SIGNAL.model_copy(update={"channels": ("Pz", "Cz", "Fz")}))
    assert np.array_equal(read_cells(turned, "eeg", "EEG", form=SIGNAL).values, values)
    other = windows(values, [0, 1], SIGNAL.model_copy(update={"channels": ("Fz", "Cz", "Oz")}))
    with pytest.raises(DataError, match="no channel Pz"):
        read_cells(other, "eeg", "EEG", form=SIGNAL)


def test_a_modality_that_no_sample_has_is_no_error_and_another_shape_is() -> None:
    values = RNG.standard_normal((2, 3, 8)).astype(np.float32)
    for samples in (windows(values, [-1, -1]), windows(values, [0, 1]).without(["eeg_store", "eeg_row"])):
        cells = read_cells(samples, "eeg", "EEG", form=SIGNAL, shape=(3, 8))
        assert cells.values.shape == (2, 3, 8) and cells.reasons.tolist() == ["no EEG"] * 2
    with pytest.raises(DataError, match=r"\(3, 8\) numbers are not those of the training data, \(3, 9\)"):
        read_cells(windows(values, [0, 1]), "eeg", "EEG", shape=(3, 9))


def cells(*reasons: str) -> Cells:
    return Cells(np.ones((len(reasons), 2), np.float32), np.array(reasons, object))


def test_a_face_is_late_on_either_side_of_its_eeg_and_only_where_there_is_eeg() -> None:
    table = provenance(6, corpus="test").assign(skew=[0.5, -0.6, 2.0, np.nan, np.inf, 3.0])
    eeg, face = cells("", "", "no EEG", "", "", ""), cells("", "", "", "", "", "no face")
    found = without_late(face, eeg, Samples(table, {}), 0.5)
    said = ["", "face 0.6 s from the EEG", "", "", "face inf s from the EEG", "no face"]
    assert found.reasons.tolist() == said
    assert found.values[:, 0].tolist() == [1, 0, 1, 1, 0, 1] and face.values.all()


def test_the_mode_is_what_is_there_of_what_was_asked_for() -> None:
    eeg, face = cells("", "", "no EEG", "EEG not finite"), cells("", "no face", "", "no face")
    both = modes_used(eeg, face)
    assert both[0].tolist() == ["both", "eeg", "face", "none"]
    assert both[1].tolist() == ["", "no face", "no EEG", "EEG not finite; no face"]
    brain = modes_used(eeg, face, "eeg")
    assert brain[0].tolist() == ["eeg", "eeg", "none", "none"]
    assert brain[1].tolist() == ["", "", "no EEG", "EEG not finite"]
    assert modes_used(eeg, face, "face")[0].tolist() == ["face", "none", "face", "none"]


def test_text_for_a_skew_is_one_line() -> None:
    samples = Samples(provenance(2, corpus="demo").assign(skew=["a bit", "0.1"]), {})
    with pytest.raises(DataError, match=r"not all are numbers \(column skew\): give seconds"):
        without_late(cells("", ""), cells("", ""), samples, 0.5)
