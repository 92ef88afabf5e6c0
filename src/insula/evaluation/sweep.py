"""A sweep: many recipes made from one, as a grid, along single factors, or cell by cell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from insula.errors import SettingsError
from insula.evaluation.recipe import Recipe, apply, parse_change, read_yaml
from insula.storage.hashing import digest
from insula.storage.settings import Settings

Changes = dict[str, Any]

_OWN = ("grid", "name")


class SingleCell(Settings):
    """One cell written out: its title, and the keys of the base recipe that it changes."""

    title: str
    set: Changes = Field(default={})


class Block(Settings):
    """Part of a grid: cells written out, or made from axes.

    Parameters
    ----------
    axes : dict
        An axis is a key of the recipe with its values (`corpus.pictures: [150, 600]`), or a name with named levels,
        each of which changes one key or several (`split: {"9:1": {protocol.test_share: 0.1}}`). The last axis varies
        fastest.
    design : str
        `product`, every combination; or `one-at-a-time`, the base and each level of each axis by itself.
    set : dict
        Keys that all cells of the block change; axes come after.
    cells : tuple
        Cells written out.
    """

    axes: dict[str, list[Any] | dict[str, Changes]] = Field(default={})
    design: Literal["product", "one-at-a-time"] = "product"
    set: Changes = Field(default={})
    cells: tuple[SingleCell, ...] = ()


class Row(Settings):
    """A row of a table of accuracies.

    Parameters
    ----------
    title : str
        What the row is of.
    arm : str
        Of ours; empty where the row holds published figures alone.
    where : dict
        Levels that choose the cell.
    reported : dict
        What was published, by the name of the column.
    """

    title: str
    arm: str = ""
    where: dict[str, str] = Field(default={})
    reported: dict[str, str] = Field(default={})


class TableSettings(Settings):
    """A table of the sweep's report, also written as CSV.

    Parameters
    ----------
    name, title, caption : str
        Name of the file, heading, and how to read it.
    kind : str
        `accuracy`: arms of cells side by side; `recall`: the recall of each class and the change between two arms;
        `paired`: every cell against the same arms, with paired tests; or `system`: a table that the system itself makes
        of its measured facts.
    across : tuple of str
        For `accuracy`: axes, whose levels are the columns.
    rows : tuple of Row
        For `accuracy`.
    blank : tuple of str
        For `accuracy`: what the source's table has columns of and we have not run, such as corpora under licence.
    where : dict
        For `recall`, `paired` and `system`: levels that choose the cells.
    by : str
        For `recall` and `system`: the axis on which these cells differ.
    arms : tuple of str
        For `recall`: before, after. For `paired`: what every cell is compared with.
    table : str
        For `system`: the name of its table.
    reported : tuple of dict
        Published figures of this table, shown beside ours: `title, value, source`, and perhaps `note`.
    """

    name: str
    title: str
    caption: str = ""
    kind: Literal["accuracy", "recall", "paired", "system"] = "accuracy"
    across: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    blank: tuple[str, ...] = ()
    by: str = ""
    where: dict[str, str] = Field(default={})
    arms: tuple[str, ...] = ()
    table: str = ""
    reported: tuple[dict[str, str], ...] = ()


class FigureSettings(Settings):
    """A figure of the sweep's report.

    Parameters
    ----------
    name, title : str
        Name of the file, and heading.
    kind : str
        `gains`: what the headline and its best placebo gain over the baseline, along each factor; `embedding`: the map
        of features of one cell.
    where : dict
        For `embedding`: levels that choose the cell.
    marks : dict
        For `gains`: values of a factor to mark, `{key: {value: words}}`.
    """

    name: str
    title: str
    kind: Literal["gains", "embedding"]
    where: dict[str, str] = Field(default={})
    marks: dict[str, dict[float, str]] = Field(default={})


class Sweep(Settings):
    """Many recipes, run as one.

    Parameters
    ----------
    name, about : str
        Of the sweep; and what it is for and what was left out, in words.
    base : dict
        A recipe.
    grid : str
        Which of the grids is run.
    grids : dict
        Named lists of blocks. Cells are run in their order, so cells that share work should not stand side by side.
    titles : dict
        What axes are called in figures and tables.
    tables, figures
        What the report shows.
    """

    name: str
    about: str = ""
    base: dict[str, Any]
    grid: str
    grids: dict[str, tuple[Block, ...]] = Field(min_length=1)
    titles: dict[str, str] = Field(default={})
    tables: tuple[TableSettings, ...] = ()
    figures: tuple[FigureSettings, ...] = ()

    @model_validator(mode="after")
    def _files_apart(self) -> Self:
        if "cells" in {table.name for table in self.tables}:
            raise SettingsError("cells.csv is of all cells", where="tables", do="give the table another name")
        return self

    @classmethod
    def load(cls, source: str | Path, changes: Iterable[str] = ()) -> Self:
        """Read a sweep by name or path; `grid=...` and `name=...` are its own, other changes go to the base recipe.

        Examples
        --------
        >>> sweep = Sweep.load("bmci-regimes", ["grid=coarse", "corpus.size=48"])
        >>> len(sweep.cells()) <= 24, {cell.recipe.corpus["size"] for cell in sweep.cells()}
        (True, {48})
        """
        where, values = f"sweep {source}", read_yaml(source)
        pairs = [parse_change(change) for change in changes]
        sweep = cls.parse({**values, **{key: value for key, value in pairs if key in _OWN}}, where=where)
        base = deepcopy(sweep.base)
        for key, value in pairs:
            if key not in _OWN:
                apply(base, key, value)
        if sweep.grid not in sweep.grids:
            do = f"set grid={' or grid='.join(sweep.grids)}"
            raise SettingsError(f"no grid {sweep.grid!r}", where=where, do=do)
        return sweep.model_copy(update={"base": base})

    @property
    def axes(self) -> tuple[str, ...]:
        """Names of all axes of the chosen grid."""
        return tuple(dict.fromkeys(name for block in self.grids[self.grid] for name in block.axes))

    def cells(self) -> list[Cell]:
        """Return the cells of the chosen grid; those that come to the same recipe are one."""
        cells: dict[str, Cell] = {}
        for title, levels, changes in (cell for block in self.grids[self.grid] for cell in _cells(block, self.titles)):
            values = deepcopy(self.base)
            for key, value in changes.items():
                apply(values, key, deepcopy(value))
            recipe = Recipe.complete({**values, "name": title}, where=f"sweep {self.name}, cell {title}")
            same = digest(recipe.model_dump(mode="json", exclude={"name"}))
            cells.setdefault(same, Cell(title, recipe, levels))
        return list(cells.values())


@dataclass(frozen=True)
class Cell:
    """One recipe of a sweep, with the level it has on each axis of its block."""

    title: str
    recipe: Recipe
    levels: Mapping[str, str]

    def at(self, where: Mapping[str, str]) -> bool:
        """Return whether the cell has these levels."""
        return all(self.levels.get(axis) == level for axis, level in where.items())

    def value(self, axis: str) -> Any:
        """Return where the cell lies on an axis.

        For a key such as `corpus.pictures` what its recipe says there, whether the axis made it or not; for another
        name its level, None where the cell was not made from that axis.
        """
        if "." not in axis:
            return self.levels.get(axis)
        values: Any = self.recipe.model_dump()
        for part in axis.split("."):
            values = values.get(part) if isinstance(values, dict) else None
        return values


def _cells(block: Block, titles: Mapping[str, str]) -> Iterator[tuple[str, dict[str, str], Changes]]:
    axes = {name: _levels(name, axis, titles) for name, axis in block.axes.items()}
    if block.design == "product" and axes:
        for combination in product(*(axis.items() for axis in axes.values())):
            levels = dict(zip(axes, (level for level, _ in combination), strict=True))
            changes = {key: value for _, changes in combination for key, value in changes.items()}
            yield ", ".join(levels.values()), levels, {**block.set, **changes}
    elif axes:
        yield "base", {}, dict(block.set)
        for name, axis in axes.items():
            for level, changes in axis.items():
                yield level, {name: level}, {**block.set, **changes}
    for cell in block.cells:
        yield cell.title, {"cell": cell.title} if cell.set else {}, {**block.set, **cell.set}


def _levels(name: str, axis: list[Any] | dict[str, Changes], titles: Mapping[str, str]) -> dict[str, Changes]:
    if isinstance(axis, dict):
        return axis
    return {f"{titles.get(name, name)} {_short(value)}": {name: value} for value in axis}


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
