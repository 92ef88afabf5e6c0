"""Evaluating on arrays: the figures of plain scikit-learn, and what is wrong shows before anything is fitted."""

from __future__ import annotations

from html import unescape
from typing import Any

import mne
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from torch import nn

import insula
from insula.errors import InsulaError
from insula.evaluation.results import Results

PEOPLE = np.repeat(["S1", "S2", "S3", "S4"], 8)
FEELINGS = np.tile(["calm", "fear"], 16)


@pytest.fixture
def features() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(32, 3)) + (FEELINGS == "fear")[:, None]


class Small(nn.Module):
    """A user's own network."""

    def __init__(self, n_chans: int, n_outputs: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(n_chans, n_outputs))

    def forward(self, rows: Any) -> Any:
        return self.layers(rows)


class Never(ClassifierMixin, BaseEstimator):
    """Says so where it is fitted."""

    def fit(self, X: Any, y: Any) -> Any:
        raise AssertionError("something was fitted")

    def predict(self, X: Any) -> Any:
        raise AssertionError("something was predicted")


def own_rows(results: Results, arm: str = "estimator") -> pd.DataFrame:
    rows = results.predictions[results.predictions["arm"] == arm]
    place = rows["unit"].str.rpartition("/")[2].astype(int)
    return rows.assign(place=place).set_index("place").sort_index()


@pytest.mark.parametrize("estimator", [KNeighborsClassifier(3), make_pipeline(StandardScaler(), GaussianNB())])
def test_probabilities_are_those_of_scikit_learn_on_the_same_folds(features: np.ndarray, estimator: Any) -> None:
    results = insula.evaluate(features, FEELINGS, groups=PEOPLE, estimator=estimator)
    rows = own_rows(results)
    assert rows.index.tolist() == list(range(32))  # each row is tested once
    for _, fold in rows.groupby("fold"):
        train = np.setdiff1d(range(32), fold.index)
        assert not set(PEOPLE[train]) & set(PEOPLE[fold.index])
        fitted = clone(estimator).fit(features[train], FEELINGS[train])
        assert_allclose(fold[["p_calm", "p_fear"]], fitted.predict_proba(features[fold.index]), atol=1e-6)
    assert {"majority", "linear", "permuted"} <= set(results.metrics()["arm"])
    assert results.passport["audit"]["leaks"] == [] and "better than" in results.verdict().sentence


def test_a_classifier_without_probabilities_says_its_class(features: np.ndarray) -> None:
    results = insula.evaluate(features, FEELINGS, groups=PEOPLE, estimator=LinearSVC(), controls=["majority"])
    fold = own_rows(results).query("fold == 0")
    train = np.setdiff1d(range(32), fold.index)
    fitted = LinearSVC(random_state=0).fit(features[train], FEELINGS[train])
    assert fold["predicted"].tolist() == fitted.predict(features[fold.index]).tolist()


def test_a_frame_keeps_the_names_of_its_columns(features: np.ndarray) -> None:
    frame = pd.DataFrame(features, columns=["alpha", "beta", "gamma"]).assign(emotion=FEELINGS, who=PEOPLE)
    picked = make_pipeline(make_column_transformer((StandardScaler(), ["beta"])), GaussianNB())
    results = insula.evaluate(frame, "emotion", groups="who", estimator=picked, controls=["majority"])
    alone = insula.evaluate(features[:, [1]], FEELINGS, groups=PEOPLE, estimator=picked[1], controls=["majority"])
    assert results.accuracy("estimator") == alone.accuracy("estimator")
    assert results.passport["task"]["label"] == "emotion"


def test_ratings_are_learnt_in_their_own_units(features: np.ndarray) -> None:
    ratings = 4 + features[:, 0] + 0.1 * features[:, 1]
    results = insula.evaluate(features, ratings, groups=PEOPLE, estimator=LinearRegression())
    assert_allclose(own_rows(results)["rating"], ratings, atol=1e-6)


def test_windows_of_one_trial_are_one_unit(features: np.ndarray) -> None:
    groups = {"subject": PEOPLE, "trial": np.arange(32) // 2}
    results = insula.evaluate(features, np.repeat(FEELINGS[:16], 2), groups=groups, controls=["majority"])
    assert len(results.rows("plain")) == 16


def test_a_network_of_ones_own_reads_epochs_of_mne() -> None:
    loud = np.where(FEELINGS == "fear", 3.0, 1.0)[:, None, None]
    values = np.random.default_rng(0).normal(size=(32, 2, 32)) * 1e-5 + loud * 1e-5
    info = mne.create_info(["Cz", "Pz"], 64.0, "eeg")
    epochs = mne.EpochsArray(values, info, metadata=pd.DataFrame({"emotion": FEELINGS}), verbose=False)
    results = insula.evaluate(epochs, "emotion", groups=PEOPLE, estimator=Small, controls=["majority"])
    assert results.arms[0].title == "Small" and results.accuracy("network") > 0.9


def test_missing_values_are_left_to_what_can_read_them(features: np.ndarray) -> None:
    features[3, 1] = np.nan
    with pytest.warns(UserWarning, match="fill them in to have the control `linear`"):
        results = insula.evaluate(features, FEELINGS, groups=PEOPLE, estimator=HistGradientBoostingClassifier())
    assert {arm.name for arm in results.arms} == {"estimator", "majority", "permuted"}


def _says(place: int) -> Any:
    """Return a class of classifiers that always says one class; two of them look alike from outside."""

    class Same(ClassifierMixin, BaseEstimator):
        def fit(self, X: Any, y: Any) -> Any:
            self.classes_ = np.unique(y)
            return self

        def predict(self, X: Any) -> Any:
            return np.full(len(X), self.classes_[place])

    return Same


def test_an_estimator_that_was_rewritten_is_fitted_again(features: np.ndarray) -> None:
    for place in (0, 1):
        results = insula.evaluate(features, FEELINGS, groups=PEOPLE, estimator=_says(place)(), controls=["majority"])
        assert set(own_rows(results)["predicted"]) == {results.classes[place]}


def test_what_is_drawn_by_lot_is_drawn_alike_the_next_time(features: np.ndarray) -> None:
    forest = RandomForestClassifier(3)
    first, again = (
        own_rows(insula.evaluate(features, FEELINGS, groups=PEOPLE, estimator=forest, controls=["majority"]))
        for _ in range(2)
    )
    assert_allclose(first["p_fear"], again["p_fear"])
    assert forest.random_state is None


def test_rows_that_nobody_scores_are_counted(features: np.ndarray) -> None:
    y, people = FEELINGS.astype(object), PEOPLE.astype(object)
    y[:3], people[-2:] = None, None
    with pytest.warns(UserWarning) as said:
        results = insula.evaluate(features, y, groups=people, estimator=GaussianNB(), controls=["majority"])
    assert len(results.rows("estimator")) == 27
    assert {str(one.message).partition(" and")[0] for one in said} >= {
        "3 of 32 rows have no label", "2 of 32 rows have no subject",
    }  # fmt: skip


def test_results_draw_themselves_and_are_written(features: np.ndarray, tmp_path: Any) -> None:
    results = insula.evaluate(features, FEELINGS, groups=PEOPLE, estimator=GaussianNB(), controls=["majority"])
    drawn = results._repr_html_()
    assert results.verdict().sentence in unescape(drawn) and "<table" in drawn
    assert repr(results).startswith("Results(GaussianNB: 0.")
    assert "GaussianNB" in results.write(tmp_path / "run").read_text()
    other = insula.evaluate(features, FEELINGS, groups=PEOPLE, estimator=LinearSVC(), controls=["majority"])
    assert insula.compare([results, other])["shared"].tolist() == [0, 32]


def _wrong() -> dict[str, tuple[dict[str, Any], str]]:
    rows, eeg = np.zeros((32, 3)), np.zeros((32, 2, 64))
    infinite, missing = rows.copy(), rows.copy()
    infinite[4, 1], missing[5, 0] = np.inf, np.nan
    frame, later = pd.DataFrame(rows, columns=list("abc")), pd.Series(PEOPLE, index=range(5, 37))
    return {
        "no y": ({"y": None}, "give y, one label for each row"),
        "short y": ({"y": FEELINGS[:5]}, r"y has shape \(5,\), and X has 32 rows"),
        "misaligned groups": ({"X": frame, "groups": later}, r"groups\.loc\[X\.index\]"),
        "no groups": ({"groups": None}, "protocol='trial-disjoint'"),
        "one person": ({"groups": ["S1"] * 32}, "rows of one subject"),
        "one class": ({"y": ["calm"] * 32}, "all samples show one class, calm"),
        "no label at all": ({"y": [None] * 32}, "no sample has a label"),
        "infinite": ({"X": infinite}, r"infinite number \(row 4\): replace it, as in np\.nan_to_num"),
        "missing values": ({"X": missing}, "SimpleImputer"),
        "words": ({"X": np.full((32, 3), "a")}, r"give X\.astype\(float\)"),
        "words in a frame": ({"X": frame.assign(d="a")}, r"X\.drop\(columns=\['d'\]\)"),
        "no such column": ({"X": frame, "y": "emotion"}, "X has no column 'emotion'"),
        "shape": ({"X": np.zeros(32)}, r"give features \(n, d\)"),
        "no rate": ({"X": eeg}, "give rate=250"),
        "rate": ({"X": eeg, "rate": -5}, "the sampling rate is -5"),
        "regressor": ({"estimator": LinearRegression()}, "y holds classes, and LinearRegression learns ratings"),
        "classifier": ({"y": np.linspace(0.1, 2, 32), "estimator": GaussianNB()}, "y holds ratings, and GaussianNB"),
        "no rows": ({"X": np.zeros((0, 3))}, "X has no rows"),
        "volts": ({"X": eeg + np.random.default_rng(0).normal(size=eeg.shape) * 1e-6, "rate": 64}, "multiply by 1e6"),
        "pictures of floats": ({"X": np.zeros((32, 8, 8, 3))}, "give uint8"),
        "names of channels": ({"X": eeg, "rate": 64, "channels": ["Cz"]}, "1 channel names for 2 channels"),
        "protocol": ({"protocol": "subject-disjunct"}, "no protocol named 'subject-disjunct'"),
        "folds": ({"protocol": {"name": "subject-disjoint", "folds": 1}}, "folds"),
        "control": ({"controls": "linaer"}, "unknown control 'linaer'"),
        "estimator": ({"estimator": "eegnett"}, "unknown system 'eegnett'"),
        "no estimator": ({"estimator": 3}, "nothing that learns"),
        "a network that is there": ({"estimator": nn.Linear(3, 2)}, "give the class: Linear"),
        "modality": ({"modality": "picture"}, "give uint8"),
    }  # fmt: skip


@pytest.mark.parametrize("name", _wrong())
def test_what_is_wrong_is_said_in_one_line_before_anything_is_fitted(name: str) -> None:
    changes, said = _wrong()[name]
    given = {"X": np.zeros((32, 3)), "y": FEELINGS, "groups": PEOPLE, "estimator": Never(), **changes}
    with pytest.raises(InsulaError, match=said) as raised:
        insula.evaluate(given.pop("X"), given.pop("y"), **given)
    assert "\n" not in str(raised.value)
