"""How far a teacher's word on a row can be trusted: by its own uncertainty, and by whether the student agrees."""

from __future__ import annotations

import torch
from torch.nn import functional


def reliability(
    uncertainty: torch.Tensor,
    student: torch.Tensor,
    teacher: torch.Tensor,
    paired: torch.Tensor,
    limit: float = 0.9,
) -> torch.Tensor:
    """Return weights of rows, (n,), whose mean over the rows that count is 1; nothing learns through them.

    A row weighs one minus the teacher's uncertainty, times the agreement of the two features, 1 + cosine. Rows
    without a partner and rows of which the teacher is more uncertain than `limit` weigh 0 and do not count for the
    mean. Where no row counts, all weigh 0.

    Parameters
    ----------
    uncertainty : tensor, shape (n,)
        Of the teacher, 0 to 1; see `insula.objectives.evidential.uncertainty`.
    student, teacher : tensor, shape (n, width)
        Features of any length.
    paired : bool tensor, shape (n,)
        Which rows have both.
    limit : float
        Uncertainty above which the teacher is not heard.

    Examples
    --------
    >>> doubt, features = torch.tensor([0.0, 0.5, 0.95, 0.1]), torch.eye(4)
    >>> both = torch.tensor([True, True, True, False])
    >>> [round(weight, 3) for weight in reliability(doubt, features, features, both).tolist()]
    [1.333, 0.667, 0.0, 0.0]
    """
    counts = paired & (uncertainty <= limit)
    agreement = 1 + functional.cosine_similarity(student, teacher, dim=1)
    weights = torch.where(counts, (1 - uncertainty) * agreement, 0).detach()
    total = weights.sum()
    return torch.where(total > 0, weights * counts.sum() / total, 0)
