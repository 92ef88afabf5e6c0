"""The recogniser of the package `fer`, on our crops."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from insula.storage.weights import WEIGHTS, find_weights
from insula.systems.peers.peer import Peer, PeerSettings

_FILE = "fer-emotion.tflite"
_SIDE = 64


class FerSettings(PeerSettings):
    """Where the network lies.

    Parameters
    ----------
    weights : Path, optional
        The network's file; by default the one that the package carries.
    """

    weights: Path | None = None


class Fer(Peer):
    """A small convolutional network learnt from FER2013, 8 bits wide, read by LiteRT; the package is never imported.

    Only its classifier runs: it sees the crops that every other system sees, not those of its own detector.

    References
    ----------
    Shenk, Prakash and others, fer: facial expression recognition (https://github.com/justinshenk/fer); the network is
    a mini-Xception after Arriaga, Valdenegro-Toro and Plöger (2017), arXiv:1710.07557.
    """

    Settings: ClassVar = FerSettings
    title = "fer"
    licence = WEIGHTS[_FILE].licence
    source = WEIGHTS[_FILE].source
    classes = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")

    @cached_property
    def _network(self) -> Any:
        from insula.faces.litert import load_network

        return load_network(find_weights(_FILE, self.settings.weights))

    def probabilities(self, pictures: np.ndarray) -> np.ndarray:
        """Return the model's probabilities, float64 (n, classes), of uint8 RGB pictures, (n, height, width, 3)."""
        network, scores = self._network, []
        inside, outside = (part()[0]["index"] for part in (network.get_input_details, network.get_output_details))
        for picture in pictures:
            grey = Image.fromarray(picture).convert("L").resize((_SIDE, _SIDE), Image.Resampling.BILINEAR)
            network.set_tensor(inside, np.asarray(grey, np.float32)[None, :, :, None] / 127.5 - 1)
            network.invoke()
            scores.append(network.get_tensor(outside)[0])
        return np.asarray(scores, float)
