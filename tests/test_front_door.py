"""What `import insula` offers a notebook."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GroupKFold, KFold

import insula
from insula.errors import DataError, InsulaError, LeakageError
from insula.evaluation.recipe import Recipe
from insula.evaluation.results import Results
from insula.storage.cache import Cache

PEOPLE = pd.DataFrame({"subject": list("aabbccdd"), "trial": range(8)})


def test_every_name_is_there_and_documented() -> None:
    assert set(insula.__all__) <= set(dir(insula))
    for name in insula.__all__:
        assert getattr(insula, name).__doc__


def test_a_recipe_is_run_written_and_compared(tmp_path: Path) -> None:
    changes = {"corpus.subjects": 2, "corpus.trials": 4}
    results = insula.run("watermelon", changes, output=tmp_path / "one")
    assert isinstance(results, Results) and (tmp_path / "one" / "report.html").is_file()
    again = insula.run("watermelon", ["corpus.subjects=2", "corpus.trials=4", "system.seed=1"])
    table = insula.compare([tmp_path / "one", again])
    assert len(table) == 2 and table["run"].is_unique


def test_a_bundle_is_fitted_loaded_and_asked_in_python(tmp_path: Path) -> None:
    changes = {"corpus.pictures": 60, "corpus.identities": 12, "system.name": "linear"}
    values = {"name": "faces", "corpus": {"name": "simulated-faces"}, "protocol": {"name": "identity-disjoint"},
              "system": {"name": "linear"}}  # fmt: skip
    import yaml

    (tmp_path / "faces.yaml").write_text(yaml.safe_dump(values))
    fitted = insula.fit(tmp_path / "faces.yaml", tmp_path / "bundle", changes)
    picture = np.zeros((96, 96, 3), np.uint8)
    assert fitted.predict(picture).equals(insula.load(tmp_path / "bundle").predict(picture))


def test_a_bundle_that_reads_eeg_is_loaded_too(tmp_path: Path) -> None:
    recipe = Recipe(
        name="eeg",
        corpus={"name": "simulated-study", "subjects": 2, "pictures": 56, "identities": 8},
        protocol={"name": "identity-disjoint", "folds": 2},
        system={"name": "linear", "modality": "eeg"},
    )
    fitted = insula.fit(recipe, tmp_path / "bundle")
    samples = insula.corpus("simulated-study", subjects=2, pictures=56, identities=8).samples(Cache(tmp_path / "cache"))
    again = insula.load(tmp_path / "bundle").predict(samples)
    assert fitted.predicts_from == ("eeg",) and fitted.predict(samples).table.equals(again.table)


@pytest.mark.parametrize(
    "split",
    [
        ([0, 1, 2, 3], [4, 5, 6, 7]),
        {"train": np.arange(8) < 4, "test": np.arange(8) >= 4},
        pd.DataFrame({"index": range(8), "part": ["train"] * 4 + ["test"] * 4}),
    ],
    ids=["pair", "masks", "table"],
)
def test_a_split_is_audited_however_it_is_written(split: object) -> None:
    assert insula.audit(PEOPLE, split, "subject").clean  # type: ignore[union-attr]


def test_the_folds_of_a_splitter_are_audited_each() -> None:
    folds = GroupKFold(4).split(PEOPLE, groups=PEOPLE["subject"])
    assert len(insula.audit(PEOPLE, folds, ["subject"])) == 4  # type: ignore[arg-type]
    halves = insula.audit(PEOPLE[:7], GroupKFold(2).split(PEOPLE[:7], groups=PEOPLE["subject"][:7]), "subject")
    assert len(halves) == 2  # type: ignore[arg-type]  # two folds, of unlike sizes, are no pair of parts
    with pytest.raises(LeakageError, match="are in train and test"):
        insula.audit(PEOPLE, KFold(4, shuffle=True, random_state=0).split(PEOPLE), "subject")


def test_files_are_audited_as_the_command_does(tmp_path: Path) -> None:
    PEOPLE.to_csv(tmp_path / "table.csv", index=False)
    pd.DataFrame({"index": range(8), "part": ["train", "test"] * 4}).to_csv(tmp_path / "split.csv", index=False)
    with pytest.raises(LeakageError, match="subject a"):
        insula.audit(tmp_path / "table.csv", str(tmp_path / "split.csv"), "subject")


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda folder: insula.load(folder / "nothing"), "give a folder that `insula fit` wrote"),
        (lambda folder: insula.fit("watermleon", folder / "out"), "no recipe 'watermleon'"),
        (lambda folder: insula.run("watermelon", {"corpsu.subjects": 2}), "unknown key 'corpsu'"),
        (lambda folder: insula.run("watermelon", {"system.name": "svn"}), "unknown system 'svn'"),
        (lambda folder: insula.run("watermelon", output=folder / "file" / "in"), "give another output folder"),
        (lambda folder: insula.fit("bmci", folder / "file" / "in"), "give another output folder"),
        (lambda folder: insula.run(Recipe.load("watermelon"), {"seed": 1}), "give its name or its file"),
        (lambda folder: insula.compare([folder]), "give two or more run folders"),
        (lambda folder: insula.compare(str(folder)), "give two or more run folders"),
        (lambda folder: insula.run("watermelon", "corpus.subject=2"), "unknown key 'subject'"),
        (lambda folder: insula.audit(PEOPLE, 3, "subject"), r"give \(train, test\)"),
        (lambda folder: insula.audit(np.zeros((3, 2)), ([0], [1])), "give columns by name"),
        (lambda folder: insula.audit(PEOPLE, ([True], [False])), "the mask of train has 1 values"),
        (lambda folder: insula.audit(PEOPLE, ([0, 1], [99])), "the table has 8 rows"),
        (lambda folder: insula.audit(PEOPLE, ([0, 1], [2]), "sbuject"), "its columns are subject, trial"),
        (lambda folder: insula.corpus("egmat"), "corpora are"),
        (lambda folder: insula.recognise({"a": 1}), "give paths, uint8 arrays"),
        (lambda folder: insula.recognise((folder / "file").open()), "an open file is not read: give its path"),
        (lambda folder: insula.recognise(folder / "*.jpg"), "correct it, or name the files"),
        (lambda folder: insula.Samples.from_arrays(np.zeros((3, 2)), ["a"]), "give 3 values"),
    ],
)
def test_a_wrong_word_is_one_line_with_a_cure(call: object, said: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InsulaError, match=said) as raised:
        call(tmp_path)  # type: ignore[operator]
    assert "\n" not in str(raised.value)


def test_samples_keep_what_is_known_of_rows() -> None:
    frame = pd.DataFrame({"alpha": [0.1, 0.2], "beta": [1, 2]}, index=[7, 9])
    ids = pd.DataFrame({"subject": [1.0, np.nan], "session": ["s", "s"], "film": ["x", "y"]}, index=[7, 9])
    samples = insula.Samples.from_arrays(frame, [3, None], groups=ids, label="emotion")
    assert samples.table["emotion"].tolist()[:1] == ["3"] and samples.table["emotion"].isna().tolist() == [False, True]
    assert samples.units("subject").tolist() == ["arrays/1", None] and samples.table["film"].tolist() == ["x", "y"]
    assert samples.store("features").description.channels == ("alpha", "beta")
    with pytest.raises(DataError, match="two columns are called 'a'"):
        insula.Samples.from_arrays(pd.DataFrame([[1, 2]], columns=["a", "a"]))
