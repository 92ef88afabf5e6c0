"""Covariances of people and corpora drawn together: of each feature, over channels that all have in common."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch.nn import functional

_SHRINKAGE = 1e-3  # towards the mean variance: a window has hardly more patches than channels
_SMALL = 1e-12  # under a root, whose slope at 0 has no bound


def centroids(
    spatial: torch.Tensor,
    groups: torch.Tensor,
    *,
    mean: Literal["euclidean", "log-euclidean"] = "euclidean",
    keep_diagonal: bool = False,
    scrambled: bool = False,
) -> torch.Tensor:
    """Return the mean covariance of each group of windows, for each feature, (groups, features, k, k).

    Parameters
    ----------
    spatial : tensor, shape (windows, features, k, patches)
        Maps of k channels over at least two patches of time.
    groups : int tensor, shape (windows,)
        Whose each window is, from 0 to the last group, each of which has a window.
    mean : {"euclidean", "log-euclidean"}
        The arithmetic mean, or the exponential of the mean logarithm. For that, covariances are first shrunk by a
        thousandth towards their mean variance, and the diagonal stays.
    keep_diagonal : bool
        Whether variances stay; by default they are set to 0, so that loudness does not weigh more than connection.
    scrambled : bool
        As the code that mdJPT's authors released has it: time and channels are exchanged by a reshape, which mixes the
        two instead of transposing them, so that what comes out is no covariance. For comparison with that code only.

    Returns
    -------
    tensor
        In float32 at least, also under autocast.

    References
    ----------
    Arsigny, Fillard, Pennec and Ayache (2007), Geometric means in a novel vector space structure on symmetric
    positive-definite matrices, SIAM Journal on Matrix Analysis and Applications 29(1), 328-347.

    Examples
    --------
    >>> window = torch.tensor([[[[1.0, -1.0], [2.0, -2.0]]]])
    >>> centroids(window, torch.tensor([0]), keep_diagonal=True).tolist()
    [[[[2.0, 4.0], [4.0, 8.0]]]]
    >>> centroids(window, torch.tensor([0])).tolist()
    [[[[0.0, 4.0], [4.0, 0.0]]]]
    """
    with torch.autocast(spatial.device.type, enabled=False):
        values = spatial.to(torch.promote_types(spatial.dtype, torch.float32))
        centred = values - values.mean(dim=-1, keepdim=True)
        if scrambled:
            centred = centred.mT.reshape(centred.shape)
        each = centred @ centred.mT / (values.shape[-1] - 1)
        itself = torch.eye(each.shape[-1], dtype=each.dtype, device=each.device)
        member = functional.one_hot(groups).to(each).T
        share = member / member.sum(dim=1, keepdim=True)
        if mean == "log-euclidean":
            variance = each.diagonal(dim1=-2, dim2=-1).mean(dim=-1)[..., None, None]
            shrunk = (1 - _SHRINKAGE) * each + (_SHRINKAGE * variance + _SMALL) * itself
            return torch.matrix_exp(torch.tensordot(share, _Logarithm.apply(shrunk), 1))
        means = torch.tensordot(share, each, 1)
        return means if keep_diagonal else means * (1 - itself)


def covariance_alignment(centroids: torch.Tensor) -> torch.Tensor:
    """Return log(1 + s), s being the sum over features and pairs of groups of the distances of their centroids.

    Parameters
    ----------
    centroids : tensor, shape (groups, features, k, k)
        Mean covariances, as `centroids` returns them; the distance is the Frobenius norm.

    Returns
    -------
    tensor
        A scalar, in float32 at least; its gradient is finite where centroids coincide.

    Examples
    --------
    >>> one, other = torch.zeros(1, 1, 2, 2), torch.tensor([[[[0.0, 3.0], [4.0, 0.0]]]])
    >>> covariance_alignment(torch.cat([one, other])).exp().round().item()
    6.0
    """
    with torch.autocast(centroids.device.type, enabled=False):
        values = centroids.to(torch.promote_types(centroids.dtype, torch.float32))
        first, second = torch.triu_indices(len(values), len(values), 1, device=values.device)
        squares = (values[first] - values[second]).square().sum(dim=(-2, -1))
        return (squares + _SMALL).sqrt().sum().log1p()


class _Logarithm(torch.autograd.Function):
    """Of symmetric positive-definite matrices; its gradient is finite where eigenvalues coincide, unlike `eigh`'s."""

    @staticmethod
    def forward(ctx: Any, matrices: torch.Tensor) -> torch.Tensor:
        values, basis = torch.linalg.eigh(matrices)
        values = values.clamp_min(_SMALL)
        ctx.save_for_backward(values, basis)
        return basis * values.log()[..., None, :] @ basis.mT

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        values, basis = ctx.saved_tensors
        ratio = values[..., :, None] / values[..., None, :] - 1
        slope = torch.where(ratio == 0, 1, ratio.log1p() / ratio) / values[..., None, :]  # divided differences
        return basis @ (basis.mT @ gradients[0] @ basis * slope) @ basis.mT
