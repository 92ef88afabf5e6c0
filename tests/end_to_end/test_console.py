"""What commands print: progress in a file, and tables in narrow terminals."""

from __future__ import annotations

import re
from itertools import pairwise

import pandas as pd
import pytest

from insula.cli import console

FRAME = pd.DataFrame(
    {"arm": ["fusion", "c3"], "": ["picture and virtual EEG", "EEG shuffled across all pictures, then trained"],
     "accuracy %": ["56.7", "52.8"], "95 % interval": ["52.5 to 60.8", ""]}
)  # fmt: skip


def test_in_a_file_progress_is_a_line_now_and_then_with_what_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    step = console._lines(lambda: now[0])
    for done in range(8, 101):
        step(done, 100, f"fit {done}")
        now[0] += 5
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "8 of 100 after 0:00 min: fit 8" and lines[-1] == "100 of 100 after 7:40 min: fit 100"
    assert "12 of 100 after 0:20 min, about 7:20 min left: fit 12" in lines
    times = [float(line.split()[4].partition(":")[0]) * 60 + float(line.split()[4].partition(":")[2]) for line in lines]
    assert all(after - before >= 20 for before, after in pairwise(times))


def test_progress_that_nobody_asked_for_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    with console.progress_bar(False) as step:
        step(1, 2, "fit")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("width", [50, 90, 140])
def test_no_word_of_a_table_is_cut_however_narrow_the_terminal(
    width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    console.print_table(FRAME, "Accuracy")
    out = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out)
    assert max(map(len, out.splitlines())) <= width
    for value in FRAME.to_numpy().ravel():
        assert all(word in out for word in value.split())
    assert ("│" in out) == (width >= 90)
