"""A made-up experiment whose arms have known skills and share each unit's difficulty."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import softmax

from insula.evaluation.passport import build_passport
from insula.evaluation.results import Arm, Results
from insula.protocols.protocol import protocol
from insula.protocols.split import Split

CLASSES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")

ARMS = (
    Arm("fusion", "Fusion (picture and virtual EEG)", "system"),
    Arm("visual", "Picture only", "system"),
    Arm("virtual", "Virtual EEG only", "system"),
    Arm("real", "Picture and real EEG (upper bound)", "system"),
    Arm("c1", "Random code per class", "placebo"),
    Arm("c2", "EEG shuffled within class", "placebo"),
    Arm("c3", "EEG shuffled across all", "placebo"),
    Arm("c4", "Plain stacking", "placebo"),
    Arm("majority", "Majority class", "control"),
    Arm("linear", "Linear model on plain features", "control"),
    Arm("permuted", "Labels permuted", "control"),
)

# how much evidence each arm has for the true class; None: none at all
SKILL: dict[str, float | None] = {
    "fusion": 2.55, "visual": 2.1, "virtual": 2.0, "real": 3.6, "c1": 2.12, "c2": 2.2, "c3": 2.08, "c4": 2.15,
    "majority": None, "linear": 1.2, "permuted": 0.0,
}  # fmt: skip


def make_results(
    *,
    skill: dict[str, float | None] | None = None,
    studies: int = 5,
    repeats: int = 1,
    folds: int = 3,
    units: int = 150,
    classes: tuple[str, ...] = CLASSES,
    label_noise: float = 0.3,
    own_noise: float = 0.25,
    cluster: str | None = None,
    seed: int = 0,
    **changes: object,
) -> Results:
    """Return results in which an arm's logit for the true class is its skill plus difficulty shared by all arms."""
    rng = np.random.default_rng(seed)
    skills = {**SKILL, **(skill or {})}
    parts = []
    for study in range(studies):
        truth = rng.choice(len(classes), units, p=_shares(len(classes)))
        ease = 1 + 0.35 * np.linspace(-1, 1, len(classes))[truth]
        difficulty = 1.5 * rng.standard_normal((units, len(classes)))
        wrong = rng.random(units) < label_noise
        label = np.where(wrong, rng.integers(0, len(classes), units), truth)
        identity = np.arange(units) // 4
        people = {
            "identity": np.array([f"I{i:03d}" for i in identity], object),
            "face_gender": np.where(identity % 2 == 0, "female", "male"),
            "face_eth": np.array(["black", "east asian", "west asian", "white"], object)[identity % 7 % 4],
        }
        for repeat in range(repeats):
            fold = rng.permutation(units) % folds
            for arm, strength in skills.items():
                logits = difficulty + own_noise * rng.standard_normal(difficulty.shape)
                logits[np.arange(units), truth] += ease * (strength or 0)
                if strength is None:
                    logits = np.tile(4.0 * (np.arange(len(classes)) == len(classes) - 1), (units, 1))
                table = softmax(1.2 * logits, axis=1)
                parts.append(
                    pd.DataFrame(
                        {
                            "arm": arm,
                            "study": f"study-{study}",
                            "repeat": repeat,
                            "fold": fold,
                            "unit": [f"picture-{i:04d}" for i in range(units)],
                            "truth": np.array(classes, object)[truth],
                            "label": np.array(classes, object)[label],
                            "predicted": np.array(classes, object)[table.argmax(axis=1)],
                            **{f"p_{name}": table[:, place] for place, name in enumerate(classes)},
                            "uncertainty": np.nan,
                            **people,
                        }
                    )
                )
    values: dict = {
        "predictions": pd.concat(parts, ignore_index=True),
        "arms": ARMS,
        "classes": classes,
        "headline": "fusion",
        "comparators": ("visual", "c1", "c2", "c3", "c4"),
        "passport": make_passport(),
        "facts": FACTS,
        "embedding": _embedding(rng, classes),
        "reported": REPORTED,
        "cluster": cluster,
    }
    return Results(**{**values, **changes})


def make_passport(*, as_published: bool = False, leaks: tuple[str, ...] = (), **changes: object) -> dict:
    """Return the passport of the made-up run."""
    name = "random" if as_published else "identity-disjoint"
    chosen = protocol(name, as_published=as_published, folds=3, **changes)
    return build_passport(
        recipe={"name": "bmci", "preset": "quick", "corpus": {"name": "simulated", "root": "/data/faces"}},
        corpus={"root": "/data/faces", "size": 96},
        task={"kind": "categorical", "label": "emotion", "classes": list(CLASSES)},
        protocol=chosen,
        splits=[Split(np.arange(4), np.arange(4, 5), np.arange(5, 7))],
        audits=[
            {"leaks": leaks, "warnings": ["no times: windows were not compared"], "checks": ["trials", "pictures"]}
        ],
        data_fingerprints=["ab" * 32],
        seeds=[0, 1, 2, 3, 4],
    )


def _shares(n: int) -> np.ndarray:
    shares = np.linspace(0.8, 1.2, n)
    return shares / shares.sum()


def _embedding(rng: np.random.Generator, classes: tuple[str, ...]) -> pd.DataFrame:
    parts = []
    for source, spread in (("visual", 1.6), ("virtual", 0.8)):
        angles = np.linspace(0, 2 * np.pi, len(classes), endpoint=False)
        kind = rng.integers(0, len(classes), 300)
        centre = 4 * np.column_stack([np.cos(angles), np.sin(angles)])[kind]
        place = centre + spread * rng.standard_normal((300, 2))
        names = np.array(classes, object)[kind]
        parts.append(pd.DataFrame({"source": source, "x": place[:, 0], "y": place[:, 1], "class": names}))
    return pd.concat(parts, ignore_index=True)


FACTS = {
    f"{name}, repeat {repeat}, fold {fold}": {
        "seconds": {"EEG encoder": 41.2 + fold, "forest": 18.9},
        "subjects": {"S1": {"R2": 0.31 + 0.01 * repeat, "trials": 300}, "S2": {"R2": 0.284, "trials": 300}},
        "encoder": "linear",
    }
    for name in ("bmci", "shuffled")
    for repeat in range(2)
    for fold in range(2)
}

REPORTED = (
    {
        "title": "BMCI, fusion, CFAPS", "value": "88.51 %", "source": "Liu et al. 2021",
        "note": "one split of 87 pictures; Wilson 80.1 to 93.6 %",
    },
    {"title": "ResNet alone, CFAPS", "value": "83.91 %", "source": "Liu et al. 2021", "note": "the same split"},
)  # fmt: skip
