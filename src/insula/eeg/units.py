"""Units of voltage, as headers of files spell them."""

from __future__ import annotations

import re

_PREFIXES = {
    "": 1e6, "m": 1e3, "milli": 1e3, "n": 1e-3, "nano": 1e-3,
    **dict.fromkeys(("u", "µ", "μ", "mu", "mc", "micro"), 1.0),
}  # fmt: skip


def unit_in_microvolts(text: str) -> float | None:
    """Return how many microvolts a unit is; None where it is no unit of voltage.

    Capitals do not matter, nor which of the two micro signs is written. Where it was lost, so that another sign that is
    no letter stands for it, it is taken for one.

    Examples
    --------
    >>> [unit_in_microvolts(text) for text in ("uV", "UV", "microV", "µV", "μV", ".V", "Âµv", "mV", "Volt")]
    [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1000.0, 1000000.0]
    >>> unit_in_microvolts("degC"), unit_in_microvolts("")
    (None, None)
    """
    match = re.fullmatch(r"(.*?)v(?:olts?)?", text.strip().lower())
    if match is None:
        return None
    prefix = match[1].strip()
    return 1.0 if micro_sign_lost(text) else _PREFIXES.get(prefix)


def micro_sign_lost(text: str) -> bool:
    """Say whether a unit's micro sign was lost on the way, as in `.V` or `?V`.

    Examples
    --------
    >>> [micro_sign_lost(text) for text in (".V", "uV", "µV", "V", "kV")]
    [True, False, False, False, False]
    """
    prefix = text.strip().lower().removesuffix("v")
    own = prefix in _PREFIXES or prefix == text.strip().lower()
    return not own and len(prefix) <= 3 and not any(sign.isascii() and sign.isalnum() for sign in prefix)
