"""Faces out of films of people whose EEG was recorded: one aligned face a window, missing where there is none.

Films are read frame by frame, once; the faces lie in the cache. A film that breaks off, ends early or is another's
leaves cells missing and is told in a warning.
"""

from __future__ import annotations

import json
import warnings
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from insula.corpora.face_store import PICTURES
from insula.corpora.time_pairing import Alignment, Clock, cells, fit_clock, moments, nearest_frames
from insula.corpora.trials import TrialSettings
from insula.errors import DataError
from insula.faces.video import read_video
from insula.samples import ArrayStore, Samples, open_store
from insula.storage.cache import Cache
from insula.storage.hashing import digest_array, sha256_of

if TYPE_CHECKING:
    from insula.faces import FaceDetector

_GENERATION = 1  # part of the cache key; raised when the same films give other faces
_RATE = 25.0  # frames a second that are looked at, at most: the nearest is then within 30 ms
_LONGER = 1.0  # s by which a film may outlast what was noted of it


class FilmedSettings(TrialSettings):
    """The settings of `TrialSettings`, and whether and how faces are cut out of the films.

    Parameters
    ----------
    faces : bool
        Whether samples have the modality `picture`, the face in each window, and the column `skew`, how many seconds
        after the middle of its window it was filmed. Reading all films takes hours, once.
    size : int
        Pixels along an edge of a face.
    alignment : Alignment
        How frames are put on the EEG's clock, and when a face counts as missing.
    """

    faces: bool = False
    size: int = Field(64, ge=16)
    alignment: Alignment = Alignment()


@dataclass(frozen=True)
class Film:
    """The film of one trial.

    Parameters
    ----------
    path : Path
        The file.
    begin : float
        Seconds on the session's clock when its first frame was taken.
    rate : float, optional
        Frames a second by the recording's own notes: the file's times are corrected by it.
    seconds : float, optional
        How long it lasts by those notes.
    problem : str, optional
        Why it cannot be used: then it is not opened.
    """

    path: Path
    begin: float
    rate: float | None = None
    seconds: float | None = None
    problem: str | None = None


def with_faces(
    samples: Samples, films: Mapping[tuple[str, str], Film], settings: FilmedSettings, cache: Cache
) -> Samples:
    """Return the samples with the modality `picture`, the column `skew`, and the subject as identity.

    Parameters
    ----------
    samples : Samples
        Windows of trials of one corpus, each person with one session.
    films : mapping of (str, str) to Film
        By subject and trial; a trial without one has no faces.
    settings : FilmedSettings
        Their size and alignment.
    cache : Cache
        Where faces lie; an interrupted search goes on at the film where it stopped.

    Warns
    -----
    UserWarning
        Where films cannot be used, or not whole.
    """
    table = samples.table
    rows = {
        key: where for key, where in table.groupby(["subject", "trial"], sort=False).indices.items() if key in films
    }
    start, stop = (table[name].to_numpy() for name in ("start", "stop"))
    tasks = [(films[key], where) for key, where in rows.items()]
    key = [_GENERATION, settings.size, settings.alignment.model_dump(mode="json")] + [
        [sha256_of(film.path), film.problem is None, film.begin, film.rate, film.seconds, digest_array(start[where]),
         digest_array(stop[where])] for film, where in tasks
    ]  # fmt: skip
    total = sum(len(where) for _, where in tasks)

    def build(folder: Path, checkpoints: Path) -> None:
        from insula.faces import FaceDetector

        detector = FaceDetector()
        checkpoints.mkdir(parents=True, exist_ok=True)
        notes = checkpoints / "problems.json"
        problems = json.loads(notes.read_text()) if notes.exists() else []
        mode: Literal["r+", "w+"] = "r+" if problems else "w+"
        faces = np.memmap(checkpoints / "faces", np.uint8, mode, shape=(max(total, 1), *[settings.size] * 2, 3))
        skew = np.memmap(checkpoints / "skew", np.float64, mode, shape=(max(total, 1),))
        begin = 0
        for number, (film, where) in enumerate(tasks):
            end = begin + len(where)
            if number >= len(problems):
                faces[begin:end], skew[begin:end], problem = _filmed(
                    film, start[where], stop[where], settings, detector
                )
                problems.append(problem)
                faces.flush()
                skew.flush()
                notes.with_suffix(".new").write_text(json.dumps(problems))
                notes.with_suffix(".new").replace(notes)
            begin = end
        ArrayStore(faces[:total], PICTURES).save(folder / "faces")
        np.save(folder / "skew.npy", skew[:total])
        (folder / "problems.json").write_text(json.dumps(problems))

    folder = cache.resumable("film-faces", key, build)
    problems = [problem for problem in json.loads((folder / "problems.json").read_text()) if problem]
    if problems:
        more = f" (and {len(problems) - 1} more films)" if len(problems) > 1 else ""
        warnings.warn(
            f"faces are missing: {problems[0]}{more}; their rows have none until the film is replaced", stacklevel=2
        )
    skew, place = np.full(len(table), np.nan), np.full(len(table), -1)
    where = np.concatenate([where for _, where in tasks]) if tasks else np.zeros(0, int)
    skew[where] = np.load(folder / "skew.npy", allow_pickle=False)
    place[where] = np.where(np.isfinite(skew[where]), np.arange(total), -1)
    shown = Samples(table.assign(identity=table["subject"], skew=skew), samples.stores, table["corpus"].unique())
    return shown.with_modality("picture", "faces", open_store(folder / "faces"), place)


def film_problem(film: Film) -> str | None:
    """Return why nothing of a film can be used, or None; its first frame is read."""
    if film.problem:
        return film.problem
    try:
        next(read_video(film.path))
    except DataError as error:
        return str(error)
    return None


def _filmed(
    film: Film, start: np.ndarray, stop: np.ndarray, settings: FilmedSettings, detector: FaceDetector
) -> tuple[np.ndarray, np.ndarray, str | None]:
    """Return the face of each window, black where there is none, its skew, and what is wrong with the film."""
    shown = np.zeros((len(start), settings.size, settings.size, 3), np.uint8)
    nothing = np.full(len(start), np.nan)
    if film.problem:
        return shown, nothing, film.problem
    try:
        clock = _clock(film, settings.alignment)
    except DataError as error:
        return shown, nothing, str(error)
    wanted = clock.to_camera(moments(start, stop, settings.alignment.frames))
    times, place, faces, problem = _look(film, wanted, settings, detector)
    chosen, skew = cells(clock.to_eeg(times), place >= 0, start, stop, settings.alignment)
    for row in np.flatnonzero(chosen >= 0):
        shown[row] = faces[place[row, chosen[row]]]
    return shown, skew, problem


def _clock(film: Film, alignment: Alignment) -> Clock:
    """Return a film's clock: its file counts time by the frames, the recording's notes know their true rate."""
    drift, first = 0.0, [frame.time for frame in islice(read_video(film.path), 9)]
    if film.rate and len(first) > 1:
        step, many = float(np.median(np.diff(first))), 1000  # s, frames
        try:
            drift = fit_clock([0.0, many * step], [0.0, many / film.rate]).drift
        except DataError:
            what = f"its frames are {step:.4g} s apart, the recording's notes say {film.rate:g} in a second"
            raise DataError(what, where=film.path, do="fetch the film again, or write it anew at that rate") from None
    return Clock(film.begin + alignment.offset, drift + alignment.drift)


def _look(
    film: Film, wanted: np.ndarray, settings: FilmedSettings, detector: FaceDetector
) -> tuple[np.ndarray, np.ndarray, list[np.ndarray], str | None]:
    """Look for the largest face at wanted times (windows, frames) of a film, which is read once.

    Returns
    -------
    times : array, shape (windows, frames)
        Of the nearest frames, NaN where none is near.
    place : int array, shape (windows, frames)
        Which of the faces it shows, -1 where it shows none.
    faces : list of array
        Aligned.
    problem : str or None
    """
    from insula.faces import align

    once, back = np.unique(wanted, return_inverse=True)
    times, place = np.full(once.shape, np.nan), np.full(once.shape, -1)
    faces: list[np.ndarray] = []
    seen, last = -1, 0.0

    def read() -> Iterator[tuple[float, np.ndarray]]:
        nonlocal last
        for frame in read_video(film.path, _RATE):
            last = frame.time
            yield frame.time, frame.picture

    frames, before = read(), np.nan
    try:
        for number, (time, picture) in enumerate(nearest_frames(frames, once)):
            if abs(time - once[number]) > settings.alignment.max_skew:
                continue
            if time != before:
                before, detected = time, detector.detect(picture)
                seen = len(faces) if detected else -1
                faces += [align(picture, face, settings.size) for face in detected[:1]]
            times[number], place[number] = time, seen
        deque(frames, maxlen=0)  # to its end, to know how long it is
        problem = None
    except DataError as error:
        problem = str(error)
    if film.seconds and last > film.seconds + _LONGER:
        times[:] = np.nan
        problem = f"it lasts {last:.1f} s, the recording's notes say {film.seconds:.1f} s: another's film ({film.path})"
    elif problem is None and once[-1] - last > settings.alignment.max_skew:
        problem = f"it ends after {last:.1f} s, its EEG goes on beyond {once[-1]:.1f} s ({film.path})"
    return times[back].reshape(wanted.shape), place[back].reshape(wanted.shape), faces, problem
