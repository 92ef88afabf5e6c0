"""Engines: the same figures on a cluster, and one clear line where it cannot work."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from small_sweep import SMALL

from insula.errors import DataError, MachineError, MissingTierError, SettingsError
from insula.evaluation.engine import _job, each
from insula.evaluation.experiment import run
from insula.evaluation.recipe import Recipe
from insula.storage.cache import Cache
from insula.storage.code import code_version

RECIPE = Recipe(**{**SMALL["base"], "name": "engines"})  # type: ignore[arg-type, dict-item]


def double(number: int) -> int:
    return 2 * number


def process(parent: int, then: Callable[[int], object] | None = None) -> int:
    """Say where this runs; the process that hands out jobs takes its time, for a worker to be up before all is done."""
    if os.getpid() == parent:
        time.sleep(0.2)
    elif then:
        then(1)
    return os.getpid()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    monkeypatch.setenv("INSULA_CACHE", str(tmp_path / "cache"))
    return Cache()


@pytest.fixture
def dask(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Start a cluster whose workers are threads of this process, and return its address."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None,
                                  protocol="tcp", host="127.0.0.1") as cluster:  # fmt: skip
        yield cluster.scheduler_address.replace("tcp://", "dask://")


def test_jobs_come_back_from_processes_in_any_order(cache: Cache) -> None:
    assert sorted(each([(double, (n,)) for n in range(5)], 1, None, cache)) == [0, 2, 4, 6, 8]


@pytest.mark.slow
def test_a_process_that_dies_is_one_line(cache: Cache) -> None:
    with pytest.raises(MachineError, match=r"a process died.*finished fits are kept"):
        list(each([(process, (os.getpid(), os._exit))] * 200, 2, None, cache))


def test_short_work_waits_for_no_worker(cache: Cache) -> None:
    before = time.monotonic()
    assert set(each([(os.getpid, ())] * 20, 2, None, cache)) == {os.getpid()}
    assert time.monotonic() - before < 10


@pytest.mark.slow
def test_long_work_is_shared_while_this_process_does_its_part(cache: Cache) -> None:
    assert {*each([(process, (os.getpid(),))] * 200, 2, None, cache)} - {os.getpid()}, "a worker took over"


@pytest.mark.slow
@pytest.mark.parametrize(("engine", "module"), [("dask", "distributed"), ("ray", "ray")])
def test_what_fails_on_a_cluster_is_one_line(
    cache: Cache, engine: str, module: str, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip(module)
    with pytest.raises(MachineError, match=r"a worker of the cluster died.*finished fits are kept"):
        list(each([(os.getpid, ()), (os._exit, (1,))], 1, engine, cache))
    assert "Traceback" not in "".join(capfd.readouterr())


@pytest.mark.slow
def test_dask_gives_the_same_figures_as_processes(cache: Cache, dask: str, tmp_path: Path) -> None:
    here = run(RECIPE, Cache(tmp_path / "other"))
    there = run(RECIPE, cache, engine=dask)
    assert here.predictions.equals(there.predictions)
    assert not list(cache.root.glob(".shared-*")), "what showed the workers the cache is gone"


@pytest.mark.slow
def test_dask_started_here_gives_the_same_figures(cache: Cache, tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    assert run(RECIPE, cache, engine="dask").predictions.equals(run(RECIPE, Cache(tmp_path / "other")).predictions)


@pytest.mark.slow
def test_ray_gives_the_same_figures(cache: Cache, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    assert run(RECIPE, cache, engine="ray").predictions.equals(run(RECIPE, Cache(tmp_path / "other")).predictions)


def test_a_worker_that_does_not_share_the_cache_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"does not share the cache.*set INSULA_CACHE"):
        _job((str(tmp_path), ".shared-by-this-run", code_version()), double, (1,))


@pytest.mark.slow
def test_a_worker_with_other_code_is_named(cache: Cache, dask: str, monkeypatch: pytest.MonkeyPatch) -> None:
    versions = iter(["0.1.0+here", "0.1.0+there", "0.1.0+there"])
    monkeypatch.setattr("insula.evaluation.engine.code_version", lambda: next(versions))
    with pytest.raises(DataError, match=r"other code \(0.1.0\+there\): install 0.1.0\+here"):
        list(each([(double, (1,))], 1, dask, cache))


@pytest.mark.parametrize("engine", ["spark", "dask://", "dask://host", "tcp://host:1", "loky"])
def test_an_unknown_engine_is_one_line(cache: Cache, engine: str) -> None:
    with pytest.raises(SettingsError, match="unknown engine"):
        list(each([(double, (1,))], 1, engine, cache))


@pytest.mark.parametrize(("engine", "module"), [("dask", "distributed"), ("ray", "ray")])
def test_a_missing_library_names_the_extra(
    cache: Cache, engine: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingTierError, match=r"pip install 'insula\[scale\]'"):
        list(each([(double, (1,))], 1, engine, cache))


@pytest.mark.slow
def test_a_scheduler_that_does_not_answer_is_one_line(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("insula.evaluation.engine._PATIENCE", 0.5)
    with pytest.raises(SettingsError, match="no Dask scheduler answers"):
        list(each([(double, (1,))], 1, "dask://127.0.0.1:1", cache))
