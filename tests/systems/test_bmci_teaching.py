"""What subjects teach, measured on held-out pictures; real EEG as baseline and ablation; trained vision."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from insula.emotions import Categorical
from insula.samples import Samples, concat
from insula.systems.bmci import teaching
from insula.systems.bmci.bank import Bank
from insula.systems.bmci.brain import Epochs, brain_code
from insula.systems.bmci.settings import BMCISettings, Vision
from insula.systems.bmci.system import BMCI
from insula.systems.bmci.teaching import by_picture
from insula.training.settings import Training
from insula.training.threads import one_thread, spare_processes
from toy import CLASSES, toy_study

TASK = Categorical(label="emotion", classes=CLASSES)
LINEAR = BMCISettings(encoder="linear", trees=10, folds=2, time_bins=10, penalties=(0.1,))
GRU = LINEAR.model_copy(update={"encoder": "gru", "training": Training(epochs=12, patience=4, batch_size=16)})

pytestmark = pytest.mark.slow


def _parts(samples: Samples) -> tuple[Samples, Samples, Samples]:
    number = samples.table["identity"].str[-2:].astype(int).to_numpy()
    share = number / (number.max() + 1)
    parts = [share >= 0.4, (share >= 0.25) & (share < 0.4), share < 0.25]
    train, validation, test = (samples.select(np.flatnonzero(part)) for part in parts)
    return train, validation, test


@pytest.fixture(scope="module")
def clear() -> tuple[BMCI, Samples]:
    """A system taught by clear EEG, and the test part."""
    train, validation, test = _parts(toy_study(pictures=90, strength=3))
    settings = LINEAR.model_copy(update={"regressors": ("forest", "ridge", "kernel-ridge")})
    return BMCI(settings).fit(train, validation, TASK), test


def test_virtual_eeg_agrees_with_held_out_eeg_as_far_as_the_brain_answers(clear: tuple[BMCI, Samples]) -> None:
    found = clear[0].measure(clear[1].without(["emotion"]))
    assert set(found) == {"toy/S1", "toy/S2"}
    for measured in found.values():
        assert set(measured["r2"]) == {"forest", "ridge", "kernel-ridge"}
        assert measured["pictures"] == clear[1].table["stimulus"].nunique()
        assert measured["r2"]["ridge"]["uniform"] > 0.3
    train, validation, test = _parts(toy_study(pictures=240, strength=0))
    silent = BMCI(LINEAR).fit(train, validation, TASK)
    assert all(abs(fact["r2"]["uniform"]) < 0.1 for fact in silent.facts["subjects"].values())
    held_out = [score["uniform"] for one in silent.measure(test).values() for score in one["r2"].values()]
    assert max(held_out) < 0.05, "below 0 where chance moved the mean, never above"


def test_recurrent_embeddings_have_128_numbers_and_agree_too() -> None:
    train, validation, test = _parts(toy_study(pictures=90, strength=3, subjects=["S1"]))
    system = BMCI(GRU.model_copy(update={"regressors": ("ridge",)})).fit(train, validation, TASK)
    assert system.virtual_eeg(test)["toy/S1"].shape == (len(test), 128)
    assert system.measure(test)["toy/S1"]["r2"]["ridge"]["uniform"] > 0.3


def test_the_table_is_the_mean_over_fits_regressors_by_subjects(clear: tuple[BMCI, Samples]) -> None:
    facts = [{"held_out": clear[0].measure(part)} for part in (clear[1], clear[1].select(slice(0, None, 2)))]
    (table,) = BMCI.tables([*facts, {"seconds": {}}]).values()
    assert table.index.tolist() == ["forest", "ridge", "kernel-ridge"]
    expected = np.mean([fact["held_out"]["toy/S2"]["r2"]["ridge"]["uniform"] for fact in facts])
    assert table.loc["ridge", "toy/S2"] == pytest.approx(expected)
    assert BMCI.tables([{"seconds": {}}]) == {}


def test_eeg_alone_is_the_encoder_and_says_where_there_was_none(clear: tuple[BMCI, Samples]) -> None:
    system, test = clear
    hidden = test.without(["emotion"])
    said = system.predict(hidden, "eeg")
    assert set(said.table["mode"]) == {"eeg"}
    assert (said.labels == test.table["emotion"]).mean() > 0.8
    member = system.bank.members[0]
    mine = np.flatnonzero(test.units("subject") == member.name)
    assert member.encoder is not None
    expected = member.encoder.predict_proba(test.select(mine).read("eeg"))
    assert np.array_equal(said.probabilities[mine], expected)
    blind = system.predict(hidden.without(["eeg_store", "eeg_row"]), "eeg")
    assert set(blind.table["mode"]) == {"prior"} and len(np.unique(blind.probabilities, axis=0)) == 1


def test_epistemic_is_said_where_trees_were_asked() -> None:
    train, validation, test = _parts(toy_study(pictures=45))
    forest = BMCI(LINEAR.model_copy(update={"regressors": ("forest",)})).fit(train, validation, TASK)
    assert (forest.predict(test).table["epistemic"] > 0).all()
    assert forest.predict(test, "visual").table["epistemic"].isna().all()
    member = forest.bank.members[0]
    visual = forest.space.coordinates(test)
    alone = Bank([member], LINEAR, len(CLASSES)).epistemic(visual)
    assert np.array_equal(alone, member.regressor.spread(visual))


def test_embeddings_in_fold_are_the_label_in_disguise() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(90) % 3
    noise = Epochs(rng.standard_normal((90, 6, 40)).astype(np.float32), labels, np.arange(90))
    codes = [
        brain_code(noise, None, 3, LINEAR.model_copy(update={"embeddings": way}), "S1")
        for way in ("in-fold", "out-of-fold")
    ]
    right = [(code.targets.argmax(axis=1) == labels).mean() for code in codes]
    assert right[0] > 0.7 and right[1] < 0.5, "a third would be chance"
    assert np.array_equal(codes[0].targets, codes[0].encoder.embed(noise.values)) and np.isnan(codes[0].alignment)


def test_in_fold_runs_through_a_fit_and_reports_no_alignment() -> None:
    train, validation, test = _parts(toy_study(pictures=45))
    system = BMCI(LINEAR.model_copy(update={"embeddings": "in-fold"})).fit(train, validation, TASK)
    assert all("alignment" not in fact for fact in system.facts["subjects"].values())
    assert np.isfinite(system.predict(test).probabilities).all()


def test_classifiers_can_be_trained_on_real_eeg_as_an_ablation() -> None:
    train, validation, test = _parts(toy_study(pictures=45, watched=0.6))
    virtual = BMCI(LINEAR).fit(train, validation, TASK)
    real = BMCI(LINEAR.model_copy(update={"classifier_reads": "real"})).fit(train, validation, TASK)
    for one, other in zip(virtual.bank.members, real.bank.members, strict=True):
        assert one.fitted_on is not None and other.fitted_on is not None
        visual = one.fitted_on.visual
        assert np.array_equal(one.regressor.predict(visual), other.regressor.predict(visual))
        same = (one.fitted_on.virtual == other.fitted_on.virtual).all(axis=1)
        assert len(same) - same.sum() == len(one.fitted_on.codes), "only pictures with EEG are read otherwise"
    assert not np.array_equal(real.predict(test).probabilities, virtual.predict(test).probabilities)


def test_repeats_of_a_picture_are_averaged_as_embeddings() -> None:
    code = np.array([[1, 2], [3, 4], [5, 6]], np.float32)
    assert by_picture(code, np.array([1, 0, 1])).tolist() == [[3, 4], [3, 4]]
    once = toy_study(pictures=45)
    table = once.table.set_index(once.table.index + 1000).assign(trial=once.table["trial"] + "b")
    twice = concat([once, Samples(table, once.stores)])
    train, validation, _ = _parts(twice)
    system = BMCI(LINEAR).fit(train, validation, TASK)
    assert system.facts["subjects"]["toy/S1"]["pictures"] == len(train) // 4


def test_a_virtual_eeg_that_shrinks_is_a_fact_and_no_alarm(caplog: pytest.LogCaptureFixture) -> None:
    train, validation, _ = _parts(toy_study(pictures=45, strength=0))
    with caplog.at_level(logging.WARNING):
        system = BMCI(LINEAR).fit(train, validation, TASK)
    ratios = [fact["variance_ratio"] for fact in system.facts["subjects"].values()]
    assert system.facts["subjects whose virtual EEG shrank to the mean"] == sum(ratio < 0.3 for ratio in ratios) > 0
    assert "mean" not in caplog.text


def test_subjects_taught_in_processes_of_their_own_teach_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    train, validation, test = _parts(toy_study(pictures=45))
    settings = GRU.model_copy(update={"training": Training(epochs=2), "subjects": 2})
    before = torch.get_num_threads()
    monkeypatch.setattr(teaching, "_LONG", 0)
    with one_thread():
        assert spare_processes() == 1
        alone = BMCI(settings).fit(train, validation, TASK)
    torch.set_num_threads(2)
    try:
        with one_thread(alone=True):
            assert spare_processes() == 2
            shared = BMCI(settings).fit(train, validation, TASK)
    finally:
        torch.set_num_threads(before)
    assert spare_processes() == 1
    assert np.array_equal(shared.predict(test).probabilities, alone.predict(test).probabilities)
    assert [fit.step for fit in shared.log.fits] == [fit.step for fit in alone.log.fits]


def test_views_of_a_trained_network_teach_together(tmp_path: Path) -> None:
    samples = toy_study(pictures=60, noise=0.1)
    train, validation, test = _parts(samples)
    pool = train.table["identity"].isin(["person18", "person19"])
    train = train.with_columns(emotion=train.table["emotion"].where(~pool))
    vision = Vision(width=16, views=3, adapt="mmd", target="pool", training={"epochs": 2, "batch_size": 16})
    settings = LINEAR.model_copy(update={"backbone": "resnet10t", "picture_size": 32, "vision": vision})
    system = BMCI(settings).fit(train, validation, TASK)
    seen = train.table.loc[~pool, "stimulus"].nunique()
    assert system.training is not None and len(system.training.visual) == 3 * seen
    assert (system.training.labels.reshape(seen, 3) == system.training.labels[::3, None]).all()
    assert all(len(member.fitted_on.codes) == 3 * seen for member in system.bank.members if member.fitted_on)
    assert "gap" in system.facts["vision"]
    fits = {fit.step: fit for fit in system.log.fits}
    target = fits["target of the picture network"]
    assert target.use == "inputs" and set(target.ids) == set(train.ids[pool.to_numpy()])
    assert fits["epoch of the picture network"].use == "selection"
    system.save(tmp_path / "system")
    hidden = test.without(["emotion"])
    said, again = system.predict(hidden), BMCI.load(tmp_path / "system").predict(hidden)
    assert np.allclose(said.probabilities, again.probabilities, atol=1e-5)
    pd.testing.assert_index_equal(said.table.index, hidden.table.index)


def test_the_estimate_counts_what_costs_time() -> None:
    train = _parts(toy_study(pictures=45))[0]

    def seconds(**changes: object) -> float:
        return BMCI(GRU.model_copy(update=changes)).estimate_seconds(train)

    assert seconds(trees=1000) > 2 * seconds(trees=100) > seconds(regressors=("ridge",)) > 0
    assert seconds(embeddings="in-fold") < seconds() < seconds(regressors=("forest", "extra-trees"))
    network = {"backbone": "resnet10t", "picture_size": 32}
    assert seconds(**network, vision=Vision(training={"epochs": 9})) > seconds(**network) > seconds()
    assert BMCI(GRU).estimate_seconds(train.without(["eeg_store", "eeg_row"])) == 0
