"""Names that are spelt in two ways."""

from __future__ import annotations

import pytest

from insula.protocols.spelling import plain_name, respelt
from insula.samples import provenance


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("P001", "1"), (" p 1\t", "1"), ("sub-03", "3"), ("subject_3", "3"), ("3", "3"), ("2.0", "2"), ("2.05", "2.5"),
        ("Anna  B", "annab"), ("a10", "a10"), ("a007b", "a7b"), ("100", "100"), ("0", "0"), ("p0.00", "0"),
        ("subp1", "subp1"), ("1.0a", "1.0a"), ("STRASSE", "strasse"), ("Straße", "strasse"),
    ],
)  # fmt: skip
def test_a_plain_name_is_what_spellings_share(name: str, plain: str) -> None:
    assert plain_name(name) == plain


def test_people_who_may_be_one_are_listed_three_at_most_within_their_corpus() -> None:
    subjects = ["S1", "s01", "S2", "S3", "s3", None, "S3", "S2"]
    table = provenance(8, corpus=[*"aaaaaaa", "b"], subject=subjects, identity=[None, *"xyzxyz", None])
    one = "count as different people, and may be spellings of one: spell each person in one way, or join them by THIS"
    assert respelt(table, "THIS") == [f"subject: 'S1' and 's01', 'S3' and 's3' {one}"]
    assert respelt(table.assign(corpus=None), "THIS") == [f"subject: 'S1' and 's01', 'S3' and 's3' {one}"]
    faces = [name for number in range(4) for name in (f"i{number}", f"I{number}")]
    three = "'i0' and 'I0', 'i1' and 'I1', 'i2' and 'I2'"
    assert respelt(table.assign(corpus="a", subject=None, identity=faces), "THIS") == [
        f"identity: {three} and 1 more {one}"
    ]
    assert respelt(table.assign(subject=None, identity=[*faces[:6], None, None]), "THIS") == [
        f"identity: {three} {one}"
    ]
    assert respelt(table.iloc[[0, 2, 3]], "THIS") == []
