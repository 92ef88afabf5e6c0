"""How unlike the training data a sample is, on the scale of training samples that were held out themselves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from insula.storage.folder import Rebuilt

if TYPE_CHECKING:
    from torch import nn

_DIRECTIONS, _FOLDS = 20, 5
_NEAR = 1e-9  # added to a distance before its logarithm is taken


class Strangeness(Rebuilt):
    """Distance from the space that the training samples span: 0 is usual, 1 stranger than 95 % of them.

    What is left of a sample beside the main directions in which training samples vary (the distance from face space of
    Turk and Pentland 1991). Training samples lie too close to a space that was fitted on them, so the scale comes from
    spaces fitted without their group: on the logarithm of the distance, 0 is the median and 1 the 95 % quantile of
    samples of unknown groups. If those logarithms are normally distributed, 1.5 is passed by 1 in 150 and 2 by 1 in
    2000.

    Parameters
    ----------
    blocks : sequence of array, each (n, d)
        Features of the training samples; every block counts alike, whatever its width and units.
    groups : array, shape (n,)
        What varies together (the pictures of a person) and is held out together.

    References
    ----------
    Turk and Pentland (1991), Eigenfaces for recognition, Journal of Cognitive Neuroscience 3(1), 71-86.
    """

    def __init__(self, blocks: Sequence[np.ndarray], groups: np.ndarray) -> None:
        from sklearn.model_selection import GroupKFold

        if len(np.unique(groups)) < 2:
            groups = np.arange(len(groups))
        folds = GroupKFold(min(_FOLDS, len(np.unique(groups))), shuffle=True, random_state=0)
        held_out = np.empty(len(groups))
        for inside, outside in folds.split(groups, groups=groups):
            self._span([block[inside] for block in blocks])
            held_out[outside] = self._distance([block[outside] for block in blocks])
        self.usual, high = (float(value) for value in np.quantile(held_out, [0.5, 0.95]))
        self.spread = max(high - self.usual, 1e-6)
        self._span(blocks)

    def _span(self, blocks: Sequence[np.ndarray]) -> None:
        from sklearn.utils.extmath import randomized_svd

        self.centres = [block.mean(axis=0) for block in blocks]
        self.scales = [
            float(np.sqrt(((block - centre) ** 2).sum(axis=1).mean())) + 1e-12
            for block, centre in zip(blocks, self.centres, strict=True)
        ]
        joined = self._join(blocks)
        directions = min(_DIRECTIONS, (len(joined) + 1) // 2, joined.shape[1])
        axes = randomized_svd(joined, directions, random_state=0)[2]
        self.directions = np.ascontiguousarray(axes)  # as a saved one is read: another layout is summed differently

    def _join(self, blocks: Sequence[np.ndarray]) -> np.ndarray:
        parts = zip(blocks, self.centres, self.scales, strict=True)
        return np.concatenate([(block - centre) / scale for block, centre, scale in parts], axis=1)

    def _distance(self, blocks: Sequence[np.ndarray]) -> np.ndarray:
        # In double: what is left beside the main directions may be far smaller than what lies along them, and a small
        # spread of distances magnifies rounding, which differs with processor, layout and number of samples.
        joined = self._join([np.asarray(block, np.float64) for block in blocks])
        directions = self.directions.astype(np.float64)
        return np.log(np.linalg.norm(joined - joined @ directions.T @ directions, axis=1) + _NEAR)

    def __call__(self, blocks: Sequence[np.ndarray]) -> np.ndarray:
        """Return the strangeness of samples, float64 (n,), from the same blocks of features."""
        return (self._distance(blocks) - self.usual) / self.spread

    def as_module(self, blocks: Iterable[nn.Module]) -> nn.Module:
        """Return the same in torch: pictures to their strangeness, given the ways from pictures to each block."""
        from insula.networks.span import Span

        about = (self.centres, self.scales, self.directions)
        return Span(blocks, *about, usual=self.usual, spread=self.spread, near=_NEAR)
