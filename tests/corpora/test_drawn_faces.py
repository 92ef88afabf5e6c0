"""Drawn faces show what they are told to, and nothing else decides."""

from __future__ import annotations

import numpy as np
import pytest
from calibrate_simulated_study import gradient_histograms
from sklearn.linear_model import LogisticRegression

from insula.corpora.drawn_faces import PROTOTYPES, draw_faces
from insula.emotions import LABEL_SPACES
from insula.errors import LabelError

CLASSES = LABEL_SPACES["basic7"]


def each_class(identities: range, **settings: float) -> tuple[np.ndarray, np.ndarray]:
    emotions = [name for _ in identities for name in CLASSES]
    people = [person for person in identities for _ in CLASSES]
    intensity = [settings.pop("intensity", 1.0)] * len(emotions)
    return draw_faces(emotions, intensity, people, **settings), np.array(emotions)


def test_prototypes_cover_the_basic_seven() -> None:
    assert set(PROTOTYPES) == set(CLASSES)


def test_pictures_are_uint8_rgb_of_the_size_asked_for_and_repeat_with_the_seed() -> None:
    first, _ = each_class(range(1), size=64, seed=3)
    assert first.shape == (7, 64, 64, 3) and first.dtype == np.uint8
    np.testing.assert_array_equal(first, each_class(range(1), size=64, seed=3)[0])
    assert (first != each_class(range(1), size=64, seed=4)[0]).mean() > 0.5


def test_a_picture_depends_on_its_own_row_alone() -> None:
    one = draw_faces(["fear", "anger"], [1, 1], [0, 1], size=48)
    other = draw_faces(["fear", "happiness", "sadness"], [1, 0.5, 1], [0, 7, 2], size=48)
    np.testing.assert_array_equal(one[0], other[0])


def test_without_intensity_every_class_is_the_resting_face_of_the_person() -> None:
    still, _ = each_class(range(2), intensity=0.0, nuisance=0.0)
    assert all((still[i] == still[0]).all() for i in range(7))
    assert (still[7] != still[0]).any()


def test_expressions_grow_with_intensity() -> None:
    for emotion in set(CLASSES) - {"neutral"}:
        faces = draw_faces([emotion] * 4, [0.0, 0.3, 0.6, 1.0], [5] * 4, nuisance=0.0).astype(float)
        change = np.abs(faces - faces[0]).mean((1, 2, 3))
        assert (np.diff(change) > 0).all()


def test_full_expressions_are_told_apart_on_other_people_and_faint_ones_less() -> None:
    train, names = each_class(range(12), nuisance=0.2, intensity=1.0)
    model = LogisticRegression(C=0.1, max_iter=300).fit(gradient_histograms(train), names)
    scores = {}
    for intensity in (1.0, 0.3):
        test, truth = each_class(range(50, 58), nuisance=0.2, intensity=intensity, seed=0)
        scores[intensity] = (model.predict(gradient_histograms(test)) == truth).mean()
    assert scores[1.0] > 0.9 > 0.6 > scores[0.3]


def test_nuisance_changes_pictures_of_one_face() -> None:
    same = draw_faces(["fear"] * 2, [1, 1], [0, 0], nuisance=0.0).astype(float)
    varied = draw_faces(["fear"] * 2, [1, 1], [0, 0], nuisance=1.0).astype(float)
    assert np.abs(same[0] - same[1]).mean() == 0 < 10 < np.abs(varied[0] - varied[1]).mean()


def test_an_unknown_class_is_refused_with_those_there_are() -> None:
    with pytest.raises(LabelError, match="no face for 'boredom': draw one of anger"):
        draw_faces(["boredom"], [1.0], [0])
