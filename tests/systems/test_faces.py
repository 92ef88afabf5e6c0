"""Face baselines: what their settings change, and what their bundles hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from insula.emotions import Categorical
from insula.samples import Samples
from insula.storage.cache import Cache
from insula.systems.catalogue import system
from insula.systems.faces.system import FaceNetwork, FaceNetworkSettings, FrozenFeatures
from toy import CLASSES, toy_parts, toy_study

TASK = Categorical(label="emotion", classes=CLASSES)
SMALL = {"backbone": "test_resnet", "sizes": (16,), "augment": False}
BRIEF = {**SMALL, "training": {"epochs": 2, "batch_size": 8, "learning_rate": 2e-3}}


@pytest.fixture(scope="module")
def parts() -> tuple[Samples, Samples, Samples]:
    return toy_parts(toy_study(pictures=45))


def test_votes_are_learnt_where_there_are_any_and_labels_elsewhere(parts: tuple[Samples, ...]) -> None:
    few = parts[2].select(range(2)).with_columns(emotion=["anger", "neutral"])
    votes = few.with_columns(votes_anger=[3, np.nan], votes_happiness=[1, np.nan], votes_neutral=[0, np.nan])
    plain, voted = FaceNetwork(), FaceNetwork(FaceNetworkSettings(votes="votes"))
    assert plain._targets(votes, TASK).tolist() == [[1, 0, 0], [0, 0, 1]]
    assert voted._targets(votes, TASK).tolist() == [[0.75, 0.25, 0], [0, 0, 1]]


@pytest.mark.parametrize("backbone", ["test_resnet", "mobilenetv3_small_050", "test_efficientnet", "test_vit"])
def test_any_architecture_of_timm_answers(backbone: str, parts: tuple[Samples, ...]) -> None:
    network = FaceNetwork(FaceNetworkSettings(backbone=backbone, sizes=(32,)))._network(len(CLASSES)).eval()
    assert network(torch.zeros(2, 3, 48, 48, dtype=torch.uint8)).shape == (2, 3)


@pytest.fixture(scope="module")
def plain(parts: tuple[Samples, ...]) -> np.ndarray:
    return system("face-network", **BRIEF).fit(parts[0], parts[1], TASK).predict(parts[2]).probabilities


@pytest.mark.parametrize("setting", ["label_smoothing", "centre", "contrast"])
def test_every_loss_changes_what_is_learnt(setting: str, parts: tuple[Samples, ...], plain: np.ndarray) -> None:
    changed = system("face-network", **BRIEF, **{setting: 0.3}).fit(parts[0], parts[1], TASK)
    assert not np.allclose(changed.predict(parts[2]).probabilities, plain)


def test_scn_tells_how_many_labels_it_changed_and_leaves_the_samples_alone(parts: tuple[Samples, ...]) -> None:
    before = parts[0].table["emotion"].copy()
    fitted = system("scn", **{**BRIEF, "relabel_from": 0, "relabel_margin": 0.0}).fit(parts[0], parts[1], TASK)
    assert 0 < fitted.summary()["labels_changed"] < len(before)
    assert (parts[0].table["emotion"] == before).all()
    never = system("scn", **{**BRIEF, "relabel_from": None}).fit(parts[0], parts[1], TASK)
    assert never.summary()["labels_changed"] == 0


def test_a_frozen_network_is_saved_with_its_classifier(parts: tuple[Samples, ...], tmp_path: Path) -> None:
    fitted = FrozenFeatures(FrozenFeatures.Settings(backbone="test_resnet", grid=2)).fit(parts[0], parts[1], TASK)
    fitted.save(tmp_path / "saved")
    assert (tmp_path / "saved" / "backbone.safetensors").is_file()
    again = FrozenFeatures.load(tmp_path / "saved")
    with torch.random.fork_rng():
        for weights in fitted.reader.network.parameters():  # what was saved counts, not what timm would make anew
            torch.nn.init.zeros_(weights)
    assert np.ptp(again.predict(parts[2]).probabilities, axis=0).max() > 0.05
    assert np.ptp(fitted.predict(parts[2]).probabilities, axis=0).max() < 1e-6


def test_frozen_features_of_stored_pictures_are_computed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from insula.corpora.catalogue import corpus
    from insula.corpora.fakes import fake_london_faces
    from insula.systems import pictures

    fake_london_faces(tmp_path)
    monkeypatch.setenv("INSULA_CACHE", str(tmp_path / "cache"))
    samples = corpus("london-faces", root=tmp_path, faces="cropped", size=32).samples(Cache())
    task = Categorical(label="emotion", classes="london2")
    first = system("frozen-features", backbone="test_resnet").fit(samples, samples, task).predict(samples)

    def refuse(*_: object) -> None:
        raise AssertionError("computed anew")

    monkeypatch.setattr(pictures.PictureReader, "_extract", refuse)
    again = system("frozen-features", backbone="test_resnet").fit(samples, samples, task).predict(samples)
    assert np.array_equal(first.probabilities, again.probabilities)
