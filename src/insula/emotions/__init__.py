"""Label spaces, maps between them, the valence-arousal plane, and tasks."""

from insula.emotions.spaces import ANCHORS, LABEL_SPACES, SYNONYMS, label_map, normalise_label
from insula.emotions.task_values import OF_RATINGS, parse_task, usual_task
from insula.emotions.tasks import (
    Binary,
    Categorical,
    Continuous,
    Cut,
    LabelTask,
    OneTask,
    Ordinal,
    Several,
    Task,
    Votes,
)

__all__ = [
    "ANCHORS", "LABEL_SPACES", "OF_RATINGS", "SYNONYMS", "Binary", "Categorical", "Continuous", "Cut", "LabelTask",
    "OneTask", "Ordinal", "Several", "Task", "Votes", "label_map", "normalise_label", "parse_task", "usual_task",
]  # fmt: skip
