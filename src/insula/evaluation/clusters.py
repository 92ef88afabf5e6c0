"""What features cluster by: corpus, subject or emotion, before and after an alignment; numbers only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from insula.emotions import LabelTask
from insula.errors import DataError
from insula.evaluation.add_on import AddOn, FinishedFit, FinishedRun, Tables
from insula.evaluation.study import AnyTask
from insula.evaluation.subset import evenly
from insula.samples import Samples
from insula.systems.baselines.plain import plain_features

Spaces = Mapping[str, np.ndarray]
Labels = Mapping[str, Sequence[str | None]]

SILHOUETTES = "Mean silhouettes"
"""The title of the table among what a run measured."""

_FEATURES, _LABELS, _SILHOUETTES = "clusters.npz", "clusters.parquet", "silhouettes.parquet"
_SAMPLES = 1000  # silhouettes and t-SNE take a few seconds
_PLAIN = {"signal": "log variance of each channel", "features": "features as stored"}


def write_clusters(
    folder: Path, samples: Mapping[str, Samples], read: Sequence[str], task: AnyTask, most: int = _SAMPLES
) -> None:
    """Write plain features of some samples of each subject and class, and their silhouettes, to the folder of a fit.

    Nothing is written where there is one subject, or where the system does not read one modality, signals or features.
    Samples with missing values are left out.

    Parameters
    ----------
    folder : Path
        Of the fit.
    samples : mapping of str to Samples
        By the name of the space: the same samples `before` and `after` steps, or those there are. A space whose
        samples differ in form, as before harmonisation, is left out.
    read : sequence of str
        The modalities that the system predicts from.
    task : Task
        Whose label features are grouped by, where it has classes; it may be absent from samples.
    most : int
        Of how many samples at most.
    """
    if len(read) != 1:
        return
    (modality,) = read
    kinds = {name: _kind(part, modality) for name, part in samples.items()}
    samples = {name: part for name, part in samples.items() if kinds[name] in _PLAIN}
    if not samples:
        return
    first = next(iter(samples.values()))
    first = first.select(first.has(modality))
    groups = _groups(first, task)
    if "subject" not in groups:
        return
    places = evenly(groups, most)
    ids, groups = first.ids[places], groups.iloc[places]
    features = {name: plain_features(part.by_id(ids), modality) for name, part in samples.items()}
    whole = np.all([np.isfinite(values).all(axis=1) for values in features.values()], axis=0)
    features, groups = {name: values[whole] for name, values in features.items()}, groups[whole]
    table = silhouettes(features, {name: groups[name].to_numpy(object) for name in groups})
    table.insert(1, "features", [_PLAIN[str(kinds[space])] for space in table["space"]])
    np.savez(folder / _FEATURES, **features)  # type: ignore[arg-type]
    groups.to_parquet(folder / _LABELS, index=False)
    table.to_parquet(folder / _SILHOUETTES, index=False)


def _kind(samples: Samples, modality: str) -> str | None:
    try:
        return samples.store(modality).description.kind
    except DataError:  # none has it, or their forms differ
        return None


def _groups(samples: Samples, task: AnyTask) -> pd.DataFrame:
    """Return corpus, subject and label of each sample, without those that are the same for all."""
    groups: dict[str, np.ndarray] = {"corpus": samples.units("corpus"), "subject": samples.units("subject")}
    if isinstance(task, LabelTask) and set(task.columns) <= set(samples.table):
        codes = task.targets(samples.table)
        names = np.asarray(task.classes, object)[codes]
        names[codes < 0] = None
        groups[task.label] = names
    table = pd.DataFrame(groups, dtype=object)
    return table.loc[:, [len(table[name].dropna().unique()) > 1 for name in table]]


class Silhouettes(AddOn):
    """Plain features of the samples, and the table of what they cluster by."""

    field = "measured"

    def write(self, fit: FinishedFit) -> None:
        """Write both, before and after the recipe's steps."""
        spaces = {"before": fit.study.samples, "after": fit.samples} if fit.recipe.steps else {"features": fit.samples}
        write_clusters(fit.folder, spaces, fit.system.predicts_from, fit.study.task)

    def read(self, run: FinishedRun) -> Tables:
        """Return the table by its title."""
        path = run.first / _SILHOUETTES
        return {SILHOUETTES: pd.read_parquet(path)} if path.exists() else {}


class ClusterMap(AddOn):
    """The map of the features that `Silhouettes` left."""

    cells = "drawn"

    def read(self, run: FinishedRun) -> Tables:
        """Return the map, laid out by t-SNE, as table `clusters`."""
        if not (run.first / _FEATURES).exists():
            return {}
        with np.load(run.first / _FEATURES, allow_pickle=False) as stored:
            return {"clusters": cluster_map(dict(stored), pd.read_parquet(run.first / _LABELS).to_dict("list"))}


def cluster_map(features: Spaces, labels_by_name: Labels) -> pd.DataFrame:
    """Return t-SNE maps of features: one row a space and sample, `space, x, y` and a column a kind of label.

    Parameters
    ----------
    features, labels_by_name
        As for `silhouettes`.
    """
    labels = pd.DataFrame({name: list(names) for name, names in labels_by_name.items()}, dtype=object)
    parts = []
    for space, values in features.items():
        x, y = flat(values).T
        parts.append(pd.concat([pd.DataFrame({"space": space, "x": x, "y": y}), labels], axis=1))
    return pd.concat(parts, ignore_index=True)


def flat(values: np.ndarray) -> np.ndarray:
    """Return a t-SNE map (n, 2) of features (n, d)."""
    from openTSNE import TSNE

    if min(values.shape) < 2:  # a single feature is a line already
        return np.column_stack([values[:, 0], np.zeros(len(values))])
    return np.asarray(TSNE(perplexity=max(2, min(30, len(values) // 4)), random_state=0, n_jobs=1).fit(values))


def silhouettes(features: Spaces, labels_by_name: Labels) -> pd.DataFrame:
    """Return how well features cluster by each kind of label: the mean silhouette (Rousseeuw 1987).

    1 where groups lie apart, 0 where they overlap, below 0 where others are nearer than one's own group. An alignment
    helps where it lowers that of corpus and subject and keeps or raises that of emotion. Time is quadratic in samples.

    Parameters
    ----------
    features : mapping of str to array, shape (n, d)
        By the name of the space, for example `before` and `after`; the same samples in each.
    labels_by_name : mapping of str to sequence of str, length n
        For example `corpus`, `subject`, `emotion`. Samples without a label are left out of that row, and so are groups
        of one.

    Returns
    -------
    DataFrame
        One row a space and label: `space, label, n, groups, silhouette`, NaN where there are less than two groups.

    Raises
    ------
    DataError
        Where features and labels differ in length.

    Examples
    --------
    >>> before = np.array([[0.0], [0.1], [5.0], [5.1]])
    >>> labels = {"subject": ["A", "A", "B", "B"], "emotion": ["joy", "fear", "joy", "fear"]}
    >>> silhouettes({"before": before}, labels).round(2)
        space    label  n  groups  silhouette
    0  before  subject  4       2        0.98
    1  before  emotion  4       2       -0.49
    """
    from sklearn.metrics import silhouette_score

    rows = []
    for space, values in features.items():
        for label, names in labels_by_name.items():
            if len(names) != len(values):
                what = f"{len(names)} labels for {len(values)} samples"
                raise DataError(what, where=label, do="give one label a sample")
            codes = pd.factorize(np.asarray(names, object))[0]
            kept = (codes >= 0) & (np.bincount(codes + 1)[codes + 1] > 1)
            groups = len(np.unique(codes[kept]))
            score = silhouette_score(values[kept], codes[kept]) if groups > 1 else np.nan
            rows.append((space, label, int(kept.sum()), groups, float(score)))
    return pd.DataFrame(rows, columns=["space", "label", "n", "groups", "silhouette"])
