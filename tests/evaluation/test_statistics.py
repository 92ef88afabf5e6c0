"""Statistics over units: intervals that cover, tests that hold, repeats that make no new units."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from made_up_ratings import rated_results
from made_up_results import make_results
from scipy import stats

from insula.errors import DataError
from insula.evaluation.chance import beats_chance, chance, chance_of
from insula.evaluation.metrics import wilson_interval
from insula.evaluation.statistics import (
    accuracy_interval,
    cluster_interval,
    corrected_resampled_t,
    difference_interval,
    gain,
    group_scores,
    holm,
    paired_test,
    resampled_test,
    unit_differences,
    unit_scores,
)


def _frame(values: object, clusters: object = None) -> pd.DataFrame:
    values = np.asarray(values, float)
    return pd.DataFrame({"score": values, "cluster": np.arange(len(values)) if clusters is None else clusters})


def test_repeats_make_no_new_units():
    once, often = make_results(studies=2, units=40), make_results(studies=2, units=40, repeats=5)
    assert len(unit_scores(often, "fusion")) == len(unit_scores(once, "fusion")) == 80
    assert unit_scores(often, "fusion")["score"].mean() == pytest.approx(often.accuracy("fusion"))


def test_equal_names_in_two_studies_are_two_units():
    scores = unit_scores(make_results(studies=3, units=10, cluster="identity"), "fusion")
    assert len(scores) == 30
    assert scores["cluster"].nunique() == 9  # three faces a study, none of them shared


def test_differences_are_paired_by_unit():
    results = make_results(studies=1, units=30)
    pairs = unit_differences(results, "fusion", "visual")
    expected = unit_scores(results, "fusion")["score"] - unit_scores(results, "visual")["score"]
    np.testing.assert_allclose(pairs["score"], expected)


def test_differences_use_only_what_both_arms_predicted():
    results = make_results(studies=1, units=30)
    rows = results.predictions
    rows = rows[(rows["arm"] != "real") | (rows["unit"] < "picture-0010")]
    assert len(unit_differences(make_results(predictions=rows), "fusion", "real")) == 10
    rows = rows[(rows["arm"] != "fusion") | (rows["unit"] >= "picture-0010")]
    with pytest.raises(DataError, match="no unit in common"):
        unit_differences(make_results(predictions=rows), "fusion", "real")


def test_perfect_scores_are_not_certain():
    for clusters in (None, np.arange(50) // 5):
        found = accuracy_interval(_frame(np.ones(50), clusters))
        assert found.high == pytest.approx(1)
        assert found.low < 0.95


def test_one_cluster_has_no_interval():
    found = difference_interval(_frame(np.ones(40), np.zeros(40)))
    assert np.isnan(found.low)
    assert found.value == 1


def test_clusters_widen_the_interval():
    """Forty pictures of each face, alike within a face: the faces count, not the pictures."""
    rng = np.random.default_rng(0)
    faces = np.repeat(np.arange(40), 40)
    values = (rng.random(40) < 0.6)[faces].astype(float)
    plain = accuracy_interval(_frame(values))
    clustered = accuracy_interval(_frame(values, faces))
    assert clustered.high - clustered.low > 4 * (plain.high - plain.low)


def test_few_clusters_use_students_t():
    values = np.array([0.1, 0.3, 0.2, 0.4, 0.25])
    found = cluster_interval(values, np.arange(5))
    reach = stats.t.ppf(0.975, 4) * stats.sem(values)
    assert (found.low, found.high) == pytest.approx((values.mean() - reach, values.mean() + reach))


def test_many_clusters_are_what_scipys_bootstrap_over_them_says():
    values, clusters = np.random.default_rng(4).choice([-1.0, 0, 0.5, 1], 300), np.arange(300) // 5
    data = pd.DataFrame({"v": values, "c": clusters}).groupby("c")["v"].agg(["sum", "size"]).to_numpy(float).T
    expected = stats.bootstrap(
        tuple(data), lambda total, size, axis: total.sum(axis=axis) / size.sum(axis=axis), paired=True,
        vectorized=True, method="percentile", rng=np.random.default_rng(5),
    ).confidence_interval  # fmt: skip
    found = cluster_interval(values, clusters)
    assert (found.low, found.high) == pytest.approx(tuple(expected), abs=0.02)


def test_intervals_of_differences_cover_the_truth():
    rng = np.random.default_rng(2)
    for n, clusters in ((12, None), (60, None), (200, np.arange(200) // 20)):
        covered = 0
        for _ in range(60):
            shift = rng.normal(0, 0.05, n)[clusters] if clusters is not None else 0
            found = difference_interval(_frame(rng.choice([1, -1, 0], n, p=[0.15, 0.1, 0.75]) + shift, clusters))
            covered += found.low <= 0.05 <= found.high
        assert covered >= 53, n


@pytest.mark.parametrize(("won", "lost"), [(8, 2), (0, 5), (30, 12)])
def test_a_single_split_is_tested_as_mcnemar_does(won, lost):
    values = np.r_[np.ones(won), -np.ones(lost), np.zeros(50)]
    expected = stats.binomtest(won, won + lost).pvalue
    assert paired_test(_frame(values)) == pytest.approx(expected)


def test_scores_over_repeats_are_tested_by_flipping_signs():
    values = np.array([0.4, 0.2, -0.2, 0.6, 0.8, 0.0, 0.4])
    signs = np.array(np.meshgrid(*[[1, -1]] * 7)).reshape(7, -1)
    expected = np.mean(np.abs(values @ signs) >= abs(values.sum()) - 1e-9)
    assert paired_test(_frame(values)) == pytest.approx(expected)


def test_many_scores_are_tested_as_scipy_does():
    values = np.random.default_rng(6).choice(np.linspace(-1, 1, 11), 80, p=np.r_[np.full(6, 0.08), np.full(5, 0.104)])
    expected = stats.permutation_test(
        (values,), lambda v, axis: v.sum(axis=axis), permutation_type="samples", vectorized=True, n_resamples=9999,
        rng=np.random.default_rng(7),
    ).pvalue  # fmt: skip
    assert paired_test(_frame(values)) == pytest.approx(expected, abs=0.02)


def test_what_no_flip_of_a_lot_reaches_is_one_in_ten_thousand():
    values = np.linspace(0.1, 1, 40)  # all of unlike size, so that flips are drawn
    assert paired_test(_frame(values)) == 1e-4
    values[::3] *= -1
    assert paired_test(_frame(values)) == paired_test(_frame(values)) > 1e-3, "as often as it is asked"


def test_clusters_that_differ_alike_are_flipped_whole():
    values, faces = np.ones(40), np.arange(40) // 10
    assert paired_test(_frame(values)) < 1e-6
    assert paired_test(_frame(values, faces)) == pytest.approx(2 * 0.5**4)


def test_equal_arms_have_p_one():
    assert paired_test(_frame(np.zeros(20))) == 1


def test_p_is_uniform_without_a_difference():
    rng = np.random.default_rng(3)
    values = [paired_test(_frame(rng.choice([-0.5, 0.5, 1, -1, 0], 12))) for _ in range(100)]
    assert np.mean(np.array(values) < 0.1) < 0.18


def test_holm_follows_its_definition():
    values = np.array([0.01, 0.04, 0.03, 0.5])
    expected = np.maximum.accumulate(np.minimum(1, np.sort(values) * np.arange(4, 0, -1)))
    np.testing.assert_allclose(holm(values), expected[np.argsort(np.argsort(values))])
    assert holm([]).shape == (0,)


def test_holm_of_an_example_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.4, 0.5, 0.01]).tolist() == pytest.approx([0.8, 0.8, 0.03]) and holm([0.7, 0.9]).max() == 1
    assert np.isnan(holm([0.01, float("nan")])).tolist() == [False, True]


@pytest.mark.parametrize(("right", "n"), [(0, 8), (8, 8), (1, 3), (77, 87), (450, 1000)])
def test_wilsons_interval_is_scipys(right, n):
    expected = stats.binomtest(right, n).proportion_ci(method="wilson")
    assert wilson_interval(right / n, n) == pytest.approx((expected.low, expected.high))


def test_resampled_t_is_wider_than_the_plain_t():
    values = np.array([0.02, 0.05, 0.01, 0.04, 0.03])
    corrected = corrected_resampled_t(values, 0.25)
    error = np.sqrt((1 / 5 + 0.25) * values.var(ddof=1))
    low, high = stats.t.interval(0.95, 4, values.mean(), error)
    assert corrected == pytest.approx((0.03, low, high, 2 * stats.t.sf(0.03 / error, 4), 5))
    assert corrected.p > stats.ttest_1samp(values, 0).pvalue
    assert corrected_resampled_t(values, 0.0).p == pytest.approx(stats.ttest_1samp(values, 0).pvalue)
    assert corrected_resampled_t(values[:2], 0.25).splits == 2
    with pytest.raises(DataError, match="needs two"):
        corrected_resampled_t(values[:1], 0.25)
    for value, p in ((0.5, 0.0), (0.0, 1.0)):  # splits that differ alike
        assert corrected_resampled_t(np.full(3, value), 0.25) == (value, value, value, p, 3)


def test_resampled_t_is_for_splits_of_one_corpus_that_leave_something_to_train_on():
    assert resampled_test(make_results(studies=2, units=20), "fusion", "visual") is None
    assert resampled_test(make_results(studies=1, units=20, folds=1), "fusion", "visual") is None
    assert resampled_test(make_results(studies=1, units=20, folds=1, repeats=2), "fusion", "visual") is None
    assert resampled_test(make_results(studies=1, units=20, folds=2), "fusion", "visual").splits == 2
    results = make_results(studies=1, units=60, folds=3, repeats=2)
    right = [results.rows(arm).groupby(["repeat", "fold"])["correct"].mean() for arm in ("fusion", "visual")]
    expected = corrected_resampled_t((right[0] - right[1]).to_numpy(), 20 / 40)
    assert resampled_test(results, "fusion", "visual") == pytest.approx(expected) and expected.splits == 6


@pytest.mark.parametrize("series", ["trial", None])
def test_ratings_are_compared_by_the_errors_of_series(series):
    """Five people of two trials of four rows, rated twice; without a series each row is one, drawn by itself."""
    results = rated_results(subjects=5, trials=2, rows=4, repeats=2, cluster=series and "subject", series=series)
    shape = (2, 10, 4) if series else (2, 40, 1)
    own, other, constant = (
        np.sqrt((results.rows(arm)["error"].to_numpy().reshape(shape) ** 2).mean(axis=2))
        for arm in ("eeg", "alone", "majority")
    )
    spared = (other - own) / constant.mean()  # (repeats, series)
    rows = results.rows("eeg").iloc[:40]
    names = rows[series or "unit"].drop_duplicates()
    people = "one/" + rows.drop_duplicates(series or "unit")["subject" if series else "unit"]
    for frame, values in (
        (unit_scores(results, "eeg"), own),
        (unit_differences(results, "eeg", "alone"), spared),
    ):
        assert frame.index.names == ["study", series or "unit"]
        ordered = frame.loc["one"].loc[names]
        np.testing.assert_allclose(ordered["score"], values.mean(axis=0))
        assert ordered["cluster"].tolist() == people.tolist()
    people_own = own.reshape(2, 5, -1)
    assert group_scores(results, "eeg", "subject").tolist() == pytest.approx(people_own.mean(axis=(0, 2)).tolist())
    assert group_scores(results, "eeg", "repeat").tolist() == pytest.approx(people_own.mean(axis=(1, 2)).tolist())
    clusters = spared.mean(axis=0).reshape(5 if series else 40, -1).mean(axis=1)
    low, high = stats.t.interval(0.95, len(clusters) - 1, clusters.mean(), stats.sem(clusters))
    assert gain(results, "eeg", "alone") == pytest.approx((spared.mean(), low, high, len(clusters)))
    even = np.repeat(np.arange(5) % 2 == 0, len(names) // 5)  # people of the first fold
    splits = np.stack([spared[:, even].mean(axis=1), spared[:, ~even].mean(axis=1)], axis=1).ravel()
    assert resampled_test(results, "eeg", "alone") == pytest.approx(corrected_resampled_t(splits, 20 / 20))


def test_scores_by_group_weigh_units_alike():
    results = make_results(studies=2, units=30, repeats=2)
    by_study = group_scores(results, "fusion", "study")
    assert by_study.mean() == pytest.approx(results.accuracy("fusion"))
    assert list(group_scores(results, "fusion", "face_gender").index) == ["female", "male"]


def test_chance_counts_units_and_the_commonest_class():
    assert chance(np.array(["a", "b"] * 20), 2).threshold == stats.binom.isf(0.05, 40, 0.5) / 40
    uneven = chance(np.array(["a"] * 30 + ["b"] * 10), 2)
    assert uneven.best == 0.75
    assert uneven.threshold > 0.8


def test_chance_of_repeats_counts_units_once():
    assert chance_of(make_results(studies=1, units=30, repeats=4)).n == 30


def test_permuted_labels_at_chance_pass_and_a_leak_is_seen():
    assert not beats_chance(make_results(), "permuted")
    assert beats_chance(make_results(skill={"permuted": 1.5}), "permuted")


def test_a_class_named_right_by_luck_is_no_leak():
    """Permuted labels: each model calls every true class by one name, at random."""
    alarms = 0
    for seed in range(8):
        results = make_results(studies=2, units=60, folds=2, seed=seed)
        rng = np.random.default_rng(seed)
        rows = results.predictions.copy()
        own = rows["arm"] == "permuted"
        named = {key: rng.choice(results.classes) for key in rows[own].groupby(["study", "fold", "truth"]).groups}
        said = [named[key] for key in rows.loc[own, ["study", "fold", "truth"]].itertuples(index=False, name=None)]
        rows.loc[own, "predicted"] = said
        alarms += beats_chance(make_results(predictions=rows), "permuted")
    assert alarms == 0
