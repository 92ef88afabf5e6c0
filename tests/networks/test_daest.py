"""CLISA and DAEST: both against NumPy, what they give, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import numpy_networks as reference
from insula.errors import DataError
from insula.networks.daest import CLISA, DAEST

GROUPS = torch.tensor([0, 1, 0, 1, 1])


def tiny(form: type[CLISA] | type[DAEST]) -> CLISA | DAEST:
    return form(channels=3, filters=2, length=6, each=2, pooling=2).double()


def windows(time: int = 30) -> torch.Tensor:
    return torch.randn(5, 3, time).double() * torch.arange(1, 6)[:, None, None]


def filtered(weights: reference.Weights, given: np.ndarray) -> np.ndarray:
    normed = reference.stratified(given[:, None], GROUPS.numpy())
    each = [reference.convolved(weights, "filters", normed[:, :, channel]) for channel in range(3)]
    return np.stack(each, axis=2)


def test_clisa_is_what_its_description_says() -> None:
    network, given = tiny(CLISA), windows()
    weights = reference.weights_of(network)
    flat = filtered(weights, given.numpy()).reshape(5, 2 * 3, -1)
    maps = reference.convolved(weights, "encoder.1", reference.padded(flat, 1, 1))
    maps = np.where(maps > 0, maps, np.expm1(maps))
    assert np.allclose(network.views(given, GROUPS).maps.detach(), maps, atol=1e-10)


def test_daest_is_what_its_description_says() -> None:
    network, given = tiny(DAEST), windows()
    weights = reference.weights_of(network)
    encoder, dilations = reference.within(weights, "encoder"), (1, 3, 6, 12)
    maps = reference.dynamics(encoder, filtered(weights, given.numpy()), dilations)
    assert np.allclose(network.views(given, GROUPS).maps.detach(), maps, atol=1e-10)


@pytest.mark.parametrize("form", [CLISA, DAEST])
def test_what_they_give(form: type[CLISA] | type[DAEST]) -> None:
    network, given = tiny(form), windows()
    with torch.inference_mode():
        views = network.views(given, torch.zeros(5, dtype=torch.int64))
        features = network(given, network.session_moments(given.split(2)))
        rows = network.project(network.views(given, GROUPS).maps, GROUPS)
    assert views.spatial is None and torch.allclose(features, network.feature(views.maps), atol=1e-8)
    assert torch.allclose(rows.norm(dim=1), torch.ones(5).double())
    # each filter of the projector makes two of one, and (25 / 2 - 2 - 2) steps are left
    assert rows.shape == (5, 4 * views.maps.shape[1] * 8)


@pytest.mark.parametrize("form", [CLISA, DAEST])
def test_short_windows_are_refused(form: type[CLISA] | type[DAEST]) -> None:
    network = tiny(form)
    least = network.least_samples
    assert len(network.project(network.views(windows(least), GROUPS).maps, GROUPS)) == 5
    with pytest.raises(DataError, match=f"give windows of {least} samples or more"):
        network.project(network.views(windows(least - 1), GROUPS).maps, GROUPS)
    with pytest.raises(DataError, match="windows of 5 samples are shorter than a filter: give windows of 6 samples"):
        network.views(windows(5), GROUPS)
