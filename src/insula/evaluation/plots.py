"""The pictures of a report, in the order in which they are read."""

from __future__ import annotations

import pandas as pd

from insula.evaluation.draw_attributions import attention, attributions
from insula.evaluation.draw_clusters import clusters
from insula.evaluation.draw_eeg import decoding, map_agreement, scalp_maps
from insula.evaluation.draw_predictions import calibration, confusions, feature_maps
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
        drawn = [
            overview(results, table),
            placebo_panel(results, table),
            recall_by_class(results, table),
            confusions(results),
            feature_maps(results),
            clusters(results),
            scalp_maps(results),
            map_agreement(results),
            attributions(results),
            attention(results),
            decoding(results),
            calibration(results, table),
            spread(results),
            errors_by_group(results),
        ]
    return [plot for plot in drawn if plot is not None]
