"""Decoding over time: chance before the picture, more after it, and nothing from people seen in training."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multivariate_normal
from sklearn.covariance import oas
from sklearn.preprocessing import StandardScaler

from insula.emotions import Categorical
from insula.evaluation.decoding import decoding_over_time, discriminate
from insula.samples import ArrayStore, Description, Samples, provenance

CLASSES = ("anger", "happiness", "neutral")
TASK = Categorical(label="emotion", classes=CLASSES)
FORM = Description(
    kind="signal", axes=("channel", "time"), rate=100, channels=("Fz", "Cz", "Pz", "Oz"), units="uV", start=-0.2
)


def _study(of_class: float, of_person: float, *, form: Description = FORM, people: int = 30) -> Samples:
    """Return 150 epochs each of two subjects, -0.2 to 0.3 s; each person shows one class, and patterns begin at 0."""
    rng = np.random.default_rng(0)
    tables, stores = [], {}
    for subject in ("S1", "S2"):
        person = np.repeat(np.arange(people), 150 // people)
        epochs = rng.standard_normal((150, 4, 50))
        after = np.arange(50) >= 20
        epochs += of_class * rng.standard_normal((3, 4))[person % 3][:, :, None] * after
        epochs += of_person * rng.standard_normal((people, 4))[person][:, :, None] * after
        stores[subject] = ArrayStore(epochs.astype(np.float32), form)
        table = provenance(
            corpus="toy", subject=subject, session="1", trial=[f"{n}" for n in range(150)],
            stimulus=[f"p{n}" for n in range(150)], identity=[f"i{n}" for n in person],
        )  # fmt: skip
        tables.append(table.assign(emotion=np.array(CLASSES, object)[person % 3]))
    samples = Samples(pd.concat(tables, ignore_index=True), stores)
    for place, subject in enumerate(stores):
        rows = np.r_[np.full(150 * place, -1), np.arange(150), np.full(150 * (1 - place), -1)]
        samples = samples.with_modality("eeg", subject, stores[subject], rows)
    return samples


def test_decoding_is_at_chance_before_the_picture_and_above_it_after() -> None:
    found = decoding_over_time(_study(of_class=1.5, of_person=0.0), TASK)
    assert found is not None and list(found["subject"].unique()) == ["toy/S1", "toy/S2"]
    before, after = found[found["time"] < 0], found[found["time"] > 0]
    assert len(before) == 20 and len(after) == 30
    assert (before["accuracy"] <= before["threshold"]).all()
    assert (after["accuracy"] > after["threshold"]).all()
    assert set(found["n"]) == {150} and found["chance"].iloc[0] == pytest.approx(1 / 3)


def test_what_tells_a_person_apart_tells_no_class_of_others() -> None:
    found = decoding_over_time(_study(of_class=0.0, of_person=3.0), TASK)
    assert found is not None
    assert found["accuracy"].mean() == pytest.approx(1 / 3, abs=0.05)
    assert (found["accuracy"] <= found["threshold"]).all()


def test_the_analysis_of_a_bin_is_that_of_gaussians_with_one_shrunk_covariance() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 60)
    labels[0] = 3  # a class of one
    train, test = rng.standard_normal((5, 60, 8)), rng.standard_normal((5, 40, 8))
    train[:, :, 0] += 20 * labels
    found = discriminate(train, labels, test)
    for bin, given, asked in zip(found, train, test, strict=True):
        scaler = StandardScaler().fit(given)
        given, asked = scaler.transform(given), scaler.transform(asked)
        means = {label: given[labels == label].mean(axis=0) for label in range(4)}
        covariance, _ = oas(given - np.array([means[label] for label in labels]), assume_centered=True)
        scores = [
            multivariate_normal(means[label], covariance).logpdf(asked) + np.log((labels == label).mean())
            for label in range(4)
        ]
        assert (bin == np.argmax(scores, axis=0)).all()


def test_labels_are_the_trainings_alone_and_unlabelled_epochs_are_left_out() -> None:
    samples = _study(of_class=1.5, of_person=0.0)
    few = samples.with_columns(emotion=samples.table["emotion"].where(samples.table["subject"] == "S1"))
    found = decoding_over_time(few, TASK)
    assert found is not None and set(found["subject"]) == {"toy/S1"}


def test_nothing_is_decoded_where_nothing_can_be() -> None:
    windows = FORM.model_copy(update={"start": None})
    assert decoding_over_time(_study(1.5, 0.0, form=windows), TASK) is None
    one = _study(1.5, 0.0)
    assert decoding_over_time(one.select(one.table["emotion"].to_numpy() == "anger"), TASK) is None
    assert decoding_over_time(one.with_columns(identity="i0"), TASK) is None
    assert decoding_over_time(one.without(["eeg_store", "eeg_row"]), TASK) is None
