"""Every reader on a folder of which one thing is broken: one line that says what and where."""

from __future__ import annotations

import warnings
from pathlib import Path

import damage_bids
import damage_deap
import damage_dreamer
import damage_faced
import damage_faces
import damage_mahnob
import damage_seed
import pytest
from test_corpora import build

from insula.corpora.fakes import FAKES
from insula.errors import InsulaError
from insula.storage.cache import Cache

DAMAGE = {
    name: damages
    for module in (damage_bids, damage_deap, damage_dreamer, damage_faced, damage_mahnob, damage_seed)
    for name, damages in module.DAMAGE.items()
}
KINDS = ("missing", "channel", "truncated", "label")
KINDS_OF_FACES = ("missing", "truncated", "label")


def test_every_damage_is_there() -> None:
    assert all(set(damages) == set(KINDS) for damages in DAMAGE.values())
    assert all(set(damages) == set(KINDS_OF_FACES) for damages in damage_faces.DAMAGE.values())


@pytest.mark.parametrize("name", DAMAGE)
@pytest.mark.parametrize("kind", KINDS)
def test_a_damage_is_one_line_of_the_check_and_stops_the_reading(name: str, kind: str, tmp_path: Path) -> None:
    FAKES[name](tmp_path)
    named = DAMAGE[name][kind](tmp_path)
    corpus = build(name, tmp_path)
    lacks = corpus.check() or corpus.notes()  # a person who is not there stops nothing
    assert any(named in lack for lack in lacks), lacks
    assert not any("\n" in lack or "Traceback" in lack for lack in lacks)
    if kind != "missing":  # whoever lacks a person's file may go on with the others
        with pytest.raises(InsulaError) as caught:
            corpus.samples(Cache(tmp_path / "cache"))
        assert named in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore:.* published pictures are there", "ignore:.* rows of FER")
@pytest.mark.parametrize("name", damage_faces.DAMAGE)
@pytest.mark.parametrize("kind", KINDS_OF_FACES)
def test_a_damaged_folder_of_faces_is_named_and_a_broken_picture_is_never_read_as_one(
    name: str, kind: str, tmp_path: Path
) -> None:
    FAKES[name](tmp_path)
    whole = len(build(name, tmp_path).samples(Cache(tmp_path / "whole")))
    named = damage_faces.DAMAGE[name][kind](tmp_path)
    corpus = build(name, tmp_path)
    lacks = corpus.check()
    assert any(named in lack for lack in lacks), lacks
    assert not any("\n" in lack or "Traceback" in lack for lack in lacks)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            samples = corpus.samples(Cache(tmp_path / "cache"))
        except InsulaError as error:
            assert named in str(error) and "\n" not in str(error)
        else:  # one broken picture of many is left out
            assert kind == "truncated" and len(samples) == whole - 1
            assert any(named in str(warning.message) for warning in told)
