"""The table of corpora."""

from __future__ import annotations

import subprocess
import sys

import pytest

from insula.corpora.catalogue import CORPORA, card, cards, corpus
from insula.errors import SettingsError


def test_every_corpus_has_a_card_under_its_own_name() -> None:
    assert [one.name for one in cards()] == list(CORPORA)
    assert card("eegmat").modalities == ("eeg", "features")


def test_what_does_not_exist_is_named_with_what_does() -> None:
    with pytest.raises(SettingsError, match="unknown corpus 'amigos': corpora are folder, london-faces"):
        corpus("amigos")
    with pytest.raises(
        SettingsError,
        match=r"unknown key 'windw' \(corpus eegmat\): did you mean window\? known keys are hop, .*window",
    ):
        corpus("eegmat", windw=2)


def test_listing_cards_loads_neither_torch_nor_mne() -> None:
    code = "import sys; from insula.corpora.catalogue import cards; cards(); print({'torch', 'mne'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
