"""BMCI's trained visual branch: it learns, adapts, repeats itself, and asks leave to see test pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from insula.emotions import Categorical
from insula.errors import DataError, SettingsError
from insula.evaluation.experiment import plan
from insula.evaluation.recipe import Recipe
from insula.samples import ArrayStore, Samples, concat
from insula.storage.cache import Cache
from insula.systems.bmci.pictures import TrainedReader
from insula.systems.bmci.settings import PRESETS, BMCISettings, Vision, VisionTraining
from insula.systems.bmci.system import BMCI
from insula.systems.bmci.vision import feature_gap
from insula.systems.catalogue import system
from toy import CLASSES, toy_study

TASK = Categorical(label="emotion", classes=CLASSES)
TRAINING = VisionTraining(epochs=7, batch_size=16, learning_rate=0.05, gradient_clip=1.0)
VISION = Vision(width=32, views=3, training=TRAINING)
ONE_EPOCH = {"training": TRAINING.model_copy(update={"epochs": 1})}

slow = pytest.mark.slow


def _settings(**vision: Any) -> BMCISettings:
    return BMCISettings(backbone="resnet10t", picture_size=32, vision=VISION.model_copy(update=vision))


@pytest.fixture(scope="module")
def pictures() -> Samples:
    """One sample a picture, 90 of them, of which a third is dimmer than the rest."""
    samples = toy_study(pictures=90, subjects=(), noise=0.1)
    store = samples.store("picture")
    assert isinstance(store, ArrayStore)
    dim = store.values.copy()
    dim[60:] = 0.7 * dim[60:]
    return samples.with_modality("picture", "pictures", ArrayStore(dim, store.description), range(90))


def _fit(settings: BMCISettings, samples: Samples, unlabelled: Samples | None = None) -> tuple[TrainedReader, dict]:
    seen, held = samples.select(slice(0, 44)), samples.select(slice(44, 60))
    labels = TASK.targets(samples.table)
    reader = TrainedReader(settings)
    return reader, reader.fit(seen, labels[:44], held, labels[44:60], len(CLASSES), unlabelled)


@pytest.fixture(scope="module")
def fitted(pictures: Samples) -> tuple[TrainedReader, dict]:
    return _fit(_settings(), pictures)


@slow
def test_it_learns_what_generalises_and_reports_how(fitted: tuple[TrainedReader, dict]) -> None:
    facts = fitted[1]
    assert facts["accuracy"]["held_out"] > 0.7, "three classes of bars, a third would be chance"
    assert facts["validation_losses"][facts["epoch"] - 1] == min(facts["validation_losses"])
    assert len(facts["train_losses"]) == 7 and "mmd" not in facts


@slow
def test_features_are_what_each_source_promises(fitted: tuple[TrainedReader, dict], pictures: Samples) -> None:
    reader, seen = fitted[0], pictures.select(slice(0, 44))
    views, plain = reader.training_features(seen), reader.features(seen)
    assert views.shape == (44, 3, 32) and views.dtype == plain.dtype == np.float32
    assert not np.array_equal(views[:, 0], views[:, 1]) and not np.array_equal(views[:, 0], plain)
    assert np.array_equal(views, reader.training_features(seen)), "the same views each time"
    assert np.allclose(reader.features(pictures.select([50, 3]))[1], plain[3], atol=1e-5)
    bottleneck, _ = _fit(_settings(source="bottleneck", **ONE_EPOCH), pictures)
    assert np.array_equal(bottleneck.training_features(seen), bottleneck.features(seen)[:, None])


def test_frozen_features_are_those_of_the_backbone_as_it_came(pictures: Samples) -> None:
    reader, facts = _fit(_settings(source="frozen"), pictures)
    bare = TrainedReader(BMCISettings(backbone="resnet10t", picture_size=32))
    assert np.array_equal(reader.features(pictures), bare.features(pictures))
    assert np.array_equal(reader.training_features(pictures)[:, 0], bare.features(pictures))
    assert set(facts) == {"gap"} and set(facts["gap"]) == {"norm"}
    assert _fit(BMCISettings(backbone="resnet10t", picture_size=32), pictures)[1] == {}


@slow
def test_same_seed_same_features_other_seed_others(pictures: Samples) -> None:
    settings = _settings(**ONE_EPOCH)
    (one, facts), (two, same) = _fit(settings, pictures), _fit(settings, pictures)
    assert facts == same and np.array_equal(one.features(pictures), two.features(pictures))
    other, _ = _fit(settings.model_copy(update={"seed": 1}), pictures)
    assert not np.array_equal(other.features(pictures), one.features(pictures))


@slow
def test_a_saved_network_reads_the_same(fitted: tuple[TrainedReader, dict], pictures: Samples, tmp_path: Path) -> None:
    fitted[0].save(tmp_path)
    loaded = TrainedReader(_settings(), tmp_path / "backbone.safetensors")
    assert np.array_equal(loaded.features(pictures), fitted[0].features(pictures))
    with pytest.raises(DataError, match="not been trained yet: fit first"):
        TrainedReader(_settings()).features(pictures)


@slow
def test_mmd_brings_the_target_closer(fitted: tuple[TrainedReader, dict], pictures: Samples) -> None:
    dim = pictures.select(slice(60, 90)).without(["emotion"])
    reader, facts = _fit(_settings(adapt="mmd", target="pool"), pictures, dim)

    def apart(reader: TrainedReader) -> float:
        seen, target = reader.features(pictures.select(slice(0, 44))), reader.features(dim)
        return float(np.linalg.norm(seen.mean(axis=0) - target.mean(axis=0)) / np.sqrt(seen.var(axis=0).sum()))

    assert apart(reader) < apart(fitted[0])
    assert facts["mmd"]["after"] < facts["mmd"]["before"]


@slow
@pytest.mark.parametrize("adapt", ["mmd", "adversarial"])
def test_the_target_is_used_without_labels_each_picture_once(adapt: str, pictures: Samples, tmp_path: Path) -> None:
    dim = pictures.select(slice(60, 90)).without(["emotion"])
    settings = _settings(adapt=adapt, target="pool", **ONE_EPOCH)
    reader, facts = _fit(settings, pictures, dim)
    assert np.isfinite([facts["mmd"]["before"], facts["mmd"]["after"]]).all()
    alone, _ = _fit(_settings(**ONE_EPOCH), pictures)
    assert not np.allclose(reader.features(dim), alone.features(dim))
    repeated, _ = _fit(settings, pictures, concat([dim, dim.select([0, 1])]))
    assert np.array_equal(repeated.features(dim), reader.features(dim)), "a picture in two rows counts once"
    reader.save(tmp_path)
    loaded = TrainedReader(settings, tmp_path / "backbone.safetensors")
    assert np.array_equal(loaded.features(dim), reader.features(dim)), "without the domain classifier"


def test_adapting_to_nothing_is_refused(pictures: Samples) -> None:
    for unlabelled in (None, pictures.select([]), pictures.select([70])):
        with pytest.raises(SettingsError, match=r"adapts to the test pictures.*target=unlabelled"):
            _fit(_settings(adapt="mmd", target="test"), pictures, unlabelled)
    with pytest.raises(SettingsError, match=r"adapts to a pool of pictures, and none were given"):
        _fit(_settings(adapt="mmd", target="pool"), pictures)


@pytest.mark.parametrize(
    ("vision", "what"),
    [
        ({"adapt": "mmd"}, "adapting needs a target"),
        ({"target": "test"}, "adapting needs a target"),
        ({"source": "frozen", "adapt": "mmd", "target": "pool"}, "frozen features cannot be adapted"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(vision: dict, what: str) -> None:
    with pytest.raises(SettingsError, match=what):
        Vision.parse(vision, where="vision")


@slow
@pytest.mark.parametrize("source", ["bottleneck", "frozen"])
def test_without_validation_the_last_epoch_is_kept_and_there_is_no_gap(source: str, pictures: Samples) -> None:
    nobody = pictures.select([])
    reader = TrainedReader(_settings(source=source, **ONE_EPOCH))
    facts = reader.fit(pictures, TASK.targets(pictures.table), nobody, np.empty(0, np.int64), len(CLASSES), None)
    assert facts["gap"] == {} and facts.get("epoch", 1) == 1
    assert facts.get("accuracy", {"held_out": None})["held_out"] is None


def test_a_change_of_one_key_keeps_the_usual_training() -> None:
    paper = system("bmci", "paper", vision={"training": {"epochs": 3}}).settings.vision
    assert paper == PRESETS["paper"]["vision"].model_copy(update={"training": VisionTraining(epochs=3)})
    assert (paper.training.optimiser, paper.training.learning_rate) == ("sgd", 3e-3)


def test_vision_wants_a_backbone() -> None:
    for settings in ({}, {"backbone": "resnet18", "grid": 2}):
        with pytest.raises(SettingsError, match="vision trains a timm backbone"):
            BMCISettings.parse({"vision": {}, **settings}, where="system bmci")


def test_the_gap_is_the_mean_length_and_the_normalised_entropy() -> None:
    import torch

    rng = np.random.default_rng(0)
    seen, held = rng.random((6, 2, 4)).astype(np.float32), 2 * rng.random((5, 4)).astype(np.float32)
    head = torch.nn.Linear(4, 3)
    gap = feature_gap(seen, held, head)
    lengths = [np.sqrt(sum(float(x) ** 2 for x in row)) for row in held]
    assert gap["norm"]["held_out"] == pytest.approx(np.mean(lengths), rel=1e-6)
    assert gap["norm"]["train"] == pytest.approx(np.mean([np.sqrt((r**2).sum()) for v in seen for r in v]), rel=1e-5)
    weight, bias = head.weight.detach().numpy(), head.bias.detach().numpy()
    entropies = []
    for row in held:
        share = np.exp(weight @ row + bias) / np.exp(weight @ row + bias).sum()
        entropies.append(-(share * np.log(share)).sum() / np.log(3))
    assert gap["entropy"]["held_out"] == pytest.approx(np.mean(entropies), rel=1e-5)
    with torch.no_grad():
        head.weight.zero_()
        head.bias.zero_()
    assert feature_gap(seen, held, head)["entropy"]["train"] == pytest.approx(1, rel=1e-5)
    assert feature_gap(seen, held[:0], head) == {}


@pytest.fixture
def stored(pictures: Samples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Samples:
    """The pictures on disk, and a cache of their own."""
    monkeypatch.setenv("INSULA_CACHE", str(tmp_path / "cache"))
    pictures.save(tmp_path / "study")
    return Samples.open(tmp_path / "study")


@slow
def test_a_network_trained_on_stored_pictures_is_trained_once(
    pictures: Samples, stored: Samples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import insula.systems.bmci.vision as module

    settings = _settings(training=TRAINING.model_copy(update={"epochs": 2}))
    straight, facts = _fit(settings, pictures)
    assert not (tmp_path / "cache").exists(), "pictures in memory leave no trace"
    times: list[int] = []
    train = module.train_vision
    monkeypatch.setattr(module, "train_vision", lambda *given: (times.append(1), train(*given))[1])
    readers = [_fit(settings, stored) for _ in range(2)]
    assert len(times) == 1, "the second time it is read"
    for reader, found in readers:
        assert found["gap"] == facts["gap"]
        assert np.array_equal(reader.features(pictures), straight.features(pictures))
    swapped = stored.with_columns(emotion=stored.table["emotion"].to_numpy()[::-1])
    _fit(settings, swapped)
    assert len(times) == 2, "other labels, another network"
    assert not list((tmp_path / "cache" / "checkpoints").glob("*/*.ckpt"))


@slow
def test_an_interrupted_training_goes_on_where_it_was(
    pictures: Samples, stored: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    import insula.systems.bmci.vision as module

    settings = _settings(training=TRAINING.model_copy(update={"epochs": 3}))
    batches, power = [0], [7]
    alter = module.alter_pictures

    def pull_the_plug(inputs):  # type: ignore[no-untyped-def]
        batches[0] += 1
        if batches[0] == power[0]:  # 3 batches an epoch: within the third
            raise OSError("power cut")
        return alter(inputs)

    monkeypatch.setattr(module, "alter_pictures", pull_the_plug)
    with pytest.raises(OSError, match="power cut"):
        _fit(settings, stored)
    power[0], batches[0] = -1, 0
    resumed, _ = _fit(settings, stored)
    assert batches[0] == 3 + 3, "one epoch and three views"
    straight, _ = _fit(settings, pictures)
    assert np.array_equal(resumed.features(pictures), straight.features(pictures))


def _recipe(protocol: dict, vision: dict) -> Recipe:
    corpus = {"name": "simulated-study", "pictures": 70, "identities": 14, "subjects": 1, "size": 32}
    system = {"name": "bmci", "backbone": "resnet10t", "vision": vision}
    return Recipe.parse({"name": "transductive", "corpus": corpus, "protocol": protocol, "system": system,
                         "repeats": 1, "controls": ["majority"]}, where="test")  # fmt: skip


def test_test_pictures_are_seen_only_where_the_protocol_permits_it(tmp_path: Path) -> None:
    protocol = {"name": "identity-disjoint", "folds": 2, "scored_unit": "stimulus"}
    test = {"adapt": "mmd", "target": "test"}
    with pytest.raises(SettingsError, match=r"bmci learns from the test inputs.*set protocol.target=unlabelled"):
        plan(_recipe(protocol, test), Cache(tmp_path))
    plan(_recipe({**protocol, "target": "unlabelled"}, test), Cache(tmp_path))
    plan(_recipe(protocol, {"adapt": "mmd", "target": "pool"}), Cache(tmp_path))
    assert BMCI(_settings(adapt="mmd", target="test")).target_access == "unlabelled"
    assert BMCI(_settings(adapt="mmd", target="pool")).target_access == BMCI().target_access == "none"
