"""All that a report can show beside its figures: a line each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from insula.evaluation.add_on import AddOn, FinishedFit, FinishedRun, Tables
from insula.evaluation.clusters import ClusterMap, Silhouettes
from insula.evaluation.decoding import Decoding
from insula.evaluation.explanations import Explanations
from insula.evaluation.facts import MeasuredTables
from insula.evaluation.feature_map import FeatureMap, FeatureSilhouettes
from insula.evaluation.robustness import Robustness
from insula.evaluation.scalp_maps import ScalpMaps
from insula.storage.progress import Step

ADD_ONS: tuple[AddOn, ...] = (
    MeasuredTables(),
    Silhouettes(),
    FeatureSilhouettes(),
    Robustness(),
    FeatureMap(),
    ClusterMap(),
    ScalpMaps(),
    Explanations(),
    Decoding(),
)
"""Measured tables are printed in this order."""


def write_additions(fit: FinishedFit) -> None:
    """Write what the add-ons want of a fit to its folder."""
    for add_on in ADD_ONS:
        if add_on.applies(fit):
            add_on.write(fit)


def read_additions(
    run: FinishedRun, add_ons: Sequence[AddOn] = ADD_ONS, progress: Step | None = None
) -> dict[str, Any]:
    """Return the fields of `Results` that add-ons fill."""
    fields: dict[str, Tables] = {"measured": {}, "tables": {}, "embedding": {}}
    for done, add_on in enumerate(add_ons, start=1):
        fields[add_on.field] |= add_on.read(run)
        if progress:
            progress(done, len(add_ons), "reading and mapping what the fits left")
    return {**fields, "embedding": fields["embedding"].get("embedding")}
