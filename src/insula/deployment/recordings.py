"""From recordings of EEG to a table of windows, and what each of them shows; without torch."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from glob import glob, has_magic
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from insula.deployment.bundle import Bundle
from insula.deployment.inputs import shown
from insula.deployment.sureness import in_words, withheld
from insula.deployment.tracks import smoothed
from insula.eeg.montage import some
from insula.emotions import ANCHORS
from insula.errors import DataError, InsulaError, SettingsError, printable
from insula.tiers import naming_tier

_FIRST = ("path", "window", "time", "stop", "label", "probability", "second")
_THEN = ("valence", "arousal", "sure", "reason")


@naming_tier()
def predict_recordings(
    bundle: Bundle,
    inputs: Sequence[str | Path],
    mode: str | None = None,
    *,
    smooth: float = 0.5,
    strict: bool = False,
    changes: Mapping[str, Any] = MappingProxyType({}),
) -> pd.DataFrame:
    """Return what a bundle that reads EEG says of recordings: one row a window, and one for each file that gave none.

    Recordings are cleaned, resampled and cut as those of the training were. Channels are found by name, whatever else
    a file holds.

    Parameters
    ----------
    bundle : Bundle
        That reads EEG, or features of it.
    inputs : sequence of str or Path
        Recordings (EDF, BDF, BrainVision's header, EEGLAB, FIF), folders of them, or patterns such as `*.edf`.
    mode : str, optional
        One of the bundle's modes.
    smooth : float
        Time constant of the smoothing over a recording, in seconds: see `insula.deployment.tracks.smoothed`.
    strict : bool
        Withhold answers that are unsure, and of windows in which something was noticed, and say why.
    changes : mapping
        `unit` of the values in the files, whatever their headers say, and `rename`, from channels to electrodes, where
        they are not as in the training's.

    Returns
    -------
    DataFrame
        `path`; `window` (from 0), `time` and `stop` (seconds of its beginning and end); of classes `label`,
        `probability`, `second`, `p_CLASS`, `valence` and `arousal` (the circumplex position of the probabilities, where
        the classes are emotions), `sure` (in words), `smoothed_CLASS`, `smoothed_label`; of a rating `rating`;
        `uncertainty`; `reason` (why there is no answer, or what was noticed about the window); `mode`. Further columns
        are the system's own.

    Raises
    ------
    SettingsError
        Where the bundle's rows cannot be made of a recording, or for an unknown mode or change.

    Warns
    -----
    UserWarning
        Saying what is odd about files, and what in folders is not read.
    """
    from insula.deployment.preparation import Preparation

    mode, how = bundle.mode(mode), bundle.manifest.get("recording")
    if not 0 <= smooth < np.inf:
        raise SettingsError(f"smoothed over {smooth} seconds", do="give a time from 0")
    if not isinstance(how, dict):
        why = how if isinstance(how, str) else "it does not say how a recording becomes such rows"
        do = "in Python give it such rows: open_bundle(FOLDER).predict(samples)"
        raise SettingsError(f"this bundle answers for no recording: {why}", do=do)
    strange = [name for name in changes if name not in ("unit", "rename")]
    if strange:
        raise SettingsError(f"a bundle's recordings have no setting {strange[0]!r}", do="set unit or rename")
    preparation = Preparation.parse({**how, **changes}, where="the manifest's recording")
    parts, odd = [], dict[str, list[str]]()
    for path in recordings_in(inputs):
        try:
            with heard(path, odd), preparation.samples(path) as samples:
                own, predicted = samples.table, bundle.predict(samples, mode).table
                place = {"path": shown(path), "window": range(len(own)), "time": own["start"], "stop": own["stop"]}
                rows = pd.DataFrame(place, index=own.index).join(predicted)
                noticed = own["quality"].replace("", None)
                rows["reason"] = noticed.fillna(rows["reason"].replace("", None)) if "reason" in rows else noticed
                parts.append(_answered(rows, bundle.classes, smooth, strict=strict) if bundle.classes else rows)
        except InsulaError as error:
            reason = printable(": ".join(part for part in (error.what, error.do) if part))
            parts.append(pd.DataFrame({"path": [shown(path)], "reason": [reason]}))
    for note, names in odd.items():
        warnings.warn(f"{note} ({some(names, 3)})", stacklevel=2)
    table = pd.concat(parts, ignore_index=True)
    probabilities = [name for name in table if str(name).startswith("p_")]
    main = [*_FIRST, *probabilities, *_THEN] if bundle.classes else [*_FIRST[:4], "rating", "reason"]
    return table.reindex(columns=[*main, *(name for name in table if name not in main)])


@contextmanager
def heard(path: Path, odd: dict[str, list[str]]) -> Iterator[None]:
    """Keep what is warned of about a file, so that it is said once of all files."""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        try:
            yield
        finally:
            for note in dict.fromkeys(str(one.message) for one in heard):
                odd.setdefault(note, []).append(shown(Path(path.name)))


def _answered(table: pd.DataFrame, classes: Sequence[str], smooth: float, *, strict: bool) -> pd.DataFrame:
    """Return the windows of one recording with the answer in words, smoothed over time."""
    names = np.array(classes, object)
    probabilities = table[[f"p_{name}" for name in names]].to_numpy()
    order = np.argsort(-probabilities, axis=1)
    answer = {"label": names[order[:, 0]], "second": names[order[:, 1]], "probability": probabilities.max(axis=1)}
    if all(name in ANCHORS for name in names):
        place = probabilities @ np.array([ANCHORS[name] for name in names])
        answer |= {"valence": place[:, 0], "arousal": place[:, 1]}
    table = table.assign(**answer)
    table["sure"] = in_words(table, None)
    if strict:
        reasons = pd.Series(withheld(table, None), table.index).fillna(table["reason"])
        table["reason"] = table["reason"].where(reasons.isna(), reasons)
        table.loc[reasons.notna(), [*answer, "sure", *(f"p_{name}" for name in names)]] = None
    calm = smoothed(table.assign(track=1), smooth)
    best = calm[calm.notna().all(axis=1)].idxmax(axis=1).str.removeprefix("smoothed_")
    return table.join(calm.assign(smoothed_label=best))


def recordings_in(inputs: Sequence[str | Path]) -> list[Path]:
    """Return the recordings that are named, in order, each once."""
    from insula.corpora.recording_folders import recordings_below, unread
    from insula.eeg.reading import SUFFIXES

    files: list[Path] = []
    for given in inputs:
        if not str(given):
            raise DataError("an empty path", do="give a recording, or . for this folder")
        path = Path(given)
        if path.is_dir():
            named = recordings_below(path)
            for line in unread(path):
                warnings.warn(f"{given}: {line}", stacklevel=3)
        elif has_magic(str(given)) and not path.exists():
            named = [Path(name) for name in sorted(glob(str(given), recursive=True))]
        else:
            named = [path]
        if not named:
            raise DataError("no recording here", where=path, do=f"known endings are {' '.join(SUFFIXES)}")
        files += named
    return list(dict.fromkeys(files))
