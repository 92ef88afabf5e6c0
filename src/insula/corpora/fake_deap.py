"""A tiny copy of DEAP in the true format: noise in pickles as Python 2 wrote them, and the tables beside them."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pandas as pd

from insula.corpora.fake_films import FILM_RATE, write_film

_VIDEOS, _ROWS, _EEG, _RATE = 40, 40, 32, 128


def fake_deap(root: Path, seconds: int = 3) -> None:
    """Write `deap/`: participants 1, whose face was filmed in all trials but the last, and 23, who was not filmed.

    Films get lighter from one presentation to the next.

    Trials are shorter than the true 63 s: the baseline of 3 s and `seconds` of video.
    """
    folder = root / "deap"
    for name in ("data_preprocessed_python", "metadata_csv", "face_video/s01"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    tables = []
    for person in (1, 23):
        rng = np.random.default_rng(person)
        data = np.zeros((_VIDEOS, _ROWS, (3 + seconds) * _RATE))
        data[:, :_EEG] = 10 * rng.standard_normal((_VIDEOS, _EEG, data.shape[2]), np.float32)
        ratings = rng.uniform(1, 9, (_VIDEOS, 4)).round(2)
        path = folder / "data_preprocessed_python" / f"s{person:02d}.dat"
        path.write_bytes(python2_pickle({"labels": ratings, "data": data}))
        table = pd.DataFrame(ratings, columns=["Valence", "Arousal", "Dominance", "Liking"])
        table.insert(0, "Participant_id", person)
        table.insert(1, "Trial", rng.permutation(_VIDEOS) + 1)
        table.insert(2, "Experiment_id", range(1, _VIDEOS + 1))
        tables.append(table.assign(Familiarity=3).sort_values("Trial"))
    pd.concat(tables).to_csv(folder / "metadata_csv" / "participant_ratings.csv", index=False)
    _write_video_list(folder / "metadata_csv" / "video_list.csv")
    for place in range(1, _VIDEOS):
        path = folder / "face_video" / "s01" / f"s01_trial{place:02d}.avi"
        write_film(path, np.full(seconds * FILM_RATE, 0.2 + 0.8 * place / _VIDEOS))


def python2_pickle(arrays: dict[str, np.ndarray]) -> bytes:
    """Return arrays of float64 as cPickle of Python 2 wrote them, protocol 2, in which bytes are text."""
    parts = [b"\x80\x02}("]
    for name, array in arrays.items():
        shape = b"".join(b"J" + struct.pack("<i", length) for length in array.shape)
        parts += [_text(name.encode()), b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"]
        parts += [b"(K\x01(", shape, b"tcnumpy\ndtype\n(U\x02f8K\x00K\x01tR"]
        parts += [b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89", _text(array.tobytes()), b"tb"]
    return b"".join([*parts, b"u."])


def _text(content: bytes) -> bytes:
    return b"T" + struct.pack("<i", len(content)) + content


def _write_video_list(path: Path) -> None:
    """Write a list of 120 videos of which forty were shown, ten of each quadrant."""
    shown = pd.Series(range(1, _VIDEOS + 1), dtype="Int64").reindex(range(120))
    quadrant = [1 + number // 10 % 4 for number in range(120)]
    columns = {"Online_id": range(1, 121), "Experiment_id": shown, "Artist": "Björk", "VAQ_Online": quadrant}
    pd.DataFrame(columns).to_csv(path, index=False, encoding="latin-1")
