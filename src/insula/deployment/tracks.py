"""The faces of a video: probabilities with the flicker between frames taken out, and each face in one line."""

from __future__ import annotations

from statistics import mode

import numpy as np
import pandas as pd

_NEAR = 2.0


def smoothed(table: pd.DataFrame, seconds: float) -> pd.DataFrame:
    """Return each track's probabilities as running means over its past, exponentially weighted by age.

    A frame that is `seconds` old weighs 1/e of the newest, whatever the frame rate. Nothing of the future is used, so
    that a live stream gives the same. Probabilities still add up to one.

    Parameters
    ----------
    table : DataFrame
        Columns `track`, `time` (seconds, ascending within a track) and `p_CLASS`. Rows without probabilities stay so,
        and weigh nothing.
    seconds : float
        The time constant; 0 leaves everything as it is.

    Returns
    -------
    DataFrame
        The same index, columns `smoothed_CLASS`.

    Examples
    --------
    >>> table = pd.DataFrame({"track": 1, "time": [0.0, 1.0], "p_fear": [1.0, 0.0], "p_anger": [0.0, 1.0]})
    >>> smoothed(table, seconds=1.0).round(3).to_dict("list")
    {'smoothed_fear': [1.0, 0.269], 'smoothed_anger': [0.0, 0.731]}
    """
    names = [name for name in table if str(name).startswith("p_")]
    values = table[names].astype(float).rename(columns=lambda name: f"smoothed_{name[2:]}")
    if not seconds:
        return values
    half = pd.Timedelta(seconds=seconds * np.log(2))
    clock = pd.to_datetime(table["time"], unit="s")
    parts = [part.ewm(halflife=half, times=clock.loc[part.index]).mean() for _, part in values.groupby(table["track"])]
    return pd.concat(parts).reindex(values.index).where(values.notna()) if parts else values


def track_summary(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row a track of a video: from when to when, in how many frames, and what it showed on the whole.

    Parameters
    ----------
    table : DataFrame
        What `Predictor.predict` returns.

    Returns
    -------
    DataFrame
        `path, track, start, stop` (seconds), `frames`, `label` (the class of the highest mean probability),
        `probability` (that mean), `share` (of the frames with an answer whose smoothed answer is that label), `remark`
        (from `crossings` and `no_answer`). A track without any answer has no label.
    """
    filmed = table[table["track"].notna()]
    names = [name for name in filmed if str(name).startswith("p_")]
    rows = []
    met = {path: crossings(part) for path, part in filmed.groupby("path", sort=False)}
    for (path, track), part in filmed.groupby(["path", "track"], sort=False):
        means = part[names].astype(float).mean()
        label = str(means.idxmax()).removeprefix("p_") if means.notna().any() else None
        rows.append(
            {
                "path": path,
                "track": int(track),
                "start": part["time"].min(),
                "stop": part["time"].max(),
                "frames": len(part),
                "label": label,
                "probability": means.max(),
                "share": (part["smoothed_label"].dropna() == label).mean(),
                "remark": ", ".join(filter(None, (met[path].get(int(track), ""), no_answer(part)))),
            }
        )
    columns = ["path", "track", "start", "stop", "frames", "label", "probability", "share", "remark"]
    return pd.DataFrame(rows, columns=columns)


def crossings(film: pd.DataFrame) -> dict[int, str]:
    """Return, of the faces of one film that came close to another, when; the tracker may have exchanged the two.

    Close are two whose boxes touch, and two within `_NEAR` widths where one of them appears or is lost.

    Examples
    --------
    >>> rows = [(0, 1, 0, 10), (0, 2, 40, 50), (1, 1, 20, 30), (1, 2, 34, 44), (2, 1, 30, 40)]
    >>> film = pd.DataFrame(rows, columns=["time", "track", "left", "right"]).assign(top=0, bottom=10)
    >>> crossings(film)[1]
    'near face 2 at 1.0 s: they may have exchanged numbers'
    """
    boxes = film.reindex(columns=["time", "track", "left", "top", "right", "bottom"]).astype(float).dropna()
    pairs = boxes.merge(boxes, on="time", suffixes=("", "_other"))
    pairs = pairs[pairs["track"] != pairs["track_other"]]
    across, down = (
        (pairs[one] + pairs[two] - pairs[f"{one}_other"] - pairs[f"{two}_other"]).abs() / 2
        for one, two in (("left", "right"), ("top", "bottom"))
    )
    width = np.maximum(pairs["right"] - pairs["left"], pairs["right_other"] - pairs["left_other"])
    spans = boxes.groupby("track")["time"].agg(["min", "max"])
    ends = pd.Series(False, index=pairs.index)
    for name in ("track", "track_other"):
        first, last = (pairs[name].map(spans[edge]) for edge in ("min", "max"))
        ends |= (pairs["time"] == first) & (first > boxes["time"].min())
        ends |= (pairs["time"] == last) & (last < boxes["time"].max())
    close = pairs[np.maximum(across, down) < np.where(ends, _NEAR, 1.0) * width].drop_duplicates("track")
    return {
        int(row.track): f"near face {row.track_other:.0f} at {row.time:.1f} s: they may have exchanged numbers"
        for row in close.sort_values("track").itertuples()
    }


def no_answer(rows: pd.DataFrame) -> str:
    """Return in how many frames of one track nothing was said, and the most frequent reason; empty where there is none.

    Examples
    --------
    >>> no_answer(pd.DataFrame({"reason": [None, "too strange: 2.8", "too strange: 3.1"]}))
    'no answer in 2 of 3 frames: too strange'
    >>> no_answer(pd.DataFrame({"reason": ["too strange: 2.8"]}))
    'no answer: too strange'
    """
    reasons = [reason.partition(":")[0] for reason in rows["reason"].dropna()]  # after it: figures of single frames
    if not reasons:
        return ""
    where = "" if len(reasons) == len(rows) else f" in {len(reasons)} of {len(rows)} frames"
    return f"no answer{where}: {mode(reasons)}"


def calm(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows of videos with the smoothed answer in place of that of the single frame."""
    names = [name for name in rows if str(name).startswith("smoothed_") and name != "smoothed_label"]
    values = rows[names].rename(columns=lambda name: f"p_{name.removeprefix('smoothed_')}")
    return rows.assign(label=rows["smoothed_label"], probability=values.max(axis=1), **values)
