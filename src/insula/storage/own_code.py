"""Code of a user's own, named by `module:name`: systems, corpora, networks and estimators that insula does not know."""

from __future__ import annotations

import inspect
import sys
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from insula.errors import SettingsError
from insula.storage.hashing import sha256_of
from insula.tiers import missing_tier


def is_own(name: object) -> bool:
    """Return whether a name is an import path such as `my_networks:Small`, or the thing itself."""
    return not isinstance(name, str) or ":" in name


@cache
def installed(group: str) -> dict[str, str]:
    """Return what other packages add under a name: import paths by name.

    Parameters
    ----------
    group : str
        Of the packages' entry points: `insula.systems` or `insula.corpora`, each `name = "module:Class"`.
    """
    return {entry.name: entry.value for entry in entry_points(group=group)}


def own_object(path: str) -> Any:
    """Return what an import path names, from an installed module or one in the folder where the command runs.

    Naming it runs the module: this is for a person's own code. Nothing that insula opens, no bundle and no cache, is
    read this way.

    Parameters
    ----------
    path : str
        `module:name`, or `file.py:name`.

    Raises
    ------
    SettingsError
        Where there is no such module or name, or the module cannot be imported.

    Examples
    --------
    >>> own_object("insula.errors:DataError").__name__
    'DataError'
    >>> own_object("insula.errors:DataErorr")
    Traceback (most recent call last):
    ...
    insula.errors.SettingsError: no 'DataErorr' in insula.errors (insula.errors:DataErorr): it has BundleError, ...
    """
    module, name = _module(path), path.rpartition(":")[2]
    if not all(part.isidentifier() for part in [*module.split("."), name]):
        raise SettingsError(f"{path!r} names nothing", do="write it as module:name, as in my_networks:Small")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        loaded = import_module(module)
    except Exception as error:
        tier = missing_tier(error) if isinstance(error, ImportError) else None
        if tier is not None:
            raise tier from error
        if isinstance(error, ModuleNotFoundError) and module.startswith(error.name or " "):
            do = f"run the command in the folder that holds {module.split('.')[0]}.py, or install it"
            raise SettingsError(f"no module {module}", where=path, do=do) from None
        text = " ".join(str(error).split())
        raise SettingsError(f"{type(error).__name__} while {module} was imported: {text}", where=path,
                            do=f'mend it until `python -c "import {module}"` works') from error  # fmt: skip
    if not hasattr(loaded, name):
        public = [key for key, value in vars(loaded).items() if key[0] != "_" and not inspect.ismodule(value)]
        raise SettingsError(
            f"no {name!r} in {module}", where=path, do=f"it has {', '.join(sorted(public)) or 'nothing'}"
        )
    return getattr(loaded, name)


def _module(path: str) -> str:
    return path.rpartition(":")[0].removesuffix(".py").replace("/", ".")


def own_files(name: object) -> dict[str, str]:
    """Return the sha256 of the file that an import path or a thing itself lies in: other code is another system."""
    if isinstance(name, str):
        own_object(name)
        module: ModuleType | None = sys.modules[_module(name)]
    else:
        module = inspect.getmodule(name if inspect.isclass(name) else type(name))
    file = getattr(module, "__file__", None)
    return {str(getattr(module, "__name__", "")): sha256_of(Path(file))} if file else {}


def described(thing: object) -> str:
    """Return in words what a thing is: an import path of a class, an estimator with all that it was given."""
    if inspect.isclass(thing):
        return f"{thing.__module__}:{thing.__qualname__}"
    try:
        return thing.__repr__(N_CHAR_MAX=10**6)  # type: ignore[call-arg]  # of scikit-learn, which else shortens it
    except TypeError:
        return repr(thing)


def name_of(name: object) -> str:
    """Return what something that is named, or is there itself, is called.

    Examples
    --------
    >>> name_of("my_networks:Small"), name_of(SettingsError), name_of(SettingsError("wrong"))
    ('Small', 'SettingsError', 'SettingsError')
    """
    if isinstance(name, str):
        return name.rpartition(":")[2]
    return name.__name__ if inspect.isclass(name) else type(name).__name__
