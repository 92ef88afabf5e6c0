"""What features cluster by: silhouettes and t-SNE maps, before and after an alignment."""

from __future__ import annotations

import base64
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import silhouette_score

from insula.emotions import Categorical
from insula.errors import DataError
from insula.evaluation.add_on import AddOn
from insula.evaluation.clusters import SILHOUETTES, ClusterMap, Silhouettes, cluster_map, silhouettes, write_clusters
from insula.evaluation.draw_clusters import draw_clusters
from insula.evaluation.subset import evenly
from insula.samples import ArrayStore, Samples
from toy import CLASSES, toy_windows

pytestmark = pytest.mark.slow

TASK = Categorical(label="emotion", classes=CLASSES)
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
    points = cluster_map(spaces(), LABELS)
    assert list(points) == ["space", "x", "y", "corpus", "subject", "emotion"] and len(points) == 160
    plot = draw_clusters(points, silhouettes(spaces(), LABELS), mark="LEAKING")
    drawn = base64.b64decode(plot.picture.partition(",")[2]).decode()
    assert all(f"<!-- {word} -->" in drawn for word in ("joy", "fear", "S3", "LEAKING", "after, by corpus: one group"))
    assert "before: corpus one group, subject 0." in plot.alternative


def drawn_sizes(groups: list[str], labels: list[str]) -> tuple[float, list[tuple[float, float]], float, float]:
    """Width of the picture, width and height of each panel, and where its legends begin and end, in pixels."""
    points = pd.DataFrame({"space": "features", "x": np.arange(40.0), "y": np.arange(40.0) ** 2})
    points = points.assign(**{label: np.resize(np.array(groups, object), 40) for label in labels})
    scores = pd.DataFrame({"space": "features", "label": labels, "silhouette": 0.1})
    figures: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("insula.evaluation.draw_clusters.svg", lambda figure: figures.append(figure) or b"")
        draw_clusters(points, scores)
    (figure,) = figures
    figure.draw_without_rendering()
    sizes = [(box.width, box.height) for box in (axes.get_window_extent() for axes in figure.axes)]
    legends = [axes.get_legend().get_window_extent() for axes in figure.axes]
    return figure.bbox.width, sizes, min(box.x0 for box in legends), max(box.x1 for box in legends)


@pytest.mark.parametrize("labels", [["emotion"], ["the label of a corpus with a long name", "subject", "emotion"]])
@pytest.mark.parametrize("length", [1, 12, 90])
def test_long_names_leave_room_for_the_map(length: int, labels: list[str]) -> None:
    groups = [" ".join(f"{letter}{'o' * 8}" for _ in range(length // 10 + 1)) for letter in "abcdefg"]
    whole, sizes, left, right = drawn_sizes(groups, labels)
    assert all(0.75 * whole / len(labels) < width and height > 0.75 * width for width, height in sizes)
    assert left >= 0 and right <= whole, "no legend is cut off"


def read(add_on: AddOn, folder: Path) -> dict[str, pd.DataFrame]:
    run: Any = SimpleNamespace(first=folder)
    return add_on.read(run)


def amplified() -> dict[str, Samples]:
    """Windows of people whose electrodes differ in gain, and the same with gains of one."""
    samples = toy_windows()
    gains = np.exp(np.random.default_rng(0).standard_normal((4, 6)))
    values = samples.read("eeg") * gains[pd.factorize(samples.units("subject"))[0]][..., None]
    store = ArrayStore(values.astype(np.float32), samples.store("eeg").description)
    return {"before": samples.with_modality("eeg", "raw", store, range(len(samples))), "after": samples}


def test_a_fit_keeps_what_its_samples_cluster_by(tmp_path: Path) -> None:
    write_clusters(tmp_path, amplified(), ("eeg",), TASK, most=60)
    (title, table), points = *read(Silhouettes(), tmp_path).items(), read(ClusterMap(), tmp_path)["clusters"]
    assert title == SILHOUETTES and set(table["label"]) == {"subject", "emotion"}, "there is one corpus"
    assert set(table["features"]) == {"log variance of each channel"} and set(table["n"]) == {60}
    found = table.set_index(["space", "label"])["silhouette"]
    assert found["before", "subject"] > 0.4 > 0 > found["after", "subject"]
    assert found["before", "emotion"] < 0.1 < 0.4 < found["after", "emotion"]
    counts = points[points["space"] == "before"].groupby(["subject", "emotion"]).size()
    assert len(counts) == 12 and set(counts) == {5}
    plot = draw_clusters(points, table)
    assert "log variance of each channel" in plot.caption and "An alignment has helped" in plot.caption


def test_nothing_is_kept_of_one_subject_or_of_pictures(tmp_path: Path) -> None:
    samples = toy_windows()
    one = samples.select((samples.table["subject"] == "S1").to_numpy())
    write_clusters(tmp_path, {"features": one}, ("eeg",), TASK)
    write_clusters(tmp_path, {"features": samples}, (), TASK)
    write_clusters(tmp_path, {"features": samples}, ("eeg", "features"), TASK)
    write_clusters(tmp_path, {"features": samples}, ("picture",), TASK)
    assert not list(tmp_path.iterdir()) and read(ClusterMap(), tmp_path) == read(Silhouettes(), tmp_path) == {}


def test_a_space_without_labels_or_one_form_does_without(tmp_path: Path) -> None:
    samples = toy_windows()
    form = samples.store("eeg").description.model_copy(update={"rate": 64.0})
    other = ArrayStore(samples.read("eeg")[:5], form)
    mixed = samples.with_modality("eeg", "other", other, [*range(5), *[-1] * (len(samples) - 5)])
    write_clusters(tmp_path, {"before": mixed, "after": samples.without(["emotion"])}, ("eeg",), TASK)
    (table,) = read(Silhouettes(), tmp_path).values()
    assert table[["space", "label"]].to_numpy().tolist() == [["after", "subject"]]


def test_an_even_part_takes_from_all_and_more_where_others_have_few() -> None:
    groups = pd.DataFrame({"subject": ["A"] * 50 + ["B"] * 50 + ["C"] * 4, "class": ["x", "y"] * 52})
    counts = groups.iloc[evenly(groups, 34)].value_counts()
    assert counts.loc["C"].tolist() == [2, 2] and sorted(counts.drop("C", level=0)) == [7, 7, 8, 8]
    assert evenly(groups, None).tolist() == evenly(groups, 1000).tolist() == list(range(104))
