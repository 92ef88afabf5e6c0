"""Learning ratings: Huber's loss and the concordance of what is said with what was rated."""

from __future__ import annotations

import torch
from torch.nn import functional

_ROUNDING = 1e-12  # of ratings on [-1, 1] in float32: without it, the gradient of a flat track is noise of any size


def concordance(predicted: torch.Tensor, rated: torch.Tensor) -> torch.Tensor:
    """Return the concordance correlation coefficient of each column (Lin 1989, Biometrics 45(1), 255-268).

    Parameters
    ----------
    predicted, rated : tensor, shape (n, dimensions)
        Ratings; moments are those of the population.

    Returns
    -------
    tensor, shape (dimensions,)
        1 where they are equal; 0 where either never varies (deviations of less than a millionth are rounding).

    Examples
    --------
    >>> rated = torch.tensor([[-1.0], [0.0], [1.0]])
    >>> concordance(rated, rated).item(), round(concordance(rated + 1, rated).item(), 3)
    (1.0, 0.571)
    """
    mean_predicted, mean_rated = predicted.mean(dim=0), rated.mean(dim=0)
    together = ((predicted - mean_predicted) * (rated - mean_rated)).mean(dim=0)
    spread = predicted.var(dim=0, correction=0) + rated.var(dim=0, correction=0) + (mean_predicted - mean_rated) ** 2
    return 2 * together / spread.clamp_min(_ROUNDING)


def rating_loss(predicted: torch.Tensor, rated: torch.Tensor) -> torch.Tensor:
    """Return half of Huber's loss and half of one minus the concordance, averaged over dimensions.

    Parameters
    ----------
    predicted, rated : tensor, shape (n, dimensions)
        Ratings on [-1, 1].

    Examples
    --------
    >>> rated = torch.tensor([[-1.0, 0.5], [0.0, 0.0], [1.0, 0.2]])
    >>> round(rating_loss(rated, rated).item(), 6)
    0.0
    """
    return 0.5 * functional.huber_loss(predicted, rated) + 0.5 * (1 - concordance(predicted, rated)).mean()
