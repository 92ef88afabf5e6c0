"""Names of people that are spelt in two ways, and may be one person's."""

from __future__ import annotations

import re

import pandas as pd

_MARK = re.compile(r"^(sub|subject|participant|person|p|s)[-_ ]*(?=\d)")
_SHOWN = 3


def plain_name(name: str) -> str:
    """Return a name without what spellings differ in: case, blanks, leading zeros, a decimal nought, `sub-`.

    Examples
    --------
    >>> [plain_name(name) for name in ("P001", " p1", "sub-03", "3", "2.0", "Anna B")]
    ['1', '1', '3', '3', '2', 'annab']
    """
    plain = re.sub(r"\s+", "", name.casefold())
    plain = re.sub(r"^(\d+)\.0+$", r"\1", _MARK.sub("", plain))
    return re.sub(r"(?<!\d)0+(?=\d)", "", plain)


def respelt(table: pd.DataFrame) -> list[str]:
    """Return a line for each kind of people of whom some are spelt alike but for case, blanks or noughts."""
    lines = []
    for column in ("subject", "identity"):
        people = table[["corpus", column]].dropna(subset=[column]).drop_duplicates()
        plain = people[column].astype(str).map(plain_name)
        alike = people.groupby([people["corpus"].fillna(""), plain])[column].agg(list)
        alike = alike[alike.map(len) > 1]
        if len(alike):
            shown = ", ".join(" and ".join(map(repr, names)) for names in alike.iloc[:_SHOWN])
            more = f" and {len(alike) - _SHOWN} more" if len(alike) > _SHOWN else ""
            what = f"{column}: {shown}{more} count as different people, and may be spellings of one"
            lines.append(f"{what}: spell each person in one way")
    return lines
