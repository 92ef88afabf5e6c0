"""Errors that a person can act on: what is wrong, where, and what to do, in one line."""

from __future__ import annotations

import re
from collections.abc import Iterable

# what a terminal obeys and does not show, what turns the order of letters about, and halves of characters
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

_SECRET = re.compile(
    r"(?<=://)[^\s'\"]*:[^\s'\"]*@|(?<=[?&])(?:user|(?:ssl)?password|token)=[^\s&'\"]*&?", re.IGNORECASE
)


def printable(text: str) -> str:
    r"""Return a text from outside as it can be printed: without passwords of addresses; control characters spelt out.

    Examples
    --------
    >>> print(printable("\x1b[31mred.jpg"), printable("Zoë\u202f1.jpg") == "Zoë\u202f1.jpg")
    \x1b[31mred.jpg True
    >>> printable("no answer from postgresql://anna:p@ss@example.org/labels?password=x&port=1")
    'no answer from postgresql://example.org/labels?port=1'
    """
    return _UNSEEN.sub(lambda sign: repr(sign[0])[1:-1], _SECRET.sub("", text))


class InsulaError(Exception):
    """Base of every error insula raises on purpose.

    Parameters
    ----------
    what : str
        What is wrong.
    where : str, optional
        The file, row, channel or setting concerned.
    do : str, optional
        What the reader can do about it.

    Examples
    --------
    >>> str(InsulaError("no face was found", where="cat.jpg", do="give a picture that shows one"))
    'no face was found (cat.jpg): give a picture that shows one'
    """

    def __init__(self, what: str, *, where: object = None, do: str | None = None) -> None:
        self.what, self.where, self.do = what, where, do
        place = f" ({where})" if where is not None else ""
        advice = f": {do}" if do else ""
        text = " ".join(f"{what}{place}{advice}".split())
        super().__init__(printable(text))


def choices(what: str, name: object, names: Iterable[str]) -> str:
    """Return advice on a name that is none of these: the nearest of them first.

    Parameters
    ----------
    what : str
        What the names are of, in the plural.
    name : object
        What was written.
    names : iterable of str
        What could have been.

    Examples
    --------
    >>> choices("systems", "liner", ["linear", "svm"])
    'did you mean linear? systems are linear, svm'
    >>> choices("systems", "forest", ["linear", "svm"])
    'systems are linear, svm'
    """
    from difflib import get_close_matches  # only what is misspelt needs it

    names = list(names)
    near = get_close_matches(str(name), names, 3)
    meant = f"did you mean {' or '.join(near)}? " if near else ""
    return f"{meant}{what} are {', '.join(names) or 'none'}"


class DataError(InsulaError):
    """Data that cannot be used as they are: a broken file, a wrong unit, a missing column."""


class LabelError(InsulaError):
    """Labels that a task cannot use, or two label spaces that do not map."""


class LeakageError(InsulaError):
    """Something of the test part is known to the training part."""


class SettingsError(InsulaError):
    """A recipe, a setting or a name that does not exist."""


class BundleError(InsulaError):
    """A saved folder that was altered, or is not one."""


class WeightsError(InsulaError):
    """A weight file that is missing, altered, or whose licence wants consent."""


class MachineError(InsulaError):
    """The machine gave out: a disk is full, or a process died."""


class MissingTierError(InsulaError, ImportError):
    """A library that a tier of the installation brings, and that is not installed.

    Parameters
    ----------
    module : str
        The library, as it is imported.
    tier : str
        The extra of the package that brings it.

    Examples
    --------
    >>> str(MissingTierError("torch", "train"))
    "this needs torch, which is not installed: pip install 'insula[train]'"
    """

    def __init__(self, module: str, tier: str) -> None:
        super().__init__(f"this needs {module}, which is not installed", do=f"pip install 'insula[{tier}]'")
        self.name, self.tier = module, tier

    def __reduce__(self) -> tuple[type[MissingTierError], tuple[str, str]]:
        return type(self), (str(self.name), self.tier)
