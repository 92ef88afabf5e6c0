"""Tables of what was measured while students were fitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd


def fit_tables(facts: Sequence[Mapping[str, Any]]) -> dict[str, pd.DataFrame]:
    """Return tables by title, numbers averaged over fits: what the teacher knows, and how far classes spread.

    Examples
    --------
    >>> facts = [{"spread of high valence": {"full": value, "prototypes": 0.5}} for value in (0.25, 0.75)]
    >>> table = fit_tables(facts)["Spread of high-valence faces by student"]
    >>> table["mean square distance"].to_dict(), float(table["fits with less in full"]["prototypes"])
    ({'full': 0.5, 'prototypes': 0.5}, 0.5)
    """
    tables = {}
    teachers = pd.DataFrame([_teacher(fact["teacher on EEG"]) for fact in facts if "teacher on EEG" in fact])
    if len(teachers):
        mean = teachers.mean(numeric_only=True)
        tables["Teacher on EEG and its prototypes"] = mean.rename_axis("measured").to_frame("mean over fits")
    spread = pd.DataFrame([fact.get("spread of high valence", {}) for fact in facts]).astype(float)
    if spread.notna().any(axis=None):
        table = spread.mean().rename_axis("student").to_frame("mean square distance")
        first = spread.columns[0]
        others = spread.drop(columns=first)
        table[f"fits with less in {first}"] = others.gt(spread[first], axis=0).where(others.notna()).mean()
        tables["Spread of high-valence faces by student"] = table
    return tables


def _teacher(fact: Mapping[str, Any]) -> dict[str, float]:
    row = {f"concordance with {name} of people held out": value for name, value in fact["concordance"].items()}
    row["share of fits whose prototypes are noise"] = float(fact["prototypes are noise"])
    row |= {name: float(value) for name, value in fact.items() if name.startswith(("cells", "windows"))}
    probe = fact["who it is"]
    if probe:
        row["whose window it is, told from features"] = probe["right"]
        row["the same by chance"] = probe["chance"]
    return row
