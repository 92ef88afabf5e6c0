"""Label spaces, maps between them, and the valence-arousal plane."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from unicodedata import combining, normalize

from insula.errors import LabelError

LABEL_SPACES: dict[str, tuple[str, ...]] = {
    "basic7": ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"),
    "ferplus8": ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt"),
    "mahnob9": (
        "neutral", "anger", "disgust", "fear", "happiness", "sadness", "surprise", "amusement", "anxiety",
    ),
    "london2": ("neutral", "happiness"),
    "valence3": ("negative", "neutral", "positive"),
}  # fmt: skip
"""Named label spaces. basic7: Ekman's six and neutral; mahnob9: the keywords of MAHNOB-HCI."""

SYNONYMS = {
    "angry": "anger", "disgusted": "disgust", "afraid": "fear", "fearful": "fear", "joy": "happiness",
    "happy": "happiness", "sad": "sadness", "surprised": "surprise", "contemptuous": "contempt",
    "colere": "anger", "degout": "disgust", "peur": "fear", "joie": "happiness", "tristesse": "sadness",
    "mepris": "contempt", "neutre": "neutral",
    "arger": "anger", "aerger": "anger", "wut": "anger", "ekel": "disgust", "angst": "fear", "freude": "happiness",
    "trauer": "sadness", "uberraschung": "surprise", "ueberraschung": "surprise", "verachtung": "contempt",
    "enfado": "anger", "enojo": "anger", "ira": "anger", "asco": "disgust", "miedo": "fear", "alegria": "happiness",
    "felicidad": "happiness", "tristeza": "sadness", "sorpresa": "surprise", "desprecio": "contempt",
    "neutro": "neutral", "raiva": "anger", "nojo": "disgust", "medo": "fear", "felicidade": "happiness",
    "surpresa": "surprise", "desprezo": "contempt",
    "rabbia": "anger", "disgusto": "disgust", "paura": "fear", "gioia": "happiness", "tristezza": "sadness",
    "disprezzo": "contempt",
    "愤怒": "anger", "生气": "anger", "厌恶": "disgust", "恐惧": "fear", "害怕": "fear", "高兴": "happiness",
    "快乐": "happiness", "悲伤": "sadness", "惊讶": "surprise", "轻蔑": "contempt", "中性": "neutral",
}  # fmt: skip
"""Other names in use for a class, as found in corpora's folders and tables: in English, French, German, Spanish,
Portuguese, Italian and Chinese, without accents."""

_COARSER: dict[tuple[str, str], dict[str, str]] = {
    ("mahnob9", "valence3"): {
        "neutral": "neutral", "surprise": "neutral", "happiness": "positive", "amusement": "positive",
        "anger": "negative", "disgust": "negative", "fear": "negative", "sadness": "negative",
        "anxiety": "negative",
    },
    ("basic7", "valence3"): {
        "neutral": "neutral", "surprise": "neutral", "happiness": "positive", "anger": "negative",
        "disgust": "negative", "fear": "negative", "sadness": "negative",
    },
}  # fmt: skip
# the keyword classes of MAHNOB-HCI (surprise counts as neutral there), restricted to seven for basic7

ANCHORS: dict[str, tuple[float, float]] = {
    "neutral": (0.0, 0.0), "happiness": (0.81, 0.51), "surprise": (0.40, 0.67), "sadness": (-0.63, -0.27),
    "anger": (-0.51, 0.59), "disgust": (-0.60, 0.35), "fear": (-0.64, 0.60), "contempt": (-0.55, 0.10),
}  # fmt: skip
"""Valence and arousal of a class in [-1, 1]: a convention after the usual pleasure-arousal ratings, no measurement."""


def normalise_label(name: str) -> str:
    """Return the usual name of a class.

    Examples
    --------
    >>> normalise_label(" Happy "), normalise_label("Überraschung")
    ('happiness', 'surprise')
    """
    plain = normalize("NFC", str(name).strip().lower())
    return SYNONYMS.get("".join(sign for sign in normalize("NFD", plain) if not combining(sign)), plain)


def label_map(source: str | Sequence[str], target: str | Sequence[str], drop: Iterable[str] = ()) -> dict[str, str]:
    """Return the map from each class of `source` to its class of `target`.

    Parameters
    ----------
    source, target : str or sequence of str
        A name in `LABEL_SPACES`, or the classes themselves.
    drop : iterable of str
        Source classes that may stay without a counterpart; their samples become unlabelled.

    Raises
    ------
    LabelError
        Where a class of `source` has no counterpart and is not in `drop`.

    Examples
    --------
    >>> label_map(("happy", "sad"), "basic7")
    {'happy': 'happiness', 'sad': 'sadness'}
    >>> label_map("ferplus8", "basic7")
    Traceback (most recent call last):
    ...
    insula.errors.LabelError: contempt has no counterpart (ferplus8 to basic7): map it, or name it in drop
    """
    table = _COARSER.get((source, target)) if isinstance(source, str) and isinstance(target, str) else None
    source_classes, target_classes = classes_of(source), classes_of(target)
    dropped = set(drop)
    mapped: dict[str, str] = {}
    for name in source_classes:
        counterpart = (table or {}).get(name, normalise_label(name))
        if counterpart in target_classes:
            mapped[name] = counterpart
    lost = [name for name in source_classes if name not in mapped and name not in dropped]
    if lost:
        raise LabelError(
            f"{', '.join(lost)} has no counterpart",
            where=f"{_space_name(source)} to {_space_name(target)}",
            do="map it, or name it in drop",
        )
    return mapped


def classes_of(space: str | Sequence[str]) -> tuple[str, ...]:
    """Return the classes of a space that is named, or that is given as such; raises LabelError for an unknown name."""
    if not isinstance(space, str):
        return tuple(space)
    if space not in LABEL_SPACES:
        raise LabelError(f"unknown label space {space!r}", do=f"use one of {', '.join(LABEL_SPACES)}")
    return LABEL_SPACES[space]


def _space_name(space: str | Sequence[str]) -> str:
    return space if isinstance(space, str) else "/".join(space)
