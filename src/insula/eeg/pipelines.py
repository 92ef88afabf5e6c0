"""Preprocessing as publications did it: named settings of cleaning, cutting and steps, each with its hash."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from insula.eeg.artefacts import Artefacts
from insula.eeg.preprocessing import Preprocessing
from insula.errors import SettingsError, choices
from insula.storage.settings import Settings


class Pipeline(Settings):
    """A published way from recordings to samples; `digest()` is its hash.

    Parameters
    ----------
    source : str
        Who did it so.
    differs : str
        Where ours differs, and why.
    preprocessing : Preprocessing
        How recordings are cleaned.
    window, hop : float
        Seconds a sample lasts, and from one start to the next; without the latter windows adjoin.
    steps : tuple of dict
        As a recipe has them (`insula.eeg.steps`).
    """

    source: str
    differs: str = ""
    preprocessing: Preprocessing
    window: float
    hop: float | None = None
    steps: tuple[dict[str, Any], ...] = ()


PIPELINES: Mapping[str, Pipeline] = MappingProxyType(
    {
        "seed": Pipeline(
            source="Zheng and Lu (2015), IEEE Transactions on Autonomous Mental Development 7(3), 162-175",
            differs="A band from 1 Hz, the lower edge of the lowest feature band, in place of 0 to 75 Hz.",
            preprocessing=Preprocessing(band=(1, 75), notch=None, reference=None, rate=200),
            window=1.0,
            steps=({"name": "smooth"},),
        ),
        "deap": Pipeline(
            source="Koelstra et al. (2012), IEEE Transactions on Affective Computing 3(1), 18-31; for the baseline "
            "Yang, Wu, Fu and Chen (2018), ICONIP",
            differs="Eyes were removed by blind source separation; the released files are already without them.",
            preprocessing=Preprocessing(band=(4, 45), notch=None, rate=128),
            window=1.0,
            steps=({"name": "subtract-baseline"},),
        ),
        "faced": Pipeline(
            source="Chen et al. (2023), Scientific Data 10, 740",
            differs="A band from 0.5 Hz in place of 0.05 Hz, whose filter is longer than a clip; the released "
            "files are already without eye movements.",
            preprocessing=Preprocessing(band=(0.5, 47), notch=None, rate=250),
            window=1.0,
            steps=({"name": "normalise-online"}, {"name": "smooth"}),
        ),
        "mahnob": Pipeline(
            source="the public code of Zhang, Tang and Guan (2022), Pattern Recognition 130, 108833",
            preprocessing=Preprocessing(band=(0.3, 45), notch=None, rate=256),
            window=2.0,
        ),
        "mdjpt": Pipeline(
            source="the public code of Zhang et al. (2025), arXiv 2510.22197, as used for SEED-V",
            differs="A zero-phase FIR filter in place of a Butterworth filter of order 4.",
            preprocessing=Preprocessing(
                band=(0.5, 47),
                notch=None,
                rate=125,
                artefacts=Artefacts(ica="infomax", drop={"muscle": 0.8, "eye": 0.8}, loud_channels=True),
            ),
            window=5.0,
            hop=2.0,
            steps=({"name": "harmonise"},),
        ),
    }
)
"""Pipelines by the name that a recipe gives."""


def pipeline(name: str) -> Pipeline:
    """Return a pipeline by name."""
    if name not in PIPELINES:
        raise SettingsError(f"unknown pipeline {name!r}", do=choices("pipelines", name, PIPELINES))
    return PIPELINES[name]
