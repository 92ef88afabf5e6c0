"""Smoothing over a video against its formula, the line each face is summed up in, and the pictures of both."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from PIL import ImageColor

from insula.deployment.curves import draw_curves, panels
from insula.deployment.tracks import smoothed, track_summary
from insula.evaluation.drawing import PALETTE


def filmed(tracks: int = 2, frames: int = 40, seed: int = 0) -> pd.DataFrame:
    """Return rows of a made-up video: irregular times, probabilities that flicker."""
    rng = np.random.default_rng(seed)
    parts = []
    for track in range(1, tracks + 1):
        times = np.cumsum(rng.uniform(0.02, 0.4, frames))
        share = np.clip(0.5 + 0.4 * np.sin(times) + rng.normal(0, 0.2, frames), 0, 1)
        parts.append(
            pd.DataFrame({"path": "a.mp4", "track": track, "time": times, "p_fear": share, "p_anger": 1 - share})
        )
    table = pd.concat(parts).sort_values("time", ignore_index=True)
    label = np.where(table["p_fear"] > 0.5, "fear", "anger")
    calm = smoothed(table, 0.5)
    best = calm.idxmax(axis=1).str.removeprefix("smoothed_")
    return table.assign(label=label, reason=None).join(calm).assign(smoothed_label=best)


def test_smoothing_is_the_mean_weighted_by_age_and_keeps_tracks_apart() -> None:
    table = filmed()
    for track in (1, 2):
        rows = table[table["track"] == track]
        times, values = rows["time"].to_numpy(), rows["p_fear"].to_numpy()
        weights = np.tril(np.exp(-(times[:, None] - times[None, :]) / 0.5))
        expected = (weights * values).sum(axis=1) / weights.sum(axis=1)
        assert rows["smoothed_fear"].to_numpy() == pytest.approx(expected, abs=1e-6)
    assert np.allclose(table["smoothed_fear"] + table["smoothed_anger"], 1)


def test_smoothing_calms_and_no_smoothing_changes_nothing() -> None:
    table = filmed(tracks=1, frames=200)
    assert table["smoothed_fear"].diff().abs().mean() < 0.5 * table["p_fear"].diff().abs().mean()
    assert (smoothed(table, 0)["smoothed_fear"] == table["p_fear"]).all()


def test_a_frame_without_an_answer_weighs_nothing_and_stays_without() -> None:
    table = pd.DataFrame({"track": 1, "time": [0.0, 1.0, 2.0], "p_fear": [0.2, None, 0.8], "p_anger": [0.8, None, 0.2]})
    calm = smoothed(table, 1.0)
    old, new = np.exp(-2), 1.0
    assert calm["smoothed_fear"].isna().tolist() == [False, True, False]
    assert calm["smoothed_fear"].iloc[2] == pytest.approx((0.2 * old + 0.8 * new) / (old + new))


def test_a_track_is_summed_up_in_one_line() -> None:
    table = pd.DataFrame(
        {
            "path": "a.mp4",
            "track": [1, 2, 1, 1, 3],
            "time": [0.0, 0.0, 1.0, 2.0, 2.0],
            "p_fear": [0.9, 0.1, 0.4, 0.8, None],
            "p_anger": [0.1, 0.9, 0.6, 0.2, None],
            "smoothed_label": ["fear", "anger", "anger", "fear", None],
            "reason": [None, None, None, None, "too strange: 2.8"],
        }
    )
    first, second, third = track_summary(table).itertuples(index=False)
    assert first[:5] == ("a.mp4", 1, 0.0, 2.0, 3) and first.label == "fear"
    assert first.probability == pytest.approx(0.7) and first.share == pytest.approx(2 / 3)
    assert second.label == "anger" and second.share == 1
    assert pd.isna(third.label) and np.isnan(third.probability)
    assert (first.remark, second.remark, third.remark) == ("", "", "no answer: too strange")
    assert track_summary(table[:0]).empty


def test_the_plot_shows_the_longest_tracks_and_counts_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    monkeypatch.setattr("insula.deployment.curves._Page.write", lambda page, title: written.append(title))
    page = draw_curves(filmed(tracks=8), "a.mp4")
    assert len(panels(filmed(tracks=8))) == 6 and "2 seen for shorter" in written[0]
    assert page.width > 1000
    colours = {colour for _, colour in page.getcolors(1 << 24) or ()}
    assert {ImageColor.getrgb(colour) for colour in PALETTE[:2]} < colours
    assert ImageColor.getrgb(PALETTE[2]) not in colours, "two classes, two colours"


def test_curves_are_where_the_probabilities_are() -> None:
    table = pd.DataFrame({"track": 1, "time": [0.0, 1.0, 2.0], "p_fear": [1.0, 1.0, 0.0], "reason": None})
    table = table.assign(smoothed_fear=table["p_fear"], smoothed_label="fear")
    page = np.asarray(draw_curves(table, ""))
    rows, columns = np.nonzero((page == ImageColor.getrgb(PALETTE[0])).all(axis=-1))
    in_panel = rows < page.shape[0] - 100  # the legend is below
    rows, columns = rows[in_panel], columns[in_panel]
    early, late = columns < page.shape[1] / 2, columns > page.shape[1] * 0.9
    assert np.ptp(rows[early]) <= 3 and rows[late].max() > rows[early].max() + 150


def test_a_line_of_the_plot_breaks_where_the_face_was_gone() -> None:
    table = filmed(tracks=2)
    gone = (table["track"] == 1) & table["time"].between(2, 4)
    first, second = panels(table[~gone])
    assert [len(first.lines[name]) for name in ("fear", "anger")] == [2, 2]
    assert [len(second.lines[name]) for name in ("fear", "anger")] == [1, 1]
    assert len(first.points["fear"]) == sum(map(len, first.lines["fear"])) == 40 - gone.sum()


def refused(table: pd.DataFrame, rows: pd.Series) -> pd.DataFrame:
    """Return a table in which nothing was said in some rows, each with figures of its own in the reason."""
    answer = [name for name in table if str(name).startswith(("p_", "smoothed_")) or name == "label"]
    table = table.copy()
    table.loc[rows, answer] = None
    reasons = [f"too strange: {2 + number / 10:.1f}, limit 1.5" for number in range(len(table))]
    return table.assign(reason=pd.Series(reasons, index=table.index).where(rows, None))


def test_a_face_of_which_nothing_was_said_has_the_reason_in_its_panel_and_crosses() -> None:
    table = filmed(tracks=2)
    silent = (table["track"] == 2) | ((table["track"] == 1) & (table["time"] < 1))
    first, second = panels(refused(table, silent))
    assert second.heading == "face 2, no answer: too strange"
    count = (silent & (table["track"] == 1)).sum()
    assert first.heading == f"face 1, no answer in {count} of 40 frames: too strange"
    assert [len(panel.silent) for panel in (first, second)] == [count, 40]
    assert len(second.points["fear"]) == 0 and len(first.points["fear"]) == 40 - count


def test_a_line_breaks_where_a_frame_has_no_answer() -> None:
    table = filmed(tracks=1)
    (panel,) = panels(refused(table, table.index == 20))
    assert list(map(len, panel.lines["fear"])) == [20, 19]


def test_a_video_of_which_nothing_was_said_at_all_is_drawn_with_the_reason() -> None:
    table = refused(filmed(tracks=1), pd.Series(True, range(40)))
    (panel,) = panels(table)
    assert not panel.points and len(panel.silent) == 40 and panel.heading == "face 1, no answer: too strange"
    assert draw_curves(table, "a.mp4").height > 250
