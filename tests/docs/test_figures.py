"""Every figure that a page quotes comes from a measured run, whose passport it links and with which it agrees."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

MEASURED = Path(__file__).parents[2] / "docs" / "measured"
sys.path.insert(0, str(MEASURED))
import blocks  # noqa: E402
import quotes  # noqa: E402
import refresh  # noqa: E402

RUNS = sorted(path.parent for path in MEASURED.glob("*/passport.json"))


@pytest.mark.parametrize("page", quotes.pages(), ids=lambda page: page.relative_to(quotes.ROOT).as_posix())
def test_every_figure_of_a_page_comes_from_a_measured_run(page: Path) -> None:
    found = quotes.problems(page)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("page", quotes.pages(), ids=lambda page: page.relative_to(quotes.ROOT).as_posix())
def test_every_picture_of_a_page_lies_beside_a_passport(page: Path) -> None:
    for target in re.findall(r"!\[[^\]]*\]\(([^)\s]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).resolve().with_name("passport.json").is_file(), target


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_a_measured_run_says_what_it_was_and_names_no_place(run: Path) -> None:
    about, passport = (json.loads((run / name).read_text()) for name in ("about.json", "passport.json"))
    assert about["command"] == refresh.RUNS[run.name].command
    for whole in passport.get("cells", [passport]):  # a sweep has the passport of each of its cells
        assert {"created", "code", "libraries", "platform"} <= set(whole)
    for path in run.glob("*.[cj]s*"):  # CSV and JSON
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"(?<![\w.:/<])(?:/(?:home|work|root|tmp|Users|usr|opt|mnt)\b|[A-Z]:\\|~/)", text), path


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a page beside a made-up run: arms `a` (57.04 %) and `b`, of which `a` is the headline."""
    run = tmp_path / "measured" / "study"
    run.mkdir(parents=True)
    (run / "metrics.csv").write_text(
        "arm,title,accuracy,low,high,difference,difference_low,difference_high\n"
        "a,the system,0.5704,0.528,0.613,,,\nb,a placebo,0.48,0.438,0.523,0.09,-0.012,0.126\n"
    )
    (run / "sizes.csv").write_text("what,milliseconds\nfinding,11.53\n")
    (run / "cells.csv").write_text(
        "title,practice,arm,accuracy,low,high,gain,gain_low,gain_high\n"
        "few,clean,system,0.5,0.4,0.6,0.05,0.01,0.09\nfew,clean,placebo,0.4,0.3,0.5,-0.05,-0.1,0.02\n"
        "many,clean,system,0.7,0.65,0.75,0.0,-0.01,0.011\nmany,leaking,system,0.9,0.8,1.0,0.2,0.1,0.3\n"
    )
    (run / "about.json").write_text(
        '{"title": "study", "command": "insula run study", "kind": "helps", "verdict": "It helps."}'
    )
    (run / "passport.json").write_text('{"created": "2026-01-02T00:00:00", "as_published": false}')
    monkeypatch.setattr(blocks, "MEASURED", tmp_path / "measured")
    for known in (blocks.about, blocks.tables):
        known.cache_clear()
    yield tmp_path / "page.md"
    for known in (blocks.about, blocks.tables):
        known.cache_clear()


def quoted(text: str, what: str) -> str:
    return f'[{text}](measured/study/passport.json "{what}")'


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("57.0 %", "a: accuracy"),
        ("52.8 to 61.3", "a: low to high"),
        ("\u22121.2 to +12.6", "b: difference_low to difference_high"),
        ("12 ms", "finding: milliseconds"),
        ("+5.0 (+1.0 to +9.0)", "few / system: gain to gain_low to gain_high"),
    ],
)
def test_a_quote_is_held_against_its_run(made: Path, text: str, what: str) -> None:
    made.write_text(f"It is {quoted(text, what)}.")
    assert quotes.problems(made) == []
    wrong = text.replace("2", "9").replace("0", "9")
    made.write_text(f"It is {quoted(wrong, what)}.")
    assert quotes.problems(made) == ["its figures are not those of the measured runs"]
    assert quotes.filled(made.read_text(), made) == f"It is {quoted(text, what)}."


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("It is right in 57 %.", "57 % is quoted from no measured run"),
        ("| system | 57.0 |", "57.0 is quoted from no measured run"),
        ("It gains 9.0 points.", "9.0 is quoted from no measured run"),
        (quoted("57.0 %", "c: accuracy"), "measured/study has no figure c: accuracy"),
        (quoted("57.0 %", "a: recall"), "measured/study has no figure a: recall"),
        (quoted("5.0", "system: gain"), "measured/study has several rows system: name what else stands in it"),
        ("<!-- measured: other -->\n<!-- end -->", "no measured run other: python docs/measured/refresh.py other"),
        ("<!-- measured: study/no.csv -->\n<!-- end -->", "measured/study has no no.csv"),
        ("<!-- measured: study/no.svg -->\n<!-- end -->", "measured/study has no no.svg"),
    ],
)
def test_a_figure_without_a_run_is_named(made: Path, text: str, problem: str) -> None:
    made.write_text(text)
    assert quotes.problems(made) == [problem]


def test_settings_as_code_and_published_figures_with_a_source_are_no_figures_of_ours(made: Path) -> None:
    made.write_text("With `label_noise=0.3` others had [88.51 %](https://doi.org/10.1/x), 95 % interval unknown.")
    assert quotes.problems(made) == []


def test_a_block_is_written_from_the_runs_and_then_agrees(made: Path) -> None:
    made.write_text(
        "<!-- measured: study -->\n<!-- end -->\n<!-- measured: study, study -->\n<!-- end -->\n"
        "<!-- measured: study/sizes.csv -->\n<!-- end -->\n<!-- measured: study/verdict -->\n<!-- end -->\n"
    )
    assert quotes.problems(made)
    text = quotes.filled(made.read_text(), made)
    assert "| **the system** | **57.0** | 52.8 to 61.3 |  |" in text
    assert "| a placebo | 48.0 | 43.8 to 52.3 | +9.0 (\u22121.2 to +12.6) |" in text
    assert "| the system | 57.0 (52.8 to 61.3) | 57.0 (52.8 to 61.3) |" in text
    assert "| finding | 11.5 |" in text and "> It helps." in text
    assert text.count("[passport](measured/study/passport.json)") == 4
    made.write_text(text)
    assert quotes.problems(made) == []
    made.write_text(text.replace("57.0", "75.0"))
    assert quotes.problems(made) == ["its figures are not those of the measured runs"]


def test_a_table_can_be_turned_and_cut(made: Path) -> None:
    asked = "study/cells.csv rows=title columns=arm value=gain practice=clean"
    text = quotes.filled(f"<!-- measured: {asked} -->\n<!-- end -->", made)
    assert "| title | system | placebo |" in text
    assert "| few | +5.0 (+1.0 to +9.0) | \u22125.0 (\u221210.0 to +2.0) |" in text
    assert "| many | +0.0 (\u22121.0 to +1.1) |  |" in text
    text = quotes.filled(
        "<!-- measured: study/cells.csv rows=title columns=arm practice=leaking -->\n<!-- end -->", made
    )
    assert "| many | 90.0 (80.0 to 100.0) |" in text and "few" not in text


def test_every_quoted_run_has_a_command_that_makes_it() -> None:
    wanted = {name for page in quotes.pages() for name in _runs_named(page.read_text(encoding="utf-8"))}
    assert wanted <= set(refresh.RUNS)
    assert {run.name for run in RUNS} <= set(refresh.RUNS)


def _runs_named(text: str) -> set[str]:
    asked = re.findall(r"<!-- measured: (.*?) -->", text)
    named = {name.strip() for what in asked for name in what.partition("/")[0].split(",")}
    return named | {found["run"] for found in quotes.QUOTE.finditer(text)}
