"""Steps of recipes: what they do to samples, and that they look at no more than they say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from insula.eeg.alignment import OnlineAlignment
from insula.eeg.covariance import reference_covariance
from insula.eeg.features import differential_entropy
from insula.eeg.pipelines import PIPELINES
from insula.eeg.smoothing import initial_moments, lds, lds_causal, online_normalise
from insula.eeg.steps import STEPS, apply_steps, parse_steps
from insula.errors import DataError, SettingsError
from insula.protocols import protocol
from insula.samples import ArrayStore, Description, Samples, provenance
from insula.storage.cache import Cache
from toy import toy_windows

CHANNELS = ("C3", "C4")


def after(samples: Samples, *steps: dict[str, Any], cache: Path, train: np.ndarray | None = None) -> Samples:
    ids = samples.ids if train is None else train
    return apply_steps(parse_steps(steps), samples, ids, Cache(cache))[0]


@pytest.fixture
def shuffled() -> Samples:
    """Windows whose rows are in no order at all, as after a join of corpora."""
    samples = toy_windows(windows=5)
    return samples.select(np.random.default_rng(0).permutation(len(samples)))


def in_time(samples: Samples, *units: str) -> list[np.ndarray]:
    table = samples.table.reset_index(drop=True).sort_values("start", kind="stable")
    return [group.index.to_numpy() for _, group in table.groupby(list(units))]


@pytest.mark.parametrize("causal", [False, True])
def test_a_trial_is_smoothed_in_the_order_of_its_windows(shuffled: Samples, causal: bool, tmp_path: Path) -> None:
    found = after(shuffled, {"name": "smooth", "causal": causal}, cache=tmp_path).read("features")
    before = shuffled.read("features")
    for trial in in_time(shuffled, "subject", "session", "trial"):
        expected = (lds_causal if causal else lds)(before[trial][..., 0])
        assert_allclose(found[trial][..., 0], expected, rtol=1e-6)
    assert found.dtype == np.float32 and found.shape == before.shape


def test_a_session_is_normalised_by_its_past_and_the_people_of_training(shuffled: Samples, tmp_path: Path) -> None:
    training = shuffled.table["subject"].isin(["S1", "S2"]).to_numpy()
    found = after(shuffled, {"name": "normalise-online"}, cache=tmp_path, train=shuffled.ids[training]).read("features")
    before = shuffled.read("features")[..., 0]
    moments = initial_moments(before[training], shuffled.table["subject"].to_numpy()[training])
    for session in in_time(shuffled, "subject", "session"):
        assert_allclose(found[session][..., 0], online_normalise(before[session], *moments), rtol=1e-4, atol=1e-5)


def test_windows_are_aligned_by_those_before_them(shuffled: Samples, tmp_path: Path) -> None:
    training = shuffled.select(shuffled.table["subject"].isin(["S1", "S2"]).to_numpy())
    step = {"name": "align-online", "method": "riemannian", "weight": 3}
    found = after(shuffled, step, cache=tmp_path, train=training.ids).read("eeg")
    reference = reference_covariance(training, "eeg", "riemannian")
    for session in in_time(shuffled, "subject", "session"):
        expected = OnlineAlignment(reference, "riemannian", 3).align(shuffled.read("eeg")[session])
        assert_allclose(found[session], expected, atol=1e-4)


@pytest.mark.parametrize("name", ["normalise-online", "align-online", "smooth"])
def test_neither_other_sessions_nor_their_future_tell(name: str, tmp_path: Path) -> None:
    samples, step = toy_windows(windows=5), {"name": name, **({"causal": True} if name == "smooth" else {})}
    modality = "eeg" if name == "align-online" else "features"
    late = (samples.table["subject"] == "S4") & (samples.table["start"] >= 30)
    values = samples.read(modality).copy()
    values[late] *= 3
    store = ArrayStore(values, samples.store(modality).description)
    changed = samples.with_modality(modality, "changed", store, range(len(samples)))
    train = samples.ids[samples.table["subject"] != "S4"]
    found, other = (after(some, step, cache=tmp_path, train=train).read(modality) for some in (samples, changed))
    assert_array_equal(found[~late], other[~late])
    assert np.abs(found[late] - other[late]).max() > 0.01


def with_baseline(kept: int = 4) -> Samples:
    """Two trials of two windows; noise that is twice as loud before the second, features of the same noise."""
    rng = np.random.default_rng(0)
    signal = Description(kind="signal", axes=("channel", "time"), rate=128, channels=CHANNELS, units="uV")
    bands = Description(kind="features", axes=("channel", "band"), channels=CHANNELS, units="nats")
    quiet = rng.standard_normal((1, 2, 384)).astype(np.float32)
    baselines = np.concatenate([quiet, 2 * quiet])
    features = np.repeat(differential_entropy(baselines, 128).mean(axis=1), 2, axis=0)
    trial = ["1", "1", "2", "2"]
    table = provenance(corpus="c", subject="S1", session="1", trial=trial, start=[0, 1, 5, 6.0], stop=[1, 2, 6, 7.0])
    samples = Samples(table, {}).with_modality("features", "features", ArrayStore(features, bands), range(4))
    rows = [row if place < kept else -1 for place, row in enumerate((0, 0, 1, 1))]
    return samples.with_modality("baseline", "baseline", ArrayStore(baselines, signal), rows)


def test_a_baseline_takes_the_loudness_away(tmp_path: Path) -> None:
    samples = with_baseline()
    before = samples.read("features")
    assert_allclose(before[2] - before[0], np.log(2), rtol=1e-4)
    assert_allclose(after(samples, {"name": "subtract-baseline"}, cache=tmp_path).read("features"), 0, atol=1e-5)


def test_another_montage_comes_before_what_follows(tmp_path: Path) -> None:
    steps = {"name": "harmonise", "montage": ["P4", "F3"]}, {"name": "align"}
    found = after(toy_windows(), *steps, cache=tmp_path)
    assert found.store("eeg").description.channels == ("P4", "F3")
    assert_allclose(reference_covariance(found.select(found.table["subject"] == "S2"), "eeg"), np.eye(2), atol=1e-4)


def test_steps_say_what_they_look_at() -> None:
    steps = {name: step.parse({}, where="test") for name, step in STEPS.items()}
    people, trials = protocol("subject-disjoint"), protocol("trial-disjoint")
    each = trials.model_copy(update={"scored_unit": "sample"})
    looking = {
        chosen.scored_unit + chosen.name: [name for name in steps if steps[name].access(chosen) == "unlabelled"]
        for chosen in (people, trials, each)
    }
    assert looking["trialsubject-disjoint"] == ["align", "standardise"]
    assert looking["trialtrial-disjoint"] == ["align", "align-online", "normalise-online", "standardise"]
    assert looking["sampletrial-disjoint"] == ["align", "align-online", "normalise-online", "smooth", "standardise"]


def test_what_learns_says_from_whom(tmp_path: Path) -> None:
    samples = toy_windows()
    steps = parse_steps([{"name": "smooth"}, {"name": "normalise-online"}])
    _, log = apply_steps(steps, samples, samples.ids[:10], Cache(tmp_path))
    assert [(fit.step, fit.ids.tolist(), fit.use) for fit in log.fits] == [
        ("step 2 normalise-online", samples.ids[:10].tolist(), "inputs")
    ]


def test_another_training_part_makes_other_features(tmp_path: Path) -> None:
    samples, step = toy_windows(), {"name": "normalise-online"}
    some, others = (samples.ids[samples.table["subject"].isin(names)] for names in (["S1"], ["S2", "S3"]))
    first = after(samples, step, cache=tmp_path, train=some).read("features")
    second = after(samples, step, cache=tmp_path, train=others).read("features")
    assert np.abs(first - second).max() > 1e-3
    assert_array_equal(after(samples, step, cache=tmp_path, train=some).read("features"), first)


def test_samples_without_the_modality_stay_without(tmp_path: Path) -> None:
    samples = toy_windows()
    lacking = samples.table.assign(features_store=samples.table["features_store"].where(samples.table["trial"] != "1"))
    lacking["features_row"] = np.where(lacking["features_store"].isna(), -1, lacking["features_row"])
    some = Samples(lacking, samples.stores)
    found = after(some, {"name": "smooth"}, cache=tmp_path)
    assert_array_equal(found.has("features"), some.has("features"))
    whole = after(samples, {"name": "smooth"}, cache=tmp_path)
    kept = some.has("features")
    assert_array_equal(found.select(kept).read("features"), whole.select(kept).read("features"))


def test_bad_input_is_one_line(tmp_path: Path) -> None:
    samples = toy_windows()
    untimed = samples.with_columns(start=np.nan)
    nobody = samples.with_columns(trial=pd.array([None] * len(samples), dtype="str"))
    for some, step, message in [
        (untimed, "smooth", r"96 samples do not say when they start \(features\)"),
        (nobody, "smooth", r"96 samples belong to no trial \(features\)"),
        (samples, "subtract-baseline", r"no baseline to subtract \(steps\): set corpus.baseline"),
        (with_baseline(kept=3), "subtract-baseline", r"1 samples have features and no baseline"),
        (samples.without(["features_store", "features_row"]), "smooth", "no sample has the modality features"),
    ]:
        with pytest.raises(DataError, match=message):
            after(some, {"name": step}, cache=tmp_path)
    with pytest.raises(SettingsError, match=r"unknown step 'algin' \(steps\): did you mean align"):
        parse_steps([{"name": "algin"}])
    with pytest.raises(
        SettingsError,
        match=r"unknown key 'cauzal' \(step smooth\): did you mean causal\? known keys are causal, modality",
    ):
        parse_steps([{"name": "smooth", "cauzal": True}])


@pytest.mark.parametrize("name", PIPELINES)
def test_steps_of_pipelines_can_be_read(name: str) -> None:
    assert len(parse_steps(PIPELINES[name].steps)) == len(PIPELINES[name].steps)
    assert len({pipeline.digest() for pipeline in PIPELINES.values()}) == len(PIPELINES)


def test_few_labels_keeps_those_of_some_people_and_all_that_was_recorded(tmp_path):
    table = provenance(corpus="c", subject=list("aabbccdd"), trial=[str(i) for i in range(8)])
    samples = Samples(table.assign(emotion=["fear", "calm"] * 4), {})
    train = samples.select(table["subject"].isin(list("abc")).to_numpy())
    few, fewer = (
        parse_steps([{"name": "few-labels", "label": "emotion", "count": count}])["1 few-labels"] for count in (2, 1)
    )
    kept, less = (step.apply(samples, train, Cache(tmp_path)).table for step in (few, fewer))
    labelled, fewest = (set(one["subject"][one["emotion"].notna()]) for one in (kept, less))
    assert len(kept) == 8
    assert len(labelled & set("abc")) == 2
    assert fewest < labelled
    assert "d" in fewest  # of the test part, whose labels are nobody's to take
    with pytest.raises(DataError, match="3 labelled subjects in the training part, of which 4 are wanted"):
        parse_steps([{"name": "few-labels", "label": "emotion", "count": 4}])["1 few-labels"].apply(
            samples, train, Cache(tmp_path)
        )


def test_standardised_features_have_each_persons_own_unit(tmp_path):
    values = np.random.default_rng(0).normal(size=(8, 2, 3)).astype(np.float32)
    values[:4] = 100 * values[:4] + 7
    values[:, 1, 2] = 5  # says nothing
    form = Description(kind="features", axes=("channel", "band"), channels=CHANNELS, units="nats")
    table = provenance(corpus="c", subject=list("aaaabbbb"), trial=[str(i) for i in range(8)])
    samples = Samples(table.assign(start=np.arange(8.0)), {}).with_modality(
        "features", "features", ArrayStore(values, form), range(8)
    )
    made = after(samples, {"name": "standardise"}, cache=tmp_path).read("features")
    for rows in (slice(4), slice(4, 8)):
        part = values[rows].astype(float)
        wanted = (part - part.mean(axis=0)) / np.maximum(part.std(axis=0), 1e-9)
        assert_allclose(made[rows], wanted, atol=1e-4)
    assert parse_steps([{"name": "standardise"}])["1 standardise"].access(protocol("subject-disjoint")) == "unlabelled"
