"""UCMC as a whole, on toy pairs: arms, guards, what is missing, ratings, saving, beginning from what was saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from insula.deployment.fitting import fit_bundle
from insula.emotions import Categorical, Continuous, Cut
from insula.errors import DataError, SettingsError
from insula.evaluation.recipe import Recipe
from insula.samples import ArrayStore, Samples
from insula.storage.cache import Cache
from insula.systems.ucmc.settings import UCMCSettings
from insula.systems.ucmc.system import UCMC
from toy import CLASSES, toy_pairs

TASK = Categorical(label="emotion", classes=CLASSES)
BRIEF = {"epochs": 5, "patience": 5, "batch_size": 16, "learning_rate": 3e-3}
OFF = {"similarity": False, "uncertainty": False, "distillation": False, "contrast_weight": 0.0}


def parts(samples: Samples) -> tuple[Samples, Samples, Samples]:
    """Two subjects to learn from, one to choose on, one to test."""
    subject = samples.table["subject"].to_numpy()
    return tuple(samples.select(np.isin(subject, names)) for names in (("S1", "S2"), ("S3",), ("S4",)))  # type: ignore[return-value]


TRAIN, HELD, TEST = parts(toy_pairs())


def fit(train: Samples = TRAIN, held: Samples = HELD, task: Any = TASK, start_from: Path | None = None, unlabelled: Samples | None = None, **changes: Any) -> UCMC:  # fmt: skip  # noqa: E501
    brief = {"training": BRIEF, "teacher": {"training": BRIEF}, "width": 16}
    system = UCMC(UCMCSettings.parse({**brief, **changes}, where="test"))
    return system.fit(train, held, task, start_from=start_from, unlabelled=unlabelled)


def without(samples: Samples, modality: str, where: np.ndarray) -> Samples:
    table = samples.table.copy()
    table.loc[where, f"{modality}_store"] = None
    table.loc[where, f"{modality}_row"] = -1
    return Samples(table, samples.stores)


@pytest.fixture(scope="module")
def fitted() -> UCMC:
    return fit()


def right(system: UCMC, mode: str) -> float:
    return float((system.predict(TEST.without(["emotion"]), mode).labels == TEST.table["emotion"]).mean())


def test_every_arm_learns_and_says_what_it_was_predicted_from(fitted: UCMC) -> None:
    faces = TEST.has("face_features")
    for mode in fitted.modes:
        used = fitted.predict(TEST, mode).table["mode"]
        wanted = {"face": ("face", "none"), "both": ("both", "eeg")}.get(mode, ("eeg", "eeg"))
        assert used.tolist() == np.where(faces, *wanted).tolist()
        assert right(fitted, mode) > 0.5
    both = fitted.predict(TEST, "both").table
    assert both["discrepancy"].between(0, 1).tolist() == faces.tolist()
    assert (
        both["uncertainty"].between(0, 1).all() and both["reason"].tolist() == np.where(faces, "", "no face").tolist()
    )
    assert both["uncertainty_face"].notna().tolist() == faces.tolist() and both["uncertainty_eeg"].notna().all()


def test_facts_tell_scores_epochs_and_weights(fitted: UCMC) -> None:
    facts = fitted.summary()
    assert set(facts["epochs"]) == {"eeg", "alone", "distillation", "face"}
    assert facts["figure"] == "macro-F1" and 0.4 < facts["validation"]["teacher"] <= 1
    assert facts["bridge"]["weights"]["0 %"] < facts["bridge"]["weights"]["100 %"]
    assert facts["bridge"]["prototype cosine"] < 0.9


def test_everything_switched_off_is_the_student_alone_bit_for_bit() -> None:
    system = fit(**OFF)
    bare, alone = (system.networks[arm].state_dict() for arm in ("eeg", "alone"))
    assert all(torch.equal(bare[name], alone[name]) for name in alone)
    assert np.array_equal(system.predict(TEST, "eeg").probabilities, system.predict(TEST, "alone").probabilities)


def test_the_same_seed_gives_the_same_answers_and_the_head_of_the_teacher_stays(fitted: UCMC) -> None:
    again = fit()
    for mode in fitted.modes:
        assert np.array_equal(again.predict(TEST, mode).probabilities, fitted.predict(TEST, mode).probabilities)
    assert fitted.bridge is not None
    head, copied = fitted.networks["face"].head.state_dict(), fitted.bridge.injection.head.state_dict()
    assert all(torch.equal(head[name], copied[name]) for name in head)


def test_a_saved_one_predicts_from_eeg_without_a_face_and_from_both(fitted: UCMC, tmp_path: Path) -> None:
    fitted.save(tmp_path)
    loaded = UCMC.load(tmp_path)
    bare = TEST.without(["face_features_store", "face_features_row"])
    assert np.allclose(loaded.predict(bare).probabilities, fitted.predict(TEST).probabilities, atol=1e-6)
    for mode in fitted.modes:
        one, other = (system.predict(TEST, mode).table for system in (loaded, fitted))
        numbers = other.select_dtypes("number").columns
        assert np.allclose(one[numbers], other[numbers], atol=1e-6, equal_nan=True)
        assert one["reason"].tolist() == other["reason"].tolist()
    assert np.allclose(loaded.embed(TEST), fitted.embed(TEST), atol=1e-6)


def test_it_begins_with_what_was_saved(fitted: UCMC, tmp_path: Path) -> None:
    fitted.save(tmp_path)
    still = {"epochs": 1, "batch_size": 16, "learning_rate": 1e-9}
    system = fit(start_from=tmp_path, training=still, teacher={"training": still})
    for mode in system.modes:
        assert np.allclose(
            system.predict(TEST, mode).probabilities, fitted.predict(TEST, mode).probabilities, atol=1e-3
        )
    with pytest.raises(SettingsError, match="learnt another task"):
        fit(start_from=tmp_path, task=Categorical(label="emotion", classes=(*CLASSES, "fear")))
    with pytest.raises(SettingsError, match="of another form"):
        fit(start_from=tmp_path, width=8)


def test_embeddings_have_length_one_where_there_is_anything(fitted: UCMC) -> None:
    nothing = without(without(TEST, "features", np.arange(len(TEST)) < 3), "face_features", np.arange(len(TEST)) < 6)
    embedded = fitted.embed(nothing)
    assert embedded.dtype == np.float32
    assert np.allclose(np.linalg.norm(embedded, axis=1), np.arange(len(TEST)) >= 3, atol=1e-5)


def test_missing_corrupted_and_late_cells_never_raise_and_say_so(fitted: UCMC) -> None:
    eeg, face = TEST.store("features"), TEST.store("face_features")
    assert isinstance(eeg, ArrayStore) and isinstance(face, ArrayStore)
    powers, numbers = eeg.values.copy(), face.values.copy()
    rows = np.flatnonzero(TEST.has("face_features"))[:5]
    powers[TEST.rows("features")[rows[0]]] = np.nan
    numbers[TEST.rows("face_features")[rows[1]], 2] = np.inf
    powers[TEST.rows("features")[rows[2]]] = np.inf
    numbers[TEST.rows("face_features")[rows[2]]] = np.nan
    skew = np.zeros(len(TEST))
    skew[rows[3]] = -0.8
    stores = {**TEST.stores, "features": ArrayStore(powers, eeg.description)}
    stores["face_features"] = ArrayStore(numbers, face.description)
    broken = Samples(TEST.table.assign(skew=skew), stores)
    said = fitted.predict(broken, "both")
    assert said.table["mode"].to_numpy()[rows].tolist() == ["face", "eeg", "none", "eeg", "both"]
    assert said.table["reason"].to_numpy()[rows].tolist() == [
        "EEG not finite", "face not finite", "EEG not finite; face not finite", "face 0.8 s from the EEG", "",
    ]  # fmt: skip
    assert np.isfinite(said.probabilities).all()
    untold = said.table.iloc[rows[2]]
    assert untold["uncertainty"] == 1
    assert np.allclose(said.probabilities[rows[2]], fitted.task_head.shares)
    apart = np.setdiff1d(np.arange(len(TEST)), rows[:4])
    assert np.allclose(said.probabilities[apart], fitted.predict(TEST, "both").probabilities[apart])


@pytest.mark.parametrize("encoder", ["mlp", "tcn"])
def test_eeg_of_which_the_network_says_what_is_not_finite_is_as_good_as_none(encoder: str) -> None:
    system = fit(encoder=encoder, training={**BRIEF, "epochs": 1}, teacher={"training": {**BRIEF, "epochs": 1}})
    store, faces = TEST.store("features"), TEST.has("face_features")
    assert isinstance(store, ArrayStore)
    rows, powers = [*np.flatnonzero(faces)[:3], np.flatnonzero(~faces)[0]], store.values.copy()
    for row, value in zip(rows, (-3e38, 1e30, 3e38, 3e38), strict=True):
        powers[TEST.rows("features")[row]] = value
    broken = Samples(TEST.table, {**TEST.stores, "features": ArrayStore(powers, store.description)})
    late = broken.with_columns(skew=np.where(np.arange(len(TEST)) == rows[0], 2.0, 0.0))
    for mode, used in {"eeg": ["none"] * 4, "alone": ["none"] * 4, "both": ["face"] * 3 + ["none"]}.items():
        said = system.predict(late, mode)
        assert said.table["mode"].to_numpy()[rows].tolist() == used
        assert said.table["reason"].iloc[rows].str.startswith("answer from EEG not finite").all()
        assert said.table["reason"].str.contains("not finite").sum() == 4, "neighbours of a sequence stay"
        assert np.isfinite(said.probabilities).all() and said.table["uncertainty"].between(0, 1).all()
    lengths = np.linalg.norm(system.embed(broken), axis=1)
    assert lengths == pytest.approx(np.where(np.arange(len(TEST)) == rows[3], 0.0, 1.0), abs=1e-5)


def test_the_example_of_the_card_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setenv("INSULA_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    short = ["corpus.subjects=6", "corpus.trials=3", "system.training.epochs=1", "system.teacher.training.epochs=1"]
    fit_bundle(Recipe.load("ucmc-simulated", short), Path("ucmc"), Cache())
    text = (Path("ucmc") / "card.md").read_text()
    exec(text.split("```python\n")[1].split("```")[0], {})
    assert {"mode", "reason", "uncertainty", "emotion"} <= set(capsys.readouterr().out.split())


@pytest.mark.parametrize("modality", ["features", "face_features"])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_any_share_may_be_missing_in_training_and_in_use(modality: str, share: float) -> None:
    drawn = np.random.default_rng(0)
    lacking = [without(part, modality, drawn.random(len(part)) < share) for part in (TRAIN, HELD, TEST)]
    system = fit(*lacking[:2], training={**BRIEF, "epochs": 1}, teacher={"training": {**BRIEF, "epochs": 1}})
    for mode in system.modes:
        for test in (TEST, lacking[2]):
            said = system.predict(test, mode)
            assert np.allclose(said.probabilities.sum(axis=1), 1)
            nothing = said.table["mode"] == "none"
            assert (said.table.loc[nothing, "reason"] != "").all() and (
                said.table.loc[nothing, "uncertainty"] == 1
            ).all()
    used = set(system.predict(TEST, "both").table["mode"])
    learnt = {"features": {"face", "none"}, "face_features": {"eeg"}}[modality]
    assert used == learnt if share == 1 else "both" in used


def test_faces_of_which_none_can_be_used_are_as_good_as_none() -> None:
    form = TRAIN.store("face_features").description
    nothing = {**TRAIN.stores, "face_features": ArrayStore(np.full((200, 6), np.nan, np.float32), form)}
    brief = {"training": {**BRIEF, "epochs": 1}}
    for train in (Samples(TRAIN.table, nothing), TRAIN.with_columns(skew=2.0)):
        system = fit(train, teacher=brief, **brief)
        assert "no labelled training row has a face" in system.summary()["warnings"][0]
        said = system.predict(TEST, "both").table
        assert set(said["mode"]) == {"eeg"} and "face not learnt in training" in set(said["reason"])


def test_a_teacher_worse_than_the_student_is_not_distilled_from_and_both_figures_are_said() -> None:
    brief = {**BRIEF, "epochs": 3}
    guarded = UCMC(UCMCSettings(width=16, training={**BRIEF}, teacher={"training": brief})).placebo("permuted-teacher")
    facts = guarded.fit(TRAIN, HELD, TASK).summary()
    figures = facts["validation"]
    assert figures["teacher"] < figures["student alone"]
    assert any(
        f"{figures['teacher']:.3f}" in warning and f"{figures['student alone']:.3f}" in warning
        for warning in facts["warnings"]
    )
    undistilled = fit(stand_in="permuted-teacher", distillation=False, teacher={"training": brief})
    assert np.array_equal(guarded.predict(TEST).probabilities, undistilled.predict(TEST).probabilities)
    heard = fit(stand_in="permuted-teacher", guard=False, teacher={"training": brief})
    assert not heard.summary()["warnings"] or "distilled" not in heard.summary()["warnings"][0]
    assert not np.array_equal(guarded.predict(TEST).probabilities, heard.predict(TEST).probabilities)


def test_rows_without_a_label_are_aligned_and_the_log_says_so(fitted: UCMC) -> None:
    some = TRAIN.table["emotion"].where(np.arange(len(TRAIN)) % 2 == 0)
    half = TRAIN.with_columns(emotion=some)
    labelled = half.select(half.table["emotion"].notna().to_numpy())
    few, aligned, further = fit(labelled), fit(half), fit(labelled, unlabelled=TEST.without(["emotion"]))
    answers = [system.predict(TEST).probabilities for system in (few, aligned, further)]
    assert not np.array_equal(answers[0], answers[1]) and not np.array_equal(answers[0], answers[2])
    alone = [system.predict(TEST, "alone").probabilities for system in (few, aligned, further)]
    assert np.array_equal(alone[0], alone[1]) and np.array_equal(alone[0], alone[2])
    uses = {fit.use for fit in further.log.fits if np.isin(fit.ids, TEST.ids).any()}
    assert uses == {"inputs"}


@pytest.mark.parametrize("evidential", [False, True])
def test_ratings_come_in_their_own_units_with_an_uncertainty(evidential: bool, tmp_path: Path) -> None:
    felt = dict(zip(CLASSES, (2.0, 5.0, 8.0), strict=True))
    train, held, test = (
        part.with_columns(valence=part.table["emotion"].map(felt).astype(float)) for part in (TRAIN, HELD, TEST)
    )
    longer = {"training": {**BRIEF, "epochs": 15}}
    system = fit(
        train, held, Continuous(label="valence", scale=(1, 9)), evidential=evidential, teacher=longer, **longer
    )
    for mode in system.modes:
        said = system.predict(test.without(["valence", "emotion"]), mode).table
        assert np.corrcoef(said["rating"], test.table["valence"])[0, 1] > 0.5
        assert said["uncertainty"].dropna().between(0, 1).all()
    assert system.predict(test, "alone").table["uncertainty"].notna().all() == evidential
    system.save(tmp_path)
    assert np.allclose(
        UCMC.load(tmp_path).predict(test, "both").table["rating"], system.predict(test, "both").table["rating"]
    )


def test_a_cut_rating_is_a_task_of_classes() -> None:
    felt = np.random.default_rng(0).normal(size=len(TRAIN))
    cut = Cut(label="felt", edges=(-0.5, 0.5))
    brief = {"training": {**BRIEF, "epochs": 1}}
    system = fit(TRAIN.with_columns(felt=felt), HELD.with_columns(felt=np.nan), cut, teacher=brief, **brief)
    assert system.predict(TEST).classes == ("low", "medium", "high")


def test_a_class_that_nobody_shows_is_said_and_one_class_is_an_error() -> None:
    shown = TRAIN.table["emotion"].to_numpy()
    brief = {"training": {**BRIEF, "epochs": 1}}
    system = fit(TRAIN.select(shown != "neutral"), HELD, teacher=brief, **brief)
    assert system.summary()["warnings"][0] == (
        "no labelled training row is of the class neutral, so it is never learnt: label some, or name it no class"
    )
    with pytest.raises(DataError, match="1 classes among"):
        fit(TRAIN.select(shown == "neutral"))
    with pytest.raises(DataError, match="no labelled training row has nothing or less"):
        fit(eeg="nothing", face="less")


def test_plain_distillation_can_be_left_out_and_imitate_features() -> None:
    brief = {"training": {**BRIEF, "epochs": 1}}
    system = UCMC(UCMCSettings.parse({"width": 16, "teacher": brief, **brief}, where="test")).alone()
    system.fit(TRAIN, HELD, TASK)
    with pytest.raises(SettingsError, match="no arm 'distillation'"):
        system.predict(TEST, "distillation")
    outputs, features = (fit(imitation=name, teacher=brief, **brief) for name in ("outputs", "features"))
    said = [part.predict(TEST, "distillation").probabilities for part in (outputs, features)]
    assert not np.array_equal(*said)
    assert np.array_equal(outputs.predict(TEST).probabilities, features.predict(TEST).probabilities)


def test_shuffled_faces_reach_the_teacher_and_the_student_alone_is_untouched(fitted: UCMC) -> None:
    for name in ("shuffled-faces", "shuffled-within"):
        placebo = fitted.placebo(name).fit(TRAIN, HELD, TASK)
        assert np.array_equal(placebo.predict(TEST, "alone").probabilities, fitted.predict(TEST, "alone").probabilities)
        assert not np.array_equal(
            placebo.predict(TEST, "face").probabilities, fitted.predict(TEST, "face").probabilities
        )
        assert not np.array_equal(placebo.predict(TEST).probabilities, fitted.predict(TEST).probabilities)
