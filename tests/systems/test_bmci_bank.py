"""The bank of subjects: policies, and subjects who come and go without the others noticing."""

from __future__ import annotations

from copy import copy, deepcopy
from pathlib import Path

import numpy as np
import pytest

from insula.emotions import Categorical
from insula.errors import BundleError, DataError
from insula.samples import Samples
from insula.systems.bmci.bank import Bank, Member
from insula.systems.bmci.regression import VirtualEEG
from insula.systems.bmci.settings import BMCISettings
from insula.systems.bmci.system import BMCI
from toy import CLASSES, toy_parts, toy_study

TASK = Categorical(label="emotion", classes=CLASSES)
SETTINGS = BMCISettings(encoder="linear", trees=10, folds=2, time_bins=10, penalties=(0.1,))
NAMES = ("S1", "S2", "S3")

pytestmark = pytest.mark.slow


def _parts(samples: Samples) -> tuple[Samples, Samples, Samples]:
    train, validation, test = toy_parts(samples)
    return train, validation, test.without(["emotion"])


def _of(samples: Samples, *names: str) -> Samples:
    return samples.select(samples.table["subject"].isin(names).to_numpy())


@pytest.fixture(scope="module")
def parts() -> tuple[Samples, Samples, Samples]:
    return _parts(toy_study(subjects=NAMES))


@pytest.fixture(scope="module")
def fitted(parts: tuple[Samples, Samples, Samples]) -> BMCI:
    return BMCI(SETTINGS).fit(*parts[:2], TASK)


@pytest.fixture(scope="module")
def joined(parts: tuple[Samples, Samples, Samples]) -> BMCI:
    return BMCI(SETTINGS.model_copy(update={"policy": "concat"})).fit(*parts[:2], TASK)


def _twin(system: BMCI) -> BMCI:
    twin = copy(system)
    twin.facts, twin.log, twin.selective = deepcopy(system.facts), deepcopy(system.log), deepcopy(system.selective)
    return twin


def _opinions(system: BMCI, test: Samples) -> dict[str, list[np.ndarray]]:
    visual = system.space.coordinates(test)
    return {
        member.name: [
            member.regressor.predict(visual),
            *(member.predict_proba(mode, visual, len(CLASSES)) for mode in ("fusion", "virtual")),
        ]
        for member in system.bank.members
    }


@pytest.mark.parametrize("loaded", [False, True])
def test_removing_a_subject_leaves_the_others_bit_identical(
    fitted: BMCI, parts: tuple[Samples, Samples, Samples], tmp_path: Path, loaded: bool
) -> None:
    system = _twin(fitted)
    if loaded:
        fitted.save(tmp_path / "system")
        system = BMCI.load(tmp_path / "system")
    before, weights = _opinions(system, parts[2]), system.bank.weights
    system.remove_subject("toy/S2")
    after = _opinions(system, parts[2])
    assert set(after) == {"toy/S1", "toy/S3"} == set(system.virtual_eeg(parts[2])) == set(system.facts["subjects"])
    for name, opinions in after.items():
        assert all(np.array_equal(was, now) for was, now in zip(before[name], opinions, strict=True))
    rest = weights["toy/S1"] + weights["toy/S3"]
    assert system.bank.weights == pytest.approx({name: weights[name] / rest for name in after})
    expected = sum(system.bank.weights[name] * opinions[1] for name, opinions in after.items())
    together = system.bank.predict_proba("fusion", system.space.coordinates(parts[2]))
    assert np.allclose(together, expected, atol=1e-12)


def test_a_bundle_saved_after_removal_holds_nothing_of_the_subject(
    fitted: BMCI, parts: tuple[Samples, Samples, Samples], tmp_path: Path
) -> None:
    fitted.save(tmp_path / "three")
    less = BMCI.load(tmp_path / "three").remove_subject("toy/S1")
    less.save(tmp_path / "two")
    assert "S1" not in (tmp_path / "two" / "system.yaml").read_text()
    assert len(list((tmp_path / "two").glob("member*"))) == 2
    again = BMCI.load(tmp_path / "two").predict(parts[2])
    assert np.array_equal(again.probabilities, less.predict(parts[2]).probabilities)


def test_removing_nobody_or_the_last_one_is_one_clear_line(fitted: BMCI) -> None:
    with pytest.raises(DataError, match=r"no subject 'S9': subjects are toy/S1, toy/S2, toy/S3"):
        _twin(fitted).remove_subject("S9")
    last = _twin(fitted).remove_subject("toy/S1").remove_subject("toy/S2")
    with pytest.raises(DataError, match="'toy/S3' is the last subject"):
        last.remove_subject("toy/S3")
    assert last.bank.names == ("toy/S3",) and fitted.bank.names == ("toy/S1", "toy/S2", "toy/S3")


@pytest.mark.parametrize("policy", ["mean", "concat"])
def test_a_subject_added_later_taught_what_it_would_have_taught_at_once(
    policy: str, request: pytest.FixtureRequest, parts: tuple[Samples, Samples, Samples]
) -> None:
    together = request.getfixturevalue({"mean": "fitted", "concat": "joined"}[policy])
    train, validation, test = parts
    system = BMCI(together.settings).fit(_of(train, "S1", "S2"), validation, TASK)
    others = system.bank.members
    system.add_subject(_of(train, "S3"), _of(validation, "S3"))
    assert system.bank.names == together.bank.names and system.bank.members[:2] == others
    # The same pictures read in another order round differently in the last places.
    for name, virtual in system.virtual_eeg(test).items():
        assert np.allclose(virtual, together.virtual_eeg(test)[name], atol=1e-3)
    assert np.allclose(system.predict(test).probabilities, together.predict(test).probabilities, atol=1e-3)
    assert any(fit.step == "EEG encoder of toy/S3" for fit in system.log.fits)


def test_a_subject_may_have_watched_other_pictures(fitted: BMCI, parts: tuple[Samples, Samples, Samples]) -> None:
    other = toy_study(pictures=30, subjects=["S1"], seed=5)
    other = other.with_columns(corpus="elsewhere")
    system = _twin(fitted).add_subject(other)
    assert system.bank.names == ("elsewhere/S1", "toy/S1", "toy/S2", "toy/S3")
    assert system.facts["subjects"]["elsewhere/S1"]["pictures"] == 30
    assert np.isfinite(system.predict(parts[2]).probabilities).all()


def test_who_cannot_be_added(fitted: BMCI, parts: tuple[Samples, Samples, Samples], tmp_path: Path) -> None:
    train = parts[0]
    with pytest.raises(DataError, match="'toy/S1' is a subject already"):
        fitted.add_subject(_of(train, "S1"))
    with pytest.raises(DataError, match="2 subjects have pictures, EEG and labels: give the rows of one"):
        fitted.add_subject(_of(train, "S1", "S2"))
    with pytest.raises(DataError, match="0 subjects have pictures, EEG and labels"):
        fitted.add_subject(_of(train, "S1").without(["eeg_store", "eeg_row"]))
    with pytest.raises(DataError, match="a picture of the subject is not named"):
        fitted.add_subject(_of(train, "S1").with_columns(subject="S4", stimulus=None))
    fitted.save(tmp_path / "system")
    with pytest.raises(BundleError, match="nobody can teach here"):
        BMCI.load(tmp_path / "system").add_subject(_of(train, "S1"))


class _Fixed(VirtualEEG):
    """A regressor that is not asked."""

    def __init__(self) -> None: ...


@pytest.mark.parametrize(
    ("policy", "scores", "weights"),
    [
        ("mean", (0.3, 0.1, -0.2), (0.75, 0.25, 0)),
        ("mean", (-0.3, -0.1, 0), (1 / 3, 1 / 3, 1 / 3)),
        ("best", (0.1, 0.3, 0.2), (0, 1, 0)),
        ("best", (-0.3, -0.1, -0.2), (0, 1, 0)),
    ],
)
def test_weights_follow_the_out_of_fold_r2(policy: str, scores: tuple[float, ...], weights: tuple[float, ...]) -> None:
    members = [Member(name, _Fixed(), {}, score) for name, score in zip(NAMES, scores, strict=True)]
    bank = Bank(members, SETTINGS.model_copy(update={"policy": policy}), 3)
    assert list(bank.weights.values()) == pytest.approx(list(weights))


def test_best_answers_as_its_best_member(fitted: BMCI, parts: tuple[Samples, Samples, Samples]) -> None:
    members, visual = fitted.bank.members, fitted.space.coordinates(parts[2])
    bank = Bank(members, SETTINGS.model_copy(update={"policy": "best"}), len(CLASSES), fitted.training)
    best = max(members, key=lambda member: member.r2)
    alone = best.predict_proba("fusion", visual, len(CLASSES))
    assert np.allclose(bank.predict_proba("fusion", visual), alone, atol=1e-12)
    assert np.allclose(bank.epistemic(visual), best.regressor.spread(visual), equal_nan=True)


def test_concat_has_one_classifier_over_all_and_learns(joined: BMCI, tmp_path: Path) -> None:
    test = _parts(toy_study(subjects=NAMES))[2]
    truth = toy_study(subjects=NAMES).by_id(test.ids).table["emotion"]
    assert (joined.predict(test).labels == truth).mean() > 0.6, "three classes: a third would be chance"
    assert all(set(member.classifiers) == {"real"} for member in joined.bank.members)
    joined.save(tmp_path / "system")
    loaded = BMCI.load(tmp_path / "system")
    assert np.allclose(loaded.predict(test).probabilities, joined.predict(test).probabilities, atol=1e-9)
    with pytest.raises(BundleError, match="one classifier of this bundle reads every subject"):
        loaded.remove_subject("toy/S1")
    virtual = joined.virtual_eeg(test)
    less = _twin(joined).remove_subject("toy/S1")
    assert all(np.array_equal(now, virtual[name]) for name, now in less.virtual_eeg(test).items())
    assert not np.array_equal(less.predict(test).probabilities, joined.predict(test).probabilities)
    assert less.bank.joint is not None and set(less.bank.joint.reductions) == {"toy/S2", "toy/S3"}
