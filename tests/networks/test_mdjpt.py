"""mdJPT's network: published sizes, every block and the whole against NumPy, and moments of whole sessions."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import numpy_networks as reference
from insula.errors import DataError
from insula.networks.dynamics import DynamicsEncoder
from insula.networks.mdjpt import MdJPT
from insula.networks.projector import Projector

DILATIONS, GROUPS = (1, 2), torch.tensor([1, 0, 0, 1, 1])


def tiny(**arms: str) -> MdJPT:
    sizes = {"width": 8, "blocks": 2, "heads": 2, "hidden": 12, "features": 3, "projected": 5, "filters": 6}
    times = {"patch": 8, "stride": 3, "dilations": DILATIONS, "attention_kernel": 4, "pooling": 2}
    return MdJPT(channels=4, **sizes, **times, **arms).double().eval()  # type: ignore[arg-type]


def windows(number: int = 5, time: int = 50) -> torch.Tensor:
    return torch.randn(number, 4, time).double() * torch.arange(1, number + 1)[:, None, None]


def test_published_sizes() -> None:
    network = MdJPT()
    weights = {name: value.numel() for name, value in network.named_parameters()}
    projector = sum(number for name, number in weights.items() if name.startswith("projector."))
    assert (sum(weights.values()), sum(weights.values()) - projector) == (752_608, 748_512)
    with torch.inference_mode():
        views = network.views(torch.randn(2, 60, 625), torch.tensor([0, 1]))
        assert views.spatial is not None and views.spatial.shape == (2, 32, 64, 99)
        assert views.maps.shape == (2, 512, 99) and network.feature(views.maps).shape == (2, 512)
        assert network.project(views.maps, torch.tensor([0, 1])).shape == (2, 1024)


def test_the_dynamics_encoder_is_what_its_description_says() -> None:
    values = torch.randn(3, 2, 5, 20).double()
    encoder = DynamicsEncoder(2, 5, filters=4, dilations=(1, 3, 6), time_kernel=3, attention_kernel=7).double()
    with torch.inference_mode():
        output = encoder(values)
    assert np.allclose(output, reference.dynamics(reference.weights_of(encoder), values.numpy(), (1, 3, 6)), atol=1e-10)


@pytest.mark.parametrize("multiple", [1, 2])
def test_the_projector_is_what_its_description_says(multiple: int) -> None:
    maps, projector = torch.randn(5, 4, 23).double(), Projector(4, 3, reach=1, multiple=multiple).double()
    with torch.inference_mode():
        output = projector(maps, GROUPS)
    expected = reference.projector(reference.weights_of(projector), maps.numpy(), GROUPS.numpy(), 3)
    assert output.shape == (5, 4 * multiple**2 * 3) and np.allclose(output, expected, atol=1e-10)


def test_the_whole_is_what_its_description_says() -> None:
    network, given = tiny(), windows()
    weights, groups = reference.weights_of(network), GROUPS.numpy()
    tokens = reference.channel_encoder(reference.within(weights, "channel_encoder"), given.numpy(), 8, 3, heads=2)
    tokens = reference.stratified(tokens, groups).transpose(0, 1, 3, 2)
    spatial = reference.linear(weights, "projection", tokens).transpose(0, 1, 3, 2)
    encoder = reference.within(weights, "dynamics_encoder")
    maps = reference.dynamics(encoder, reference.stratified(spatial, groups), DILATIONS)
    with torch.inference_mode():
        views = network.views(given, GROUPS)
        projection = network.project(views.maps, GROUPS)
    assert views.spatial is not None and np.allclose(views.spatial, spatial, atol=1e-8)
    assert np.allclose(views.maps, maps, atol=1e-8)
    assert np.allclose(network.feature(views.maps), maps.mean(axis=2), atol=1e-8)
    expected = reference.projector(reference.within(weights, "projector"), maps, groups, pooling=2)
    assert np.allclose(projection, expected, atol=1e-8)


def test_moments_of_a_session_give_what_all_its_windows_at_once_give_in_any_portions() -> None:
    network, given = tiny(), windows()
    everybody = torch.zeros(len(given), dtype=torch.int64)
    with torch.inference_mode():
        at_once = network.feature(network.views(given, everybody).maps)
        for portions in ([5], [1, 4], [2, 2, 1]):
            moments = network.session_moments(given.split(portions))
            parts = [network(part, moments) for part in given.split(portions[::-1])]
            assert torch.allclose(torch.cat(parts), at_once, atol=1e-8)


def test_moments_of_a_session_hold_at_single_precision() -> None:
    network, given = tiny().float(), windows().float() + 20
    with torch.inference_mode():
        features = network(given, network.session_moments(given.split(2)))
        at_once = network.feature(network.views(given, torch.zeros(5, dtype=torch.int64)).maps)
    assert features.dtype == torch.float32 and torch.allclose(features, at_once, atol=1e-5)


def test_a_person_is_normalised_apart_from_the_others() -> None:
    network, given = tiny(), windows()
    louder = given.clone()
    louder[GROUPS == 0] *= 3
    with torch.inference_mode():
        before, after = network.views(given, GROUPS).maps, network.views(louder, GROUPS).maps
    assert torch.allclose(before[GROUPS == 1], after[GROUPS == 1])
    assert not torch.allclose(before[GROUPS == 0], after[GROUPS == 0])


def test_gradients_reach_every_weight_and_other_windows_of_the_person() -> None:
    network, given = tiny(), windows().requires_grad_()
    views = network.views(given, GROUPS)
    z = network.project(views.maps, GROUPS)
    assert torch.allclose(z.norm(dim=1), torch.ones(5).double())
    (z[0] * torch.arange(z.shape[1])).sum().backward()
    assert given.grad is not None and bool(given.grad[GROUPS == 1].any(dim=(1, 2)).all())
    assert not given.grad[GROUPS == 0].any()
    idle = [name for name, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert not idle


def test_windows_of_any_length_from_a_patch_on_are_read() -> None:
    network = tiny()
    moments = network.session_moments([windows(2, 50), windows(1, 8)])
    assert network(windows(1, 8), moments).shape == network(windows(1, 90), moments).shape == (1, 12)
    with pytest.raises(DataError, match=r"windows of 7 samples are shorter than a patch: give windows of 8 samples"):
        network.tokens(windows(1, 7))


def test_windows_too_short_to_pre_train_on_are_refused_with_the_least_length() -> None:
    assert MdJPT().least_samples == 476
    network, groups = tiny(), torch.tensor([0, 0])
    least = network.least_samples
    assert len(network.project(network.views(windows(2, least), groups).maps, groups)) == 2
    with pytest.raises(DataError, match=rf"too short for the projector: give windows of {least} samples or more"):
        network.project(network.views(windows(2, least - 1), groups).maps, groups)


def test_a_session_without_windows_has_no_moments() -> None:
    with pytest.raises(DataError, match="no window to take moments of"):
        tiny().session_moments([])


@pytest.mark.parametrize("arm", [{"channel_encoder": "transformer"}, {"dynamics": "transformer"}])
def test_a_transformer_takes_the_place_of_an_encoder(arm: dict[str, str]) -> None:
    network, given = tiny(**arm), windows()
    everybody = torch.zeros(len(given), dtype=torch.int64)
    with torch.inference_mode():
        views = network.views(given, everybody)
        features = network(given, network.session_moments(given.split(2)))
        projection = network.project(views.maps, everybody)
    steps = 50 if "channel_encoder" in arm else 15
    assert views.spatial is not None and views.spatial.shape == (5, 3, 5, steps) and views.maps.shape == (5, 12, steps)
    assert torch.allclose(features, network.feature(views.maps), atol=1e-8)
    assert torch.allclose(projection.norm(dim=1), torch.ones(5).double())


def test_the_channel_transformer_has_one_layer_and_positions_as_published() -> None:
    network, given = tiny(channel_encoder="transformer"), windows()
    parts = reference.within(reference.weights_of(network), "channel_encoder.steps")
    embedded = reference.linear(parts, "entry", given.numpy().transpose(0, 2, 1)) + parts["positions"][:50]
    hidden = network.channel_encoder.steps.layer(torch.from_numpy(embedded)).detach().numpy()
    tokens = network.tokens(given).detach()
    expected = reference.linear(parts, "exit", hidden).transpose(0, 2, 1)
    assert all(np.allclose(tokens[:, :, channel], expected, atol=1e-10) for channel in range(4))
    sizes = network.channel_encoder.steps.layer.linear1.weight.shape, parts["positions"].shape
    assert sizes == ((2048, 8), (1024, 8))
    with pytest.raises(DataError, match="1025 steps are more than the 1024 positions"):
        network.tokens(windows(1, 1025))
