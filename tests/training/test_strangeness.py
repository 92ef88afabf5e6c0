"""Strangeness: what the scale means, and that it holds for groups that were never seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.decomposition import PCA

from insula.storage.folder import load_estimator, save_estimator
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


@pytest.fixture(scope="module")
def narrow() -> tuple[Strangeness, list[np.ndarray]]:
    """Float32 features whose distances hardly differ, so that rounding weighs most, and some new ones."""
    rng = np.random.default_rng(0)
    known, new = (rng.standard_normal((n, 1000)).astype(np.float32) for n in (60, 20))
    return Strangeness([known], np.arange(60)), [new]


def test_what_is_saved_is_what_was_fitted_and_scores_the_same(
    narrow: tuple[Strangeness, list[np.ndarray]], tmp_path: Path
) -> None:
    """Saving keeps every bit; the arithmetic may differ in the last digits of a double by where an array lies."""
    fitted, new = narrow
    save_estimator(tmp_path / "strangeness.safetensors", fitted.parts())
    loaded = Strangeness.of(load_estimator(tmp_path / "strangeness.safetensors"))
    assert loaded.directions.tobytes() == fitted.directions.tobytes()
    np.testing.assert_allclose(loaded(new), fitted(new), rtol=0, atol=1e-10)


def test_a_score_does_not_depend_on_how_many_are_scored_at_once(narrow: tuple[Strangeness, list[np.ndarray]]) -> None:
    fitted, (new,) = narrow
    alone = np.concatenate([fitted([new[row : row + 1]]) for row in range(len(new))])
    np.testing.assert_allclose(alone, fitted([new]), rtol=0, atol=1e-10)
