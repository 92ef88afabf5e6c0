"""Semi-simulated: real photographs and real EEG background, with an evoked response of a real one's size put in.

People at rest (EEGMAT) "see" neutral and smiling faces (London). What a smile adds to their EEG is a known early
posterior negativity and late positive potential, as large against single trials as the difference between negative and
neutral words in SizeContEmo (Schettino et al., 40 people, 18,967 trials). `real_effects` measures that in its table:
EPN -0.056 +- 0.016 and LPP 0.000 +- 0.012 standard deviations of single trials (mean and standard error). A real effect
is that small; the setting `effect` multiplies it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache as remember
from pathlib import Path
from typing import ClassVar, Literal, Self

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from insula.corpora.contract import BaseCorpus, Card
from insula.corpora.eegmat import Eegmat, EegmatPreprocessing, EegmatSettings
from insula.corpora.london_faces import LondonFaces, LondonFacesSettings
from insula.corpora.places import corpus_folder
from insula.corpora.scalp import COMPONENTS, Brain, add_answers, common_pattern
from insula.eeg.epoch_store import cleaning_columns, epoch_store
from insula.eeg.preprocessing import Preprocessing, epochs, preprocess
from insula.errors import DataError, InsulaError, SettingsError
from insula.samples import PROVENANCE, Recording, Samples, provenance
from insula.storage.cache import Cache
from insula.storage.hashing import digest
from insula.storage.settings import Settings
from insula.storage.tables import read_csv

_NAME = "semi-simulated"
_GENERATION = 1  # part of every cache key; raised when the same settings make other data
_LEAD, _APART = 1.0, 1.0  # s before the first picture and after the last, and between onsets
_SITES = {"EPN": ("O1", "O2", "P7", "P8"), "LPP": ("Cz", "Pz", "P3", "P4")}
_PLACES = [[component.name for component in COMPONENTS].index(name) for name in _SITES]
_PROBE = 10.0  # uV: the response put in to see what preprocessing leaves of it


def real_effects(table: Path) -> pd.DataFrame:
    """Return how much emotion moves single-trial ERP amplitudes in SizeContEmo.

    Parameters
    ----------
    table : Path
        `main_trialEEG.csv`: columns `participant`, `condition` (1 to 4 negative words, 5 to 8 neutral ones), `EPN`,
        `LPP` (microvolts, a row a trial).

    Returns
    -------
    DataFrame
        Index EPN and LPP; columns `effect`, the mean over participants of (negative - neutral) divided by the pooled
        standard deviation of the participant's single trials, and `standard_error` of that mean.

    Raises
    ------
    DataError
        Where the file is absent or is not that table.
    """
    trials = read_csv(table)
    missing = [name for name in ("participant", "condition", *_SITES) if name not in trials]
    if missing:
        raise DataError(f"no column {missing[0]!r}", where=table, do="give SizeContEmo's main_trialEEG.csv")
    negative = trials["condition"] <= 4
    parts = [trials[where].groupby("participant")[list(_SITES)] for where in (negative, ~negative)]
    spread = np.sqrt((parts[0].var() + parts[1].var()) / 2)
    sizes = (parts[0].mean() - parts[1].mean()) / spread
    result = pd.DataFrame({"effect": sizes.mean(), "standard_error": sizes.sem()})
    if result.isna().any(axis=None):
        raise DataError("too few trials to measure an effect", where=table, do="give both conditions of several people")
    return result


def component_amplitudes(values: np.ndarray, channels: tuple[str, ...], preprocessing: Preprocessing) -> np.ndarray:
    """Return float64 (epochs, 2): mean over sites and time of the EPN and of the LPP, microvolts.

    Parameters
    ----------
    values : array, shape (epochs, channels, times)
        Epochs cut with `preprocessing`.
    channels : tuple of str
        Electrodes.
    preprocessing : Preprocessing
        How they were cut.

    Raises
    ------
    DataError
        Where an electrode that the components are measured at is missing.
    """
    absent = {name for names in _SITES.values() for name in names} - set(channels)
    if absent:
        raise DataError(f"no electrode {min(absent)}", do="the EPN and the LPP are measured there: leave the file out")
    start, stop = preprocessing.epoch
    times = start + (stop - start) * np.arange(values.shape[-1]) / values.shape[-1]
    amplitudes = []
    for (_, names), place in zip(_SITES.items(), _PLACES, strict=True):
        component = COMPONENTS[place]
        sites = [channels.index(name) for name in names]
        during = np.abs(times - component.latency) <= component.width
        amplitudes.append(values[:, sites][..., during].mean((1, 2), dtype=float))
    return np.column_stack(amplitudes)


class SemiSimulatedSettings(Settings):
    """Where the real data lie, and what is put in.

    Parameters
    ----------
    root : Path, optional
        The folder that holds `london-faces/`, `eegmat/` and `size-cont-emo/`; by default `INSULA_DATA`.
    subjects : int
        People at rest, drawn from those there are.
    effect : float
        Times the real single-trial effect; 0 puts nothing in that depends on the expression.
    faces, size
        As in `LondonFacesSettings`.
    seed : int
        Fixes who sees which picture when.
    preprocessing : EegmatPreprocessing
        How the EEG becomes epochs; the size of the effect is that after preprocessing.
    """

    root: Path | None = None
    subjects: int = Field(3, ge=1, le=24)
    effect: float = Field(1.0, ge=0)
    faces: Literal["detect", "cropped"] = "detect"
    size: int = Field(96, ge=16)
    seed: int = Field(0, ge=0)
    preprocessing: EegmatPreprocessing = EegmatPreprocessing()

    @model_validator(mode="after")
    def _covered(self) -> Self:
        early, late = (COMPONENTS[place] for place in _PLACES)
        start, stop = self.preprocessing.epoch
        if start > early.latency - early.width or stop < late.latency:
            what = f"an epoch from {start:g} to {stop:g} s misses the EPN or the LPP"
            raise SettingsError(what, where="preprocessing", do="cover 0.2 to 0.45 s")
        if self.preprocessing.learns:
            what = "the effect is put in by linear probes, and cleaning that learns is not linear"
            raise SettingsError(what, where="preprocessing.artefacts", do="leave out all but peak_to_peak")
        return self


class SemiSimulated(BaseCorpus):
    """London's faces "seen" by EEGMAT's people at rest.

    Samples have the modalities `picture` and `eeg` and the label `emotion` (london2): one row a subject and picture
    seen, and a row without subject for each picture that nobody saw.
    """

    card: ClassVar[Card] = Card(
        name=_NAME,
        title="Real faces, real resting EEG, and an evoked response of real size",
        licence="CC BY 4.0 (London faces, SizeContEmo) and ODC-BY 1.0 (EEGMAT)",
        access="open: a folder with london-faces/, eegmat/ and size-cont-emo/main_trialEEG.csv",
        size="204 photographs; by default 3 people x 58 epochs of 19 channels",
        citation="DeBruine and Jones (2017), figshare 10.6084/m9.figshare.5047666; Zyma et al. (2019), Data 4(1), 14; "
        "Schettino et al., SizeContEmo (effect sizes)",
        labels="emotion: neutral or happiness, posed",
        modalities=("picture", "eeg"),
        origin="real photographs and real EEG at rest with a simulated response",
        notes="Partly paired: background is never used twice, so a person sees only as many pictures as fit into 60 s. "
        "The effect is that of negative words, carried over to smiles; at its real size single trials hardly decode.",
    )
    pictures: ClassVar[str] = "detect"
    Settings: ClassVar[type[SemiSimulatedSettings]] = SemiSimulatedSettings

    def __init__(self, settings: SemiSimulatedSettings) -> None:
        self.settings = settings
        self._london = LondonFaces(LondonFacesSettings(root=settings.root, faces=settings.faces, size=settings.size))
        self._eegmat = Eegmat(EegmatSettings(root=settings.root))

    def check(self) -> list[str]:
        """Return what is missing or broken in any of the three folders, one line each."""
        lacks = [*self._london.check(), *self._eegmat.check()]
        for look in (self._effects, self._at_rest):
            try:
                look()
            except InsulaError as error:
                lacks.append(str(error))
        return list(dict.fromkeys(lacks))

    def samples(self, cache: Cache) -> Samples:
        """Return the samples; crops and epochs lie in the cache, memory-mapped.

        Raises
        ------
        DataError
            Where one of the three folders cannot be used, naming the file.
        """
        london = self._london.samples(cache)
        faces = london.table.set_index("stimulus")
        picture = pd.Series(london.rows("picture"), index=faces.index)
        kept = [name for name in faces if name not in (*PROVENANCE, "picture_store", "picture_row")]
        tables, stores = [], []
        for recording in self._recordings(faces):
            stores.append(epoch_store(recording, self.settings.preprocessing, cache))
            cleaned = cleaning_columns(recording, self.settings.preprocessing, cache)
            places = {"_recording": len(stores) - 1, "_event": range(len(recording.events))}
            tables.append(self._seen(recording).assign(**places, **cleaned))
        unseen = faces.index.difference(pd.concat(tables)["stimulus"], sort=False)
        tables.append(provenance(len(unseen), corpus=_NAME, stimulus=unseen).assign(_recording=-1, _event=-1))
        table = pd.concat(tables, ignore_index=True)
        which, event = table.pop("_recording").to_numpy(), table.pop("_event").to_numpy()
        stimulus = table["stimulus"].to_numpy(object)
        table = table.assign(identity=faces["identity"].loc[stimulus].array)
        table = table.assign(**{name: faces[name].loc[stimulus].array for name in kept})
        samples = Samples(table, {}).with_modality(
            "picture", "pictures", london.store("picture"), picture.loc[stimulus].to_numpy()
        )
        for number, store in enumerate(stores):
            samples = samples.with_modality("eeg", f"eeg {number}", store, np.where(which == number, event, -1))
        return samples

    def _recordings(self, faces: pd.DataFrame) -> Iterator[Recording]:
        effects = self.settings.effect * self._effects()["effect"].to_numpy()
        for number, rest in enumerate(self._at_rest()):
            yield self._with_response(rest, self._events(rest, faces["emotion"], number), effects, number)

    def _seen(self, recording: Recording) -> pd.DataFrame:
        events, (start, stop) = recording.events, self.settings.preprocessing.epoch
        return provenance(
            len(events), corpus=_NAME, subject=recording.subject, session=recording.session,
            trial=events["trial"], stimulus=events["stimulus"],
            start=events["onset"] + start, stop=events["onset"] + stop,
        )  # fmt: skip

    def _effects(self) -> pd.DataFrame:
        return real_effects(corpus_folder(self.settings.root, "size-cont-emo") / "main_trialEEG.csv")

    def _at_rest(self) -> list[Recording]:
        resting = [one for one in self._eegmat.recordings() if one.session.endswith("_1")]
        if len(resting) < self.settings.subjects:
            where = corpus_folder(self.settings.root, "eegmat")
            raise DataError(f"{len(resting)} people at rest for {self.settings.subjects} subjects", where=where,
                            do="lower subjects, or fetch the rest of EEGMAT")  # fmt: skip
        chosen = np.random.default_rng([self.settings.seed, 1]).permutation(len(resting))[: self.settings.subjects]
        return [resting[place] for place in chosen]

    def _events(self, rest: Recording, emotion: pd.Series, number: int) -> pd.DataFrame:
        """Return who is seen when: as many pictures as fit, both classes alike, none twice, in random order."""
        settings = self.settings
        spans = [span for span in (settings.preprocessing.epoch, settings.preprocessing.baseline) if span]
        first, last = min(0.0, *(span[0] for span in spans)), max(span[1] for span in spans)
        apart = max(_APART, last - first)
        room = int((rest.n_times / rest.rate - 2 * _LEAD + first - last) // apart) + 1
        rng = np.random.default_rng([settings.seed, 2, number])
        turn = rng.permutation(len(emotion))
        turn = turn[np.argsort(emotion.iloc[turn].groupby(emotion.iloc[turn].to_numpy()).cumcount(), kind="stable")]
        turn = rng.permutation(turn[: max(room, 0)])
        if len(turn) < 4:
            where = f"{rest.session}, {rest.n_times / rest.rate:.0f} s"
            raise DataError(f"room for {len(turn)} epochs only", where=where, do="shorten the epoch")
        return pd.DataFrame(
            {
                "onset": _LEAD - first + apart * np.arange(len(turn)),
                "duration": 0.5,
                "stimulus": emotion.index[turn],
                "trial": [str(place + 1) for place in range(len(turn))],
                "emotion": emotion.iloc[turn].array,
            }
        )

    def _with_response(self, rest: Recording, events: pd.DataFrame, effects: np.ndarray, number: int) -> Recording:
        settings = self.settings
        key = [_NAME, _GENERATION, rest.fingerprint, settings.seed, number, settings.preprocessing.digest()]
        key += [effects.tolist(), events["stimulus"].tolist(), events["emotion"].tolist()]

        @remember
        def whole() -> np.ndarray:
            return put_in(rest, events, effects, settings.preprocessing, seed=(settings.seed, 3, number))

        return replace(
            rest,
            corpus=_NAME,
            events=events,
            fingerprint=digest(key),
            reader=lambda start, stop: whole()[:, start:stop],
        )


def put_in(
    rest: Recording, events: pd.DataFrame, effects: np.ndarray, preprocessing: Preprocessing,
    *, seed: tuple[int, ...],
) -> np.ndarray:  # fmt: skip
    """Return a recording's signal with an evoked response at each event, whose effect after preprocessing is given.

    Parameters
    ----------
    rest : Recording
        The background.
    events : DataFrame
        Columns `onset` and `emotion`; `happiness` gets the response of the class, all get a common one.
    effects : array, shape (2,)
        Wanted difference of EPN and LPP, in standard deviations of this recording's single trials.
    preprocessing : Preprocessing
        After which the effects hold.
    seed : tuple of int
        Fixes the single trials' jitter.

    Returns
    -------
    ndarray of float32, (channels, times)
        Microvolts.
    """
    background = rest.read()
    happy = (events["emotion"] == "happiness").to_numpy(int)
    common = common_pattern(rest.channels)
    unit = common / np.abs(common).max(axis=1, keepdims=True)
    unit *= np.sign(unit[np.arange(len(unit)), np.abs(unit).argmax(axis=1)])[:, None]  # positive where largest
    latency = np.array([component.latency for component in COMPONENTS])

    def signal(microvolts: np.ndarray) -> np.ndarray:
        specific = np.zeros((2, *common.shape))
        specific[1, _PLACES] = microvolts[:, None] * unit[_PLACES]
        result = background.copy()
        add_answers(
            result, Brain(rest.channels, common, specific, latency), events["onset"].to_numpy(), happy,
            np.ones(len(events)), rest.rate, np.random.default_rng(list(seed)),
        )  # fmt: skip
        return result

    def amplitudes(microvolts: np.ndarray) -> np.ndarray:
        values = signal(microvolts)
        clean, rate = preprocess(replace(rest, reader=lambda start, stop: values[:, start:stop]), preprocessing)
        return component_amplitudes(epochs(clean, rate, events, preprocessing), rest.channels, preprocessing)

    nothing = amplitudes(np.zeros(2))
    # everything is linear in what is put in, so two probes say how much of each component is left, and where;
    # the difference of the classes counts, as the filter carries a little of each answer into its neighbours
    added = [(amplitudes(probe) - nothing) / _PROBE for probe in _PROBE * np.eye(2)]
    left = np.stack([one[happy == 1].mean(0) - one[happy == 0].mean(0) for one in added])
    wanted = effects * nothing.std(axis=0, ddof=1)
    return signal(np.linalg.solve(left.T, wanted))
