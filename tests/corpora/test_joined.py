"""Corpora joined: what each lacks is missing, units stay apart, and splits hold people of both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from insula.corpora.catalogue import corpus
from insula.corpora.fakes import FAKES
from insula.emotions import Categorical
from insula.errors import SettingsError
from insula.evaluation.recipe import Recipe
from insula.evaluation.study import answers, cluster_of, open_study
from insula.protocols.audit import audit
from insula.protocols.protocol import protocol
from insula.samples import Samples
from insula.storage.cache import Cache

FACES: dict[str, Any] = {"pictures": 70, "identities": 10, "size": 24}
FILMS: dict[str, Any] = {"subjects": 3, "films": 4, "seconds": 4}
TASK = Categorical(label="emotion", classes="basic7")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    return Cache(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def both(cache: Cache) -> Samples:
    return corpus("joined", corpora={"simulated-faces": FACES, "simulated-ratings": FILMS}).samples(cache)


def test_what_a_corpus_lacks_is_missing_in_its_rows(both: Samples) -> None:
    faces = both.has("picture")
    assert np.array_equal(faces, ~both.has("features"))
    assert np.array_equal(both.table["emotion"].notna(), faces)
    assert np.array_equal(both.table["valence"].notna(), ~faces)
    assert sorted(set(both.table["corpus"])) == ["simulated-faces", "simulated-ratings"]


@pytest.mark.parametrize("rule", ["person-disjoint", "identity-disjoint"])
def test_unlabelled_rows_train_and_are_never_scored(both: Samples, rule: str) -> None:
    chosen = protocol(rule, folds=2, scored_unit="stimulus", validation_share=0.2)
    splits = chosen.splits(both, TASK)
    brains = both.ids[both.has("features")]
    for split in splits:
        assert audit(split, both, chosen).clean
        assert np.isin(brains, split.train).all()
        parts = [set(both.by_id(ids).units("identity")) - {None} for ids in (split.train, split.validation, split.test)]
        assert not (parts[0] & parts[2]) and not (parts[0] & parts[1]) and not (parts[1] & parts[2])


def test_sealed_labels_are_opened_for_the_corpora_that_have_them(cache: Cache, tmp_path: Path) -> None:
    FAKES["london-faces"](tmp_path)
    photographs = {"root": str(tmp_path), "faces": "cropped", "size": 24}
    recipe = Recipe(
        name="mixed",
        corpus={"name": "joined", "corpora": {"simulated-faces": FACES, "london-faces": photographs}},
        protocol={"name": "identity-disjoint", "folds": 2, "validation_share": 0},
        system={"name": "majority"},
    )
    found = answers(open_study(recipe, 0, cache))
    drawn = found.index.str.startswith("simulated-faces")
    assert found["truth"].notna().all()
    assert (found["truth"] == found["label"])[~drawn].all()
    assert not (found["truth"] == found["label"])[drawn].all()


def test_people_of_the_faces_that_are_tested_are_kept_whole_in_intervals_beside_films_of_nobody(cache: Cache) -> None:
    recipe = Recipe(
        name="both",
        corpus={"name": "joined", "corpora": {"simulated-faces": FACES, "simulated-ratings": FILMS}},
        protocol={"name": "person-disjoint", "folds": 2, "validation_share": 0.2, "scored_unit": "stimulus"},
        system={"name": "majority"},
    )
    assert cluster_of(open_study(recipe, 0, cache)) == "person"


def test_the_seed_is_added_to_that_of_every_corpus_that_has_one(cache: Cache) -> None:
    other = corpus("joined", seed=1, corpora={"simulated-faces": FACES, "simulated-ratings": FILMS})
    alone = corpus("simulated-faces", **FACES, seed=1).samples(cache)
    joined = other.samples(cache)
    assert np.array_equal(joined.select(joined.has("picture")).read("picture"), alone.read("picture"))


def test_a_label_of_other_classes_can_be_left_out(cache: Cache, tmp_path: Path) -> None:
    FAKES["dreamer"](tmp_path)
    films = {"root": str(tmp_path), "without": ["emotion"]}
    samples = corpus("joined", corpora={"simulated-faces": FACES, "dreamer": films}).samples(cache)
    assert set(samples.table["emotion"].dropna()) <= set(TASK.classes)
    assert samples.table.loc[samples.has("features"), "emotion"].isna().all()


def test_rows_of_a_corpus_without_official_parts_train(cache: Cache, tmp_path: Path) -> None:
    FAKES["fer2013"](tmp_path)
    pictures = {"root": str(tmp_path), "label_mode": "majority"}
    samples = corpus("joined", corpora={"fer2013": pictures, "simulated-ratings": FILMS}).samples(cache)
    chosen = protocol("as-given")
    split = chosen.splits(samples, Categorical(label="emotion", classes="ferplus8"))[0]
    assert audit(split, samples, chosen).clean
    assert np.isin(samples.ids[samples.has("features")], split.train).all()
    assert set(samples.by_id(split.test).table["part"]) == {"test"}


def test_what_a_corpus_lacks_on_disk_is_said_with_its_name(tmp_path: Path) -> None:
    lacks = corpus("joined", corpora={"simulated-faces": FACES, "dreamer": {"root": str(tmp_path)}}).check()
    assert len(lacks) == 1 and lacks[0].startswith("dreamer: ")


def test_wrong_settings_are_one_line() -> None:
    with pytest.raises(SettingsError, match="1 corpora to join"):
        corpus("joined", corpora={"simulated-faces": {}})
    with pytest.raises(SettingsError, match="unknown corpus 'dreams'"):
        corpus("joined", corpora={"simulated-faces": {}, "dreams": {}})
    with pytest.raises(SettingsError, match=r"unknown key 'picture' \(corpus simulated-faces\)"):
        corpus("joined", corpora={"simulated-faces": {"picture": 3}, "simulated-ratings": {}})


def test_one_corpus_is_joined_twice_under_names_of_ones_own(cache: Cache) -> None:
    ours = {"corpus": "simulated-faces", **FACES}
    one = corpus("joined", corpora={"here": ours, "there": {**ours, "seed": 5, "without": ["emotion"]}})
    samples = one.samples(cache)
    assert samples.table["corpus"].value_counts().to_dict() == {"here": 70, "there": 70}
    assert len(set(samples.units("identity"))) == 20
    assert samples.table.groupby("corpus")["emotion"].count().to_dict() == {"here": 70, "there": 0}
    truth = one.truth()
    assert truth is not None and set(samples.units("stimulus")) == set(truth.index)
