"""Rows of two modalities in torch, of which any may lack either: what is answered from what."""

from __future__ import annotations

import torch

NONE, EEG, FACE, BOTH = range(4)
"""What a row was answered from, as numbers."""


def entropy(probabilities: torch.Tensor) -> torch.Tensor:
    """Return the entropy of each row of probabilities as a share of the largest possible, (n,).

    Examples
    --------
    >>> entropy(torch.tensor([[0.5, 0.5], [0.9, 0.1]])).round(decimals=3).tolist()
    [1.0, 0.4690000116825104]
    """
    logarithms = probabilities.clamp(1e-12, 1).log()
    return -(probabilities * logarithms).sum(dim=1) / torch.tensor(float(probabilities.shape[1])).log()


def sound(rows: torch.Tensor) -> torch.Tensor:
    """Return which rows, (n, ...), are finite throughout, bool (n,)."""
    return rows.flatten(1).isfinite().all(dim=1)


def used(eeg: torch.Tensor, face: torch.Tensor, together: bool = True) -> torch.Tensor:
    """Return what each row is answered from, int64 (n,), given which can be used, bool (n,).

    Parameters
    ----------
    eeg, face : bool tensor, shape (n,)
        Which rows can be used.
    together : bool
        Whether both can be used at once; else a row that has both is answered from its EEG.

    Examples
    --------
    >>> used(torch.tensor([True, True, False, False]), torch.tensor([True, False, True, False])).tolist()
    [3, 1, 2, 0]
    """
    both = eeg & face & together
    return torch.where(both, BOTH, torch.where(eeg, EEG, torch.where(face, FACE, NONE)))


def chosen(
    uses: torch.Tensor, none: torch.Tensor, eeg: torch.Tensor, face: torch.Tensor, both: torch.Tensor
) -> torch.Tensor:
    """Return for each row the answer from what it is answered from: each (n, e), or (n,)."""
    uses = uses if eeg.ndim == 1 else uses[:, None]
    rest = torch.where(uses == FACE, face, none)
    return torch.where(uses == BOTH, both, torch.where(uses == EEG, eeg, rest))
