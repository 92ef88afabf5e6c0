"""Backbones: fixed without weights (and said so), read from safetensors only, refused in one line where they misfit."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import save_file

from insula.errors import WeightsError
from insula.networks.backbones import load_backbone, picture_features

PICTURES = np.random.default_rng(0).integers(0, 255, (3, 40, 40, 3), np.uint8)


def test_an_untrained_backbone_is_fixed_and_says_what_it_is(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        features = picture_features(load_backbone("resnet10t"), PICTURES)
    assert "untrained" in caplog.text
    assert np.array_equal(features, picture_features(load_backbone("resnet10t"), PICTURES))
    assert (features.std(axis=0) > 0).mean() > 0.5, "features must see a difference between pictures"


def test_features_do_not_depend_on_the_batch_and_a_grid_keeps_places() -> None:
    network = load_backbone("resnet10t")
    alone = np.concatenate([picture_features(network, PICTURES[[row]], grid=2) for row in range(3)])
    assert np.allclose(alone, picture_features(network, PICTURES, grid=2), atol=1e-5)
    assert alone.shape == (3, 4 * 512)
    resized = picture_features(network, PICTURES, size=64)
    assert np.allclose(resized, picture_features(network, PICTURES, size=64, batch=1), atol=1e-5)


def test_weights_come_back_from_safetensors(tmp_path: Path) -> None:
    network = load_backbone("resnet10t")
    network.conv1[0].weight += 0.1  # type: ignore[index, union-attr]
    save_file(network.state_dict(), tmp_path / "weights.safetensors")
    again = load_backbone("resnet10t", tmp_path / "weights.safetensors")
    assert np.array_equal(picture_features(network, PICTURES), picture_features(again, PICTURES))


def test_wrong_names_and_files_are_one_line(tmp_path: Path) -> None:
    save_file(load_backbone("resnet10t").state_dict(), tmp_path / "small.safetensors")
    (tmp_path / "text.safetensors").write_text("no weights")
    cases = [("resnet10t", tmp_path / "absent"), ("resnet18", tmp_path / "small.safetensors"),
             ("resnet10t", tmp_path / "text.safetensors"), ("resnet9000", None)]  # fmt: skip
    for name, path in cases:
        with pytest.raises(WeightsError) as caught:
            load_backbone(name, path)
        assert "\n" not in str(caught.value)


def test_a_download_that_is_not_reachable_is_shown_first_and_leaves_an_untrained_network(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    import timm

    create = timm.create_model

    def offline(name: str, pretrained: bool = False, **options: object) -> object:
        if pretrained:
            raise OSError("no network")
        return create(name, pretrained=False, **options)

    monkeypatch.setattr(timm, "create_model", offline)
    with caplog.at_level(logging.WARNING):
        network = load_backbone("resnet10t", "download")
    first, second = caplog.messages
    assert "downloading" in first and "licence" in first and "stays untrained" in second
    assert np.array_equal(picture_features(network, PICTURES), picture_features(load_backbone("resnet10t"), PICTURES))
