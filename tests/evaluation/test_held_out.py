"""Which units intervals draw: what the protocol holds out, of classes and of ratings alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from insula.evaluation.arrays import evaluate
from insula.evaluation.results import Results

PEOPLE, FILMS, WINDOWS = 6, 4, 3


def _run(protocol: str | dict, **task: object) -> Results:
    rng = np.random.default_rng(0)
    who, film, _ = (part.ravel() for part in np.meshgrid(range(PEOPLE), range(FILMS), range(WINDOWS), indexing="ij"))
    y = np.where(film % 2, "fear", "calm")
    X = rng.normal(size=(len(y), 3)) + (y == "fear")[:, None]
    groups = {"subject": [f"S{n}" for n in who], "trial": film, "stimulus": [f"film-{n}" for n in film]}
    return evaluate(X, y, groups=groups, protocol=protocol, controls=["majority"], **task)


@pytest.mark.parametrize(
    ("protocol", "drawn", "clusters"),
    [
        ("subject-disjoint", "people", PEOPLE),
        ({"name": "subject-disjoint", "scored_unit": "sample"}, "people", PEOPLE),
        ("trial-disjoint", "units", PEOPLE * FILMS),
        ({"name": "trial-disjoint", "scored_unit": "sample"}, "trials", PEOPLE * FILMS),
        ({"name": "stimulus-disjoint", "folds": 2, "scored_unit": "trial"}, "stimuli", FILMS),
        ({"name": "subject-and-stimulus-disjoint", "folds": 2}, "stimuli", FILMS),
    ],
)
def test_what_is_held_out_is_drawn(protocol: str | dict, drawn: str, clusters: int, tmp_path: Path) -> None:
    results = _run(protocol)
    row = results.metrics().set_index("arm").loc["plain"]
    assert (row["drawn"], row["clusters"]) == (drawn, clusters)
    assert f"interval over {drawn}" in results.verdict().sentence


def test_a_film_that_people_call_by_different_names_is_scored_for_each_of_them(tmp_path: Path) -> None:
    """Labels that can be read off the features: the first person's label would call one answer of eight wrong."""
    rng = np.random.default_rng(0)
    who, film = (part.ravel() for part in np.meshgrid(range(8), range(16), indexing="ij"))
    y = np.where((film % 2 == 1) ^ (who == 7), "fear", "calm")
    X = rng.normal(size=(len(y), 3)) + 20 * (y == "fear")[:, None]
    groups = {"subject": [f"S{n}" for n in who], "trial": film, "stimulus": [f"film-{n}" for n in film]}
    with pytest.warns(UserWarning, match=r"different labels \(16 of 16\): each trial is scored"):
        results = evaluate(X, y, groups=groups, protocol="stimulus-disjoint", controls=["majority", "permuted"])
    row = results.metrics().set_index("arm").loc["plain"]
    assert (row["accuracy"], row["units"], row["drawn"], row["clusters"]) == (1.0, 128, "stimuli", 16)
    results.write(tmp_path / "run")
    assert "each trial is scored by itself" in (tmp_path / "run" / "report.html").read_text()


def test_films_on_which_all_agree_are_scored_as_films() -> None:
    results = _run({"name": "stimulus-disjoint", "folds": 2})
    assert results.metrics()["units"].tolist() == [FILMS, FILMS]
