"""mdJPT's values against the same worked out step by step: moments, features, losses and prototypes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from test_mdjpt_system import TASK, both_parts, corpus, fitted, unfitted

from insula.eeg.smoothing import lds, lds_causal, online_normalise
from insula.errors import DataError
from insula.objectives.contrast import supervised_contrast
from insula.objectives.covariance_alignment import centroids, covariance_alignment
from insula.objectives.pair_contrast import pair_contrast
from insula.samples import ArrayStore, concat
from insula.systems.mdjpt.aligning import PairAlignment
from insula.systems.mdjpt.encoding import encoded, finished, source_moments
from insula.systems.mdjpt.pretrained import Pretrained, untrained
from insula.systems.mdjpt.windows import Windows
from insula.training.pairs import PairSampler


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSULA_CACHE", str(tmp_path / "cache"))


def two_sessions():
    """Return windows of four people, whose last two clips are of a second session."""
    samples = corpus("one", "source")
    late = samples.table["stimulus"].isin(["c2", "c3"])
    return samples.with_columns(session=late.map({False: "1", True: "2"}), start=np.tile(np.arange(12.0), 4) * 2)


def test_a_calibrated_session_takes_the_moments_of_its_first_seconds():
    samples, settings = two_sessions(), unfitted(normalise="calibration", calibration=4.0).settings
    network = untrained(settings)
    windows = Windows(samples, "eeg", settings.encoder.montage)
    source, loudness = source_moments(network, windows, samples, settings)
    made = encoded(Pretrained(network, source, loudness, {}), samples, settings)
    for person in range(4):
        for session in (np.arange(6), np.arange(6, 12)):
            places = 12 * person + session
            with torch.inference_mode():
                wanted = network(windows.read(places), network.session_moments([windows.read(places[:2])]))
            np.testing.assert_allclose(made[places], wanted.numpy(), atol=1e-6)


def test_moments_of_pretraining_are_means_over_sessions_of_each_corpus():
    """Each corpus counts alike, deviations as variances, and loudness is the median of people."""
    samples = concat([two_sessions(), corpus("two", "source")])
    settings = unfitted(normalise="source").settings
    network, windows = untrained(settings), Windows(samples, "eeg", settings.encoder.montage)
    source, loudness = source_moments(network, windows, samples, settings)
    sessions = [[12 * person + np.arange(first, first + 6) for person in range(4) for first in (0, 6)],
                [48 + 12 * person + np.arange(12) for person in range(4)]]  # fmt: skip
    with torch.inference_mode():
        each = [[network.session_moments([windows.read(places)]) for places in one] for one in sessions]
    for place in range(2):
        means = [torch.stack([moments[place].mean for moments in one]).mean(dim=0) for one in each]
        spread = [torch.stack([moments[place].deviation ** 2 for moments in one]).mean(dim=0) for one in each]
        torch.testing.assert_close(source[place].mean, torch.stack(means).mean(dim=0), rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(
            source[place].deviation, torch.stack(spread).mean(dim=0).sqrt(), rtol=1e-4, atol=1e-6
        )
    loud = [windows.loudness(windows.person[places[0]])[1] for one in sessions for places in one]
    assert loudness == pytest.approx(np.median(loud))
    people = Windows(samples, "eeg", settings.encoder.montage, (0.0, loudness))
    made = encoded(Pretrained(network, source, loudness, {}), samples, settings)
    with torch.inference_mode():
        np.testing.assert_allclose(made[:3], network(people.read(np.arange(3)), source).numpy(), atol=1e-6)


@pytest.mark.parametrize("smoothing", ["none", "lds", "lds-causal"])
@pytest.mark.parametrize("online", [False, True])
@pytest.mark.parametrize("stratum", ["session", "subject"])
def test_features_are_normalised_by_their_stratum_so_far_and_smoothed_by_their_trial(smoothing, online, stratum):
    samples = two_sessions()
    settings = unfitted(smoothing=smoothing, online=online, stratum=stratum).settings
    features = np.random.default_rng(0).normal(3, 2, (48, 5)).astype(np.float32)
    mean, variance = np.full(5, 2.0, np.float32), np.full(5, 9.0, np.float32)
    wanted = (features - mean) / 3
    if online:
        length = 6 if stratum == "session" else 12
        wanted = np.concatenate([online_normalise(part, mean, variance) for part in features.reshape(-1, length, 5)])
    if smoothing != "none":
        smooth = lds if smoothing == "lds" else lds_causal
        wanted = np.concatenate([smooth(trial) for trial in wanted.reshape(-1, 3, 5)])
    np.testing.assert_allclose(finished(features, samples, settings, (mean, variance)), wanted, atol=1e-5)


@pytest.mark.parametrize("two_pass", [False, True])
@pytest.mark.parametrize("centre", ["euclidean", "log-euclidean"])
@pytest.mark.parametrize("conditions", [False, True])
def test_losses_and_their_gradient_are_the_weighted_sum(two_pass, centre, conditions):
    samples = concat([corpus("one", "source"), corpus("two", "source")])
    weights = {"contrast_weight": 3.0, "covariance_weight": 0.5, "centre": centre, "two_pass": two_pass}
    kind = {"pairs": "same-condition", "condition": "source", "clips": 6} if conditions else {}
    settings = unfitted(**weights, **kind).settings
    shown = (samples.table["source"] == "fear").to_numpy(int)
    windows = Windows(samples, "eeg", settings.encoder.montage)
    sampler = PairSampler(samples.table, settings.pairs, settings.condition, settings.clips)
    objective = PairAlignment(windows, sampler, settings, "", shown if conditions else None)
    network, mine = untrained(settings), untrained(settings)
    losses = objective.backward(network, objective.draw(0, 0), 0.25, torch.device("cpu"))
    contrast, means = 0.0, []
    for places in sampler.draw(settings.seed, 0, 0):
        people = torch.arange(2).repeat_interleave(len(places) // 2)
        views = mine.views(windows.read(places.numpy()), people)
        rows = mine.project(views.maps, people)
        if conditions:
            contrast = contrast + supervised_contrast(rows, torch.from_numpy(shown[places]), temperature=0.07)
        else:
            contrast = contrast + pair_contrast(rows, 0.07)
        means.append(centroids(views.spatial, people, mean=centre))
    distance = covariance_alignment(torch.cat(means))
    (0.25 * (3.0 * contrast + 0.5 * distance)).backward()
    assert losses["between people"] == pytest.approx(contrast.item(), rel=1e-5)
    assert losses["between corpora"] == pytest.approx(distance.item(), rel=1e-4)
    scale = max(float(part.grad.abs().max()) for part in mine.parameters())
    for own, wanted in zip(network.parameters(), mine.parameters(), strict=True):
        torch.testing.assert_close(own.grad, wanted.grad, rtol=1e-3, atol=1e-5 * scale)


def test_prototypes_are_mean_directions_of_labelled_windows_of_others_and_answer_by_their_cosine():
    train, test = both_parts()
    known = (train.table["subject"] != "S2").to_numpy()
    train = train.with_columns(source=train.table["source"].where(known))
    mdjpt = fitted(train)
    others = train.select(train.table["source"].notna().to_numpy())
    assert next(fit for fit in mdjpt.log.fits if fit.step == "prototypes").ids.tolist() == others.ids.tolist()
    features = finished(mdjpt.embed(others), others, mdjpt.settings, mdjpt.first)
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    of_class = [unit[(others.table["source"] == name).to_numpy()].mean(axis=0) for name in TASK.classes]
    np.testing.assert_allclose(mdjpt.prototypes, of_class, atol=1e-5)
    queries = finished(mdjpt.embed(test), test, mdjpt.settings, mdjpt.first)
    cosines = np.array(
        [[query @ one / np.linalg.norm(query) / np.linalg.norm(one) for one in of_class] for query in queries]
    )
    powers = np.exp(cosines / 0.1)
    made = mdjpt.predict(test, "prototypes").probabilities
    np.testing.assert_allclose(made, powers / powers.sum(axis=1, keepdims=True), atol=1e-4)


def test_an_offset_of_a_persons_recording_does_not_matter():
    samples = corpus("one", "source")
    values = samples.read("eeg").astype(np.float64)
    offset = ArrayStore((values + 40).astype(np.float32), samples.store("eeg").description)
    higher = samples.with_modality("eeg", "higher", offset, range(len(values)))
    montage = ("Fz", "Cz", "C4")
    one, other = (Windows(some, "eeg", montage).read(np.arange(6)) for some in (samples, higher))
    assert float((one - other).abs().max()) < 0.1  # what counts as an artefact may change by a sample


def test_placebos_take_away_what_they_are_named_for():
    mdjpt = unfitted()
    before = mdjpt.settings.model_dump()
    for name, changed in (
        ("untrained", {"pretraining": {**before["pretraining"], "epochs": 0}}),
        ("without-people", {"contrast_weight": 0.0}),
        ("without-corpora", {"covariance_weight": 0.0}),
    ):
        assert mdjpt.placebo(name).settings.model_dump() == {**before, **changed}


def test_windows_too_short_for_the_encoder_are_refused_before_a_step_with_the_length_to_type():
    train, _ = both_parts()
    with pytest.raises(DataError, match=r"windows of 2\.5 s are too short .*set corpus\.window=\d+(\.\d)? or longer"):
        fitted(train, encoder={"pooling": 8}, source_label=None)


def test_where_no_stimulus_is_named_trials_of_one_name_are_one_clip():
    train, test = both_parts()
    named = [some.with_columns(stimulus=None, trial=some.table["stimulus"]) for some in (train, test)]
    alone = fitted(train).predict(test, "nearest-other-clips").probabilities
    np.testing.assert_allclose(fitted(named[0]).predict(named[1], "nearest-other-clips").probabilities, alone)
    none = [some.with_columns(stimulus=None) for some in (train, test)]  # each trial is one person's own
    mdjpt = fitted(none[0], pairs="same-condition", condition="source", source_label=None)
    assert list(mdjpt.modes) == ["few-shot", "nearest"]
