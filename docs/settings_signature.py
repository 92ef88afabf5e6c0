"""Show the fields of a settings class as the parameters of its signature, defaults included (a griffe extension)."""

from __future__ import annotations

from typing import Any

from griffe import Attribute, Class, Expr, ExprCall, ExprKeyword, Extension, Function, Module, Parameter, ParameterKind
from griffe import Parameters as Signature

BASE = "insula.storage.settings.Settings"


class SettingsSignature(Extension):
    """Give every subclass of `Settings` the constructor that pydantic makes of its fields."""

    def on_package(self, *, pkg: Module, **_: Any) -> None:
        """Visit every class once the package is read."""
        for cls in _classes(pkg):
            ancestors = [cls, *cls.mro()]
            if any(one.path == BASE for one in ancestors[1:]) and "__init__" not in cls.members:
                _give(cls, [one for one in reversed(ancestors) if one.path != BASE])


def _classes(within: Module | Class) -> list[Class]:
    found = []
    for member in within.members.values():
        if not member.is_alias and isinstance(member, Module | Class):
            found += [member] if isinstance(member, Class) else []
            found += _classes(member)
    return found


def _give(cls: Class, ancestors: list[Class]) -> None:
    fields: dict[str, Attribute] = {}
    for ancestor in ancestors:
        fields |= {
            name: member
            for name, member in ancestor.attributes.items()
            if member.annotation is not None and "instance-attribute" in member.labels and not name.startswith("_")
        }
    parameters = [
        Parameter(name, annotation=field.annotation, kind=ParameterKind.keyword_only, default=_default(field.value))
        for name, field in fields.items()
    ]
    own = Parameter("self", kind=ParameterKind.positional_or_keyword)
    init = Function("__init__", lineno=0, endlineno=0, parent=cls, parameters=Signature(own, *parameters))
    cls.set_member("__init__", init)


def _default(value: str | Expr | None) -> str | Expr | None:
    """Return a field's default; of `Field(96, ge=16)` the 96."""
    if not (isinstance(value, ExprCall) and str(value.function) == "Field"):
        return value
    for argument in value.arguments:
        if isinstance(argument, ExprKeyword):
            if argument.name == "default":
                return argument.value
        else:
            return None if str(argument) == "..." else argument
    return None
