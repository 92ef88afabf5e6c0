"""Evaluate on arrays: anybody's estimator on anybody's data, with splits, audit, controls and verdict of a recipe."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from insula.eeg.checks import check_spread
from insula.emotions import Continuous
from insula.errors import DataError, SettingsError
from insula.evaluation.experiment import run
from insula.evaluation.recipe import Recipe
from insula.evaluation.results import Results
from insula.evaluation.study import AnyTask, complete_task
from insula.protocols.protocol import protocol as protocol_named
from insula.protocols.units import unit_codes
from insula.samples import Samples
from insula.storage.atomic import scratch_folder
from insula.storage.cache import Cache
from insula.storage.own_code import is_own
from insula.storage.progress import Step
from insula.systems.base import System
from insula.systems.baselines.plain import present_modality
from insula.systems.catalogue import system
from insula.systems.own import OwnEstimator, chooses
from insula.tiers import naming_tier, need

_LOOKED_AT = 20  # rows whose spread tells the unit of EEG


@naming_tier()
def evaluate(
    X: Any,
    y: Any = None,
    *,
    groups: Any = None,
    estimator: Any = "linear",
    protocol: str | Mapping[str, Any] = "subject-disjoint",
    task: Mapping[str, Any] | None = None,
    rate: float | None = None,
    channels: Sequence[str] | None = None,
    modality: str | None = None,
    controls: Sequence[str] = ("majority", "linear", "permuted"),
    repeats: int = 1,
    seed: int = 0,
    jobs: int = 1,
    progress: Step | None = None,
) -> Results:
    """Evaluate an estimator or a system on arrays, with audited splits, controls and a verdict.

    Parameters
    ----------
    X : array, DataFrame, Samples or mne.Epochs
        Features (n, d), EEG in microvolts (n, channels, times), pictures, uint8 (n, height, width, 3); or samples.
    y : array of n values or str, optional
        Labels; of a DataFrame or of samples the name of a column.
    groups : array of n values, DataFrame, mapping, str or list of str, optional
        Whose rows they are (see `Samples.from_arrays`); of a DataFrame names of its columns.
    estimator : object or str
        An estimator of scikit-learn's kind, a class of `torch.nn.Module`, a system, its name, or an import path.
    protocol : str or mapping
        A name of `insula.protocols.PROTOCOLS`, or `{"name": ..., "folds": 4}` with what differs from it. Where nothing
        is said of them there are five folds, as many as there are units where those are fewer.
    task : mapping, optional
        As in a recipe: what is learnt. By default the classes that occur; where y has fractions, a rating on its range.
    rate, channels, modality
        As in `Samples.from_arrays`; with several modalities in samples, which one is read.
    controls : sequence of str
        Of `majority`, `linear` and `permuted`, as in a recipe.
    repeats, seed : int
        Times the whole is done, with the next seed each.
    jobs : int
        Processes; 0 for one a core.
    progress : callable, optional
        Called with (done, total, what was just finished).

    Returns
    -------
    Results
        `results.metrics()` is the table, `results.verdict()` the verdict, `results.write(folder)` the report.

    Raises
    ------
    DataError, LabelError
        Where X, y and groups cannot be used, before anything is fitted.
    SettingsError
        For an unknown estimator, protocol or control.
    LeakageError
        Where a split leaks.

    Examples
    --------
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> rng = np.random.default_rng(0)
    >>> y = np.tile(["calm", "fear"], 30)
    >>> X = rng.normal(size=(60, 4)) + 2 * (y == "fear")[:, None]
    >>> groups = np.repeat(range(6), 10)
    >>> results = evaluate(X, y, groups=groups, estimator=KNeighborsClassifier(), controls=["majority"])
    >>> results.metrics()[["arm", "units", "accuracy"]].round(2).to_dict("list")
    {'arm': ['estimator', 'majority'], 'units': [60, 60], 'accuracy': [0.97, 0.5]}
    """
    need("train")
    samples, label = _samples(X, y, groups, rate, channels, modality)
    read = _modality(samples, modality)
    chosen = _task(samples, label, task)
    controls = (controls,) if isinstance(controls, str) else controls
    reading = _reading(estimator, read)
    named = system(estimator, **reading)
    if _check_values(samples, read, named) and "linear" in controls:
        controls = [name for name in controls if name != "linear"] or ["majority"]
        warnings.warn("X has missing values: fill them in to have the control `linear`, too", stacklevel=3)
    _check_kind(named, chosen, label)
    plan = _protocol(protocol, samples, validates=chooses(named))
    _tell_left_out(samples, chosen, plan)
    recipe = Recipe(
        name="arrays",
        corpus={},
        task=chosen.model_dump(mode="json"),
        protocol=plan,
        system={"name": estimator, **reading},
        control_modality=read,
        controls=tuple(controls),
        repeats=repeats,
        seed=seed,
    )
    if not is_own(estimator):
        return _run(recipe, samples, Cache(), jobs, progress)
    # Whether code in a notebook is still what it was cannot be told, so that its fits are not kept.
    with scratch_folder() as folder:
        return _run(recipe, samples, Cache(folder), jobs, progress)


def _run(recipe: Recipe, samples: Samples, cache: Cache, jobs: int, progress: Any) -> Results:
    folder = cache.folder("arrays", samples.fingerprint(), lambda temporary: samples.save(temporary / "samples"))
    recipe = recipe.model_copy(update={"corpus": {"name": "samples", "root": str(folder / "samples")}})
    return run(recipe, cache, jobs or os.cpu_count() or 1, progress)


def _samples(
    X: Any, y: Any, groups: Any, rate: float | None, channels: Sequence[str] | None, modality: str | None
) -> tuple[Samples, str]:
    """Return what was given as samples, and the name of the label's column."""
    if isinstance(X, Samples):
        if not isinstance(y, str):
            raise DataError("samples hold their labels", where="y", do="give the name of a column, as in y='emotion'")
        return X, y
    if hasattr(X, "get_data") and hasattr(X, "ch_names"):  # epochs of MNE
        y = X.metadata[y] if isinstance(y, str) and X.metadata is not None else y
        rate, channels = X.info["sfreq"], X.copy().pick("eeg").ch_names
        X = X.get_data(picks="eeg", units="uV")
    label = "label"
    if isinstance(X, pd.DataFrame):
        if isinstance(y, str):
            label, y, X = y, _column(X, y, "y"), X.drop(columns=y)
        names = [groups] if isinstance(groups, str) else groups
        if isinstance(names, list) and all(isinstance(name, str) for name in names) and len(names) != len(X):
            columns = {name: _column(X, name, "groups") for name in names}
            groups = columns[names[0]] if isinstance(groups, str) else columns
            X = X.drop(columns=names)
    if y is None or isinstance(y, str):
        do = "give y, one label for each row of X"
        raise DataError("no labels" if y is None else f"X has no column {y!r}", where="y", do=do)
    return Samples.from_arrays(X, y, groups=groups, modality=modality, rate=rate, channels=channels, label=label), label


def _column(table: pd.DataFrame, name: str, what: str) -> pd.Series:
    if name not in table:
        raise DataError(f"X has no column {name!r}", where=what, do=f"its columns are {', '.join(map(str, table))}")
    return table[name]


def _modality(samples: Samples, modality: str | None) -> str:
    if modality is not None and not samples.has(modality).any():
        raise DataError(f"no sample has {modality!r}", where="modality", do=f"give {' or '.join(samples.modalities)}")
    chosen = modality or present_modality(samples)
    if chosen is None:
        raise DataError("the samples have nothing to be read", where="X", do="add a modality")
    return chosen


def _task(samples: Samples, label: str, task: Mapping[str, Any] | None) -> AnyTask:
    """Return the task: the classes that occur, or a rating on its range, as far as nothing else is asked for."""
    values, column = {"label": label, **(task or {})}, samples.table.get(label)
    if column is not None and column.dtype.kind == "f" and values.setdefault("kind", "continuous") == "continuous":
        values.setdefault("scale", (float(column.min()), float(column.max())))
    return complete_task(values, samples)


def _reading(estimator: Any, modality: str) -> dict[str, str]:
    """Return the setting that says what a system reads, where it has one; what is wrong with its name shows here."""
    try:
        system(estimator, modality=modality)
    except SettingsError as error:
        if "'modality'" not in error.what:
            raise
        return {}
    return {"modality": modality}


def _check_values(samples: Samples, modality: str, named: System) -> bool:
    """Return whether numbers are missing that the estimator can do without; refuse them otherwise."""
    store, rows = samples.store(modality), samples.rows(modality)
    missing = None
    for row in rows[rows >= 0]:
        values = np.asarray(store.read(np.array([row]))[0])
        if values.dtype.kind == "f" and np.isinf(values).any():
            do = "replace it, as in np.nan_to_num(X, posinf=0, neginf=0)"
            raise DataError("X holds an infinite number", where=f"row {row}", do=do)
        if missing is None and values.dtype.kind == "f" and np.isnan(values).any():
            missing = row
    if store.description.kind == "signal" and missing is None:
        some = np.concatenate(list(store.read(rows[rows >= 0][:_LOOKED_AT])), axis=1)
        check_spread(some, some.shape[1], "X")
    if missing is None:
        return False
    if isinstance(named, OwnEstimator):
        from sklearn.utils import get_tags

        if get_tags(named.template).input_tags.allow_nan:
            return True
    do = "put SimpleImputer() before the estimator: make_pipeline(SimpleImputer(), estimator)"
    if store.description.kind == "signal":
        do = "interpolate the channel, or leave such rows out: X[~np.isnan(X).any(axis=(1, 2))]"
    raise DataError("X has missing values, which the estimator cannot read", where=f"first: row {missing}", do=do)


def _check_kind(named: System, task: AnyTask, label: str) -> None:
    """Refuse a regressor where classes are learnt, and a classifier where ratings are."""
    if not isinstance(named, OwnEstimator):
        return
    from sklearn.base import is_classifier, is_regressor

    title, rated = named.modes["estimator"], isinstance(task, Continuous)
    if rated and is_classifier(named.template):
        do = f"give a regressor, or classes: task={{'kind': 'cut', 'label': {label!r}, 'classes': ('low', 'high')}}"
        raise SettingsError(f"y holds ratings, and {title} learns classes", where="estimator", do=do)
    if not rated and is_regressor(named.template):
        do = "give a classifier, or y as ratings: task={'kind': 'continuous', 'scale': (1, 9)}"
        raise SettingsError(f"y holds classes, and {title} learns ratings", where="estimator", do=do)


def _tell_left_out(samples: Samples, task: AnyTask, plan: Mapping[str, Any]) -> None:
    """Say how many rows are scored by nobody, since their label or their unit is missing."""
    targets = task.targets(samples.table)
    bare = np.isnan(targets) if targets.dtype.kind == "f" else targets < 0
    if bare.any():
        warnings.warn(f"{bare.sum()} of {len(samples)} rows have no label and are not scored: fill y in, or drop them",
                      stacklevel=4)  # fmt: skip
    for unit in protocol_named(**plan).disjoint:
        unknown = unit_codes(samples, unit) < 0
        if unknown.any():
            what = f"{unknown.sum()} of {len(samples)} rows have no {unit} and are not scored"
            warnings.warn(f"{what}: fill groups in, or drop them", stacklevel=4)


def _protocol(given: str | Mapping[str, Any], samples: Samples, *, validates: bool) -> dict[str, Any]:
    """Return a recipe's protocol: as many folds as there are units, and no validation for what chooses nothing."""
    plan: dict[str, Any] = {"name": given} if isinstance(given, str) else dict(given)
    changes = {key: value for key, value in plan.items() if key != "name"}
    chosen = protocol_named(str(plan.get("name", "")), **changes)
    if not validates:
        plan.setdefault("validation_share", 0)
    if not chosen.disjoint or chosen.leave_one_out or chosen.test_share or chosen.parts:
        return plan
    unit = chosen.disjoint[0]
    codes = unit_codes(samples, unit)
    units = len(np.unique(codes[codes >= 0]))
    if units < 2:
        what = f"X has rows of one {unit}" if units else f"it is not known which {unit} the rows are of"
        do = f"give groups, the {unit} of each row, two at least; or protocol='trial-disjoint'"
        raise DataError(what, where=f"protocol {chosen.name}", do=do)
    return {"folds": min(chosen.folds, units), **plan}
