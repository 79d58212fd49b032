"""What every test shares: a test's folder says what it needs, so its marker follows from the folder."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from day2.postgres import binaries
from lab.hosts.fleet import default_folder
from lab.places import executable_folder, server_user
from lab.postgres import reachable_temporary_folder

pytest_plugins = ["tests.booted"]

TESTS = Path(__file__).parent
MARKED = ("integration", "airflow", "ui")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        folder = item.path.relative_to(TESTS).parts[0]
        if folder in MARKED:
            item.add_marker(folder)


def pytest_configure(config: pytest.Config) -> None:
    """One tree for the hosts of all tests. Root's servers run as another user, who gets a copy of the programs."""
    os.environ.setdefault("DAY2_TREES", str(default_folder()))
    if os.geteuid() != 0:
        return
    run_as = server_user()
    installed = [each for each in binaries.installed() if each.has_server]
    beside = reachable_temporary_folder(run_as)
    config.add_cleanup(lambda: shutil.rmtree(beside))
    folders = [executable_folder(each, beside, run_as) for each in installed]
    if folders != [each.folder for each in installed]:
        os.environ["DAY2_PG_BIN"] = os.pathsep.join(map(str, folders))
        binaries.installed.cache_clear()
