"""A network on pictures: reads from disk, grows its pictures, is saved whole, knows its limits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from insula.emotions import Categorical
from insula.errors import DataError
from insula.samples import ArrayStore, Description, Samples, concat, provenance
from insula.systems.picture_network import PictureNetwork, PictureNetworkSettings
from insula.systems.pictures import pictures_digest
from insula.training.rows import PictureRows
from insula.training.settings import Training
from toy import CLASSES, toy_study

TASK = Categorical(label="emotion", classes=CLASSES)
SETTINGS = PictureNetworkSettings(
    backbone="resnet10t",
    sizes=(24, 32),
    augment=False,  # a mirrored bar is a bar of another class
    training=Training(epochs=12, patience=12, batch_size=16, learning_rate=2e-3, schedule="cosine"),
)


@pytest.fixture(scope="module")
def parts() -> tuple[Samples, Samples, Samples]:
    study = toy_study(pictures=90)
    people = study.units("identity")
    order = np.array([int(name[-2:]) for name in people])
    return tuple(
        study.select(np.flatnonzero((order % 5 >= low) & (order % 5 < high))) for low, high in ((0, 3), (3, 4), (4, 5))
    )  # type: ignore[return-value]


@pytest.fixture(scope="module")
def fitted(parts: tuple[Samples, Samples, Samples]) -> PictureNetwork:
    return PictureNetwork(SETTINGS).fit(parts[0], parts[1], TASK)


def test_it_learns_and_is_read_back_whole(
    fitted: PictureNetwork, parts: tuple[Samples, Samples, Samples], tmp_path: Path
) -> None:
    said = fitted.predict(parts[2])
    assert (said.labels == parts[2].table["emotion"].to_numpy()).mean() > 0.6
    fitted.save(tmp_path / "saved")
    again = PictureNetwork.load(tmp_path / "saved").predict(parts[2])
    assert np.allclose(again.probabilities, said.probabilities, atol=1e-6)
    assert (again.table["set"] == said.table["set"]).all()


def test_each_picture_is_learnt_once_whoever_watched_it(fitted: PictureNetwork, parts: tuple[Samples, ...]) -> None:
    seen = fitted.log.fits[0].ids
    table = parts[0].table.loc[seen]
    assert not table["stimulus"].duplicated().any()
    assert set(table["stimulus"]) == set(parts[0].table["stimulus"])


def test_a_picture_of_noise_is_strange(fitted: PictureNetwork, parts: tuple[Samples, ...]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1, 48, 48, 3), dtype=np.uint8)
    form = Description(kind="picture", axes=("row", "column", "colour"))
    strange = parts[2].select([0]).with_modality("picture", "noise", ArrayStore(noise, form), [0])
    said = fitted.predict(strange).table.iloc[0]
    usual = fitted.predict(parts[2]).table["out_of_distribution"]
    assert said["out_of_distribution"] > max(SETTINGS.silent_above, usual.max()) and said["reason"]


def test_rows_of_two_stores_come_in_order_and_of_two_sizes_are_refused() -> None:
    one, two = toy_study(pictures=6, seed=1), toy_study(pictures=6, seed=2)
    both = concat([one, two])
    rows = PictureRows(both)
    chosen = torch.tensor([len(one) + 2, 0, len(one)])
    wanted = both.select(chosen.numpy()).read("picture")
    assert torch.equal(rows[chosen], torch.from_numpy(wanted).permute(0, 3, 1, 2))
    small = ArrayStore(np.zeros((len(two), 8, 8, 3), np.uint8), two.store("picture").description)
    with pytest.raises(DataError, match=r"two sizes.*48 x 48 and .*8 x 8"):
        PictureRows(concat([one, two.with_modality("picture", "small", small, range(len(two)))]))


def test_pictures_are_told_apart_by_content_order_and_store() -> None:
    form = Description(kind="picture", axes=("row", "column", "colour"), units="uint8 RGB")
    stores = {
        name: ArrayStore(np.full((2, 4, 4, 3), value, np.uint8), form) for name, value in (("one", 1), ("two", 2))
    }
    table = provenance(2, corpus="c").assign(picture_row=[0, 0])

    def named(*names: str) -> list[object]:
        return pictures_digest(Samples(table.assign(picture_store=names), stores))

    assert named("one", "two") == named("one", "two")
    assert named("one", "two") != named("two", "one")
    assert named("one", "one") != named("two", "two")
