"""How sure an answer is, in words."""

from __future__ import annotations

import numpy as np
import pandas as pd

SURE, FAIRLY = 0.8, 0.5
"""Probabilities of the label from which an answer is called sure, and, of five classes or more, fairly sure."""

USUAL = 1.5
"""Strangeness above which a picture is called unusual, where a bundle does not say."""


def in_words(table: pd.DataFrame, limit: float | None) -> np.ndarray:
    """Return how sure each answer is, object (n,).

    "sure" from a probability of 0.8; "fairly sure" from 0.5 and, of few classes, from halfway between a guess and 0.8
    (0.65 of two); below that "unsure: " and the two most probable classes. A picture that is stranger than the limit is
    never more than unsure.

    Parameters
    ----------
    table : DataFrame
        Columns `label`, `second`, `probability`, `p_CLASS` and, where it is known, `out_of_distribution`.
    limit : float or None
        Of strangeness; None where the recogniser knows none.

    Examples
    --------
    >>> table = pd.DataFrame({"label": "fear", "second": "calm", "probability": [0.9, 0.55], "p_fear": 0, "p_calm": 0})
    >>> in_words(table, None).tolist()
    ['sure', 'unsure: fear or calm']
    """
    strange = np.zeros(len(table), bool)
    if limit is not None and "out_of_distribution" in table:
        strange = table["out_of_distribution"].to_numpy(float) > limit
    classes = sum(str(name).startswith("p_") for name in table)
    fairly = max(FAIRLY, (1 / classes + SURE) / 2) if classes else FAIRLY
    words = []
    for label, second, probability, odd in zip(
        table["label"], table["second"], table["probability"], strange, strict=True
    ):
        unsure = f"unsure: {label} or {second}"
        if odd:
            words.append(f"{unsure} (an unusual picture)")
        else:
            words.append("sure" if probability >= SURE else "fairly sure" if probability >= fairly else unsure)
    return np.array(words, object)


def withheld(table: pd.DataFrame, limit: float | None) -> np.ndarray:
    """Return why a strict reader withholds an answer, object (n,); None where it does not.

    Parameters
    ----------
    table : DataFrame
        As `in_words` has it, with the column `sure`.
    limit : float or None
        Of strangeness.

    Examples
    --------
    >>> table = pd.DataFrame({"sure": ["sure", "unsure: fear or surprise"], "out_of_distribution": [2.0, 0.0]})
    >>> withheld(table, 1.5).tolist()
    ['unlike the training pictures: strangeness 2.0, limit 1.5', 'unsure: fear or surprise']
    """
    strangeness = table.get("out_of_distribution", pd.Series(np.nan, table.index)).to_numpy(float)
    reasons: list[str | None] = []
    for sure, value in zip(table["sure"], strangeness, strict=True):
        if limit is not None and value > limit:
            reasons.append(f"unlike the training pictures: strangeness {value:.1f}, limit {limit:.1f}")
        else:
            reasons.append(sure if sure.startswith("unsure") else None)
    return np.array(reasons, object)
