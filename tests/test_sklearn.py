"""A system as an estimator of scikit-learn."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.utils.estimator_checks import estimator_checks_generator

from insula.sklearn import SystemClassifier

CHECKS = {
    check.func.__name__: (estimator, check) for estimator, check in estimator_checks_generator(SystemClassifier())
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [name for name in CHECKS if name != "check_array_api_input"])  # which is an option
def test_the_checks_of_scikit_learn_pass(name: str) -> None:
    estimator, check = CHECKS[name]
    check(estimator)


def test_a_network_is_cross_validated_on_eeg_with_people_held_out_for_its_epoch() -> None:
    y = np.tile(["calm", "fear"], 24)
    X = np.random.default_rng(0).normal(size=(48, 3, 64)) * np.where(y == "fear", 5, 1)[:, None, None]
    people = np.repeat(range(6), 8)
    settings = {"training": {"epochs": 3}}
    classifier = SystemClassifier("eegnet", settings, rate=64, channels=["Fz", "Cz", "Pz"])
    fitted = clone(classifier).fit(X, y, groups=people)
    training, choosing = fitted.system_.log.fits
    assert not set(people[training.ids]) & set(people[choosing.ids]) and choosing.use == "selection"
    assert fitted.predict_proba(X[:2]).shape == (2, 2) and set(fitted.predict(X)) <= {"calm", "fear"}
    folds = GroupKFold(2).split(X, y, people)
    assert len(cross_val_predict(SystemClassifier("eegnet", settings, rate=64), X, y, cv=folds)) == 48


def test_pictures_and_classes_of_any_type_are_learnt() -> None:
    pictures = np.random.default_rng(0).integers(0, 255, (12, 24, 24, 3)).astype(np.uint8)
    y = np.array([7, 3] * 6)
    pictures[y == 7] //= 4
    fitted = SystemClassifier("linear").fit(pictures, y)
    assert_array_equal(fitted.classes_, [3, 7])
    assert fitted.score(pictures, y) > 0.8


def test_names_of_columns_are_kept_in_mind() -> None:
    frame = pd.DataFrame({"alpha": [0.0, 1.0] * 5, "beta": [1.0, 0.0] * 5})
    fitted = SystemClassifier("majority").fit(frame, [0, 1] * 5)
    assert fitted.feature_names_in_.tolist() == ["alpha", "beta"]
    with pytest.raises(ValueError, match="beta"):
        fitted.predict(frame[["alpha"]])
