"""How far two samples of features are apart: maximum mean discrepancy and central moment discrepancy."""

from __future__ import annotations

import torch

from insula.errors import DataError

_OCTAVES = (-3, -2, -1, 0, 1)  # kernel widths, in powers of two of the mean squared distance


def _squared_distances(rows: torch.Tensor) -> torch.Tensor:
    centred = rows - rows.mean(dim=0)  # smaller numbers, smaller rounding
    lengths = (centred**2).sum(dim=1)
    return (lengths[:, None] + lengths - 2 * centred @ centred.T).clamp(min=0)


def multi_kernel_mmd(source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the squared maximum mean discrepancy under a sum of five Gaussian kernels, unbiased, quadratic.

    The kernel is the sum over u = -3 ... 1 of exp(-d / (2 * 2^u * w)), where d is the squared distance of two rows and
    w its mean over all pairs of different rows of both samples, through which no gradient flows. Means within a sample
    leave out a row's distance to itself, so two samples of one distribution give 0 on average, and often less than 0.

    Parameters
    ----------
    source, target : tensor, shape (n, d) and (m, d)
        Features; two rows or more each.

    Returns
    -------
    tensor
        A scalar.

    Raises
    ------
    DataError
        Where a sample has one row only.

    References
    ----------
    Gretton et al., "A kernel two-sample test", JMLR 13, 2012, lemma 6. Long et al., "Learning transferable features
    with deep adaptation networks", ICML 2015.

    Examples
    --------
    >>> rows = torch.arange(6.0).reshape(6, 1)
    >>> bool(multi_kernel_mmd(rows, rows + 10) > 1)
    True
    """
    n, m = len(source), len(target)
    if min(n, m) < 2:
        raise DataError("the discrepancy of samples needs two rows of each", do="give larger batches")
    squared = _squared_distances(torch.cat([source, target]))
    typical = squared.detach().sum() / ((n + m) * (n + m - 1))
    kernel = torch.zeros_like(squared)
    for octave in _OCTAVES:
        kernel = kernel + torch.exp(-squared / (2 * 2.0**octave * typical.clamp(min=1e-12)))
    inside_source = (kernel[:n, :n].sum() - kernel[:n, :n].trace()) / (n * (n - 1))
    inside_target = (kernel[n:, n:].sum() - kernel[n:, n:].trace()) / (m * (m - 1))
    return inside_source + inside_target - 2 * kernel[:n, n:].mean()


def central_moment_discrepancy(source: torch.Tensor, target: torch.Tensor, moments: int = 5) -> torch.Tensor:
    """Return the sum of distances between means and between central moments 2 to `moments`, each along every axis.

    Parameters
    ----------
    source, target : tensor, shape (n, d) and (m, d)
        Features within a bounded range (after a sigmoid or tanh): high moments of unbounded ones are unstable. The
        source weights moment k by the range to the power -k; this is the form for a range of length 1.
    moments : int
        The highest moment compared.

    Returns
    -------
    tensor
        A scalar, 0 where all these moments agree.

    References
    ----------
    Zellinger et al., "Central moment discrepancy (CMD) for domain-invariant representation learning", ICLR 2017.

    Examples
    --------
    >>> rows = torch.tensor([[0.0], [1.0]])
    >>> float(central_moment_discrepancy(rows, rows + 0.5))
    0.5
    """
    means = source.mean(dim=0), target.mean(dim=0)
    centred = source - means[0], target - means[1]
    total = torch.linalg.vector_norm(means[0] - means[1])
    for moment in range(2, moments + 1):
        apart = (centred[0] ** moment).mean(dim=0) - (centred[1] ** moment).mean(dim=0)
        total = total + torch.linalg.vector_norm(apart)
    return total
