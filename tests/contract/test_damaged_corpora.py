"""Every reader of EEG corpora on a folder of which one thing is broken: one line that says what and where."""

from __future__ import annotations

from pathlib import Path

import damage_bids
import damage_deap
import damage_dreamer
import damage_faced
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


def test_every_damage_is_there() -> None:
    assert all(set(damages) == set(KINDS) for damages in DAMAGE.values())


@pytest.mark.parametrize("name", DAMAGE)
@pytest.mark.parametrize("kind", KINDS)
def test_a_damage_is_one_line_of_the_check_and_stops_the_reading(name: str, kind: str, tmp_path: Path) -> None:
    FAKES[name](tmp_path)
    named = DAMAGE[name][kind](tmp_path)
    corpus = build(name, tmp_path)
    lacks = corpus.check()
    assert any(named in lack for lack in lacks), lacks
    assert not any("\n" in lack or "Traceback" in lack for lack in lacks)
    if kind != "missing":  # whoever lacks a person's file may go on with the others
        with pytest.raises(InsulaError) as caught:
            corpus.samples(Cache(tmp_path / "cache"))
        assert named in str(caught.value) and "\n" not in str(caught.value)
