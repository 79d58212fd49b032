"""The process that parses DAG files to be measured: `python -m bench.parsed FILE…` prints one JSON line."""

# It stands in for Airflow's DAG processor.
# ruff: noqa: TID251

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
KINDS = {"later": "cold", "warm": "warm", "serializing": "serializing"}


def main(paths: list[str]) -> None:
    """The measured process: print one JSON line."""
    _as_the_processor()
    print(json.dumps([_file(Path(each)) for each in paths]))


def _as_the_processor() -> None:
    """Import what a DAG processor has imported before it forks for a file (processor.py, `_pre_import…`)."""
    import airflow.dag_processing.processor
    import airflow.providers.standard.operators.hitl
    import airflow.sdk
    import airflow.serialization.serialized_objects  # noqa: F401


def _file(path: Path) -> dict[str, Any]:
    first, *later = [_forked(path) for _ in range(PARSES)]
    if "error" in first:
        return {"file": path.name, "error": first["error"]}
    return {
        "file": path.name,
        "dags": first["dags"],
        "heavy": first["heavy"],
        "first": first["cold"],
        **{name: _medians(later, kind) for name, kind in KINDS.items()},
    }


def _medians(runs: list[dict[str, Any]], kind: str) -> dict[str, float]:
    return {key: statistics.median(each[kind][key] for each in runs) for key in ("wall", "cpu")}


def _forked(path: Path) -> dict[str, Any]:
    """Parse in a child, as the DAG processor does for every parse of every file."""
    read_end, write_end = os.pipe()
    if os.fork() == 0:
        with os.fdopen(write_end, "w") as pipe:
            json.dump(_told(path), pipe)
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end) as pipe:
        found: dict[str, Any] = json.load(pipe)
    os.wait()
    return found


def _told(path: Path) -> dict[str, Any]:
    try:
        return _parse(path)
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
    return {"dags": len(dags), "heavy": heavy, "cold": cold, "warm": warm, "serializing": serializing}


def _load(path: Path, how: str) -> None:
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
    """The modules our own lint bans at module level."""
    settings = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    banned = settings["tool"]["ruff"]["lint"]["flake8-tidy-imports"]["banned-module-level-imports"]
    return set(banned)


if __name__ == "__main__":
    main(sys.argv[1:])
