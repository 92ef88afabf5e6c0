"""Names of classes and people in pictures of the report: they are words, whatever signs they have."""

from __future__ import annotations

from xml.etree import ElementTree as Xml

import pytest

from insula.evaluation.drawing import canvas, style, svg


@pytest.mark.parametrize("name", ["a$\\frac{1$", "50$ or 60$", "--> <b> &amp;"])
def test_a_name_is_drawn_as_it_is_spelt(name: str) -> None:
    with style():
        figure, axes = canvas(2, 1)
        axes.set_title(name)
        assert Xml.fromstring(svg(figure)) is not None
        assert axes.title.get_parse_math() is False
