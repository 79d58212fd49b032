"""The standby takes over when the fence is proven, once, and completely."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from day2.errors import StepFailed
from day2.operations.dr_drill import control, fence, observe, promote
from day2.operations.dr_drill.pair import Node
from lab.ports import LOOPBACK
from tests.integration.drill.making import DBNAME, PASSWORD, REPLICATOR, Living, frozen, living
from tests.integration.drill.test_fence import Gone, with_shell


def superuser_setting(pair: Living, node: Node, **settings: str) -> None:
    for name, value in settings.items():
        pair.sql(node, f"alter system set {name} = '{value}'")
    pair.sql(node, "select pg_reload_conf()")


def test_a_promotion_is_complete(pair: Living) -> None:
    fence.fence(pair.pair, mode="fast", crashed_ok=False)
    replayed = promote.replay(pair.pair, seconds=20)
    measures = promote.promote(pair.pair, seconds=30)
    assert (replayed["already"], replayed["lag_bytes"]) == (False, 0)
    assert (measures["already"], measures["old_timeline"], measures["timeline"]) == (False, 1, 2)
    assert (measures["slot"], observe.now(pair.pair)) == ("day2_peer", "promoted")
    # Trap: without a checkpoint pg_rewind finds the old timeline and answers 0 having done nothing.
    assert pair.sql(pair.pair.standby, "select timeline_id from pg_control_checkpoint()") == 2
    assert measures["slot_status"] == "reserved"


def test_clients_do_not_wait_for_a_long_checkpoint(pair: Living, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes on when nobody waits for it."""
    monkeypatch.setattr(promote, "CHECKPOINT_SECONDS", 0.001)
    pair.sql(pair.pair.primary, "insert into orders (note) select 'much' from generate_series(1, 100000)")
    fence.fence(pair.pair, mode="fast", crashed_ok=False)
    measures = promote.promote(pair.pair, seconds=30)
    assert measures["checkpoint_seconds"] is None
    query = "select timeline_id from pg_control_checkpoint()"
    assert observe.until(lambda: pair.sql(pair.pair.standby, query) == 2, seconds=60)


def test_a_second_promotion_changes_nothing(pair: Living) -> None:
    fence.fence(pair.pair, mode="fast", crashed_ok=False)
    promote.promote(pair.pair, seconds=30)
    assert promote.replay(pair.pair, seconds=5) == {"already": True}
    again = promote.promote(pair.pair, seconds=30)
    assert (again["already"], again["timeline"]) == (True, 2)
    assert fence.fence(pair.pair, mode="fast", crashed_ok=False)["already"] is True


def test_nothing_is_promoted_beside_a_running_primary(pair: Living) -> None:
    """An un-fenced primary would go on taking writes: two primaries."""
    with pytest.raises(StepFailed, match="cannot be fenced: orders runs on its host"):
        promote.promote(pair.pair, seconds=30)
    assert observe.now(pair.pair) == "normal"


def test_a_persons_word_lets_a_standby_take_over_from_a_host_that_is_gone(pair: Living) -> None:
    """A real disaster: nobody can ask the old primary's host, and somebody switched it off."""
    control.stop(pair.pair.primary, "immediate")
    cut = with_shell(pair.pair, Gone())
    with pytest.raises(StepFailed, match="cannot be fenced"):
        promote.promote(cut, seconds=30)
    assert observe.now(pair.pair) == "fenced"
    measures = promote.promote(cut, seconds=30, attested="mia powered it off")
    assert (measures["timeline"], measures["slot"]) == (2, None)


def test_the_wal_that_a_rewind_needs_is_kept_from_before_the_promotion(pair: Living) -> None:
    fence.fence(pair.pair, mode="fast", crashed_ok=False)
    file = control.control_file(pair.pair.primary)
    promote.promote(pair.pair, seconds=30)
    kept = pair.sql(pair.pair.standby, "select restart_lsn from pg_replication_slots where slot_name = 'day2_peer'")
    assert control.position(kept) <= file.checkpoint


def test_a_lost_slot_is_made_again(servers_folder: Path) -> None:
    with living(servers_folder, wal_keep_size="0", max_wal_size="32MB") as pair:
        superuser_setting(pair, pair.pair.standby, max_slot_wal_keep_size="1MB")
        _lose_slot(pair)
        superuser_setting(pair, pair.pair.standby, max_slot_wal_keep_size="1GB")
        fence.fence(pair.pair, mode="fast", crashed_ok=False)
        measures = promote.promote(pair.pair, seconds=30)
    assert (measures["slot"], measures["slot_status"]) == ("day2_peer", "reserved")


def test_a_slot_that_is_lost_at_once_is_told(servers_folder: Path) -> None:
    with living(servers_folder, wal_keep_size="0", max_wal_size="32MB") as pair:
        superuser_setting(pair, pair.pair.standby, max_slot_wal_keep_size="1MB")
        _lose_slot(pair)
        fence.fence(pair.pair, mode="fast", crashed_ok=False)
        assert promote.promote(pair.pair, seconds=30)["slot_status"] == "lost"


def _lose_slot(pair: Living) -> None:
    """A slot on the standby that nobody uses, while WAL goes on."""
    pair.sql(pair.pair.standby, "select pg_create_physical_replication_slot('day2_peer', true)")
    query = "select wal_status from pg_replication_slots where slot_name = 'day2_peer'"

    def is_lost() -> bool:
        pair.sql(pair.pair.primary, "insert into orders (note) select repeat('x', 900) from generate_series(1, 20000)")
        pair.sql(pair.pair.primary, "select pg_switch_wal()")
        pair.sql(pair.pair.primary, "checkpoint")
        time.sleep(0.3)
        pair.sql(pair.pair.standby, "checkpoint")
        return bool(pair.sql(pair.pair.standby, query) == "lost")

    assert observe.until(is_lost, seconds=60)


def test_a_paused_replay_is_somebodys_decision(pair: Living) -> None:
    pair.sql(pair.pair.standby, "select pg_wal_replay_pause()")
    pair.sql(pair.pair.primary, "insert into orders (note) values ('waiting')")
    fence.fence(pair.pair, mode="fast", crashed_ok=False)
    with pytest.raises(StepFailed, match="is paused") as failed:
        promote.replay(pair.pair, seconds=5)
    assert "pg_wal_replay_resume()" in failed.value.next_step
    pair.sql(pair.pair.standby, "select pg_wal_replay_resume()")
    assert promote.replay(pair.pair, seconds=20)["already"] is False
    assert pair.sql(pair.pair.standby, "select count(*) from orders where note = 'waiting'") == 1


def test_a_replay_that_does_not_end_says_how_far_it_is(pair: Living) -> None:
    with frozen(pair, pair.pair.standby, "startup"):
        pair.sql(pair.pair.primary, "insert into orders (note) select 'late' from generate_series(1, 5000)")
        fence.fence(pair.pair, mode="fast", crashed_ok=False)
        with pytest.raises(StepFailed, match=r"after 1 s it has still \d+ bytes to replay") as failed:
            promote.replay(pair.pair, seconds=1)
    assert "to go back: on host of orders: pg_ctl start" in failed.value.next_step
    measures = promote.replay(pair.pair, seconds=30)
    assert pair.sql(pair.pair.standby, "select count(*) from orders where note = 'late'") == 5000
    assert measures["last_commit"].endswith("Z")


def test_a_replay_ends_also_when_the_last_bytes_are_half_a_record(pair: Living) -> None:
    """A crash cuts the stream anywhere: the received position is then never reached."""
    pair.sql(pair.pair.standby, "alter system set wal_retrieve_retry_interval = '500ms'")
    pair.sql(pair.pair.standby, "select pg_reload_conf()")
    with frozen(pair, pair.pair.standby, "startup"):
        pair.sql(pair.pair.primary, "insert into orders (note) select 'late' from generate_series(1, 5000)")
        fence.fence(pair.pair, mode="immediate", crashed_ok=True)
        _cut_last_record(pair)
    measures = promote.replay(pair.pair, seconds=30)
    assert measures["half_a_record_bytes"] > 0
    assert promote.promote(pair.pair, seconds=30)["timeline"] == 2


def _cut_last_record(pair: Living) -> None:
    """Zero the end of what the standby received, before it is replayed, and in the archive's copy too."""
    received = pair.sql(pair.pair.standby, "select pg_last_wal_receive_lsn()")
    at = control.position(received)
    name = f"{1:08X}{at >> 32:08X}{(at & 0xFFFFFFFF) >> 24:08X}"
    with (pair.home(pair.pair.standby) / "data" / "pg_wal" / name).open("r+b") as file:
        file.seek((at & 0xFFFFFF) - 48)
        file.write(bytes(48))


def test_a_promotion_that_does_not_end_is_told_and_not_tried_again(pair: Living) -> None:
    fence.fence(pair.pair, mode="fast", crashed_ok=False)
    with frozen(pair, pair.pair.standby, "startup"):
        with pytest.raises(StepFailed, match="it may still do so") as failed:
            promote.promote(pair.pair, seconds=1)
        assert "do not start orders" in failed.value.next_step
        assert "state fenced" in failed.value.left
    # It was only late; the same step completes what it began.
    assert observe.until(lambda: observe.now(pair.pair) == "promoted", seconds=20)
    measures = promote.promote(pair.pair, seconds=30)
    assert (measures["already"], measures["timeline"]) == (True, 2)


def test_giving_up_on_a_late_promotion_never_makes_two_primaries(pair: Living) -> None:
    fence.fence(pair.pair, mode="fast", crashed_ok=False)
    with frozen(pair, pair.pair.standby, "startup"), pytest.raises(StepFailed):
        promote.promote(pair.pair, seconds=1)
    # It goes on now: either the standby became a primary, or its stop came first.
    with suppress(StepFailed):
        fence.unfence(pair.pair)
    assert observe.until(lambda: observe.now(pair.pair) in ("normal", "promoted"), seconds=20)
    roles = [each.role for each in observe.look(pair.pair)]
    assert roles.count("primary") == 1


def test_commits_that_would_wait_for_ever_are_refused_before_the_promotion(pair: Living) -> None:
    superuser_setting(pair, pair.pair.standby, synchronous_standby_names="orders")
    fence.fence(pair.pair, mode="fast", crashed_ok=False)
    with pytest.raises(StepFailed, match="would wait for ever") as failed:
        promote.promote(pair.pair, seconds=30)
    assert "alter system set synchronous_standby_names = ''" in failed.value.next_step
    assert observe.now(pair.pair) == "fenced"
    superuser_setting(pair, pair.pair.standby, synchronous_standby_names="")
    assert promote.promote(pair.pair, seconds=30)["timeline"] == 2


def test_without_the_right_to_promote_nothing_happens(pair: Living) -> None:
    for dbname in ("postgres", DBNAME):
        pair.sql(pair.pair.primary, "revoke execute on function pg_promote(boolean, integer) from day2_drill", dbname)
    fence.fence(pair.pair, mode="fast", crashed_ok=False)
    with pytest.raises(StepFailed, match="permission denied for function pg_promote"):
        promote.promote(pair.pair, seconds=30)
    assert observe.now(pair.pair) == "fenced"


def test_the_new_primary_sends_to_the_slot(pair: Living) -> None:
    """The rejoined server's own replication login can open it."""
    fence.fence(pair.pair, mode="fast", crashed_ok=False)
    promote.promote(pair.pair, seconds=30)
    node = pair.pair.standby
    conninfo = f"host={LOOPBACK} port={node.server.port} user={REPLICATOR} password={PASSWORD} replication=true"
    with psycopg.connect(conninfo, autocommit=True) as connection:
        row = connection.execute("READ_REPLICATION_SLOT day2_peer").fetchone()
    assert row is not None
    assert row[0] == b"physical"
