"""CRPN: what passes from teacher to student and what does not, in a network of thumbnails."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch.nn.functional import cross_entropy, kl_div

from insula.corpora.catalogue import corpus
from insula.emotions import Categorical
from insula.errors import BundleError
from insula.networks.pathways import Concept, Perceived
from insula.protocols.protocol import protocol
from insula.samples import Samples
from insula.storage.cache import Cache
from insula.systems.catalogue import system
from insula.systems.crpn import teaching
from insula.systems.crpn.losses import StudentLoss, TeacherLoss, admitted_divergence
from insula.systems.crpn.settings import Concepts, CRPNSettings, Teacher
from insula.systems.crpn.statistics import Statistics, conceive, hash_of, statistics, sure_of
from insula.systems.crpn.system import CRPN
from insula.training.rows import PictureRows

TINY: dict[str, Any] = {
    "backbone": "small-cnn",
    "width": 16,
    "training": {"epochs": 2, "learning_rate": 2e-3},
    "teacher": {"backbone": "small-cnn", "training": {"epochs": 3, "learning_rate": 2e-3}},
}
COLUMNS = ("ambiguity", "style")


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INSULA_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def study(own_cache: None) -> Samples:
    return corpus("simulated-faces", pictures=210, identities=30, size=32, cartoons=0.2).samples(Cache())


@pytest.fixture(scope="module")
def task(study: Samples) -> Categorical:
    return Categorical(label="emotion", classes=tuple(sorted(set(study.table["emotion"]))))


@pytest.fixture(scope="module")
def parts(study: Samples, task: Categorical) -> tuple[Samples, Samples, Samples]:
    split = protocol("identity-disjoint", test_share=0.3, validation_share=0.2).splits(study, task)[0]
    return study.by_id(split.train), study.by_id(split.validation), study.by_id(split.test).without(["emotion"])


def fit(parts: tuple[Samples, Samples, Samples], task: Categorical, **changes: Any) -> CRPN:
    fitted = system("crpn", **{**TINY, **changes}).fit(*parts[:2], task)
    assert isinstance(fitted, CRPN)
    return fitted


@pytest.fixture(scope="module")
def fitted(parts: tuple[Samples, Samples, Samples], task: Categorical) -> CRPN:
    return fit(parts, task)


# losses ---------------------------------------------------------------------------------------------------------------


def concept(rows: int = 12, width: int = 8, classes: int = 3) -> Concept:
    generator = torch.Generator().manual_seed(0)
    features = torch.nn.functional.normalize(torch.randn(rows, width, generator=generator), dim=1)
    return Concept(features, torch.rand(rows, generator=generator), torch.randn(rows, classes, generator=generator))


def test_weighted_cross_entropy_is_plain_where_confidence_is_one_and_each_sample_has_its_own() -> None:
    said, labels = concept(), torch.arange(12) % 3
    plain = TeacherLoss(Teacher(confidence=False, orthogonality=0, contrast=0), "abc")
    sure = said._replace(confidence=torch.ones(12))
    assert torch.allclose(plain((sure, said.features), labels), cross_entropy(said.logits, labels))
    other = said.confidence.clone()
    other[5] = 0.99
    terms = [cross_entropy(said._replace(confidence=one).scaled, labels, reduction="none") for one in (said[1], other)]
    assert (terms[0] != terms[1]).nonzero().flatten().tolist() == [5]


def test_the_teachers_loss_is_the_sum_of_its_terms_with_their_weights() -> None:
    said, labels, other = concept(), torch.arange(12) % 3, concept(8 + 4).features.flip(0)
    none = Teacher(confidence=False, orthogonality=0, contrast=0)
    base = TeacherLoss(none, "abc")((said, other), labels).item()
    for change, scale in (("orthogonality", 0.1), ("contrast", 0.01)):
        found = [
            TeacherLoss(none.model_copy(update={change: scale * times}), "abc")((said, other), labels).item() - base
            for times in (1, 3)
        ]
        assert found[0] != 0 and found[1] == pytest.approx(3 * found[0], rel=1e-2)
    focal = Teacher(task_loss="focal", class_weights={"b": 0.5}, orthogonality=0, contrast=0)
    assert TeacherLoss(focal, "abc").weights.tolist() == [1, 0.5, 1]


def test_the_contrast_of_single_numbers_is_of_every_number_with_every_other() -> None:
    said, labels = concept(6, 4), torch.arange(6) % 3
    released = TeacherLoss(Teacher(confidence=False, orthogonality=0, contrast=1, scalar_views=True), "abc")
    whole = TeacherLoss(Teacher(confidence=False, orthogonality=0, contrast=1), "abc")
    base = cross_entropy(said.scaled, labels).item()
    at_start = said._replace(features=torch.zeros(6, 4))
    assert released((at_start, said.features), labels).item() - base == pytest.approx(
        np.log(6 * 4 - 1) * 2 / 3, rel=1e-4
    )
    assert whole((at_start, said.features), labels).item() - base == pytest.approx(np.log(6 - 1) * 2 / 3, rel=1e-4)


def test_distillation_ignores_doubtful_rows_is_zero_without_sure_ones_and_plain_with_all() -> None:
    student, teacher = torch.randn(8, 3), torch.randn(8, 3)
    gate = torch.tensor([True, False] * 4)
    found = admitted_divergence(student, teacher, gate, 1.0)
    changed = torch.where(gate[:, None], student, torch.randn(8, 3))
    assert torch.equal(found, admitted_divergence(changed, teacher, gate, 1.0))
    nothing = student.clone().requires_grad_()
    none = admitted_divergence(nothing, teacher, torch.zeros(8, dtype=torch.bool), 1.0)
    none.backward()
    assert none.item() == 0 and nothing.grad is not None and not nothing.grad.any()
    everything = admitted_divergence(student, teacher, torch.ones(8, dtype=torch.bool), 1.0)
    wanted = kl_div(student.log_softmax(1), teacher.softmax(1), reduction="batchmean")
    assert torch.allclose(everything, wanted, atol=1e-6)


def student_loss(**concepts: Any) -> tuple[StudentLoss, torch.Tensor]:
    pool = torch.nn.functional.normalize(torch.randn(30, 8), dim=1)
    settings = CRPNSettings(width=8, label_weight=0, distillation_weight=0, concepts=Concepts(**concepts))
    return StudentLoss(settings, torch.tensor([0.5] * 3), torch.arange(30) % 3, lambda places: pool[places]), pool


def test_a_student_that_says_what_the_teacher_says_is_right_where_the_gate_is_open_alone() -> None:
    taught, labels = concept(), torch.arange(12) % 3
    percept = Perceived(taught.features, torch.zeros(12, 3))
    loss, pool = student_loss(count=30)
    assert loss((percept, taught), torch.stack([labels, torch.ones(12).long()], dim=1)).item() == 0
    means = torch.stack([pool[label::3].mean(dim=0) for label in range(3)])
    wanted = (means[labels] - taught.features).square().sum(dim=1).mean()
    shut = torch.stack([labels, torch.zeros(12).long()], dim=1)
    assert loss((percept, taught), shut).item() == pytest.approx(wanted.item(), rel=1e-5)
    online, _ = student_loss(count=30, gate="online")
    part = online((percept, taught), torch.stack([labels, torch.zeros(12).long()], dim=1)).item()
    assert 0 < part < wanted.item() * 2 and part != pytest.approx(wanted.item())
    at_threshold = taught._replace(confidence=torch.full((12,), 0.5))
    for strict in (False, True):
        gated, same = student_loss(count=30, gate="online", strict=strict)
        means = torch.stack([same[label::3].mean(dim=0) for label in range(3)])
        wanted_there = (means[labels] - taught.features).square().sum(dim=1).mean().item() if strict else 0.0
        assert gated((percept, at_threshold), shut).item() == pytest.approx(wanted_there, rel=1e-5)
    spread, _ = student_loss(similarity="mmd")
    assert torch.isfinite(spread((percept, taught), shut))
    one = (Perceived(*(value[:1] for value in percept)), Concept(*(value[:1] for value in taught)))
    assert spread(one, shut[:1]).item() == 0


# confidence statistics ------------------------------------------------------------------------------------------------


def test_statistics_do_not_depend_on_the_order_of_samples(fitted: CRPN, parts: Any, task: Categorical) -> None:
    assert fitted.teacher is not None and fitted.statistics is not None
    train = parts[0]
    other = train.select(np.random.default_rng(0).permutation(len(train)))
    found = [
        statistics(fitted.teacher.emotion, PictureRows(one), task.targets(one.table), task.classes, Concepts())
        for one in (train, other)
    ]
    assert torch.allclose(found[0].thresholds, found[1].thresholds, atol=1e-6)
    sure = [
        dict(zip(one.ids, said.sure.tolist(), strict=True)) for one, said in zip((train, other), found, strict=True)
    ]
    assert sum(sure[0][name] != sure[1][name] for name in sure[0]) <= 2  # sums of another order round otherwise
    assert found[0].sure.float().mean().item() == pytest.approx(0.8, abs=0.05)
    for label in range(len(task.classes)):
        mine = found[0].confidence[found[0].labels == label].sort().values
        assert found[0].thresholds[label] == mine[int(0.2 * len(mine) + 1e-9)]


def test_statistics_are_one_hashed_artefact(fitted: CRPN, tmp_path: Path) -> None:
    found = fitted.statistics
    assert found is not None and fitted.teacher is not None
    found.save(tmp_path)
    again = Statistics.load(tmp_path)
    assert again.digest() == found.digest() == fitted.facts["concepts"]["sha256"]
    assert again.teacher == hash_of(fitted.teacher.emotion) and again.view == "as stored"
    moved = Statistics(**{**vars(found), "thresholds": found.thresholds + 1e-3})
    assert moved.digest() != found.digest()


@pytest.mark.parametrize("harm", ["array", "about", "text", "missing"])
def test_statistics_that_were_altered_are_refused(harm: str, fitted: CRPN, tmp_path: Path) -> None:
    found = fitted.statistics
    assert found is not None
    found.save(tmp_path)
    arrays, about = tmp_path / "concept_stats.npz", tmp_path / "concept_stats.json"
    if harm == "array":
        kept = dict(np.load(arrays))
        np.savez(arrays, **{**kept, "sure": ~kept["sure"]})
    elif harm == "about":
        about.write_text(about.read_text().replace('"quantile": 0.2', '"quantile": 0.1'))
    elif harm == "text":
        about.write_text("no JSON")
    else:
        arrays.unlink()
    with pytest.raises(BundleError, match="altered" if harm in ("array", "about") else "are no confidence statistics"):
        Statistics.load(tmp_path)


def test_a_strict_gate_leaves_no_class_empty() -> None:
    labels, same = torch.tensor([0, 0, 0, 1, 1]), torch.tensor([0.5, 0.5, 0.5, 0.2, 0.9])
    thresholds = torch.tensor([0.5, 0.2])
    assert sure_of(same, labels, thresholds, strict=True).tolist() == [True, True, True, False, True]
    assert sure_of(same, labels, thresholds).all()


def test_placebos_keep_the_size_of_gate_and_pools_and_break_what_they_name(fitted: CRPN) -> None:
    found = fitted.statistics
    assert found is not None
    gate = found.gate("shuffled-confidence", 0)
    counts = [torch.bincount(found.labels[one], minlength=7).tolist() for one in (gate, found.sure)]
    assert counts[0] == counts[1] and not torch.equal(gate, found.sure)
    pools, mixed = found.pools("none", 0), found.pools("random-classes", 0)
    assert torch.bincount(pools + 1).tolist() == torch.bincount(mixed + 1).tolist()
    assert (pools[found.sure] == found.labels[found.sure]).all()
    assert (mixed[found.sure] == found.labels[found.sure]).float().mean() < 0.5


# the system -----------------------------------------------------------------------------------------------------------


def test_training_the_student_leaves_the_teacher_as_it_was(parts: Any, task: Categorical) -> None:
    settings = CRPNSettings.parse(TINY, where="test")
    data = teaching.PictureData(parts[0], parts[1], task, settings)
    teacher, _ = teaching.taught_once(data)
    before = hash_of(teacher)
    teaching.train_student(data, teacher, teaching.confidence_statistics(data, teacher))
    assert hash_of(teacher) == before


def test_the_teacher_is_trained_once_for_all_that_learn_from_it(
    fitted: CRPN, parts: Any, task: Categorical, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(teaching, "train_teacher", None)
    for arm in ("distillation", "teacher"):
        other = fit(parts, task, arm=arm)
        assert other.facts["concepts"]["sha256"] == fitted.facts["concepts"]["sha256"]
    assert fit(parts, task, arm="percept-only").teacher is None


@pytest.mark.parametrize("arm", ["crpn", "teacher"])
def test_what_is_saved_needs_no_teacher_and_says_the_same(
    arm: str, parts: Any, task: Categorical, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted = fit(parts, task, arm=arm)
    fitted.save(tmp_path / "saved")
    for name in ("teaching", "statistics", "losses", "measure"):
        monkeypatch.setitem(sys.modules, f"insula.systems.crpn.{name}", None)
    loaded = CRPN.load(tmp_path / "saved")
    assert loaded.teacher is None
    assert np.allclose(loaded.predict(parts[2]).probabilities, fitted.predict(parts[2]).probabilities, atol=1e-6)
    assert {path.name for path in (tmp_path / "saved").iterdir()} == {
        "selective.safetensors", "network.safetensors", "system.yaml",
    }  # fmt: skip
    weights = sum(part.numel() for part in loaded.network.parameters())
    assert weights == fitted.facts["weights"]
    held = (tmp_path / "saved" / "network.safetensors").stat().st_size
    assert held < 4.2 * weights + 20_000  # one network, nothing beside it


def test_every_fitted_step_is_recorded(fitted: CRPN, parts: Any, task: Categorical) -> None:
    steps = {fit.step: fit.use for fit in fitted.log.fits}
    assert {"conceptual pathway", "confidence statistics", "crpn"} <= set(steps)
    assert "conceptual pathway" not in {fit.step for fit in fit_arm(parts, task).log.fits}


def fit_arm(parts: Any, task: Categorical) -> CRPN:
    return fit(parts, task, arm="percept-only")


def test_no_column_beside_picture_and_label_is_read(fitted: CRPN, parts: Any, task: Categorical) -> None:
    bare = tuple(one.without(COLUMNS) for one in parts)
    again = fit(bare, task)  # type: ignore[arg-type]
    assert np.array_equal(again.predict(bare[2]).probabilities, fitted.predict(parts[2]).probabilities)


def test_measures_need_no_label_and_their_tables_hold_what_was_measured(fitted: CRPN, parts: Any) -> None:
    held = fitted.measure(parts[2])
    assert fitted.teacher is not None
    said = conceive(fitted.teacher.emotion, PictureRows(parts[2]))[0]
    known = spearmanr(said, parts[2].table["ambiguity"]).statistic
    assert held["confidence against ambiguity: Spearman"] == pytest.approx(known, abs=1e-3)
    assert {name.split(":")[0] for name in held if "features" in name} >= {
        "identity from emotion features", "identity from non-emotion features", "style from emotion features",
        "emotion and non-emotion features", "identity in percept features",
    }  # fmt: skip
    tables = CRPN.tables([{**fitted.facts, "held_out": held}] * 2)
    facts, deciles = tables.values()
    assert (facts["fits"] == 2).all()
    assert facts.loc["confidence against ambiguity: Spearman", "mean"] == pytest.approx(
        held["confidence against ambiguity: Spearman"]
    )
    assert len(deciles) == 10 and deciles["pictures"].sum() == 2 * len(parts[1])
    assert deciles["confidence"].is_monotonic_increasing
    assert CRPN.tables([{"weights": 3}]) == {}


def test_features_are_those_of_both_pathways(fitted: CRPN, parts: Any) -> None:
    found = fitted.features(parts[2])
    assert set(found) == {"percept", "emotion", "non-emotion"}
    assert all(np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5) for rows in found.values())


def test_logits_that_are_cosines_know_no_size_and_come_back_from_disk(
    parts: Any, task: Categorical, tmp_path: Path
) -> None:
    teacher = {**TINY["teacher"], "cosine_scale": 10.0}
    found = fit(parts, task, arm="teacher", teacher=teacher)
    network: Any = found.network
    features = torch.randn(5, 16)
    logits = network.classifier(features)
    directions = network.classifier.weight
    assert torch.allclose(logits, 10 * torch.cosine_similarity(features[:, None], directions[None], dim=2), atol=1e-5)
    assert torch.allclose(logits, network.classifier(7 * features), atol=1e-5)
    found.save(tmp_path)
    assert np.array_equal(CRPN.load(tmp_path).predict(parts[2]).probabilities, found.predict(parts[2]).probabilities)


def test_variants_of_the_released_code_run(parts: Any, task: Categorical) -> None:
    short = {name: {**TINY[name], "training": {**TINY["training"], "epochs": 1}} for name in ("teacher",)}
    concepts = {"altered": True, "pool": "online", "similarity": "mmd", "gate": "online", "strict": True,
                "renormalise": True, "logits": "unscaled"}  # fmt: skip
    found = fit(parts, task, **short, concepts=concepts, training={"epochs": 1})
    assert found.statistics is not None and found.statistics.view.startswith("altered")
    assert np.isfinite(found.predict(parts[2]).probabilities).all()
