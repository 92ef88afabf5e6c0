"""Figures that pages quote from measured runs: filled in, and checked, against the runs' own files.

A page quotes one figure as a link to the run's passport whose title says which figure it is:

    [57.0 %](measured/demo/passport.json "fusion: accuracy")
    [52.8 to 61.3](measured/demo/passport.json "fusion: low to high")
    [+5.3](measured/bmci-regimes/passport.json "clean labels, 6 people / fusion: gain")

After the colon stands a column of one of the run's CSV files; before it what picks the row: texts that stand in it, of
which only one row may have all. A table is a block that this file writes:

    <!-- measured: bmci, semi-simulated -->      arms of one or several runs, from their metrics.csv
    <!-- measured: faces/networks.csv -->        a CSV file as it is
    <!-- measured: bmci-tables/T1.csv rows=column columns=split value=accuracy practice=clean -->  a part of it, turned
    <!-- measured: bmci-regimes/regimes.svg -->  a figure
    <!-- measured: demo/verdict -->              the run's sentence
    <!-- end -->

`python docs/measured/quotes.py` fills all pages in and names every figure that no run stands behind.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import blocks
from blocks import ROOT, MissingError

BLOCK = re.compile(r"(<!-- measured: (?P<what>.*?) -->\n).*?(<!-- end -->)", re.DOTALL)
QUOTE = re.compile(
    r'\[(?P<text>[^\]]+)\]\((?P<target>[^)\s]*measured/(?P<run>[\w-]+)/passport\.json) "(?P<what>[^"]+)"\)'
)
NUMBER = re.compile(r"[+\u2212-]?\d[\d,]*(?:\.\d+)?")

NOT_MEASURED = re.compile(
    r"""```.*?```|`[^`\n]*`              # code, and settings, which are written as code
    |<!--.*?-->
    |\[[^\]]*\]\(https?://[^)]*\)       # a figure that links its published source
    |https?://\S+|doi\s+\S+|arXiv:\S+
    |(?:CC[ ]BY|ODC-BY|Apache|Python|version|cff-version:?)[ -]?\d[\d.]*
    |\b95\s%\sinterval                  # the level of every interval
    """,
    re.DOTALL | re.VERBOSE,
)
FIGURE = re.compile(r"(?<![\w.])\d+(?:\.\d+)?\s?%|(?<![\w.])\d+\.\d+(?![\w.]*\w)")


def pages() -> list[Path]:
    """Return every page whose figures are checked: README, cards and the site; not records and generated pages."""
    docs = [page for page in (ROOT / "docs").rglob("*.md") if page.parent.name not in ("benchmarks", "measured")]
    return [ROOT / "README.md", *sorted((ROOT / "src/insula/systems").glob("*/README.md")), *sorted(docs)]


def filled(text: str, page: Path) -> str:
    """Return a page's text with every block and quote as the runs say.

    Raises
    ------
    MissingError
        Where a run, file, row or column does not exist.
    """
    text = BLOCK.sub(lambda found: found[1] + blocks.block(found["what"], page) + found[3], text)
    return QUOTE.sub(_quote, text)


def strays(text: str) -> list[str]:
    """Return figures of a text, percentages and decimal numbers, that stand in no block and no quote."""
    return FIGURE.findall(NOT_MEASURED.sub(" ", QUOTE.sub(" ", BLOCK.sub(" ", text))))


def problems(page: Path) -> list[str]:
    """Return what is wrong with the figures of a page, one line each."""
    text = page.read_text(encoding="utf-8")
    found = [f"{figure} is quoted from no measured run" for figure in strays(text)]
    try:
        if filled(text, page) != text:
            found.append("its figures are not those of the measured runs")
    except MissingError as error:
        found.append(str(error))
    return found


def _quote(found: re.Match[str]) -> str:
    row, _, columns = found["what"].rpartition(": ")
    values = [_value(found["run"], row, column) for column in columns.split(" to ")]
    if len(NUMBER.findall(found["text"])) != len(values):
        raise MissingError(f"{found[0]} should hold {len(values)} numbers")
    left = iter(values)
    text = NUMBER.sub(lambda old: _like(old[0], next(left)), found["text"])
    return found[0].replace(f"[{found['text']}]", f"[{text}]", 1)


def _value(run: str, row: str, column: str) -> float:
    blocks.about(run)
    texts = row.split(" / ")
    for table in blocks.tables(run).values():
        if column in table:
            named = table.astype(str)
            rows = table[[all(text in set(values) for text in texts) for values in named.to_numpy()]]
            if len(rows) > 1:
                raise MissingError(f"measured/{run} has several rows {row}: name what else stands in it")
            if len(rows):
                return float(rows[column].iloc[0]) * (100 if blocks.SHARES.fullmatch(column) else 1)
    raise MissingError(f"measured/{run} has no figure {row}: {column}")


def _like(old: str, value: float) -> str:
    """Return a value with the sign and the decimals of a text."""
    digits, sign = len(old.partition(".")[2]), "" if old[0].isdigit() else "+"
    return f"{value:{sign},.{digits}f}".replace("-", blocks.MINUS)


def main() -> int:
    """Fill every page in; return 1 where a page still holds a figure that no run stands behind."""
    wrong = 0
    for page in pages():
        text = page.read_text(encoding="utf-8")
        try:
            new = filled(text, page)
            if new != text:
                page.write_text(new, encoding="utf-8")
        except MissingError:
            pass  # named below
        for problem in problems(page):
            wrong += 1
            print(f"{page.relative_to(ROOT)}: {problem}")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
