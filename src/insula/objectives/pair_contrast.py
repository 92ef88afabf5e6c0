"""Contrast between two people who were shown the same: each one's place in a clip is found again in the other.

Source: Shen, Liu, Hu, Zhang and Song, "Contrastive learning of subject-invariant EEG representations for cross-subject
emotion recognition", IEEE Transactions on Affective Computing 2022, arXiv 2109.09559; the form of the loss is that of
Chen, Kornblith, Norouzi and Hinton, "A simple framework for contrastive learning of visual representations", ICML 2020,
arXiv 2002.05709.
"""

from __future__ import annotations

import torch

from insula.objectives.contrast import supervised_contrast


def pair_contrast(projections: torch.Tensor, temperature: float = 0.07) -> torch.Tensor:
    """Return the mean over all rows of the cross-entropy of telling a row's partner from all other rows.

    All clips of both people but the row's own are negatives, those of the same emotion too.

    Parameters
    ----------
    projections : tensor, shape (2 n, d)
        Rows of unit length: n of one person and, in the same order of clips, n of the other, so that row i and row
        i + n show the same.
    temperature : float
        Divides the cosines.

    Returns
    -------
    tensor
        A scalar, in float32 at least, also under autocast.

    Examples
    --------
    >>> pair_contrast(torch.eye(3).repeat(2, 1)).item() < 1e-5  # partners are identical and clips orthogonal
    True
    >>> round(pair_contrast(torch.ones(6, 1)).item(), 3)  # nothing is told: the logarithm of five
    1.609
    """
    with torch.autocast(projections.device.type, enabled=False):
        rows = projections.to(torch.promote_types(projections.dtype, torch.float32))
        clips = torch.arange(len(rows) // 2, device=rows.device).repeat(2)
        return supervised_contrast(rows, clips, temperature=temperature)
