"""Real hosts over SSH, each used by one test only, and the repository they install from."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import pytest

from day2.hosts.script import Host
from lab.hosts import fleet as lab_hosts
from lab.hosts.fleet import Fleet
from lab.hosts.releases import SUITES
from lab.hosts.repository import Repository

HOSTS = 20


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    """Hosts for one file of tests. They are cheap: a second or two for all of them."""
    if reason := lab_hosts.why_not():
        pytest.skip(f"no hosts can run here: {reason}")
    with lab_hosts.hosts(HOSTS) as made:
        yield made


@pytest.fixture(scope="module")
def unused(fleet: Fleet) -> Iterator[str]:
    return iter(fleet.names)


@pytest.fixture
def name(unused: Iterator[str]) -> str:
    """A host that no test has touched."""
    return next(unused)


@pytest.fixture
def host(fleet: Fleet, name: str) -> Iterator[Host]:
    """A way to it, as patching has one: SSH as a user who may sudo."""
    shell = fleet.shell(name)
    yield Host(name, shell)
    shell.close()


@pytest.fixture
def more_hosts(fleet: Fleet, unused: Iterator[str]) -> Callable[[], Host]:
    """One more untouched host."""

    def more() -> Host:
        name = next(unused)
        return Host(name, fleet.shell(name))

    return more


@pytest.fixture
def repository(fleet: Fleet) -> Iterator[Repository]:
    """The vendor's repository; afterwards it offers again what it did."""
    made = fleet.repository
    offered = {suite: made.versions(suite) for suite in SUITES}
    yield made
    for deb in (made.folder / "pool").glob("*/*.deb"):
        deb.unlink()
    for suite, versions in offered.items():
        for package, version in versions.items():
            name = f"{package}_{version}_all.deb"
            shutil.copy2(made.shelf / name, made.folder / "pool" / f"acme-{suite}" / name)
    made.index(SUITES)
