"""How well the virtual EEG of new pictures agrees with the EEG of people who saw them (BMCI)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from insula.eeg.maps import Signals, time_bins
from insula.samples import Samples
from insula.systems.bmci.bank import Bank, Member, PictureLogits
from insula.systems.bmci.regression import VirtualEEG, explained_variance, variance_ratio
from insula.systems.bmci.settings import BMCISettings
from insula.systems.bmci.teaching import by_picture
from insula.systems.pictures import unique_pictures

_TABLE = "R2 by regressor and subject"


def held_out_agreement(
    bank: Bank, samples: Samples, coordinates: Callable[[Samples], np.ndarray], settings: BMCISettings
) -> dict[str, Any]:
    """Return, for each subject, how well its virtual EEG of pictures agrees with its embedding of their real EEG.

    The real EEG goes through the encoder that was fitted on the training part. Regressors that were not chosen are
    fitted here, on what the chosen one was fitted on.

    Parameters
    ----------
    bank : Bank
        Members fitted in this process; others are left out.
    samples : Samples
        Held out, with pictures and EEG; labels are not read.
    coordinates : callable
        Of pictures, (n, d).
    settings : BMCISettings
        `regressors`.

    Returns
    -------
    dict
        By subject: `pictures`, how many; `r2`, by regressor, in both averages; `variance_ratio`, of the chosen one.
        Subjects with fewer than two such pictures are left out.
    """
    agreement = {}
    for member in bank.members:
        measured = compare(member, samples, coordinates)
        if measured is None or member.fitted_on is None:
            continue
        visual, real = measured
        r2, ratio = {}, float("nan")
        for kind, regressor in _regressors(member, settings).items():
            virtual = regressor.predict(visual)
            r2[kind] = explained_variance(real, virtual)
            if regressor is member.regressor:
                ratio = variance_ratio(real, virtual)
        agreement[member.name] = {"pictures": len(visual), "r2": r2, "variance_ratio": ratio}
    return agreement


def compare(
    member: Member, samples: Samples, coordinates: Callable[[Samples], np.ndarray]
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return coordinates of the pictures that a member watched, and its embedding of its EEG; None below two."""
    mine = samples.select(samples.has("picture") & samples.has("eeg") & (samples.units("subject") == member.name))
    pictures, which = unique_pictures(mine)
    if member.encoder is None or len(pictures) < 2:
        return None
    return coordinates(pictures), by_picture(member.encoder.embed(mine.read("eeg")), which)


def _regressors(member: Member, settings: BMCISettings) -> dict[str, VirtualEEG]:
    """Return a member's regressor of every kind."""
    chosen, taught = member.regressor, member.fitted_on
    assert not isinstance(chosen, PictureLogits) and taught is not None
    measured = {}
    for kind in settings.regressors:
        if kind == chosen.kind:
            measured[str(kind)] = chosen
        else:
            rows = (taught.visual, taught.codes, taught.groups)
            measured[str(kind)] = VirtualEEG(*rows, settings, kind, taught.views)
    return measured


def r2_table(facts: Iterable[Mapping[str, Any]]) -> dict[str, pd.DataFrame]:
    """Return the table of held-out R2 (uniform average), regressors by subjects, its mean over fits; none, no table.

    Parameters
    ----------
    facts : iterable of dict
        Of many fits; under `held_out` they have what `held_out_agreement` returned.

    Examples
    --------
    >>> fits = [{"held_out": {"S1": {"r2": {"ridge": {"uniform": value}}}}} for value in (0.25, 0.75)]
    >>> r2_table(fits)["R2 by regressor and subject"].to_dict()
    {'S1': {'ridge': 0.5}}
    """
    rows = [
        (kind, subject, score["uniform"])
        for fact in facts
        for subject, measured in fact.get("held_out", {}).items()
        for kind, score in measured["r2"].items()
    ]
    if not rows:
        return {}
    table = pd.DataFrame(rows, columns=["regressor", "subject", "r2"])
    return {_TABLE: table.pivot_table("r2", "regressor", "subject", sort=False)}


def sensor_signals(bank: Bank, visual: np.ndarray, samples: Samples) -> Signals:
    """Return the measured EEG of samples, and the virtual signal of the same subjects and pictures.

    Parameters
    ----------
    bank : Bank
        Members with a readout; those of a bundle have none.
    visual : array, shape (n, d)
        Coordinates of the pictures.
    samples : Samples
        With EEG cut around events. It is shown beside the virtual signal and is no part of it.
    """
    form = samples.store("eeg").description
    real, times = time_bins(samples.read("eeg"), form)
    virtual = np.full_like(real, np.nan)
    subjects = samples.units("subject")
    for member in bank.members:
        mine = np.flatnonzero(subjects == member.name)
        if len(mine) and member.readout is not None:
            virtual[mine] = member.readout(member.regressor.predict(visual[mine]))
    return Signals(real, virtual, form.channels, times)
