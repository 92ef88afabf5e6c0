"""The bank of prototypes: cells, filling, provenance, placebos."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from insula.emotions import Continuous
from insula.errors import BundleError
from insula.systems.neurogaze.bank import (
    PrototypeBank,
    build_bank,
    cells_of,
    grid_centres,
    handmade_prototypes,
    random_prototypes,
    shuffled_grid,
)

RATED = np.array([(v, a) for a in range(1, 6) for v in range(1, 6)], float)  # every pair of five steps
ON_PLANE = (RATED - 3) / 2


def unit(count: int, width: int = 32, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).standard_normal((count, width))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def bank(teacher: str = "a" * 64, seed: int = 0) -> PrototypeBank:
    cells = np.repeat(np.arange(25), 2)
    return build_bank(unit(50, seed=seed), cells, np.ones(50), np.arange(50), 5, {"teacher": teacher})


def test_five_steps_are_five_cells_one_to_one() -> None:
    assert cells_of(ON_PLANE, 5).tolist() == list(range(25))
    assert np.allclose(grid_centres(5)[[0, 24]], [[-0.8, -0.8], [0.8, 0.8]])
    task = Continuous(label="valence", scale=(1, 5))
    assert np.allclose(task.targets(pd.DataFrame({"valence": RATED[:, 0]})), ON_PLANE[:, 0])


def test_most_cells_of_a_seven_by_seven_grid_cannot_be_reached_by_five_steps() -> None:
    reached = set(cells_of(ON_PLANE, 7))
    assert 49 - len(reached) >= 24
    assert not {cell % 7 for cell in reached} & {2, 4}
    assert not {cell // 7 for cell in reached} & {2, 4}


def test_nine_steps_fall_two_two_one_two_two_into_five_cells() -> None:
    steps = (np.arange(1, 10) - 5) / 4
    cells = cells_of(np.column_stack([steps, -np.ones(9)]), 5)
    assert np.bincount(cells, minlength=5).tolist() == [2, 2, 1, 2, 2]


def test_a_prototype_is_the_weighted_mean_of_its_windows_of_unit_length() -> None:
    features, weights = unit(4), np.array([1.0, 1.0, 0.5, 1.0])
    found = build_bank(features, np.array([7, 7, 7, 12]), weights, np.array([0, 0, 1, 2]), 5, {})
    mean = features[0] + features[1] + 0.5 * features[2]
    assert np.allclose(found.prototypes[7], mean / np.linalg.norm(mean), atol=1e-6)
    assert found.counts[7] == 2 and found.counts[12] == 1 and found.counts.sum() == 3  # trials, not windows
    assert np.allclose(np.linalg.norm(found.prototypes, axis=1), 1, atol=1e-6)


def test_an_empty_cell_has_the_prototype_of_the_nearest_that_is_not() -> None:
    found = build_bank(unit(2), np.array([0, 24]), np.ones(2), np.arange(2), 5, {})
    assert found.filled_from[[0, 24]].tolist() == [0, 24]
    assert found.filled_from[1] == 0 and found.filled_from[23] == 24
    centres = found.centres
    for cell in range(25):
        apart = np.linalg.norm(centres[cell] - centres[[0, 24]], axis=1)
        assert apart[[0, 24].index(found.filled_from[cell])] == pytest.approx(apart.min())
        assert np.array_equal(found.prototypes[cell], found.prototypes[found.filled_from[cell]])


def test_the_hash_changes_with_the_teacher_and_with_the_numbers() -> None:
    assert bank().sha256 == bank().sha256
    assert len({bank().sha256, bank(teacher="b" * 64).sha256, bank(seed=1).sha256}) == 3


def test_a_bank_is_read_as_it_was_written_and_an_altered_one_is_refused(tmp_path: Path) -> None:
    path, whole = tmp_path / "bank.npz", bank()
    whole.save(path)
    again = PrototypeBank.load(path)
    assert again.sha256 == whole.sha256 and again.about == whole.about
    with np.load(path) as held:
        arrays = dict(held)
    np.savez(tmp_path / "turned.npz", **{**arrays, "prototypes": arrays["prototypes"][::-1]})
    with pytest.raises(BundleError, match="was altered"):
        PrototypeBank.load(tmp_path / "turned.npz")
    long = PrototypeBank(2 * whole.prototypes, whole.centres, whole.counts, whole.filled_from, {})
    long.save(tmp_path / "long.npz")
    with pytest.raises(BundleError, match="not of unit length"):
        PrototypeBank.load(tmp_path / "long.npz")
    (tmp_path / "text.npz").write_text(json.dumps({}))
    with pytest.raises(BundleError, match="no bank of prototypes"):
        PrototypeBank.load(tmp_path / "text.npz")


def test_placebos_keep_the_form_and_lose_the_brain() -> None:
    whole = bank()
    drawn, dealt = random_prototypes(whole, 3), shuffled_grid(whole, 3)
    assert np.allclose(drawn.prototypes @ drawn.prototypes.T, np.eye(25), atol=1e-5)
    assert not np.array_equal(dealt.prototypes, whole.prototypes)
    assert np.allclose(np.sort(dealt.prototypes, axis=0), np.sort(whole.prototypes, axis=0), atol=1e-6)
    made = handmade_prototypes(5, 32).prototypes
    likeness = made @ made.T
    assert likeness[0, 1] > likeness[0, 2] > likeness[0, 24]  # near cells are alike, far ones are not
    for one in (drawn, dealt, handmade_prototypes(5, 32)):
        assert one.prototypes.shape == (25, 32)
        assert np.allclose(np.linalg.norm(one.prototypes, axis=1), 1, atol=1e-5)
        assert one.sha256 != whole.sha256


def test_more_random_prototypes_than_dimensions_are_orthogonal_in_parts() -> None:
    made = build_bank(unit(49, 16), np.arange(49), np.ones(49), np.arange(49), 7, {})
    drawn = random_prototypes(made, 0).prototypes
    assert drawn.shape == (49, 16) and np.allclose(np.linalg.norm(drawn, axis=1), 1, atol=1e-5)
