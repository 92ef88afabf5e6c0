"""What annotators are asked: one of several classes, or a rating on a scale."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from insula.emotions import Continuous, LabelTask, Votes
from insula.storage.settings import Settings


class Question(Settings):
    """What annotators are asked of every item.

    Parameters
    ----------
    label : str
        Name of the label.
    classes : tuple of str
        What may be answered; empty for a rating.
    scale : (low, high), optional
        The scale of a rating.

    Examples
    --------
    >>> question = Question(label="emotion", classes=("fear", "joy"))
    >>> question.accepts("joy"), question.accepts("awe"), str(question)
    (True, False, 'emotion (fear, joy)')
    >>> Question(label="valence", scale=(1, 9)).accepts("7.5")
    True
    """

    label: str
    classes: tuple[str, ...] = ()
    scale: tuple[float, float] | None = None

    @model_validator(mode="after")
    def _classes_or_a_scale(self) -> Self:
        if bool(self.classes) == (self.scale is not None):
            raise ValueError("a question has classes or a scale")
        return self

    @classmethod
    def of(cls, task: LabelTask | Votes | Continuous) -> Self:
        """Return the question that a task's labels answer."""
        if isinstance(task, Continuous):
            return cls(label=task.label, scale=task.scale)
        return cls(label=task.label, classes=tuple(task.classes))

    def __str__(self) -> str:
        answers = f"{self.scale[0]:g} to {self.scale[1]:g}" if self.scale else ", ".join(self.classes)
        return f"{self.label} ({answers})"

    def same_as(self, other: Question) -> bool:
        """Return whether another question is this one; the order of the classes is nothing."""
        own, theirs = sorted(self.classes), sorted(other.classes)
        return (self.label, self.scale, own) == (other.label, other.scale, theirs)

    def accepts(self, answer: str) -> bool:
        """Return whether an answer is one of the classes, or a rating on the scale."""
        if self.scale is None:
            return answer in self.classes
        try:
            return self.scale[0] <= float(answer) <= self.scale[1]
        except ValueError:
            return False
