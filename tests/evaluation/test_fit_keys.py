"""What decides whether a fit is another one, and what a unit's label is."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from insula.emotions import Categorical
from insula.evaluation.candidates import files
from insula.evaluation.metrics import confusion
from insula.evaluation.study import Study, answers
from insula.protocols.protocol import protocol
from toy import CLASSES, toy_windows


def test_another_content_of_a_folder_or_of_a_nested_file_is_another_fit(tmp_path: Path) -> None:
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "system.yaml").write_text("class: EEGNet")
    weights = tmp_path / "saved" / "network.safetensors"
    settings = {"name": "pretrained", "weights": str(tmp_path / "saved")}
    nested = {"name": "personalised", "system": settings}
    weights.write_bytes(b"one")
    before = files(settings), files(nested)
    weights.write_bytes(b"two")
    after = files(settings), files(nested)
    assert before[0] and before[1] and before[0] != after[0] and before[1] != after[1]


def test_a_unit_whose_first_row_has_no_label_keeps_that_of_its_others() -> None:
    windows, task = toy_windows(subjects=1, sessions=1), Categorical(label="emotion", classes=CLASSES)
    labels = windows.table["emotion"].to_numpy(object).copy()
    labels[::2] = None  # the first window of each trial
    rule = protocol("trial-disjoint", scored_unit="trial")
    corpus: Any = SimpleNamespace(truth=lambda: None, settings=SimpleNamespace())
    samples = windows.with_columns(emotion=labels)
    split: Any = SimpleNamespace(test=windows.ids)
    half, whole = (answers(Study(corpus, one, task, rule, [split], "", 0, task)) for one in (samples, windows))
    assert half["truth"].to_dict() == whole["truth"].to_dict()


def test_pairs_of_which_one_is_no_class_do_not_count() -> None:
    truth, predicted = np.array(["b", "b", None], object), np.array(["b", None, "a"], object)
    assert confusion(truth, predicted, ("a", "b"), np.ones(3)).tolist() == [[0, 0], [0, 1]]
