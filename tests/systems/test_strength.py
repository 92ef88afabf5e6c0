"""The strength of linear models is chosen on units of the kind that the protocol holds out, not on people who stay."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import log_loss

from insula.emotions import Categorical
from insula.evaluation.candidates import Fitting, candidate
from insula.evaluation.recipe import Recipe
from insula.samples import Samples
from insula.systems.baselines.plain import Linear, PlainSettings, logistic_regression, ridge_regression
from insula.systems.baselines.strength import inner_groups


def _people(seed: int, people: int, trials: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return features, three of a rating and forty of a person, ratings that lean by person, and people."""
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(people), trials)
    rating = rng.normal(size=len(who)) + rng.choice([-1.5, 1.5], people)[who]
    persons = 2 * rng.normal(size=(people, 40))[who] + 0.3 * rng.normal(size=(len(who), 40))
    return np.column_stack([rating[:, None] + 4 * rng.normal(size=(len(who), 3)), persons]), rating, who


def test_strength_chosen_on_other_people_errs_less_on_other_people() -> None:
    features, ratings, who = _people(0, 20, 10)
    others, wanted, _ = _people(1, 60, 20)
    errors, losses = {}, {}
    for name, groups in {"people": who, "trials": np.arange(len(who))}.items():
        ridge = ridge_regression(groups, features, ratings).fit(features, ratings)
        errors[name] = np.sqrt(np.mean((ridge.predict(others) - wanted) ** 2))
        model = logistic_regression(groups, features, (ratings > 0).astype(int)).fit(features, ratings > 0)
        losses[name] = log_loss(wanted > 0, model.predict_proba(others))
    assert errors["people"] < 0.9 * errors["trials"]
    assert losses["people"] < 0.9 * losses["trials"]


def test_systems_and_controls_are_told_what_the_protocol_holds_out() -> None:
    recipe = Recipe(name="", corpus={}, protocol={"name": "loso"}, system={"name": "linear"}, control_modality="eeg")
    for fitting in (Fitting("system", "linear", 0, 0), Fitting("control", "linear", 0, 0)):
        assert candidate(recipe, fitting).held_out == ("subject",)


@pytest.mark.parametrize(("held_out", "groups"), [((), 24), (("trial",), 24), (("subject",), 3), (("stimulus",), 8)])
def test_rows_are_left_out_by_the_units_that_are_held_out(held_out: tuple[str, ...], groups: int) -> None:
    who, film, _ = (part.ravel() for part in np.meshgrid(range(3), range(8), range(2), indexing="ij"))
    given = {"subject": who, "trial": film, "stimulus": [f"film-{n}" for n in film]}
    train = Samples.from_arrays(np.zeros((len(who), 2)), np.where(film % 2, "a", "b"), groups=given)
    assert len(np.unique(inner_groups(train, held_out))) == groups


def test_one_person_in_training_is_cut_into_trials() -> None:
    given = {"subject": np.zeros(12), "trial": np.arange(12) // 2}
    train = Samples.from_arrays(np.zeros((12, 2)), np.arange(12) % 2, groups=given)
    assert len(np.unique(inner_groups(train, ("subject",)))) == 6


def test_a_class_that_one_group_alone_shows_can_be_learnt() -> None:
    y = np.array(["a"] * 8 + ["b"] * 4)
    samples = Samples.from_arrays(np.eye(12), y, groups={"trial": [0] * 4 + [1] * 4 + [2] * 4}, label="emotion")
    model = Linear(PlainSettings(modality="features"))
    model.fit(samples, samples.select([]), Categorical(label="emotion", classes=("a", "b")))
    assert set(model.facts) == {"inverse penalty of the logistic regression"}
