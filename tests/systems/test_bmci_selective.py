"""BMCI knows when not to answer: calibrated answers, sets, fall-back to the picture alone, and words for a refusal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from insula.emotions import Categorical
from insula.samples import ArrayStore, Description, Samples
from insula.samples.predictions import split_sets
from insula.systems.bmci.settings import BMCISettings
from insula.systems.bmci.system import BMCI
from toy import CLASSES, toy_study

TASK = Categorical(label="emotion", classes=CLASSES)
SETTINGS = BMCISettings(encoder="linear", trees=10, folds=2, time_bins=10, penalties=(0.01, 1.0))

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def parts() -> list[Samples]:
    study = toy_study(pictures=120, noise=0.9)
    number = study.table["identity"].str[-2:].astype(int).to_numpy()
    return [study.select(np.flatnonzero(part)) for part in (number >= 20, (number >= 12) & (number < 20), number < 12)]


@pytest.fixture(scope="module")
def fitted(parts: list[Samples]) -> BMCI:
    return BMCI(SETTINGS).fit(parts[0], parts[1], TASK)


def showing(sample: Samples, picture: np.ndarray) -> Samples:
    form = Description(kind="picture", axes=("row", "column", "colour"))
    return sample.select([0]).with_modality("picture", "shown", ArrayStore(picture[None], form), [0])


def edges() -> np.ndarray:
    picture = np.zeros((48, 48, 3), np.uint8)
    picture[::12] = picture[:, ::7] = 255
    return picture


def test_calibration_changes_how_sure_it_is_and_no_answer(fitted: BMCI, parts: list[Samples], tmp_path: Path) -> None:
    fitted.save(tmp_path / "system")
    raw = BMCI.load(tmp_path / "system")
    raw.selective.forget("fusion", "visual", "virtual")
    for mode in ("fusion", "visual", "virtual"):
        before, after = raw.predict(parts[2], mode), fitted.predict(parts[2], mode)
        assert (before.labels == after.labels).all()
        temperature = fitted.facts["temperature"][mode]
        powers = after.probabilities**temperature
        assert np.allclose(powers / powers.sum(axis=1, keepdims=True), before.probabilities, atol=1e-6)
        assert "set" not in before.table, "nothing is promised without calibration"


@pytest.mark.parametrize("mode", ["fusion", "visual", "virtual"])
def test_one_picture_has_one_set_that_holds_the_answer(fitted: BMCI, parts: list[Samples], mode: str) -> None:
    said = fitted.predict(parts[2], mode)
    assert said.table["set"].groupby(parts[2].table["stimulus"].to_numpy()).nunique().eq(1).all()
    admitted = split_sets(said.table["set"], CLASSES)
    assert admitted[np.arange(len(said)), said.probabilities.argmax(axis=1)].all()
    assert (said.table["set_coverage"] == SETTINGS.coverage).all()


def test_a_higher_promise_gives_larger_sets(parts: list[Samples], fitted: BMCI) -> None:
    sure = BMCI(SETTINGS.model_copy(update={"coverage": 0.6})).fit(parts[0], parts[1], TASK)
    size = [split_sets(one.predict(parts[2]).table["set"], CLASSES).sum() for one in (sure, fitted)]
    assert size[0] < size[1]


def test_sets_and_strangeness_survive_saving(fitted: BMCI, parts: list[Samples], tmp_path: Path) -> None:
    """A score is computed in double and told in float32, so that it is the same within float32's own rounding."""
    fitted.save(tmp_path / "system")
    before, after = (one.predict(parts[2]).table for one in (fitted, BMCI.load(tmp_path / "system")))
    assert before["set"].tolist() == after["set"].tolist()
    columns = [table["out_of_distribution"].to_numpy() for table in (before, after)]
    np.testing.assert_allclose(*columns, rtol=2 * np.finfo(np.float32).eps, atol=1e-7)


def test_a_strange_picture_is_answered_without_virtual_eeg_and_says_why_it_should_not_be_used(
    fitted: BMCI, parts: list[Samples]
) -> None:
    shown = showing(parts[2], edges())
    said = fitted.predict(shown).table.iloc[0]
    assert said["mode"] == "visual" and np.isnan(said["epistemic"])
    assert said["reason"].startswith("this picture is unlike the training pictures: strangeness ")
    assert fitted.predict(shown).labels.iloc[0] == fitted.predict(shown, "visual").labels.iloc[0]
    usual = fitted.predict(parts[2]).table
    assert (usual["mode"] == "fusion").mean() > 0.8 and (usual["reason"] == "").mean() > 0.9


def test_a_limit_out_of_reach_refuses_nothing(parts: list[Samples]) -> None:
    trusting = BMCI(SETTINGS.model_copy(update={"refuse_above": 1e6, "silent_above": 1e6}))
    said = trusting.fit(parts[0], parts[1], TASK).predict(showing(parts[2], edges())).table.iloc[0]
    assert said["mode"] == "fusion" and said["reason"] == ""


def test_a_negative_of_a_training_picture_is_strange() -> None:
    """Gradients alone are the same for both."""
    study = toy_study(pictures=90)
    values = study.read("picture").copy()
    values[:, :12] = 250  # bright above in every picture, as a forehead is
    form = Description(kind="picture", axes=("row", "column", "colour"))
    study = study.with_modality("picture", "pictures", ArrayStore(values, form), range(len(study)))
    fitted = BMCI(SETTINGS).fit(study, study.select([]), TASK)
    assert fitted.predict(showing(study, 255 - values[0])).table["out_of_distribution"].iloc[0] > 1.5
    assert fitted.predict(study.select([0])).table["out_of_distribution"].iloc[0] < 1


def test_without_validation_nothing_is_tempered_and_every_class_may_be_right(parts: list[Samples]) -> None:
    bare = BMCI(SETTINGS).fit(parts[0], parts[1].select([]), TASK)
    said = bare.predict(parts[2]).table
    assert set(bare.facts["temperature"].values()) == {1.0}
    assert set(said["set"]) == {" ".join(CLASSES)}


def test_validation_is_recorded_as_selection(fitted: BMCI, parts: list[Samples]) -> None:
    (step,) = [fit for fit in fitted.log.fits if fit.step == "temperatures and sets"]
    assert step.use == "selection" and set(step.ids) <= set(parts[1].ids)


def test_a_bank_that_changed_is_calibrated_again_or_promises_nothing(parts: list[Samples], tmp_path: Path) -> None:
    whole = BMCI(SETTINGS).fit(parts[0], parts[1], TASK)
    whole.save(tmp_path / "system")
    loaded = BMCI.load(tmp_path / "system").remove_subject("toy/S1")
    assert "set" not in loaded.predict(parts[2]).table and "set" in loaded.predict(parts[2], "visual").table
    before = whole.facts["temperature"]
    whole.remove_subject("toy/S1")
    assert "set" in whole.predict(parts[2]).table
    after = whole.facts["temperature"]
    assert after["virtual"] != before["virtual"] and after["visual"] == before["visual"]
