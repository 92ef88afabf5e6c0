"""What a network answers from: attributions point to where classes differ, and the check tells learnt from not."""

from __future__ import annotations

import base64
import re

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from insula.emotions import Categorical
from insula.errors import DataError
from insula.evaluation.attributions import Sanity, _Asked, cascade, channel_attributions, check_attributions
from insula.evaluation.draw_attributions import draw_attention, draw_attributions
from insula.evaluation.drawing import Plot
from insula.evaluation.verdict import MINUS
from insula.samples import ArrayStore, Description, Samples
from insula.systems.baselines.deep import EEGNet
from insula.systems.histn.system import HiSTN, HiSTNSettings
from insula.systems.rbtransformer.system import RBTransformer, RBTransformerSettings
from insula.systems.signal_network import SignalNetwork, SignalNetworkSettings
from insula.training.settings import Training
from toy import CLASSES, toy_windows

pytestmark = pytest.mark.slow

TASK = Categorical(label="emotion", classes=CLASSES)
CHANNELS = ("F3", "F4", "C3", "C4", "P3", "P4")
OWN = pd.Series([("F3", "F4"), ("C3", "C4"), ("P3", "P4")], index=CLASSES)
METHODS = ("integrated gradients", "gradient x input", "saliency")


class _Loudness(nn.Module):
    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.head = nn.Linear(channels, classes)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.head(inputs.abs().mean(dim=2))


class Loudness(SignalNetwork):
    def _network(self, form: Description, shape: tuple[int, ...], classes: int) -> nn.Module:
        return _Loudness(shape[0], classes)


def fitted(learning_rate: float = 0.03, kind: type[SignalNetwork] = Loudness) -> SignalNetwork:
    """Return a trained network; it stays what it was where the learning rate is as good as 0."""
    epochs = 20 if learning_rate > 1e-6 else 1
    few = Training(epochs=epochs, patience=20, batch_size=32, learning_rate=learning_rate)
    samples = toy_windows()
    return kind(SignalNetworkSettings(training=few)).fit(samples, samples.select(slice(0, 0)), TASK)


@pytest.fixture(scope="module")
def learnt() -> SignalNetwork:
    return fitted()


@pytest.fixture(scope="module")
def new() -> Samples:
    return toy_windows(subjects=2, seed=1)


def pointed(table: pd.DataFrame) -> float:
    """Return the share of the two strongest electrodes of each class that are the class's own."""
    maps = table.pivot_table(index="class", columns="channel", values="value")
    return float(np.mean([row.nlargest(2).index.isin(OWN[name]).mean() for name, row in maps.iterrows()]))


@pytest.mark.parametrize("method", METHODS)
def test_attributions_point_to_the_electrodes_of_a_class(learnt: SignalNetwork, new: Samples, method: str) -> None:
    table = channel_attributions(learnt, new, method)  # type: ignore[arg-type]
    assert list(table) == ["class", "channel", "time", "value", "n", "method"] and len(table) == 3 * 6 * 10
    assert table["time"].unique() == pytest.approx(np.arange(10) * 0.2 + 0.1)
    assert pointed(table) == 1
    drawn = [pointed(channel_attributions(_with_weights(learnt, seed), new, method)) for seed in range(10)]  # type: ignore[arg-type]
    assert np.mean(drawn) < 0.75, "random weights point anywhere, or to what is loud"


def _with_weights(system: SignalNetwork, seed: int) -> SignalNetwork:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        other = type(system)(system.settings)
        network = system._network(system.form, system.shape, 3)
    other.task, other.form, other.shape = system.task, system.form, system.shape
    other.network = type(system.network)(network, system.network.mean, system.network.deviation).eval()
    return other


def test_gradient_x_input_is_what_it_says(learnt: SignalNetwork, new: Samples) -> None:
    table = channel_attributions(learnt, new, "gradient x input")
    labels, network = TASK.targets(new.table), learnt.network
    inputs = network.standard(torch.from_numpy(new.read("eeg"))).detach().requires_grad_()
    network.network(inputs)[np.arange(len(new)), labels].sum().backward()
    each = (inputs * inputs.grad).abs().detach().numpy().mean(axis=2)
    wanted = np.stack([each[labels == label] for label in range(3)]).mean(axis=1)
    assert np.allclose(table.groupby(["class", "channel"], sort=False)["value"].mean(), wanted.ravel(), rtol=2e-2)


def test_some_samples_of_each_subject_and_class_stand_for_all(learnt: SignalNetwork, new: Samples) -> None:
    few = channel_attributions(learnt, new, "saliency", most=12)
    assert set(few["n"]) == {4} and pointed(few) == 1
    whole = channel_attributions(learnt, new, "saliency", most=10_000)
    assert whole.equals(channel_attributions(learnt, new, "saliency")) and not whole.equals(few)


def test_a_window_alone_is_scaled_by_its_whole_trial(new: Samples) -> None:
    values = new.read("eeg").copy()
    first = (new.table["start"] % 4 == 0).to_numpy()  # of the two windows of a trial
    values[first] *= 100
    loud = new.with_modality("eeg", "loud", ArrayStore(values, new.store("eeg").description), range(len(new)))
    system = HiSTN(HiSTNSettings(training=Training(epochs=1, batch_size=64))).fit(loud, new.select(slice(0, 0)), TASK)
    asked = _Asked(system, loud, "saliency", 6)
    inputs = asked.rows[torch.from_numpy(asked.places)]
    assert inputs[~first[asked.places]].abs().max() < 0.1, "alone, a quiet window would be scaled to 1"


def test_the_check_tells_a_trained_network_from_one_that_learnt_nothing(learnt: SignalNetwork, new: Samples) -> None:
    good = check_attributions(learnt, new, "gradient x input")
    assert good.with_random.shape == good.among_random.shape == (19,)
    assert good.passed and good.verdict.startswith("This map passes its sanity check")
    assert good.wrong_class < good.halves and "The map differs with the class" in good.numbers
    idle = check_attributions(fitted(learning_rate=1e-12), new, "gradient x input")
    assert idle.start == 1 and not idle.passed
    assert idle.verdict.startswith("This map FAILS its sanity check")
    again = Sanity.of(idle.table())
    assert again.numbers == idle.numbers and np.array_equal(again.with_random, idle.with_random)


def test_a_map_that_random_networks_draw_as_well_is_found_out() -> None:
    rng = np.random.default_rng(0)
    alike, apart = 0.6 + 0.02 * rng.standard_normal((2, 19)), 0.2 * rng.standard_normal((2, 19))
    found = Sanity(*alike, start=0.6, wrong_class=0, halves=0.99)
    assert found.random_draw_it and not found.passed
    assert Sanity(apart[0] - apart[0].mean(), alike[1], 0.1, 0, 0.99).passed
    assert Sanity(apart[0] - apart[0].mean(), apart[1], 0.1, 0, 0.99).passed
    assert Sanity(alike[0] - 0.4, alike[1], 0.1, 0, 0.99).passed, "less than they agree"
    assert not Sanity(apart[0] - apart[0].mean(), apart[1], 0.995, 0, 0.99).passed, "training changed nothing"
    assert not Sanity(*apart, 0.1, 0, np.nan).passed, "with one sample a class nothing can be compared"


def test_a_map_of_nothing_fails(learnt: SignalNetwork, new: Samples) -> None:
    dead = _with_weights(learnt, 0)
    for weights in dead.network.network.parameters():
        torch.nn.init.zeros_(weights)
    assert not check_attributions(dead, new, "saliency", most=12, networks=3).passed
    alone = check_attributions(learnt, new.select(slice(0, 1)), "saliency", networks=3)
    assert np.isnan(alone.halves) and not alone.passed


def test_gradient_x_input_of_eegnet_shows_the_input(new: Samples) -> None:
    system = fitted(1e-12, EEGNet)
    assert pointed(channel_attributions(system, new, "gradient x input")) > 0.75, "though it learnt nothing"
    assert check_attributions(system, new, "gradient x input", networks=5).random_draw_it


def test_maps_fade_from_the_output_to_the_input(learnt: SignalNetwork, new: Samples) -> None:
    before = [weights.clone() for weights in learnt.network.parameters()]
    table = cascade(learnt, new, "saliency")
    assert list(table["layer"]) == ["head"] and table["correlation"].max() < 0.9
    assert all(torch.equal(*pair) for pair in zip(before, learnt.network.parameters(), strict=True))


def test_samples_without_labels_or_electrodes_are_one_line(learnt: SignalNetwork, new: Samples) -> None:
    with pytest.raises(DataError, match="no sample has both eeg and a label"):
        channel_attributions(learnt, new.with_columns(emotion=None))
    one = channel_attributions(learnt, new.select((new.table["emotion"] == "anger").to_numpy()), "saliency")
    assert set(one.dropna()["class"]) == {"anger"} and set(one["class"]) == set(CLASSES)


def test_bands_attention_and_their_pictures(new: Samples) -> None:
    few = Training(epochs=2, patience=2, batch_size=32)
    system = RBTransformer(RBTransformerSettings(training=few, depth=1)).fit(new, new.select(slice(0, 0)), TASK)
    table = channel_attributions(system, new, "saliency")
    assert list(table["band"].unique()) == ["4 to 8 Hz", "8 to 14 Hz", "14 to 31 Hz", "31 to 49 Hz"]
    plot = draw_attributions(table, mark="LEAKING")
    assert "Not checked" in plot.caption
    assert {*CLASSES, "4 to 8 Hz", "31 to 49 Hz", "LEAKING"} <= words(plot)
    attention = np.full((6, 6), 0.1)
    attention[0, 3] = attention[3, 0] = 0.5
    said = draw_attention(attention, CHANNELS).alternative
    assert "The 6 strongest links between 6 electrodes, strongest F3 and C4 (3.00)" in said


def words(plot: Plot) -> set[str]:
    """Return what is written on a picture."""
    return set(re.findall("<!-- (.*) -->", base64.b64decode(plot.picture.partition(",")[2]).decode()))


def test_a_map_that_fails_says_so_first_and_on_the_picture(learnt: SignalNetwork, new: Samples) -> None:
    table = channel_attributions(learnt, new, "saliency")
    fading = pd.DataFrame({"layer": ["head", "filters"], "correlation": [0.5, -0.25]})
    failed = draw_attributions(table, Sanity(np.full(19, 0.9), np.full(19, 0.9), 0.9, 0.9, 0.8), fading, "LEAKING")
    assert failed.caption.startswith("This map FAILS its sanity check")
    assert failed.alternative.startswith("This map FAILS") and "does not tell" in failed.title
    assert "LEAKING, fails its sanity check" in words(failed)
    assert "2 layers drawn anew" in failed.caption and f"from 0.50 to {MINUS}0.25" in failed.caption
    passed = draw_attributions(table, Sanity(np.zeros(19), np.zeros(19), 0.1, 0.1, 0.8))
    assert passed.caption.startswith("This map passes its sanity check")
    assert not {"fails its sanity check", "LEAKING, fails its sanity check"} & words(passed)


def test_the_picture_names_the_strongest_electrodes(learnt: SignalNetwork, new: Samples) -> None:
    sanity = check_attributions(learnt, new, "saliency", networks=5)
    plot = draw_attributions(channel_attributions(learnt, new, "saliency"), sanity)
    assert plot.caption.startswith(sanity.verdict) and sanity.numbers in plot.caption
    for name in CLASSES:
        strongest = plot.alternative.partition(f"{name} ")[2].split(";")[0].split(". ")[0].split(", ")[:2]
        assert set(strongest) == set(OWN[name])
