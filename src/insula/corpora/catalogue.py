"""The table of corpora: a name, and where its class is."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from insula.corpora.contract import Card, Corpus
from insula.errors import SettingsError, choices
from insula.storage.own_code import installed, is_own, own_object
from insula.tiers import naming_tier

CORPORA: dict[str, str] = {
    "folder": "insula.corpora.folder:Folder",
    "london-faces": "insula.corpora.london_faces:LondonFaces",
    "raf-db": "insula.corpora.raf_db:RafDb",
    "affectnet": "insula.corpora.affectnet:AffectNet",
    "fer2013": "insula.corpora.fer2013:Fer2013",
    "fed-ro": "insula.corpora.fed_ro:FedRo",
    "ck-plus": "insula.corpora.ck_plus:CkPlus",
    "eegmat": "insula.corpora.eegmat:Eegmat",
    "recordings": "insula.corpora.recordings:Recordings",
    "cfaps": "insula.corpora.cfaps:Cfaps",
    "seed": "insula.corpora.seed:Seed",
    "seed-iv": "insula.corpora.seed:SeedIV",
    "dreamer": "insula.corpora.dreamer:Dreamer",
    "deap": "insula.corpora.deap:Deap",
    "faced": "insula.corpora.faced:Faced",
    "mahnob-hci": "insula.corpora.mahnob_hci:MahnobHci",
    "mahnob-features": "insula.corpora.mahnob_features:MahnobFeatures",
    "bids-emotion": "insula.corpora.bids_emotion:BidsEmotion",
    "dens": "insula.corpora.bids_sets:Dens",
    "emoeeg-mc": "insula.corpora.bids_sets:EmoEegMc",
    "music-emotion": "insula.corpora.bids_sets:MusicEmotion",
    "feature-table": "insula.corpora.feature_table:FeatureTable",
    "simulated-caps": "insula.corpora.simulated_caps:SimulatedCaps",
    "simulated-faces": "insula.corpora.simulated_faces:SimulatedFaces",
    "simulated-pairs": "insula.corpora.simulated_pairs:SimulatedPairs",
    "simulated-ratings": "insula.corpora.simulated_ratings:SimulatedRatings",
    "simulated-study": "insula.corpora.simulated_study:SimulatedStudy",
    "semi-simulated": "insula.corpora.semi_simulated:SemiSimulated",
    "watermelon": "insula.corpora.watermelon:Watermelon",
    "samples": "insula.corpora.saved_samples:SavedSamples",
    "joined": "insula.corpora.joined:Joined",
    "stylised": "insula.corpora.stylised:Stylised",
}


def corpora() -> dict[str, str]:
    """Return where the class of each corpus is, by name: insula's own, and those that other packages add.

    A package adds its own as entry points of the group `insula.corpora`: `name = "module:Class"`.
    """
    return installed("insula.corpora") | CORPORA


@naming_tier()
def _class(name: str) -> Any:
    if is_own(name):
        cls = own_object(name)
        lacking = [part for part in ("Settings", "card", "check", "samples", "truth") if not hasattr(cls, part)]
        if lacking:
            do = "write it as insula.corpora.contract.Corpus says, or save samples and use the corpus `samples`"
            raise SettingsError(f"a corpus has {lacking[0]!r}, and this has none", where=name, do=do)
        return cls
    if name not in corpora():
        raise SettingsError(f"unknown corpus {name!r}", do=choices("corpora", name, corpora()))
    module, cls = corpora()[name].split(":")
    return getattr(import_module(module), cls)


def corpus(name: str, **settings: Any) -> Corpus:
    """Build a corpus by name; nothing is read yet.

    Parameters
    ----------
    name : str
        A key of `CORPORA`, or an import path such as `my_corpora:Mine` to a class of one's own.
    **settings
        Settings that differ from the defaults.

    Raises
    ------
    SettingsError
        For an unknown name, an unknown key or a wrong value.

    Examples
    --------
    >>> corpus("eegmat", window=4).settings.window
    4.0
    >>> corpus("egmat")
    Traceback (most recent call last):
    ...
    insula.errors.SettingsError: unknown corpus 'egmat': did you mean eegmat? corpora are folder, ...
    """
    cls = _class(name)
    return cls(cls.Settings.parse(settings, where=f"corpus {name}"))


def card(name: str) -> Card:
    """Return the card of a corpus by name.

    Examples
    --------
    >>> card("london-faces").licence
    'CC BY 4.0'
    """
    return _class(name).card


def cards() -> list[Card]:
    """Return the cards of all corpora."""
    return [card(name) for name in corpora()]
