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
