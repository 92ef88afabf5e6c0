"""Python as it is where some libraries are not installed, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable

from insula.tiers import TIERS

BROUGHT = {module for modules in TIERS.values() for module in modules}
"""Every module that a tier brings: without them, what is left is the runtime."""

_BLOCK = "import sys\nfor name in {names}: sys.modules[name] = None\n"


def run_without(modules: Iterable[str], code: str, *words: object) -> subprocess.CompletedProcess[str]:
    """Run code with `sys.argv[1:]` in a process that can import none of the modules."""
    script = _BLOCK.format(names=sorted(modules)) + code
    return subprocess.run([sys.executable, "-c", script, *map(str, words)], capture_output=True, text=True)


def insula_without(modules: Iterable[str], *words: object) -> subprocess.CompletedProcess[str]:
    """Run the command so."""
    return run_without(modules, "from insula.cli import main\nmain()", *words)


def modules_after(code: str, *words: object) -> set[str]:
    """Return the top-level names of all modules that are loaded after some code, which may exit."""
    script = f"""
import sys
try:
    exec({code!r})
except SystemExit as ended:
    assert not ended.code, ended.code
print(*sys.modules, sep="\\n", file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", script, *map(str, words)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in done.stderr.split()}
