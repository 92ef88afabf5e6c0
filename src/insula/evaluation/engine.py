"""Where fits run: processes of this machine, or a Dask or Ray cluster."""

from __future__ import annotations

import logging
import math
import os
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, as_completed
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Lock, Thread
from typing import Any

from insula.errors import DataError, MachineError, SettingsError
from insula.storage.cache import Cache
from insula.storage.code import code_version
from insula.tiers import naming_tier

Job = tuple[Callable[..., Any], tuple[Any, ...]]

_PATIENCE = 20.0  # s that a scheduler has to answer

_Token = tuple[str, str, str]  # the cache's root, a file in it that only this run made, the version of the code


def each(jobs: Sequence[Job], processes: int, engine: str | None, cache: Cache) -> Iterator[Any]:
    """Yield what each job returns, in the order in which they end.

    Parameters
    ----------
    jobs : sequence of (function, arguments)
        Functions of installed modules.
    processes : int
        Of this machine, where `engine` names no running cluster. This process does the jobs until the first of them is
        up: what takes no longer than that needs no other.
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
    if engine is None:
        yield from _processes(jobs, processes)
        return
    name, address = parse_engine(engine)
    with _token(cache) as token, naming_tier():
        yield from _CLUSTERS[name](address, processes, [(token, *job) for job in jobs])


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


def _processes(jobs: Sequence[Job], processes: int) -> Iterator[Any]:
    """Do the jobs here until a worker is up, and hand it and its like those that are not begun."""
    if processes == 1 or len(jobs) == 1:
        yield from (function(*arguments) for function, arguments in jobs)
        return
    from joblib.externals.loky import get_reusable_executor
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    ends = {"initializer": _end_with, "initargs": (os.getpid(),)}
    executor = get_reusable_executor(processes, env={"OMP_NUM_THREADS": "1"}, **ends)
    up = executor.submit(os.getpid)
    waiting, turn = deque(jobs), Lock()
    futures: list[Future[Any]] = []

    def hand_over() -> None:
        up.exception()  # waits
        with turn:
            futures.extend(executor.submit(_job, None, *job) for job in waiting)
            waiting.clear()

    Thread(target=hand_over, daemon=True).start()
    try:
        while True:
            with turn:
                if not waiting:
                    break
                function, arguments = waiting.popleft()
            yield function(*arguments)
        if futures:
            yield from (future.result() for future in as_completed(futures))
    except TerminatedWorkerError:
        raise _died("a process died, as happens where memory runs out", "with fewer --jobs") from None
    except BaseException:
        executor.shutdown(kill_workers=True)  # what nobody waits for any more
        raise


def _died(what: str, how: str) -> MachineError:
    return MachineError(what, do=f"run the same command {how}; finished fits are kept")


def _job(token: _Token | None, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """Do a job in a process that was started for it, here or by a cluster."""
    from joblib.externals.loky import process_executor

    # loky ends a worker that holds 300 MB more than after its first job. Here that is no leak but the libraries that
    # the first network needs and mapped pages of the cache, and a new worker would have to import them all again.
    process_executor._MAX_MEMORY_LEAK_SIZE = math.inf
    if token is not None:
        _check(token)
    return function(*arguments)


def _end_with(parent: int) -> None:
    """Let this process end, whatever it is at, when the one that began it was killed: nobody waits for its work."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    Thread(target=watch, daemon=True).start()


# clusters -------------------------------------------------------------------------------------------------------------


@contextmanager
def _token(cache: Cache) -> Iterator[_Token]:
    """Yield what shows a worker of a cluster that it shares the cache."""
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


def _dask(address: str, processes: int, jobs: Sequence[tuple[Any, ...]]) -> Iterator[Any]:
    import dask
    from distributed import Client, KilledWorker, LocalCluster, wait

    try:
        with ExitStack() as stack:
            stack.enter_context(_quiet("distributed"))  # a worker that dies, and closing, print tracebacks there
            if address:
                client = _client(address)
            else:
                # a job that ends its worker would end the next one, too
                stack.enter_context(dask.config.set({"distributed.scheduler.allowed-failures": 0}))
                cluster = LocalCluster(
                    n_workers=processes, threads_per_worker=1, dashboard_address=None, silence_logs=logging.CRITICAL
                )
                client = Client(stack.enter_context(cluster))
            stack.enter_context(client)
            waiting = {client.submit(_job, *job, pure=False) for job in jobs}
            while waiting:
                try:
                    done, waiting = wait(waiting, timeout=_PATIENCE, return_when="FIRST_COMPLETED")
                except TimeoutError:
                    if client.scheduler_info()["workers"]:
                        continue
                    raise _died("no worker of the cluster is left", "when workers are back") from None
                yield from (future.result() for future in done)
    except KilledWorker:
        raise _died("a worker of the cluster died, as happens where memory runs out", "with more of it") from None


def _client(address: str) -> Any:
    from distributed import Client

    try:
        return Client(f"tcp://{address}", timeout=_PATIENCE)
    except OSError:
        what = "no Dask scheduler answers"
        raise SettingsError(what, where=address, do="start one with `dask scheduler`, or correct it") from None


def _ray(address: str, processes: int, jobs: Sequence[tuple[Any, ...]]) -> Iterator[Any]:
    import ray

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
        ray.init(num_cpus=processes, include_dashboard=False, logging_level=logging.CRITICAL, log_to_driver=False)
    try:
        function = ray.remote(max_retries=0)(_job)  # a job that ends its worker would end the next one, too
        waiting = [function.remote(*job) for job in jobs]
        while waiting:
            done, waiting = ray.wait(waiting)
            yield ray.get(done[0])
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    except ray.exceptions.RayError:
        raise _died("a worker of the cluster died, as happens where memory runs out", "with more of it") from None
    finally:
        if started:
            ray.shutdown()


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


_CLUSTERS = {"dask": _dask, "ray": _ray}
