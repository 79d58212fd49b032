"""The ledger is imported while DAGs are parsed and by every task: it costs next to nothing until it is used."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"psycopg", "sqlalchemy", "alembic", "jsonschema", "pydantic", "pandas", "rich", "airflow"}
MODULES = ("day2.ledger", "day2.ledger.leases", "day2.ledger.record", "day2.ledger.export", "day2.ledger.report")


@pytest.mark.parametrize("module", MODULES)
def test_importing_it_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    environment = dict(os.environ) | {"PYTHONPATH": str(Path(__file__).parents[3] / "include")}
    told = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=True, env=environment)
    assert not HEAVY & set(told.stdout.split())
