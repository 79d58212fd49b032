"""What a pair looks like from outside, in each state it can be in."""

from __future__ import annotations

from dataclasses import dataclass, replace

from day2.errors import Unavailable
from day2.hosts.shell import Done
from day2.operations.dr_drill import control, observe
from tests.integration.drill.making import Living


@dataclass(frozen=True)
class Gone:
    """A host that does not answer."""

    label: str = "host of nobody"

    def run(self, *command: str, stdin: bytes = b"", seconds: float = 0) -> Done:
        raise Unavailable("SSH failed: no route to host", target=self.label)


def test_a_pair_in_normal_times(pair: Living) -> None:
    primary, standby = observe.look(pair.pair)
    assert (primary.role, standby.role, standby.follows) == ("primary", "standby", True)
    assert primary.timeline == standby.timeline == 1
    assert "state normal; going back is free" in observe.describe(pair.pair)


def test_stopped_is_what_the_host_says(pair: Living) -> None:
    control.stop(pair.pair.primary)
    primary, standby = observe.look(pair.pair)
    assert primary.role == "stopped"
    assert (standby.role, standby.follows) == ("standby", False)
    assert observe.now(pair.pair) == "fenced"


def test_nobody_knows_when_neither_server_nor_host_answers(pair: Living) -> None:
    control.stop(pair.pair.primary)
    cut = replace(pair.pair, primary=replace(pair.pair.primary, shell=Gone()))
    assert observe.look(cut)[0].role == "unreachable"
    assert observe.now(cut) == "unknown"


def test_a_promoted_server_shows_its_new_timeline_before_any_checkpoint(pair: Living) -> None:
    control.stop(pair.pair.primary)
    assert pair.sql(pair.pair.standby, "select pg_promote(true, 30)")
    standby = observe.observe(pair.pair.standby, pair.pair.primary)
    assert (standby.role, standby.timeline) == ("primary", 2)
    assert observe.now(pair.pair) == "promoted"


def test_two_servers_that_take_writes_are_a_split_brain(pair: Living) -> None:
    pair.sql(pair.pair.standby, "select pg_promote(true, 30)")
    assert observe.now(pair.pair) == "split_brain"


def test_a_standby_with_a_stopped_receiver_follows_nobody(pair: Living) -> None:
    pair.sql(pair.pair.standby, "alter system set primary_conninfo = ''")
    pair.sql(pair.pair.standby, "select pg_reload_conf()")
    pair.sql(pair.pair.standby, "select pg_sleep(0.5)")
    assert observe.observe(pair.pair.standby, pair.pair.primary).text == (
        "orders-standby is a standby that follows nobody"
    )


def test_start_and_stop_do_nothing_twice(pair: Living) -> None:
    node = pair.pair.standby
    control.stop(node)
    control.stop(node)
    assert not control.running(node)
    control.start(node)
    control.start(node)
    assert control.running(node)
