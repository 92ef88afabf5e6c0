"""Pictures of the EEG: drawn where a run has the tables, with their numbers in words."""

from __future__ import annotations

import base64
from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest
from made_up_results import CLASSES, make_results

from insula.corpora.scalp import MONTAGES
from insula.evaluation.draw_eeg import decoding, map_agreement, scalp_maps
from insula.evaluation.drawing import Plot, style
from insula.evaluation.results import Results

CHANNELS = MONTAGES["biosemi32"]
TIMES = np.arange(5) * 0.1 + 0.05


def _maps(weak: float = 0.1) -> pd.DataFrame:
    real = np.zeros((len(CLASSES), len(CHANNELS), len(TIMES)))
    real[0, CHANNELS.index("Pz"), 3], real[1, CHANNELS.index("Pz"), 3] = 8, -8
    index = pd.MultiIndex.from_product(
        [["real", "virtual"], CLASSES, CHANNELS, TIMES], names=["source", "class", "channel", "time"]
    )
    return pd.DataFrame({"value": np.r_[real.ravel(), weak * real.ravel()]}, index=index).reset_index()


def _agreement() -> pd.DataFrame:
    rows = [
        {"subject": "S1", "n": 70, "agreement": 0.5, "halves": 0.7, "amplitude": 0.1, "kind": "system", "arm": "bmci"},
        {"subject": "S2", "n": 70, "agreement": 0.7, "halves": 0.8, "amplitude": 0.1, "kind": "system", "arm": "bmci"},
        {"subject": "S1", "n": 70, "agreement": -0.1, "halves": 0.7, "amplitude": 0.1, "kind": "placebo", "arm": "c3"},
    ]
    return pd.DataFrame(rows)


def _decoding(first: float, subjects: int = 3, before: float = 0.14) -> pd.DataFrame:
    times = np.arange(first, 0.5, 0.02) + 0.01
    parts = []
    for subject in range(subjects):
        accuracy = np.where(times > 0.1, 0.5 + 0.01 * subject, before)
        table = pd.DataFrame({"subject": f"S{subject + 1}", "time": times, "accuracy": accuracy})
        parts.append(table.assign(n=200, chance=0.15, threshold=0.22))
    return pd.concat(parts, ignore_index=True)


def _results(**tables: pd.DataFrame) -> Results:
    return make_results(studies=1, units=30, folds=2, tables=tables)


def _drawn(plot: Plot | None) -> str:
    assert plot is not None
    kind, _, content = plot.picture.partition(",")
    assert kind == "data:image/svg+xml;base64"
    return base64.b64decode(content).decode()


def test_nothing_is_drawn_of_a_run_without_eeg() -> None:
    results = _results()
    assert scalp_maps(results) is None and map_agreement(results) is None and decoding(results) is None


def test_maps_show_the_moment_when_classes_differ_most_and_say_what_they_are() -> None:
    with style():
        plot = scalp_maps(_results(maps=_maps()))
    assert all(f"<!-- {name} -->" in _drawn(plot) for name in (*CLASSES, "measured", "virtual", "µV"))
    assert plot is not None
    assert "350 ms" in plot.caption and "10.0 % of the measured amplitude" in plot.caption
    assert "Nobody measured the virtual EEG" in plot.caption and "statistical proxy" in plot.caption
    assert "anger measured +8 µV at Pz, virtual +0.8 µV at Pz" in plot.alternative


def test_a_class_that_nobody_was_shown_is_left_out() -> None:
    maps = _maps()
    maps.loc[maps["class"] == "fear", "value"] = np.nan
    with style():
        drawn = _drawn(scalp_maps(_results(maps=maps)))
    assert "<!-- fear -->" not in drawn and "<!-- anger -->" in drawn


def test_agreement_stands_beside_its_placebos_and_the_noise() -> None:
    with style():
        plot = map_agreement(_results(agreement=_agreement()))
    assert plot is not None
    for words in ("virtual EEG 0.60", "(two halves) 0.75", "EEG shuffled across all \u22120.10", "140 held-out epochs"):
        assert words in plot.caption, words


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"first": 0.0}, "epochs start with the picture"),
        ({"first": -0.2}, "before it appears it is at most 14.0 % in any subject"),
        ({"first": -0.2, "before": 0.3}, "above chance in 30 of 30 bins: labels leak"),
    ],
)
def test_decoding_says_what_was_seen_before_the_picture(table: Mapping[str, float], words: str) -> None:
    with style():
        plot = decoding(_results(decoding=_decoding(**table)))  # type: ignore[arg-type]
    _drawn(plot)
    assert plot is not None and words in plot.caption and words in plot.alternative
    assert "Guessing reaches 15.0 %" in plot.caption and "51.0 %" in plot.caption


def test_no_interval_is_drawn_from_two_subjects() -> None:
    with style():
        two = decoding(_results(decoding=_decoding(0.0, subjects=2)))
        three = decoding(_results(decoding=_decoding(0.0, subjects=3)))
    assert two is not None and three is not None
    assert "interval" not in two.caption and "with its 95 % interval" in three.caption
