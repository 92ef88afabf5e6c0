"""NeuroGaze-Distill: students, what they learn from, and that a face is enough in the end."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from insula.corpora.fakes import FAKES
from insula.emotions import LABEL_SPACES, Categorical
from insula.errors import BundleError, DataError, SettingsError
from insula.evaluation.experiment import run
from insula.evaluation.label_sets import label_sets
from insula.evaluation.recipe import Recipe
from insula.evaluation.report import write_report
from insula.evaluation.sweep import Sweep
from insula.objectives.prototypes import interpolated, prototype_loss
from insula.protocols.protocol import protocol
from insula.samples import Samples
from insula.storage.cache import Cache
from insula.systems.catalogue import system
from insula.systems.neurogaze.bank import PrototypeBank, handmade_prototypes
from insula.systems.neurogaze.lessons import anchors_of, teacher_logits, wanted_affinities
from insula.systems.neurogaze.loss import StudentLoss, packed
from insula.systems.neurogaze.settings import NeuroGazeSettings
from insula.systems.neurogaze.system import NeuroGaze
from toy import CLASSES, toy_unpaired

TASK = Categorical(label="emotion", classes=CLASSES)
SMALL: dict[str, Any] = {
    "backbone": "test_resnet", "image_teacher": "test_resnet", "sizes": (32,), "augment": False,
    "training": {"epochs": 3, "batch_size": 16, "learning_rate": 2e-3, "keep": "last"},
    "geometry": {"start": 0, "end": 2},
    "teacher": {"map_size": 8, "widths": (8,), "width": 32, "training": {"epochs": 2}},
}  # fmt: skip
STUDY = toy_unpaired()
OF = protocol("identity-disjoint", folds=3, validation_share=0.2)
SPLIT = OF.splits(STUDY, TASK)[0]
TRAIN, HELD, TEST = (STUDY.by_id(ids) for ids in (SPLIT.train, SPLIT.validation, SPLIT.test))


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INSULA_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def build(**changes: Any) -> Any:
    return system("neurogaze", **{**SMALL, **changes})


def fit(train: Samples = TRAIN, **changes: Any) -> NeuroGaze:
    return build(**changes).fit(train, HELD, TASK)


@pytest.fixture(scope="module")
def fitted() -> NeuroGaze:
    return fit()


def weights_of(one: NeuroGaze, mode: str) -> dict[str, torch.Tensor]:
    return dict(one.students[mode].classifier.state_dict())


def test_without_any_weight_the_whole_method_is_the_plain_one_bit_for_bit(fitted: NeuroGaze) -> None:
    nothing = fit(arms=("full", "visual"), kd_weight=0, proto_weight=0, geometry={"weight": 0})
    for weights in (weights_of(nothing, "full"), weights_of(fitted, "visual")):
        plain = weights_of(nothing, "visual")
        assert all(torch.equal(weights[name], plain[name]) for name in plain)
    assert np.array_equal(nothing.predict(TEST, "full").probabilities, fitted.predict(TEST, "visual").probabilities)


def test_each_ingredient_changes_the_student(fitted: NeuroGaze) -> None:
    said = [fitted.predict(TEST, mode).probabilities for mode in fitted.modes]
    for place in range(3):
        assert not np.array_equal(said[place], said[place + 1])


def test_every_training_leaves_its_losses(fitted: NeuroGaze) -> None:
    facts = fitted.facts
    assert set(facts["student"]) == set(fitted.modes)
    for one in (*facts["student"].values(), facts["teacher on pictures"]):
        assert len(one["train_losses"]) == len(one["validation_losses"]) == 3
    assert {one["epoch"] for one in facts["student"].values()} == {3}  # the last is kept
    assert len(facts["teacher on EEG"]["train_losses"]) == len(facts["teacher on EEG"]["validation_losses"]) == 2


def test_watching_validation_pictures_changes_no_student(fitted: NeuroGaze) -> None:
    alone = build(arms=("visual",)).fit(TRAIN, HELD.select(~HELD.has("picture")), TASK)
    seen, unseen = weights_of(fitted, "visual"), weights_of(alone, "visual")
    assert all(torch.equal(seen[name], unseen[name]) for name in seen)


def test_a_fingerprint_tells_students_and_banks_apart(fitted: NeuroGaze) -> None:
    found = fitted.facts["fingerprint"]
    assert fitted.bank is not None and found["bank"] == fitted.bank.sha256
    assert found["teacher on EEG"] == fitted.bank.about["teacher"]
    assert [bool(weight) for weight in found["weights"]["prototypes"].values()] == [True, True, False]
    random = fitted.placebo("random-prototypes").fit(TRAIN, HELD, TASK).facts["fingerprint"]
    assert random["teacher on EEG"] == found["teacher on EEG"] and random["bank"] != found["bank"]
    made = fitted.placebo("handmade").fit(TRAIN, HELD, TASK).facts["fingerprint"]
    assert made["teacher on EEG"] == "none" and made["bank"] not in (found["bank"], random["bank"])


def test_the_sources_layout_learns_and_is_saved(fitted: NeuroGaze, tmp_path: Path) -> None:
    assert NeuroGazeSettings().training.channels_last
    last = fit(arms=("full",), training={**SMALL["training"], "channels_last": True})
    last.save(tmp_path)
    said = NeuroGaze.load(tmp_path).predict(TEST).probabilities
    assert np.allclose(said, last.predict(TEST).probabilities, atol=1e-6)
    assert np.allclose(said, fitted.predict(TEST).probabilities, atol=0.05)


def test_arms_take_one_ingredient_after_the_other() -> None:
    whole = NeuroGazeSettings()
    kept = [
        tuple(bool(weight) for weight in (one.kd_weight, one.proto_weight, one.geometry.weight))
        for one in (whole.of_arm(arm) for arm in ("visual", "distilled", "prototypes", "full"))
    ]
    assert kept == [(False, False, False), (True, False, False), (True, True, False), (True, True, True)]


def test_only_students_with_prototypes_say_valence_and_arousal(fitted: NeuroGaze) -> None:
    assert {"valence", "arousal"} <= set(fitted.predict(TEST, "full").table)
    assert fitted.predict(TEST, "full").table[["valence", "arousal"]].abs().to_numpy().max() <= 0.8 + 1e-6
    assert "valence" not in fitted.predict(TEST, "visual").table


def test_a_bundle_holds_the_first_student_and_where_its_prototypes_came_from(fitted: NeuroGaze, tmp_path: Path) -> None:
    fitted.save(tmp_path)
    loaded = NeuroGaze.load(tmp_path)
    assert np.allclose(loaded.predict(TEST).probabilities, fitted.predict(TEST).probabilities, atol=1e-6)
    assert fitted.bank is not None and fitted.bank.sha256 in (tmp_path / "system.yaml").read_text()
    with pytest.raises(BundleError, match="no student 'visual' here"):
        loaded.predict(TEST, "visual")
    assert loaded.not_bundled == ("prototypes", "distilled", "visual")


def test_what_is_exported_says_the_same(fitted: NeuroGaze) -> None:
    answer, table = fitted.answering(), fitted.predict(TEST).table
    with torch.inference_mode():
        said = dict(zip(answer.outputs, answer(torch.from_numpy(TEST.read("picture"))), strict=True))
    assert np.allclose(said["probabilities"], fitted.predict(TEST).probabilities, atol=1e-5)
    assert all(np.allclose(said[name], table[name], atol=1e-5) for name in ("valence", "arousal"))
    with pytest.raises(SettingsError, match="no bundle holds the mode 'visual': a bundle holds full"):
        fitted.answering("visual")


def test_a_face_is_enough_and_nothing_of_eeg_is_imported(fitted: NeuroGaze, tmp_path: Path) -> None:
    fitted.save(tmp_path / "system")
    np.save(tmp_path / "pictures.npy", TEST.read("picture"))
    script = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("mne", "pyriemann", "braindecode") or name.startswith("insula.eeg"):
            raise ImportError(name)
sys.meta_path.insert(0, Blocked())
from pathlib import Path
import numpy as np
from insula.samples import ArrayStore, Description, Samples, provenance
from insula.systems.neurogaze.system import NeuroGaze
values = np.load(sys.argv[1] + "/pictures.npy")
store = ArrayStore(values, Description(kind="picture", axes=("row", "column", "colour")))
table = provenance(corpus="mine", stimulus=[str(n) for n in range(len(values))])
faces = Samples(table, {}).with_modality("picture", "p", store, range(len(values)))
np.save(sys.argv[1] + "/said.npy", NeuroGaze.load(Path(sys.argv[1]) / "system").predict(faces).probabilities)
"""
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert np.allclose(np.load(tmp_path / "said.npy"), fitted.predict(TEST).probabilities, atol=1e-5)


def test_placebos_replace_the_prototypes_and_nothing_else(fitted: NeuroGaze) -> None:
    assert fitted.bank is not None
    seen = {fitted.bank.sha256}
    for name in NeuroGaze.placebos:
        twin = fitted.placebo(name)
        assert tuple(twin.modes) == ("full",)
        twin.fit(TRAIN, HELD, TASK)
        assert twin.bank is not None and twin.bank.prototypes.shape == fitted.bank.prototypes.shape
        seen.add(twin.bank.sha256)
        steps = [one.step for one in twin.log.fits]
        assert ("teacher on EEG" in steps) == (name != "handmade")
        changed = twin.settings.model_dump(exclude={"prototypes", "arms"})
        assert changed == fitted.settings.model_dump(exclude={"prototypes", "arms"})
    assert len(seen) == 5


def test_hand_made_prototypes_need_no_brain() -> None:
    faces = TRAIN.select(TRAIN.has("picture"))
    assert fit(faces, prototypes="handmade", arms=("full",)).bank is not None
    with pytest.raises(DataError, match="no EEG with valence and arousal"):
        fit(faces, arms=("full",))


def test_the_target_of_a_class_is_met_by_its_own_prototype() -> None:
    faces, settings = TRAIN.select(TRAIN.has("picture")), NeuroGazeSettings()
    bank: PrototypeBank = handmade_prototypes(5, 64)
    wanted = wanted_affinities(faces, TASK, bank, settings)
    assert torch.allclose(wanted.exp().sum(dim=1), torch.ones(len(faces)), atol=1e-5)
    own = interpolated(torch.from_numpy(bank.prototypes), anchors_of(TASK, settings))[TASK.targets(faces.table)]
    assert prototype_loss(own, torch.from_numpy(bank.prototypes), wanted, 0.9).item() == pytest.approx(0, abs=1e-6)


def voted(faces: Samples) -> Samples:
    shares = np.eye(3)[TASK.targets(faces.table)] * 8 + 1
    return faces.with_columns(**{f"votes_{name}": shares[:, place] for place, name in enumerate(CLASSES)})


def test_votes_teach_where_there_are_any_and_a_network_where_not() -> None:
    faces, held = TRAIN.select(TRAIN.has("picture")), HELD.select(HELD.has("picture"))
    settings = build().settings
    facts, logits = teacher_logits(voted(faces), voted(held), TASK, settings)
    assert facts == {"distilled from": "votes"} and logits.shape == (len(faces), 3)
    shares = (1 - 0.055) * 9 / 11 + 0.055 / 3
    assert logits.max(dim=1).values.exp().numpy() == pytest.approx(shares, abs=1e-5)
    facts = teacher_logits(faces, held, TASK, settings)[0]
    assert facts["distilled from"] == "image"
    assert len(facts["teacher on pictures"]["train_losses"]) == 3
    own = settings.model_copy(update={"kd_teacher": "affect"})
    affect = teacher_logits(faces, held, TASK, own)[1]
    assert np.array_equal(affect.argmax(dim=1).numpy(), TASK.targets(faces.table))
    with pytest.raises(SettingsError, match="no votes to learn from"):
        teacher_logits(faces, held, TASK, settings.model_copy(update={"kd_teacher": "votes"}))
    with pytest.raises(SettingsError, match="no votes to mix anchors by"):
        wanted_affinities(
            faces, TASK, handmade_prototypes(5, 64), settings.model_copy(update={"proto_target": "mixture"})
        )


def test_rare_classes_count_more_by_the_root_of_their_frequency() -> None:
    loss = StudentLoss(NeuroGazeSettings(), CLASSES, torch.tensor([100, 25, 4]), torch.zeros(0, 8))
    assert loss.weights.mean().item() == pytest.approx(1)
    assert (loss.weights / loss.weights[0]).tolist() == pytest.approx([1, 2, 5])


def test_outside_of_training_every_student_is_held_to_the_same() -> None:
    logits, labels = torch.randn(6, 3), torch.arange(6) % 3
    prototypes = torch.from_numpy(handmade_prototypes(5, 8).prototypes)
    targets = packed(labels, torch.randn(6, 3), torch.full((6, 25), 1 / 25).log())
    features = torch.nn.functional.normalize(torch.randn(6, 8), dim=1)
    whole = StudentLoss(NeuroGazeSettings(), CLASSES, torch.bincount(labels), prototypes)
    plain = StudentLoss(NeuroGazeSettings().of_arm("visual"), CLASSES, torch.bincount(labels), prototypes)
    assert torch.equal(whole.eval()((logits, features), targets), plain.eval()((logits, features), targets))
    assert whole.train()((logits, features), targets) > plain.train()((logits, features), targets)


def test_a_class_without_an_anchor_is_one_line() -> None:
    renamed = TRAIN.with_columns(emotion=TRAIN.table["emotion"].replace("neutral", "calmness"))
    task = Categorical(label="emotion", classes=("anger", "happiness", "calmness"))
    with pytest.raises(SettingsError, match="no valence and arousal are known of calmness"):
        build(arms=("full",)).fit(renamed, renamed, task)
    placed = build(arms=("full",), anchors={"calmness": (0.4, -0.6)}, kd_teacher="none")
    assert placed.fit(renamed, renamed, task).predict(TEST).classes == task.classes


def test_the_recipe_prints_four_students_beside_four_placebos_and_a_verdict(tmp_path: Path) -> None:
    recipe = Recipe.load("neurogaze-simulated", [
        "repeats=1", "controls=[majority]", "corpus.corpora.simulated-faces={pictures: 56, identities: 8, size: 32}",
        "corpus.corpora.simulated-ratings={subjects: 3, films: 4, seconds: 4}", "protocol.test_share=0.3",
        "system.sizes=[32]", "system.training={epochs: 1, batch_size: 32}", "system.geometry={start: 0, end: 1}",
        "system.teacher={map_size: 8, widths: [4], width: 32, training: {epochs: 1}}",
    ])  # fmt: skip
    results = run(recipe, Cache(tmp_path / "cache"))
    arms = [arm.name for arm in results.arms if arm.kind != "control"]
    assert arms == ["full", "prototypes", "distilled", "visual", *NeuroGaze.placebos]
    assert set(results.comparators) == {"visual", *NeuroGaze.placebos}
    answer = write_report(results, tmp_path / "run")
    assert answer.sentence and (tmp_path / "run" / "metrics.json").is_file()
    assert "Teacher on EEG and its prototypes" in results.measured
    told = json.loads((tmp_path / "run" / "metrics.json").read_text())["fingerprint"]
    assert told["recipe"] == results.passport["recipe"]["sha256"]
    fits = [name for name, fit in told["fits"].items() if fit["bank"]]
    assert len(fits) == 5 and len({told["fits"][name]["bank"] for name in fits}) == 5
    assert "How the networks learnt" in (tmp_path / "run" / "report.html").read_text()


def test_the_sources_architectures_are_a_grid_of_their_own() -> None:
    cells = Sweep.load("neurogaze-ablations", ["grid=backbones"]).cells()
    assert [cell.recipe.system["backbone"] for cell in cells] == ["resnet18", "resnet50"]
    assert all("backbone" not in cell.recipe.system for cell in Sweep.load("neurogaze-ablations").cells())


def test_the_sources_recipe_runs_on_dreamer_and_fer_plus_in_their_true_form(tmp_path: Path) -> None:
    for name in ("fer2013", "dreamer"):
        FAKES[name](tmp_path)
    recipe = Recipe.load("neurogaze", [
        f"corpus.corpora.fer2013.root={tmp_path}", f"corpus.corpora.dreamer.root={tmp_path}",
        "corpus.corpora.dreamer.last=4", "repeats=1", "placebos=[handmade]", "controls=[majority]",
        "system.sizes=[32]", "system.backbone=test_resnet", "system.weights=null",
        "system.training={epochs: 1, keep: last}",
        "system.geometry={start: 0, end: 1}", "system.teacher={map_size: 8, widths: [4], training: {epochs: 1}}",
    ])  # fmt: skip
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "fer2013")  # fewer pictures than were published
        results = run(recipe, Cache(tmp_path / "cache"))
    assert results.classes == LABEL_SPACES["ferplus8"]
    facts = results.facts["neurogaze, repeat 0, fold 0"]
    assert facts["distilled from"] == "votes" and facts["teacher on EEG"]["cells"] == 25
    assert set(label_sets(results)["arms"]["full"]) == {"title", "8way", "present_only"}
