"""How far two channels of features share directions: zero where neither can be told linearly from the other."""

from __future__ import annotations

from typing import Literal

import torch
from torch.nn import functional


def orthogonality(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Return the Frobenius norm of the cross moments of two channels, from 0 (orthogonal) to 1.

    The rows are first scaled to unit length and the moments are means over the batch, so that neither shrinking a
    channel nor the size of the batch changes the penalty. The soft subspace orthogonality of Bousmalis, Trigeorgis,
    Silberman, Krishnan, Erhan, "Domain separation networks", NeurIPS 2016, arXiv 1608.06019, is the square of the same
    norm.

    Parameters
    ----------
    first, second : tensor, shapes (n, d) and (n, e)
        Two channels of the same n samples.

    Returns
    -------
    tensor, scalar
        ``|mean_i a_i b_i^T|_F`` over unit rows a_i and b_i.

    Examples
    --------
    >>> one, two = torch.tensor([[1.0], [1.0]]), torch.tensor([[1.0], [-1.0]])
    >>> orthogonality(one, two).item(), orthogonality(two, 3 * two).item()
    (0.0, 1.0)
    """
    first, second = functional.normalize(first, dim=1), functional.normalize(second, dim=1)
    return torch.linalg.matrix_norm(first.T @ second / len(first))


def shared_directions(
    first: torch.Tensor,
    second: torch.Tensor,
    reduction: Literal["sum", "mean_pp", "mean_nn", "per_sample"] = "mean_nn",
) -> torch.Tensor:
    """Return the squared cross moments of two channels of unit rows, on the scale that a source chose.

    Parameters
    ----------
    first, second : tensor, shapes (n, d) and (n, e)
        Two channels of the same n samples, rows of unit length.
    reduction : str
        Of the d x e moments ``sum_i a_i b_i^T``: the `sum` of their squares, which grows with the batch; `mean_pp`,
        their mean over the d x e; `mean_nn`, their sum over n squared, from 0 to 1 (`orthogonality` squared). Or
        `per_sample`: the mean of ``(a_i b_i)^2``, which needs d = e and sees each sample alone.

    Returns
    -------
    tensor, scalar

    Examples
    --------
    >>> one, two = torch.eye(2), torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    >>> [shared_directions(one, two, way).item() for way in ("sum", "mean_pp", "mean_nn", "per_sample")]
    [2.0, 0.5, 0.5, 0.5]
    """
    if reduction == "per_sample":
        return (first * second).sum(dim=1).square().mean()
    total = (first.T @ second).square().sum()
    sizes = {"sum": 1, "mean_pp": first.shape[1] * second.shape[1], "mean_nn": len(first) ** 2}
    return total / sizes[reduction]
