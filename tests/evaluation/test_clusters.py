"""What features cluster by: silhouettes and t-SNE maps, before and after an alignment."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from sklearn.metrics import silhouette_score

from insula.errors import DataError
from insula.evaluation.clusters import draw_clusters, silhouettes

pytestmark = pytest.mark.slow

SUBJECTS = np.repeat([f"S{number}" for number in range(4)], 20)
EMOTIONS = np.tile(["joy", "fear"], 40)
LABELS = {"corpus": ["toy"] * 80, "subject": list(SUBJECTS), "emotion": list(EMOTIONS)}


def spaces() -> dict[str, np.ndarray]:
    """Features that differ more between subjects than between emotions, and the same centred by subject."""
    rng = np.random.default_rng(0)
    offsets = 6 * rng.standard_normal((4, 8))[np.repeat(np.arange(4), 20)]
    values = rng.standard_normal((80, 8)) + 2 * (EMOTIONS == "joy")[:, None] + offsets
    means = np.repeat(values.reshape(4, 20, 8).mean(axis=1), 20, axis=0)
    return {"before": values, "after": values - means}


def test_alignment_lowers_that_of_subjects_and_raises_that_of_emotions() -> None:
    table = silhouettes(spaces(), LABELS).set_index(["space", "label"])["silhouette"]
    assert table["before", "subject"] > 0.4 > 0.1 > table["after", "subject"]
    assert table["before", "emotion"] < 0.1 < 0.3 < table["after", "emotion"]
    assert np.isnan(table["before", "corpus"]), "one corpus has nothing to lie apart from"


def test_the_unlabelled_and_those_alone_are_left_out() -> None:
    values, names = spaces()["before"], [None, "only one", *SUBJECTS[2:]]
    row = silhouettes({"before": values}, {"subject": names}).iloc[0]
    assert (row["n"], row["groups"]) == (78, 4)
    assert row["silhouette"] == pytest.approx(silhouette_score(values[2:], SUBJECTS[2:]))
    with pytest.raises(DataError, match=r"79 labels for 80 samples \(subject\)"):
        silhouettes({"before": values}, {"subject": names[1:]})


def test_the_maps_are_drawn_with_their_silhouettes() -> None:
    plot = draw_clusters(spaces(), LABELS, mark="LEAKING")
    drawn = base64.b64decode(plot.picture.partition(",")[2]).decode()
    assert all(f"<!-- {word} -->" in drawn for word in ("joy", "fear", "S3", "LEAKING", "after, by corpus: one group"))
    assert "before: corpus one group, subject 0." in plot.alternative
