"""Everything that would make a drill fail half-way is red before it starts, all at once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from day2.errors import PlanRefused
from day2.inventory.model import DrillPolicy
from day2.operations.dr_drill import control, observe, readiness
from day2.operations.dr_drill.finding import Finding
from day2.operations.dr_drill.pair import Pair
from lab.faults import Proxy, proxy
from tests.integration.drill.making import PASSWORD, Living, living
from tests.integration.drill.test_fence import Gone

POLICY = DrillPolicy()


def looked(pair: Pair, policy: DrillPolicy = POLICY) -> dict[str, Finding]:
    return {each.name: each for each in readiness.check(pair, policy)}


def reds(pair: Pair, policy: DrillPolicy = POLICY) -> set[str]:
    return {each.name for each in readiness.check(pair, policy) if each.forbids}


def alter(pair: Living, node: Any, **settings: str) -> None:
    for name, value in settings.items():
        pair.sql(node, f"alter system set {name} = '{value}'")
    pair.sql(node, "select pg_reload_conf()")
    time.sleep(0.2)


def test_a_healthy_pair_is_ready(pair: Living) -> None:
    found = readiness.check(pair.pair, POLICY)
    assert [readiness.told(each) for each in found if not each.ok] == []
    assert len(found) > 25
    readiness.red(found)


def test_the_standby_is_down(pair: Living) -> None:
    control.stop(pair.pair.standby)
    found = reds(pair.pair)
    assert {"state", "streaming", "lag", "orders-standby: sql", "orders: slots"} <= found
    with pytest.raises(PlanRefused, match="orders-standby is stopped") as refused:
        readiness.red(readiness.check(pair.pair, POLICY))
    assert "nothing was touched" in refused.value.left
    assert observe.now(pair.pair) == "alone"


def test_a_host_that_does_not_answer_is_red_not_skipped(pair: Living) -> None:
    cut = replace(pair.pair, primary=replace(pair.pair.primary, shell=Gone()))
    assert {"orders: host", "rewind login"} == reds(cut)


def test_a_paused_replay_and_its_lag_are_red(pair: Living) -> None:
    pair.sql(pair.pair.standby, "select pg_wal_replay_pause()")
    pair.sql(pair.pair.primary, "insert into orders (note) select 'late' from generate_series(1, 1000)")
    time.sleep(1.1)
    strict = POLICY.model_copy(update={"max_lag": timedelta(seconds=1)})
    assert reds(pair.pair, strict) == {"lag", "replay"}
    assert "behind" in looked(pair.pair, strict)["lag"].observed


def test_a_small_lag_is_allowed_by_the_policy(pair: Living) -> None:
    pair.sql(pair.pair.standby, "select pg_wal_replay_pause()")
    pair.sql(pair.pair.primary, "insert into orders (note) values ('late')")
    assert reds(pair.pair) == {"replay"}


def test_an_idle_pair_is_not_behind(pair: Living) -> None:
    """The last commit is old on an idle database: that is no lag."""
    time.sleep(1.5)
    strict = POLICY.model_copy(update={"max_lag": timedelta(seconds=1)})
    assert looked(pair.pair, strict)["lag"].ok


@contextmanager
def through(pair: Living) -> Iterator[Proxy]:
    """The replication goes through a line that can be broken."""
    with proxy(pair.pair.primary.server.port) as line:
        source = pair.sql(pair.pair.standby, "show primary_conninfo")
        changed = source.replace(f"port={pair.pair.primary.server.port}", f"port={line.port}")
        alter(pair, pair.pair.standby, primary_conninfo=changed)
        assert observe.until(lambda: observe.observe(pair.pair.standby, pair.pair.primary).follows, seconds=20)
        yield line


def test_it_follows_also_through_another_address(pair: Living) -> None:
    """A proxy or a second network: its slot on the primary says who it is."""
    with through(pair):
        assert reds(pair.pair) == set()


def test_a_cut_line_is_red(pair: Living) -> None:
    with through(pair) as line:
        line.faults.refuse = True
        line.reset()
        query = "select count(*) from pg_stat_replication"
        assert observe.until(lambda: pair.sql(pair.pair.primary, query) == 0, seconds=20)
        pair.sql(pair.pair.primary, "insert into orders (note) values ('only here')")
        assert {"streaming", "the standby's slot", "orders: slots"} <= reds(pair.pair)


def test_a_slot_that_nobody_uses_is_red_on_either_server(pair: Living) -> None:
    for node in pair.pair.nodes:
        pair.sql(node, "select pg_create_physical_replication_slot('forgotten', true)")
    assert reds(pair.pair) == {"orders: slots", "orders-standby: slots"}
    assert "forgotten is unused" in looked(pair.pair)["orders: slots"].observed


def test_a_lost_slot_is_red(servers_folder: Path) -> None:
    with living(servers_folder, wal_keep_size="0", max_wal_size="32MB") as pair:
        pair.sql(pair.pair.primary, "select pg_create_physical_replication_slot('forgotten', true)")
        alter(pair, pair.pair.primary, max_slot_wal_keep_size="1MB")
        query = "select wal_status from pg_replication_slots where slot_name = 'forgotten'"

        def is_lost() -> bool:
            pair.sql(pair.pair.primary, "insert into orders (note) values ('x')")
            pair.sql(pair.pair.primary, "select pg_switch_wal()")
            pair.sql(pair.pair.primary, "checkpoint")
            return bool(pair.sql(pair.pair.primary, query) == "lost")

        assert observe.until(is_lost, seconds=60)
        assert "forgotten is lost" in looked(pair.pair)["orders: slots"].observed


def test_a_broken_archive_is_red(pair: Living) -> None:
    alter(pair, pair.pair.primary, archive_command="false")
    pair.sql(pair.pair.primary, "select pg_switch_wal()")
    query = "select failed_count from pg_stat_archiver"
    assert observe.until(lambda: pair.sql(pair.pair.primary, query) > 0, seconds=30)
    assert reds(pair.pair) == {"WAL archive"}
    assert "could not be archived" in looked(pair.pair)["WAL archive"].observed


def test_a_server_that_pg_rewind_would_refuse_is_red(servers_folder: Path) -> None:
    with living(servers_folder, wal_log_hints="off") as pair:
        for node in pair.pair.nodes:
            control.stop(node)
            control.require(node.shell, "pg_checksums", "--disable", "--no-sync")
        for node in pair.pair.nodes:
            pair.start(node)
        assert observe.until(lambda: observe.now(pair.pair) == "normal", seconds=20)
        observe.until(lambda: observe.observe(pair.pair.standby, pair.pair.primary).follows, seconds=20)
        assert "rewind possible" in reds(pair.pair)


def test_a_synchronous_standby_is_fine_while_it_streams(pair: Living) -> None:
    alter(pair, pair.pair.primary, synchronous_standby_names="orders_standby")
    assert reds(pair.pair) == set()
    alter(pair, pair.pair.primary, synchronous_standby_names="somebody_else")
    assert reds(pair.pair) == {"commits now"}


def test_commits_that_would_wait_after_the_promotion_are_red(pair: Living) -> None:
    alter(pair, pair.pair.standby, synchronous_standby_names="orders")
    assert reds(pair.pair) == {"commits after the promotion"}


def test_a_primary_that_could_not_follow_is_red(pair: Living) -> None:
    alter(pair, pair.pair.primary, primary_conninfo="", primary_slot_name="", restore_command="", wal_keep_size="0")
    assert {"the primary can follow", "WAL for the rejoin"} <= reds(pair.pair)


def test_a_way_back_that_leads_to_itself_is_red(pair: Living) -> None:
    """A configuration that was copied from the standby unchanged."""
    own = pair.sql(pair.pair.standby, "show primary_conninfo")
    alter(
        pair,
        pair.pair.primary,
        primary_conninfo=own.replace(str(pair.home(pair.pair.standby)), str(pair.home(pair.pair.primary))),
    )
    assert reds(pair.pair) == {"rewind login"}


def test_missing_rights_are_named_with_their_grants(pair: Living) -> None:
    primary = pair.pair.primary
    pair.sql(primary, "revoke pg_checkpoint from day2_drill")
    pair.sql(primary, "revoke execute on function pg_promote(boolean, integer) from day2_drill")
    pair.sql(primary, "revoke create on database orders from day2_drill")
    pair.sql(primary, "revoke execute on function pg_read_binary_file(text) from replicator", "postgres")
    assert observe.until(lambda: "rewind login" in reds(pair.pair), seconds=10)
    found = looked(pair.pair)
    assert "lacks 3 of 4" in found["orders-standby: rights of the drill's role"].observed
    assert "grant pg_checkpoint" in found["orders: rights of the drill's role"].needed
    assert "pg_read_binary_file(text)" in found["rewind login"].observed


def test_missing_programs_are_named(pair: Living) -> None:
    """A host with a client package only."""

    class Poor:
        label = "poor host"

        def run(self, *command: str, **more: Any) -> Any:
            if command[0] == "pg_rewind":
                return pair.pair.primary.shell.run("false")
            return pair.pair.primary.shell.run(*command, **more)

    poor = replace(pair.pair, primary=replace(pair.pair.primary, shell=Poor()))
    assert reds(poor) == {"orders: programs"}
    assert looked(poor)["orders: programs"].observed == "pg_rewind"


def test_two_clusters_that_only_look_alike_are_red(pair: Living, servers_folder: Path) -> None:
    with living(servers_folder, copied=False) as other:
        mixed = replace(pair.pair, standby=other.pair.standby)
        assert "system identifier" in reds(mixed)


def test_no_secret_is_in_a_finding(pair: Living) -> None:
    conninfo = f"host=127.0.0.1 port={pair.pair.standby.server.port} user=replicator password={PASSWORD}"
    alter(pair, pair.pair.primary, primary_conninfo=conninfo)
    found = readiness.check(pair.pair, POLICY)
    assert not [each for each in found if each.forbids]
    assert PASSWORD not in str(found)
