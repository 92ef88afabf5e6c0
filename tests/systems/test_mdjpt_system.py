"""mdJPT: what it learns from, what it looks at, and what it says of data that it cannot use."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from insula.emotions import Categorical
from insula.errors import DataError, InsulaError, LabelError, SettingsError
from insula.samples import ArrayStore, Description, Samples, concat, provenance
from insula.systems.catalogue import system
from insula.systems.mdjpt.aligning import PairAlignment
from insula.systems.mdjpt.encoding import nearest_votes
from insula.systems.mdjpt.pretrained import pretrained, untrained
from insula.systems.mdjpt.windows import Windows
from insula.training.pairs import PairSampler

TASK = Categorical(label="emotion", classes=("calm", "fear"))
CAPS = {"one": ("Fz", "Cz", "Pz", "C3", "C4", "O1"), "two": ("Cz", "Pz", "F3", "F4"), "three": ("Fz", "Cz", "C3", "P4")}


def corpus(name: str, label: str, electrodes=None, people=4, clips=4, windows=3, louder=None) -> Samples:
    """Return windows of people who watched the same clips: every other clip shows fear, and is louder."""
    electrodes = electrodes or CAPS[name]
    rng, rows, signals = np.random.default_rng(sorted(CAPS).index(name)), [], []
    loudness = louder or [1 + 3 * (clip % 2) for clip in range(clips)]
    for person in range(people):
        mixing = rng.normal(size=(len(electrodes), 3)) + 1
        for clip in range(clips):
            for window in range(windows):
                shown = np.random.default_rng([clip, window]).normal(size=(3, 125)) * loudness[clip]
                signals.append(mixing @ shown + rng.normal(size=(len(electrodes), 125)))
                rows.append((f"S{person}", f"{person}-{clip}", f"c{clip}", TASK.classes[clip % 2], 2.0 * window))
    columns = pd.DataFrame(rows, columns=["subject", "trial", "stimulus", "shown", "start"])
    ids = {column: columns[column].tolist() for column in ("subject", "trial", "stimulus")}
    table = provenance(corpus=name, session="1", **ids)
    table = table.assign(
        start=columns["start"].array, stop=columns["start"].array + 2, **{label: columns["shown"].array}
    )
    form = Description(kind="signal", axes=("channel", "time"), rate=50, channels=electrodes, units="uV")
    store = ArrayStore(np.array(signals, np.float32), form)
    return Samples(table, {}).with_modality("eeg", f"eeg of {name}", store, range(len(store)))


def both_parts(**target: Any) -> tuple[Samples, Samples]:
    """Return two corpora to pre-train on with three people of a third, and the fourth person of that."""
    samples = concat([corpus("one", "source"), corpus("two", "source"), corpus("three", "emotion", **target)])
    test = ((samples.table["corpus"] == "three") & (samples.table["subject"] == "S3")).to_numpy()
    return samples.select(~test), samples.select(test)


def unfitted(**settings: Any):
    about = {"pretrain_on": "other-corpora", "pairs": "time-aligned", "source_label": "source", **settings}
    return system("mdjpt", "tiny", **about)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSULA_CACHE", str(tmp_path / "cache"))


def fitted(train: Samples, **settings: Any):
    return unfitted(**settings).fit(train, train.select(slice(0)), TASK)


def test_fear_is_told_by_labels_of_the_corpus_and_by_those_of_others(tmp_path):
    train, test = both_parts()
    mdjpt = fitted(train, pretraining={"epochs": 1, "steps": 20})
    hidden = test.without(["emotion"])
    right = {mode: (mdjpt.predict(hidden, mode).labels == test.table["emotion"]).mean() for mode in mdjpt.modes}
    assert min(right.values()) > 0.7, right
    mdjpt.save(tmp_path / "saved")
    again = type(mdjpt).load(tmp_path / "saved")
    for mode in mdjpt.modes:
        before, after = mdjpt.predict(hidden, mode), again.predict(hidden, mode)
        np.testing.assert_allclose(before.probabilities, after.probabilities, atol=1e-6)


def test_where_a_clip_alone_is_recognised_other_clips_do_not_help():
    """Each clip is as loud as it is, and of two that are nearly as loud one shows fear and the other does not."""
    train, test = both_parts(louder=[1.0, 2.5, 6.0, 15.0])
    mdjpt = fitted(train, pretraining={"epochs": 1, "steps": 20})
    right = {mode: (mdjpt.predict(test, mode).labels == test.table["emotion"]).mean() for mode in mdjpt.modes}
    assert right["nearest"] > 0.8 and right["nearest-other-clips"] <= 0.5, right


def test_pretraining_sees_no_label_and_is_done_once(tmp_path):
    train, _ = both_parts()
    first = fitted(train)
    entries = list((tmp_path / "cache" / "mdjpt").iterdir())
    flipped = train.with_columns(
        emotion=train.table["emotion"].map({"calm": "fear", "fear": "calm"}),
        source=train.table["source"].to_numpy()[::-1],
    )
    second = fitted(flipped, source_label=None)
    assert list((tmp_path / "cache" / "mdjpt").iterdir()) == entries
    assert all(torch.equal(one, other) for one, other in
               zip(first.encoder.network.parameters(), second.encoder.network.parameters(), strict=True))  # fmt: skip
    assert {fit.step: fit.use for fit in first.log.fits}["encoder"] == "inputs"


def test_conditions_that_are_the_label_are_recorded_as_labels():
    train, _ = both_parts()
    train = train.with_columns(kind=train.table["emotion"].fillna(train.table["source"]))
    mdjpt = fitted(train, pairs="same-condition", condition="kind", clips=4)
    assert {fit.step: fit.use for fit in mdjpt.log.fits}["encoder"] == "labels"


@pytest.mark.parametrize("weight", [0.01, 5.0])
def test_two_passes_give_the_joint_gradient(weight):
    samples = concat([corpus("one", "source"), corpus("two", "source")])
    gradients = []
    for two_pass in (False, True):
        settings = unfitted(two_pass=two_pass, covariance_weight=weight).settings
        windows = Windows(samples, "eeg", settings.encoder.montage)
        objective = PairAlignment(windows, PairSampler(samples.table), settings, "")
        network = untrained(settings)
        losses = objective.backward(network, objective.draw(0, 0), 0.5, torch.device("cpu"))
        gradients.append(torch.cat([part.grad.flatten() for part in network.parameters()]))
        assert losses["total"] == pytest.approx(losses["between people"] + weight * losses["between corpora"], rel=1e-5)
    scale = float(gradients[0].abs().max())
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-4, atol=1e-6 * scale)


def test_two_processes_learn_what_one_learns_and_a_killed_one_goes_on(tmp_path, monkeypatch):
    samples = concat([corpus("one", "source"), corpus("two", "source")])
    steps = {"epochs": 2, "steps": 2, "draws": 2, "keep_every": 1, "optimiser": "sgd"}  # weights move as the gradient
    one, two = (
        pretrained(samples, unfitted(pretraining={**steps, "devices": devices}).settings).network for devices in (1, 2)
    )
    for mine, theirs in zip(one.parameters(), two.parameters(), strict=True):
        torch.testing.assert_close(theirs, mine, rtol=1e-4, atol=1e-7)
    monkeypatch.setenv("INSULA_CACHE", str(tmp_path / "another cache"))
    draw, seen = PairAlignment.draw, []

    def killed(self, step, number):
        seen.append((step, number))
        if step == 3 and len(seen) < 9:
            raise KeyboardInterrupt
        return draw(self, step, number)

    monkeypatch.setattr(PairAlignment, "draw", killed)
    settings = unfitted(pretraining=steps).settings
    with pytest.raises(KeyboardInterrupt):
        pretrained(samples, settings)
    again = pretrained(samples, settings).network
    assert all(torch.equal(*both) for both in zip(one.parameters(), again.parameters(), strict=True))
    assert seen.count((0, 0)) == 1, "what was learnt is not learnt again"


def test_draws_are_two_people_at_one_second_of_one_clip_whatever_the_cap():
    samples = concat([corpus("one", "source"), corpus("two", "source")])
    settings = unfitted().settings
    objective = PairAlignment(
        Windows(samples, "eeg", settings.encoder.montage), PairSampler(samples.table), settings, ""
    )
    first, again, other = objective.draw(3, 0), objective.draw(3, 0), objective.draw(4, 0)
    assert [tuple(drawn.windows.shape) for drawn in first] == [(8, 5, 125)] * 2  # four clips, two people, the montage
    assert all(torch.equal(one.windows, two.windows) for one, two in zip(first, again, strict=True))
    assert not torch.equal(first[0].windows, other[0].windows)


def test_a_person_is_divided_by_their_own_loudness_and_their_unit_does_not_matter():
    quiet = corpus("one", "source")
    values = quiet.read("eeg")
    louder = ArrayStore(values * 7, quiet.store("eeg").description)
    loud = quiet.with_modality("eeg", "louder", louder, range(len(values)))
    places, montage = np.arange(6), ("Fz", "Cz", "C4")
    one, other = (Windows(samples, "eeg", montage).read(places) for samples in (quiet, loud))
    torch.testing.assert_close(one, other)
    assert 0.5 < float(one.std()) < 2


def test_moments_of_sessions_do_not_depend_on_who_else_is_predicted():
    train, test = both_parts()
    mdjpt = fitted(train)
    people = train.select((train.table["corpus"] == "three").to_numpy())
    alone, among = mdjpt.embed(test), mdjpt.embed(concat([people, test]))[-len(test) :]
    np.testing.assert_allclose(alone, among, atol=1e-6)


def test_with_moments_of_the_source_a_window_is_what_it_is_whatever_comes_after():
    train, test = both_parts()
    mdjpt = fitted(train, normalise="source")
    assert mdjpt.target_access == "none"
    np.testing.assert_allclose(mdjpt.embed(test)[:5], mdjpt.embed(test.select(slice(5))), atol=1e-6)
    assert unfitted().target_access == "unlabelled"


def test_short_sessions_take_the_moments_of_pretraining_and_it_is_told():
    train, test = both_parts()
    with pytest.warns(UserWarning, match=r"3 sessions of fewer"):
        mdjpt = fitted(train, fewest=13, source_label=None)
    with pytest.warns(UserWarning, match=r"1 sessions of fewer than 13 windows .*system\.fewest"):
        mdjpt.predict(test)


def test_neighbours_of_other_clips_vote_alone():
    gallery = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]])
    labels, clips = np.array([0, 1, 1]), np.array(["a", "b", "c"])
    queries, own = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array(["a", "c"])
    assert nearest_votes(queries, gallery, labels, 2, 1, ()).tolist() == [[1, 0], [0, 1]]
    assert nearest_votes(queries, gallery, labels, 2, 1, (own, clips)).tolist() == [[0, 1], [0, 1]]
    assert nearest_votes(queries[:1], gallery, labels, 2, 3, ()).round(2).tolist() == [[0.33, 0.67]]
    alone = nearest_votes(queries[:1], gallery[:1], labels[:1], 2, 1, (own[:1], clips[:1]))
    assert alone.tolist() == [[0.5, 0.5]], "none is left to vote"


def _no_common_electrode() -> Samples:
    return concat([corpus("one", "source", ("AF7", "AF8")), corpus("three", "emotion")])


def _one_person() -> Samples:
    return concat([corpus("one", "source", people=1), corpus("three", "emotion")])


def _other_windows() -> Samples:
    one = corpus("one", "source")
    shorter = ArrayStore(one.read("eeg")[..., :50], one.store("eeg").description)
    return concat([one.with_modality("eeg", "short", shorter, range(len(shorter))), corpus("three", "emotion")])


def _no_other_corpus() -> Samples:
    return corpus("three", "emotion")


def _nobody() -> Samples:
    one = corpus("one", "source")
    return concat([one.with_columns(subject=None), corpus("three", "emotion")])


@pytest.mark.parametrize(
    ("samples", "refusal"),
    [
        (_one_person, r"one"),
        (_other_windows, r"windows of two kinds: .*50 samples.* and 125 samples.*pipeline=mdjpt"),
        (_no_other_corpus, r"no other one to pre-train on .*system\.pretrain_on=all"),
        (_nobody, r"48 windows belong to nobody .*subject"),
    ],
)
def test_what_cannot_be_learnt_from_is_refused_in_one_line(samples, refusal):
    with pytest.raises(InsulaError, match=refusal) as caught, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted(samples(), source_label=None)
    assert "\n" not in str(caught.value)


def test_corpora_that_share_no_electrode_with_the_montage_are_refused():
    with pytest.raises(DataError, match=r"no electrode of .*montage.*one.*system\.encoder\.montage"):
        fitted(_no_common_electrode(), source_label=None)


def test_labels_of_other_corpora_that_name_no_class_of_the_task_are_refused():
    train, _ = both_parts()
    names = train.table["source"].map({"calm": "neutral", "fear": "Afraid"})
    with pytest.raises(LabelError, match=r"no window of the other corpora is labelled calm .*they are Afraid, neutral"):
        fitted(train.with_columns(source=names))


def test_weights_of_another_encoder_are_refused(tmp_path):
    train, _ = both_parts()
    fitted(train).save(tmp_path / "saved")
    with pytest.raises(SettingsError, match="weights of another encoder"):
        fitted(train, weights=tmp_path / "saved", encoder={"features": 2, "filters": 8})
    again = fitted(train, weights=tmp_path / "saved")
    assert "encoder" not in {fit.step for fit in again.log.fits}


def test_pairs_of_a_condition_name_the_column():
    with pytest.raises(SettingsError, match=r"system\.condition=COLUMN"):
        system("mdjpt", "tiny", pairs="same-condition")
    train, _ = both_parts()
    with pytest.raises(SettingsError, match=r"no column 'kind' \(system\.condition\)"):
        fitted(train, pairs="same-condition", condition="kind")
