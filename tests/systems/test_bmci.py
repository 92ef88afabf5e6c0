"""BMCI: cross-fitting, placebos, partly paired data, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import r2_score

from insula.emotions import Categorical
from insula.errors import BundleError, DataError
from insula.samples import ArrayStore, Description
from insula.systems.bmci.brain import BrainCode, Epochs, bin_epochs, brain_code
from insula.systems.bmci.classification import BlockClassifier
from insula.systems.bmci.regression import out_of_fold
from insula.systems.bmci.settings import PRESETS, BMCISettings
from insula.systems.bmci.space import visual_space
from insula.systems.bmci.system import BMCI
from insula.systems.pictures import unique_pictures
from insula.training.settings import Training
from toy import CLASSES, toy_parts, toy_study

TASK = Categorical(label="emotion", classes=CLASSES)
LINEAR = BMCISettings(encoder="linear", trees=20, folds=3, time_bins=10, penalties=(0.01, 1.0))
GRU = LINEAR.model_copy(update={"encoder": "gru", "training": Training(epochs=12, patience=4, batch_size=16)})

pytestmark = pytest.mark.slow


def _epochs(strength: float, n: int = 90, seed: int = 0) -> Epochs:
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    patterns = rng.standard_normal((3, 6, 1))
    values = rng.standard_normal((n, 6, 40)) + strength * patterns[labels]
    return Epochs(values.astype(np.float32), labels, np.array([f"g{i // 3}" for i in range(n)]))


@pytest.fixture(scope="module")
def gru_codes() -> tuple[BrainCode, BrainCode]:
    return tuple(brain_code(_epochs(s), None, 3, GRU, "S1") for s in (1.5, 0.0))  # type: ignore[return-value]


def _knows_the_label(code: np.ndarray, labels: np.ndarray) -> float:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_score

    return float(cross_val_score(LogisticRegression(), code, labels, cv=5).mean())


def test_cross_fitted_embeddings_carry_the_signal_and_only_the_signal(gru_codes: tuple[BrainCode, BrainCode]) -> None:
    real, noise = gru_codes
    labels = _epochs(1.5).labels
    assert real.targets.shape == (90, 128)
    assert _knows_the_label(real.targets, labels) > 0.8
    assert _knows_the_label(noise.targets, labels) < 0.55, "out-of-fold embeddings of noise must not be the label"


def test_fold_encoders_are_rotated_into_one_space(gru_codes: tuple[BrainCode, BrainCode]) -> None:
    assert gru_codes[0].alignment > 0.7


def test_linear_encoder_agrees_with_the_recurrent_one_on_what_is_decodable(
    gru_codes: tuple[BrainCode, BrainCode],
) -> None:
    linear = brain_code(_epochs(1.5), None, 3, LINEAR, "S1")
    labels = _epochs(1.5).labels
    assert abs(_knows_the_label(linear.targets, labels) - _knows_the_label(gru_codes[0].targets, labels)) < 0.15


def test_binning_is_a_mean_and_refuses_too_short_epochs() -> None:
    epochs = np.arange(24.0).reshape(1, 2, 12)
    assert np.array_equal(bin_epochs(epochs, 4)[0, 0], [1, 4, 7, 10])
    assert bin_epochs(epochs, None) is epochs
    with pytest.raises(DataError, match="12 samples cannot fill 25 time bins"):
        bin_epochs(epochs, 25)


def test_out_of_fold_virtual_eeg_finds_nothing_in_noise_and_r2_is_sklearns() -> None:
    rng = np.random.default_rng(0)
    features, targets = rng.standard_normal((80, 10)), rng.standard_normal((80, 20)).astype(np.float32)
    virtual, kind, scores = out_of_fold(features, targets, np.arange(80), LINEAR)
    assert scores[kind]["uniform"] < 0.05, "nothing to learn from noise"
    assert scores[kind]["uniform"] == pytest.approx(r2_score(targets, virtual))


def test_the_regressor_is_the_one_that_generalises_better() -> None:
    rng = np.random.default_rng(0)
    features = rng.standard_normal((120, 10))
    linear = (features @ rng.standard_normal((10, 20))).astype(np.float32)
    stepped = np.sign(features[:, :1] * features[:, 1:2]).astype(np.float32) * np.ones(20, np.float32)
    assert out_of_fold(features, linear, np.arange(120), LINEAR)[1] == "ridge"
    assert out_of_fold(features, stepped, np.arange(120), LINEAR)[1] == "forest"


def test_visual_space_loses_nothing_on_training_pictures() -> None:
    rng = np.random.default_rng(0)
    features = rng.standard_normal((30, 200))
    rotated = visual_space(features).transform(features)
    standard = (features - features.mean(axis=0)) / features.std(axis=0)
    assert np.allclose(rotated @ rotated.T, standard @ standard.T, atol=1e-6)


def test_classifier_gives_absent_classes_no_probability() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 2], 20)
    block = rng.standard_normal((40, 4)) + labels[:, None]
    said = BlockClassifier([block], labels, np.arange(40), LINEAR).predict_proba([block], 3)
    assert said.shape == (40, 3) and (said[:, 1] == 0).all() and np.allclose(said.sum(axis=1), 1)


def test_pictures_without_eeg_and_subjects_who_saw_a_part_are_used() -> None:
    train, validation, test = toy_parts(toy_study(watched=0.5))
    fitted = BMCI(LINEAR).fit(train, validation, TASK)
    assert fitted.bank.names == ("toy/S1", "toy/S2")
    assert sum(fitted.bank.weights.values()) == pytest.approx(1)
    assert {fact["pictures"] for fact in fitted.facts["subjects"].values()} < set(range(10, 40))
    said = fitted.predict(test.without(["emotion"]), "real")
    assert set(said.table["mode"]) == {"real", "fusion"}, "a picture nobody watched falls back and says so"


def test_one_picture_seen_by_several_people_gets_one_answer() -> None:
    train, validation, test = toy_parts(toy_study())
    said = BMCI(LINEAR).fit(train, validation, TASK).predict(test.without(["emotion"]))
    spread = said.table["p_anger"].groupby(test.table["stimulus"]).nunique()
    assert (spread == 1).all()
    unique, place = unique_pictures(test)
    assert len(unique) == test.table["stimulus"].nunique()
    assert (unique.table["stimulus"].to_numpy()[place] == test.table["stimulus"].to_numpy()).all()


def test_shuffling_the_eeg_removes_what_the_brain_taught() -> None:
    train, validation, _ = toy_parts(toy_study(pictures=90, strength=3.0))
    whole = BMCI(LINEAR).fit(train, validation, TASK)
    shuffled = BMCI(LINEAR).placebo("shuffled").fit(train, validation, TASK)
    for name, fact in whole.facts["subjects"].items():
        assert fact["r2"]["uniform"] > shuffled.facts["subjects"][name]["r2"]["uniform"] + 0.1


def test_virtual_eeg_is_named_and_shaped_for_what_it_is() -> None:
    train, validation, test = toy_parts(toy_study())
    virtual = BMCI(LINEAR).fit(train, validation, TASK).virtual_eeg(test)
    assert set(virtual) == {"toy/S1", "toy/S2"} and all(len(values) == len(test) for values in virtual.values())


def test_a_strange_picture_is_further_out_than_the_test_pictures() -> None:
    train, validation, test = toy_parts(toy_study())
    fitted = BMCI(LINEAR).fit(train, validation, TASK)
    usual = fitted.predict(test).table["out_of_distribution"].median()
    edges = np.zeros((1, 48, 48, 3), np.uint8)
    edges[:, ::12, :] = edges[:, :, ::7] = 255
    form = Description(kind="picture", axes=("row", "column", "colour"))
    strange = test.select([0]).with_modality("picture", "strange", ArrayStore(edges, form), [0])
    assert fitted.predict(strange).table["out_of_distribution"].iloc[0] > max(1, 1.2 * usual)


def test_a_subject_with_one_class_is_named() -> None:
    train, validation, _ = toy_parts(toy_study())
    keep = (train.table["subject"] == "S1") | (train.table["emotion"] == "anger")
    with pytest.raises(DataError, match=r"the subject has one class only \(toy/S2\)"):
        BMCI(LINEAR).fit(train.select(np.flatnonzero(keep)), validation, TASK)


def test_training_without_eeg_and_with_one_class_is_refused() -> None:
    train, validation, _ = toy_parts(toy_study())
    with pytest.raises(DataError, match="no training picture has EEG"):
        BMCI(LINEAR).fit(train.without(["eeg_store", "eeg_row"]), validation, TASK)
    angry = train.select(np.flatnonzero(train.table["emotion"] == "anger"))
    with pytest.raises(DataError, match="one class only"):
        BMCI(LINEAR).fit(angry, validation, TASK)


def test_a_bundle_does_not_pretend_to_read_eeg(tmp_path) -> None:  # type: ignore[no-untyped-def]
    train, validation, test = toy_parts(toy_study())
    BMCI(LINEAR).fit(train, validation, TASK).save(tmp_path / "system")
    with pytest.raises(BundleError, match="no EEG encoder here"):
        BMCI.load(tmp_path / "system").predict(test, "real")


def test_presets_build_and_paper_has_the_sizes_of_the_source() -> None:
    paper = BMCISettings(**PRESETS["paper"])
    assert (paper.backbone, paper.trees, paper.time_bins, paper.subjects) == ("resnet50", 500, None, None)
    quick = BMCISettings()
    assert quick.time_bins == 25 and quick.training.epochs <= 20 and quick.subjects == 3 and quick.trees == 100
