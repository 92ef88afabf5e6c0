"""Systems of one network on EEG: channels by name, streaming, what they refuse, tokens, regions, tangent space."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.signal import butter, lfilter

from insula.emotions import Categorical
from insula.errors import BundleError, DataError, SettingsError
from insula.samples import ArrayStore, Description, Samples, provenance
from insula.systems.baselines.covariance import TangentSpace, delay_embedding
from insula.systems.baselines.deep import BandPowerTransformer, EEGNet
from insula.systems.histn.regions import graph_of
from insula.systems.histn.system import HiSTN, HiSTNSettings
from insula.systems.rbtransformer.system import RBTransformer, RBTransformerSettings
from insula.systems.rbtransformer.tokens import band_tokens
from insula.systems.signal_network import SignalNetwork, SignalNetworkSettings
from insula.training.rows import Rows
from insula.training.settings import Training

CHANNELS = ("F3", "F4", "P3", "P4")
TASK = Categorical(label="state", classes=("rest", "work"))
FEW = Training(epochs=8, patience=8, batch_size=32, learning_rate=3e-3)


def study(trials: int = 24, channels: tuple[str, ...] = CHANNELS, rate: float = 128, units: float = 1.0) -> Samples:
    """Windows of noise, four of each trial; work doubles what F4 and P4 carry."""
    rng = np.random.default_rng(0)
    trial = np.repeat(np.arange(trials), 4)
    work = trial % 2 == 1
    values = 10 * rng.standard_normal((len(trial), len(CHANNELS), round(1.5 * rate)))
    values[:, [1, 3]] *= np.where(work, 2.0, 1.0)[:, None, None]
    values = units * values[:, [CHANNELS.index(name) for name in channels]]
    form = Description(kind="signal", axes=("channel", "time"), rate=rate, channels=channels, units="uV")
    start = np.arange(len(trial)) * 1.5
    table = provenance(corpus="toy", subject="S1", session="1", trial=trial.astype(str), start=start, stop=start + 1.5)
    table["state"] = np.where(work, "work", "rest")
    samples = Samples(table, {}).with_modality(
        "eeg", "eeg", ArrayStore(values.astype(np.float32), form), range(len(trial))
    )
    power = np.log(values.var(axis=2))[..., None].astype(np.float32)
    bands = ArrayStore(power, Description(kind="features", axes=("channel", "band"), channels=channels, units="nats"))
    return samples.with_modality("features", "features", bands, range(len(trial)))


def parts() -> tuple[Samples, Samples, Samples]:
    samples = study()
    return samples.select(slice(0, 48)), samples.select(slice(48, 64)), samples.select(slice(64, 96))


def build(kind: type[SignalNetwork]) -> SignalNetwork:
    return kind(kind.Settings(training=FEW))


KINDS = [EEGNet, RBTransformer, HiSTN, BandPowerTransformer]


@pytest.mark.parametrize("kind", KINDS)
def test_channels_are_found_by_name(kind: type[SignalNetwork]) -> None:
    train, validation, test = parts()
    system = build(kind).fit(train, validation, TASK)
    hidden = test.without(["state"])
    said = system.predict(hidden)
    turned = study(channels=CHANNELS[::-1]).select(slice(64, 96)).without(["state"])
    assert np.allclose(system.predict(turned).probabilities, said.probabilities, atol=1e-5)
    lacking = study(channels=("F3", "F4", "P3")).select(slice(64, 96))
    with pytest.raises(DataError, match=r"no channel P4 \(.*F3, F4, P3\): harmonise"):
        system.predict(lacking)


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_network_says_the_same(kind: type[SignalNetwork], tmp_path: Path) -> None:
    train, validation, test = parts()
    system = build(kind).fit(train, validation, TASK)
    system.save(tmp_path / "one")
    assert {path.suffix for path in (tmp_path / "one").iterdir()} == {".safetensors", ".yaml"}
    again = kind.load(tmp_path / "one").predict(test)
    assert np.array_equal(again.probabilities, system.predict(test).probabilities)


def test_another_rate_is_refused_by_networks_over_time() -> None:
    train, validation, _ = parts()
    system = build(EEGNet).fit(train, validation, TASK)
    with pytest.raises(DataError, match=r"at 100.0 Hz are not those of the training data"):
        system.predict(study(rate=100))


def test_one_class_and_short_windows_are_one_line() -> None:
    train, validation, _ = parts()
    rest = train.select((train.table["state"] == "rest").to_numpy())
    with pytest.raises(DataError, match="1 classes among 24 training samples"):
        build(EEGNet).fit(rest, validation, TASK)
    with pytest.raises(DataError, match="a band up to 49 Hz does not fit below half of 90 Hz"):
        build(RBTransformer).fit(study(rate=90), validation, TASK)


def test_rows_are_read_as_batches_ask(tmp_path: Path) -> None:
    samples = study()
    samples.save(tmp_path / "study")
    rows = Rows(Samples.open(tmp_path / "study"), "eeg", CHANNELS[::-1])
    asked = rows[torch.tensor([3, 1])]
    assert np.array_equal(asked, samples.read("eeg")[[3, 1]][:, ::-1])
    assert isinstance(rows.store.values, np.memmap)  # type: ignore[attr-defined]
    assert [len(batch) for batch in rows.batches(40)] == [40, 40, 16]


def test_tokens_are_band_entropies_of_the_standardised_window() -> None:
    epochs = 3 + 5 * np.random.default_rng(1).standard_normal((2, 3, 400))
    tokens = band_tokens(epochs, 200, bands=((4, 8), (14, 31)))
    for window, found in zip(epochs, tokens, strict=True):
        standard = (window - window.mean()) / window.std()
        for band, value in zip(((4, 8), (14, 31)), found.T, strict=True):
            top, bottom = butter(5, np.array(band) / 100, "bandpass")
            variance = lfilter(top, bottom, standard).var(axis=1)
            assert np.allclose(value, 0.5 * np.log2(2 * np.pi * np.e * variance), atol=1e-3)


def test_a_baseline_of_the_same_brain_cancels_out() -> None:
    """The tokens of a window whose baseline is the window itself, over and over, are nothing."""
    samples = study(trials=2)
    windows = samples.read("eeg")[:, :, :128]
    form = samples.store("eeg").description
    stores = ArrayStore(windows, form), ArrayStore(np.tile(windows, 3), form)
    samples = samples.with_modality("eeg", "seconds", stores[0], range(len(samples)))
    with pytest.raises(DataError, match="8 of 8 samples have no baseline to subtract"):
        RBTransformer(RBTransformerSettings(baseline=True))._rows(samples)
    rows = np.arange(len(samples))[::-1]
    swapped = samples.with_modality("baseline", "before", stores[1], rows)
    subtracted = RBTransformer(RBTransformerSettings(baseline=True))._rows(swapped)[torch.arange(8)].numpy()
    tokens = RBTransformer()._rows(samples)[torch.arange(8)].numpy()
    assert np.allclose(subtracted, tokens - tokens[rows], atol=1e-4) and np.ptp(subtracted) > 0.1


def test_attention_is_a_square_of_electrodes() -> None:
    train, validation, test = parts()
    system = RBTransformer(RBTransformerSettings(training=FEW)).fit(train, validation, TASK)
    attention = system.attention(test)
    assert attention.shape == (4, 4) and np.allclose(attention.sum(axis=1), 1)


def test_histn_scales_each_trial_by_its_largest_value() -> None:
    train, validation, test = parts()
    system = HiSTN(HiSTNSettings(training=FEW)).fit(train, validation, TASK)
    loud = study(units=7.0).select(slice(64, 96))
    assert np.allclose(system.predict(loud).probabilities, system.predict(test).probabilities, atol=1e-5)


@pytest.mark.parametrize("spread", [0.0, 0.5])
def test_histn_softens_targets_only_where_it_is_told_to(spread: float) -> None:
    logits, targets = torch.randn(6, 5), torch.tensor([0, 1, 2, 3, 4, 2])
    loss = HiSTN(HiSTNSettings(spread=spread))._loss(logits, targets)
    weights = np.exp(-((np.arange(5) - targets.numpy()[:, None]) ** 2) / (2 * max(spread, 1e-3) ** 2))
    weights /= weights.sum(axis=1, keepdims=True)
    assert float(loss) == pytest.approx(
        float(-(weights * logits.log_softmax(dim=1).numpy()).sum(axis=1).mean()), abs=1e-5
    )


def test_regions_cover_any_montage_once() -> None:
    names = [
        "Fp1",
        "Fp2",
        "F7",
        "F3",
        "Fz",
        "F4",
        "F8",
        "T7",
        "C3",
        "Cz",
        "C4",
        "T8",
        "P7",
        "P3",
        "Pz",
        "P4",
        "P8",
        "O1",
        "O2",
    ]
    graph = graph_of(names)
    assert sorted(row for region in graph.regions for row in region) == list(range(len(names)))
    home = {row: number for number, region in enumerate(graph.regions) for row in region}
    assert all(home[one] == home[other] for one, other in graph.edges)
    assert {row for edge in graph.edges for row in edge} == set(home), "nobody is alone"
    with pytest.raises(DataError, match="one quarter"):
        graph_of(["F3", "F7"])


def test_delayed_copies_are_rolled_ones_without_the_wrapped_edge() -> None:
    epochs = np.random.default_rng(0).standard_normal((2, 3, 50))
    rolled = np.concatenate([np.roll(epochs, delay, axis=2) for delay in (8, 4, 0)], axis=1)
    assert np.array_equal(delay_embedding(epochs, order=3, lag=4), rolled[..., 8:])
    with pytest.raises(DataError, match="50 samples are too few for 3 copies 25 samples apart"):
        delay_embedding(epochs, order=3, lag=25)


def test_tangent_space_learns_power_and_is_saved(tmp_path: Path) -> None:
    train, validation, test = parts()
    system = TangentSpace().fit(train, validation, TASK)
    assert (system.predict(test).labels == test.table["state"]).mean() > 0.9
    system.save(tmp_path / "one")
    assert np.allclose(
        TangentSpace.load(tmp_path / "one").predict(test).probabilities, system.predict(test).probabilities
    )


def test_settings_of_networks_are_those_of_their_class() -> None:
    assert EEGNet().settings == SignalNetworkSettings()
    assert BandPowerTransformer().predicts_from == ("features",)


def test_a_saved_network_of_other_channels_or_another_rate_is_nothing_to_begin_with(tmp_path: Path) -> None:
    samples, once = study(trials=4), SignalNetworkSettings(training=Training(epochs=1))
    none = samples.select([])
    EEGNet(once).fit(samples, none, TASK).save(tmp_path)
    store = samples.store("eeg")
    for change in ({"channels": CHANNELS[::-1]}, {"rate": 256}):
        form = store.description.model_copy(update=change)
        other = samples.with_modality(
            "eeg", "other", ArrayStore(store.read(samples.rows("eeg")), form), range(len(samples))
        )
        with pytest.raises(SettingsError, match=r"reads other channels, or at another rate \(start_from\): keep"):
            EEGNet(once).fit(other, none, TASK, start_from=tmp_path)
    (tmp_path / "network.safetensors").write_text("no weights")
    with pytest.raises(BundleError, match=r"the saved EEGNet is damaged: .*: fit it and save it again"):
        EEGNet.load(tmp_path)
