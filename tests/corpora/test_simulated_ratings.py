"""Simulated brains that rated films: band power follows what is felt as far as fidelity says; ratings are steps."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GroupKFold, cross_val_predict

from insula.corpora.simulated_ratings import SimulatedRatings, SimulatedRatingsSettings
from insula.samples import Samples
from insula.storage.cache import Cache


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    return Cache(tmp_path_factory.mktemp("cache"))


def study(cache: Cache, **changes: float) -> Samples:
    settings = {"subjects": 6, "films": 12, "seconds": 6, **changes}
    return SimulatedRatings(SimulatedRatingsSettings(**settings)).samples(cache)  # type: ignore[arg-type]


def decoded(samples: Samples, rating: str) -> float:
    """Return the correlation of a rating with what a linear model says of people it has not seen."""
    values, people = samples.read("features").reshape(len(samples), -1), samples.units("subject")
    for person in set(people):
        values[people == person] -= values[people == person].mean(axis=0)
    rated = samples.table[rating].to_numpy()
    said = cross_val_predict(RidgeCV([10, 100]), values, rated, groups=people, cv=GroupKFold(3))
    return float(np.corrcoef(said, rated)[0, 1])


def test_band_power_follows_both_ratings_in_people_never_seen(cache: Cache) -> None:
    samples = study(cache)
    assert decoded(samples, "valence") > 0.5
    assert decoded(samples, "arousal") > 0.5


def test_without_fidelity_nothing_is_there(cache: Cache) -> None:
    samples = study(cache, fidelity=0)
    assert abs(decoded(samples, "valence")) < 0.3  # 72 trials, of which 12 films are common to all
    assert abs(decoded(samples, "arousal")) < 0.3


def test_ratings_are_five_steps_and_one_for_a_trial(cache: Cache) -> None:
    table = study(cache).table
    assert set(table["valence"]) | set(table["arousal"]) <= {1.0, 2.0, 3.0, 4.0, 5.0}
    assert (table.groupby(["subject", "trial"])["valence"].nunique() == 1).all()
