"""Learning curves: every network that was trained has a panel, and none that was not."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from made_up_results import make_results

from insula.evaluation.draw_learning import learning_curves
from insula.evaluation.drawing import style
from insula.evaluation.facts import summarise


def history(epochs: int, epoch: int, held: bool = True) -> dict[str, Any]:
    losses = [2 / (place + 1) for place in range(epochs)]
    return {"epoch": epoch, "train_losses": losses, "validation_losses": losses if held else []}


def fits(name: str, fact: dict[str, Any]) -> dict[str, Any]:
    return {f"{name}, repeat 0, fold {fold}": fact for fold in range(3)}


def draw(facts: dict[str, Any]) -> Any:
    with style():
        return learning_curves(make_results(studies=1, units=30, facts=facts))


def test_each_network_has_a_panel_however_deep_its_losses_lie() -> None:
    own = {"teacher": history(3, 2), "student": {"full": history(5, 5, held=False)}, "seconds": {"student": 3.0}}
    drawn = draw({**fits("neuro", own), "pictures": 60})
    picture = base64.b64decode(drawn.picture.partition(",")[2])
    assert picture.count(b'<g id="axes_') == 2
    assert "teacher: 3 fits, training loss 2 to 0.667, kept epoch 2, validation loss 1 there" in drawn.alternative
    assert drawn.alternative.endswith("student, full: 3 fits, training loss 2 to 0.4, kept epoch 5.")


def test_peers_are_named_and_placebos_and_permuted_labels_left_out() -> None:
    facts = {**fits("own", history(2, 1)), **fits("linear", history(2, 2)), **fits("c1", history(2, 2))}
    said = draw({**facts, **fits("permuted", history(2, 2))}).alternative
    assert "own: 3 fits" in said and "Linear model on plain features: 3 fits" in said
    assert "Random code" not in said and "permuted" not in said


@pytest.mark.parametrize("facts", [{}, {"pictures": 60}, fits("own", {"epoch": 3})])
def test_without_losses_nothing_is_drawn(facts: dict[str, Any]) -> None:
    assert draw(facts) is None


def test_what_is_drawn_is_not_printed() -> None:
    assert list(summarise(fits("own", history(2, 1))).values()) == [[("epoch", "1")]]
