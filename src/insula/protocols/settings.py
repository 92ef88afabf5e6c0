"""What a protocol is told, and which of it contradicts itself; `Protocol` says what the fields mean."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from insula.protocols.access import TargetAccess
from insula.protocols.units import SAMPLE
from insula.samples import PROVENANCE
from insula.storage.settings import Settings

TO_OTHERS = "corpus-to-corpus"
"""The protocol that wants to be told which corpora are tested."""

OF_TABLES = "table"
"""What the protocol is called by which tables of other programs are audited."""


class ProtocolSettings(Settings):
    """The fields of `Protocol`: all that splitting and auditing go by."""

    name: str = "custom"
    disjoint: tuple[str, ...] = ()
    folds: int = Field(default=5, ge=2)
    test_share: float | None = Field(default=None, gt=0, lt=1)
    parts: str | None = None
    test_corpora: tuple[str, ...] = ()
    leave_one_out: bool = False
    stratify: bool = True
    validation_share: float = Field(default=0.2, ge=0, lt=1)
    scored_unit: str = "trial"
    target: TargetAccess = TargetAccess()
    embargo: float = Field(default=0.0, ge=0)
    copies: Literal["refused", "together"] = "refused"
    spellings: Literal["told", "joined"] = "told"
    same_people: str | None = None
    as_published: bool = False
    seed: int = Field(default=0, ge=0)

    @field_validator("disjoint", "scored_unit")
    @classmethod
    def _known_units(cls, value: tuple[str, ...] | str) -> tuple[str, ...] | str:
        alone = ("person", SAMPLE) if isinstance(value, str) else ("person",)
        for name in [value] if isinstance(value, str) else value:
            unknown = [part for part in name.split("+") if part not in PROVENANCE[:6]]
            if unknown and name not in alone:
                raise ValueError(f"no unit named {unknown[0]!r}; units are {', '.join((*PROVENANCE[:6], *alone))}")
        return value

    @model_validator(mode="after")
    def _one_way_to_hold_out(self) -> ProtocolSettings:
        if self.parts is not None and (self.leave_one_out or self.test_share is not None):
            raise ValueError("parts that the corpus gives exclude leave_one_out and test_share")
        if self.test_corpora and (self.parts is None or "corpus" in self.disjoint):
            raise ValueError(f"test_corpora is a setting of the protocol {TO_OTHERS}")
        if self.leave_one_out and self.test_share is not None:
            raise ValueError("leave_one_out and test_share exclude each other")
        if self.leave_one_out and not self.disjoint:
            raise ValueError("leave_one_out leaves out a disjoint unit; name one")
        if self.as_published and self.copies == "together":
            raise ValueError("as_published is for a split that leaks; copies: together keeps copies on one side")
        if self.as_published and self.disjoint:
            raise ValueError(f"as_published is for a split that leaks; {self.name} keeps units apart")
        return self
