"""The process that parses DAG files to be measured: `python -m bench.parsed FILE…` prints one JSON line.

It stands in for Airflow's DAG processor, which forks for every parse of every file.
"""

# ruff: noqa: TID251 - see above

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab.places import CHECKOUT

PARSES = 6


def main(paths: list[str]) -> None:
    """Print one JSON line: a row for each file."""
    _as_the_processor(paths)
    print(json.dumps([_file(Path(each)) for each in paths]))


def _as_the_processor(paths: list[str]) -> None:
    """Import what a DAG processor has when it forks: itself, and the airflow modules that the file names."""
    import airflow.dag_processing.manager
    import airflow.serialization.serialized_objects  # noqa: F401
    import structlog
    from airflow.dag_processing.processor import _pre_import_airflow_modules

    for each in paths:
        _pre_import_airflow_modules(each, structlog.get_logger())


def _file(path: Path) -> dict[str, Any]:
    first, *later = [_forked(lambda: _parse(path)) for _ in range(PARSES)]
    if "error" in first:
        return {"file": path.name, "error": first["error"]}
    name = (first["dags"] or [""])[-1]
    tasks = [_forked(lambda: _parse_for_a_task(path, name)) for _ in range(PARSES)]
    return {
        "file": path.name,
        "dags": len(first["dags"]),
        "heavy": first["heavy"],
        "first": first["cold"],
        "later": _medians(later, "cold"),
        "warm": _medians(later, "warm"),
        "serializing": _medians(later, "serializing"),
        "task": _medians(tasks, "cold"),
    }


def _medians(runs: list[dict[str, Any]], kind: str) -> dict[str, float]:
    return {key: statistics.median(each[kind][key] for each in runs) for key in ("wall", "cpu")}


def _forked(parse: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    read_end, write_end = os.pipe()
    if os.fork() == 0:
        with os.fdopen(write_end, "w") as pipe:
            json.dump(_told(parse), pipe)
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end) as pipe:
        found: dict[str, Any] = json.load(pipe)
    os.wait()
    return found


def _told(parse: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return parse()
    except Exception as error:  # noqa: BLE001 - a file that cannot be parsed is a finding of its own
        return {"error": f"{type(error).__name__}: {error}"}


def _parse(path: Path) -> dict[str, Any]:
    before = set(sys.modules)
    cold = _timed(lambda: _load(path, "cold"))
    heavy = sorted(_heavy() & (set(sys.modules) - before))
    warm = _timed(lambda: _load(path, "warm"))
    from airflow.serialization.serialized_objects import DagSerialization

    dags = _registered()
    serializing = _timed(lambda: [DagSerialization.to_dict(each) for each in dags])
    names = [each.dag_id for each in dags]
    return {"dags": names, "heavy": heavy, "cold": cold, "warm": warm, "serializing": serializing}


def _parse_for_a_task(path: Path, dag_id: str) -> dict[str, Any]:
    """As a task process does: Airflow tells the file which DAG the task belongs to, so it may skip the others."""
    os.environ["_AIRFLOW_PARSING_CONTEXT_DAG_ID"] = dag_id
    return {"cold": _timed(lambda: _load(path, "task"))}


def _load(path: Path, how: str) -> None:
    """Execute the file as DagBag does; its DAGs register themselves."""
    name = f"bench_{how}_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    from airflow.sdk.definitions._internal.contextmanager import DagContext

    DagContext.current_autoregister_module_name = name
    DagContext.autoregistered_dags.clear()
    spec.loader.exec_module(module)


def _registered() -> list[Any]:
    from airflow.sdk.definitions._internal.contextmanager import DagContext

    return [dag for dag, _ in DagContext.autoregistered_dags]


def _timed(work: Callable[[], object]) -> dict[str, float]:
    cpu, begun = time.process_time(), time.monotonic()
    work()
    return {"wall": time.monotonic() - begun, "cpu": time.process_time() - cpu}


def _heavy() -> set[str]:
    """The modules that our own lint bans at module level."""
    settings = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    banned = settings["tool"]["ruff"]["lint"]["flake8-tidy-imports"]["banned-module-level-imports"]
    return set(banned)


if __name__ == "__main__":
    main(sys.argv[1:])
