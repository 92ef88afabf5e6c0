"""What is not brain in EEG: bad channels, components of eyes, muscles and heart, and epochs that are beyond use.

Peak-to-peak marking looks at one epoch alone. Everything else here learns: RANSAC and ICA from a whole recording,
autoreject from all epochs of a recording, each without labels and from no other recording. The rule for loud channels
fits nothing, but looks at the whole of a recording, which in corpora of trials is one trial. Does that count as target
access? Yes, of the kind `unlabelled`: to clean a test epoch so takes the rest of its recording, which is not there yet
when samples come one at a time; and where trials of one recording lie in training and in test, what was learnt from
test inputs has cleaned the training part, too. Samples say in the column `eeg_cleaned_on` which recording cleaning
learnt from; an audit refuses such a test part under `target: none`, and names it under `target: unlabelled`.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Discriminator, Field, PositiveFloat, Tag, model_validator

from insula.eeg.montage import interpolation
from insula.errors import DataError, SettingsError
from insula.storage.settings import Settings

Kind = Literal["muscle", "eye", "heart", "line", "channel"]
Probability = Annotated[float, Field(gt=0, le=1)]
# Told apart beforehand, so that an error is about the one that was meant.
Drop = Annotated[
    Annotated[tuple[Kind, ...], Tag("kinds")] | Annotated[Mapping[Kind, Probability], Tag("limits")],
    Discriminator(lambda value: "limits" if isinstance(value, Mapping) else "kinds"),
]

#: Columns of ICLabel's probabilities; the first is brain, the last anything else.
_KINDS: tuple[Kind, ...] = ("muscle", "eye", "heart", "line", "channel")

#: Hz: what ICLabel was trained on, beside the average reference and extended infomax.
ICLABEL_BAND = (1.0, 100.0)

_FEWEST_FOR_RANSAC = 16  # electrodes: RANSAC predicts each from a quarter of them
_RANSAC_SECONDS = 4.0  # an epoch of RANSAC
_FOLDS = 10  # of autoreject's own cross-validation
_PER_SQUARED_COMPONENT = 20  # samples that ICA needs at least, as a rule of thumb


class Artefacts(Settings):
    """What is taken out of EEG or marked in it; by default nothing is.

    Parameters
    ----------
    bad_channels : bool
        Channels that are flat, not finite, called bad by the recording (BIDS `channels.tsv`) or found by RANSAC are
        interpolated by spherical splines. Otherwise flat and not finite channels are refused.
    loud_channels : bool
        Channels that are far too loud in a recording, or in a trial of a corpus of trials, become the mean of their
        nearest good ones (`insula.eeg.bad_channels`): once before the average reference; with ICA also before it, but
        for `insula.eeg.bad_channels.BLINK_ELECTRODES`, which show it the blinks.
    ica : {"infomax", "picard", "fastica"}, optional
        Independent components whose kind ICLabel names are taken out. `infomax` is extended infomax, which ICLabel was
        trained on; `picard` solves the same faster and needs the package python-picard; `fastica` warns.
    drop : tuple of {"eye", "muscle", "heart", "line", "channel"}, or mapping of these to float
        Kinds of component taken out, or the probability from which on each is.
    probability : float
        ICLabel's probability from which on a component is taken out, where `drop` names none.
    components : int, optional
        Components fitted; by default as many as the signal has dimensions.
    peak_to_peak : float, optional
        Microvolts. An epoch in which a channel spans more is marked, not dropped, so that the table stays complete.
    autoreject : bool
        Autoreject (Jas et al.) interpolates channels within single epochs and marks epochs beyond repair. It holds all
        epochs of a recording in memory, and is for epochs around events alone.
    seed : int
        Of RANSAC, ICA and autoreject.

    References
    ----------
    Pion-Tonachini, Kreutz-Delgado and Makeig (2019), ICLabel, NeuroImage 198, 181-197. Jas, Engemann, Bekhti, Raimondo
    and Gramfort (2017), Autoreject, NeuroImage 159, 417-429. Bigdely-Shamlo, Mullen, Kothe, Su and Robbins (2015), The
    PREP pipeline, Frontiers in Neuroinformatics 9, 16 (RANSAC over channels).

    Examples
    --------
    What BMCI's source did, in a recipe's words: `artefacts: {ica: infomax, peak_to_peak: 150}`. A kind may have a limit
    of its own: `artefacts: {ica: infomax, drop: {muscle: 0.5, eye: 0.7}}`.

    >>> Artefacts(ica="infomax", peak_to_peak=150).learns
    True
    >>> Artefacts(peak_to_peak=150).learns
    False
    """

    bad_channels: bool = False
    # Left out of what is written where it is not asked for: such settings are those, and the cache entries, of before.
    loud_channels: bool = Field(False, exclude_if=lambda asked: not asked)
    ica: Literal["infomax", "picard", "fastica"] | None = None
    drop: Drop = ("eye", "muscle", "heart")
    probability: Probability = 0.8
    components: int | None = Field(None, ge=2)
    peak_to_peak: PositiveFloat | None = None
    autoreject: bool = False
    seed: int = 0

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        if self.bad_channels and self.loud_channels:
            what = "bad_channels and loud_channels are two rules for the same channels"
            raise SettingsError(what, where="artefacts", do="choose one")
        return self

    @property
    def limits(self) -> dict[Kind, float]:
        """The probability of each kind in `drop` from which on a component is taken out."""
        return dict(self.drop) if isinstance(self.drop, Mapping) else dict.fromkeys(self.drop, self.probability)

    @property
    def spatial(self) -> bool:
        """Whether a matrix over channels comes from the whole recording."""
        return self.bad_channels or self.loud_channels or self.ica is not None

    @property
    def fitted(self) -> bool:
        """Whether any step is fitted, be it to one trial."""
        return self.bad_channels or self.ica is not None or self.autoreject

    @property
    def marks(self) -> bool:
        """Whether epochs are looked at one by one, and marked."""
        return self.autoreject or self.peak_to_peak is not None

    @property
    def learns(self) -> bool:
        """Whether any step learns from more than the epoch at hand."""
        return self.spatial or self.autoreject


@dataclass(frozen=True)
class Cleaning:
    """What was learnt of a recording.

    Parameters
    ----------
    matrix : ndarray, (channels, channels)
        ``matrix @ signal`` is the cleaned signal, average reference included where ICA was used.
    bad : tuple of str
        Channels that were interpolated; they may hold anything.
    dropped : tuple of (str, float)
        Kind and probability of each component taken out.
    components : int
        Components that were fitted; 0 without ICA.
    loud : tuple of str
        Channels that were repaired because they were too loud.
    """

    matrix: np.ndarray
    bad: tuple[str, ...] = ()
    dropped: tuple[tuple[str, float], ...] = ()
    components: int = 0
    loud: tuple[str, ...] = ()


def learn_cleaning(
    signal: np.ndarray, channels: Sequence[str], rate: float, settings: Artefacts, bad: Sequence[str], *, where: object
) -> Cleaning:
    """Learn from a recording which channels to interpolate and which components to take out.

    Unsupervised, from this recording alone; see the module for what that means to a protocol.

    Parameters
    ----------
    signal : ndarray of float, (channels, times)
        Microvolts, band-passed at `ICLABEL_BAND`.
    channels : sequence of str
        10-05 names.
    rate : float
        Samples per second.
    settings : Artefacts
        Its `bad_channels` and `ica` say what is learnt.
    bad : sequence of str
        Channels known to be bad; only with `bad_channels`.
    where : object
        The recording, for errors and warnings.

    Raises
    ------
    DataError
        If too few channels are good.
    SettingsError
        If `picard` is asked for and not installed.

    Warns
    -----
    UserWarning
        If the signal is short for so many components, or ICLabel was trained on another algorithm.
    """
    if settings.bad_channels:
        kept = np.array([name not in bad for name in channels])
        odd = _ransac([name for name in channels if name not in bad], signal[kept], rate, settings.seed, where)
        bad = [name for name in channels if name in (*bad, *odd)]
    good = np.array([name not in bad for name in channels])
    names = [name for name in channels if name not in bad]
    matrix = interpolation(names, channels).astype(float)  # of the good channels
    dropped: tuple[tuple[str, float], ...] = ()
    components = 0
    if settings.ica is not None:
        reference = np.eye(len(names)) - 1 / len(names)
        projection, dropped, components = _independent(reference @ signal[good], names, rate, settings, where)
        matrix = matrix @ projection @ reference
        matrix -= matrix.mean(axis=0)
    whole = np.zeros((len(channels), len(channels)))
    whole[:, good] = matrix
    return Cleaning(whole.astype(np.float32), tuple(bad), dropped, components)


def _ransac(names: list[str], signal: np.ndarray, rate: float, seed: int, where: object) -> list[str]:
    """Return channels that the others do not predict (autoreject's RANSAC, with its defaults)."""
    if len(names) < _FEWEST_FOR_RANSAC:
        what = f"{len(names)} good channels are too few to find bad ones by"
        raise DataError(what, where=where, do="set artefacts.bad_channels to false, and drop bad channels by hand")
    import mne
    from autoreject import Ransac

    ransac = Ransac(random_state=seed, verbose=False)
    raw = _raw(signal, names, rate)
    epochs = mne.make_fixed_length_epochs(raw, min(_RANSAC_SECONDS, raw.times[-1]), preload=True, verbose="error")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ransac.fit(epochs)
    return list(ransac.bad_chs_)


def _independent(
    signal: np.ndarray, names: list[str], rate: float, settings: Artefacts, where: object
) -> tuple[np.ndarray, tuple[tuple[str, float], ...], int]:
    """Return the matrix (channels, channels) that takes components out, which these are, and how many were fitted."""
    from mne_icalabel.iclabel import iclabel_label_components

    ica = _fit(signal, names, rate, settings, where)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # said above, by recording
        raw = _raw(signal, names, rate)
        probabilities = iclabel_label_components(raw, ica, inplace=False, backend="onnx")  # its weights are packaged
    kinds = tuple(settings.limits)
    chances = probabilities[:, [1 + _KINDS.index(kind) for kind in kinds]]
    chances = np.where(chances >= np.array(list(settings.limits.values())), chances, 0)
    out = np.flatnonzero(chances.any(axis=1))
    n = ica.n_components_
    scale = ica.pre_whitener_.ravel()  # one a channel
    unmixing = ica.unmixing_matrix_ @ (ica.pca_components_[:n] / scale)
    mixing = (ica.pca_components_[:n].T @ ica.mixing_matrix_) * scale[:, None]
    dropped = tuple((kinds[chances[row].argmax()], float(chances[row].max())) for row in out)
    return np.eye(len(names)) - mixing[:, out] @ unmixing[out], dropped, n


def _fit(signal: np.ndarray, names: list[str], rate: float, settings: Artefacts, where: object) -> Any:
    from mne.preprocessing import ICA

    if settings.ica == "picard" and find_spec("picard") is None:
        raise SettingsError("picard needs a package", where="artefacts.ica", do="pip install python-picard")
    options = {"infomax": {"extended": True}, "picard": {"extended": True, "ortho": False}}.get(str(settings.ica))
    n = min(_rank(signal), settings.components or len(names))
    if signal.shape[1] < _PER_SQUARED_COMPONENT * n**2:
        what = f"{signal.shape[1] / rate:.0f} s are short for {n} components"
        warnings.warn(f"{what} ({where}): lower artefacts.components, or record longer", stacklevel=5)
    if settings.ica == "fastica":
        warnings.warn("ICLabel was trained on extended infomax and errs more with fastica: use infomax", stacklevel=5)
    ica = ICA(n, method=settings.ica, fit_params=options, random_state=settings.seed, verbose="error")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ica.fit(_raw(signal, names, rate), verbose="error")


def _rank(signal: np.ndarray) -> int:
    """Return the dimensions of a signal; float32 rounding and the average reference leave some empty."""
    variances = np.linalg.eigvalsh(np.cov(signal))
    return int((variances > 1e-6 * variances[-1]).sum())


def peak_to_peak_marks(values: np.ndarray, channels: Sequence[str], limit: float) -> np.ndarray:
    """Return text (epochs,): "" or the widest channel of an epoch, where it spans more than the limit.

    Parameters
    ----------
    values : ndarray, (epochs, channels, times)
        Microvolts.
    channels : sequence of str
        Names.
    limit : float
        Microvolts.

    Examples
    --------
    >>> values = np.zeros((2, 2, 3))
    >>> values[1, 1, 0] = 200
    >>> peak_to_peak_marks(values, ["Fz", "Cz"], 150).tolist()
    ['', '200 uV at Cz']
    """
    marks = np.full(len(values), "", object)
    for row, epoch in enumerate(values):  # row by row: a memory map never enters memory whole
        span = np.ptp(epoch, axis=-1)
        widest = int(span.argmax())
        if span[widest] > limit:
            marks[row] = f"{span[widest]:.0f} uV at {channels[widest]}"
    return marks


def autoreject_epochs(
    values: np.ndarray, channels: Sequence[str], rate: float, seed: int, *, where: object
) -> tuple[np.ndarray, np.ndarray]:
    """Interpolate channels within epochs, and tell epochs beyond repair, by autoreject.

    It chooses its thresholds by cross-validation over the epochs given, without labels; it is fitted on all of them.

    Parameters
    ----------
    values : ndarray of float32, (epochs, channels, times)
        Microvolts.
    channels : sequence of str
        10-05 names.
    rate : float
        Samples per second.
    seed : int
        Of its search.
    where : object
        The recording, for errors.

    Returns
    -------
    values : ndarray of float32, (epochs, channels, times)
        Repaired; epochs beyond repair as they were.
    beyond : ndarray of bool, (epochs,)
        Epochs beyond repair.

    Raises
    ------
    DataError
        If there are fewer epochs than folds.
    """
    import mne
    from autoreject import AutoReject

    if len(values) < _FOLDS:
        what = f"{len(values)} epochs are too few for autoreject, which needs {_FOLDS}"
        raise DataError(what, where=where, do="set artefacts.autoreject to false")
    epochs = mne.EpochsArray(values * 1e-6, _info(channels, rate), verbose="error")
    tried = sorted({min(count, len(channels) - 1) for count in (1, 4, 8, 16, 32)})
    search = AutoReject(n_interpolate=tried, cv=_FOLDS, random_state=seed, n_jobs=1, verbose=False)
    with warnings.catch_warnings(), mne.use_log_level("error"):
        warnings.simplefilter("ignore")
        search.fit(epochs)
        log = search.get_reject_log(epochs)
        repaired = search.transform(epochs, reject_log=log).get_data(copy=False, verbose="error")
    beyond = np.asarray(log.bad_epochs, bool)
    result = values.copy()
    result[~beyond] = repaired * 1e6
    return result, beyond


def _raw(signal: np.ndarray, names: Sequence[str], rate: float) -> Any:
    import mne

    return mne.io.RawArray(signal * 1e-6, _info(names, rate), verbose="error")


def _info(names: Sequence[str], rate: float) -> Any:
    import mne

    info = mne.create_info(list(names), rate, "eeg", verbose="error")
    info.set_montage("colin27_1005")
    return info
