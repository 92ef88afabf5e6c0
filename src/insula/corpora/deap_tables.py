"""The tables of DEAP: who saw which video when, and what strangers made of it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from insula.errors import DataError
from insula.storage.tables import read_csv

RATINGS = ("valence", "arousal", "dominance", "liking")
"""The columns of the ratings, from 1 to 9, in the order of the recordings' files."""
VIDEOS = 40
"""How many videos everybody saw; `Experiment_id` numbers them from 1."""

_VAQ = {1: "HVHA", 2: "HVLA", 3: "LVLA", 4: "LVHA"}


def presentations(path: Path) -> pd.DataFrame:
    """Return `participant_ratings.csv` by (participant, video): `trial`, the place in the order shown, and ratings.

    Of the column `Start_time` nothing is taken: its unit is uncertain.

    Raises
    ------
    DataError
        If a column is missing, or somebody does not have each video and each place once.
    """
    columns = ["Participant_id", "Experiment_id", "Trial", *(name.capitalize() for name in RATINGS)]
    table = _numbers(path, columns).rename(columns=str.lower).set_index(["participant_id", "experiment_id"])
    everything = list(range(1, 1 + VIDEOS))
    for person, rows in table.groupby(level=0):
        for trials in (rows.index.get_level_values(1), rows["trial"]):
            if sorted(trials) != everything:
                what = f"participant {person:g} does not have each of {VIDEOS} videos and trials once"
                raise DataError(what, where=path, do="fetch it again")
    return table


def clip_quadrants(path: Path) -> dict[int, str]:
    """Return the quadrant of each video by the ratings of strangers, from `video_list.csv`.

    Raises
    ------
    DataError
        If it does not say one of each video.
    """
    table = _numbers(path, ["Experiment_id", "VAQ_Online"]).dropna()  # most videos of the list were not shown
    quadrants = dict(zip(table["Experiment_id"].astype(int), table["VAQ_Online"].map(_VAQ), strict=True))
    if sorted(table["Experiment_id"]) != list(range(1, 1 + VIDEOS)) or pd.isna(list(quadrants.values())).any():
        what = f"not one quadrant (VAQ_Online, 1 to 4) for each of {VIDEOS} videos (Experiment_id)"
        raise DataError(what, where=path, do="fetch it again")
    return quadrants


def quadrant(valence: float, arousal: float) -> str:
    """Return the quadrant of two ratings from 1 to 9: high or low valence (V) and arousal (A), 5 being high.

    Examples
    --------
    >>> quadrant(5.0, 4.99)
    'HVLA'
    """
    return f"{'H' if valence >= 5 else 'L'}V{'H' if arousal >= 5 else 'L'}A"


def _numbers(path: Path, columns: list[str]) -> pd.DataFrame:
    """Return columns of a table as numbers, missing where a cell holds none."""
    table = read_csv(path, encoding="latin-1")  # names of artists have accents
    absent = [name for name in columns if name not in table]
    if absent:
        raise DataError(f"no column {absent[0]}", where=path, do="fetch it again")
    return table[columns].apply(pd.to_numeric, errors="coerce")
