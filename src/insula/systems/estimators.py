"""Fitted estimators of scikit-learn as torch modules that give what they give."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from torch import nn

from insula.errors import SettingsError
from insula.networks.forest import TreeArrays
from insula.networks.kernels import Gaussian, Sigmoids, Votes
from insula.networks.linear_parts import Affine, Placed, Scaled


def transformer_module(estimator: Any) -> nn.Module:
    """Return a fitted scaler, rotation or pipeline of them: features (n, d) to float64 (n, e)."""
    return _convert(estimator, {"StandardScaler": _scaler, "PCA": _rotation, "Pipeline": _steps(transformer_module)})


def inverse_module(estimator: Any) -> nn.Module:
    """Return the way back of a fitted scaler, rotation or pipeline of them: (n, e) to float64 (n, d)."""
    steps = {"StandardScaler": _unscaler, "PCA": _rotation_back, "Pipeline": _steps(inverse_module, back=True)}
    return _convert(estimator, steps)


def regressor_module(estimator: Any) -> nn.Module:
    """Return a fitted regressor, no forest, or a pipeline that ends in one: features (n, d) to float64 (n, e)."""
    if type(estimator).__name__ == "Pipeline":
        return nn.Sequential(transformer_module(estimator[:-1]), regressor_module(estimator[-1]))
    kinds = {"KernelRidge": _kernel_ridge, "PLSRegression": _least_squares, "MLPRegressor": _perceptron}
    return _convert(estimator, {**kinds, "Ridge": _linear, "RidgeCV": _linear})


def tree_arrays(forest: Any) -> list[TreeArrays]:
    """Return the trees of a fitted forest of regression trees, for `insula.networks.forest.Forests`."""
    trees = [estimator.tree_ for estimator in forest.estimators_]
    return [
        TreeArrays(
            feature=tree.feature,
            left=tree.children_left,
            right=tree.children_right,
            threshold=tree.threshold,
            value=tree.value.reshape(len(tree.value), -1),
        )
        for tree in trees
    ]


def classifier_module(estimator: Any, classes: int) -> nn.Module:
    """Return a fitted classifier, or a pipeline that ends in one: features (n, d) to float64 (n, classes).

    Parameters
    ----------
    estimator : estimator
        Whose `classes_` are codes below `classes`.
    classes : int
        Classes out; one that was not in training has probability 0.
    """
    if type(estimator).__name__ == "Pipeline":
        return nn.Sequential(transformer_module(estimator[:-1]), classifier_module(estimator[-1], classes))
    kinds = {
        "LogisticRegression": _logistic,
        "LogisticRegressionCV": _logistic,
        "CalibratedClassifierCV": _support_vectors,
    }
    return nn.Sequential(_convert(estimator, kinds), Placed(estimator.classes_, classes))


def _convert(estimator: Any, kinds: Mapping[str, Callable[[Any], nn.Module]]) -> nn.Module:
    name = type(estimator).__name__
    if name not in kinds:
        raise SettingsError(f"a {name} is in no bundle", do=f"use one of {', '.join(kinds)}")
    return kinds[name](estimator)


def _steps(convert: Callable[[Any], nn.Module], back: bool = False) -> Callable[[Any], nn.Module]:
    def sequence(pipeline: Any) -> nn.Module:
        steps = [step for _, step in pipeline.steps]
        return nn.Sequential(*(convert(step) for step in (reversed(steps) if back else steps)))

    return sequence


def _scaler(scaler: Any) -> nn.Module:
    return Scaled(scaler.mean_, scaler.scale_)


def _unscaler(scaler: Any) -> nn.Module:
    return Scaled(-scaler.mean_ / scaler.scale_, 1 / scaler.scale_)


def _rotation(rotation: Any) -> nn.Module:
    shift = rotation.mean_[None] @ rotation.components_.T  # in the precision in which scikit-learn has it
    return Affine(rotation.components_, -shift[0])


def _rotation_back(rotation: Any) -> nn.Module:
    return Affine(rotation.components_.T, rotation.mean_)


def _linear(model: Any) -> nn.Module:
    weight = np.atleast_2d(model.coef_)
    return Affine(weight, np.broadcast_to(model.intercept_, len(weight)))


def _least_squares(model: Any) -> nn.Module:
    return Affine(model.coef_, model.intercept_ - model.coef_.astype(float) @ model._x_mean)


def _kernel_ridge(model: Any) -> nn.Module:
    return Gaussian(model.X_fit_, model.gamma, model.dual_coef_.reshape(len(model.X_fit_), -1))


def _perceptron(model: Any) -> nn.Module:
    layers = [Affine(weight.T, shift) for weight, shift in zip(model.coefs_, model.intercepts_, strict=True)]
    return nn.Sequential(*(part for layer in layers for part in (layer, nn.ReLU())))[:-1]


def _logistic(model: Any) -> nn.Module:
    weight, shift = model.coef_, model.intercept_
    if len(model.classes_) == 2:  # one decision, against nothing
        weight, shift = np.vstack([np.zeros_like(weight), weight]), np.append(0, shift)
    return nn.Sequential(Affine(weight, shift), nn.Softmax(dim=1))


def _support_vectors(model: Any) -> nn.Module:
    """Return a radial-basis support vector machine whose decisions became probabilities by a sigmoid each."""
    (calibrated,) = model.calibrated_classifiers_
    machine, sigmoids = calibrated.estimator, calibrated.calibrators
    classes = len(machine.classes_)
    starts = np.cumsum([0, *machine.n_support_])
    columns = []
    for first in range(classes):
        for second in range(first + 1, classes):
            column = np.zeros(starts[-1])
            for mine, other in ((first, second), (second, first)):
                place = slice(starts[mine], starts[mine + 1])
                column[place] = machine._dual_coef_[other - (other > mine), place]
            columns.append(column)
    weights, shift = np.stack(columns, axis=1), machine._intercept_
    if classes == 2:  # scikit-learn turns the sign of a single decision
        weights, shift = -weights, -shift
    decisions = Gaussian(machine.support_vectors_, machine._gamma, weights, shift)
    numbers = decisions if classes == 2 else nn.Sequential(decisions, Votes(classes))
    return nn.Sequential(numbers, Sigmoids(*(np.array([getattr(s, n) for s in sigmoids]) for n in ("a_", "b_"))))
