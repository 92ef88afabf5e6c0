"""The contract of a system, over every system of the catalogue, on a toy study."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from insula.emotions import Categorical
from insula.errors import InsulaError, SettingsError
from insula.protocols.audit import audit
from insula.protocols.protocol import protocol
from insula.samples import Samples, System
from insula.systems.catalogue import SYSTEMS, system
from toy import CLASSES, toy_study

TASK = Categorical(label="emotion", classes=CLASSES)
FAST = {"bmci": {"encoder": "linear", "trees": 10, "folds": 2, "time_bins": 10, "penalties": (0.01, 1.0)}}
PROTOCOL = protocol("identity-disjoint", folds=4, validation_share=0.2)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def study() -> Samples:
    return toy_study(watched=0.8)


@pytest.fixture(scope="module")
def fitted(study: Samples) -> dict[str, System]:
    found = {}
    for name in SYSTEMS:
        split = PROTOCOL.splits(study, TASK)[0]
        train, validation = study.by_id(split.train), study.by_id(split.validation)
        found[name] = system(name, **FAST.get(name, {})).fit(train, validation, TASK)
    return found


def _test_part(study: Samples) -> Samples:
    return study.by_id(PROTOCOL.splits(study, TASK)[0].test)


@pytest.mark.parametrize("name", SYSTEMS)
def test_predicts_probabilities_for_every_sample_in_every_mode(
    name: str, study: Samples, fitted: dict[str, System]
) -> None:
    hidden = _test_part(study).without(["emotion"])
    for mode in fitted[name].modes:
        said = fitted[name].predict(hidden, mode)
        assert said.classes == CLASSES
        assert said.table.index.tolist() == hidden.ids.tolist()
        assert np.allclose(said.probabilities.sum(axis=1), 1)
        assert ((said.probabilities >= 0) & np.isfinite(said.probabilities)).all()


@pytest.mark.parametrize("name", [name for name in SYSTEMS if name != "majority"])
def test_learns_what_is_there(name: str, study: Samples, fitted: dict[str, System]) -> None:
    test = _test_part(study)
    right = (fitted[name].predict(test.without(["emotion"])).labels == test.table["emotion"]).mean()
    assert right > 0.6, "three classes of bars, a third would be chance"


@pytest.mark.parametrize("name", SYSTEMS)
def test_records_every_fit_and_passes_the_audit(name: str, study: Samples, fitted: dict[str, System]) -> None:
    assert fitted[name].log.fits
    audited = audit(PROTOCOL.splits(study, TASK)[0], study, PROTOCOL, fitted[name].log.fits)
    assert audited.clean


@pytest.mark.parametrize("name", SYSTEMS)
def test_says_the_same_after_saving_and_loading(
    name: str, study: Samples, fitted: dict[str, System], tmp_path: Path
) -> None:
    pictures = _test_part(study).without(["emotion", "eeg_store", "eeg_row"])
    fitted[name].save(tmp_path / "system")
    loaded = type(fitted[name]).load(tmp_path / "system")
    for mode in [mode for mode in loaded.modes if mode not in getattr(loaded, "not_bundled", ())]:
        before, after = fitted[name].predict(pictures, mode), loaded.predict(pictures, mode)
        assert np.allclose(before.probabilities, after.probabilities, atol=1e-6)
    files = [path.suffix for path in (tmp_path / "system").rglob("*") if path.is_file()]
    assert set(files) <= {".skops", ".yaml", ".safetensors"}


@pytest.mark.parametrize("name", SYSTEMS)
def test_same_seed_same_predictions(name: str, study: Samples, fitted: dict[str, System]) -> None:
    split = PROTOCOL.splits(study, TASK)[0]
    again = system(name, **FAST.get(name, {})).fit(study.by_id(split.train), study.by_id(split.validation), TASK)
    hidden = _test_part(study).without(["emotion"])
    assert np.array_equal(again.predict(hidden).probabilities, fitted[name].predict(hidden).probabilities)


@pytest.mark.parametrize("name", SYSTEMS)
def test_test_labels_change_nothing(name: str, study: Samples, fitted: dict[str, System]) -> None:
    test = _test_part(study)
    wrong = test.with_columns(emotion=test.table["emotion"].to_numpy()[::-1])
    assert np.array_equal(fitted[name].predict(wrong).probabilities, fitted[name].predict(test).probabilities)


@pytest.mark.parametrize("name", SYSTEMS)
def test_placebos_are_unfitted_twins(name: str) -> None:
    whole = system(name, **FAST.get(name, {}))
    for placebo in whole.placebos:
        twin = whole.placebo(placebo)
        assert type(twin) is type(whole) and not twin.log.fits and twin.settings != whole.settings
    with pytest.raises(SettingsError, match="unknown placebo"):
        whole.placebo("sugar")


def test_a_group_of_settings_keeps_what_a_change_does_not_name() -> None:
    paper = system("bmci", "paper", training={"device": "auto"}).settings.model_dump()
    assert paper["training"]["epochs"] == 100 and paper["training"]["device"] == "auto"


def test_unknown_names_are_one_line() -> None:
    with pytest.raises(SettingsError, match=r"unknown system 'bmic': systems are bmci"):
        system("bmic")
    with pytest.raises(SettingsError, match=r"unknown key 'tree' \(system bmci\): known keys are"):
        system("bmci", tree=3)
    with pytest.raises(SettingsError, match="unknown preset"):
        system("bmci", preset="huge")


@pytest.mark.parametrize("name", SYSTEMS)
def test_training_without_a_label_is_refused_in_one_line(name: str, study: Samples) -> None:
    unlabelled = study.with_columns(emotion=None)
    with pytest.raises(InsulaError) as caught:
        system(name, **FAST.get(name, {})).fit(unlabelled, unlabelled, TASK)
    assert "\n" not in str(caught.value)
