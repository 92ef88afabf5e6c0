"""What UCMC's student minimises: every switch removes its own term and no other, and what is missing adds nothing."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn.functional import cross_entropy

from insula.emotions import Categorical, Continuous
from insula.samples import Description
from insula.systems.ucmc.losses import RowTargets, StudentLoss, TaskLoss, TeacherLoss
from insula.systems.ucmc.networks import StudentWithBridge, bridge_of, student_of, teacher_of
from insula.systems.ucmc.reading import Reader
from insula.systems.ucmc.settings import UCMCSettings
from insula.systems.ucmc.task_head import TaskHead

TASK = Categorical(label="emotion", classes=("a", "b", "c"))
AIM = TaskHead.of(TASK, pd.DataFrame({"emotion": list("aabc")}))
RATED = TaskHead.of(Continuous(label="valence"), pd.DataFrame({"valence": np.linspace(-0.3, 0.5, 30)}))
FORM = Description(kind="features", axes=("feature",))
EEG, FACE = (Reader("features", called, "mlp", FORM, (5,)) for called in ("EEG", "face"))
SWITCHES = ("similarity", "uncertainty", "distillation")


def rows(task_head: TaskHead, n: int = 12, seed: int = 0, **changes: Any) -> RowTargets:
    draw = torch.Generator().manual_seed(seed)
    code = torch.arange(n) % 3
    value = code.float() if task_head.kind == "classes" else torch.randn(n, generator=draw)
    there = torch.ones(n, dtype=torch.bool)
    outputs, features = torch.randn(n, task_head.outputs, generator=draw), torch.randn(n, 8, generator=draw)
    return RowTargets(value, code, there, there, outputs, features)._replace(**changes)


def setting(task_head: TaskHead = AIM, **changes: Any) -> tuple[StudentLoss, StudentWithBridge]:
    settings = UCMCSettings(width=8, dropout=0.0, **{"contrast_weight": 0.0, **changes})
    student = student_of(settings, EEG, task_head)
    network = StudentWithBridge(student, bridge_of(settings, teacher_of(settings, FACE, task_head), task_head)).train()
    return StudentLoss(task_head, settings, network, "eeg"), network


def loss_of(known: RowTargets, task_head: TaskHead = AIM, epoch: int = 1, **changes: Any) -> torch.Tensor:
    loss, network = setting(task_head, **changes)
    loss.begin_epoch(epoch)
    inputs = torch.randn(12, 5, generator=torch.Generator().manual_seed(3))[: len(known.code)]
    return loss(network(torch.where(known.eeg[:, None], inputs, torch.nan)), known.packed())


@pytest.mark.parametrize("task_head", [AIM, RATED], ids=["classes", "ratings"])
def test_each_switch_takes_its_own_term_away_and_no_other(task_head: TaskHead) -> None:
    known = rows(task_head)
    none = dict.fromkeys(SWITCHES, False)
    bare = loss_of(known, task_head, **none).item()
    parts = {name: loss_of(known, task_head, **{**none, name: True}).item() - bare for name in SWITCHES}
    assert all(part > 1e-3 for part in parts.values())
    for on in product((False, True), repeat=3):
        switches = dict(zip(SWITCHES, on, strict=True))
        wanted = bare + sum(parts[name] for name in SWITCHES if switches[name])
        assert loss_of(known, task_head, **switches).item() == pytest.approx(wanted, abs=1e-4)
        zeroed = {f"{name}_weight": 0.0 for name in SWITCHES if not switches[name]}
        assert loss_of(known, task_head, **zeroed).item() == pytest.approx(wanted, abs=1e-4)


def test_without_any_of_them_the_loss_is_that_of_the_task() -> None:
    known = rows(AIM)
    loss, network = setting(**dict.fromkeys(SWITCHES, False))
    inputs = torch.randn(12, 5)
    said = network(inputs)
    wanted = cross_entropy(said.outputs, known.code, 1 / (3 * torch.tensor([0.5, 0.25, 0.25])))
    assert loss(said, known.packed()).item() == pytest.approx(wanted.item(), rel=1e-5)


def test_rows_weigh_the_same_at_first_and_by_the_teachers_certainty_later() -> None:
    known = rows(AIM)
    only = {"similarity": False, "uncertainty_weight": 0.0}
    equal = loss_of(known, uncertainty=False, similarity=False)
    assert loss_of(known, epoch=2, **only).item() == pytest.approx(equal.item(), rel=1e-6)
    assert abs(loss_of(known, epoch=3, **only).item() - equal.item()) > 1e-4


@pytest.mark.parametrize("task_head", [AIM, RATED], ids=["classes", "ratings"])
@pytest.mark.parametrize("lacking", ["face", "eeg", "label", "all"])
def test_a_batch_that_lacks_something_trains_with_what_it_has(lacking: str, task_head: TaskHead) -> None:
    nobody = torch.zeros(12, dtype=torch.bool)
    unknown = {"code": torch.full((12,), -1), "value": torch.full((12,), torch.nan)}
    changes = {"face": {"face": nobody}, "eeg": {"eeg": nobody}, "label": unknown}
    changes["all"] = {**changes["face"], **changes["eeg"], **unknown}
    known = rows(task_head, **changes[lacking])
    loss, network = setting(task_head, contrast_weight=0.1)
    loss.begin_epoch(5)
    said = network(torch.where(known.eeg[:, None], torch.randn(12, 5), torch.nan))
    total = loss(said, known.packed())
    assert torch.isfinite(total)
    if lacking == "all":
        assert total.item() == 0
        return
    total.backward()
    grown = [weight.grad for weight in network.parameters() if weight.grad is not None]
    assert grown and all(torch.isfinite(gradient).all() for gradient in grown)


def test_rows_without_a_partner_add_nothing_to_what_compares_the_two() -> None:
    """Half of the rows lack a face: distillation and alignment are those of the other half."""
    half = torch.arange(12) < 6
    only = {"similarity": False, "uncertainty": False}
    whole = rows(AIM)
    paired = RowTargets(*(part[half] for part in whole))
    for changes in ({**only}, {**only, "distillation": False, "contrast_weight": 1.0}):
        none = {**only, "distillation": False}
        with_lacking = loss_of(whole._replace(face=half), **changes) - loss_of(whole._replace(face=half), **none)
        without = loss_of(paired, **changes) - loss_of(paired, **none)
        assert with_lacking.item() == pytest.approx(without.item(), abs=1e-5)


def test_pairs_without_a_label_are_aligned() -> None:
    known = rows(AIM, code=torch.full((12,), -1), value=torch.full((12,), torch.nan))
    assert loss_of(known).item() == 0
    assert loss_of(known, contrast_weight=0.1).item() > 0


def test_the_teachers_head_stays_and_gradients_pass_through_it() -> None:
    loss, network = setting(similarity=False, uncertainty=False)
    before = [weight.clone() for weight in network.bridge.injection.parameters()]
    known = rows(AIM, code=torch.arange(12) % 3)
    said = network(torch.randn(12, 5))
    (loss(said, known.packed()) - loss.task(said.outputs, known, known.eeg)).backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in network.bridge.adapter.parameters())
    assert network.student.encoder.network.network[0].weight.grad.any()  # type: ignore[union-attr, operator, index]
    torch.optim.AdamW([weight for weight in network.parameters() if weight.requires_grad], lr=0.1).step()
    assert all(map(torch.equal, before, network.bridge.injection.parameters()))


def test_ratings_that_do_not_differ_in_a_batch_have_finite_gradients() -> None:
    known = rows(RATED, value=torch.full((12,), 0.3))
    said = torch.full((12, 1), 0.1, requires_grad=True)
    TaskLoss(RATED)(said, known, known.eeg).backward()
    assert torch.isfinite(said.grad).all() and said.grad.abs().max() < 1  # type: ignore[union-attr]


def test_a_teacher_learns_from_rows_with_a_face_and_a_label() -> None:
    there = torch.arange(12) < 4
    known = rows(AIM, face=there)
    settings = UCMCSettings(width=8)
    said = teacher_of(settings, FACE, AIM)(torch.randn(12, 5))
    mine = cross_entropy(said.outputs[there], known.code[there], 1 / (3 * torch.tensor([0.5, 0.25, 0.25])))
    assert TeacherLoss(TaskLoss(AIM), 8)(said, known.packed()).item() == pytest.approx(mine.item(), rel=1e-5)


def test_what_is_known_survives_packing_and_steps_of_sequences_become_rows() -> None:
    known = rows(AIM)
    again = RowTargets.of(known.packed().reshape(3, 4, -1), 8)
    assert all(torch.equal(one, other) for one, other in zip(known, again, strict=True))


def test_thirds_of_a_rating_are_equally_common_and_ratings_come_back_in_their_own_units() -> None:
    task = Continuous(label="valence", scale=(1, 9))
    table = pd.DataFrame({"valence": [*np.linspace(2, 8, 30), np.nan]})
    task_head = TaskHead.of(task, table)
    values = task_head.values(table)
    assert np.bincount(task_head.codes(values)[:-1]).tolist() == [10, 10, 10] and task_head.codes(values)[-1] == -1
    assert np.allclose(task_head.ratings(values[:-1]), table["valence"][:-1], atol=1e-5)
    assert TaskHead.read(task, task_head.plain()) == task_head
