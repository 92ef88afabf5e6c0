"""From pictures or EEG to what a bundle answers: probabilities or a rating, strangeness, the set of classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn


class Answer(nn.Module):
    """What a bundle holds of a mode: what it reads to the tensors that `outputs` names.

    Parameters
    ----------
    says : Module
        Pictures, (n, height, width, 3), or rows of the modalities that `inputs` names, float32 (n, ...), to a tuple:
        probabilities before calibration, (n, classes), or a rating, (n,), and a tensor (n,) for each further column.
    usual : Module, optional
        Pictures to their strangeness, (n,).
    temperature, threshold : float, optional
        Of `insula.training.calibration.Calibration`; without them probabilities stay and no set is promised.
    columns : sequence of str
        Names of the further columns.
    inputs : sequence of str
        The modalities that it reads. Of several, NaN stands for what a row lacks.
    rates : bool
        Whether it gives a rating, in the label's own units.
    before : mapping of str to object, optional
        By modality, what is done in NumPy before its rows come here: see `insula.eeg.before_graph`.

    Attributes
    ----------
    outputs : tuple of str
        `probabilities` or `rating`, where there is such a thing `out_of_distribution` and `admitted`, and the columns.
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
        inputs: Sequence[str] = ("picture",),
        rates: bool = False,
        before: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.says, self.usual = says, usual
        self.inputs, self.before = tuple(inputs), dict(before or {})
        for name, value in (("temperature", temperature), ("threshold", threshold)):
            # As tensors, since the exporter rounds numbers to float32.
            self.register_buffer(name, None if value is None else torch.tensor(value, dtype=torch.float64))
        own = {"out_of_distribution": usual is not None, "admitted": threshold is not None}
        main = "rating" if rates else "probabilities"
        self.outputs = (main, *(name for name, there in own.items() if there), *columns)
        self.eval()

    def say(self, given: tuple[torch.Tensor, ...], strange: torch.Tensor | None) -> tuple[torch.Tensor, ...]:
        """Return what `says` does; a subclass may look at the strangeness."""
        return self.says(*given)

    def forward(self, first: torch.Tensor, second: torch.Tensor | None = None) -> tuple[torch.Tensor, ...]:
        """Return a tensor for each of `outputs`: float32, and bool for `admitted`."""
        given = (first,) if second is None else (first, second)
        strange = None if self.usual is None else self.usual(*given)
        probabilities, *columns = self.say(given, strange)
        more = [] if strange is None else [strange.float()]
        if self.threshold is not None:
            classes = torch.arange(probabilities.shape[1], device=probabilities.device)
            best = probabilities.argmax(dim=1, keepdim=True) == classes
            more.append((1 - probabilities <= self.threshold) | best)
        if self.temperature is not None:
            probabilities = (probabilities.log() / self.temperature).softmax(dim=1)
        return (probabilities.float(), *more, *(column.float() for column in columns))
