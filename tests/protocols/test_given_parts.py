"""Parts that a corpus gives: read as they are, without copies of pictures of a later part, and audited."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from insula.corpora.drawn_faces import draw_faces
from insula.emotions import Categorical
from insula.errors import DataError, LeakageError, SettingsError
from insula.evaluation.wording import protocol_in_words, selection_in_words
from insula.protocols import Protocol, audit, protocol
from insula.samples import ArrayStore, Description, Samples, provenance

CLASSES = ("anger", "happiness")
TASK = Categorical(label="emotion", classes=CLASSES)
PICTURES = Description(kind="picture", axes=("row", "column", "colour"), units="uint8 RGB")


def study(parts: list[str | None], copies: dict[int, int] | None = None, mirrored: bool = False) -> Samples:
    """Return a picture a row, of somebody else each; `copies` shows in one row what another row shows."""
    count = len(parts)
    emotions = [CLASSES[row % 2] for row in range(count)]
    pictures = draw_faces(emotions, [1.0] * count, range(count), nuisance=0.3, size=48)
    for row, original in (copies or {}).items():
        pictures[row] = pictures[original][:, ::-1] if mirrored else pictures[original]
    table = provenance(corpus="c", stimulus=[f"p{row}" for row in range(count)], n=count)
    table = table.assign(emotion=emotions, part=np.array(parts, object))
    return Samples(table, {}).with_modality("picture", "pictures", ArrayStore(pictures, PICTURES), range(count))


PARTS: list[str | None] = ["train"] * 12 + ["validation"] * 4 + ["test"] * 6


def test_the_split_is_the_one_that_the_corpus_gives() -> None:
    samples = study(PARTS)
    (split,) = protocol("as-given").splits(samples, TASK)
    assert split.train.tolist() == list(range(12))
    assert split.validation.tolist() == [12, 13, 14, 15]
    assert split.test.tolist() == list(range(16, 22))
    found = audit(split, samples, protocol("as-given"))
    assert {"given parts", "near-duplicate pictures"} <= set(found.checks)
    assert found.clean and not any("left out" in warning for warning in found.warnings)


def test_without_a_validation_part_training_gives_its_own_by_the_rule_of_the_protocol() -> None:
    samples = study(["train"] * 12 + ["test"] * 6)
    samples = samples.with_columns(identity=[f"i{row // 2}" for row in range(18)])
    rule = protocol("as-given", disjoint=("identity",), validation_share=0.25)
    (split,) = rule.splits(samples, TASK)
    assert split.test.tolist() == list(range(12, 18))
    assert sorted([*split.train, *split.validation]) == list(range(12))
    assert not {row // 2 for row in split.train} & {row // 2 for row in split.validation}
    assert audit(split, samples, rule).clean
    (alone,) = protocol("as-given", validation_share=0).splits(samples, TASK)
    assert len(alone.validation) == 0 and len(alone.train) == 12


@pytest.mark.parametrize("mirrored", [False, True])
def test_copies_leave_training_the_test_part_stays_whole_and_the_audit_says_how_many(mirrored: bool) -> None:
    # 17 copies a training and a validation picture, 13 copies a training picture
    samples = study(PARTS, {2: 17, 14: 17, 5: 13}, mirrored)
    (split,) = protocol("as-given").splits(samples, TASK)
    assert split.test.tolist() == list(range(16, 22))
    assert split.validation.tolist() == [12, 13, 15]
    assert split.train.tolist() == [row for row in range(12) if row not in (2, 5)]
    found = audit(split, samples, protocol("as-given"))
    assert found.clean and found.counts["unused"] == 3
    (told,) = [warning for warning in found.warnings if warning.startswith("given parts")]
    assert "3 training or validation rows left out, near-duplicates" in told and "sample 2 of sample 17" in told


def test_copies_are_kept_by_name_alone_and_then_every_figure_is_marked() -> None:
    samples = study(PARTS, {2: 17})
    rule = protocol("as-given", as_published=True)
    (split,) = rule.splits(samples, TASK)
    assert split.train.tolist() == list(range(12))
    found = audit(split, samples, rule)
    assert found.as_published and "near-duplicate" in found.leaks[0]
    with pytest.raises(LeakageError, match=r"near-duplicate"):
        audit(split, samples, protocol("as-given"))


def test_units_that_given_parts_share_are_a_leak_where_the_protocol_parts_them() -> None:
    samples = study(PARTS)
    samples = samples.with_columns(identity=[f"i{row}" for row in range(21)] + ["i0"])
    found = audit(protocol("as-given").splits(samples, TASK)[0], samples, protocol("as-given"))
    assert found.shared["identity"] == 1
    (told,) = [warning for warning in found.warnings if warning.startswith("identity")]
    assert "1 of the 6 faces in the test part were seen in training" in told
    apart = samples.with_columns(identity=[f"i{row}" for row in range(22)])
    found = audit(protocol("as-given").splits(apart, TASK)[0], apart, protocol("as-given"))
    assert not any(warning.startswith("identity") for warning in found.warnings)
    rule = protocol("as-given", disjoint=("identity",))
    with pytest.raises(LeakageError, match=r"identity c/i0 is in train and test"):
        audit(rule.splits(samples, TASK)[0], samples, rule)


def test_a_split_that_moves_given_rows_is_not_as_given() -> None:
    samples = study(PARTS)
    (split,) = protocol("as-given").splits(samples, TASK)
    moved = dataclasses.replace(split, train=split.train[1:], test=np.array([0, *split.test]))
    with pytest.raises(LeakageError, match=r"gives sample 0 to train"):
        audit(moved, samples, protocol("as-given"))


def test_rows_without_a_part_or_a_label_are_left_out_of_what_is_scored() -> None:
    samples = study([*PARTS, None])
    samples = samples.with_columns(emotion=samples.table["emotion"].where(samples.ids != 20))
    (split,) = protocol("as-given").splits(samples, TASK)
    assert split.test.tolist() == [16, 17, 18, 19, 21]
    assert 22 not in {*split.train, *split.validation}


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (["train"] * 4, "gives no labelled test part"),
        (["train", "train", "test", "dev"], r"the part of sample 3 is 'dev' .*train, validation, test"),
    ],
)
def test_parts_that_cannot_be_used_are_named(parts: list[str | None], message: str) -> None:
    with pytest.raises(DataError, match=message):
        protocol("as-given").splits(study(parts), TASK)


def test_a_corpus_without_parts_wants_another_protocol() -> None:
    samples = study(PARTS).without(["part"])
    with pytest.raises(DataError, match=r"no column 'part'"):
        protocol("as-given").splits(samples, TASK)
    with pytest.raises(SettingsError, match=r"exclude leave_one_out and test_share"):
        Protocol.parse({"parts": "part", "test_share": 0.2}, where="recipe")


def test_the_words_say_what_is_done_with_copies() -> None:
    assert "without pictures of which a later part holds a near-duplicate" in protocol_in_words(protocol("as-given"))
    published = protocol("as-given", as_published=True)
    assert "may leak" in protocol_in_words(published)
    assert "may have seen copies" in selection_in_words(published)
    assert "where it gives none, 20% of what training leaves" in selection_in_words(protocol("as-given"))
