"""Results: what they refuse, and that they come back from disk as they went."""

from __future__ import annotations

import pandas as pd
import pytest
from made_up_results import make_results

from insula.errors import DataError
from insula.evaluation.results import Results


@pytest.fixture(scope="module")
def small() -> Results:
    return make_results(studies=1, units=20, folds=2)


def test_results_come_back_from_disk(small, tmp_path):
    small.save(tmp_path)
    again = Results.open(tmp_path)
    pd.testing.assert_frame_equal(again.predictions, small.predictions, check_dtype=False)
    pd.testing.assert_frame_equal(again.embedding, small.embedding, check_dtype=False)
    for name in ("arms", "classes", "headline", "comparators", "facts", "reported", "cluster", "passport"):
        assert getattr(again, name) == getattr(small, name), name


def test_saving_again_replaces_all(small, tmp_path):
    small.save(tmp_path)
    make_results(studies=1, units=20, embedding=None).save(tmp_path)
    assert Results.open(tmp_path).embedding is None
    assert [path.name for path in tmp_path.iterdir()] == ["results"]


def test_no_path_of_this_machine_reaches_the_disk(small, tmp_path):
    changed = make_results(studies=1, units=20, facts={"bundle": tmp_path / "bundle", "note": f"read {tmp_path}/a"})
    changed.save(tmp_path)
    assert str(tmp_path) not in (tmp_path / "results" / "about.json").read_text()


@pytest.mark.parametrize("broken", [None, "not JSON", "{}"])
def test_a_folder_without_readable_results_is_refused(tmp_path, broken):
    if broken is not None:
        (tmp_path / "results").mkdir()
        (tmp_path / "results" / "about.json").write_text(broken)
    with pytest.raises(DataError, match=r"no results here|cannot be read"):
        Results.open(tmp_path)


def _changed(small: Results, **columns: object) -> pd.DataFrame:
    rows = small.predictions.copy()
    for column, value in columns.items():
        rows.loc[rows.index[3], column] = value
    return rows


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"p_fear": 0.9}, "do not add up to one .*row 3"),
        ({"p_fear": float("nan")}, "do not add up to one"),
        ({"predicted": "joy"}, "'joy' is no class .*row 3"),
        ({"truth": None}, "is no class"),
        ({"unit": "picture-0004", "fold": 1}, "predicted twice|disagree"),
    ],
)
def test_broken_predictions_are_refused(small, columns, message):
    if "fold" in columns:
        columns = {**columns, "fold": small.predictions["fold"].iloc[4]}
    with pytest.raises(DataError, match=message):
        make_results(studies=1, units=20, folds=2, predictions=_changed(small, **columns))


def test_arms_that_disagree_about_the_truth_are_refused(small):
    other = next(name for name in small.classes if name != small.predictions["truth"].iloc[3])
    with pytest.raises(DataError, match="disagree about the truth"):
        make_results(predictions=_changed(small, truth=other))


def test_a_control_may_be_scored_on_permuted_labels(small):
    rows = small.predictions.copy()
    own = rows["arm"] == "permuted"
    rows.loc[own, "truth"] = rows.loc[own, "truth"].to_numpy()[::-1]
    assert make_results(predictions=rows).accuracy("permuted") >= 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"headline": "fusoin"}, "no arm 'fusoin'"),
        ({"comparators": ()}, "nothing else to beat"),
        ({"comparators": ("fusion",)}, "nothing else to beat"),
        ({"cluster": "family"}, "missing column family"),
        ({"reported": ({"title": "a figure", "value": "99 %"},)}, "lacks its title, value or source"),
    ],
)
def test_unusable_settings_are_refused(small, changes, message):
    with pytest.raises(DataError, match=message):
        make_results(studies=1, units=20, **changes)


def test_an_arm_that_said_nothing_is_named(small):
    rows = small.predictions[small.predictions["arm"] != "c3"]
    with pytest.raises(DataError, match="arm 'c3' predicted nothing"):
        make_results(predictions=rows)


def test_a_unit_of_many_repeats_counts_once():
    """One unit right in three repeats and one wrong in its only repeat make one half."""
    results = make_results(studies=1, units=20, folds=1, repeats=3)
    rows = results.predictions
    keep = (rows["repeat"] == 0) | (rows["unit"] != "picture-0000")
    rows = rows[keep & rows["unit"].isin(["picture-0000", "picture-0001"])].copy()
    rows["predicted"] = rows["truth"]
    wrong = rows["unit"] == "picture-0000"
    rows.loc[wrong, "predicted"] = ["anger" if truth != "anger" else "fear" for truth in rows.loc[wrong, "truth"]]
    assert make_results(predictions=rows).accuracy("fusion") == pytest.approx(0.5)


def test_only_provenance_counts_as_a_group(small):
    rows = small.predictions.assign(valence=0.1, mode="fusion")
    assert make_results(predictions=rows).groups == ("identity", "face_gender", "face_eth")
