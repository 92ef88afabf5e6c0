"""Forests of regression trees in torch: all trees in one array, walked level by level."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import nn


class TreeArrays(NamedTuple):
    """One tree, whose first node is the root.

    Parameters
    ----------
    feature, left, right : int array, shape (nodes,)
        Which feature a node compares, and where it goes on; negative at a leaf.
    threshold : float array, shape (nodes,)
        Left is where the feature is at most this.
    value : array, shape (nodes, e)
        What a leaf predicts.
    """

    feature: np.ndarray
    left: np.ndarray
    right: np.ndarray
    threshold: np.ndarray
    value: np.ndarray


class Forests(nn.Module):
    """Features to what each tree of one or several forests predicts.

    A feature in float32 is compared with a threshold in float64 as with the largest float32 that does not pass it, so
    that thresholds are kept in float32 and each tree takes the way that scikit-learn's takes. Leaves are kept in
    float32.

    Parameters
    ----------
    forests : sequence of sequence of TreeArrays
        All on the same features; each of at least one tree.

    Examples
    --------
    >>> stump = TreeArrays(
    ...     np.array([0, -2, -2]), np.array([1, -1, -1]), np.array([2, -1, -1]),
    ...     np.array([0.5, -2, -2]), np.array([[0.0], [10.0], [20.0]]),
    ... )
    >>> pair, single = Forests([[stump, stump], [stump]])(torch.tensor([[0.5], [0.6]]))
    >>> pair.tolist(), single.tolist()
    ([[[10.0], [10.0]], [[20.0], [20.0]]], [[[10.0]], [[20.0]]])
    """

    roots: torch.Tensor
    feature: torch.Tensor
    threshold: torch.Tensor
    left: torch.Tensor
    right: torch.Tensor
    leaf: torch.Tensor

    def __init__(self, forests: Sequence[Sequence[TreeArrays]]) -> None:
        super().__init__()
        trees = [tree for forest in forests for tree in forest]
        starts = np.cumsum([0, *(len(tree.feature) for tree in trees)])
        ends = np.concatenate([tree.left < 0 for tree in trees])
        own = np.arange(len(ends))  # a leaf goes on to itself
        left, right = (
            np.where(ends, own, np.concatenate([part + start for part, start in zip(side, starts[:-1], strict=True)]))
            for side in ([tree.left for tree in trees], [tree.right for tree in trees])
        )
        about = {
            "roots": starts[:-1],
            "feature": np.where(ends, 0, np.concatenate([tree.feature for tree in trees])),
            "left": left,
            "right": right,
            "leaf": np.concatenate([_leaves(forest) for forest in forests]),
        }
        for name, numbers in about.items():
            self.register_buffer(name, torch.tensor(numbers, dtype=torch.int32))
        self.register_buffer("threshold", torch.tensor(_rounded_down(np.concatenate([t.threshold for t in trees]))))
        values = [np.concatenate([tree.value[tree.left < 0] for tree in forest]) for forest in forests]
        self.values = nn.ParameterList(torch.tensor(part, dtype=torch.float32) for part in values).requires_grad_(False)
        self.sizes = [len(forest) for forest in forests]
        self.depth = max(_depth(tree) for tree in trees)

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return float32 (n, trees, e) for each forest, of features, float32 (n, d)."""
        n, width = features.shape
        trees = sum(self.sizes)
        node, flat = self.roots.repeat(n), features.flatten()
        row = torch.arange(0, n * width, width, dtype=torch.int32, device=features.device)[:, None]
        row = row.expand(n, trees).flatten()
        for _ in range(self.depth):
            compared = flat.index_select(0, row + self.feature.index_select(0, node))
            left = compared <= self.threshold.index_select(0, node)
            node = torch.where(left, self.left.index_select(0, node), self.right.index_select(0, node))
        leaves = self.leaf.index_select(0, node).reshape(n, trees).split(self.sizes, dim=1)
        return tuple(
            values.index_select(0, leaf.flatten()).reshape(n, leaf.shape[1], values.shape[1])
            for values, leaf in zip(self.values, leaves, strict=True)
        )


def _leaves(forest: Sequence[TreeArrays]) -> np.ndarray:
    """Return the place of each leaf among the forest's leaves, 0 for other nodes."""
    ends = np.concatenate([tree.left < 0 for tree in forest])
    return np.where(ends, ends.cumsum() - 1, 0)


def _rounded_down(thresholds: np.ndarray) -> np.ndarray:
    """Return the largest float32 that is not above each threshold."""
    rounded = thresholds.astype(np.float32)
    return np.where(rounded > thresholds, np.nextafter(rounded, np.float32(-np.inf)), rounded)


def _depth(tree: TreeArrays) -> int:
    """Return how many comparisons the longest way takes."""
    depth = np.zeros(len(tree.left), int)
    for node in np.flatnonzero(tree.left >= 0):  # a node stands before those it leads to
        depth[[tree.left[node], tree.right[node]]] = depth[node] + 1
    return int(depth.max())
