"""How far two channels of features share directions: zero where neither can be told linearly from the other."""

from __future__ import annotations

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
