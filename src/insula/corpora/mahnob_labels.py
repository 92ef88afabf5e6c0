"""What MAHNOB-HCI says of a session (session.xml), and the public continuous labels of its valence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.parsers import expat

import numpy as np

from insula.corpora.matlab import matlab_variable
from insula.emotions import label_map
from insula.errors import DataError

#: Samples of a continuous label per second.
LABEL_RATE = 4.0

#: The codes of `feltEmo`.
EMOTIONS = {
    "0": "neutral", "1": "anger", "2": "disgust", "3": "fear", "4": "happiness", "5": "sadness", "6": "surprise",
    "11": "amusement", "12": "anxiety",
}  # fmt: skip

#: Columns of ratings from 1 to 9, and the attributes that hold them.
RATINGS = {
    "felt_arousal": "feltArsl", "felt_valence": "feltVlnc", "felt_control": "feltCtrl",
    "felt_predictability": "feltPred",
}  # fmt: skip

#: Three classes by keyword: surprise counts as of neutral valence.
VALENCE3 = label_map("mahnob9", "valence3")
AROUSAL3 = {
    **dict.fromkeys(("neutral", "disgust", "sadness"), "calm"),
    **dict.fromkeys(("happiness", "amusement"), "medium"),
    **dict.fromkeys(("anger", "fear", "surprise", "anxiety"), "activated"),
}


def person_and_trial(number: int) -> tuple[int, int]:
    """Return whose a session is, and which of the person's trials, both from its number.

    Examples
    --------
    >>> person_and_trial(1042), person_and_trial(10)
    ((9, 2), (1, 10))
    """
    return number // 130 + 1, number % 130


def read_session(path: Path) -> dict[str, str]:
    """Return the attributes of the root of a `session.xml`, and `subject`: the id of its child of that name.

    A document type is refused before anything in it is read: entities can make a small file an endless one.

    Raises
    ------
    DataError
        If the file is absent, no XML, or has a document type.
    """
    if not path.is_file():
        raise DataError("no such file", where=path, do="fetch it again")
    session: dict[str, str] = {}

    def start(name: str, attributes: Mapping[str, str]) -> None:
        tag = name.rpartition(":")[2]
        if not session:
            if tag != "session":
                raise DataError(f"its root is {name!r}, not session", where=path, do="fetch it again")
            session.update(attributes, subject="")
        elif tag == "subject":
            session["subject"] = attributes.get("id", "")

    def refuse(*_: object) -> None:
        raise DataError("a document type is not read", where=path, do="fetch the original file, which has none")

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(path.read_bytes(), True)
    except expat.ExpatError as error:
        raise DataError(f"this XML cannot be read: {error}", where=path, do="fetch it again") from None
    return session


def felt(session: Mapping[str, str], where: Path) -> dict[str, float | str]:
    """Return the labels of a session: ratings, `felt_emotion`, `valence3` and `arousal3`.

    Raises
    ------
    DataError
        If one is missing, no number, off its scale of 1 to 9, or an unknown code.
    """
    labels: dict[str, float | str] = {}
    for column, attribute in RATINGS.items():
        try:
            labels[column] = float(session.get(attribute, ""))
        except ValueError:
            value = session.get(attribute)
            raise DataError(f"{attribute} is {value!r}, no rating", where=where, do="fetch it again") from None
        if not 1 <= float(labels[column]) <= 9:
            what = f"{attribute} is {labels[column]:g}, off its scale of 1 to 9"
            raise DataError(what, where=where, do="fetch it again")
    code = session.get("feltEmo")
    if code not in EMOTIONS:
        what = f"feltEmo is {code!r}, an unknown code"
        raise DataError(what, where=where, do=f"codes are {', '.join(EMOTIONS)}")
    emotion = EMOTIONS[code]
    return {**labels, "felt_emotion": emotion, "valence3": VALENCE3[emotion], "arousal3": AROUSAL3[emotion]}


@dataclass(frozen=True)
class Tracks:
    """Expressed valence over time, four values a second, of some trials.

    Parameters
    ----------
    values : mapping of (int, int) to array
        From (person, trial), as `person_and_trial` has them, to float (times,).

    Examples
    --------
    >>> tracks = Tracks({(1, 2): np.array([0.0, 0.1, 0.2, 0.3, 0.4])})
    >>> tracks.means((1, 2), np.array([0.0, 0.5, 1.0]), np.array([0.5, 1.0, 1.5]))
    array([0.05, 0.25,  nan])
    """

    values: Mapping[tuple[int, int], np.ndarray]

    @classmethod
    def read(cls, path: Path) -> Tracks:
        """Read `lable_continous_Mahnob.mat` (the file is called so).

        Raises
        ------
        DataError
            If it is another file, or a label is not finite or leaves [-1, 1].
        """
        trials = np.atleast_2d(np.asarray(matlab_variable(path, "trials_included")))
        labels = matlab_variable(path, "labels")
        if trials.ndim != 2 or trials.shape[1] != 2 or len(trials) != len(labels):
            what = f"{len(labels)} labels for trials_included of shape {trials.shape}"
            raise DataError(what, where=path, do="fetch lable_continous_Mahnob.mat again")
        values = {}
        for (person, trial), label in zip(trials.tolist(), labels, strict=True):
            track = np.atleast_1d(np.asarray(label, float).squeeze())
            if track.ndim != 1 or not (np.abs(track) <= 1).all():  # NaN is not
                what = f"the label of person {person}, trial {trial} leaves [-1, 1] or is not finite"
                raise DataError(what, where=path, do="fetch lable_continous_Mahnob.mat again")
            values[int(person), int(trial)] = track
        return cls(values)

    def means(self, key: tuple[int, int], start: np.ndarray, stop: np.ndarray) -> np.ndarray:
        """Return the mean label of each window of a trial, missing where the track does not reach its end.

        Value `i` stands for the quarter of a second from ``i / 4``; a window takes those whose middle lies in it.

        Parameters
        ----------
        key : (int, int)
            Person and trial.
        start, stop : float array, (windows,)
            Seconds from the beginning of the clip.
        """
        if key not in self.values:
            return np.full(len(start), np.nan)
        track = self.values[key]
        total = np.concatenate([[0.0], np.cumsum(track)])
        first, end = (np.ceil(np.asarray(time) * LABEL_RATE - 0.5).astype(int) for time in (start, stop))
        inside = (end <= len(track)) & (end > first) & (first >= 0)
        first, end = first * inside, end * inside
        count = np.where(inside, end - first, 1)
        return np.where(inside, (total[end] - total[first]) / count, np.nan)
