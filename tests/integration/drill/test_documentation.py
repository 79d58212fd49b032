"""docs/drill.md says what is so: its SQL gives the rights that are needed, and its commands fail over and back."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from day2.operations.dr_drill import observe, standing
from day2.operations.dr_drill.pair import Node
from day2.postgres import binaries
from tests.integration.drill.making import LOOPBACK, PASSWORD, REPLICATOR, Living

TEXT = (Path(__file__).parents[3] / "docs" / "drill.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"<!-- tested: (.+?) -->\n```\w*\n(.*?)```", TEXT, re.DOTALL))
Run = Callable[..., str]


def hand(living: Living) -> Run:
    """Run a block as a person would: on a node's host, as the server's user."""

    def run(block: str, node: Node, **more: str) -> str:
        other = living.pair.other(node).server
        home = living.home(node)
        env = {
            "PATH": f"{living.binaries.folder}:/usr/bin:/bin",
            "HOME": str(home),
            "PGDATA": str(home / "data"),
            "PGHOST": LOOPBACK,
            "PGPORT": str(node.server.port),
            "PGUSER": "postgres",
            "OTHER": f"host={LOOPBACK} port={other.port} user={REPLICATOR} dbname=postgres",
        }
        done = subprocess.run(
            ("bash", "-e", "-o", "pipefail", "-c", BLOCKS[block]),
            env=env | more, capture_output=True, text=True, timeout=90, **binaries.unprivileged(),
        )  # fmt: skip
        assert done.returncode == 0, f"{block}: {done.stdout}{done.stderr}"
        return done.stdout

    return run


def test_the_commands_fail_over_and_back_by_hand(pair: Living) -> None:
    one, two, run = pair.pair.primary, pair.pair.standby, hand(pair)
    pair.sql(one, "insert into orders (note) values ('before')")
    run("fence", one)
    assert observe.now(pair.pair) == "fenced"
    assert re.search(r"^ f$", run("promote", two), re.MULTILINE)
    assert observe.now(pair.pair) == "promoted"
    pair.sql(two, "insert into orders (note) values ('meanwhile')")
    run("rejoin", one)
    assert observe.now(pair.pair) == "failed_over"
    state, lsn = run("stop acting", two).splitlines()[-2:]
    assert state == "shut down"
    run("take back", one, LSN=lsn)
    pair.sql(one, "insert into orders (note) values ('after')")
    run("follow", two)
    assert observe.now(pair.pair) == "normal"
    assert pair.sql(one, "select count(*) from orders where note in ('before', 'meanwhile', 'after')") == 3
    assert pair.sql(two, "select count(*) from pg_replication_slots") == 0


@pytest.mark.parametrize("folder", ["data", "no-such-folder"])
def test_the_fence_by_hand_stops_whoever_cannot_see_the_server_stopped(pair: Living, folder: str) -> None:
    broken = BLOCKS["fence"].replace("pg_ctl stop --mode=fast --wait", "false")
    home = pair.home(pair.pair.primary)
    env = {"PATH": f"{pair.binaries.folder}:/usr/bin:/bin", "PGDATA": str(home / folder), "HOME": str(home)}
    done = subprocess.run(
        ("bash", "-e", "-c", broken), env=env, capture_output=True, text=True, **binaries.unprivileged()
    )
    assert done.returncode == 1
    assert "do not promote" in done.stdout


@pytest.fixture
def bare(pair: Living) -> Living:
    """The pair without the drill's roles."""
    node = pair.pair.primary
    for dbname in ("orders", "postgres"):
        for role in ("day2_drill", REPLICATOR):
            pair.sql(node, f"drop owned by {role}", dbname)
    for role in ("day2_drill", REPLICATOR):
        pair.sql(node, f"alter role {role} rename to {role}_before")
    return pair


def test_the_sql_gives_the_roles_the_rights_they_need_and_no_superuser(bare: Living) -> None:
    node = bare.pair.primary
    for block, dbname in (("drill role", "orders"), ("replication role", "postgres")):
        with psycopg.connect(
            host=LOOPBACK, port=node.server.port, user="postgres", password=PASSWORD, dbname=dbname, autocommit=True
        ) as connection:
            connection.execute(BLOCKS[block].encode())
    bare.sql(node, f"alter role day2_drill password '{PASSWORD}'")
    row = observe.ask(node.server, standing.QUESTION)
    assert {name: row[name] for name in row if name.startswith("may_")} == {
        "may_promote": True,
        "may_replicate": True,
        "may_create": True,
        "may_checkpoint": True,
    }
    assert (
        bare.sql(node, "select count(*) from pg_roles where rolsuper and rolname in ('day2_drill', 'replicator')") == 0
    )
    functions = re.findall(r"grant execute on function (.+?) to replicator", BLOCKS["replication role"])
    assert len(functions) == 4
    for function in functions:
        asked = f"select has_function_privilege('replicator', '{function}', 'execute')"
        assert bare.sql(node, asked, "postgres") is True


def test_every_documented_setting_is_one_that_the_server_knows(pair: Living) -> None:
    names = re.findall(r"^(\w+) = ", BLOCKS["settings"], re.MULTILINE)
    assert len(names) == 8
    for name in names:
        assert pair.sql(pair.pair.primary, f"select count(*) from pg_settings where name = '{name}'") == 1
