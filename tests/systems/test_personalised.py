"""A system for each person: who gets one, what it adds, and who cannot have one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from insula.emotions import Categorical
from insula.errors import SettingsError
from insula.systems.catalogue import system
from toy import CLASSES, toy_windows

WINDOWS = toy_windows(subjects=3)
TASK = Categorical(label="emotion", classes=CLASSES)
PERSON = WINDOWS.table["subject"].to_numpy()


def test_a_person_whose_classes_are_dealt_otherwise_is_answered_in_their_own_way() -> None:
    labels = WINDOWS.table["emotion"].to_numpy(object).copy()
    turned = {name: CLASSES[(number + 1) % 3] for number, name in enumerate(CLASSES)}
    labels[PERSON == "S3"] = [turned[name] for name in labels[PERSON == "S3"]]
    rows = WINDOWS.with_columns(emotion=labels)
    personal = {"training": {"epochs": 20, "learning_rate": 3e-3}}
    both = system("personalised", "tiny", personal=personal).fit(rows, rows.select([]), TASK)
    hidden = rows.without(["emotion"])
    right = {mode: (both.predict(hidden, mode).labels == labels)[PERSON == "S3"].mean() for mode in both.modes}
    assert right["personalised"] > right["general"] + 0.3
    assert both.facts["people"] == sorted(set(WINDOWS.units("subject")))
    one = next(iter(both.people.values())).settings.training
    assert (one.epochs, one.batch_size) == (20, both.general.settings.training.batch_size), "what is not named stays"


def test_who_has_no_labels_is_answered_by_the_system_for_everybody() -> None:
    known = WINDOWS.select(PERSON != "S3")
    both = system("personalised", "tiny", personal={"training": {"epochs": 1}}).fit(known, known.select([]), TASK)
    own, general = (both.predict(WINDOWS, mode) for mode in both.modes)
    strange = PERSON == "S3"
    assert set(own.table["mode"][strange]) == {"general"} and set(own.table["mode"][~strange]) == {"personalised"}
    assert np.array_equal(own.probabilities[strange], general.probabilities[strange])
    assert not np.array_equal(own.probabilities[~strange], general.probabilities[~strange])
    assert own.table.index.tolist() == WINDOWS.ids.tolist()


def test_what_cannot_go_on_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"Linear begins with nothing saved, .* \(system\): use a network"):
        system("personalised", system={"name": "linear"})


def test_code_of_ones_own_is_never_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text("raise RuntimeError('this ran')")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("mine:Code", None):
        with pytest.raises(SettingsError, match=r"cannot be personalised \(system\.name\): use a network of insula's"):
            system("personalised", system={"name": name})
