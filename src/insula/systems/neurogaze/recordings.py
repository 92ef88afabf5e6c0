"""What the teacher reads: band power of windows, person by person, with ratings where there are any."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from insula.eeg.features import BANDS
from insula.emotions import Continuous
from insula.errors import DataError, LabelError, SettingsError
from insula.protocols.units import unit_codes
from insula.samples import Samples
from insula.storage.hashing import digest, digest_array
from insula.systems.neurogaze.settings import Ratings, Teacher

_FEWEST = 3  # electrodes that span a triangle


@dataclass(frozen=True, eq=False)
class Recordings:
    """Windows of EEG.

    Parameters
    ----------
    values : float32 array, shape (n, channels, bands)
        Standardised within each person.
    channels : tuple of str
        Electrodes that all corpora have.
    ratings : float32 array, shape (n, 2)
        Valence and arousal from -1 to 1; NaN where they are not known.
    support : bool array, shape (n,)
        Windows without the ratings that are learnt.
    people, trials : int arrays, shape (n,)
        Whose, and of which trial.
    """

    values: np.ndarray
    channels: tuple[str, ...]
    ratings: np.ndarray
    support: np.ndarray
    people: np.ndarray
    trials: np.ndarray

    def fingerprint(self) -> str:
        """Return the sha256 of everything."""
        arrays = (self.values, self.ratings, self.support, self.people, self.trials)
        return digest([list(self.channels), *(digest_array(part) for part in arrays)])


def read_recordings(samples: Samples, settings: Teacher, shuffled: int | None = None) -> Recordings:
    """Return the windows of all samples that have `features`, electrodes by name.

    Where samples have a `baseline`, its mean entropy is subtracted first: of a log-power that makes a ratio.

    Parameters
    ----------
    samples : Samples
        `features` are differential entropy, channels x `insula.eeg.features.BANDS`.
    settings : Teacher
        Bands, ratings and what is done with windows that have none.
    shuffled : int, optional
        A seed; then ratings are dealt out anew over trials.

    Raises
    ------
    DataError
        Where no window is rated, electrodes are too few, or features are of other bands.
    LabelError
        Where a rating is off its corpus's scale.
    """
    samples = samples.select(samples.has("features"))
    rated = _ratings(samples, settings, "ratings")
    complete = ~np.isnan(rated).any(axis=1)
    if not complete.any():
        names = f"{settings.ratings.valence} and {settings.ratings.arousal}"
        raise DataError(f"no EEG with {names}", where="features", do="join a corpus of EEG that people rated")
    if shuffled is not None:
        rated = _dealt(rated, unit_codes(samples, "trial"), complete, shuffled)
    support = ~complete
    if settings.support == "labels" and support.any():
        rated[support] = _ratings(samples.select(support), settings, "support_ratings")
    if settings.support == "none":
        samples, rated, support = samples.select(complete), rated[complete], support[complete]
    values, channels = _values(_less_baseline(samples))
    people = unit_codes(samples, "subject")
    return Recordings(
        _standardised(values, people)[:, :, _bands(settings)],
        channels,
        rated.astype(np.float32),
        support,
        people,
        unit_codes(samples, "trial"),
    )


def _bands(settings: Teacher) -> list[int]:
    unknown = [name for name in settings.bands if name not in BANDS]
    if unknown or not settings.bands:
        what = f"unknown band {unknown[0]!r}" if unknown else "no band"
        raise SettingsError(what, where="teacher.bands", do=f"bands are {', '.join(BANDS)}")
    return [list(BANDS).index(name) for name in settings.bands]


def _ratings(samples: Samples, settings: Teacher, which: str) -> np.ndarray:
    """Return float64 (n, 2), NaN where a rating or the whole column is missing; each corpus on its own scale."""
    ratings: Ratings = getattr(settings, which)
    corpora = samples.table["corpus"].to_numpy(object)
    targets = np.full((len(samples), 2), np.nan)
    for corpus in dict.fromkeys(corpora):
        mine = np.flatnonzero(corpora == corpus)
        table, scale = samples.table.iloc[mine], ratings.scales.get(corpus, ratings.scale)
        for place, name in enumerate((ratings.valence, ratings.arousal)):
            if name not in table:
                continue
            try:
                targets[mine, place] = Continuous(label=name, scale=scale).targets(table)
            except LabelError as error:
                do = f"say the scale of {corpus}, as in system.teacher.{which}.scales: {{{corpus}: [1, 9]}}"
                raise LabelError(error.what, where=error.where, do=do) from None
    return targets


def _dealt(rated: np.ndarray, trials: np.ndarray, complete: np.ndarray, seed: int) -> np.ndarray:
    """Return ratings with the mean of each rated trial dealt out over all of them."""
    _, trial = np.unique(trials[complete], return_inverse=True)
    means = np.stack([np.bincount(trial, part) / np.bincount(trial) for part in rated[complete].T], axis=1)
    dealt = rated.copy()
    dealt[complete] = np.random.default_rng([seed, 33]).permutation(means)[trial]
    return dealt


def _less_baseline(samples: Samples) -> Samples:
    """Return the samples with features less those before the trial, where that was recorded."""
    measured = samples.has("baseline")
    if not measured.any():
        return samples
    from insula.eeg.steps import BaselineSubtraction
    from insula.storage.cache import Cache

    some = samples.select(measured)
    less = BaselineSubtraction().apply(some, some, Cache())
    rows = np.full(len(samples), -1)
    rows[measured] = less.rows("features")
    name = less.table["features_store"].iloc[0]
    return samples.with_modality("features", name, less.stores[name], rows)


def _values(samples: Samples) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the features of all samples at the electrodes that their stores share, and these electrodes."""
    names = samples.table["features_store"].to_numpy(object)
    forms = {name: samples.stores[name].description for name in dict.fromkeys(names)}
    channels = list(next(iter(forms.values())).channels)
    for name, form in forms.items():
        if form.axes != ("channel", "band"):
            raise DataError(f"features are {' x '.join(form.axes)}", where=name, do="give channels x bands")
        channels = [channel for channel in channels if channel in form.channels]
    if len(channels) < _FEWEST:
        what = f"the corpora of EEG share {len(channels)} electrodes"
        raise DataError(what, where=", ".join(forms), do="join corpora that have more in common")
    result: np.ndarray | None = None
    for name, form in forms.items():
        mine = names == name
        part = samples.select(mine).read("features")[:, [form.channels.index(channel) for channel in channels]]
        if part.shape[2] != len(BANDS):
            what = f"{part.shape[2]} bands instead of {', '.join(BANDS)}"
            raise DataError(what, where=name, do="use a corpus whose features are of these bands")
        if result is None:
            result = np.empty((len(samples), *part.shape[1:]), np.float32)
        result[mine] = part
    assert result is not None
    return result, tuple(channels)


def _standardised(values: np.ndarray, people: np.ndarray) -> np.ndarray:
    """Return values less their mean and over their deviation, of each person, channel and band."""
    result = np.empty_like(values)
    for person in np.unique(people):
        mine = people == person
        deviation = values[mine].std(axis=0)
        result[mine] = (values[mine] - values[mine].mean(axis=0)) / np.where(deviation > 0, deviation, 1)
    return result
