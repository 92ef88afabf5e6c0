"""Results of ratings: figures in two aggregations, intervals over whole trials, the verdict, the report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_up_ratings import ARMS, rated_results
from scipy import stats
from sklearn.metrics import r2_score, root_mean_squared_error

from insula.errors import DataError
from insula.evaluation.chance import beats_chance, chance_of
from insula.evaluation.compare import compare
from insula.evaluation.rating_metrics import METRICS, rating_figures
from insula.evaluation.report import write_report
from insula.evaluation.results import Results
from insula.evaluation.statistics import gain, unit_differences
from insula.evaluation.table import metrics_table
from insula.evaluation.verdict import verdict


@pytest.mark.parametrize("repeats", [1, 3])
def test_figures_from_sums_are_those_of_the_rows(repeats: int) -> None:
    results = rated_results(repeats=repeats)
    found = rating_figures(results, "eeg")
    rows = results.rows("eeg")
    of_repeats = [_metrics(part) for _, part in rows.groupby("repeat")]
    for metric in METRICS:
        name = f"{metric}_per_trial"
        if metric != "r2":
            assert found[name] == pytest.approx(np.mean([said[name] for said in of_repeats])), name
    if repeats == 1:
        assert {name: found[name] for name in of_repeats[0]} == pytest.approx(of_repeats[0])
    else:
        assert found["pcc_pooled"] == pytest.approx(_metrics(rows)["pcc_pooled"])
    assert all(found[f"{metric}_pooled_low"] < found[f"{metric}_pooled"] < found[f"{metric}_pooled_high"]
               for metric in METRICS)  # fmt: skip


def test_a_trial_whose_truth_never_moves_has_no_correlation_and_the_constant_none_to_show() -> None:
    results = rated_results(subjects=2, trials=2)
    rows = results.predictions
    rows.loc[rows["trial"] == "S0/t0", "truth"] = 0.1 + 0.2
    found = rating_figures(Results(**{**_fields(results), "predictions": rows}), "eeg")
    expected = _metrics(rows[rows["arm"] == "eeg"])
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    constant = rating_figures(results, "majority")
    assert constant["pcc_per_trial"] == constant["pcc_pooled"] == 0


def test_intervals_resample_whole_trials_and_subjects_never_rows() -> None:
    width = {}
    for cluster in ("unit", "trial", "subject"):
        results = rated_results(subjects=12, cluster=cluster, series="unit" if cluster == "unit" else "trial")
        found = rating_figures(results, "eeg")
        width[cluster] = found["rmse_pooled_high"] - found["rmse_pooled_low"]
    assert width["trial"] > 2.5 * width["unit"]  # errors last through a trial of twenty rows: sqrt(20) is 4.5
    assert width["subject"] > 2.5 * width["unit"]


def test_the_interval_of_an_accuracy_over_rows_of_trials_is_that_of_whole_trials() -> None:
    results = rated_results(subjects=12)
    rows = results.predictions
    columns = {"truth": "truth", "predicted": "rating"}
    named = {name: np.where(rows[column] > 0, "high", "low") for name, column in columns.items()}
    rows = rows.assign(**named, p_low=named["predicted"] == "low", p_high=named["predicted"] == "high")
    fields = {**_fields(results), "predictions": rows.assign(label=rows["truth"]), "classes": ("low", "high")}
    tables = {
        cluster: metrics_table(Results(**{**fields, "cluster": cluster, "series": cluster})).set_index("arm")
        for cluster in (None, "trial")
    }
    width = {cluster: table.loc["eeg", "high"] - table.loc["eeg", "low"] for cluster, table in tables.items()}
    assert width["trial"] > 2 * width[None]
    assert tables["trial"].loc["alone", "p"] > tables[None].loc["alone", "p"]
    few, many = (chance_of(Results(**{**fields, "series": series})).threshold for series in ("trial", None))
    assert few > many


def test_the_interval_covers_as_often_as_it_says() -> None:
    """Twelve clusters (jackknife) and forty (bootstrap), errors that last through a trial."""
    for subjects, least in ((3, 0.8), (10, 0.85)):
        held = []
        for seed in range(30):
            found = rating_figures(rated_results(subjects=subjects, trials=4, rows=4, seed=seed), "alone")
            held.append(found["rmse_pooled_low"] <= 0.4 <= found["rmse_pooled_high"])
        assert np.mean(held) > least


def test_a_gain_is_a_share_of_the_constant_predictors_error_paired_over_trials() -> None:
    results = rated_results()
    errors = {arm: results.series_errors(results.rows(arm)) for arm in ("eeg", "alone", "majority")}
    spared = (errors["alone"] - errors["eeg"]) / errors["majority"].mean()
    units = unit_differences(results, "eeg", "alone")
    assert units["score"].to_numpy() == pytest.approx(spared.to_numpy()) and len(units) == 48
    found = gain(results, "eeg", "alone")
    assert found.value == pytest.approx(spared.mean()) and found.n == 48
    table = metrics_table(results).set_index("arm")
    assert table.loc["alone", "difference"] == pytest.approx(found.value)
    flips = {"permutation_type": "samples", "n_resamples": 9999, "rng": 0}
    expected = stats.permutation_test((spared.to_numpy(),), np.mean, **flips).pvalue
    assert table.loc["alone", "p"] == pytest.approx(expected, abs=0.02)
    assert table.loc["eeg", "uncertainty_error"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("noise", "kind"),
    [
        ({"eeg": 0.05, "alone": 0.6}, "helps"),
        ({"eeg": 0.6, "alone": 0.05}, "harms"),
        ({"eeg": 0.0, "alone": 0.005}, "helps"),
        ({"eeg": 0.3, "alone": 0.31}, "undecided"),
    ],
)
def test_the_verdict_on_ratings(noise: dict[str, float], kind: str) -> None:
    said = verdict(rated_results(noise=noise))
    assert said.kind == kind and "48 trials" in said.sentence
    assert any("Against the constant predictor" in note for note in said.notes)
    if noise["alone"] == 0.005:
        assert "by less than two per cent" in said.sentence


def test_the_constant_predictor_is_not_noted_where_it_is_the_comparator() -> None:
    said = verdict(rated_results(comparators=("majority",)))
    assert said.against == "majority" and not any("constant predictor" in note for note in said.notes)


def test_a_difference_inside_two_per_cent_of_the_constants_error_is_nothing() -> None:
    results = rated_results()
    rows = results.predictions
    rating = rows.loc[rows["arm"] == "alone", "rating"].to_numpy()
    rows.loc[rows["arm"] == "eeg", "rating"] = rating + 0.001 * np.random.default_rng(0).standard_normal(len(rating))
    assert verdict(Results(**{**_fields(results), "predictions": rows})).kind == "contributes nothing"


def test_permuted_ratings_that_beat_the_constant_are_refused() -> None:
    assert not beats_chance(rated_results(), "permuted")
    assert not beats_chance(rated_results(leak=0.01), "permuted")
    leaking = rated_results(leak=0.5)
    assert beats_chance(leaking, "permuted") and verdict(leaking).kind == "refused"


def test_ratings_without_the_constant_predictor_are_refused() -> None:
    results = rated_results()
    rows = results.predictions[results.predictions["arm"] != "majority"]
    arms = tuple(arm for arm in ARMS if arm.name != "majority")
    with pytest.raises(DataError, match="ratings need the constant predictor"):
        Results(**{**_fields(results), "predictions": rows, "arms": arms})
    rows = results.predictions.assign(rating=np.nan)
    with pytest.raises(DataError, match="the rating is no number"):
        Results(**{**_fields(results), "predictions": rows})


def test_what_two_modalities_say_is_no_group() -> None:
    said = {"uncertainty_eeg": 0.1, "uncertainty_face": 0.2, "discrepancy": 0.3, "mode": "both", "reason": ""}
    results = rated_results()
    told = Results(**{**_fields(results), "predictions": results.predictions.assign(**said)})
    assert told.groups == results.groups == ("subject", "trial")


def test_the_report_of_ratings_shows_both_aggregations_and_the_constant(tmp_path: Path) -> None:
    results = rated_results(repeats=2)
    write_report(results, tmp_path / "run")
    page = (tmp_path / "run" / "report.html").read_text()
    for words in ("Within each trial", "Pooled", "Concordance", "constant: mean of the training ratings",
                  "Truth and rating over time", "Rating against truth", "Error of every arm", "Against each comparator",
                  "Uncertainty with error"):  # fmt: skip
        assert words in page, words
    again = Results.open(tmp_path / "run")
    assert again.series == "trial" and again.rated
    assert verdict(again).sentence == verdict(results).sentence
    other = rated_results(noise={"eeg": 0.1}, repeats=2)
    write_report(other, tmp_path / "other")
    table = compare([tmp_path / "run", tmp_path / "other"]).set_index("run")
    assert table.loc["other", "error"] < table.loc["run", "error"] and table.loc["other", "difference"] > 0.02
    assert table.loc["other", "series"] == table.loc["other", "shared"] == 48


def _metrics(rows: pd.DataFrame) -> dict[str, float]:
    """Return what scipy and scikit-learn say, of all rows and of one trial after the other."""

    def correlations(part: pd.DataFrame) -> tuple[float, float]:
        truth, rating = part["truth"], part["rating"]
        (var_t, both), (_, var_p) = np.cov(truth, rating, bias=True)
        return stats.pearsonr(truth, rating)[0], 2 * both / (var_t + var_p + (truth.mean() - rating.mean()) ** 2)

    trials = [part for _, part in rows.groupby("trial")]
    moving = [part for part in trials if np.ptp(part["truth"]) > 0]
    pcc, ccc = np.mean([correlations(part) for part in moving], axis=0)
    missed = sum(((part["truth"] - part["rating"]) ** 2).sum() for part in moving)
    figures = {
        "rmse_pooled": root_mean_squared_error(rows["truth"], rows["rating"]),
        "r2_pooled": r2_score(rows["truth"], rows["rating"]),
        "rmse_per_trial": np.mean([root_mean_squared_error(part["truth"], part["rating"]) for part in trials]),
        "r2_per_trial": 1 - missed / sum(part["truth"].var(ddof=0) * len(part) for part in moving),
        "pcc_per_trial": pcc, "ccc_per_trial": ccc,
    }  # fmt: skip
    return figures | dict(zip(("pcc_pooled", "ccc_pooled"), correlations(rows), strict=True))


def _fields(results: Results) -> dict:
    return {name: getattr(results, name) for name in results.__dataclass_fields__}
