"""Alignment of two modalities without labels: each row's feature should be nearest to its own partner's.

Source: Radford et al., "Learning transferable visual models from natural language supervision", ICML 2021, arXiv
2103.00020, figure 3.
"""

from __future__ import annotations

import torch
from torch.nn import functional


def alignment_loss(
    first: torch.Tensor, second: torch.Tensor, paired: torch.Tensor, temperature: float = 0.1
) -> torch.Tensor:
    """Return the symmetric contrast of paired features: the mean cross-entropy of telling partners, both ways round.

    Parameters
    ----------
    first, second : tensor, shape (n, width)
        Features of two modalities; directions count.
    paired : bool tensor, shape (n,)
        Which rows have both. The others are not looked at.
    temperature : float
        Divides the cosines.

    Returns
    -------
    tensor
        A scalar, 0 where less than two rows are paired.

    Examples
    --------
    >>> both = torch.tensor([True, True, True])
    >>> round(alignment_loss(torch.eye(3), torch.eye(3), both).item(), 3)
    0.0
    >>> round(alignment_loss(torch.ones(3, 2), torch.ones(3, 2), both).item(), 3)  # the logarithm of three
    1.099
    >>> alignment_loss(torch.eye(3), torch.eye(3), torch.tensor([True, False, False])).item()
    0.0
    """
    one, other = (functional.normalize(features[paired], dim=1) for features in (first, second))
    if len(one) < 2:
        return (first.sum() + second.sum()) * 0
    alike, own = one @ other.T / temperature, torch.arange(len(one), device=one.device)
    return (functional.cross_entropy(alike, own) + functional.cross_entropy(alike.T, own)) / 2
