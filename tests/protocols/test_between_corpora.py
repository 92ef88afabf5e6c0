"""Corpora that are tested and those that train: given parts, copies, people, and what is refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from insula.corpora.drawn_faces import draw_faces
from insula.emotions import Categorical
from insula.errors import DataError, LeakageError, SettingsError
from insula.evaluation.wording import protocol_in_words
from insula.protocols import Protocol, audit, protocol
from insula.samples import ArrayStore, Description, Samples, provenance
from protocols import studies

CLASSES = ("anger", "happiness")
TASK = Categorical(label="emotion", classes=CLASSES)
PICTURES = Description(kind="picture", axes=("row", "column", "colour"), units="uint8 RGB")
FIRST = ["train"] * 12 + ["validation"] * 4 + ["test"] * 4  # rows 0 to 19
WHOLE = ["train"] * 6  # rows 20 to 25: a corpus without parts, as `joined` has it


def rule(*tested: str, **changes: Any) -> Protocol:
    return protocol("corpus-to-corpus", test_corpora=tested, **changes)


def study(parts: dict[str, Sequence[str | None]], copies: dict[int, int] | None = None) -> Samples:
    """Return a picture a row, of somebody else each; `copies` shows in one row what another row shows."""
    names = np.repeat(list(parts), [len(rows) for rows in parts.values()])
    count = len(names)
    emotions = [CLASSES[row % 2] for row in range(count)]
    pictures = draw_faces(emotions, [1.0] * count, range(count), nuisance=0.3, size=48)
    for row, original in (copies or {}).items():
        pictures[row] = pictures[original]
    table = provenance(corpus=names, stimulus=[f"p{row}" for row in range(count)], n=count)
    table = table.assign(emotion=emotions, part=np.array([part for rows in parts.values() for part in rows], object))
    return Samples(table, {}).with_modality("picture", "pictures", ArrayStore(pictures, PICTURES), range(count))


def test_a_corpus_without_a_test_part_is_tested_whole_and_the_others_keep_their_parts() -> None:
    samples = study({"one": FIRST, "two": WHOLE})
    (split,) = rule("two").splits(samples, TASK)
    assert split.train.tolist() == list(range(12))
    assert split.validation.tolist() == [12, 13, 14, 15]
    assert split.test.tolist() == list(range(20, 26))
    found = audit(split, samples, rule("two"))
    assert found.clean and found.counts["unused"] == 4 and found.shared["corpus"] == 0
    assert {"given parts", "near-duplicate pictures"} <= set(found.checks)
    assert any("whether somebody is in two was not compared" in warning for warning in found.warnings)


def test_a_corpus_with_a_test_part_is_tested_on_that_alone_and_the_rest_of_it_does_not_train() -> None:
    samples = study({"one": FIRST, "two": WHOLE})
    (split,) = rule("one", validation_share=1 / 3).splits(samples, TASK)
    assert split.test.tolist() == [16, 17, 18, 19]
    assert sorted([*split.train, *split.validation]) == list(range(20, 26))
    assert len(split.validation) == 2 and audit(split, samples, rule("one", validation_share=1 / 3)).clean


def test_several_are_tested_at_once() -> None:
    samples = study({"one": FIRST, "two": WHOLE, "three": ["test"] * 4})
    (split,) = rule("two", "three").splits(samples, TASK)
    assert split.train.tolist() == list(range(12)) and split.test.tolist() == list(range(20, 30))


def test_without_a_column_of_parts_all_of_the_others_trains() -> None:
    samples = study({"one": FIRST, "two": WHOLE}).without(["part"])
    (split,) = rule("two", validation_share=0).splits(samples, TASK)
    assert split.train.tolist() == list(range(20)) and split.test.tolist() == list(range(20, 26))


def test_validation_keeps_people_whole_where_they_are_known_and_takes_pictures_where_not() -> None:
    samples = study({"one": ["train"] * 12, "two": ["train"] * 12, "three": WHOLE})
    person = [f"i{row // 3}" if row < 12 else None for row in range(30)]
    samples = samples.with_columns(identity=np.array(person, object))
    (split,) = rule("three", validation_share=0.3).splits(samples, TASK)
    sides = [{person[row] for row in part if row < 12} for part in (split.train, split.validation)]
    assert not sides[0] & sides[1] and all(sides)
    assert any(row >= 12 for row in split.validation)


def test_trials_of_eeg_may_be_scored_and_validation_holds_other_people() -> None:
    samples = studies.windows(corpora=3)
    chosen = rule("c2", scored_unit="trial")
    (split,) = chosen.splits(samples, studies.TASK)
    people = [set(samples.by_id(ids).units("subject")) for ids in (split.train, split.validation, split.test)]
    assert not people[0] & people[1] and all(name.startswith("c2/") for name in people[2]) and len(people[2]) == 6
    assert audit(split, samples, chosen).clean


def test_copies_of_a_tested_picture_leave_training_and_the_audit_says_so() -> None:
    samples = study({"one": FIRST, "two": WHOLE}, {3: 21, 13: 24})
    (split,) = rule("two").splits(samples, TASK)
    assert 3 not in split.train and 13 not in split.validation and split.test.tolist() == list(range(20, 26))
    (told,) = [text for text in audit(split, samples, rule("two")).warnings if text.startswith("given parts")]
    assert "2 training or validation rows left out, near-duplicates" in told
    published = rule("two", as_published=True)
    (leaking,) = published.splits(samples, TASK)
    assert 3 in leaking.train and "near-duplicate" in audit(leaking, samples, published).leaks[0]
    with pytest.raises(LeakageError, match="near-duplicate"):
        audit(leaking, samples, rule("two"))


@pytest.mark.parametrize("row", [17, 22])
def test_a_row_of_a_tested_corpus_or_of_a_test_part_that_trains_is_a_leak(row: int) -> None:
    samples = study({"one": FIRST, "two": WHOLE})
    (split,) = rule("two").splits(samples, TASK)
    test = split.test[split.test != row]
    with pytest.raises(LeakageError, match=rf"gives sample {row} to (test|no part)"):
        audit(dataclasses.replace(split, train=np.array([*split.train, row]), test=test), samples, rule("two"))


def test_what_cannot_be_tested_is_said_in_a_line() -> None:
    samples = study({"one": FIRST, "two": WHOLE})
    with pytest.raises(DataError, match=r"no sample is of a corpus 'tow' \(test_corpora\): there are one, two"):
        rule("tow").splits(samples, TASK)
    with pytest.raises(DataError, match="no corpus is left to train on"):
        rule("one", "two").splits(samples, TASK)
    with pytest.raises(SettingsError, match="name corpora in test_corpora"):
        protocol("corpus-to-corpus")
    with pytest.raises(SettingsError, match="a setting of the protocol corpus-to-corpus"):
        protocol("cross-corpus", test_corpora=["two"])


def test_the_words_name_the_corpora() -> None:
    assert protocol_in_words(rule("ck-plus", "fed-ro")).startswith("Tested on ck-plus and fed-ro, trained on")
    assert "may leak" in protocol_in_words(rule("fed-ro", as_published=True))
