"""Walk through a tutorial as a reader would: its blocks run in order, in one folder, and must print what it shows.

A block of the kind `python` runs, in one namespace a page; `sh` runs line by line (`insula` in this process, anything
else in bash); `yaml title="name.yaml"` is saved under its title. A block of the kind `text` shows what the block before
it printed: `...` stands for anything, line ends do not count, and a decimal number may be off by `SLACK`, since other
processors round otherwise. A command that ends in another exit code than 0 must show it, as `(exit code 3)`.
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from insula.cli import main

SLACK = 3.0

_BLOCK = re.compile(r'^```(?P<kind>\w+)(?: title="(?P<title>[^"]+)")?\n(?P<code>.*?)^```$', re.DOTALL | re.MULTILINE)
_DECIMAL = re.compile(r"[+\u2212-]?\d+\.\d+")


@dataclass(frozen=True)
class Block:
    """One fenced block of a page, and the line it starts at."""

    kind: str
    title: str | None
    code: str
    line: int


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(found["kind"], found["title"], found["code"], text[: found.start()].count("\n") + 1)
        for found in _BLOCK.finditer(text)
    ]


def walk(page: Path, folder: Path) -> None:
    """Run a page's blocks in `folder`, which must be the working directory.

    Raises
    ------
    AssertionError
        Naming the line where something else was printed, or a command failed.
    """
    names: dict[str, Any] = {"__name__": "__main__"}
    steps = blocks(page)
    for step, after in zip(steps, [*steps[1:], None], strict=True):
        where = f"{page.name}, line {step.line}"
        shown = after.code if after is not None and after.kind == "text" else None
        if step.kind == "python":
            printed = _python(step, names, where)
        elif step.kind == "sh":
            printed = "".join(_line(line, shown is not None, where) for line in _lines(step.code))
        elif step.kind == "yaml" and step.title:
            (folder / step.title).write_text(step.code, encoding="utf-8")
            continue
        else:
            assert step.kind in ("text", "yaml", "csv"), f"{where}: a block of kind {step.kind} is not run"
            continue
        if shown is not None:
            assert alike(shown, printed), f"{where} printed\n\n{printed}\nwhere the page shows\n\n{shown}"


def alike(shown: str, printed: str) -> bool:
    """Return whether a text is what a page shows.

    Examples
    --------
    >>> alike("accuracy 57.0 ... units", "accuracy 56.2\\nof 300 units"), alike("accuracy 57.0", "accuracy 51.0")
    (True, False)
    """
    wanted, found = " ".join(shown.split()), " ".join(printed.split())
    pattern = "".join(_pattern(piece) for piece in re.split(r"( ?\.\.\. ?|[+\u2212-]?\d+\.\d+)", wanted))
    match = re.fullmatch(pattern, found, flags=re.DOTALL)
    if match is None:
        return False
    pairs = zip(_DECIMAL.findall(wanted), match.groups(), strict=True)
    return all(abs(_number(one) - _number(other)) <= SLACK for one, other in pairs)


def _pattern(piece: str) -> str:
    if piece.strip() == "...":
        return ".*?"
    return r"([+\u2212-]?\d+\.\d+)" if _DECIMAL.fullmatch(piece) else re.escape(piece)


def _number(text: str) -> float:
    return float(text.replace("\u2212", "-"))


def _lines(code: str) -> list[str]:
    joined = re.sub(r"\\\n\s*", "", code)
    return [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]


def _python(step: Block, names: dict[str, Any], where: str) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile("\n" * step.line + step.code, where, "exec"), names)
    return out.getvalue()


def _line(line: str, may_fail: bool, where: str) -> str:
    words = shlex.split(line, comments=True)
    if words[0] == "insula":
        out, code = _insula(words)
    else:
        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
        out, code = done.stdout + done.stderr, done.returncode
    assert code == 0 or may_fail, f"{where}: {line}\n\n{out}"
    return out if code == 0 else f"{out}(exit code {code})\n"


def _insula(words: list[str]) -> tuple[str, int]:
    out = io.StringIO()
    with (
        mock.patch.object(sys, "argv", words),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(out),
    ):
        try:
            main()
            code: Any = 0
        except SystemExit as ended:
            code = ended.code
    return out.getvalue(), code if isinstance(code, int) else 0
