"""Units of voltage, as headers of files spell them."""

from __future__ import annotations

import re

_PREFIXES = {
    "": 1e6, "m": 1e3, "milli": 1e3, "n": 1e-3, "nano": 1e-3,
    **dict.fromkeys(("u", "µ", "μ", "mu", "mc", "micro"), 1.0),
    **dict.fromkeys(("âµ", "î¼", "\x83\xca"), 1.0),  # of UTF-8 and Shift-JIS, read as Latin
}  # fmt: skip


def unit_in_microvolts(text: str) -> float | None:
    """Return how many microvolts a unit is; None where it is no unit of voltage.

    Capitals do not matter, nor which of the two micro signs is written.

    Examples
    --------
    >>> [unit_in_microvolts(text) for text in ("uV", "UV", "microV", "µV", "μV", "Âµv", "mV", "Volt")]
    [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1000.0, 1000000.0]
    >>> unit_in_microvolts("degC"), unit_in_microvolts(".V"), unit_in_microvolts("")
    (None, None, None)
    """
    match = re.fullmatch(r"(.*?)v(?:olts?)?", text.strip().lower())
    return _PREFIXES.get(match[1].strip()) if match else None
