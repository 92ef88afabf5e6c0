"""The emotion network of py-feat, on our crops: opt-in, since its package and its weights are the user's to get."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from insula.errors import SettingsError, WeightsError
from insula.systems.peers.peer import Peer, PeerSettings

_SIDE, _BATCH = 224, 32


class PyFeatSettings(PeerSettings):
    """Where the weights lie.

    Parameters
    ----------
    weights : Path
        `ResMaskNet_Z_resmasking_dropout1_rot30.pth`, from the address that `PyFeat.source` says.
    """

    weights: Path | None = None


class PyFeat(Peer):
    """The Residual Masking Network of py-feat, without py-feat's own detection and cropping.

    Needs `pip install py-feat`, and the weights given by path. Pictures are RGB from 0 to 1 with a side of 224 pixels.

    References
    ----------
    Cheong et al. (2023), Py-Feat, Affective Science; Pham, Vu, Tran (2021), Residual Masking Network, ICPR.
    """

    Settings: ClassVar = PyFeatSettings
    title = "py-feat (Residual Masking Network)"
    licence = "MIT; learnt from FER2013, whose terms are its own"
    source = "https://huggingface.co/py-feat/resmasknet"
    classes = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")

    @cached_property
    def _network(self) -> Any:
        import torch

        try:
            from feat.emo_detectors.ResMaskNet.resmasknet_test import (  # type: ignore[import-not-found]
                ResMasking,
            )
        except ImportError:
            raise SettingsError("py-feat is not installed", do="run `pip install py-feat`") from None
        path = self.settings.weights
        if path is None or not path.is_file():
            raise WeightsError(f"no weights of {self.title}", where=path, do=f"set weights; source: {self.source}")
        network = ResMasking("", in_channels=3)
        network.fc = torch.nn.Sequential(torch.nn.Dropout(0.4), torch.nn.Linear(512, len(self.classes)))
        try:
            network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True)["net"])
        except Exception as error:  # unpickling and misfitting raise many kinds
            raise WeightsError("these are other weights", where=path, do=str(error).split("\n")[0]) from None
        return network.eval()

    def probabilities(self, pictures: np.ndarray) -> np.ndarray:
        """Return the model's probabilities, float64 (n, classes), of uint8 RGB pictures, (n, height, width, 3)."""
        import torch
        from torch.nn.functional import interpolate

        from insula.networks.backbones import picture_batches

        network = self._network
        with torch.inference_mode():
            parts = [
                network(interpolate(batch.float() / 255, (_SIDE, _SIDE), mode="bilinear", antialias=True)).softmax(
                    dim=1
                )
                for batch in picture_batches(pictures, _BATCH)
            ]
        return torch.cat(parts).double().numpy()
