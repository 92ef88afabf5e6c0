"""Results by group: figures, intervals and tests against independent references, and the way to a report."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_up_results import make_results
from PIL import Image
from scipy.stats import binomtest, permutation_test

from insula.corpora.drawn_faces import draw_faces
from insula.errors import SettingsError
from insula.evaluation.experiment import run
from insula.evaluation.groups import group_differences, group_table, grouped_by, named_groups
from insula.evaluation.recipe import Recipe
from insula.evaluation.report import write_report
from insula.evaluation.results import Results
from insula.evaluation.statistics import accuracy_interval, unit_scores
from insula.evaluation.study import Study, answers, open_study
from insula.protocols.protocol import protocol
from insula.storage.cache import Cache
from protocols.studies import TASK, watched_pictures


@pytest.fixture(scope="module")
def results() -> Results:
    return make_results(studies=1, units=120, repeats=2, cluster="identity")


def single(rights: dict[str, list[int]]) -> Results:
    """Return results of one split in which each unit of a group was right or wrong under `fusion`."""
    made = make_results(studies=1, units=sum(map(len, rights.values())), folds=1)
    rows = made.predictions.drop(columns=["identity", "face_gender", "face_eth"])
    group = np.repeat(list(rights), [len(values) for values in rights.values()])
    right = np.concatenate(list(rights.values())).astype(bool)
    other = {name: made.classes[(place + 1) % len(made.classes)] for place, name in enumerate(made.classes)}
    own = rows["arm"] == "fusion"
    wrong = rows.loc[own, "truth"].map(other)
    rows.loc[own, "predicted"] = rows.loc[own, "truth"].where(right, wrong)
    rows = rows.assign(town=np.tile(group, len(rows) // len(group)))
    few = rows[rows["arm"].isin(["fusion", "visual"])]
    return make_results(predictions=few, arms=made.arms[:2], comparators=("visual",))


def test_every_arm_and_group_has_its_accuracy_and_number(results: Results) -> None:
    table = group_table(results).set_index(["arm", "column", "group"])
    assert grouped_by(results) == ["face_gender", "face_eth"]
    assert len(table) == len(results.arms) * (2 + 4)
    for (arm, column, group), row in table.iterrows():
        mine = results.predictions.query("arm == @arm")
        mine = mine[mine[column] == group]
        assert row["accuracy"] == pytest.approx((mine["predicted"] == mine["truth"]).mean())
        assert row["units"] == mine["unit"].nunique() and row["clusters"] == mine["identity"].nunique()
        recall = (mine["predicted"] == mine["truth"]).groupby(mine["truth"]).mean().mean()
        assert row["balanced_accuracy"] == pytest.approx(recall)
        if arm == "fusion":
            members = pd.MultiIndex.from_frame(mine[["study", "unit"]].drop_duplicates())
            expected = accuracy_interval(unit_scores(results, arm).loc[members])
            assert (row["low"], row["high"]) == pytest.approx((expected.low, expected.high))


def test_two_groups_are_compared_as_newcombe_and_scipy_compare_them() -> None:
    first, second = [1] * 33 + [0] * 7, [1] * 24 + [0] * 26
    made = single({"north": first, "south": second})
    found = group_differences(made, group_table(made)).set_index("arm").loc["fusion"]
    assert (found["best"], found["worst"]) == ("north", "south")
    assert found["difference"] == pytest.approx(33 / 40 - 24 / 50)
    north, south = (binomtest(*counts).proportion_ci(method="wilson") for counts in ((33, 40), (24, 50)))
    below = np.hypot(33 / 40 - north.low, south.high - 24 / 50)
    above = np.hypot(north.high - 33 / 40, 24 / 50 - south.low)
    assert (found["low"], found["high"]) == pytest.approx((0.345 - below, 0.345 + above))
    assert (found["low"], found["high"]) == pytest.approx((0.1473, 0.5034), abs=5e-5)  # as another library gives them
    draw = np.random.default_rng(1)
    parts = np.array(first), np.array(second)
    test = permutation_test(parts, lambda a, b: abs(a.mean() - b.mean()), alternative="greater", rng=draw)
    assert found["p"] == pytest.approx(test.pvalue, abs=0.01)


def test_p_knows_that_the_best_and_the_worst_were_chosen() -> None:
    """Six towns that do not differ: the widest interval is of a chosen pair, and the test is right to shrug."""
    rng = np.random.default_rng(3)
    values = []
    for _ in range(10):
        made = single({f"town {k}": rng.binomial(1, 0.7, 12).tolist() for k in range(6)})
        values.append(group_differences(made, group_table(made)).set_index("arm").loc["fusion", "p"])
    assert np.mean(np.array(values) < 0.05) <= 0.1 and np.median(values) > 0.2


def test_a_tiny_group_is_shown_and_not_compared() -> None:
    made = single({"north": [1] * 20 + [0] * 5, "south": [1] * 15 + [0] * 10, "island": [0, 0, 0, 0]})
    table = group_table(made)
    assert set(table["group"]) == {"north", "south", "island"}
    assert group_differences(made, table).set_index("arm").loc["fusion", "worst"] == "south"
    made = single({"north": [1] * 20, "island": [0, 0]})
    assert group_differences(made, group_table(made)).empty


def test_a_person_more_often_in_one_group_than_in_another_leaves_no_interval(results: Results) -> None:
    rows = results.predictions.drop(columns=["face_gender", "face_eth"])
    place = np.where(rows["unit"].str[-1].astype(int) % 3, "indoors", "outdoors")
    made = make_results(predictions=rows.assign(place=place), cluster="identity")
    found = group_differences(made, group_table(made))
    assert len(found) and found[["low", "high", "p"]].isna().all(axis=None) and found["difference"].notna().all()


def test_people_who_are_in_both_groups_are_compared_with_themselves() -> None:
    """Forty people, each seen once in either light: McNemar's test, and an interval that knows of the pairs."""
    by_day, at_night = np.array([1] * 30 + [0] * 10), np.array([1] * 16 + [0] * 22 + [1] * 2)
    made = single({"day": by_day.tolist(), "night": at_night.tolist()})
    number = made.predictions.groupby("arm").cumcount() % 40
    made = make_results(
        predictions=made.predictions.assign(identity=("i" + number.astype(str)).to_numpy()), arms=made.arms,
        comparators=("visual",), cluster="identity",
    )  # fmt: skip
    found = group_differences(made, group_table(made)).set_index("arm").loc["fusion"]
    assert (found["best"], found["worst"]) == ("day", "night")
    won, lost = int((by_day > at_night).sum()), int((by_day < at_night).sum())
    assert found["difference"] == pytest.approx((won - lost) / 40)
    assert found["p"] == pytest.approx(binomtest(won, won + lost).pvalue)
    spread = np.std(by_day - at_night, ddof=1) / np.sqrt(40)
    assert found["high"] - found["low"] == pytest.approx(2 * 1.96 * spread, rel=0.2)


def test_a_run_without_groups_has_no_section(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("insula.evaluation.report.plots", lambda *_: [])
    rich = make_results(studies=1, units=30, folds=1)
    bare = make_results(predictions=rich.predictions.drop(columns=["identity", "face_gender", "face_eth"]))
    write_report(bare, tmp_path)
    assert not (tmp_path / "groups.csv").exists()
    assert "Results by group" not in (tmp_path / "report.html").read_text()


def test_words_stay_and_numbers_of_many_values_are_cut() -> None:
    assert named_groups(pd.Series(["a", None, "b"])).tolist() == ["a", None, "b"]
    assert named_groups(pd.Series([1, 2, 2, 1])).tolist() == [1, 2, 2, 1]
    ages = pd.Series([18.0] * 30 + [40, 41, 42, 43, None])
    assert named_groups(ages).tolist() == ["18 to 43"] * 34 + [None]  # the quartiles are all 18


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """Return a recipe on a folder of drawn faces, half of them painted over: those people are served badly."""
    root = tmp_path_factory.mktemp("faces")
    emotions = [("happiness", "surprise")[number % 2] for number in range(120)]
    pictures = draw_faces(emotions, [1.0] * 120, [number // 2 for number in range(120)], nuisance=0.2, size=32)
    masked = np.arange(120) // 2 % 2 == 0
    pictures[masked] = 128
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(root / f"{number}.png")
    person = np.arange(120) // 2
    manifest = {"path": [f"{number}.png" for number in range(120)], "emotion": emotions, "identity": person}
    manifest |= {"gown": np.where(masked, "worn", "none"), "age": 20 + person, "gender": ["woman", "man"] * 60}
    pd.DataFrame(manifest).to_csv(root / "manifest.csv", index=False)
    return Recipe(
        name="grouped",
        corpus={"name": "folder", "root": str(root), "manifest": "manifest.csv", "faces": "cropped", "size": 32},
        protocol={"name": "identity-disjoint", "folds": 2, "validation_share": 0.2},
        system={"name": "linear", "modality": "picture"},
        controls=("majority",),
        groups=("gown", "age"),
    )


def test_a_recipe_names_its_groups_and_the_report_tells_them(recipe: Recipe, tmp_path: Path) -> None:
    results = run(recipe, Cache(tmp_path / "cache"))
    write_report(results, tmp_path / "run")
    table = pd.read_csv(tmp_path / "run" / "groups.csv").query("arm == 'plain'").set_index("group")["accuracy"]
    assert table["none"] > table["worn"] + 0.25
    assert table.index[2:].tolist() == ["20 to 34", "35 to 49", "50 to 64", "65 to 79"]
    page = (tmp_path / "run" / "report.html").read_text()
    assert "Results by group" in page and "none minus worn" in page and "p &lt; 0.001" in page
    assert Results.open(tmp_path / "run").groups == results.groups


def test_usual_columns_are_told_without_being_asked_for_and_ages_in_bands(recipe: Recipe, tmp_path: Path) -> None:
    found = answers(open_study(recipe.model_copy(update={"groups": None}), 0, Cache(tmp_path)))
    assert [name for name in found if name not in ("label", "truth")] == ["gender", "age", "identity"]
    assert sorted(found["age"].unique()) == ["20 to 34", "35 to 49", "50 to 64", "65 to 79"]


def test_a_unit_of_several_people_has_no_age_unless_it_is_asked_for() -> None:
    samples = watched_pictures(subjects=3, pictures=24, identities=8)
    age = samples.table["subject"].map({"S0": 20, "S1": 30, "S2": 40})
    samples = samples.with_columns(age=age, face_age=samples.table["identity"].str[1:].astype(int))
    rule = protocol("identity-disjoint", folds=2, validation_share=0)
    corpus: Any = SimpleNamespace(truth=lambda: None)
    study = Study(corpus, samples, TASK, rule, rule.splits(samples, TASK), "made up", 0, TASK)
    assert "face_age" in answers(study) and "age" not in answers(study)
    assert "age" in answers(study, ["age"])


def test_a_column_that_the_corpus_lacks_is_said_before_anything_is_fitted(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"no column 'height' to group by \(groups\): the corpus has .*gown, age"):
        run(recipe.model_copy(update={"groups": ("height",)}), Cache(tmp_path))
    assert not (tmp_path / "fits").exists()
