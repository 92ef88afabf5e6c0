"""A made-up experiment of ratings: trials of rows that follow one another, arms that err by known amounts."""

from __future__ import annotations

import numpy as np
import pandas as pd

from insula.evaluation.results import Arm, Results

ARMS = (
    Arm("eeg", "EEG, taught by a face", "system"),
    Arm("alone", "EEG without a teacher", "system"),
    Arm("majority", "constant: mean of the training ratings", "control"),
    Arm("linear", "ridge regression on plain features", "control"),
    Arm("permuted", "the system itself, labels permuted", "control"),
)
NOISE = {"eeg": 0.30, "alone": 0.40, "linear": 0.50}


def rated_results(
    *,
    noise: dict[str, float] | None = None,
    subjects: int = 8,
    trials: int = 6,
    rows: int = 20,
    repeats: int = 1,
    cluster: str = "trial",
    leak: float = 0.0,
    seed: int = 0,
    **changes: object,
) -> Results:
    """Return results whose arms have the truth plus noise that lasts through a trial; `leak` helps permuted."""
    rng = np.random.default_rng(seed)
    subject, trial, row = np.indices((subjects, trials, rows)).reshape(3, -1)
    own = rng.standard_normal((subjects, trials, 1))
    truth = (own + 0.5 * np.cumsum(rng.standard_normal((subjects, trials, rows)), axis=2) / np.sqrt(rows)).ravel()
    spread, parts = {**NOISE, **(noise or {})}, []
    for repeat in range(repeats):
        for arm in ARMS:
            lasting = rng.standard_normal((subjects, trials, 1)) * np.ones((1, 1, rows))
            said = truth + spread.get(arm.name, 0.0) * lasting.ravel()
            if arm.name in ("majority", "permuted"):
                said = np.full(len(truth), truth.mean())
            if arm.name == "permuted":
                said = (1 - leak) * said + leak * truth
            about = {"arm": arm.name, "study": "one", "repeat": repeat, "fold": subject % 2, "truth": truth,
                     "label": truth, "rating": said, "subject": np.char.mod("S%d", subject), "time": row / 4,
                     "trial": [f"S{s}/t{t}" for s, t in zip(subject, trial, strict=True)],
                     "unit": np.arange(len(truth)).astype(str), "uncertainty": np.abs(said - truth)}  # fmt: skip
            parts.append(pd.DataFrame(about))
    values: dict = {
        "predictions": pd.concat(parts, ignore_index=True),
        "arms": ARMS,
        "classes": (),
        "headline": "eeg",
        "comparators": ("alone",),
        "passport": {"task": {"kind": "continuous", "label": "valence"}},
        "cluster": cluster,
        "series": "trial",
    }
    return Results(**{**values, **changes})
