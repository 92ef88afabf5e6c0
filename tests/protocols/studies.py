"""Made-up studies for the tests of splits and audits: provenance, labels and pointers, with hardly any data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from insula.emotions import Categorical
from insula.samples import ArrayStore, Description, Samples, provenance

CLASSES = ("fear", "anger", "neutral")
TASK = Categorical(label="emotion", classes=CLASSES)

_FEATURES = Description(kind="features", axes=("feature",))


def point(samples: Samples, modality: str, where: Sequence[bool] | np.ndarray) -> Samples:
    """Return the samples with a cell of their own in a store of numbers, where the mask is true."""
    values = np.arange(len(samples), dtype=float)[:, None]
    rows = np.where(where, np.arange(len(samples)), -1)
    return samples.with_modality(modality, modality, ArrayStore(values, _FEATURES), rows)


def windows(
    subjects: int = 6, trials: int = 6, length: int = 3, overlap: float = 0.0, sessions: int = 1, corpora: int = 1
) -> Samples:
    """Return windows of EEG: trials are numbered anew for every subject, and show the same films to all."""
    rows = []
    for corpus in range(corpora):
        for subject in range(subjects):
            for trial in range(trials):
                session = trial * sessions // trials
                for window in range(length):
                    start = 100.0 * trial + window * (1 - overlap)
                    emotion = CLASSES[(trial + corpus) % len(CLASSES)]
                    rows.append((f"c{corpus}", f"S{subject}", f"{session}", f"{trial}", f"film{trial}", start, emotion))
    columns = pd.DataFrame(rows, columns=["corpus", "subject", "session", "trial", "stimulus", "start", "emotion"])
    table = provenance(len(columns), **{name: columns[name].to_numpy() for name in columns}, stop=columns["start"] + 1)
    return point(Samples(table, {}), "eeg", np.ones(len(table), bool))


def watched_pictures(subjects: int = 3, pictures: int = 24, identities: int = 8, unseen: int = 0) -> Samples:
    """Return one row a (subject, picture), as in BMCI, and one for each picture that nobody saw."""
    pairs = [(f"S{subject}", picture) for picture in range(pictures - unseen) for subject in range(subjects)]
    pairs += [(None, picture) for picture in range(pictures - unseen, pictures)]
    subject, picture = (np.array(column, object) for column in zip(*pairs, strict=True))
    seen = subject != np.array(None)
    table = provenance(
        corpus="bmci", subject=subject, session=np.where(seen, "1", None),
        trial=np.where(seen, picture.astype(str), None),
        stimulus=[f"p{number}" for number in picture], identity=[f"i{number % identities}" for number in picture],
        start=np.where(seen, picture, np.nan).astype(float), stop=np.where(seen, picture + 0.5, np.nan).astype(float),
    )  # fmt: skip
    table["emotion"] = [CLASSES[(number // identities + number) % len(CLASSES)] for number in picture]
    return point(point(Samples(table, {}), "picture", np.ones(len(table), bool)), "eeg", seen)
