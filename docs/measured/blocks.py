"""Measured runs and the tables that pages show of them; `quotes.py` says how a page asks for one."""

from __future__ import annotations

import json
import os
import re
import shlex
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

ROOT = Path(__file__).parents[2]
MEASURED = ROOT / "docs" / "measured"
MINUS = "\u2212"

SHARES = re.compile(
    r"share|found|answered.*|right.*|accuracy|low|high|sd|balanced_accuracy|agreement|change|ece|fell_back|refused|(?:difference|gain|recall|coverage).*"
)
"""Columns that hold shares and are printed in per cent."""

BOUNDS = {"accuracy": ("low", "high"), "gain": ("gain_low", "gain_high")}


class MissingError(Exception):
    """A page quotes what no measured run says."""


@cache
def tables(run: str) -> dict[str, pd.DataFrame]:
    """Return the tables of a run by the names of their files."""
    return {path.name: pd.read_csv(path) for path in sorted((MEASURED / run).glob("*.csv"))}


@cache
def about(run: str) -> dict[str, Any]:
    """Return what is known of a run: `title, command, kind, verdict`, the day `created`, and its `passport`."""
    folder = MEASURED / run
    if not (folder / "passport.json").is_file():
        raise MissingError(f"no measured run {run}: python docs/measured/refresh.py {run}")
    known, passport = (
        json.loads((folder / name).read_text(encoding="utf-8")) for name in ("about.json", "passport.json")
    )
    whole = passport.get("cells", [passport])  # a sweep has the passport of each of its cells
    return {**known, "passport": passport, "created": max(one["created"] for one in whole)[:10]}


def table(run: str, name: str) -> pd.DataFrame:
    """Return a table of a run."""
    about(run)
    if name not in tables(run):
        raise MissingError(f"measured/{run} has no {name}")
    return tables(run)[name]


def block(what: str, page: Path) -> str:
    """Return a block of a page, in Markdown: a verdict, a table, and the passports behind it."""
    first, *words = shlex.split(what)
    run, _, name = first.partition("/")
    if name == "verdict":
        return f"> {about(run).get('verdict', '')}\n\n{_sources([run], page)}"
    if name.endswith(".svg"):
        return f"![{about(run)['title']}]({_figure(run, name, page)})\n\n{_sources([run], page)}"
    if name:
        found = table(run, name)
        return f"{_part(found, dict(word.split('=', 1) for word in words))}\n{_sources([run], page)}"
    runs = [part.strip() for part in what.split(",")]
    return f"{_arms(runs[0]) if len(runs) == 1 else _beside(runs)}\n{_sources(runs, page)}"


def _figure(run: str, name: str, page: Path) -> str:
    if not (MEASURED / run / name).is_file():
        raise MissingError(f"measured/{run} has no {name}")
    return _relative(MEASURED / run / name, page)


def _relative(path: Path, page: Path) -> str:
    return os.path.relpath(path, page.parent).replace(os.sep, "/")


def percent(value: float, sign: str = "") -> str:
    """Return a share in per cent, with one decimal."""
    return f"{100 * value:{sign}.1f}".replace("-", MINUS)


def _arms(run: str) -> str:
    rows = []
    for arm in table(run, "metrics.csv").to_dict("records"):
        headline = pd.isna(arm["difference"])
        bold = "**" if headline else ""
        gain = "" if headline else f"{percent(arm['difference'], '+')}{_in_brackets(arm, 'difference_', '+')}"
        rows.append([f"{bold}{arm['title']}{bold}", f"{bold}{percent(arm['accuracy'])}{bold}", _between(arm), gain])
    return _markdown(["", "accuracy %", "95 % interval", "headline minus this, points"], rows, text_columns=1)


def _beside(runs: list[str]) -> str:
    titles: dict[str, str] = {}
    cells = []
    for run in runs:
        found = table(run, "metrics.csv").set_index("arm")
        titles |= {str(arm): title for arm, title in found["title"].items() if arm not in titles}
        said = found.to_dict("index")
        cells.append({str(arm): f"{percent(row['accuracy'])}{_in_brackets(row)}" for arm, row in said.items()})
    rows = [[title, *(cell.get(arm, "") for cell in cells)] for arm, title in titles.items()]
    rows.append(["*verdict*", *(f"*{_kind(run)}*" for run in runs)])
    return _markdown(["accuracy % (95 % interval)", *(about(run)["title"] for run in runs)], rows, text_columns=1)


def _kind(run: str) -> str:
    return "none: the split leaks" if about(run)["passport"].get("as_published") else about(run).get("kind", "none")


def _in_brackets(row: dict[str, Any], prefix: str = "", sign: str = "") -> str:
    between = _between(row, prefix, sign)
    return f" ({between})" if between else ""


def _between(row: dict[str, Any], prefix: str = "", sign: str = "") -> str:
    low, high = row[f"{prefix}low"], row[f"{prefix}high"]
    return "" if pd.isna(low) else f"{percent(low, sign)} to {percent(high, sign)}"


def _part(found: pd.DataFrame, asked: dict[str, str]) -> str:
    """Return a table, turned where `rows` and `columns` are asked for; `COLUMN=A|B` keeps some rows."""
    turned = {name: asked.pop(name) for name in ("rows", "columns", "value") if name in asked}
    for column, kept in asked.items():
        found = found[found[column].astype(str).isin(kept.split("|"))]
    if found.empty:
        raise MissingError(f"no row has {asked}")
    return _pivot(found, **turned) if turned else _plain(found.drop(columns=list(asked)))


def _pivot(found: pd.DataFrame, rows: str, columns: str, value: str = "accuracy") -> str:
    """Return one row for each value of `rows`, one column for each of `columns`."""
    low, high = BOUNDS[value] if set(BOUNDS[value]) <= set(found) else ("low", "high")
    sign = "+" if value == "gain" else ""
    texts = [
        ""
        if pd.isna(row[value])
        else f"{percent(row[value], sign)} ({percent(row[low], sign)} to {percent(row[high], sign)})"
        for row in found.to_dict("records")
    ]
    wide = found.assign(_text=texts).pivot_table(
        index=rows.split(","), columns=columns, values="_text", aggfunc="first", sort=False
    )
    cells = [[*map(str, key if isinstance(key, tuple) else (key,)), *line.fillna("")] for key, line in wide.iterrows()]
    return _markdown([*rows.split(","), *map(str, wide.columns)], cells, text_columns=rows.count(",") + 1)


def _plain(found: pd.DataFrame) -> str:
    """Return a table as it is; shares in per cent, other numbers to three figures."""

    def cell(column: str, value: Any) -> str:
        if isinstance(value, float):
            if pd.isna(value):
                return ""
            return (
                percent(value)
                if SHARES.fullmatch(column)
                else f"{value:,.0f}"
                if abs(value) >= 1000
                else f"{value:.3g}"
            )
        return f"{value:,}" if isinstance(value, int) else str(value)

    texts = sum(not pd.api.types.is_numeric_dtype(found[column]) for column in found)
    rows = [[cell(name, value) for name, value in row.items()] for row in found.to_dict("records")]
    head = [f"{name.replace('_', ' ')}{' %' if SHARES.fullmatch(name) else ''}" for name in found]
    return _markdown(head, rows, text_columns=texts)


def _markdown(head: list[str], rows: list[list[str]], text_columns: int) -> str:
    rule = ["---"] * text_columns + ["---:"] * (len(head) - text_columns)
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, rule, *rows))


def _sources(runs: list[str], page: Path) -> str:
    lines = []
    for run in runs:
        known = about(run)
        passport = _relative(MEASURED / run / "passport.json", page)
        lines.append(f"- `{known['command']}`, {known['created']}: [passport]({passport})")
        figures = known["passport"].get("recipe", {}).get("settings", {}).get("reported", ())
        lines += [f"- Reported, not ours: {one['title']}, {one['value']} ({one['source']})" for one in figures]
    return "\n".join(dict.fromkeys(lines)) + "\n"
