"""The pictures of a report, in the order in which they are read."""

from __future__ import annotations

import pandas as pd

from insula.evaluation.draw_attributions import attention, attributions
from insula.evaluation.draw_clusters import clusters
from insula.evaluation.draw_eeg import decoding, map_agreement, scalp_maps
from insula.evaluation.draw_label_curves import label_curves
from insula.evaluation.draw_learning import learning_curves
from insula.evaluation.draw_predictions import calibration, confusions, feature_maps, rejections
from insula.evaluation.draw_ratings import agreement, errors, tracks
from insula.evaluation.draw_scores import errors_by_group, overview, placebo_panel, recall_by_class, spread
from insula.evaluation.drawing import Plot, style
from insula.evaluation.results import Results


def plots(results: Results, table: pd.DataFrame) -> list[Plot]:
    """Draw every picture that the results have data for.

    Parameters
    ----------
    results : Results
        A whole experiment.
    table : DataFrame
        Its `metrics_table`.
    """
    table = table.set_index("arm")
    with style():
        drawn = _of_ratings(results, table) if results.rated else _of_classes(results, table)
    return [plot for plot in drawn if plot is not None]


def _of_ratings(results: Results, table: pd.DataFrame) -> list[Plot | None]:
    return [
        errors(results, table),
        placebo_panel(results, table),
        tracks(results),
        agreement(results, table),
        label_curves(results),
        learning_curves(results),
        clusters(results),
        attributions(results),
        attention(results),
        spread(results),
    ]


def _of_classes(results: Results, table: pd.DataFrame) -> list[Plot | None]:
    return [
        overview(results, table),
        placebo_panel(results, table),
        recall_by_class(results, table),
        confusions(results),
        label_curves(results),
        feature_maps(results),
        clusters(results),
        scalp_maps(results),
        map_agreement(results),
        attributions(results),
        attention(results),
        decoding(results),
        calibration(results, table),
        rejections(results, table),
        learning_curves(results),
        spread(results),
        errors_by_group(results),
    ]
