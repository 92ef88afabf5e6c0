"""From pictures and films to a table of faces: found, cut out as the recogniser wants them, and what each shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from insula.deployment.inputs import Source, View, check_input, sources
from insula.deployment.recognisers import Faces, Recogniser, find_recogniser
from insula.deployment.sureness import in_words, withheld
from insula.deployment.tracks import smoothed
from insula.emotions import ANCHORS
from insula.errors import InsulaError, SettingsError, printable

if TYPE_CHECKING:
    from insula.deployment.inputs import Inputs
    from insula.faces import Face, FaceCrop, FaceDetector, FaceTracker

NO_FACE = "no face was found"
"""The reason of a file that was read and shows no face; every other reason without a face is of one not read."""

_BATCH = 64  # faces that are held in memory and judged together
_PLACE = ("path", "frame", "time", "track", "face", "left", "top", "right", "bottom")
_ANSWER = ("label", "probability", "second", "valence", "arousal", "sure", "reason")
_MORE = ("set", "set_coverage", "out_of_distribution", "score", "yaw", "pitch", "roll", "quality", "mode")

_Row = dict[str, Any]


class Predictor:
    """Reads pictures and films and says which emotion each face shows; runs on this machine alone and keeps nothing.

    Parameters
    ----------
    recogniser : Recogniser, str or Path, optional
        What answers, as `insula.deployment.recognisers.find_recogniser` finds it; by default the one in the box.
    faces : {"detect", "cropped", "auto"}, optional
        Whether faces are looked for, or each picture is one; `auto` takes a picture that is one face and little more
        whole, and looks for faces in others. By default as the recogniser was trained.
    strict : bool
        Withhold the answer, and say why, where it is unsure or the picture is unlike those of the training.
    """

    def __init__(
        self, recogniser: Recogniser | str | Path | None = None, faces: Faces | None = None, *, strict: bool = False
    ) -> None:
        if faces not in (None, "detect", "cropped", "auto"):
            do = "give detect, or cropped where each picture is one face, or auto"
            raise SettingsError(f"faces is {faces!r}", do=do)
        given = recogniser if isinstance(recogniser, Recogniser) else find_recogniser(recogniser)
        self.recogniser = replace(given, faces=faces) if faces else given
        self.strict = strict

    def predict(
        self, inputs: Inputs, mode: str | None = None, *, rate: float | None = 5.0, smooth: float = 0.5
    ) -> pd.DataFrame:
        """Return one row a face, in a film one a face and frame, and one for each file that gave none or broke off.

        Every face that was found gets an answer; `sure` says how sure it is, in words. Where there is none, `reason`
        says why: the file could not be read, or no face was found in it. A strict predictor also withholds answers that
        are unsure.

        Parameters
        ----------
        inputs : str, Path, array, picture of Pillow, or an iterable of them
            Pictures and films (which is which is known by the ending), folders of them, patterns such as `*.jpg`; uint8
            arrays; a generator of frames, which is one film.
        mode : str, optional
            One of the recogniser's modes.
        rate : float or None
            Frames of a film file that are looked at, a second; None: all.
        smooth : float
            Time constant of the smoothing over a film, in seconds: see `insula.deployment.tracks.smoothed`. The
            shortest expressions last half a second.

        Returns
        -------
        DataFrame
            `path`; `frame`, `time` (seconds) and `track` (which face of this film it is, from 1), of films; `face`
            (number within the picture, from the largest); `left, top, right, bottom` (pixels); `label`, `probability`,
            `second` (the runner-up); `p_CLASS`; `valence`, `arousal` (the circumplex position of the probabilities,
            from -1 to 1: a readout, not a measurement); `sure`, in words; `reason`; `set` (the classes that may be
            right, made to hold the label as often as `set_coverage` says); `out_of_distribution` (above 1 is stranger
            than 95 % of training pictures); `score` (of the detector); `yaw, pitch, roll` (degrees, roughly: see
            `insula.faces.head_pose`); `quality` (flags); `mode`. Where there is a film, also `smoothed_CLASS` and
            `smoothed_label`. Further columns are the recogniser's own.

        Raises
        ------
        DataError
            Where what is given is neither file nor picture, or no file fits a pattern.
        SettingsError
            For an unknown mode, rate or time.
        """
        return self._predict(sources(inputs), mode, rate, smooth)

    def check(self, mode: str | None, rate: float | None, smooth: float) -> None:
        """Refuse an unknown mode, rate or time."""
        self.recogniser.check_mode(mode)
        if (rate is not None and not 0 < rate < np.inf) or not 0 <= smooth < np.inf:
            what = f"no video at {rate} frames a second, smoothed over {smooth} seconds"
            raise SettingsError(what, do="give a rate above 0 and a time from 0")

    def _predict(self, given: list[Source], mode: str | None, rate: float | None, smooth: float) -> pd.DataFrame:
        self.check(mode, rate, smooth)
        rows: list[_Row] = []
        held: dict[int, np.ndarray] = {}
        answers: list[pd.DataFrame] = []
        for row, face in self._rows(given, rate):
            if face is not None:
                held[len(rows)] = face
            rows.append(row)
            if len(held) == _BATCH:
                answers.append(self._answers(held, mode))
                held = {}
        if held or not answers:
            answers.append(self._answers(held, mode))
        table = pd.DataFrame(rows, columns=[*_PLACE, "reason", "score", "yaw", "pitch", "roll", "quality"])
        table = table.join(pd.concat(answers) if len(answers) > 1 else answers[0])
        if self.strict:
            table["reason"] = table["reason"].astype(object).fillna(table.pop("withheld"))
        return _with_smoothed(_ordered(table), smooth)

    def faces(self, inputs: Inputs) -> np.ndarray:
        """Return the largest face of each picture that shows one, as the recogniser sees it.

        Parameters
        ----------
        inputs : as in `predict`
            Pictures.

        Returns
        -------
        uint8 array, shape (n, size, size, 3)
        """
        size = self.recogniser.size
        largest = [crops[:1] for source in sources(inputs) for _, crops in self._looked_at(source, None)]
        return np.array([crop.pixels for crops in largest for crop in crops], np.uint8).reshape(-1, size, size, 3)

    def _rows(self, given: list[Source], rate: float | None) -> Iterator[tuple[_Row, np.ndarray | None]]:
        """Yield what is known of each face before it is judged, and the face; None for what gave nothing."""
        for source in given:
            seen = False
            try:
                for row, face in self._faces_of(source, rate):
                    seen = True
                    yield {"path": source.name, **row}, face
            except InsulaError as error:
                reason = ": ".join(part for part in (error.what, error.do) if part)  # the path says where
                yield {"path": source.name, "reason": printable(reason)}, None
            except Exception as error:
                if not isinstance(source.given, Path):  # what gives the frames is the caller's own
                    raise
                yield {"path": source.name, "reason": printable(f"{type(error).__name__}: {error}")}, None
            else:
                if not seen:
                    yield {"path": source.name, "reason": NO_FACE}, None

    def _faces_of(self, source: Source, rate: float | None) -> Iterator[tuple[_Row, np.ndarray]]:
        tracker: FaceTracker | None = None
        if source.is_film:
            from insula.faces import FaceTracker

            tracker = FaceTracker()
        for view, crops in self._looked_at(source, rate):
            faces = [crop.face for crop in crops]
            # A camera's frames without a time follow one another at once: what moved far is another face.
            tracks = tracker.update(view.time or 0.0, faces) if tracker and view else [None] * len(crops)
            for number, (crop, track) in enumerate(zip(crops, tracks, strict=True)):
                yield self._about(view, number, track, crop), crop.pixels

    def _looked_at(self, source: Source, rate: float | None) -> Iterator[tuple[View | None, list[FaceCrop]]]:
        """Yield each view of a source and its faces; a photograph on disk is decoded no further than its faces need."""
        from insula.faces import FaceFollower, crop_photograph, read_picture
        from insula.faces.pictures import picture_size
        from insula.faces.tight import is_tight

        recogniser = self.recogniser
        if isinstance(source.given, Path) and not source.is_film and recogniser.faces != "cropped":
            check_input(source.given)
            crops = crop_photograph(source.given, recogniser.size, self._detector, recogniser.framing)
            if recogniser.faces == "auto" and is_tight(picture_size(source.given), [crop.face for crop in crops]):
                crops = self._cut(read_picture(source.given), None)
            yield None, crops
            return
        follower = FaceFollower(self._detector) if recogniser.faces != "cropped" else None
        for view in source.views(rate):
            faces = None
            if follower:
                picture, time = view.picture, view.time
                faces = self._detector.detect(picture) if time is None else follower.update(time, picture)
                if recogniser.faces == "auto" and not source.is_film and is_tight(picture.shape, faces):
                    faces = None
            yield view, self._cut(view.picture, faces)

    @cached_property
    def _detector(self) -> FaceDetector:
        from insula.faces import FaceDetector

        # What learnt aligned faces is shown them as it was: the quick way places eyes a little differently.
        return FaceDetector(quick=self.recogniser.framing == "box")

    def _cut(self, picture: np.ndarray, faces: list[Face] | None) -> list[FaceCrop]:
        """Return the faces of a picture, or all of it, where it is one face."""
        from insula.faces import LANDMARKS, Face, FaceCrop, cut_faces

        size = self.recogniser.size
        if faces is None:
            from PIL import Image

            image = Image.fromarray(picture)
            face = Face((0, 0, image.width, image.height), 1.0, np.zeros((len(LANDMARKS), 2)))
            return [FaceCrop(np.asarray(image.resize((size, size), Image.Resampling.LANCZOS)), face, ())]
        return cut_faces(picture, faces, size, self.recogniser.framing)

    def _about(self, view: View | None, number: int, track: int | None, crop: FaceCrop) -> _Row:
        """Return what is known of a face before it is judged; of a whole picture, nothing but its number."""
        from insula.faces import head_pose

        row: _Row = {"track": track, "face": number}
        if view is not None:
            row |= {"frame": view.frame, "time": view.time}
        if not crop.face.landmarks.any():
            return row
        box = dict(zip(("left", "top", "right", "bottom"), crop.face.box, strict=True))
        flags = " ".join(crop.flags)
        return {**row, **box, "score": crop.face.score, **head_pose(crop.face)._asdict(), "quality": flags}

    def _answers(self, faces: dict[int, np.ndarray], mode: str | None) -> pd.DataFrame:
        """Return what the recogniser answers for each face, under its key."""
        classes, size = self.recogniser.classes, self.recogniser.size
        given = np.stack(list(faces.values())) if faces else np.empty((0, size, size, 3), np.uint8)
        answer = dict(self.recogniser.answer(given, mode)) if faces else {"probabilities": np.empty((0, len(classes)))}
        probabilities, admitted = answer.pop("probabilities"), answer.pop("admitted", None)
        order = np.argsort(-probabilities, axis=1)
        names = np.array(classes, object)
        columns: dict[str, Any] = {f"p_{name}": probabilities[:, place] for place, name in enumerate(classes)}
        columns |= {name: values.astype(float) for name, values in answer.items()}
        columns |= {"label": names[order[:, 0]], "second": names[order[:, 1]], "mode": mode or self.recogniser.modes[0]}
        columns["probability"] = probabilities.max(axis=1) if len(faces) else np.empty(0)
        if "valence" not in answer and all(name in ANCHORS for name in classes):
            place = probabilities @ np.array([ANCHORS[name] for name in classes])
            columns |= {"valence": place[:, 0], "arousal": place[:, 1]}
        if admitted is not None:
            columns["set"] = np.array([" ".join(names[row]) for row in admitted], object)
            columns["set_coverage"] = self.recogniser.coverage
        table = pd.DataFrame(columns, index=list(faces))  # at once: column by column takes long
        table["sure"] = in_words(table, self.recogniser.limit)
        if self.recogniser.refuse_above is not None and "out_of_distribution" in table:
            fallen = table["out_of_distribution"] > self.recogniser.refuse_above
            table.loc[fallen, "mode"] = "visual"
        return self._withheld(table) if self.strict else table

    def _withheld(self, table: pd.DataFrame) -> pd.DataFrame:
        """Take back what a strict reader withholds, and say why."""
        reasons = withheld(table, self.recogniser.limit)
        silent = np.array([reason is not None for reason in reasons], bool)
        names = [name for name in table if str(name).startswith("p_") or name in (*_ANSWER, "set", "set_coverage")]
        table.loc[silent, names] = None
        return table.assign(withheld=reasons)


def _ordered(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with its columns in the order in which they are read, all that a reader may count on."""
    probabilities = [name for name in table if str(name).startswith("p_")]
    wanted = [*_PLACE, "label", "probability", "second", *probabilities, *_ANSWER[3:], *_MORE]
    return table.reindex(columns=[*wanted, *(name for name in table if name not in wanted)])


def _with_smoothed(table: pd.DataFrame, seconds: float) -> pd.DataFrame:
    """Return the table with the smoothed probabilities of its films; as it is where none has times."""
    if table["time"].isna().all():
        return table
    filmed = table[table["track"].notna() & table["time"].notna()]
    calm = pd.concat([smoothed(part, seconds) for _, part in filmed.groupby("path", sort=False)])
    best = calm[calm.notna().all(axis=1)].idxmax(axis=1).str.removeprefix("smoothed_")
    return table.join(calm.assign(smoothed_label=best))


def recognise(
    inputs: Inputs,
    recogniser: str | Path | None = None,
    *,
    faces: Faces | None = None,
    mode: str | None = None,
    rate: float | None = 5.0,
    smooth: float = 0.5,
    strict: bool = False,
) -> pd.DataFrame:
    """Return which emotion each face shows, one row a face; with the recogniser in the box, no training and no network.

    Parameters
    ----------
    inputs : str, Path, array, picture of Pillow, or an iterable of them
        A picture, a film, a folder, a pattern such as `holidays/*.jpg`, or many of them; uint8 arrays (height, width,
        3); a generator of frames, which is one film.
    recogniser : str or Path, optional
        A bundle that `insula fit` wrote, `fer`, or an ONNX file; by default the one in the box.
    faces : {"detect", "cropped", "auto"}, optional
        `cropped` where each picture is one face already; `auto` where some are.
    mode, rate, smooth
        As in `insula.deployment.predictor.Predictor.predict`.
    strict : bool
        Withhold answers that are unsure, or of pictures unlike those of the training, and say why.

    Returns
    -------
    DataFrame
        `path`, `frame`, `time`, `label`, `probability`, `second`, `p_CLASS`, `valence`, `arousal`, `sure`, `reason` and
        more: see `insula.deployment.predictor.Predictor.predict`.

    Notes
    -----
    A label is what people called such faces, and not what a person feels. The recogniser's card says how often it is
    right, and for whom.

    Examples
    --------
    >>> import numpy as np
    >>> recognise(np.zeros((64, 64, 3), np.uint8))["reason"].tolist()
    ['no face was found']
    """
    return Predictor(recogniser, faces, strict=strict).predict(inputs, mode, rate=rate, smooth=smooth)
