"""The teacher on EEG: what it reads, that it learns, that it says when it did not, and what support adds."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from insula.corpora.catalogue import corpus
from insula.corpora.fakes import FAKES
from insula.errors import DataError, LabelError, SettingsError
from insula.samples import ArrayStore, Description, Samples, concat, provenance
from insula.storage.cache import Cache
from insula.systems.neurogaze.recordings import read_recordings
from insula.systems.neurogaze.settings import Teacher
from insula.systems.neurogaze.teacher import TrainedBank, prototypes_once
from toy import toy_unpaired

SMALL: dict[str, Any] = {
    "map_size": 8, "widths": (16,), "width": 32, "dropout": 0.1,
    "training": {"epochs": 12, "patience": 12, "batch_size": 32, "learning_rate": 1e-2},
}  # fmt: skip


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INSULA_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def films() -> Samples:
    return toy_unpaired(pictures=9, people=5, films=20)


def teach(films: Samples, seed: int = 0, shuffled: int | None = None, **changes: Any) -> TrainedBank:
    settings = Teacher(**{**SMALL, **changes})
    return prototypes_once(read_recordings(films, settings, shuffled), settings, seed)


def test_it_reads_ratings_on_the_plane_and_values_standardised_in_each_person(films: Samples) -> None:
    found = read_recordings(films, Teacher())
    assert found.values.shape == (400, 6, 4)  # four of five bands
    for person in np.unique(found.people):
        assert np.allclose(found.values[found.people == person].mean(axis=0), 0, atol=1e-4)
        assert np.allclose(found.values[found.people == person].std(axis=0), 1, atol=1e-3)
    rated = films.table.loc[films.has("features"), ["valence", "arousal"]].to_numpy()
    assert np.allclose(found.ratings, (rated - 3) / 2)


def test_a_teacher_learns_ratings_of_people_held_out_and_makes_a_bank(films: Samples, cache: Path) -> None:
    taught = teach(films)
    assert min(taught.facts["concordance"].values()) > 0.4
    assert not taught.facts["prototypes are noise"]
    assert taught.bank.prototypes.shape == (25, 32)
    assert taught.bank.counts.sum() == 20  # the trials of one person of five
    kept = {path: path.stat().st_mtime_ns for path in cache.rglob("*.*") if path.is_file()}
    assert teach(films).bank.sha256 == taught.bank.sha256
    assert {path: path.stat().st_mtime_ns for path in cache.rglob("*.*") if path.is_file()} == kept
    other = teach(films, grid=3)
    assert other.bank.grid == 3 and other.bank.about["teacher"] == taught.bank.about["teacher"]
    brief = {**SMALL["training"], "epochs": 1}
    assert teach(films, training=brief).bank.about["teacher"] != taught.bank.about["teacher"]


def test_shuffled_ratings_leave_noise_and_it_is_said_loudly(films: Samples, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        teach(films)
        assert "NOISE" not in caplog.text
        found = teach(films, shuffled=0)
    assert max(found.facts["concordance"].values()) <= 0.05
    assert found.facts["prototypes are noise"]
    assert "THE PROTOTYPES ARE NOISE" in caplog.text


def test_shuffled_ratings_are_dealt_out_over_trials(films: Samples) -> None:
    shuffled, plain = read_recordings(films, Teacher(), shuffled=0), read_recordings(films, Teacher())
    assert not np.array_equal(shuffled.ratings, plain.ratings)
    assert np.allclose(np.sort(shuffled.ratings, axis=0), np.sort(plain.ratings, axis=0))
    for trial in np.unique(shuffled.trials):
        assert len(np.unique(shuffled.ratings[shuffled.trials == trial], axis=0)) == 1


def test_few_trials_in_a_cell_are_a_fact(films: Samples) -> None:
    taught = teach(films, training={"epochs": 1})
    assert taught.facts["cells of fewer than 5 trials"] == int((taught.bank.counts < 5).sum()) > 0


def unrated(films: Samples) -> Samples:
    """Return the films beside EEG of another corpus, with more electrodes and ratings on another scale."""
    channels = ("Fz", "F3", "F4", "C3", "C4", "P3", "P4")
    values = np.random.default_rng(1).standard_normal((40, len(channels), 5)).astype(np.float32)
    form = Description(kind="features", axes=("channel", "band"), channels=channels, units="nats")
    start = 2.0 * np.arange(40)
    table = provenance(
        corpus="more", subject=np.repeat(["T1", "T2"], 20), session="1", trial=(np.arange(40) // 4).astype(str),
        stimulus="film", start=start, stop=start + 2,
    )  # fmt: skip
    more = Samples(table.assign(felt_valence=9.0, felt_arousal=9.0), {})
    return concat([films, more.with_modality("features", "features", ArrayStore(values, form), range(40))])


def test_corpora_that_rate_on_other_scales_teach_together(tmp_path: Path) -> None:
    for name in ("dreamer", "deap"):
        FAKES[name](tmp_path)
    both = corpus("joined", corpora={
        "dreamer": {"root": tmp_path, "last": 4}, "deap": {"root": tmp_path},
    }).samples(Cache(tmp_path / "cache"))  # fmt: skip
    names = both.table.loc[both.has("features"), "corpus"].to_numpy(object)
    found = read_recordings(both, Teacher(ratings={"scales": {"deap": (1, 9)}}))
    rated = both.table.loc[both.has("features"), ["valence", "arousal"]].to_numpy(float)
    assert set(names) == {"dreamer", "deap"}
    assert np.allclose(found.ratings[names == "dreamer"], (rated[names == "dreamer"] - 3) / 2)
    assert np.allclose(found.ratings[names == "deap"], (rated[names == "deap"] - 5) / 4, atol=1e-6)
    with pytest.raises(LabelError, match=r"off the scale 1 to 5 .*system\.teacher\.ratings\.scales: \{deap: \[1,"):
        read_recordings(both, Teacher())


@pytest.mark.parametrize("support", ["none", "pseudo", "labels"])
def test_support_joins_as_it_is_told(films: Samples, support: str) -> None:
    both = unrated(films)
    taught = teach(both, support=support, training={"epochs": 1})
    assert read_recordings(both, Teacher(support=support)).channels == ("F3", "F4", "C3", "C4", "P3", "P4")
    if support == "none":
        assert "windows of support" not in taught.facts
        assert taught.bank.counts.sum() == 20
    else:
        assert taught.facts["windows of support"] == {"pseudo": 20, "labels": 40}[support]
        assert taught.bank.counts.sum() > 20
    if support == "labels":
        assert taught.bank.counts[24] >= 10  # all rated nine and nine


def test_a_baseline_is_subtracted_where_there_is_one(tmp_path: Path) -> None:
    FAKES["dreamer"](tmp_path)
    settings = {"root": tmp_path, "last": 4}
    bare, with_baseline = (
        read_recordings(corpus("dreamer", **settings, baseline=has).samples(Cache(tmp_path / "cache")), Teacher())
        for has in (False, True)
    )
    assert bare.values.shape == with_baseline.values.shape == (72, 14, 4)
    assert not np.allclose(bare.values, with_baseline.values)
    assert np.array_equal(bare.ratings, with_baseline.ratings)


def test_what_it_cannot_learn_from_is_one_line(films: Samples) -> None:
    with pytest.raises(DataError, match="no EEG with valence and arousal"):
        read_recordings(films.without(["valence"]), Teacher())
    with pytest.raises(DataError, match="rated EEG of 1 person"):
        teach(films.select((films.table["subject"] == "S1").to_numpy(bool, na_value=False)))
    with pytest.raises(SettingsError, match="unknown band 'kappa'"):
        read_recordings(films, Teacher(bands=("kappa",)))
    with pytest.raises(SettingsError, match="cannot be halved 4 times"):
        Teacher(map_size=8)
