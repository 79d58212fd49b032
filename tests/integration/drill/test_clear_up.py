"""Nothing of a drill is left behind, whatever state it ended in; and nothing else is touched."""

from __future__ import annotations

from dataclasses import replace

from day2.errors import Unavailable
from day2.hosts.shell import Done
from day2.operations.dr_drill import aside, clear_up, observe, rejoin, switch_back
from day2.operations.dr_drill.pair import Node
from tests.integration.drill.making import SLOT, Living
from tests.integration.drill.test_rejoin import SECONDS, crash, notes, take_over, write

RUN = "manual__2026-03-15T06:00:00+00:00"


def diverge(pair: Living) -> None:
    """A failover that lost commits: the old primary has some that nobody received."""
    pair.ctl(pair.pair.standby, "stop", "--mode=fast")
    write(pair, pair.pair.primary, "lost", 3)
    crash(pair, pair.pair.primary)
    pair.start(pair.pair.standby)
    take_over(pair)


def markers(pair: Living, node: Node) -> None:
    pair.sql(node, "create schema day2_drill create table marker (n bigint)", user="day2_drill")


def test_a_whole_pair_is_left_as_it_was_before_the_drill(pair: Living) -> None:
    diverge(pair)
    markers(pair, pair.pair.standby)
    rejoin.rejoin(pair.pair, seconds=SECONDS)
    switch_back.switch_back(pair.pair, seconds=SECONDS, route=lambda node: {})
    assert clear_up.leftovers(pair.pair, RUN)
    measures = clear_up.clear_up(pair.pair, RUN)
    assert measures["leftovers"] == []
    assert measures["problems"] == []
    assert measures["evidence"][0]["commits"] == 1
    assert pair.sql(pair.pair.primary, "select to_regnamespace('day2_drill') is null")
    assert not [each for each in pair.pair.nodes if aside.names(each)]
    slots = "select count(*) from pg_replication_slots"
    assert [pair.sql(each, slots) for each in pair.pair.nodes] == [1, 0]
    assert observe.now(pair.pair) == "normal"


def test_a_second_time_there_is_nothing_to_do(pair: Living) -> None:
    assert clear_up.clear_up(pair.pair, RUN)["removed"] == []


def test_what_a_rejoin_still_needs_stays_and_is_named(pair: Living) -> None:
    diverge(pair)
    aside.mark(pair.pair.primary, "rewinding")
    measures = clear_up.clear_up(pair.pair, RUN)
    assert measures["leftovers"] == []
    assert any(f"slot {SLOT}" in each for each in measures["kept"])
    assert any(".day2" in each for each in measures["kept"])
    assert pair.sql(pair.pair.standby, "select count(*) from pg_replication_slots") == 1
    assert aside.names(pair.pair.primary) == ["rewinding"]


def test_after_an_unplanned_failover_the_evidence_is_put_where_it_stays(pair: Living) -> None:
    diverge(pair)
    rejoin.rejoin(pair.pair, seconds=SECONDS)
    measures = clear_up.clear_up(pair.pair, RUN, keep_evidence=True)
    assert measures["leftovers"] == []
    stays = pair.home(pair.pair.primary) / "data.evidence-manual_2026-03-15T06_00_00_00_00"
    assert (stays / "manifest.json").exists()
    assert measures["evidence"][0]["folder"] == str(stays)


def test_a_slot_in_use_and_what_others_made_are_not_touched(pair: Living) -> None:
    pair.sql(pair.pair.standby, "select pg_create_physical_replication_slot('somebody_else')")
    pair.sql(pair.pair.primary, "create schema theirs")
    beside = pair.home(pair.pair.primary) / "data.old"
    beside.mkdir()
    clear_up.clear_up(pair.pair, RUN)
    assert pair.sql(pair.pair.standby, "select count(*) from pg_replication_slots") == 1
    assert pair.sql(pair.pair.primary, "select to_regnamespace('theirs') is not null")
    assert beside.exists()
    assert observe.now(pair.pair) == "normal"
    assert notes(pair, pair.pair.standby, "row 1") == 1


def test_an_unused_slot_of_the_drill_on_the_standby_is_dropped(pair: Living) -> None:
    pair.sql(pair.pair.standby, f"select pg_create_physical_replication_slot('{SLOT}', true)")
    assert clear_up.leftovers(pair.pair, RUN) == [f"slot {SLOT} on orders-standby"]
    assert clear_up.clear_up(pair.pair, RUN)["leftovers"] == []


def test_sessions_that_a_killed_worker_left_are_ended(pair: Living) -> None:
    with pair.pair.primary.server.connect() as left_behind:
        left_behind.execute("select 1")
        measures = clear_up.clear_up(pair.pair, RUN)
    assert measures["removed"] == ["1 sessions on orders"]
    assert measures["leftovers"] == []


class Unreachable:
    """A login on a host that is gone."""

    label = "host of orders"

    def run(self, *command: str, stdin: bytes = b"", seconds: float = 60.0) -> Done:
        raise Unavailable("SSH failed: timed out", target=self.label)


def test_a_host_that_does_not_answer_is_named_and_does_not_keep_the_rest(pair: Living) -> None:
    markers(pair, pair.pair.primary)
    gone = replace(pair.pair, primary=replace(pair.pair.primary, shell=Unreachable()))
    measures = clear_up.clear_up(gone, RUN)
    assert "schema day2_drill on orders" in measures["removed"]
    assert measures["leftovers"][0].startswith("unknown what is left on orders")
