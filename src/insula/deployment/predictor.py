"""Predict from pictures and videos with a bundle: find the faces, cut them as in training, say what they show."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from insula.deployment.bundle import not_from_pictures, open_bundle
from insula.deployment.inputs import check_input, is_video, list_inputs
from insula.deployment.tracks import smoothed
from insula.emotions import ANCHORS
from insula.errors import InsulaError, SettingsError
from insula.samples import ArrayStore, Description, Samples, provenance

if TYPE_CHECKING:
    from insula.faces import FaceCrop

log = logging.getLogger(__name__)

NO_FACE = "no face was found"
"""The reason of a file that was read and shows no face; every other reason without a face is of one not read."""

_PICTURE = Description(kind="picture", axes=("row", "column", "colour"), units="uint8 RGB")
_BATCH = 64  # faces that are held in memory and judged together
_ABOUT = ("path", "time", "track", "face", "left", "top", "right", "bottom", "score", "yaw", "pitch", "roll", "quality",
          "reason")  # fmt: skip
_ANSWER = ("label", "valence", "arousal", "uncertainty", "set", "set_coverage", "mode")

_Row = dict[str, object]


class Predictor:
    """Reads pictures and videos and says which emotion each face shows; runs on this machine alone and keeps nothing.

    Parameters
    ----------
    folder : Path
        A bundle that `insula fit` wrote.
    """

    def __init__(self, folder: Path) -> None:
        self.bundle = open_bundle(folder)
        self.manifest = self.bundle.manifest
        if not self.bundle.graphs:
            raise not_from_pictures(self.manifest)

    def predict(
        self, paths: Iterable[Path], mode: str | None = None, *, rate: float = 5.0, smooth: float = 0.5
    ) -> pd.DataFrame:
        """Return one row a face, in a video one a face and frame, and one for each file that gave none or broke off.

        Where there is no answer, `reason` says why: nothing could be read, no face was found, or the face is so unlike
        the training pictures that the system has nothing to say of it. Such a row has no label, no probabilities and no
        set.

        Parameters
        ----------
        paths : iterable of Path
            Pictures, videos (which is which is known by the ending), and folders of them.
        mode : str, optional
            One of the bundle's modes.
        rate : float
            Frames of a video that are looked at, a second.
        smooth : float
            Time constant of the smoothing over a video, in seconds: see `insula.deployment.tracks.smoothed`. The
            shortest expressions last half a second.

        Returns
        -------
        DataFrame
            Columns `path`, `time` and `track` (of a video: seconds, and which face it is within this video, from 1),
            `face` (number, from the largest), `left, top, right, bottom` (pixels), `score` (of the detector), `yaw,
            pitch, roll` (degrees, roughly: see `insula.faces.head_pose`), `quality` (flags), `reason`, `label`,
            `p_CLASS`, `valence`, `arousal` (the circumplex position of the probabilities: a readout, not a
            measurement), and what else the system says; of BMCI `set` (the classes that may be right, made to hold the
            label as often as `set_coverage` says), `uncertainty`, `epistemic`, `out_of_distribution`
            (above 1 is stranger than 95 % of training pictures) and `mode` (where it is not the one asked for, the
            picture was too strange for that). Where there is a video, also `smoothed_CLASS` and `smoothed_label`.
        """
        mode = self.bundle.mode(mode)
        if not rate > 0 or not smooth >= 0:
            what = f"no video at {rate} frames a second, smoothed over {smooth} seconds"
            raise SettingsError(what, do="give a rate above 0 and a time from 0")
        if self.manifest["pictures"] == "whole":
            log.warning("this bundle was trained on whole pictures: no face is looked for, each picture is one face")
        rows: list[_Row] = []
        held: dict[int, np.ndarray] = {}
        said: list[pd.DataFrame] = []
        for row, crop in self._rows(list_inputs(paths), rate):
            if crop is not None:
                held[len(rows)] = crop
            rows.append(row)
            if len(held) == _BATCH:
                said.append(self._say(held, mode))
                held = {}
        if held:
            said.append(self._say(held, mode))
        table = pd.DataFrame(rows, columns=list(_ABOUT))
        if said:
            table = table.join(pd.concat(said).rename(columns={"reason": "refused"}))
            table["reason"] = table["reason"].astype(object).fillna(table.pop("refused"))
        silent = {name: None for name in (*_ANSWER, "out_of_distribution") if name not in table}
        return _with_smoothed(table.assign(**silent), smooth)

    def _rows(self, paths: Iterable[Path], rate: float) -> Iterator[tuple[_Row, np.ndarray | None]]:
        """Yield what is known of each face before it is judged, and its crop; None for a file that gave nothing."""
        for path in paths:
            seen = False
            try:
                check_input(path)
                for about, crop in self._watch(path, rate) if is_video(path) else self._look(path):
                    seen = True
                    yield {"path": str(path), **about}, crop
            except InsulaError as error:
                reason = ": ".join(part for part in (error.what, error.do) if part)  # the path says where
                yield {"path": str(path), "reason": reason}, None
            else:
                if not seen:
                    yield {"path": str(path), "reason": NO_FACE}, None

    def _look(self, path: Path) -> Iterator[tuple[_Row, np.ndarray]]:
        from insula.faces import read_picture

        for number, crop in enumerate(self._crops(read_picture(path))):
            yield self._about(number, crop), crop.pixels

    def _watch(self, path: Path, rate: float) -> Iterator[tuple[_Row, np.ndarray]]:
        from insula.faces import FaceTracker, read_video

        tracker = FaceTracker()
        for frame in read_video(path, rate):
            crops = self._crops(frame.picture)
            tracks = tracker.update(frame.time, [crop.face for crop in crops])
            for number, (crop, track) in enumerate(zip(crops, tracks, strict=True)):
                yield {"time": frame.time, "track": track, **self._about(number, crop)}, crop.pixels

    def crops(self, paths: Iterable[Path]) -> np.ndarray:
        """Return the largest face of each picture that shows one, as the system sees it: uint8 (n, size, size, 3)."""
        from insula.faces import read_picture

        found = [self._crops(read_picture(path))[:1] for path in paths]
        size = self.manifest["size"]
        return np.array([crop.pixels for crops in found for crop in crops], np.uint8).reshape(-1, size, size, 3)

    def _crops(self, picture: np.ndarray) -> list[FaceCrop]:
        """Return the faces of a picture, or all of it where the bundle takes a picture for a face."""
        from insula.faces import LANDMARKS, Face, FaceCrop, FaceDetector, cut_faces

        size = self.manifest["size"]
        if self.manifest["pictures"] == "whole":
            from PIL import Image

            image = Image.fromarray(picture)
            face = Face((0, 0, image.width, image.height), 1.0, np.zeros((len(LANDMARKS), 2)))
            return [FaceCrop(np.asarray(image.resize((size, size), Image.Resampling.LANCZOS)), face, ())]
        if not hasattr(self, "_detector"):
            self._detector = FaceDetector()
        return cut_faces(picture, self._detector.detect(picture), size)

    def _about(self, number: int, crop: FaceCrop) -> _Row:
        """Return what is known of a face before it is judged; of a whole picture, nothing."""
        from insula.faces import head_pose

        if self.manifest["pictures"] == "whole":
            return {"face": number}
        box = dict(zip(("left", "top", "right", "bottom"), crop.face.box, strict=True))
        flags = " ".join(crop.flags)
        return {"face": number, **box, "score": crop.face.score, **head_pose(crop.face)._asdict(), "quality": flags}

    def _say(self, crops: dict[int, np.ndarray], mode: str | None) -> pd.DataFrame:
        """Return what the system says of each crop, under its key."""
        names = [str(number) for number in crops]
        samples = Samples(provenance(len(crops), corpus="input", stimulus=names), {})
        store = ArrayStore(np.stack(list(crops.values())), _PICTURE)
        samples = samples.with_modality("picture", "input", store, range(len(crops)))
        said = self.bundle.predict(samples, mode)
        table = pd.DataFrame({"label": said.labels}).join(said.table).set_axis(list(crops))
        if all(name in ANCHORS for name in said.classes):
            table[["valence", "arousal"]] = said.probabilities @ np.array([ANCHORS[name] for name in said.classes])
        if "reason" not in table:
            return table.assign(reason=None)
        refused = table["reason"] != ""
        answer = [name for name in table if str(name).startswith("p_") or name in _ANSWER]
        table.loc[refused, answer] = None
        return table.assign(reason=table["reason"].where(refused, None))


def _with_smoothed(table: pd.DataFrame, seconds: float) -> pd.DataFrame:
    """Return the table with the smoothed probabilities of its videos; as it is where it has none."""
    filmed = table[table["track"].notna()]
    if filmed.empty:
        return table
    calm = pd.concat([smoothed(part, seconds) for _, part in filmed.groupby("path", sort=False)])
    best = calm[calm.notna().all(axis=1)].idxmax(axis=1).str.removeprefix("smoothed_")
    return table.join(calm.assign(smoothed_label=best))


def predict_to_folder(
    bundle: Path,
    inputs: Iterable[Path],
    folder: Path,
    mode: str | None = None,
    *,
    rate: float = 5.0,
    smooth: float = 0.5,
) -> pd.DataFrame:
    """Predict pictures, videos and folders of them, and write what was said.

    Written are `predictions.csv`, an annotated copy of every picture and video that shows a face (of a video the frames
    that were looked at, without sound), and for every such video its tracks over time and a page of frames.

    Returns
    -------
    DataFrame
        As `Predictor.predict`, with `probability`, that of the label.
    """
    from insula.deployment.sheet import annotate
    from insula.faces import read_picture
    from insula.storage.atomic import write_file

    predictor = Predictor(bundle)
    table = predictor.predict(inputs, mode, rate=rate, smooth=smooth)
    columns = [name for name in table if str(name).startswith("p_")]
    table["probability"] = table[columns].max(axis=1) if columns else np.nan
    for number, (name, rows) in enumerate(table.groupby("path", sort=False)):
        path, stem = Path(str(name)), folder / f"{number:03d}-{Path(str(name)).stem}"
        if is_video(path) and rows["track"].notna().any():
            from insula.deployment.draw_tracks import write_tracks

            write_tracks(path, rows[rows["track"].notna()], stem, rate)
        elif rows["face"].notna().any():
            with write_file(stem.with_name(f"{stem.name}.png")) as temporary:
                annotate(read_picture(path), rows).save(temporary, format="PNG")
    with write_file(folder / "predictions.csv") as temporary:
        table.to_csv(temporary, index=False)
    return table
