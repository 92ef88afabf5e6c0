"""What a notebook wants of insula, each in one line: `import insula` has it, loaded when it is first asked for."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from insula.errors import DataError, SettingsError
from insula.storage.cache import Cache

if TYPE_CHECKING:
    from insula.deployment.bundle import Bundle
    from insula.deployment.encoder import Encoder
    from insula.deployment.predictor import Predictor
    from insula.evaluation.recipe import Recipe
    from insula.evaluation.results import Results
    from insula.protocols.audit import Audit
    from insula.storage.progress import Step

    Changes = Mapping[str, Any] | Iterable[str]


def load(bundle: str | Path) -> Predictor | Bundle | Encoder:
    """Open what `fit` wrote.

    Returns
    -------
    Predictor, Bundle or Encoder
        Of a bundle that reads pictures a `Predictor`: `predict` takes paths, folders, arrays, pictures of Pillow, films
        and frames of a camera. Of others the `Bundle`: `predict` takes samples, as `Samples.from_arrays` makes
        them. Of one that embeds the `Encoder`, which `embed` takes.

    Raises
    ------
    BundleError
        Where it is no bundle, or was altered.
    """
    from insula.deployment.bundle import open_bundle
    from insula.deployment.encoder import is_encoder, open_encoder
    from insula.deployment.predictor import Predictor
    from insula.deployment.recognisers import of_bundle

    if is_encoder(Path(bundle)):
        return open_encoder(Path(bundle))
    opened = open_bundle(Path(bundle))
    return Predictor(of_bundle(opened, str(bundle))) if opened.reads_pictures else opened


def fit(recipe: str | Path | Recipe, output: str | Path, changes: Changes = (), *, int8: bool = False) -> Any:
    """Train on all training data, write a bundle, and return it opened, as `load` does.

    Parameters
    ----------
    recipe : str, Path or Recipe
        The name of a recipe of insula's, a YAML file, or a folder of pictures or recordings of one's own.
    output : str or Path
        The bundle's folder.
    changes : mapping or list of str
        Of a recipe that is named: `{"corpus.root": "faces"}` or `["corpus.root=faces"]`.
    int8 : bool
        Write networks in eight bits, too.
    """
    from insula.deployment.fitting import fit_bundle

    fit_bundle(_recipe(recipe, changes), Path(output), Cache(), int8=int8)
    return load(output)


def run(
    recipe: str | Path | Recipe,
    changes: Changes = (),
    *,
    output: str | Path | None = None,
    jobs: int = 1,
    engine: str | None = None,
    progress: Step | None = None,
) -> Results:
    """Evaluate a recipe: folds, repeats, placebos, controls, and label curves where it asks for them.

    What was finished before is not done again.

    Parameters
    ----------
    recipe, changes
        As in `fit`.
    output : str or Path, optional
        Folder for report, tables and passport.
    jobs : int
        Processes; 0 for one a core.
    engine : str, optional
        A cluster in place of processes: see `insula.evaluation.engine.each`.
    progress : callable, optional
        Called with (done, total, what was just finished).

    Returns
    -------
    Results
        `metrics()`, `verdict()` and `write(folder)` say what came out.

    Examples
    --------
    >>> import insula
    >>> insula.run("watermelon", {"corpus.subjects": 2}, output="/proc/nowhere")
    Traceback (most recent call last):
    ...
    insula.errors.DataError: nothing can be written here (/proc): give another output folder, as in -o ~/results
    """
    from insula.evaluation.experiment import run as run_recipe
    from insula.evaluation.results import check_output
    from insula.labelling.curves import curve_settings, label_curves
    from insula.labelling.efficiency import with_label_curves

    chosen, cache, processes = _recipe(recipe, changes), Cache(), jobs or os.cpu_count() or 1
    if output is not None:
        check_output(Path(output))
    if chosen.label_curves is not None:
        curve_settings(chosen)
    results = run_recipe(chosen, cache, processes, progress, engine)
    if chosen.label_curves is not None:
        results = with_label_curves(results, label_curves(chosen, cache, processes, progress, engine))
    if output is not None:
        results.write(output)
    return results


def audit(
    table: Any,
    split: Any,
    units: str | Sequence[str] | None = None,
    spellings: str = "told",
    same_people: pd.DataFrame | str | Path | None = None,
) -> Audit | list[Audit]:
    """Check a split that was made elsewhere: whose rows are on both sides, which windows overlap in time.

    Parameters
    ----------
    table : DataFrame, mapping of columns, or path of a CSV file
        One row a sample: any of `subject, session, trial, stimulus, identity, corpus, start, stop`.
    split : DataFrame, path, pair, mapping, or iterable of pairs
        Rows of the table by number: `(train, test)`, `{"train": ..., "validation": ..., "test": ...}`, the pairs that a
        splitter of scikit-learn yields, or a table with the columns `index` and `part`.
    units : str or sequence of str, optional
        What must not be shared besides, such as `subject`.
    spellings : {"told", "joined"}
        Whether names such as `P001` and `p1` are told, or count as one person.
    same_people : DataFrame or path of a CSV file, optional
        Who has two names, in two corpora or in one: columns `corpus`, `person`, `other_corpus`, `other_person`.

    Returns
    -------
    Audit or list of Audit
        Of an iterable of pairs one each.

    Raises
    ------
    LeakageError
        Naming the unit and the rows.
    DataError
        Where a column, a part or a row is not what it should be.

    Examples
    --------
    >>> from sklearn.model_selection import KFold
    >>> people = {"subject": list("aabbccdd"), "trial": range(8)}
    >>> audit(people, (range(4), range(4, 8)), "subject").clean
    True
    >>> audit(people, KFold(4, shuffle=True, random_state=0).split(range(8)), "subject")
    Traceback (most recent call last):
    ...
    insula.errors.LeakageError: subject b and 1 more are in train and test (train: row 3; test: row 2)
    """
    from insula.protocols.tables import audit_files, audit_tables

    how = [units] if isinstance(units, str) else units, spellings, same_people
    if isinstance(table, str | Path) and isinstance(split, str | Path):
        return audit_files(Path(table), Path(split), *how)
    rows = _table(table)
    if isinstance(split, Mapping):
        return audit_tables(rows, _parts(split, len(rows)), *how)
    if isinstance(split, pd.DataFrame | str | Path):
        return audit_tables(rows, _table(split), *how)
    folds = list(split) if isinstance(split, Iterable) else []
    if len(folds) == 2 and len(folds[0]) and np.ndim(folds[0][0]) == 0:
        return audit_tables(rows, _parts(dict(zip(("train", "test"), folds, strict=True)), len(rows)), *how)
    if not all(isinstance(fold, tuple | list) and len(fold) == 2 for fold in folds) or not folds:
        raise DataError("this is no split", where="split", do="give (train, test), rows of the table by number")
    return [audit_tables(rows, _parts({"train": train, "test": test}, len(rows)), *how) for train, test in folds]


def compare(runs: Iterable[str | Path | Results]) -> pd.DataFrame:
    """Put runs side by side, with paired tests over the units they share; see `insula.evaluation.compare.compare`."""
    from insula.evaluation.compare import compare as compare_runs
    from insula.evaluation.results import Results

    runs = [runs] if isinstance(runs, str | Path | Results) else runs
    return compare_runs([one if isinstance(one, Results) else Path(one) for one in runs])


def _recipe(recipe: str | Path | Recipe, changes: Changes) -> Recipe:
    from insula.evaluation.recipe import Recipe

    if isinstance(recipe, Recipe):
        if changes:
            raise SettingsError("a recipe that is built already takes no changes", do="give its name or its file")
        return recipe
    return Recipe.load(recipe, [changes] if isinstance(changes, str) else changes)


def _table(table: Any) -> pd.DataFrame:
    if isinstance(table, str | Path):
        from insula.protocols.tables import words_of

        return words_of(Path(table))
    if not isinstance(table, pd.DataFrame | Mapping):
        do = "give columns by name: {'subject': people, 'trial': trials}"
        raise DataError(f"{type(table).__name__} is no table", where="table", do=do)
    return pd.DataFrame(table).reset_index(drop=True)


def _parts(parts: Mapping[str, Any], length: int) -> pd.DataFrame:
    for name, values in parts.items():
        if np.asarray(values).dtype == bool and len(values) != length:
            what = f"the mask of {name} has {len(values)} values, and the table {length} rows"
            raise DataError(what, where="split", do="give a mask of one value a row, or the numbers of rows")
    rows = {name: np.asarray(list(rows)) for name, rows in parts.items()}
    rows = {name: np.flatnonzero(values) if values.dtype == bool else values for name, values in rows.items()}
    frames = [pd.DataFrame({"index": values, "part": name}) for name, values in rows.items()]
    return pd.concat(frames, ignore_index=True)
