"""Where fits run: processes of this machine, or a Dask or Ray cluster; joblib hands them out."""

from __future__ import annotations

import logging
import math
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from insula.errors import DataError, MachineError, SettingsError
from insula.storage.cache import Cache
from insula.storage.code import code_version
from insula.tiers import naming_tier

Job = tuple[Callable[..., Any], tuple[Any, ...]]

_PATIENCE = 20.0  # s that a scheduler has to answer

_Token = tuple[str, str, str]  # the cache's root, a file in it that only this run made, the version of the code


def each(jobs: Sequence[Job], processes: int, engine: str | None, cache: Cache) -> Iterator[Any]:
    """Yield what each job returns, in the order in which they end; with Ray, all when the last has ended.

    Parameters
    ----------
    jobs : sequence of (function, arguments)
        Functions of installed modules.
    processes : int
        Of this machine, where `engine` names no running cluster.
    engine : str or None
        None for processes; `dask` or `ray` for a cluster started here; `dask://HOST:PORT` or `ray://HOST:PORT` for one
        that runs. Workers must see the folder of the cache under the same path, and have the same code.
    cache : Cache
        Where jobs leave what they make.

    Raises
    ------
    SettingsError
        Where the engine is unknown, or cannot be reached.
    MissingTierError
        Where its library is not installed.
    DataError
        Where a worker of a cluster does not share the cache.
    MachineError
        Where a process died.
    """
    from joblib import Parallel, delayed
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    with _backend(engine, processes) as options, _token(cache, engine) as token:
        runner = Parallel(batch_size=1, **options)
        try:
            parent = os.getpid()
            yield from runner(delayed(_job)(token, parent, function, arguments) for function, arguments in jobs)
        except TerminatedWorkerError:
            raise MachineError(
                "a process died, as happens where memory runs out",
                do="run the same command with fewer --jobs; finished fits are kept",
            ) from None


def parse_engine(engine: str) -> tuple[str, str]:
    """Return the name of a cluster's library and the address of one that runs ("" for one started here).

    Raises
    ------
    SettingsError
        Where it is not dask, ray, dask://HOST:PORT or ray://HOST:PORT.
    """
    name, _, address = engine.partition("://")
    if name not in _CLUSTERS or ("://" in engine and ":" not in address):
        do = "use dask, ray, dask://HOST:PORT or ray://HOST:PORT"
        raise SettingsError(f"unknown engine {engine!r}", do=do)
    return name, address


def _job(token: _Token | None, parent: int, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    from joblib.externals.loky import process_executor

    # joblib ends a worker that holds 300 MB more than after its first job. Here that is no leak but the libraries that
    # the first network needs and mapped pages of the cache, and a new worker would have to import them all again.
    process_executor._MAX_MEMORY_LEAK_SIZE = math.inf
    if os.getppid() == parent:
        _end_with(parent)
    if token is not None:
        _check(token)
    return function(*arguments)


@cache
def _end_with(parent: int) -> None:
    """Let this process end, whatever it is at, when the one that began it was killed: nobody waits for its work."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


# clusters -------------------------------------------------------------------------------------------------------------


@contextmanager
def _token(cache: Cache, engine: str | None) -> Iterator[_Token | None]:
    """Yield what shows a worker that it shares the cache; nothing where workers are processes of this machine."""
    if engine is None:
        yield None
        return
    root = cache.root.resolve()
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(prefix=".shared-", dir=root) as file:
        yield str(root), Path(file.name).name, code_version()


def _check(token: _Token) -> None:
    root, name, code = token
    if not (Path(root) / name).exists():
        what = "a worker of the cluster does not share the cache"
        raise DataError(what, where=root, do="set INSULA_CACHE to a folder that every machine sees under one path")
    if code_version() != code:
        what = f"a worker of the cluster has other code ({code_version()})"
        raise DataError(what, do=f"install {code} on every machine")
    os.environ["INSULA_CACHE"] = root  # what systems cache by themselves goes there, too


@contextmanager
def _backend(engine: str | None, processes: int) -> Iterator[dict[str, Any]]:
    """Yield what `joblib.Parallel` needs to run on the engine."""
    if engine is None:
        yield {"n_jobs": processes, "return_as": "generator_unordered"}
        return
    name, address = parse_engine(engine)
    with naming_tier(), _CLUSTERS[name](address, processes) as options:
        yield options


@contextmanager
def _dask(address: str, processes: int) -> Iterator[dict[str, Any]]:
    from distributed import Client, LocalCluster
    from joblib import parallel_config

    if address:
        try:
            client = Client(f"tcp://{address}", timeout=_PATIENCE)
        except OSError:
            what = "no Dask scheduler answers"
            raise SettingsError(what, where=address, do="start one with `dask scheduler`, or correct it") from None
        cluster = None
    else:
        cluster = LocalCluster(n_workers=processes, threads_per_worker=1, dashboard_address=None)
        client = Client(cluster)
    try:
        with parallel_config("dask", client=client):
            yield {"n_jobs": -1, "return_as": "generator_unordered"}
    finally:
        client.close()
        if cluster is not None:
            cluster.close()


@contextmanager
def _ray(address: str, processes: int) -> Iterator[dict[str, Any]]:
    import ray
    from joblib import parallel_config
    from ray.util.joblib import register_ray

    started = not ray.is_initialized()
    if started and address:
        try:
            ray.init(f"ray://{address}", logging_level=logging.ERROR, log_to_driver=False)
        except ValueError as error:  # Ray's way of saying that its client is not installed
            if "ray[client]" not in str(error):
                raise
            do = "run `pip install 'ray[client]'`, or run insula on the cluster with --engine ray"
            raise SettingsError("Ray's client is not installed", where=address, do=do) from None
        except (ConnectionError, OSError, RuntimeError):
            what = "no Ray cluster answers"
            raise SettingsError(what, where=address, do="start one with `ray start --head`, or correct it") from None
    elif started:
        ray.init(num_cpus=processes, include_dashboard=False, logging_level=logging.ERROR, log_to_driver=False)
    register_ray()
    try:
        with parallel_config("ray"):
            # Ray's backend cannot yield results as they come
            yield {"n_jobs": int(ray.cluster_resources()["CPU"]), "return_as": "list"}
    finally:
        if started:
            ray.shutdown()


_CLUSTERS = {"dask": _dask, "ray": _ray}
