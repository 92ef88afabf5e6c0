"""How a recording becomes the rows that a bundle reads: as those of its corpus did, which the manifest keeps."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from pydantic import Field

from insula.deployment.inputs import shown
from insula.eeg.checks import check_scales
from insula.eeg.epoch_store import Windows, feature_store, window_store
from insula.eeg.preprocessing import Preprocessing
from insula.eeg.reading import read_recording
from insula.eeg.steps import parse_steps
from insula.errors import SettingsError
from insula.samples import Samples, provenance
from insula.storage.atomic import scratch_folder
from insula.storage.cache import Cache
from insula.storage.settings import Settings

if TYPE_CHECKING:
    from insula.eeg.steps import Step
    from insula.samples import Recording

_FLAT, _LARGEST = 0.01, 1000.0  # microvolts from the lowest to the highest value of a window

CARRIED = ("harmonise", "smooth", "without-muscle")
"""Steps that go into a bundle: what they do to a window hangs on that window and those before it alone."""


class Preparation(Settings):
    """From a recording to the windows, and features, that a bundle reads.

    Parameters
    ----------
    channels : tuple of str, optional
        Electrodes to read, in this order; None where a step makes the bundle's montage of any.
    rename : mapping, optional
        From channels as files name them to electrodes, or to None.
    unit : str, optional
        Of the values that files hold, whatever their headers say.
    preprocessing : Preprocessing
        How the EEG is cleaned; its epoch and baseline are not used.
    windows : Windows
        How it is cut.
    features : bool
        Whether the differential entropy of each window is made, too.
    steps : tuple of mapping
        Steps of the recipe, some of `CARRIED`.
    """

    channels: tuple[str, ...] | None
    rename: dict[str, str | None] | None = None
    unit: str | None = Field(None, exclude_if=lambda unit: unit is None)
    preprocessing: Preprocessing
    windows: Windows
    features: bool = False
    steps: tuple[dict[str, Any], ...] = ()

    @classmethod
    def of(cls, settings: Any, samples: Samples, steps: Sequence[Mapping[str, Any]]) -> Self | str:
        """Return how a corpus makes samples of recordings, or in words why no other recording can be made like them.

        Parameters
        ----------
        settings : Settings
            Of the corpus.
        samples : Samples
            Of the corpus, before the recipe's steps.
        steps : sequence of mapping
            Of the recipe, as `check_steps` lets them pass.
        """
        cleaning = getattr(settings, "preprocessing", None)
        if not isinstance(cleaning, Preprocessing) or not samples.has("eeg").any():
            return "its corpus does not say how a recording becomes such rows"
        form = samples.store("eeg").description
        windows = getattr(settings, "windows", None)
        if form.start is not None:
            if cleaning.baseline is not None:
                return "it learnt epochs around events, less what was before each of them"
            windows = Windows(seconds=cleaning.epoch[1] - cleaning.epoch[0])
        elif windows is None:
            windows = Windows(seconds=settings.window, hop=settings.hop)
        rename = getattr(settings, "rename", None)
        any_montage = any(step["name"] == "harmonise" for step in steps)
        return cls(
            channels=None if any_montage else form.channels,
            rename=rename if isinstance(rename, dict) else None,
            unit=getattr(settings, "unit", None),
            preprocessing=Preprocessing(**{**cleaning.model_dump(), "rate": form.rate}),
            windows=windows,
            features="features" in samples.modalities,
            steps=tuple(dict(step) for step in steps),
        )

    @contextmanager
    def samples(self, path: Path) -> Iterator[Samples]:
        """Lend the samples of a recording, one a window, for as long as they are looked at.

        Raises
        ------
        DataError
            Where it cannot be read, lacks an electrode, or is too short.

        Warns
        -----
        UserWarning
            Saying what is odd about the file.
        """
        name = shown(Path(path.stem))
        recording = read_recording(
            path, "recording", name, "1", rename=self.rename, channels=self.channels, unit=self.unit
        )
        for note in [*recording.notes, *check_scales(recording, where=path)]:
            warnings.warn(note, stacklevel=3)
        with self.windows_of(recording) as made:
            yield made

    @contextmanager
    def windows_of(self, recording: Recording) -> Iterator[Samples]:
        """Lend the samples of a recording that is open, as `samples` does.

        Raises
        ------
        DataError
            Where it is too short, or no live EEG.
        """
        with scratch_folder() as folder:
            cache = Cache(folder)
            store, clock = window_store([recording], self.preprocessing, self.windows, cache)
            table = provenance(
                len(clock),
                corpus="recording",
                subject=recording.subject,
                session="1",
                trial="1",
                start=clock["start"].to_numpy(),
                stop=clock["stop"].to_numpy(),
            )
            made = Samples(table, {}).with_modality("eeg", "eeg", store, range(len(clock)))
            noticed = zip(clock["quality"], _implausible(recording, made), strict=True)
            made = made.with_columns(quality=["; ".join(filter(None, words)) for words in noticed])
            if self.features:
                entropies, _ = feature_store([recording], self.preprocessing, self.windows, cache)
                made = made.with_modality("features", "features", entropies, range(len(clock)))
            for step in check_steps(self.steps).values():
                made = step.apply(made, made.select(np.arange(0)), cache)
            yield made


def _implausible(recording: Recording, windows: Samples) -> list[str]:
    """Return of each window which channels show what no brain does, or were marked bad; empty where none.

    What is flat shows before cleaning, which mixes channels; what is far too large, after drifts are gone.
    """
    store, rows = windows.store("eeg"), windows.rows("eeg")
    cleaned, words = store.description.channels, []
    for row, start, stop in zip(rows, windows.table["start"], windows.table["stop"], strict=True):
        raw = np.ptp(recording.read(round(start * recording.rate), round(stop * recording.rate)), axis=1)
        spans = np.ptp(store.read(np.array([row]))[0], axis=1)
        channels = {
            "flat": [name for name, span in zip(recording.channels, raw, strict=True) if span < _FLAT],
            "beyond EEG": [name for name, span in zip(cleaned, spans, strict=True) if span > _LARGEST],
            "marked bad": recording.bad,
        }
        words.append("; ".join(f"{what}: {' '.join(names)}" for what, names in channels.items() if names))
    return words


def check_steps(steps: Sequence[Mapping[str, Any]]) -> dict[str, Step]:
    """Return the steps of a recipe that a bundle is to hold.

    Raises
    ------
    SettingsError
        Where one was fitted, or looks at more than a window and those before it.

    Examples
    --------
    >>> list(check_steps([{"name": "smooth", "causal": True}]))
    ['1 smooth']
    >>> check_steps([{"name": "smooth"}])
    Traceback (most recent call last):
    ...
    insula.errors.SettingsError: the step smooth looks at a whole trial, and a bundle answers window by window (steps...
    """
    parsed = parse_steps(steps)
    for about, step in zip(steps, parsed.values(), strict=True):
        name, why = about["name"], None
        if step.learns:
            why, do = "is fitted on the training part", "leave it out, or evaluate the recipe with `insula run`"
        elif name not in CARRIED:
            why, do = "needs more than a window and those before it", "leave it out, or evaluate it with `insula run`"
        elif name == "smooth" and not getattr(step, "causal", False):
            why, do = "looks at a whole trial", "smooth by the past alone: {name: smooth, causal: true}"
        if why:
            raise SettingsError(f"the step {name} {why}, and a bundle answers window by window", where="steps", do=do)
    return parsed
