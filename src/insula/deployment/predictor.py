"""Predict from pictures with a bundle: find the faces, cut them as in training, say what they show."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from insula.deployment.bundle import open_bundle
from insula.emotions import ANCHORS
from insula.errors import DataError, InsulaError, SettingsError
from insula.samples import ArrayStore, Description, Samples, provenance

log = logging.getLogger(__name__)

_PICTURE = Description(kind="picture", axes=("row", "column", "colour"), units="uint8 RGB")


class Predictor:
    """Reads pictures and says which emotion each face shows; runs on this machine alone and keeps nothing.

    Parameters
    ----------
    folder : Path
        A bundle that `insula fit` wrote.
    """

    def __init__(self, folder: Path) -> None:
        bundle = open_bundle(folder)
        self.system, self.manifest = bundle.system, bundle.manifest
        if "picture" not in self.system.predicts_from:
            needs = ", ".join(self.system.predicts_from) or "features"
            raise SettingsError(f"this bundle predicts from {needs}", where=folder, do="use one that reads pictures")

    def predict(self, paths: Iterable[Path], mode: str | None = None) -> pd.DataFrame:
        """Return one row a face, and one row a picture in which none was found or that cannot be read.

        Where there is no answer, `reason` says why: nothing could be read, no face was found, or the face is so unlike
        the training pictures that the system has nothing to say of it. Such a row has no label, no probabilities and no
        set.

        Parameters
        ----------
        paths : iterable of Path
            Picture files.
        mode : str, optional
            One of the bundle's modes.

        Returns
        -------
        DataFrame
            Columns `path`, `face` (number, from the largest), `left, top, right, bottom` (pixels), `score` (of the
            detector), `quality` (flags), `reason`, `label`, `p_CLASS`, `valence`, `arousal` (the circumplex position of
            the probabilities: a readout, not a measurement), and what else the system says; of BMCI `set` (the classes
            that may be right, made to hold the label as often as `set_coverage` says), `temperature`, `uncertainty`,
            `epistemic`, `out_of_distribution` (above 1 is stranger than 95 % of training pictures) and `mode` (where
            it is not the one asked for, the picture was too strange for that).
        """
        if mode is not None and mode not in self.manifest["modes"]:
            raise SettingsError(f"unknown mode {mode!r}", do=f"modes are {', '.join(self.manifest['modes'])}")
        if self.manifest["pictures"] == "whole":
            log.warning("this bundle was trained on whole pictures: no face is looked for, each picture is one face")
        rows: list[dict[str, object]] = []
        crops: list[np.ndarray] = []
        for path in paths:
            try:
                for crop, about in self._faces(path):
                    rows.append({"path": str(path), "crop": len(crops), **about})
                    crops.append(crop)
            except InsulaError as error:
                rows.append({"path": str(path), "crop": -1, "reason": str(error)})
        table = pd.DataFrame(rows, columns=["path", "crop", "face", *_BOX, "score", "quality", "reason"])
        if crops:
            said = self._say(np.stack(crops), mode).rename(columns={"reason": "refused"})
            table = table.merge(said, left_on="crop", right_index=True, how="left")
            table["reason"] = table["reason"].astype(object).fillna(table.pop("refused"))
        silent = {name: None for name in (*_ANSWER, "out_of_distribution") if name not in table}
        return table.drop(columns="crop").assign(**silent)

    def _faces(self, path: Path) -> Iterator[tuple[np.ndarray, dict[str, object]]]:
        from insula.faces import FaceDetector, crop_faces, read_picture

        size = self.manifest["size"]
        if self.manifest["pictures"] == "whole":
            from PIL import Image

            picture = Image.fromarray(read_picture(path)).resize((size, size), Image.Resampling.LANCZOS)
            yield np.asarray(picture), {"face": 0}
            return
        if not hasattr(self, "_detector"):
            self._detector = FaceDetector()
        found = crop_faces([path], size, self._detector, which="all")[0]
        if not found:
            raise DataError("no face was found", where=path.name, do="give a picture that shows one")
        for number, crop in enumerate(found):
            yield (
                crop.pixels,
                {
                    "face": number,
                    **dict(zip(_BOX, crop.face.box, strict=True)),
                    "score": crop.face.score,
                    "quality": " ".join(crop.flags),
                },
            )

    def _say(self, crops: np.ndarray, mode: str | None) -> pd.DataFrame:
        samples = Samples(provenance(len(crops), corpus="input", stimulus=[str(i) for i in range(len(crops))]), {})
        samples = samples.with_modality("picture", "input", ArrayStore(crops, _PICTURE), range(len(crops)))
        said = self.system.predict(samples, mode)
        table = pd.DataFrame({"label": said.labels}).join(said.table)
        if all(name in ANCHORS for name in said.classes):
            table[["valence", "arousal"]] = said.probabilities @ np.array([ANCHORS[name] for name in said.classes])
        if "reason" not in table:
            return table.assign(reason=None)
        refused = table["reason"] != ""
        answer = [name for name in table if str(name).startswith("p_") or name in _ANSWER]
        table.loc[refused, answer] = None
        return table.assign(reason=table["reason"].where(refused, None))


_BOX = ("left", "top", "right", "bottom")
_ANSWER = ("label", "valence", "arousal", "uncertainty", "set", "set_coverage", "mode")


def predict_to_folder(bundle: Path, inputs: Iterable[Path], folder: Path, mode: str | None = None) -> pd.DataFrame:
    """Predict pictures and folders of pictures; write `predictions.csv` and an annotated copy of every picture.

    Returns
    -------
    DataFrame
        As `Predictor.predict`, with `probability`, that of the label.
    """
    from insula.deployment.sheet import annotate
    from insula.faces import list_pictures, read_picture
    from insula.storage.atomic import write_file

    predictor = Predictor(bundle)
    paths: list[Path] = []
    for given in inputs:
        if given.is_dir():
            paths += list_pictures(given)
        elif given.exists():
            paths.append(given)
        else:
            raise DataError("no such file or folder", where=given, do="give pictures, or folders of pictures")
    table = predictor.predict(paths, mode)
    columns = [name for name in table if str(name).startswith("p_")]
    table["probability"] = table[columns].max(axis=1) if columns else np.nan
    for number, (path, rows) in enumerate(table.groupby("path", sort=False)):
        if rows["face"].notna().any():
            with write_file(folder / f"{number:03d}-{Path(str(path)).stem}.png") as temporary:
                annotate(read_picture(Path(str(path))), rows).save(temporary, format="PNG")
    with write_file(folder / "predictions.csv") as temporary:
        table.to_csv(temporary, index=False)
    return table
