"""Losses by which a teacher of one modality guides a student of another, against computations by hand."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from sklearn.metrics.pairwise import cosine_similarity
from torch import nn
from torch.nn import functional

from insula.objectives.alignment import alignment_loss
from insula.objectives.concordance import concordance
from insula.objectives.head_injection import HeadInjection
from insula.objectives.prototypes import class_means, crowding
from insula.objectives.reliability import reliability
from insula.objectives.similarity import Partners, similarity_loss

N, WIDTH, CLASSES = 12, 6, 3
TRUE = torch.ones(N, dtype=torch.bool)


def drawn(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return a student's and a teacher's features, prototypes and labels, of which some are missing."""
    generator = torch.Generator().manual_seed(seed)
    student, teacher = (torch.randn(N, WIDTH, generator=generator, dtype=torch.double) for _ in range(2))
    prototypes = torch.randn(CLASSES, WIDTH, generator=generator, dtype=torch.double)
    return student, teacher, prototypes, torch.tensor([0, 1, 2, -1] * 3)


def softmax(values: np.ndarray) -> np.ndarray:
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def test_similarity_is_as_defined_over_the_rows_that_have_what_a_term_needs() -> None:
    student, teacher, prototypes, labels = drawn()
    brain, face = torch.arange(N) % 5 != 0, torch.arange(N) % 3 != 0
    said, wanted = (softmax(cosine_similarity(side, prototypes) / 0.2) for side in (student, teacher))
    both, y = (brain & face).numpy(), labels.numpy()
    diverged = (wanted * np.log(wanted / said)).sum(axis=1)[both].mean()
    turned = 1 - cosine_similarity(student, teacher).diagonal()[both].mean()
    crossed = [
        -np.log(side[np.arange(N), y])[there.numpy() & (y >= 0)].mean()
        for side, there in ((said, brain), (wanted, face))
    ]
    loss = similarity_loss(Partners(student, teacher, brain, face), prototypes, labels, tau=0.2, eta=0.7)
    assert loss.item() == pytest.approx(diverged + turned + crossed[0] + 0.7 * crossed[1], rel=1e-9)


def test_what_a_missing_cell_holds_does_not_matter() -> None:
    student, teacher, prototypes, labels = drawn()
    face = torch.arange(N) < 7
    before = similarity_loss(Partners(student, teacher, TRUE, face), prototypes, labels)
    teacher[~face] = torch.nan
    student.requires_grad_()
    after = similarity_loss(Partners(student, teacher, TRUE, face), prototypes, labels)
    after.backward()
    assert after.item() == before.item()
    assert student.grad is not None and student.grad.isfinite().all()


def test_the_teacher_learns_from_labels_alone() -> None:
    student, teacher, prototypes, labels = drawn()
    student.requires_grad_(), teacher.requires_grad_()
    similarity_loss(Partners(student, teacher, TRUE, TRUE), prototypes, labels, eta=0.0).backward()
    assert teacher.grad is None or not teacher.grad.any()
    assert student.grad is not None and student.grad.any(dim=1).all()
    similarity_loss(Partners(student, teacher, TRUE, TRUE), prototypes, labels, eta=1.0).backward()
    assert teacher.grad is not None and teacher.grad.any(dim=1).tolist() == (labels >= 0).tolist()


def test_a_batch_without_anything_to_learn_from_is_zero() -> None:
    student, teacher, prototypes, labels = drawn()
    student.requires_grad_()
    loss = similarity_loss(Partners(student, teacher, TRUE, ~TRUE), prototypes, torch.full_like(labels, -1))
    loss.backward()
    assert loss.item() == 0 and student.grad is not None and not student.grad.any()


def test_reliability_is_as_defined_and_its_mean_is_one() -> None:
    student, teacher, _, _ = drawn()
    doubt = torch.linspace(0.05, 0.99, N, dtype=torch.double)
    paired = torch.arange(N) % 4 != 1
    weights = reliability(doubt, student, teacher, paired).numpy()
    raw = (1 - doubt.numpy()) * (1 + cosine_similarity(student, teacher).diagonal()) / 2
    counts = paired.numpy() & (doubt.numpy() <= 0.9)
    assert weights[counts] == pytest.approx(raw[counts] / raw[counts].mean())
    assert not weights[~counts].any() and weights[counts].mean() == pytest.approx(1)


def test_nothing_is_learnt_by_being_reliable_and_no_reliable_row_is_no_division_by_zero() -> None:
    student, teacher, _, _ = drawn()
    doubt = torch.full((N,), 0.95, requires_grad=True)
    student.requires_grad_()
    weights = reliability(doubt, student, teacher, TRUE)
    assert weights.tolist() == [0] * N and not weights.requires_grad
    opposed = reliability(torch.zeros(N), student, -student, TRUE)
    assert opposed.isfinite().all()
    assert reliability(doubt * 0, student, teacher * torch.nan, ~TRUE).tolist() == [0] * N


def head(outputs: int) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(WIDTH, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, outputs)).double()


@pytest.mark.parametrize(("kind", "outputs"), [("classes", CLASSES), ("ratings", 1)])
def test_injection_is_nothing_where_the_features_are_equal_and_as_defined_elsewhere(kind: str, outputs: int) -> None:
    student, teacher, _, _ = drawn()
    whole = head(outputs)
    injected = HeadInjection(whole, kind)  # type: ignore[arg-type]
    injected.train()
    weights = torch.linspace(0, 2, N, dtype=torch.double)
    assert injected(teacher, teacher, weights).item() == pytest.approx(0, abs=1e-12)
    said, wanted = (whole.eval()(side).detach() for side in (student, teacher))
    if kind == "classes":
        p, q = (torch.softmax(logits / 4, dim=1) for logits in (wanted, said))
        distance = 16 * (p * (p / q).log()).sum(dim=1)
    else:
        distance = (said - wanted).abs()[:, 0]
    by_hand = (weights * distance)[weights > 0].mean()
    assert injected(student, teacher, weights).item() == pytest.approx(by_hand.item(), rel=1e-9)


@pytest.mark.parametrize(("kind", "outputs"), [("classes", CLASSES), ("ratings", 1)])
def test_gradients_pass_through_the_head_whose_weights_never_change(kind: str, outputs: int) -> None:
    student, teacher, _, _ = drawn()
    injected = HeadInjection(head(outputs), kind)  # type: ignore[arg-type]
    before = copy.deepcopy(injected.state_dict())
    learner = nn.Linear(WIDTH, WIDTH).double()
    optimiser = torch.optim.AdamW([*learner.parameters(), *injected.parameters()], lr=0.1)
    losses = []
    for _ in range(30):
        injected.train()
        loss = injected(learner(student), teacher, torch.ones(N))
        optimiser.zero_grad()
        loss.backward()
        assert learner.weight.grad is not None and learner.weight.grad.any()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2
    assert all(torch.equal(before[name], value) for name, value in injected.state_dict().items())


def test_injection_hears_no_row_that_weighs_nothing() -> None:
    student, teacher, _, _ = drawn()
    injected, weights = HeadInjection(head(CLASSES), "classes"), torch.zeros(N)
    assert injected(student, teacher * torch.nan, weights).item() == 0
    weights[0] = 1.0
    broken = teacher.clone()
    broken[1:] = torch.nan
    assert injected(student, broken, weights).item() == injected(student, teacher, weights).item() > 0


def test_alignment_is_the_mean_of_two_cross_entropies_over_pairs() -> None:
    first, second, _, _ = drawn()
    paired = torch.arange(N) % 3 != 0
    alike = cosine_similarity(first[paired], second[paired]) / 0.1
    by_hand = -np.mean([np.log(softmax(table).diagonal()).mean() for table in (alike, alike.T)])
    assert alignment_loss(first, second, paired).item() == pytest.approx(by_hand, rel=1e-9)
    assert alignment_loss(second, first, paired).item() == pytest.approx(by_hand, rel=1e-9)


@pytest.mark.parametrize("pairs", [0, 1])
def test_less_than_two_pairs_align_nothing(pairs: int) -> None:
    first, second, _, _ = drawn()
    first.requires_grad_()
    loss = alignment_loss(first, second, torch.arange(N) < pairs)
    loss.backward()
    assert loss.item() == 0 and first.grad is not None and not first.grad.any()


def test_prototypes_start_at_the_classes_means() -> None:
    features, _, start, labels = drawn()
    means = class_means(features, labels, start)
    for place in range(CLASSES):
        direction = functional.normalize(features[labels == place], dim=1).mean(dim=0)
        assert torch.allclose(means[place], functional.normalize(direction, dim=0))
    few = class_means(features, torch.where(labels == 1, -1, labels), start)
    assert torch.allclose(few[1], functional.normalize(start[1], dim=0)) and torch.allclose(few[2], means[2])


def test_crowding_tells_collapsed_prototypes() -> None:
    _, _, prototypes, _ = drawn()
    alike = cosine_similarity(prototypes)
    assert crowding(prototypes).item() == pytest.approx((alike.sum() - CLASSES) / (CLASSES * (CLASSES - 1)))
    assert crowding(prototypes[:1] + 0.01 * prototypes).item() > 0.9


@pytest.mark.parametrize("length", [96, 97, 324])
@pytest.mark.parametrize("level", [0.1, 0.3, -0.07])
def test_flat_tracks_teach_nothing(length: int, level: float) -> None:
    rated = torch.full((length, 1), level)
    for said in (rated.clone(), rated + 1e-7 * torch.randn(length, 1)):
        said.requires_grad_()
        agreed = concordance(said, rated)
        agreed.sum().backward()
        assert abs(agreed.item()) < 0.01
        assert said.grad is not None and said.grad.abs().max() < 1
