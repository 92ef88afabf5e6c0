"""Evidence for a rating: a Normal-Inverse-Gamma distribution, whose parts say how noisy and how little known it is.

Source: Amini, Schwarting, Soleimany and Rus, "Deep evidential regression", NeurIPS 2020, arXiv 1910.02600: the
likelihood is their equation 8, the penalty their equation 9, the uncertainties their equation 5. That the likelihood
alone does not fix how much of the spread is noise and how much ignorance is shown by Meinert, Gawlikowski and Lavin,
"The unreasonable effectiveness of deep evidential regression", AAAI 2023: ranks can be used, levels cannot.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch.distributions import StudentT
from torch.nn import functional


class NormalInverseGamma(NamedTuple):
    """What is believed of ratings: all parts have the shape (n,).

    Parameters
    ----------
    mean : tensor
        The rating that is expected.
    worth : tensor
        Above 0: how many observations the mean is worth.
    shape, scale : tensor
        Above 1 and above 0: of the Inverse-Gamma distribution of the noise's variance.
    """

    mean: torch.Tensor
    worth: torch.Tensor
    shape: torch.Tensor
    scale: torch.Tensor


def believed(outputs: torch.Tensor) -> NormalInverseGamma:
    """Return the distribution that a network's four outputs, (n, 4), stand for; any finite numbers will do.

    Examples
    --------
    >>> belief = believed(torch.zeros(1, 4))
    >>> belief.mean.item(), round(belief.worth.item(), 3), round(belief.shape.item(), 3), round(belief.scale.item(), 3)
    (0.0, 0.694, 1.694, 0.694)
    """
    least = 1e-3  # what a softplus of a large negative number would lose
    mean, *others = outputs.unbind(dim=1)
    worth, shape, scale = (functional.softplus(other) + least for other in others)
    return NormalInverseGamma(mean, worth, shape + 1, scale)


def noise(belief: NormalInverseGamma) -> torch.Tensor:
    """Return the variance, (n,), that ratings are expected to have around their mean (aleatoric)."""
    return belief.scale / (belief.shape - 1)


def doubt(belief: NormalInverseGamma) -> torch.Tensor:
    """Return the variance, (n,), of the mean itself (epistemic)."""
    return noise(belief) / belief.worth


def ignorance(belief: NormalInverseGamma) -> torch.Tensor:
    """Return the share, (n,), of the expected variance that is doubt: from 0, all is noise, to 1, nothing is known.

    Examples
    --------
    >>> belief = NormalInverseGamma(*(torch.tensor([value]) for value in (0.0, 4.0, 2.0, 0.5)))
    >>> noise(belief).item(), doubt(belief).item(), round(ignorance(belief).item(), 2)
    (0.5, 0.125, 0.2)
    """
    return 1 / (1 + belief.worth)


def evidential_regression_loss(
    belief: NormalInverseGamma, ratings: torch.Tensor, penalty: float = 0.01
) -> torch.Tensor:
    """Return the mean over rated rows of minus the log-likelihood, and of the evidence where the mean is wrong.

    Parameters
    ----------
    belief : NormalInverseGamma
        Of n rows.
    ratings : tensor, shape (n,)
        NaN where there is none.
    penalty : float
        What error times evidence counts; 0.01 in the source.

    Returns
    -------
    tensor
        A scalar, 0 where no row has a rating.

    Examples
    --------
    >>> belief = believed(torch.zeros(2, 4))
    >>> near, far = (evidential_regression_loss(belief, torch.tensor([rated, float("nan")])) for rated in (0.1, 2.0))
    >>> bool(near < far)
    True
    """
    rated = ~ratings.isnan()
    mean, worth, shape, scale = (part[rated] for part in belief)
    spread = (scale * (1 + worth) / (worth * shape)).sqrt()
    unlikely = -StudentT(2 * shape, mean, spread, validate_args=False).log_prob(ratings[rated])
    wrong = (ratings[rated] - mean).abs() * (2 * worth + shape)
    return (unlikely + penalty * wrong).sum() / rated.sum().clamp(min=1)
