"""What is wrong or missing in a recipe is said at once, and before any file is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from insula.errors import DataError, InsulaError, SettingsError
from insula.evaluation.candidates import with_modalities
from insula.evaluation.experiment import check_recipe
from insula.evaluation.recipe import Recipe, parse_change
from insula.storage.atomic import check_writable
from toy import toy_study, toy_windows


def recipe(**values: object) -> Recipe:
    deap = {"name": "deap", "root": "/nowhere"}  # nothing of it is read
    return Recipe.complete(
        {"name": "x", "corpus": deap, "protocol": "loso", "system": "linear", **values}, where="r.yaml"
    )


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, ("no label 'emotion' in deap", "valence, arousal, dominance, liking", "task.label", "task.kind=binary",
              "task.threshold=5", "task.tie=high (or low", "task.kind=cut")),
        ({"task": {"kind": "binary", "label": "valence"}}, ("lacks threshold and tie", "task.threshold=5",
                                                            "task.tie=high (or low")),
        ({"task": {"kind": "binray", "label": "valence"}}, ("no task of the kind 'binray'", "did you mean binary?")),
        ({"task": {"kind": "cut", "label": "valence"}, "system": "compact-recogniser"},
         ("deap has no modality 'picture' (system compact-recogniser)", "eeg, features")),
        ({"task": {"kind": "cut", "label": "valence"}, "control_modality": "picture"}, ("(control_modality)",)),
        ({"task": {"valence": {"kind": "continuous", "scale": [1, 9]}, "high": {"kind": "cut", "label": "arousal"}},
          "scored": "high"}, ("Linear learns one task at a time (task): keep one",)),
        ({"task": {"kind": "continuous", "label": "valence", "scale": [1, 9]}, "system": "eegnet"},
         ("EEGNet learns no continuous task (task.kind): it learns categorical",)),
        ({"corpus": "folder"}, ("root missing (corpus folder): set corpus.root",)),
    ],
)  # fmt: skip
def test_a_recipe_is_checked_before_any_file_is_read(values: dict[str, object], words: tuple[str, ...]) -> None:
    with pytest.raises(SettingsError) as caught:
        check_recipe(recipe(**values))
    for word in words:
        assert word in str(caught.value)
    check_recipe(recipe(task={"kind": "cut", "label": "valence"}))


def test_what_is_not_named_is_read_from_what_the_samples_have() -> None:
    plain = Recipe.load("watermelon", ["system.name=linear", "control_modality=null"])
    named = with_modalities(plain, toy_windows().select(range(4)))
    assert (named.system["modality"], named.control_modality) == ("features", "features")
    pictures = with_modalities(plain, toy_study(8))
    assert (pictures.system["modality"], pictures.control_modality) == ("picture", "picture")
    kept = Recipe.load("watermelon", ["system.name=linear", "system.modality=eeg"])
    assert with_modalities(kept, toy_windows().select(range(4))) == kept


def test_a_pattern_is_typed_as_messages_print_it() -> None:
    assert parse_change("who={subject}_{session}") == ("who", "{subject}_{session}")
    assert parse_change("who={subject}") == ("who", "{subject}")
    assert parse_change("windows={seconds: 2}") == ("windows", {"seconds": 2})
    assert parse_change("x='{subject}'")[1] == "{subject}"


def test_all_that_is_wrong_in_settings_is_one_line() -> None:
    with pytest.raises(InsulaError) as caught:
        Recipe.parse({"nmae": "x", "corpus": {}, "repeats": 0})
    for word in ("name and protocol and system missing", "unknown key 'nmae'", "did you mean name?", "repeats"):
        assert word in str(caught.value)


def test_an_output_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    check_writable(tmp_path / "new" / "deep")
    with pytest.raises(DataError, match=r"a file stands where a folder should be made .*file\)"):
        check_writable(tmp_path / "file" / "runs")
