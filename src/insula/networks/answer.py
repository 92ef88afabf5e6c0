"""From pictures to what a bundle answers: calibrated probabilities, strangeness, the set of classes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn


class Answer(nn.Module):
    """What a bundle holds of a mode: pictures to the tensors that `outputs` names.

    Parameters
    ----------
    says : Module
        Pictures, (n, height, width, 3), to a tuple: probabilities before calibration, (n, classes), and a tensor (n,)
        for each further column.
    usual : Module, optional
        Pictures to their strangeness, (n,).
    temperature, threshold : float, optional
        Of `insula.training.calibration.Calibration`; without them probabilities stay and no set is promised.
    columns : sequence of str
        Names of the further columns.

    Attributes
    ----------
    outputs : tuple of str
        `probabilities`, where there is such a thing `out_of_distribution` and `admitted`, and the columns.
    jumps : bool
        Whether trees read what a network makes of a picture: rounded otherwise, it may pass the threshold of a tree,
        and the answer jumps by that tree's share.

    Examples
    --------
    >>> class Brightness(nn.Module):
    ...     def forward(self, pictures):
    ...         share = pictures.double().mean(dim=(1, 2, 3)) / 255
    ...         return (torch.stack([share, 1 - share], dim=1),)
    >>> answer = Answer(Brightness(), temperature=2.0, threshold=0.3)
    >>> probabilities, admitted = answer(torch.full((1, 2, 2, 3), 51, dtype=torch.uint8))
    >>> answer.outputs, probabilities.round(decimals=2).tolist(), admitted.tolist()
    (('probabilities', 'admitted'), [[0.33000001311302185, 0.6700000166893005]], [[False, True]])
    """

    jumps: bool = False
    temperature: torch.Tensor | None
    threshold: torch.Tensor | None

    def __init__(
        self,
        says: nn.Module,
        usual: nn.Module | None = None,
        *,
        temperature: float | None = None,
        threshold: float | None = None,
        columns: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.says, self.usual = says, usual
        for name, value in (("temperature", temperature), ("threshold", threshold)):
            # As tensors, since the exporter rounds numbers to float32.
            self.register_buffer(name, None if value is None else torch.tensor(value, dtype=torch.float64))
        own = {"out_of_distribution": usual is not None, "admitted": threshold is not None}
        self.outputs = ("probabilities", *(name for name, there in own.items() if there), *columns)
        self.eval()

    def say(self, pictures: torch.Tensor, strange: torch.Tensor | None) -> tuple[torch.Tensor, ...]:
        """Return what `says` does; a subclass may look at the strangeness."""
        return self.says(pictures)

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return a tensor for each of `outputs`: float32, and bool for `admitted`."""
        strange = None if self.usual is None else self.usual(pictures)
        probabilities, *columns = self.say(pictures, strange)
        more = [] if strange is None else [strange.float()]
        if self.threshold is not None:
            classes = torch.arange(probabilities.shape[1], device=probabilities.device)
            best = probabilities.argmax(dim=1, keepdim=True) == classes
            more.append((1 - probabilities <= self.threshold) | best)
        if self.temperature is not None:
            probabilities = (probabilities.log() / self.temperature).softmax(dim=1)
        return (probabilities.float(), *more, *(column.float() for column in columns))
