"""The base of every settings class: frozen, typed, unknown keys refused, hashable into a cache key."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator

from insula.errors import SettingsError, choices
from insula.storage.hashing import digest


def _with_text_keys(values: Any) -> Any:
    if not isinstance(values, dict):
        return values
    return {f"{key:g}" if isinstance(key, float) else str(key): value for key, value in values.items()}


TextKeys = Annotated[dict[str, str], BeforeValidator(_with_text_keys)]
"""From codes to names: YAML reads `{1: joy}` as a number, and tables hold it as text."""


class Settings(BaseModel):
    """Frozen, typed settings; what they say is the cache key of what they produce.

    Where a group of settings is given in part, the rest of it is as in the default of that group.

    Examples
    --------
    >>> class Filter(Settings):
    ...     low: float = 1.0
    >>> Filter.parse({"low": 2}, where="eeg").low
    2.0
    >>> Filter.parse({"lwo": 2}, where="eeg")
    Traceback (most recent call last):
    ...
    insula.errors.SettingsError: unknown key 'lwo' (eeg): did you mean low? known keys are low
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _over_defaults(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        defaults = {name: field.default for name, field in cls.model_fields.items()}
        return {name: over(defaults.get(name), value) for name, value in values.items()}

    @classmethod
    def parse(cls, values: dict[str, Any], *, where: str | None = None) -> Self:
        """Build settings from plain values, with a one-line error that says all that is unknown, wrong or missing."""
        try:
            return cls(**values)
        except ValidationError as error:
            raise settings_error(error, cls, where) from None

    def digest(self) -> str:
        """Return the sha256 of these settings and of the class that reads them."""
        return digest({"settings": type(self).__qualname__, **self.model_dump(mode="json")})


def settings_error(error: ValidationError, cls: type[BaseModel], where: str | None) -> SettingsError:
    """Return one line for all that pydantic found wrong with the values of settings.

    Examples
    --------
    >>> class Cut(Settings):
    ...     edge: float
    ...     above: bool
    >>> Cut.parse({"egde": 1.0}, where="task cut")
    Traceback (most recent call last):
    ...
    insula.errors.SettingsError: edge and above missing; unknown key 'egde' (task cut): set task.edge and ...
    """
    part = (where or "").partition(" ")[0]
    before = f"{part}." if part in ("corpus", "system", "protocol", "task") else ""
    missing, wrong, advice = [], [], []
    for one in error.errors():
        key = ".".join(str(part) for part in one["loc"])
        if one["type"] == "missing":
            missing.append(key)
        elif one["type"] == "extra_forbidden":
            wrong.append(f"unknown key {key!r}")
            advice.append(choices("known keys", one["loc"][-1], sorted(_fields_at(cls, one["loc"][:-1]))))
        else:
            wrong.append(f"{key or 'value'}: {one['msg']}")
            advice.append("correct the value")
    if missing:
        wrong.insert(0, f"{' and '.join(missing)} missing")
        advice.insert(0, f"set {' and '.join(before + key for key in missing)}")
    return SettingsError("; ".join(dict.fromkeys(wrong)), where=where, do="; ".join(dict.fromkeys(advice)))


def over(before: Any, value: Any) -> Any:
    """Return a setting over another: keys of a group that are not named are as before, in groups within groups, too."""
    if not (isinstance(before, Settings) and isinstance(value, dict)):
        return value
    kept = {name: getattr(before, name) for name in type(before).model_fields}
    return kept | {name: over(kept.get(name), inner) for name, inner in value.items()}


def _fields_at(cls: type[BaseModel], path: tuple[Any, ...]) -> dict[str, Any]:
    """Return the fields of the settings that a key lies in; those of `cls` where the path is no plain nesting."""
    for part in path:
        inner = getattr(cls.model_fields.get(part), "annotation", None)
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            break
        cls = inner
    return cls.model_fields
