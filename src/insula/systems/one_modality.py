"""What systems share that read one modality, named in their settings, and learn classes of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from insula.samples import FitLog, check_placebo
from insula.storage.settings import Settings


class OneModality:
    """Settings, log and the parts of the contract that say there is no brain to take away.

    Parameters
    ----------
    settings : Settings, optional
        Of the class that the subclass names `Settings`; they have a `modality`.
    """

    Settings: ClassVar[type[Settings]]
    trains_on: ClassVar[tuple[str, ...]] = ()
    target_access: ClassVar = "none"
    placebos: ClassVar[Mapping[str, str]] = {}

    def __init__(self, settings: Any = None) -> None:
        self.settings: Any = settings or self.Settings()
        self.log = FitLog()
        self.facts: dict[str, Any] = {}

    @property
    def predicts_from(self) -> tuple[str, ...]:
        """The modality of the settings; none where they leave it to the samples, before a fit."""
        return (self.settings.modality,) if self.settings.modality else ()

    def placebo(self, name: str) -> Self:
        """Refuse any name: there is no placebo."""
        check_placebo(self.placebos, name)
        return self

    def summary(self) -> dict[str, Any]:
        """Return measured facts of the fit, if any."""
        return self.facts
