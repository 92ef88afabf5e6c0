"""Target access: what of the test side may be seen before it is predicted."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from insula.storage.settings import Settings


class TargetAccess(Settings):
    """What of the target (the test side) a system may see.

    Parameters
    ----------
    kind : {"none", "unlabelled", "labelled"}
        `none`: nothing. `unlabelled`: the test inputs without their labels (transductive). `labelled`: a share of the
        target's scored units is moved into training, labels included, and is not scored.
    share : float, optional
        That share, between 0 and 1; for `labelled` alone.

    Examples
    --------
    >>> TargetAccess.parse({"kind": "labelled", "share": 0.1}, where="target").share
    0.1
    >>> TargetAccess.parse({"kind": "none", "share": 0.1}, where="target")
    Traceback (most recent call last):
    ...
    insula.errors.SettingsError: value: Value error, a share goes with labelled access, and only with it (target):
    correct the value
    """

    kind: Literal["none", "unlabelled", "labelled"] = "none"
    share: float | None = Field(default=None, gt=0, lt=1)

    @model_validator(mode="before")
    @classmethod
    def _kind_alone(cls, values: Any) -> Any:
        return {"kind": values} if isinstance(values, str) else values  # a recipe may say `target: unlabelled`

    @model_validator(mode="after")
    def _share_fits(self) -> TargetAccess:
        if (self.kind == "labelled") != (self.share is not None):
            raise ValueError("a share goes with labelled access, and only with it")
        return self
