"""Losses on inputs small enough to be worked out by hand: their edges, and what they do when nothing is set."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from insula.objectives.adversary import reverse_gradient
from insula.objectives.alignment import alignment_loss
from insula.objectives.centre import CentreLoss
from insula.objectives.concepts import class_quantiles, concept_targets
from insula.objectives.concordance import concordance, rating_loss
from insula.objectives.confidence import rank_regularisation
from insula.objectives.contrast import supervised_contrast
from insula.objectives.discrepancy import multi_kernel_mmd
from insula.objectives.evidential import evidential_loss
from insula.objectives.evidential_regression import NormalInverseGamma, believed, evidential_regression_loss
from insula.objectives.faces import FaceLoss, SelfCure
from insula.objectives.geometry import ClassGeometry, cosine_ramp
from insula.objectives.head_injection import HeadInjection
from insula.objectives.ordinal import neighbourly
from insula.objectives.orthogonality import shared_directions
from insula.objectives.prototypes import class_means, interpolated, nearness
from insula.objectives.reliability import reliability
from insula.objectives.similarity import Partners, similarity_loss


def test_two_pairs_are_told_apart() -> None:
    both = torch.tensor([True, True])
    cosines = torch.tensor([[0.0, 1.0], [1.0, 0.0]]) / 0.1  # each is like the other's partner
    wanted = functional.cross_entropy(cosines, torch.arange(2)).item()
    assert alignment_loss(torch.eye(2), torch.eye(2).flip(0), both).item() == pytest.approx(wanted)


def test_centres_move_half_way_to_a_class_of_one() -> None:
    loss = CentreLoss(1, 1)
    loss(torch.tensor([[4.0]]), torch.tensor([0]))
    assert loss.centres.item() == 1.0  # 0.5 * 4 / (1 + 1)


def test_the_last_quantile_is_the_largest_value() -> None:
    values = torch.tensor([3.0, 1.0, 2.0])
    assert class_quantiles(values, torch.zeros(3, dtype=torch.int64), 1, 1.0).item() == 3.0


def test_the_first_sample_of_all_can_stand_for_its_class() -> None:
    rows = torch.tensor([[5.0, 6.0], [7.0, 8.0]])
    taught, doubtful, labels = torch.zeros(1, 2), torch.tensor([False]), torch.tensor([0])
    for kept in (rows, rows.double()):  # a bank may be kept at another precision than the batch
        targets = concept_targets(taught, doubtful, labels, torch.tensor([[0, -1]]), kept.__getitem__, 2)
        assert targets.tolist() == [[5.0, 6.0]]


def test_the_rating_loss_is_half_of_each() -> None:
    predicted, rated = torch.tensor([[0.0], [0.4]]), torch.tensor([[0.2], [1.0]])
    huber = (0.5 * 0.2**2 + 0.5 * 0.6**2) / 2
    wanted = 0.5 * huber + 0.5 * (1 - concordance(predicted, rated).item())
    assert rating_loss(predicted, rated).item() == pytest.approx(wanted)


def test_four_samples_have_ranks() -> None:
    assert rank_regularisation(torch.tensor([0.5, 0.5, 0.5, 0.5])).item() == pytest.approx(0.15)


def test_an_anchor_is_held_against_its_own_row() -> None:
    """Three samples at unequal angles, so that the sums of rows and of columns differ."""
    angles = torch.tensor([0.0, 0.3, 1.4])
    rows, labels = torch.stack([angles.cos(), angles.sin()], dim=1), torch.tensor([0, 0, 1])
    alike = [[math.cos(a - b) / 0.07 for b in angles.tolist()] for a in angles.tolist()]
    first = math.log(math.exp(alike[0][1]) + math.exp(alike[0][2])) - alike[0][1]
    second = math.log(math.exp(alike[1][0]) + math.exp(alike[1][2])) - alike[1][0]
    assert supervised_contrast(rows, labels).item() == pytest.approx((first + second) / 3, rel=1e-3)


def test_two_rows_have_a_discrepancy() -> None:
    near, far = torch.tensor([[0.0], [1.0]]), torch.tensor([[9.0], [10.0]])
    apart = multi_kernel_mmd(near, far)
    assert apart.item() > 0.5
    assert multi_kernel_mmd(near / 1000, far / 1000).item() == pytest.approx(apart.item(), rel=1e-4), "no unit counts"


def test_where_rows_lie_does_not_change_how_far_apart_they_are() -> None:
    rows = torch.tensor([[0.0, 1.0], [1.0, 0.0], [0.5, 2.0], [2.0, 0.25]])
    away = rows + torch.tensor([4096.0, -8192.0])  # squares of these leave no room for the rows' own distances
    assert multi_kernel_mmd(away[:2], away[2:]).item() == pytest.approx(multi_kernel_mmd(rows[:2], rows[2:]).item())


def test_the_mean_over_one_row_is_that_row() -> None:
    evidence, label = torch.tensor([[1.0, 0.0], [3.0, 2.0]]), torch.tensor([0, -1])
    fit = torch.digamma(torch.tensor(3.0)) - torch.digamma(torch.tensor(2.0))  # and no evidence for the other class
    assert evidential_loss(evidence, label, 1.0).item() == pytest.approx(fit.item())
    belief = NormalInverseGamma(*torch.tensor([[0.5, 0.1], [2.0, 1.0], [3.0, 2.0], [1.0, 1.0]]))
    spread = math.sqrt(1.0 * (1 + 2.0) / (2.0 * 3.0))
    unlikely = -torch.distributions.StudentT(6.0, 0.5, spread).log_prob(torch.tensor(1.0)).item()
    wanted = unlikely + 0.01 * 0.5 * (2 * 2.0 + 3.0)
    assert evidential_regression_loss(belief, torch.tensor([1.0, math.nan])).item() == pytest.approx(wanted)


def test_a_belief_is_at_least_a_thousandth() -> None:
    belief = believed(torch.full((1, 4), -200.0))
    assert [round(part.item(), 6) for part in belief[1:]] == [0.001, 1.001, 0.001]


def test_a_face_loss_of_nothing_else_is_cross_entropy() -> None:
    logits, features = torch.tensor([[2.0, 0.0]]), torch.tensor([[3.0, 4.0]])
    shares = torch.tensor([[1.0, 0.0]])
    entropy = math.log(1 + math.exp(-2))
    assert FaceLoss(2, 2)((logits, features), shares).item() == pytest.approx(entropy)
    twice = (logits.repeat(2, 1), torch.tensor([[1.0, 0.0], [0.0, 1.0]])), shares.repeat(2, 1)
    others = (logits.repeat(3, 1), torch.eye(3)), torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    contrast = FaceLoss(2, 2, contrast=1.0)
    assert contrast(*twice).item() == pytest.approx(entropy)  # a pair is all there is to be like
    assert FaceLoss(2, 3)(*others).item() == pytest.approx(functional.cross_entropy(others[0][0], others[1]).item())
    wanted = functional.cross_entropy(*((others[0][0]), others[1])).item() + 2 * math.log(2) / 3
    assert FaceLoss(2, 3, contrast=1.0)(*others).item() == pytest.approx(wanted)
    near = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])
    alike = near @ near.T / 0.1  # the temperature that is not set
    rows = [math.log(math.exp(alike[i, j]) + math.exp(alike[i, 2])) - alike[i, j].item() for i, j in ((0, 1), (1, 0))]
    wanted = functional.cross_entropy(others[0][0], others[1]).item() + sum(rows) / 3
    assert FaceLoss(2, 2, contrast=1.0)((others[0][0], near), others[1]).item() == pytest.approx(wanted, rel=1e-4)


def test_a_cure_is_half_entropy_and_half_ranks_and_begins_in_the_tenth_epoch() -> None:
    logits = torch.tensor([[1.0, 0.0]] * 4)
    labels, places = torch.tensor([0, 0, 0, 1]), torch.arange(4)
    confidence = torch.tensor([0.5, 0.5, 0.5, 0.4])
    cure = SelfCure(labels)
    high = 2  # floor(0.7 * 4)
    gap = confidence[:high].mean() - confidence[high:].mean()
    wanted = 0.5 * functional.cross_entropy(logits, labels).item() + 0.5 * (0.15 - gap.item())
    targets = torch.stack([labels, places], dim=1)
    assert cure((logits, confidence), targets).item() == pytest.approx(wanted)
    cure.begin_epoch(9)
    cure((logits, confidence), targets)
    assert cure.changed == 0
    cure.begin_epoch(10)
    cure((logits, confidence), targets)
    assert cure.labels.tolist() == [0, 0, 0, 0], "0.73 against 0.27: more than 0.2 apart"
    early = SelfCure(labels, relabel_from=1)
    early((logits, confidence), targets)
    assert early.changed == 0, "before any epoch was begun it is the first"


def test_a_narrower_share_leaves_more_to_doubt() -> None:
    confidence = torch.tensor([0.9, 0.7, 0.6, 0.6])
    logits, targets = torch.zeros(4, 2), torch.tensor([[0, 0], [0, 1], [0, 2], [0, 3]])
    cure = SelfCure(torch.zeros(4, dtype=torch.int64), share=0.25, margin=0.5, ranking=1.0)
    assert cure((logits, confidence), targets).item() == pytest.approx(0.5 - (0.9 - 1.9 / 3))


def test_a_cure_changes_the_doubtful_half_where_another_class_is_more_probable() -> None:
    """Half of four are two, and as probable is not more probable."""
    logits, confidence = torch.tensor([[9.0, 0.0]] * 3 + [[0.0, 0.0]]), torch.tensor([0.9, 0.8, 0.7, 0.6])
    cure = SelfCure(torch.ones(4, dtype=torch.int64), share=0.5, relabel_from=0, relabel_margin=0.0)
    cure((logits, confidence), torch.stack([torch.ones(4, dtype=torch.int64), torch.arange(4)], dim=1))
    assert cure.labels.tolist() == [1, 1, 0, 1]


def test_the_ramp_ends_where_it_says() -> None:
    assert cosine_ramp(30, 20, 60) == pytest.approx(0.5 * (1 - math.sqrt(0.5)))
    assert [cosine_ramp(epoch, 3, 3) for epoch in (2, 3)] == [0.0, 1.0]
    assert cosine_ramp(2, 3, 5) == 0.0


def test_the_geometry_of_two_classes_by_hand() -> None:
    loss = ClassGeometry(2, 2, capped=[0], start=1, end=2)
    rows = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
    labels, sure = torch.tensor([0, 0, 1]), torch.tensor([0.2, 0.9, 0.9])  # just sure enough
    loss.begin_epoch(0)
    assert loss(rows, labels, sure).item() == 0.0, "the ramp has not begun"
    assert loss.centres.tolist() == [[pytest.approx(0.8), pytest.approx(0.4)], [0.0, 1.0]]
    spread = ((0.2**2 + 0.4**2) + (0.2**2 + 0.4**2)) / 2
    assert loss.sums.tolist() == [pytest.approx(2 * spread), 0.0]
    loss.begin_epoch(1)
    assert loss.limit.item() == pytest.approx(0.0), "0.8 times the lower median of the two spreads"
    loss.begin_epoch(2)
    cosine = 0.4 / math.hypot(0.8, 0.4)
    margin = 0.5 - (1 - cosine)
    assert margin < 0, "they are further apart than the margin"
    assert loss(rows, labels, sure).item() == pytest.approx(spread)
    loss.begin_epoch(3)
    assert loss.limit.item() == pytest.approx(0.0), "the cap is fixed once"


def test_classes_that_lie_close_cost_what_is_missing_to_the_margin() -> None:
    loss = ClassGeometry(3, 2, capped=[0], start=0, end=0)
    rows, sure = torch.tensor([[1.0, 0.0], [0.8, 0.6]]), torch.ones(2)
    loss.begin_epoch(0)
    assert loss(rows, torch.tensor([0, 1]), sure).item() == pytest.approx(0.5 - 0.2), "no class is capped yet"
    assert loss.counts.tolist() == [1.0, 1.0, 0.0]


def test_one_class_alone_costs_nothing_but_its_spread() -> None:
    loss = ClassGeometry(2, 2, capped=[1], start=0, end=0)
    assert loss(torch.tensor([[1.0, 0.0]]), torch.tensor([0]), torch.ones(1)).item() == 0.0


def test_the_cap_is_the_median_of_the_classes_that_were_seen() -> None:
    loss = ClassGeometry(3, 2, capped=[0, 1], start=1, end=1, cap=0.5, margin=0.0)
    rows = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8], [0.6, -0.8]])
    labels, sure = torch.tensor([0, 0, 1, 1]), torch.ones(4)
    spreads = [0.5, 0.64]
    loss.begin_epoch(0)
    loss(rows, labels, sure)
    loss.begin_epoch(1)
    assert loss.limit.item() == pytest.approx(0.5 * min(spreads))  # torch's median is the lower of two
    wanted = sum(spread - 0.25 for spread in spreads) / 2
    assert loss(rows, labels, sure).item() == pytest.approx(wanted)


def test_the_spread_is_measured_once_and_caps_what_is_there() -> None:
    one, pair = torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    loss = ClassGeometry(2, 2, capped=[0], start=1, end=1, margin=0.0)
    zeros, sure = torch.tensor([0, 0]), torch.ones(2)
    loss.begin_epoch(2)
    assert math.isinf(loss.limit), "nothing was measured"
    assert loss(pair, zeros, sure).item() == 0.0, "so that nothing is capped"
    loss = ClassGeometry(2, 2, capped=[0], start=1, end=1, margin=0.0)
    loss(pair, zeros, sure)  # the first epoch need not be begun
    loss.begin_epoch(0)
    assert math.isinf(loss.limit), "it is not over"
    loss.begin_epoch(1)
    assert loss.limit.item() == pytest.approx(0.8 * 0.5)
    assert loss(one, torch.tensor([1]), torch.ones(1)).item() == 0.0, "none of the capped class is there"
    there = 0.45 + 0.1  # of the centre, which moves a tenth of the way
    assert loss(one, torch.tensor([0]), torch.ones(1)).item() == pytest.approx(2 * (1 - there) ** 2 - 0.4, rel=1e-4)


def test_neighbours_are_softened_by_their_distance() -> None:
    weights = [math.exp(-(k**2) / (2 * 0.5**2)) for k in (-2, -1, 0, 1)]
    wanted = [weight / sum(weights) for weight in weights]
    assert neighbourly(torch.tensor([2]), 4)[0].tolist() == pytest.approx(wanted)
    assert neighbourly(torch.tensor([0]), 2, spread=1.0)[0, 1].item() == pytest.approx(1 / (1 + math.exp(0.5)))


def test_the_nearest_centre_is_the_likeliest() -> None:
    places, centres = torch.tensor([[0.0, 1.0]]), torch.tensor([[0.0, 0.0], [3.0, 5.0]])
    odds = math.exp(-(25 - 1) / (2 * 2.0**2))
    wanted = [-math.log(1 + odds), math.log(odds) - math.log(1 + odds)]
    assert nearness(places, centres, 2.0)[0].tolist() == pytest.approx(wanted)


def test_a_teacher_at_the_limit_is_heard_and_agreement_counts_half_the_cosine() -> None:
    student, teacher = torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    doubt, both = torch.tensor([0.5, 0.5]), torch.tensor([True, True])
    assert reliability(doubt, student, teacher, both, limit=0.5).tolist() == pytest.approx([4 / 3, 2 / 3])
    faint = reliability(torch.tensor([0.9, 0.9]), student, teacher, both)
    assert faint.tolist() == pytest.approx([4 / 3, 2 / 3]), "little weight is weight"


def test_similarity_by_hand_with_nothing_set() -> None:
    student, teacher = torch.tensor([[0.0, 1.0]]), torch.tensor([[1.0, 0.0]])
    yes, prototypes = torch.tensor([True]), torch.eye(2)
    near, far = math.log(1 + math.exp(-10.0)), 10 + math.log(1 + math.exp(-10.0))  # cosines over a tau of 0.1
    share = 1 / (1 + math.exp(-10.0))
    divergence = share * (far - near) + (1 - share) * (near - far)
    wanted = divergence + 1.0 + far + near  # turned by a right angle; the label is the teacher's side
    for label in (0, 1):
        loss = similarity_loss(Partners(student, teacher, yes, yes), prototypes, torch.tensor([label]))
        assert loss.item() == pytest.approx(wanted, rel=1e-5)


def test_what_is_not_set_counts_once() -> None:
    features = torch.tensor([[2.0, 1.0]], requires_grad=True)
    reverse_gradient(features).sum().backward()
    assert features.grad is not None and features.grad.tolist() == [[-1.0, -1.0]]
    rows = torch.eye(2)
    assert shared_directions(rows, rows).item() == shared_directions(rows, rows, "mean_nn").item() == 0.5
    assert HeadInjection(torch.nn.Identity(), "ratings").eval().train().training is True


def test_beyond_the_grid_the_outer_cell_counts_and_the_last_class_may_be_absent() -> None:
    assert interpolated(torch.eye(4), torch.tensor([[9.0, -9.0]])).tolist() == [[0.0, 1.0, 0.0, 0.0]]
    start = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 3.0]])
    assert class_means(torch.tensor([[0.0, 2.0]]), torch.tensor([0]), start).tolist() == [[0, 1], [1, 0], [0, 1]]
