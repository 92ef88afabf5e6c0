"""Curves of what the faces of a video showed over time, drawn by Pillow, which predicting has at hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from PIL import Image, ImageColor, ImageDraw, ImageFont

from insula.deployment.tracks import crossings, no_answer

_MOST_TRACKS, _MOST_CLASSES = 6, 5
_GAP = 1.0  # s without the face, after which a curve is broken
_FINE = 2  # drawn so many times larger and then reduced, since Pillow draws edges as steps
_WIDE, _LEFT, _RIGHT, _HEAD, _FOOT = 1400, 80, 20, 48, 84  # pixels of the page and of its margins
_HIGH, _HEADING = 200, 44  # pixels of a panel, and of the heading above it
_PAPER, _BELOW = "#ffffff", 0.03  # the share of a panel below 0 % and above 100 %
_CORNERS = {
    "square": ((-1, -1), (1, -1), (1, 1), (-1, 1)),
    "up": ((-1.1, 1), (1.1, 1), (0, -1.2)),
    "diamond": ((-1.3, 0), (0, -1.3), (1.3, 0), (0, 1.3)),
    "down": ((-1.1, -1), (1.1, -1), (0, 1.2)),
}
_SHAPES = ("round", *_CORNERS)
"""Marks of classes, told apart where colours are not."""


@dataclass(frozen=True)
class Panel:
    """What is drawn of one face.

    Parameters
    ----------
    heading : str
        Its number, whom it came near, and in how many frames nothing was said and why.
    points : dict of str to ndarray, (n, 2)
        Of each class the seconds and the probability in each frame with an answer.
    lines : dict of str to list of ndarray, (n, 2)
        The same smoothed, in pieces where the face was gone for a while or had no answer.
    silent : ndarray, (n,)
        Seconds of the frames without an answer.
    """

    heading: str
    points: dict[str, np.ndarray]
    lines: dict[str, list[np.ndarray]]
    silent: np.ndarray


def panels(rows: pd.DataFrame) -> list[Panel]:
    """Return what is drawn of the longest tracks of one video, of the classes that are the answer most often.

    Parameters
    ----------
    rows : DataFrame
        What `Predictor.predict` says of the faces of one video.
    """
    shown = rows["track"].value_counts().index[:_MOST_TRACKS].sort_values()
    often = rows["smoothed_label"].value_counts().index[:_MOST_CLASSES]
    classes = [str(name)[2:] for name in rows if str(name).startswith("p_") and str(name)[2:] in often]
    met = crossings(rows)
    return [_panel(rows[rows["track"] == track], int(track), classes, met.get(int(track), "")) for track in shown]


def _panel(rows: pd.DataFrame, track: int, classes: list[str], met: str) -> Panel:
    remark = ", ".join(filter(None, [met, no_answer(rows)]))
    times = rows["time"].to_numpy(float)

    def pieces(column: str) -> list[np.ndarray]:
        """Return the seconds and values (n, 2) of stretches with an answer."""
        points = np.column_stack([times, rows[column].to_numpy(float)])
        answered = np.flatnonzero(np.isfinite(points[:, 1]))
        points = points[answered]
        return np.split(points, np.flatnonzero((np.diff(answered) > 1) | (np.diff(points[:, 0]) > _GAP)) + 1)

    return Panel(
        f"face {track}{', ' * bool(remark)}{remark}",
        {name: np.concatenate(pieces(f"p_{name}")) for name in classes},
        {name: pieces(f"smoothed_{name}") for name in classes},
        times[rows["reason"].notna().to_numpy()],
    )


def draw_curves(rows: pd.DataFrame, title: str) -> Image.Image:
    """Draw the probabilities of the longest tracks of one video, of each frame (marks) and smoothed (lines).

    Of many classes only those that are the answer most often are drawn. A frame without an answer is a cross at the
    bottom, and the panel's heading says why.

    Parameters
    ----------
    rows : DataFrame
        What `Predictor.predict` says of the faces of one video.
    title : str
        Heading.
    """
    drawn = panels(rows)
    page = _Page(len(drawn), float(rows["time"].max()) or 1.0)
    more = rows["track"].nunique() - len(drawn)
    page.write(f"{title}: each frame (marks), smoothed (lines){f', and {more} seen for shorter' if more else ''}")
    for place, panel in enumerate(drawn):
        page.draw(panel, place)
    page.explain(list(drawn[0].points), any(len(panel.silent) for panel in drawn))
    return page.finished()


class _Page:
    """A page of panels that share their axes; places are pixels of the finished page."""

    def __init__(self, panels: int, end: float) -> None:
        from insula.evaluation.drawing import FAINT, INK, PALETTE, QUIET

        self.faint, self.ink, self.quiet, self.palette = FAINT, INK, QUIET, PALETTE
        self.panels, self.end = panels, end
        self.high = _HEAD + panels * (_HIGH + _HEADING) + _FOOT
        self.image = Image.new("RGB", (_WIDE * _FINE, self.high * _FINE), _PAPER)
        self.pen = ImageDraw.Draw(self.image)

    def finished(self) -> Image.Image:
        return self.image.reduce(_FINE)

    def write(self, title: str) -> None:
        self._text((16, 14), title, 17)

    def draw(self, panel: Panel, place: int) -> None:
        top = _HEAD + place * (_HIGH + _HEADING) + _HEADING
        self._text((_LEFT, top - 26), panel.heading, 15)
        for share in (0, 0.25, 0.5, 0.75, 1):
            y = self._at(np.array([[0, share]]), top)[0, 1]
            self._line([(_LEFT, y), (_WIDE - _RIGHT, y)], self.faint, 1)
            self._text((_LEFT - 8, y), f"{100 * share:.0f} %", 13, "rm")
        self._line([(_LEFT, top), (_LEFT, top + _HIGH), (_WIDE - _RIGHT, top + _HIGH)], self.quiet, 1)
        last = place == self.panels - 1
        for second in _ticks(self.end):
            x = self._at(np.array([[second, 0]]), top)[0, 0]
            self._line([(x, top + _HIGH), (x, top + _HIGH + 4)], self.quiet, 1)
            if last:
                self._text((x, top + _HIGH + 8), f"{second:g}", 13, "mt")
        if last:
            self._text(((_LEFT + _WIDE - _RIGHT) / 2, top + _HIGH + 26), "seconds", 13, "mt")
        for number, points in enumerate(panel.points.values()):
            for x, y in self._at(points, top):
                self._mark(x, y, number, pale=True)
        for number, pieces in enumerate(panel.lines.values()):
            for piece in pieces:
                self._line([tuple(point) for point in self._at(piece, top)], self._colour(number), 2)
        for x, y in self._at(np.column_stack([panel.silent, np.zeros(len(panel.silent))]), top):
            self._cross(x, y)

    def explain(self, classes: list[str], silent: bool) -> None:
        """Write the legend below the panels."""
        x, y = float(_LEFT), self.high - 22.0
        for number, name in enumerate(classes):
            self._line([(x, y), (x + 28, y)], self._colour(number), 2)
            self._mark(x + 14, y, number)
            x = self._text((x + 36, y), name, 14, "lm") + 28
        if silent:
            self._cross(x + 6, y)
            self._text((x + 18, y), "no answer", 14, "lm")

    def _at(self, points: np.ndarray, top: float) -> np.ndarray:
        """Return where on the page seconds and probabilities (n, 2) lie."""
        across = (points[:, 0] / self.end + 0.02) / 1.04
        up = (points[:, 1] + _BELOW) / (1 + 2 * _BELOW)
        return np.column_stack([_LEFT + across * (_WIDE - _RIGHT - _LEFT), top + (1 - up) * _HIGH])

    def _colour(self, number: int, pale: bool = False) -> tuple[int, int, int]:
        colour = np.array(ImageColor.getrgb(self.palette[number % len(self.palette)])[:3])
        red, green, blue = (255 - 0.45 * (255 - colour)).round().astype(int) if pale else colour
        return int(red), int(green), int(blue)

    def _line(self, points: list[tuple[float, ...]], colour: str | tuple[int, int, int], width: int) -> None:
        if len(points) > 1:
            fine = [(x * _FINE, y * _FINE) for x, y in points]
            self.pen.line(fine, fill=colour, width=width * _FINE, joint="curve")

    def _mark(self, x: float, y: float, number: int, pale: bool = False) -> None:
        shape, colour, size = _SHAPES[number % len(_SHAPES)], self._colour(number, pale), 3 * _FINE
        x, y = x * _FINE, y * _FINE
        if shape in _CORNERS:
            self.pen.polygon([(x + size * right, y + size * down) for right, down in _CORNERS[shape]], fill=colour)
        else:
            self.pen.ellipse((x - size, y - size, x + size, y + size), fill=colour)

    def _cross(self, x: float, y: float) -> None:
        for down in (-3, 3):
            self._line([(x - 3, y - down), (x + 3, y + down)], self.quiet, 1)

    def _text(self, at: tuple[float, float], text: str, size: int, anchor: str = "la") -> float:
        """Write a text and return where it ends."""
        font, place = ImageFont.load_default(size * _FINE), (at[0] * _FINE, at[1] * _FINE)
        self.pen.text(place, text, fill=self.ink, font=font, anchor=anchor)
        return self.pen.textbbox(place, text, font=font, anchor=anchor)[2] / _FINE


def _ticks(end: float) -> np.ndarray:
    """Return round seconds from 0 to the end, at most eleven.

    Examples
    --------
    >>> _ticks(7.3).tolist(), _ticks(0.4).tolist()
    ([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], [0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4])
    """
    power = 10.0 ** np.floor(np.log10(end / 10))
    step = next(step for step in (power, 2 * power, 5 * power, 10 * power) if end / step <= 10)
    return (np.arange(int(end / step + 1e-9) + 1) * step).round(9)
