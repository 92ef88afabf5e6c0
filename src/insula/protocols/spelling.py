"""Names of people that are spelt in two ways, and may be one person's."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pandas as pd

JOIN = "--set protocol.spellings=joined"
"""What is typed to join them."""

_MARK = re.compile(r"^(subj?|subject|participant|person|proband|ppt?|vpn?|p|s)(?=\d)")
_BLANKS = re.compile(r"\s+|(?<!\d)[_-]+|[_-]+(?!\d)")  # 1-2 is not 12
_SHOWN = 3


def plain_name(name: str) -> str:
    """Return a name without what spellings differ in: case, blanks, leading zeros, a decimal nought, `sub-`.

    Examples
    --------
    >>> [plain_name(name) for name in ("P001", " p1", "sub-03", "3", "2.0", "Anna B", "anna_b", "1-2")]
    ['1', '1', '3', '3', '2', 'annab', 'annab', '1-2']
    """
    plain = _BLANKS.sub("", name.casefold())
    plain = re.sub(r"^(\d+)\.0+$", r"\1", _MARK.sub("", plain))
    return re.sub(r"(?<!\d)0+(?=\d)", "", plain)


def spellings(table: pd.DataFrame) -> Iterator[tuple[str, str, list[str]]]:
    """Yield column, corpus and names of people who are spelt alike but for case, blanks or noughts."""
    for column in ("subject", "identity"):
        people = table[["corpus", column]].dropna(subset=[column]).drop_duplicates()
        plain = people[column].astype(str).map(plain_name)
        alike = people.groupby([people["corpus"].fillna(""), plain], sort=False)[column].agg(list)
        for (corpus, _), names in alike[alike.map(len) > 1].items():
            yield column, corpus, names


def respelt(table: pd.DataFrame, join: str) -> list[str]:
    """Return a line for each kind of people of whom some are spelt alike; `join` is what is typed to join them."""
    lines = []
    by_column: dict[str, list[str]] = {}
    for column, _, names in spellings(table):
        by_column.setdefault(column, []).append(" and ".join(map(repr, names)))
    for column, alike in by_column.items():
        more = f" and {len(alike) - _SHOWN} more" if len(alike) > _SHOWN else ""
        what = f"{column}: {', '.join(alike[:_SHOWN])}{more} count as different people, and may be spellings of one"
        lines.append(f"{what}: spell each person in one way, or join them by {join}")
    return lines
