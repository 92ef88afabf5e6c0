"""Tables of splits that went wrong once: semicolons, people spelt in two ways, rows in no part."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from insula.protocols.tables import audit_files


@pytest.mark.parametrize(
    ("name", "warning"), [("aud-partial", "36 of 72 rows are in no part"), ("aud-subject-case", "'S03' and 's03'")]
)
def test_what_an_audit_notices_it_says(case: Callable[[str], Path], name: str, warning: str) -> None:
    report = audit_files(case(name) / "table.csv", case(name) / "split.csv", ["subject"])
    assert any(warning in line for line in report.warnings)


def test_a_table_with_semicolons_is_read(case: Callable[[str], Path]) -> None:
    report = audit_files(case("aud-semicolon") / "table.csv", case("aud-semicolon") / "split.csv", ["subject"])
    assert {"trial", "subject", "time"} <= set(report.checks)
