"""The passport: enough to repeat a run, nothing about the machine."""

from __future__ import annotations

import getpass
import json
import socket
from pathlib import Path

import numpy as np
import pytest
from made_up_results import make_passport

from insula.evaluation.passport import plain


def test_it_names_all_that_is_needed_to_repeat():
    record = make_passport()
    for key in ("recipe", "task", "protocol", "selection", "audit", "splits", "data", "seeds", "code", "libraries"):
        assert record[key], key
    assert record["created"].endswith("+00:00")
    assert {"numpy", "torch", "scikit-learn", "mne"} <= set(record["libraries"])
    assert record["as_published"] is record["test_inputs_used"] is False
    json.dumps(record)


def test_it_says_nothing_of_the_machine():
    text = json.dumps(make_passport())
    assert "/data/faces" not in text
    assert str(Path.home()) not in text
    assert f'"{socket.gethostname()}"' not in text
    assert f': "{getpass.getuser()}"' not in text


def test_the_settings_hash_does_not_depend_on_where_data_lie():
    from insula.evaluation.passport import build_passport
    from insula.protocols.protocol import protocol

    def settings(root: str) -> str:
        return build_passport(
            recipe={"corpus": {"root": root}}, corpus={}, task={}, protocol=protocol("stratified"), splits=[],
            audits=[], data_fingerprints=[], seeds=[],
        )["recipe"]["sha256"]  # fmt: skip

    assert settings("/mnt/a/faces") == settings("/home/somebody/faces")


def test_it_names_every_setting_of_the_corpus_and_not_only_those_that_a_recipe_changed():
    assert make_passport()["corpus"] == {"root": "(path)", "size": 96}


def test_a_leak_marks_the_run():
    assert make_passport(as_published=True)["as_published"]
    record = make_passport(leaks=("trial t1 is in train and test",))
    assert record["as_published"]
    assert record["audit"]["leaks"] == ["trial t1 is in train and test"]


def test_of_a_rating_it_says_that_ratings_are_spread_evenly():
    from insula.evaluation.passport import build_passport
    from insula.protocols.protocol import protocol

    for kind, labels in (("continuous", "ratings"), ("cut", "classes")):
        record = build_passport(
            recipe={}, corpus={}, task={"kind": kind}, protocol=protocol("subject-disjoint"), splits=[], audits=[],
            data_fingerprints=[], seeds=[],
        )  # fmt: skip
        assert f"{labels} spread evenly" in record["protocol"]["description"]


def test_transductive_use_is_said():
    record = make_passport(target={"kind": "unlabelled"})
    assert record["test_inputs_used"]
    assert "transductive" in record["selection"]


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("/somewhere/deep/file.edf", "(path)"),
        ("~/faces", "(path)"),
        ("../shared/data", "(path)"),
        ("C:\\Users\\me\\faces", "(path)"),
        ("file:///home/me/a.png", "(path)"),
        ("read '/a/b.csv' twice", "read '(path)' twice"),
        ("root=/a/b, rate=3", "root=(path), rate=3"),
        ("https://example.org/a/b", "https://example.org/a/b"),
        ("microvolts/second and/or 3/4", "microvolts/second and/or 3/4"),
        ("corpus/S1", "corpus/S1"),
    ],
)
def test_paths_are_hidden_and_nothing_else(text, hidden):
    assert plain(text) == hidden


def test_plain_values_are_json():
    value = {"a": np.float32(0.5), 3: (np.arange(2), {"b"}), "nan": float("nan"), "path": Path("x")}
    assert json.loads(json.dumps(plain(value))) == {"a": 0.5, "3": [[0, 1], ["b"]], "nan": None, "path": "(path)"}


def test_a_passport_holds_no_credentials_and_moves_no_terminal() -> None:
    made = plain(
        {"about": "postgresql://anna:se:cr/et@host/labels", "e\x1bmotion": ["joy\x1b[2J", "http://ben@host/a"]}
    )
    assert made == {
        "about": "postgresql://host/labels", "e\\x1bmotion": ["joy\\x1b[2J", "http://host/a"],
    }  # fmt: skip
