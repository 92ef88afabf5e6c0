"""Strangeness: what the scale means, and that it holds for groups that were never seen."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA

from insula.training.strangeness import Strangeness


def _people(count: int, seed: int, each: int = 3) -> tuple[list[np.ndarray], np.ndarray]:
    """Return two blocks of features of persons who differ in few directions, in very different units."""
    rng = np.random.default_rng(seed)
    ways = np.random.default_rng(99).standard_normal((10, 200))
    codes = np.repeat(rng.standard_normal((count, 10)), each, axis=0) + 0.3 * rng.standard_normal((count * each, 10))
    values = codes @ ways + rng.standard_normal((count * each, 200))
    return [values[:, :150], 1000 * values[:, 150:]], np.repeat(np.arange(count), each)


@pytest.fixture(scope="module")
def fitted() -> Strangeness:
    return Strangeness(*_people(40, seed=0))


def test_one_is_stranger_than_95_percent_of_people_never_seen(fitted: Strangeness) -> None:
    new = fitted(_people(300, seed=1)[0])
    assert (new > 1).mean() == pytest.approx(0.05, abs=0.04)
    assert np.median(new) == pytest.approx(0, abs=0.4)
    assert (new > 2).mean() < 0.01


def test_training_samples_look_less_strange_than_they_would_unseen(fitted: Strangeness) -> None:
    assert np.median(fitted(_people(40, seed=0)[0])) < np.median(fitted(_people(300, seed=1)[0])) - 0.3


@pytest.mark.parametrize("block", [0, 1])
def test_something_else_is_strange_in_whichever_block_it_shows(fitted: Strangeness, block: int) -> None:
    blocks = _people(50, seed=2)[0]
    rng = np.random.default_rng(3)
    blocks[block] = blocks[block].std() * rng.standard_normal(blocks[block].shape)
    assert fitted(blocks).min() > 1.5


def test_distance_is_the_residual_of_sklearns_components() -> None:
    rng = np.random.default_rng(0)
    ways = 10 * rng.standard_normal((20, 100))
    known, new = (rng.standard_normal((n, 20)) @ ways + rng.standard_normal((n, 100)) for n in (120, 30))
    space = PCA(20, svd_solver="full").fit(known)
    residual = np.linalg.norm(new - space.inverse_transform(space.transform(new)), axis=1)
    scores = Strangeness([known], np.arange(120))([new])
    assert np.corrcoef(scores, np.log(residual))[0, 1] == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("n", [2, 3, 7])
def test_a_handful_of_samples_gives_finite_scores(n: int) -> None:
    blocks, _ = _people(n, seed=0, each=1)
    assert np.isfinite(Strangeness(blocks, np.zeros(n))(blocks)).all()


def test_saved_parts_rebuild_it(fitted: Strangeness) -> None:
    new = _people(5, seed=1)[0]
    assert np.array_equal(Strangeness.of(fitted.parts())(new), fitted(new))
