"""Baselines of two modalities: what each row is predicted from, what is said where much is missing, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from insula.emotions import Binary, Categorical, Continuous, Ordinal
from insula.errors import DataError, SettingsError
from insula.samples import ArrayStore, Samples
from insula.systems.baselines.plain import logistic_regression
from insula.systems.baselines.strength import inner_groups
from insula.systems.catalogue import system
from insula.systems.fusion.cafnet_network import ConfidenceFusion, ConfidenceLoss, FusionOutput, joined
from toy import CLASSES, toy_pairs

TASK = Categorical(label="emotion", classes=CLASSES)
FAST: dict[str, dict[str, Any]] = {
    "feature-fusion": {},
    "late-fusion": {},
    "cafnet": {"width": 16, "training": {"epochs": 20, "patience": 20, "batch_size": 32, "learning_rate": 3e-3}},
}
SYSTEMS = tuple(FAST)


def parts(samples: Samples) -> tuple[Samples, Samples, Samples]:
    """Return training, validation and test part, by subject."""
    subject = samples.table["subject"].str[1:].astype(int).to_numpy()
    return tuple(samples.select(np.flatnonzero(where)) for where in (subject <= 2, subject == 3, subject == 4))  # type: ignore[return-value]


def without(samples: Samples, modality: str, where: np.ndarray) -> Samples:
    """Return the samples, those chosen without a modality."""
    table = samples.table
    rows = np.where(where, -1, samples.rows(modality))
    names = table[f"{modality}_store"].where(~where)
    return samples.with_columns(**{f"{modality}_row": rows, f"{modality}_store": names})


def with_values(samples: Samples, modality: str, values: np.ndarray) -> Samples:
    """Return the samples with other values of a modality, a row each."""
    store = ArrayStore(values, samples.store(modality).description)
    return samples.with_modality(modality, f"other {modality}", store, range(len(samples)))


def fitted(name: str, samples: Samples, task: Any = TASK) -> Any:
    train, validation, _ = parts(samples)
    return system(name, **FAST[name]).fit(train, validation, task)


@pytest.fixture(scope="module")
def whole() -> Samples:
    return toy_pairs(without_face=0.0)


@pytest.fixture(scope="module")
def learnt(whole: Samples) -> dict[str, Any]:
    return {name: fitted(name, whole) for name in SYSTEMS}


def spoilt(test: Samples) -> Samples:
    """Return rows 0 to 7 spoilt in one way each; the rest as it was."""
    n = np.arange(len(test))
    eeg, face = test.read("features").copy(), test.read("face_features").copy()
    eeg[2], eeg[6], face[3, 1], face[7] = np.nan, 3e38, np.inf, -3e38
    test = with_values(with_values(test, "features", eeg), "face_features", face)
    test = without(without(test, "face_features", np.isin(n, [0, 5])), "features", np.isin(n, [1, 5]))
    return test.with_columns(skew=np.where(n == 4, -0.9, 0.1))


@pytest.mark.parametrize("name", SYSTEMS)
def test_whatever_is_missing_broken_or_late_is_said_and_never_raises(
    name: str, whole: Samples, learnt: dict[str, Any]
) -> None:
    test = spoilt(parts(whole)[2])
    said = learnt[name].predict(test)
    table = said.table
    assert np.isfinite(said.probabilities).all() and np.allclose(said.probabilities.sum(axis=1), 1)
    assert table["mode"].tolist()[:8] == ["eeg", "face", "face", "eeg", "eeg", "none", "both", "both"]
    assert table["reason"].tolist()[:8] == [
        "no face", "no EEG", "EEG not finite", "face not finite", "face 0.9 s from the EEG", "no EEG; no face", "", "",
    ]  # fmt: skip
    assert (table["mode"].iloc[8:] == "both").all() and (table["reason"].iloc[8:] == "").all()
    shares = TASK.targets(parts(whole)[0].table)
    assert said.probabilities[5] == pytest.approx(np.bincount(shares) / len(shares))
    assert table["uncertainty"].iloc[5] == 1 and table["uncertainty"].between(0, 1).all()
    assert table["uncertainty_eeg"].isna().tolist()[:6] == [False, True, True, False, False, True]
    assert table["uncertainty_face"].isna().tolist()[:6] == [True, False, False, True, True, True]
    alone = learnt[name].predict(test, "face").table["mode"]
    assert alone.tolist()[:6] == ["none", "face", "face", "none", "none", "none"]


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_row_is_said_from_nothing_but_what_its_mode_names(name: str, whole: Samples, learnt: dict[str, Any]) -> None:
    test = parts(whole)[2]
    n, late = np.arange(len(test)), np.full(len(test), 2.0)
    alone = learnt[name].predict(test, "eeg").probabilities
    for rest in (without(test, "face_features", n >= 0), test.with_columns(skew=late)):
        said = learnt[name].predict(rest)
        assert set(said.table["mode"]) == {"eeg"} and np.allclose(said.probabilities, alone, atol=1e-6)
    assert not np.allclose(learnt[name].predict(test).probabilities, alone, atol=1e-3)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 1.0])
@pytest.mark.parametrize("side", ["features", "face_features"])
@pytest.mark.parametrize("name", SYSTEMS)
def test_any_share_of_a_modality_may_be_missing_in_training_and_in_use(
    name: str, side: str, share: float, whole: Samples, tmp_path: Path
) -> None:
    missing = np.random.default_rng(0).random(len(whole)) < share
    some = without(whole, side, missing)
    made = fitted(name, some)
    test = parts(some)[2].without(["emotion"])
    said = made.predict(test)
    assert np.isfinite(said.probabilities).all()
    assert np.array_equal(said.table["mode"] == "both", test.has(side))
    new = toy_pairs(without_face=0.0, seed=5)  # other people, and more of them than the test part has
    full = made.predict(new)
    assert (full.labels == new.table["emotion"]).mean() > 0.5, "three classes, a third would be chance"
    if share == 1:
        called = {"features": "EEG", "face_features": "face"}[side]
        assert set(full.table["reason"]) == {f"{called} not learnt"}
        made.save(tmp_path / "made")
        again = type(made).load(tmp_path / "made").predict(test)
        assert np.allclose(again.probabilities, said.probabilities, atol=1e-6)


@pytest.mark.parametrize("name", SYSTEMS)
def test_what_no_row_had_together_is_learnt_apart(name: str, whole: Samples) -> None:
    even = np.arange(len(whole)) % 2 == 0
    made = fitted(name, without(without(whole, "features", even), "face_features", ~even))
    said = made.predict(parts(whole)[2])
    if name == "late-fusion":
        assert set(said.table["mode"]) == {"both"}
    else:
        assert set(said.table["mode"]) == {"eeg"}
        assert set(said.table["reason"]) == {"EEG and face not learnt together"}


def test_the_linear_ones_are_logistic_regressions_on_training_rows_alone(
    whole: Samples, learnt: dict[str, Any]
) -> None:
    train, _, test = parts(whole)

    def said(*modalities: str) -> np.ndarray:
        given = [np.hstack([part.read(name).reshape(len(part), -1) for name in modalities]) for part in (train, test)]
        values, targets = given[0].astype(float), TASK.targets(train.table)
        model = logistic_regression(inner_groups(train, ()), values, targets)
        return model.fit(values, targets).predict_proba(given[1].astype(float))

    joint = learnt["feature-fusion"].predict(test).probabilities
    assert joint == pytest.approx(said("features", "face_features"), abs=1e-5)
    mean = (said("features") + said("face_features")) / 2
    assert learnt["late-fusion"].predict(test).probabilities == pytest.approx(mean, abs=1e-5)
    assert learnt["late-fusion"].predict(test, "face").probabilities == pytest.approx(said("face_features"), abs=1e-5)


@pytest.mark.parametrize("name", ["feature-fusion", "late-fusion"])
def test_ratings_are_learnt_by_ridge_regression_and_given_in_their_own_units(name: str, whole: Samples) -> None:
    felt = 5 + 2 * (whole.read("features")[:, 0, 0] - whole.read("face_features")[:, 0]) / 4
    rated = whole.with_columns(valence=np.clip(felt, 1, 9))
    made = fitted(name, rated, Continuous(label="valence", scale=(1, 9)))
    test = parts(rated)[2]
    said = made.predict(
        without(without(test, "features", np.arange(len(test)) < 2), "face_features", np.arange(len(test)) < 1)
    )
    assert said.classes == () and said.table["mode"].tolist()[:3] == ["none", "face", "both"]
    assert said.table["rating"].iloc[0] == pytest.approx(parts(rated)[0].table["valence"].mean())
    assert np.corrcoef(said.table["rating"].iloc[2:], test.table["valence"].iloc[2:])[0, 1] > 0.7


@pytest.mark.parametrize("name", SYSTEMS)
@pytest.mark.parametrize(
    "task", [Binary(label="valence", threshold=3, tie="high"), Ordinal(label="valence", scale=(1, 5))]
)
def test_other_tasks_of_classes_are_learnt(name: str, task: Any, whole: Samples) -> None:
    codes = TASK.targets(whole.table)
    rated = whole.with_columns(valence=np.where(np.arange(len(whole)) % 9 == 0, np.nan, 1.0 + codes * 2))
    said = fitted(name, rated, task).predict(parts(rated)[2])
    assert said.classes == task.classes and np.allclose(said.probabilities.sum(axis=1), 1)


def test_what_they_refuse(whole: Samples) -> None:
    train, validation, _ = parts(whole)
    with pytest.raises(SettingsError, match=r"CAFNet learns no continuous task .*: it learns categorical"):
        system("cafnet").fit(train, validation, Continuous(label="valence"))
    nothing = without(without(train, "features", np.ones(len(train), bool)), "face_features", np.ones(len(train), bool))
    with pytest.raises(DataError, match="nothing to tell apart among training samples with features or face_features"):
        system("late-fusion").fit(nothing, validation, TASK)
    with pytest.raises(DataError, match="one table of samples"):
        system("feature-fusion").fit({"eeg": train}, {"eeg": validation}, TASK)


def test_cafnet_is_fitted_to_training_rows_and_its_epoch_chosen_on_validation_rows(whole: Samples) -> None:
    train, validation, _ = parts(whole)
    made = system("cafnet", **FAST["cafnet"]).fit(train, validation, TASK)
    values = train.read("features").reshape(len(train), -1)
    assert made.network.encoders[0].mean.numpy() == pytest.approx(values.mean(axis=0), rel=1e-4)
    assert [(fit.step, fit.use, len(fit.ids)) for fit in made.log.fits] == [
        ("cafnet", "labels", len(train)), ("epoch of cafnet", "selection", len(validation)),
    ]  # fmt: skip


def drawn(rows: int = 8) -> tuple[FusionOutput, torch.Tensor]:
    torch.manual_seed(0)
    there = torch.rand(2, rows) > 0.3
    there[:, :3] = True
    said = FusionOutput(torch.randn(rows, 3), torch.randn(2, rows, 3), torch.rand(2, rows), there)
    return said, torch.arange(rows) % 3


def test_the_loss_of_cafnet_is_as_described() -> None:
    said, labels = drawn()
    p, y = said.alone.softmax(dim=2).numpy(), labels.numpy()
    joint, sure, there = said.joint.softmax(dim=1).numpy(), said.confidence.numpy(), said.there.numpy()
    by_hand, main = [], []
    for row in range(len(y)):
        sides = [side for side in range(2) if there[side, row]]
        own = sum(-np.log(p[side, row, y[row]]) for side in sides)
        missed = sum((sure[side, row] - p[side, row, y[row]]) ** 2 for side in sides)
        a, b = p[:, row]
        apart = (np.sum(a * np.log(a / b)) + np.sum(b * np.log(b / a))) / 2
        pair = len(sides) == 2
        main.append(-np.log(joint[row, y[row]]) if pair else own)
        by_hand.append(main[-1] + 0.5 * missed + (own + 0.4 * apart if pair else 0))
    loss = ConfidenceLoss(error=0.5, disagreement=0.4, all_epochs=2, pace=1.0, growth=1.5)
    assert loss.eval()(said, labels).item() == pytest.approx(np.mean(by_hand), rel=1e-5)
    for epoch in (0, 1, 2, 3, 9):
        loss.begin_epoch(epoch)
        easy = np.array(main) < (np.inf if epoch < 2 else 1.5 ** (epoch - 2) * np.log(3))
        assert easy.all() == (epoch not in (2, 3))
        assert loss.train()(said, labels).item() == pytest.approx(np.mean(easy * by_hand), rel=1e-5)


def test_a_confidence_learns_how_likely_its_modality_is_right() -> None:
    said, labels = drawn()
    confidence = said.confidence.clone().requires_grad_()
    alone = said.alone.clone().requires_grad_()
    only = ConfidenceLoss(error=1.0, disagreement=0.0, all_epochs=0, pace=1.0, growth=1.0).eval()
    only(said._replace(confidence=confidence, alone=alone), labels).backward()
    likely = said.alone.softmax(dim=2)[:, torch.arange(8), labels]
    assert confidence.grad is not None
    assert torch.equal(confidence.grad.sign(), torch.where(said.there, (said.confidence - likely).sign(), 0.0))


def test_an_unsure_modality_hardly_moves_the_joint_answer() -> None:
    torch.manual_seed(0)
    numbers = tuple((torch.zeros(width), torch.ones(width)) for width in (4, 7))
    network = ConfidenceFusion(numbers, classes=3, width=16, dropout=0.5).eval()
    both = torch.ones(2, 5, dtype=torch.bool)
    torch.nn.init.zeros_(network.confidence.weight)
    torch.nn.init.constant_(network.confidence.bias, -30.0)
    one, other = (network(joined(torch.randn(5, 4), torch.randn(5, 7), both)).joint for _ in range(2))
    assert torch.allclose(one, other, atol=1e-5)
    torch.nn.init.constant_(network.confidence.bias, 30.0)
    one, other = (network(joined(torch.randn(5, 4), torch.randn(5, 7), both)).joint for _ in range(2))
    assert not torch.allclose(one, other, atol=1e-2)
