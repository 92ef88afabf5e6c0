"""The contract of a system, over every system of the catalogue, on a toy study."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from insula.emotions import Categorical
from insula.errors import BundleError, InsulaError, SettingsError
from insula.protocols.audit import audit
from insula.protocols.protocol import Protocol, protocol
from insula.protocols.split import Split
from insula.samples import Samples
from insula.systems.base import System
from insula.systems.catalogue import system, system_class, systems
from toy import CLASSES, toy_pairs, toy_study, toy_styles, toy_unpaired, toy_windows

TASK = Categorical(label="emotion", classes=CLASSES)
PEERS = ("fer", "onnx-file", "py-feat")  # they learn nothing: tests/systems/test_peers.py
SYSTEMS = [name for name in systems() if name not in PEERS]
GUESSING = ("majority", "stratified")
READS_EEG = [name for name in SYSTEMS if "picture" not in system(name).predicts_from and name not in GUESSING]
READS_BOTH = ("feature-fusion", "late-fusion", "cafnet", "ucmc")

pytestmark = pytest.mark.slow


def tiny(name: str, **settings: Any) -> System:
    """Return the unfitted system as its preset `tiny` has it, where there is one."""
    return system(name, "tiny" if "tiny" in system_class(name).presets else None, **settings)


def each_of(names: list[str]) -> pytest.MarkDecorator:
    """Ask a test of each system; all that is asked of one system is asked in a row, so that one process fits it."""
    return pytest.mark.parametrize("name", names, scope="module")


class Given(NamedTuple):
    """A study and one split of it."""

    study: Samples
    protocol: Protocol
    split: Split

    @property
    def test(self) -> Samples:
        return self.study.by_id(self.split.test)

    def fit(self, name: str) -> System:
        train, validation = self.study.by_id(self.split.train), self.study.by_id(self.split.validation)
        return tiny(name).fit(train, validation, TASK)


def _given(study: Samples, name: str, **changes: Any) -> Given:
    chosen = protocol(name, **{"folds": 4, "validation_share": 0.2, **changes})
    return Given(study, chosen, chosen.splits(study, TASK)[0])


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what systems cache by themselves out of the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INSULA_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def studies() -> dict[str, Given]:
    pictures = _given(toy_study(watched=0.8), "identity-disjoint")
    windows = _given(toy_windows(), "trial-disjoint")
    pairs = _given(toy_pairs(), "trial-disjoint")
    unlike = {"neurogaze": toy_unpaired(), "crpn-style": toy_styles()}
    own = {name: _given(study, "identity-disjoint") for name, study in unlike.items()} | dict.fromkeys(
        READS_BOTH, pairs
    )
    return {name: own.get(name, windows if name in READS_EEG else pictures) for name in SYSTEMS}


class _Fitted(dict[str, System]):
    """Fits a system when it is first asked for."""

    def __init__(self, studies: dict[str, Given]) -> None:
        super().__init__()
        self.studies = studies

    def __missing__(self, name: str) -> System:
        self[name] = self.studies[name].fit(name)
        return self[name]


@pytest.fixture(scope="module")
def fitted(studies: dict[str, Given]) -> dict[str, System]:
    return _Fitted(studies)


@each_of(SYSTEMS)
def test_predicts_probabilities_for_every_sample_in_every_mode(
    name: str, studies: dict[str, Given], fitted: dict[str, System]
) -> None:
    hidden = studies[name].test.without(["emotion"])
    for mode in fitted[name].modes:
        said = fitted[name].predict(hidden, mode)
        assert said.classes == CLASSES
        assert said.table.index.tolist() == hidden.ids.tolist()
        assert np.allclose(said.probabilities.sum(axis=1), 1)
        assert ((said.probabilities >= 0) & np.isfinite(said.probabilities)).all()


@each_of([name for name in SYSTEMS if name not in GUESSING])
def test_learns_what_is_there(name: str, studies: dict[str, Given], fitted: dict[str, System]) -> None:
    test = studies[name].test
    right = (fitted[name].predict(test.without(["emotion"])).labels == test.table["emotion"]).mean()
    assert right > 0.6, "three classes, a third would be chance"


@each_of(SYSTEMS)
def test_records_every_fit_and_passes_the_audit(
    name: str, studies: dict[str, Given], fitted: dict[str, System]
) -> None:
    assert fitted[name].log.fits
    given = studies[name]
    assert audit(given.split, given.study, given.protocol, fitted[name].log.fits).clean


@each_of(SYSTEMS)
def test_says_the_same_after_saving_and_loading(
    name: str, studies: dict[str, Given], fitted: dict[str, System], tmp_path: Path
) -> None:
    unread = [] if name in READS_EEG else ["eeg_store", "eeg_row"]
    inputs = studies[name].test.without(["emotion", *unread])
    fitted[name].save(tmp_path / "system")
    loaded = type(fitted[name]).load(tmp_path / "system")
    for mode in [mode for mode in loaded.modes if mode not in loaded.not_bundled]:
        before, after = fitted[name].predict(inputs, mode), loaded.predict(inputs, mode)
        assert np.allclose(before.probabilities, after.probabilities, atol=1e-6)
    files = [path.suffix for path in (tmp_path / "system").rglob("*") if path.is_file()]
    assert set(files) <= {".yaml", ".safetensors"}


@each_of(SYSTEMS)
def test_same_seed_same_predictions(name: str, studies: dict[str, Given], fitted: dict[str, System]) -> None:
    hidden = studies[name].test.without(["emotion"])
    again = studies[name].fit(name)
    assert np.array_equal(again.predict(hidden).probabilities, fitted[name].predict(hidden).probabilities)


@each_of(SYSTEMS)
def test_test_labels_change_nothing(name: str, studies: dict[str, Given], fitted: dict[str, System]) -> None:
    test = studies[name].test
    wrong = test.with_columns(emotion=test.table["emotion"].to_numpy()[::-1])
    assert np.array_equal(fitted[name].predict(wrong).probabilities, fitted[name].predict(test).probabilities)


PROTOCOLS_OF_EEG: dict[str, dict[str, Any]] = {
    "random": {"as_published": True}, "stratified": {}, "trial-disjoint": {}, "session-disjoint": {"folds": 2},
    "subject-disjoint": {}, "stimulus-disjoint": {"folds": 3}, "person-disjoint": {},
    "subject-and-stimulus-disjoint": {"folds": 2},
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "rule"),
    [*((name, "subject-disjoint") for name in READS_EEG), *(("tangent-space", rule) for rule in PROTOCOLS_OF_EEG)],
)
def test_every_system_on_eeg_and_every_protocol_go_together(name: str, rule: str) -> None:
    brief = {"training": {"epochs": 1}} if "training" in system_class(name).Settings.model_fields else {}
    shared = _given(toy_windows(windows=3), rule, validation_share=0, **PROTOCOLS_OF_EEG[rule])
    fitted = tiny(name, **brief).fit(
        shared.study.by_id(shared.split.train), shared.study.by_id(shared.split.validation), TASK
    )
    assert np.isfinite(fitted.predict(shared.test.without(["emotion"])).probabilities).all()
    if shared.protocol.disjoint:
        assert audit(shared.split, shared.study, shared.protocol, fitted.log.fits).clean


@each_of(SYSTEMS)
def test_placebos_are_unfitted_twins(name: str) -> None:
    whole = tiny(name)
    for placebo in whole.placebos:
        twin = whole.placebo(placebo)
        assert type(twin) is type(whole) and not twin.log.fits and twin.settings != whole.settings
    with pytest.raises(SettingsError, match="unknown placebo"):
        whole.placebo("sugar")


@each_of(SYSTEMS)
def test_beginning_with_a_saved_system_is_done_or_refused(
    name: str, studies: dict[str, Given], fitted: dict[str, System], tmp_path: Path
) -> None:
    given = studies[name]
    train, validation = given.study.by_id(given.split.train), given.study.by_id(given.split.validation)
    if not fitted[name].warm_start:
        with pytest.raises(SettingsError, match=r"begins with nothing saved \(start_from\): leave start_from out"):
            tiny(name).fit(train, validation, TASK, start_from=tmp_path)
        return
    with pytest.raises(BundleError, match="no system was saved here"):
        tiny(name).fit(train, validation, TASK, start_from=tmp_path / "nowhere")
    fitted[name].save(tmp_path)
    frozen = {"epochs": 1, "learning_rate": 1e-12}
    again = tiny(name, training=frozen, **({"teacher": {"training": frozen}} if name == "ucmc" else {}))
    again.fit(train, validation, TASK, start_from=tmp_path)
    hidden = given.test.without(["emotion"])
    before, after = fitted[name].predict(hidden).probabilities, again.predict(hidden).probabilities
    assert np.abs(before - after).max() < 0.05 < np.abs(before - 1 / 3).max()


def test_what_another_system_saved_is_refused(fitted: dict[str, System], tmp_path: Path) -> None:
    fitted["linear"].save(tmp_path)
    with pytest.raises(BundleError, match=r"this is no saved EEGNet, but a Linear .*: give a folder"):
        type(system("eegnet")).load(tmp_path)
    (tmp_path / "system.yaml").write_text("[1, 2]")
    with pytest.raises(BundleError, match="this is no saved Linear"):
        type(system("linear")).load(tmp_path)


@each_of(SYSTEMS)
def test_nothing_is_predicted_before_a_fit(name: str, studies: dict[str, Given]) -> None:
    with pytest.raises(SettingsError, match="has learnt nothing"):
        tiny(name).predict(studies[name].test)


def test_a_group_of_settings_keeps_what_a_change_does_not_name() -> None:
    paper = system("bmci", "paper", training={"device": "auto"}).settings.model_dump()
    assert paper["training"]["epochs"] == 100 and paper["training"]["device"] == "auto"


def test_unknown_names_are_one_line() -> None:
    with pytest.raises(SettingsError, match=r"unknown system 'bmic': did you mean .*systems are bmci"):
        system("bmic")
    with pytest.raises(SettingsError, match=r"unknown key 'tree' \(system bmci\): did you mean trees\? known keys are"):
        system("bmci", tree=3)
    with pytest.raises(SettingsError, match="unknown preset"):
        system("bmci", preset="huge")


@each_of(SYSTEMS)
def test_training_without_a_label_is_refused_in_one_line(name: str, studies: dict[str, Given]) -> None:
    unlabelled = studies[name].study.with_columns(emotion=None)
    with pytest.raises(InsulaError) as caught:
        tiny(name).fit(unlabelled, unlabelled, TASK)
    assert "\n" not in str(caught.value)
