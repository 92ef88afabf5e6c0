"""BMCL: what the couple shares, what each term of its loss reaches, and what it refuses."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sklearn.preprocessing import normalize

from insula.emotions import Categorical
from insula.errors import DataError
from insula.objectives.orthogonality import orthogonality
from insula.systems.bmcl.features import BrainFeatures, class_codes
from insula.systems.bmcl.loss import coupling_loss
from insula.systems.bmcl.network import Coupled
from insula.systems.bmcl.settings import BMCLSettings
from insula.systems.bmcl.system import BMCL
from insula.training.settings import Training
from toy import CLASSES, toy_parts, toy_study

TASK = Categorical(label="emotion", classes=CLASSES)
SMALL = BMCLSettings(hidden=64, width=32, training=Training(epochs=20, patience=10, batch_size=16))


@cache
def _fitted(brain: str = "eeg", apart: str = "orthogonality", watched: float = 1.0) -> BMCL:
    train, validation, _ = toy_parts(toy_study(watched=watched, strength=3.0))
    return BMCL(SMALL.model_copy(update={"brain": brain, "apart": apart})).fit(train, validation, TASK)


def _says(system: BMCL, mode: str = "fusion") -> np.ndarray:
    return system.predict(toy_parts(toy_study())[2].without(["emotion", "eeg_store", "eeg_row"]), mode).probabilities


def test_orthogonality_is_the_frobenius_norm_of_cross_moments() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.standard_normal((20, 3)), rng.standard_normal((20, 5))
    expected = np.linalg.norm(normalize(first).T @ normalize(second) / 20, "fro")
    assert orthogonality(torch.tensor(first), torch.tensor(second)).item() == pytest.approx(expected)


def test_orthogonality_cannot_be_had_by_shrinking_or_by_a_small_batch() -> None:
    first, second = torch.randn(8, 4), torch.randn(8, 4)
    value = orthogonality(first, second)
    assert torch.allclose(orthogonality(first, second / 1000), value)
    assert torch.allclose(orthogonality(first.repeat(5, 1), second.repeat(5, 1)), value)


def _couple(apart: str = "orthogonality") -> tuple[Coupled, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    network = Coupled(6, 4, 3, SMALL.model_copy(update={"dropout": 0.0, "apart": apart}))
    return network, torch.randn(12, 10), torch.arange(12) % 3


def test_the_common_perceptron_is_one_and_the_classifier_reads_both_channels() -> None:
    network, rows, _ = _couple()
    said = network(rows)
    assert network.picture.common is network.eeg.common and network.picture.private is not network.eeg.private
    both = torch.cat([said.picture.common, said.picture.private], dim=1)
    assert torch.allclose(network.picture.eval().classifier(both), said.picture.logits)
    assert both.abs().max() < 1


def test_a_row_that_nobody_watched_teaches_the_eeg_network_nothing() -> None:
    network, rows, labels = _couple()
    rows[:5, 6:] = 0
    said = network(rows)
    assert said.seen.tolist() == [False] * 5 + [True] * 7 and len(said.eeg.logits) == 7
    rows[:, 6:] = 0
    coupling_loss(network, SMALL, coupled=True)(network(rows), labels).backward()
    assert network.eeg.entrance[0].weight.grad is None or not network.eeg.entrance[0].weight.grad.any()


@pytest.mark.parametrize("apart", ["orthogonality", "adversary"])
def test_the_picture_only_loss_holds_no_term_with_eeg(apart: str) -> None:
    network, rows, labels = _couple(apart)
    settings = SMALL.model_copy(update={"apart": apart})
    other = rows.clone()
    other[:, 6:] = torch.randn(12, 4)
    alone, coupled = (coupling_loss(network, settings, coupled=coupled) for coupled in (False, True))
    assert alone(network(rows), labels) == alone(network(other), labels)
    assert coupled(network(rows), labels) != coupled(network(other), labels)
    network.eval()  # where the epoch is chosen, both are the picture's cross-entropy
    assert alone(network(rows), labels) == coupled(network(other), labels)


def test_an_adversary_learns_to_tell_what_the_private_channel_learns_to_hide() -> None:
    network, rows, _ = _couple("adversary")
    settings = SMALL.model_copy(update={"apart": "adversary", "separation": 1.0})
    loss = coupling_loss(network, settings, coupled=False)
    said = network(rows)

    def critic_error() -> torch.Tensor:
        with torch.no_grad():
            return (network.critics[0](network(rows).picture.private) - network(rows).picture.common).square().mean()

    before = critic_error()
    total = loss(said, torch.arange(12) % 3) - torch.nn.functional.cross_entropy(
        said.picture.logits, torch.arange(12) % 3
    )
    total.backward()
    for weights, better in ((network.critics[0].parameters(), True), (network.picture.private.parameters(), False)):
        weights = list(weights)
        saved = [weight.detach().clone() for weight in weights]
        with torch.no_grad():
            for weight in weights:
                weight -= 0.01 * weight.grad
        assert (critic_error() < before) == better
        with torch.no_grad():
            for weight, old in zip(weights, saved, strict=True):
                weight.copy_(old)


def test_each_subject_has_a_block_of_its_own() -> None:
    train, _, test = toy_parts(toy_study(watched=0.7))
    space = BrainFeatures(train, 10, 4)
    blocks = space(train).reshape(len(train), 2, 4)
    subject = train.table["subject"].to_numpy()
    for place, name in enumerate(["S1", "S2"]):
        mine = (subject == name) & train.has("eeg")
        assert np.allclose(blocks[mine, place].mean(axis=0), 0, atol=1e-5)
        assert np.allclose(blocks[mine, place].std(axis=0), 1, atol=1e-4)
        assert not blocks[~mine, place].any()
    assert space(test).shape == (len(test), 8)


def test_a_class_code_says_the_class_and_only_where_there_was_eeg() -> None:
    train = toy_parts(toy_study(watched=0.7))[0]
    labels = TASK.targets(train.table)
    blocks = BrainFeatures(train, 10, 4)(train)
    codes = class_codes(blocks, labels, 4, seed=0)
    assert (codes.any(axis=1) == train.has("eeg")).all()
    mine = (train.table["subject"] == "S1").to_numpy() & train.has("eeg")
    assert len(np.unique(codes[mine], axis=0)) == 3, "one code a class"


@pytest.mark.slow
@pytest.mark.parametrize("apart", ["orthogonality", "adversary"])
def test_learns_from_partly_watched_pictures_either_way(apart: str) -> None:
    system = _fitted(apart=apart, watched=0.5)
    truth = TASK.targets(toy_parts(toy_study())[2].table)
    assert (_says(system).argmax(axis=1) == truth).mean() > 0.6
    assert system.facts["EEG network right on validation epochs"] > 0.5


@pytest.mark.slow
def test_eeg_changes_the_coupled_network_and_nothing_else() -> None:
    whole, shuffled = _fitted(), _fitted(brain="shuffled")
    assert np.array_equal(_says(whole, "visual"), _says(shuffled, "visual"))
    assert not np.allclose(_says(whole), _says(shuffled))
    assert not np.allclose(_says(whole), _says(whole, "visual"))


@pytest.mark.slow
def test_one_picture_seen_by_several_people_gets_one_answer() -> None:
    test = toy_parts(toy_study())[2]
    said = _fitted().predict(test.without(["emotion"]))
    assert (said.table["p_anger"].groupby(test.table["stimulus"]).nunique() == 1).all()
    assert test.table["stimulus"].duplicated().any()


@pytest.mark.slow
def test_a_bundle_carries_its_backbone_and_no_eeg_network(tmp_path: Path) -> None:
    train, validation, test = toy_parts(toy_study())
    settings = SMALL.model_copy(update={"backbone": "resnet10t", "training": Training(epochs=1)})
    system = BMCL(settings).fit(train, validation, TASK)
    system.save(tmp_path / "system")
    pictures = test.without(["emotion", "eeg_store", "eeg_row"])
    assert np.allclose(
        BMCL.load(tmp_path / "system").predict(pictures).probabilities, system.predict(pictures).probabilities
    )
    entrances = load_file(tmp_path / "system" / "fusion.safetensors")["entrance.0.weight"]
    assert entrances.shape == (32, 16), "the picture's way in alone"


@pytest.mark.slow
def test_without_validation_every_epoch_is_run() -> None:
    train = toy_parts(toy_study())[0]
    system = BMCL(SMALL).fit(train, train.select([]), TASK)
    assert set(system.facts["epochs"].values()) == {20}


def test_training_without_eeg_and_with_one_class_is_refused() -> None:
    train, validation, _ = toy_parts(toy_study())
    with pytest.raises(DataError, match="no training picture has EEG"):
        BMCL(SMALL).fit(train.without(["eeg_store", "eeg_row"]), validation, TASK)
    angry = train.select(np.flatnonzero(train.table["emotion"] == "anger"))
    with pytest.raises(DataError, match="one class only"):
        BMCL(SMALL).fit(angry, validation, TASK)
    lone = train.with_columns(eeg_row=np.where(np.arange(len(train)) > 0, -1, train.rows("eeg")))
    with pytest.raises(DataError, match=r"one epoch"):
        BMCL(SMALL).fit(lone, validation, TASK)
