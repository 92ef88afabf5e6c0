"""Where pictures lie: the coordinates that every later step of BMCI reads."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from insula.emotions import Categorical
from insula.samples import FitLog, Samples
from insula.storage.folder import load_estimator, save_estimator
from insula.systems.bmci.pictures import TrainedReader
from insula.systems.bmci.settings import BMCISettings
from insula.systems.pictures import unique_pictures

if TYPE_CHECKING:
    from insula.systems.bmci.twin import Coordinates


class PictureSpace:
    """Reads pictures, trains the network that does where the settings say so, and rotates its features.

    Parameters
    ----------
    settings : BMCISettings
        How pictures are read.
    weights : Path, optional
        Of a saved network.
    """

    def __init__(self, settings: BMCISettings, weights: Path | None = None) -> None:
        self.settings = settings
        self.reader = TrainedReader(settings, weights)

    def train_network(
        self,
        train: Samples,
        validation: Samples,
        task: Categorical,
        unlabelled: Samples | None,
        log: FitLog,
    ) -> dict[str, Any]:
        """Train the picture network where there is one; return what was measured.

        Parameters
        ----------
        train, validation : Samples
            The training part whole, rows without a label too; labelled validation rows, which choose the epoch.
        task : Categorical
            The classes.
        unlabelled : Samples or None
            Test inputs.
        log : FitLog
            Gets the fitted steps.
        """
        vision = self.settings.vision
        if vision is None:
            return {}
        with_picture = train.has("picture")
        labelled = task.targets(train.table) >= 0
        pictured, held = train.select(with_picture & labelled), validation.select(validation.has("picture"))
        pool = train.select(with_picture & ~labelled)
        target = {"none": None, "pool": pool, "test": unlabelled}[vision.target]
        log.record("picture network", pictured)
        log.record("epoch of the picture network", held, "selection")
        if target is not None:
            log.record("target of the picture network", target, "inputs")
        (shown, _), (shown_held, _) = unique_pictures(pictured), unique_pictures(held)
        return self.reader.fit(
            shown, task.targets(shown.table), shown_held, task.targets(shown_held.table), len(task.classes), target
        )

    def fit(self, pictures: Samples) -> np.ndarray:
        """Fit the rotation to training pictures; return their coordinates, (n, views, d)."""
        features = self.reader.training_features(pictures)
        flat = features.reshape(-1, features.shape[-1])
        self.space = visual_space(flat)
        return self._rotated(features)

    def _rotated(self, features: np.ndarray) -> np.ndarray:
        # Computed in float64: rounded once, coordinates are the same whatever does the sums, and fall on one side of a
        # tree's threshold.
        flat = features.reshape(-1, features.shape[-1]).astype(np.float64)
        flat = self.space.transform(flat).astype(np.float32)
        return flat.reshape(*features.shape[:-1], -1)

    def training_coordinates(self, pictures: Samples) -> np.ndarray:
        """Return float32 (n, views, d), as those who learn from pictures should see them."""
        return self._rotated(self.reader.training_features(pictures))

    def coordinates(self, samples: Samples) -> np.ndarray:
        """Return float32 (n, d)."""
        return self._rotated(self.reader.features(samples))

    def as_module(self) -> Coordinates:
        """Return `coordinates` in torch: pictures, uint8 (n, height, width, 3), to float32 (n, d)."""
        from insula.systems.bmci.twin import Coordinates
        from insula.systems.estimators import transformer_module

        return Coordinates(self.reader.as_module(), transformer_module(self.space))

    def save(self, folder: Path) -> None:
        """Write what reading pictures needs."""
        self.reader.save(folder)
        save_estimator(folder / "space.skops", self.space)

    @classmethod
    def load(cls, folder: Path, settings: BMCISettings) -> Self:
        """Read what `save` wrote."""
        loaded = cls(settings, folder / "backbone.safetensors")
        loaded.space = load_estimator(folder / "space.skops")
        return loaded


def visual_space(features: np.ndarray) -> Pipeline:
    """Return the fitted map from backbone features to standardised coordinates without loss on the training pictures.

    With fewer pictures than features, all that a penalised linear model can use lies in the span of the training
    pictures: rotating into it changes no prediction and makes every later fit faster.
    """
    rank = min(features.shape[0] - 1, features.shape[1])
    return make_pipeline(StandardScaler(), PCA(rank, svd_solver="full")).fit(features)
