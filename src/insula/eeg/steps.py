"""Steps between a corpus and a system: what is done to the samples of a fold before anything learns their labels.

A step says what of the test side it looks at, which depends on the protocol: the running mean of a session is its own
past where sessions are kept whole, and a look at test inputs where they are not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal, Protocol, Self

import numpy as np

from insula import protocols
from insula.eeg.alignment import Alignment, OnlineAlignment
from insula.eeg.covariance import Method, reference_covariance
from insula.eeg.features import BANDS, differential_entropy
from insula.eeg.few_labels import FewLabels
from insula.eeg.harmonisation import MONTAGE_60, Rule, harmonise
from insula.eeg.muscle import WithoutMuscle
from insula.eeg.smoothing import initial_moments, lds, lds_causal, online_normalise
from insula.errors import DataError, SettingsError, choices
from insula.protocols.units import SAMPLE, unit_codes
from insula.samples import FitLog, Samples, open_store
from insula.samples.stores import new_store
from insula.storage.cache import Cache
from insula.storage.code import code_version
from insula.storage.settings import Settings

_ROWS = 64  # windows in memory at a time
_SMALL = 1e-9  # least deviation, of features that do not change
_WHOLE = {"corpus", "person", "session", "subject", "subject+session"}  # units that keep sessions whole

Piece = tuple[np.ndarray, np.ndarray]


class Step(Protocol):
    """What a step can do; its fields are its settings."""

    learns: ClassVar[bool]
    """Whether it is fitted on the training part, without labels."""

    def access(self, protocol: protocols.Protocol) -> str:
        """Return the target access it needs under a protocol: `none` or `unlabelled`."""

    def apply(self, samples: Samples, source: Samples, cache: Cache) -> Samples:
        """Return all samples of a fold after the step; `source` are those of the training part."""

    @classmethod
    def parse(cls, values: dict[str, Any], *, where: str) -> Self:
        """Build it from plain values."""

    def digest(self) -> str:
        """Return the hash of its settings."""


class Harmonisation(Settings):
    """Another montage, whatever that of the corpus (`insula.eeg.harmonisation.harmonise`).

    Parameters
    ----------
    montage : tuple of str
        The electrodes wanted; by default the 60 that most caps share.
    rule : {"uniform", "inverse_distance", "splines"}
        Where an absent electrode comes from.
    modality : str
        Signals or features with channels.
    """

    learns: ClassVar[bool] = False

    montage: tuple[str, ...] = MONTAGE_60
    rule: Rule = "uniform"
    modality: str = "eeg"

    def access(self, protocol: protocols.Protocol) -> str:
        """Return `none`: it looks at names of channels."""
        return "none"

    def apply(self, samples: Samples, source: Samples, cache: Cache) -> Samples:
        """Return the samples with the modality in the montage."""
        return harmonise(samples, self.modality, self.montage, self.rule)


class BaselineSubtraction(Settings):
    """Features less those of the time before their trial, as in Yang, Wu, Fu and Chen (2018), ICONIP.

    The modality `baseline` is cut in windows; the mean of their differential entropies is subtracted from every window
    of the trial. Of a log-variance that makes a ratio, so the unit and the loudness of a channel go.

    Parameters
    ----------
    window : float
        Seconds a window of the baseline lasts.
    """

    learns: ClassVar[bool] = False

    window: float = 1.0

    def access(self, protocol: protocols.Protocol) -> str:
        """Return `none`: the baseline is over before the trial begins."""
        return "none"

    def apply(self, samples: Samples, source: Samples, cache: Cache) -> Samples:
        """Return the samples with other features.

        Raises
        ------
        DataError
            Where there is no baseline, a trial lacks its own, or features are not those of `BANDS`.
        """
        if "baseline" not in samples.modalities:
            raise DataError("no baseline to subtract", where="steps", do="set corpus.baseline, if the corpus has any")
        lacking = samples.has("features") & ~samples.has("baseline")
        if lacking.any():
            what = f"{int(lacking.sum())} samples have features and no baseline"
            raise DataError(what, where="baseline", do="leave them out, or drop the step")
        form, before = samples.store("features").description, samples.store("baseline").description
        if form.axes != ("channel", "band") or form.channels != before.channels:
            raise DataError("features and baseline differ in their channels", where="features", do="drop the step")
        rate = before.rate or 0.0

        def pieces() -> Iterator[Piece]:
            for places in in_order(samples, "trial", "features"):
                signal = samples.select(places[:1]).read("baseline")[0]
                entropy = differential_entropy(signal, rate, BANDS, self.window).mean(axis=0)
                yield places, samples.select(places).read("features") - entropy

        return _rewritten(samples, "features", self, (), pieces, cache)


class Smoothing(Settings):
    """Features smoothed over each trial by a linear dynamical system (`insula.eeg.smoothing`).

    Parameters
    ----------
    causal : bool
        Filter alone, from the first window on. Otherwise the whole trial smooths each of its windows.
    modality : str
        Features.
    """

    learns: ClassVar[bool] = False

    causal: bool = False
    modality: str = "features"

    def access(self, protocol: protocols.Protocol) -> str:
        """Return `unlabelled` where each window is scored on its own and is smoothed by those that come after it."""
        return "unlabelled" if not self.causal and protocol.scored_unit == SAMPLE else "none"

    def apply(self, samples: Samples, source: Samples, cache: Cache) -> Samples:
        """Return the samples with smooth features, float32."""
        smoother = lds_causal if self.causal else lds

        def pieces() -> Iterator[Piece]:
            for places in in_order(samples, "trial", self.modality):
                values = samples.select(places).read(self.modality)
                yield places, smoother(values.reshape(len(values), -1)).reshape(values.shape)

        return _rewritten(samples, self.modality, self, (), pieces, cache)


class OnlineNormalisation(Settings):
    """Features normalised by the moments of each session so far (`insula.eeg.smoothing.online_normalise`).

    The initial moments are those of the training part's subjects. Windows come in the order of their starts.

    Parameters
    ----------
    modality : str
        Features.
    """

    learns: ClassVar[bool] = True

    modality: str = "features"

    def access(self, protocol: protocols.Protocol) -> str:
        """Return `none` where the protocol keeps sessions whole, otherwise `unlabelled`."""
        return _access_of_sessions(protocol)

    def apply(self, samples: Samples, source: Samples, cache: Cache) -> Samples:
        """Return the samples with normalised features, float32."""

        def flat(some: Samples) -> np.ndarray:
            values = some.read(self.modality)
            return values.reshape(len(values), -1)

        def pieces() -> Iterator[Piece]:
            people = (flat(source.select(places)) for places in in_order(source, "subject", self.modality))
            each = [initial_moments(values, np.zeros(len(values))) for values in people]
            mean, variance = np.mean(each, axis=0)
            for places in in_order(samples, "session", self.modality):
                some = samples.select(places)
                yield places, online_normalise(flat(some), mean, variance).reshape(some.read(self.modality).shape)

        return _rewritten(samples, self.modality, self, source.ids, pieces, cache)


class AlignmentOnline(Settings):
    """Windows whitened by the mean covariance of those before them (`insula.eeg.alignment.OnlineAlignment`).

    It starts from the mean covariance of the training part. Windows come in the order of their starts.

    Parameters
    ----------
    method : {"euclidean", "riemannian"}
        Which mean.
    weight : float
        How many windows the training part's mean counts for.
    modality : str
        Windows of channels x times.
    """

    learns: ClassVar[bool] = True

    method: Method = "euclidean"
    weight: float = 1.0
    modality: str = "eeg"

    def access(self, protocol: protocols.Protocol) -> str:
        """Return `none` where the protocol keeps sessions whole, otherwise `unlabelled`."""
        return _access_of_sessions(protocol)

    def apply(self, samples: Samples, source: Samples, cache: Cache) -> Samples:
        """Return the samples with aligned windows, float32."""

        def pieces() -> Iterator[Piece]:
            present = source.select(source.has(self.modality))
            reference = reference_covariance(present, self.modality, self.method)
            for session in in_order(samples, "session", self.modality):
                online = OnlineAlignment(reference, self.method, self.weight)
                for first in range(0, len(session), _ROWS):
                    places = session[first : first + _ROWS]
                    yield places, online.align(samples.select(places).read(self.modality))

        return _rewritten(samples, self.modality, self, source.ids, pieces, cache)


class Standardisation(Settings):
    """Features in units of each person's own mean and deviation, over all that is there of them.

    Parameters
    ----------
    unit : {"subject", "session"}
        Within what.
    modality : str
        Features.
    """

    learns: ClassVar[bool] = False  # of the training part: each unit tells of itself

    unit: Literal["subject", "session"] = "subject"
    modality: str = "features"

    def access(self, protocol: protocols.Protocol) -> str:
        """Return `unlabelled`: it looks at all windows of a person, without labels."""
        return "unlabelled"

    def apply(self, samples: Samples, source: Samples, cache: Cache) -> Samples:
        """Return the samples with standardised features, float32."""

        def pieces() -> Iterator[Piece]:
            for places in in_order(samples, self.unit, self.modality):
                values = samples.select(places).read(self.modality).astype(np.float64)
                yield places, (values - values.mean(axis=0)) / np.maximum(values.std(axis=0), _SMALL)

        return _rewritten(samples, self.modality, self, (), pieces, cache)


STEPS: Mapping[str, type[Step]] = {
    "harmonise": Harmonisation,
    "align": Alignment,
    "align-online": AlignmentOnline,
    "subtract-baseline": BaselineSubtraction,
    "normalise-online": OnlineNormalisation,
    "smooth": Smoothing,
    "standardise": Standardisation,
    "without-muscle": WithoutMuscle,
    "few-labels": FewLabels,
}
"""Steps by the name that a recipe gives."""


def parse_steps(values: Sequence[Mapping[str, Any]]) -> dict[str, Step]:
    """Return the steps of a recipe, in their order, by what a log calls them.

    Examples
    --------
    >>> list(parse_steps([{"name": "align", "method": "riemannian"}, {"name": "smooth"}]))
    ['1 align', '2 smooth']
    >>> parse_steps([{"name": "algin"}])
    Traceback (most recent call last):
    ...
    insula.errors.SettingsError: unknown step 'algin' (steps): did you mean align? steps are harmonise, ...
    """
    steps: dict[str, Step] = {}
    for number, about in enumerate(values, start=1):
        settings = dict(about)
        name = settings.pop("name", None)
        if name not in STEPS:
            raise SettingsError(f"unknown step {name!r}", where="steps", do=choices("steps", name, STEPS))
        steps[f"{number} {name}"] = STEPS[name].parse(settings, where=f"step {name}")
    return steps


def apply_steps(steps: Mapping[str, Step], samples: Samples, train: np.ndarray, cache: Cache) -> tuple[Samples, FitLog]:
    """Return the samples after all steps, and on which samples each was fitted.

    Parameters
    ----------
    steps : mapping of str to Step
        From `parse_steps`.
    samples : Samples
        All of a fold.
    train : array
        Ids of the training part.
    cache : Cache
        Where rewritten features and windows lie, memory-mapped.
    """
    log = FitLog()
    for name, step in steps.items():
        source = samples.by_id(train)
        samples = step.apply(samples, source, cache)
        if step.learns:
            log.record(f"step {name}", source, "inputs")
    return samples, log


def _access_of_sessions(protocol: protocols.Protocol) -> str:
    return "none" if _WHOLE & set(protocol.disjoint) else "unlabelled"


def in_order(samples: Samples, unit: str, modality: str, do: str = "drop the step") -> list[np.ndarray]:
    """Return the places of each unit's samples that have the modality, in the order of their starts.

    Raises
    ------
    DataError
        Where one of them belongs to no such unit, or does not say when it starts; `do` is the cure.
    """
    codes, present = unit_codes(samples, unit), samples.has(modality)
    start = samples.table["start"].to_numpy(float)
    for what, lacking in ((f"belong to no {unit}", codes < 0), ("do not say when they start", np.isnan(start))):
        if (lacking & present).any():
            raise DataError(f"{int((lacking & present).sum())} samples {what}", where=modality, do=do)
    order = np.lexsort((start, codes))
    order = order[present[order]]
    return np.split(order, np.flatnonzero(np.diff(codes[order])) + 1) if len(order) else []


def _rewritten(
    samples: Samples,
    modality: str,
    step: Step,
    source: Sequence[Any] | np.ndarray,
    pieces: Callable[[], Iterator[Piece]],
    cache: Cache,
) -> Samples:
    """Return the samples with one modality in a new store, which is written piece by piece where it is not there yet.

    `source` are ids of what the step learns from, as far as it learns.
    """
    present = np.flatnonzero(samples.has(modality))
    if not len(present):
        raise DataError(f"no sample has the modality {modality}", where="steps", do="check the corpus, or the step")
    form = samples.store(modality).description
    row = samples.select(present[:1]).read(modality).shape[1:]
    rows = np.full(len(samples), -1)
    rows[present] = np.arange(len(present))

    def build(folder: Any) -> None:
        values = new_store(folder / "values", (len(present), *row), np.float32, form)
        for places, part in pieces():
            values[rows[places]] = part
        values.flush()

    key = [step.digest(), samples.fingerprint(), np.asarray(source).tolist(), code_version()]
    store = open_store(cache.folder("steps", key, build) / "values")
    return samples.with_modality(modality, f"{modality} {type(step).__name__}", store, rows)
