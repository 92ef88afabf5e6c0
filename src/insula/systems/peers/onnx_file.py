"""Any classifier of faces in an ONNX file, given what its classes are and how it wants its pictures."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from PIL import Image
from pydantic import Field, model_validator

from insula.emotions import LABEL_SPACES
from insula.errors import SettingsError, WeightsError
from insula.storage.hashing import sha256_of
from insula.systems.base import TrainingData
from insula.systems.peers.peer import Peer, PeerSettings

_BATCH = 64


class OnnxFileSettings(PeerSettings):
    """What the file is and how it is read.

    Parameters
    ----------
    file : Path
        The ONNX file: pictures in, one score a class out.
    sha256 : str, optional
        Of its content, in hexadecimal; another file is then refused. A fitted adapter has it, so a saved one finds out
        when its file was replaced.
    classes : tuple of str, or a name in `LABEL_SPACES`
        What it tells apart, in the order of its outputs, under any usual name.
    picture_size : int
        Side to which pictures are resized, in pixels.
    colours : {"rgb", "bgr", "grey"}
        What a pixel is made of.
    mean, deviation : tuple of float
        Of each colour, on a scale from 0 to 1: it is taken off, and divided by. One number counts for all colours.
    scores : {"logits", "probabilities"}
        What comes out.
    title, licence, source : str
        Shown with every figure.
    """

    file: Path | None = None
    sha256: str | None = None
    classes: tuple[str, ...] = ()
    picture_size: int = Field(224, gt=0)
    colours: Literal["rgb", "bgr", "grey"] = "rgb"
    mean: tuple[float, ...] = (0.0,)
    deviation: tuple[float, ...] = (1.0,)
    scores: Literal["logits", "probabilities"] = "logits"
    title: str = "ONNX file"
    licence: str = "not stated"
    source: str = "not stated"

    @model_validator(mode="before")
    @classmethod
    def _name_of_space(cls, values: dict[str, Any]) -> dict[str, Any]:
        named = values.get("classes")
        return {**values, "classes": LABEL_SPACES.get(named, named)} if isinstance(named, str) else values


def _emotiefflib(model: str, size: int, *, contempt: bool) -> dict[str, Any]:
    seven = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
    return {
        "classes": ("anger", "contempt", *seven[1:]) if contempt else seven,
        "picture_size": size,
        "mean": (0.485, 0.456, 0.406),
        "deviation": (0.229, 0.224, 0.225),
        "title": f"EmotiEffLib {model}",
        "licence": "Apache-2.0; learnt from AffectNet, which is for research",
        "source": f"https://github.com/sb-ai-lab/EmotiEffLib (models/affectnet_emotions/onnx/{model}.onnx)",
    }


PRESETS: dict[str, dict[str, Any]] = {
    "emotiefflib-b0": _emotiefflib("enet_b0_8_best_vgaf", 224, contempt=True),
    "emotiefflib-b0-afew": _emotiefflib("enet_b0_8_best_afew", 224, contempt=True),
    "emotiefflib-b2": _emotiefflib("enet_b2_8", 260, contempt=True),
    "emotiefflib-b2-7": _emotiefflib("enet_b2_7", 260, contempt=False),
}
"""How the EfficientNets of EmotiEffLib are read; `file` is where the file lies that its source has."""


class OnnxFile(Peer):
    """A classifier in an ONNX file, run by ONNX Runtime on one thread.

    Pictures are resized with Pillow's bilinear filter, which does not alias; a model that learnt from aliased ones sees
    them a little softer than it is used to.
    """

    Settings: ClassVar = OnnxFileSettings
    presets: ClassVar = PRESETS

    def __init__(self, settings: Any = None) -> None:
        super().__init__(settings)
        self.title, self.licence = self.settings.title, self.settings.licence
        self.source, self.classes = self.settings.source, self.settings.classes

    def _fit(self, data: TrainingData) -> None:
        """Note which classes are asked for, and which file it is; nothing is learnt."""
        if self.settings.file is not None and not self.settings.file.is_file():
            raise WeightsError("no such file", where=self.settings.file, do="give the path of an ONNX file")
        super()._fit(data)
        self.settings = self.settings.model_copy(update={"sha256": sha256_of(self.settings.file)})
        self.facts["sha256"] = self.settings.sha256

    @cached_property
    def _session(self) -> Any:
        import onnxruntime as ort

        file = self.settings.file
        if file is None or not file.is_file():
            raise WeightsError(f"no ONNX file of {self.title}", where=file, do=f"set file; source: {self.source}")
        if self.settings.sha256 not in (None, sha256_of(file)):
            what = f"this is not the file of {self.title} (sha256 {self.settings.sha256[:12]}...)"
            raise WeightsError(what, where=file, do="put the original back, or fit it again")
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        try:
            return ort.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime raises many kinds
            what = f"ONNX Runtime cannot open it: {str(error).splitlines()[0]}"
            raise WeightsError(what, where=file, do="give an ONNX file of a classifier of faces") from None

    def probabilities(self, pictures: np.ndarray) -> np.ndarray:
        """Return the model's probabilities, float64 (n, classes), of uint8 RGB pictures, (n, height, width, 3)."""
        session, outputs = self._session, []
        wanted = session.get_inputs()[0]
        step = 1 if wanted.shape[0] == 1 else _BATCH
        for start in range(0, len(pictures), step):
            batch = self._prepared(pictures[start : start + step])
            if wanted.shape[1] == batch.shape[3]:
                batch = np.ascontiguousarray(batch.transpose(0, 3, 1, 2))
            try:
                outputs.append(session.run(None, {wanted.name: batch})[0])
            except Exception as error:
                what = f"it does not take pictures of shape {batch.shape[1:]}: {str(error).splitlines()[0]}"
                do = "give a classifier of faces; its size is the setting picture_size"
                raise SettingsError(what, where=self.settings.file, do=do) from None
        scores = np.concatenate(outputs).astype(float)
        if self.settings.scores == "probabilities":
            return scores
        powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
        return powers / powers.sum(axis=-1, keepdims=True)

    def _prepared(self, pictures: np.ndarray) -> np.ndarray:
        """Return float32 (n, side, side, colours), standardised."""
        settings, size = self.settings, (self.settings.picture_size,) * 2
        mode = "L" if settings.colours == "grey" else "RGB"
        resized = np.stack([
            np.asarray(Image.fromarray(picture).convert(mode).resize(size, Image.Resampling.BILINEAR))
            for picture in pictures
        ]).reshape(len(pictures), *size, -1)  # fmt: skip
        if settings.colours == "bgr":
            resized = resized[..., ::-1]
        return ((resized / 255 - np.array(settings.mean)) / np.array(settings.deviation)).astype(np.float32)
