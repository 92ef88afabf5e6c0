"""Stratified normalisation: each group of windows, of one person, say, to mean 0 and deviation 1 of its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch

from insula.errors import DataError

SMALL = 1e-3
"""What is added to a deviation before it divides."""


class Moments(NamedTuple):
    """Mean and deviation of each (feature, channel).

    Attributes
    ----------
    mean, deviation : Tensor, shape (features, channels) or (windows, features, channels)
        The deviation unbiased, without what is added to it.
    """

    mean: torch.Tensor
    deviation: torch.Tensor


def normalised(values: torch.Tensor, moments: Moments, small: float = SMALL) -> torch.Tensor:
    """Return values less the mean, by the deviation + `small`.

    Parameters
    ----------
    values : Tensor, shape (windows, features, channels, time)
        Normalised in float32 at least, whatever autocast asks for.
    moments : Moments
        One for all windows, or one for each.
    small : float
        Added to deviations.
    """
    return (_wide(values) - moments.mean[..., None]) / (moments.deviation[..., None] + small)


def stratified(values: torch.Tensor, groups: torch.Tensor, small: float = SMALL) -> torch.Tensor:
    """Return values normalised within each group: per (feature, channel), over all its windows and all their time.

    Nothing is learnt and nothing kept; gradients flow through the moments.

    Parameters
    ----------
    values : Tensor, shape (windows, features, channels, time)
        Normalised in float32 at least, whatever autocast asks for.
    groups : integer Tensor, shape (windows,)
        Which group each window is of.
    small : float
        Added to deviations.

    Raises
    ------
    DataError
        Where a group has a single value for each (feature, channel), so that there is no deviation.

    Examples
    --------
    >>> values = torch.tensor([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]])[:, None, None]
    >>> stratified(values, torch.tensor([0, 1]), small=0.0).flatten(1).tolist()
    [[-1.0, 0.0, 1.0], [-1.0, 0.0, 1.0]]
    """
    values = _wide(values)
    names, rows, sizes = groups.unique(return_inverse=True, return_counts=True)
    if int(sizes.min()) * values.shape[3] < 2:
        what = "one window of a single time step has no deviation to be normalised by"
        raise DataError(what, do="give two windows or more of each person, or longer ones")
    each = [torch.std_mean(values[rows == group], dim=(0, 3)) for group in range(len(names))]
    deviation, mean = (torch.stack(parts)[rows] for parts in zip(*each, strict=True))
    return normalised(values, Moments(mean, deviation), small)


def mean_and_covariance(batches: Iterable[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return means and unbiased covariances of channels over all windows and time, in one pass and in float64.

    Parameters
    ----------
    batches : iterable of Tensor, each (windows, features, channels, time)
        None of them is kept.

    Returns
    -------
    mean : Tensor, shape (features, channels)
    covariance : Tensor, shape (features, channels, channels)

    Raises
    ------
    DataError
        Where there are fewer than two values of a (feature, channel).
    """
    count, total, products = 0, torch.zeros(()), torch.zeros(())
    for values in batches:
        wide = values.double().transpose(0, 1).transpose(1, 2).flatten(2)  # (features, channels, windows x time)
        count += wide.shape[2]
        total, products = total.to(wide) + wide.sum(dim=2), products.to(wide) + wide @ wide.transpose(1, 2)
    if count < 2:
        raise DataError("there is no window to take moments of", do="give the windows of a session")
    mean = total / count
    return mean, (products - count * mean[:, :, None] * mean[:, None]) / (count - 1)


def deviations(covariance: torch.Tensor) -> torch.Tensor:
    """Return the deviations, (features, channels), of covariances (features, channels, channels)."""
    return covariance.diagonal(dim1=1, dim2=2).clamp(min=0).sqrt()


def _wide(values: torch.Tensor) -> torch.Tensor:
    return values.to(torch.promote_types(values.dtype, torch.float32))
