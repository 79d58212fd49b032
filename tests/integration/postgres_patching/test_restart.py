"""What a patch's restart does to a PostgreSQL server, seen before and after it."""

from __future__ import annotations

import json
import logging
from datetime import timedelta

import pytest
from psycopg import sql

from day2.errors import StepFailed
from day2.operations.security_patching import postgresql
from day2.operations.security_patching.postgresql import Patience
from tests.integration.postgres_patching.conftest import Pair, reached

SHORT = Patience(timedelta(seconds=20), timedelta(seconds=20))
IMPATIENT = Patience(timedelta(seconds=1), timedelta(seconds=1))


def restart(server) -> None:
    server.stop()
    server.start()


def test_a_primary_that_was_restarted_is_what_it_was(pair: Pair):
    earlier = json.loads(json.dumps(postgresql.before(pair.one)))
    [follower] = earlier["standbys"]
    assert (follower["name"], follower["state"], earlier["standby"]) == ("it's two", "streaming", False)
    restart(pair.primary)
    now = postgresql.after(pair.one, earlier, installed=earlier["version_num"], patience=SHORT)
    assert json.loads(json.dumps(now)) == now, "what is handed on is JSON"
    assert now["restarted"]
    assert now["same_role"]
    assert (now["standbys_expected"], now["standbys_back"], now["standbys_missing"]) == (1, 1, [])
    assert (now["checksum_failures_new"], now["collation_mismatches_new"]) == (0, 0)


def test_a_standby_that_was_restarted_receives_again(pair: Pair):
    earlier = postgresql.before(pair.two)
    assert (earlier["standby"], earlier["receiving"]) == (True, "streaming")
    restart(pair.standby)
    now = postgresql.after(pair.two, earlier, patience=SHORT)
    assert (now["restarted"], now["same_role"], now["receives_again"]) == (True, True, True)


def test_a_server_that_was_not_restarted_says_so(pair: Pair):
    now = postgresql.after(pair.one, postgresql.before(pair.one), patience=SHORT)
    assert not now["restarted"]


def test_a_standby_that_does_not_come_back_is_named(pair: Pair):
    earlier = postgresql.before(pair.one)
    pair.standby.stop()
    restart(pair.primary)
    with pytest.raises(StepFailed, match="no longer followed by it's two at 127.0.0.1") as failed:
        postgresql.after(pair.one, earlier, patience=Patience(timedelta(seconds=20), timedelta(seconds=1)))
    assert failed.value.runbook == "PostgreSQL's replication is not as before"


def test_a_standby_that_lost_its_primary_is_told(pair: Pair):
    earlier = postgresql.before(pair.two)
    pair.primary.stop()
    restart(pair.standby)
    with pytest.raises(StepFailed, match="does not receive from its primary any more"):
        postgresql.after(pair.two, earlier, patience=Patience(timedelta(seconds=20), timedelta(seconds=1)))


def test_a_standby_that_was_promoted_meanwhile_is_told(pair: Pair, alone):
    earlier = postgresql.before(reached(alone)) | {"standby": True, "receiving": "streaming"}
    with pytest.raises(StepFailed, match="it is a primary now, which it was not before"):
        postgresql.after(reached(alone), earlier, patience=IMPATIENT)


def test_a_server_that_stays_down_is_told_with_its_last_words(alone):
    earlier = postgresql.before(reached(alone))
    alone.stop()
    with pytest.raises(StepFailed, match="takes no connections 1 s after its patch: cannot connect") as failed:
        postgresql.after(reached(alone), earlier, patience=IMPATIENT)
    assert failed.value.runbook == "PostgreSQL does not come back after its patch"


def test_old_code_that_still_runs_is_told(pair: Pair):
    earlier = postgresql.before(pair.one)
    newer = earlier["version_num"] + 1
    with pytest.raises(StepFailed, match=f"runs, and the package installed is {newer // 10_000}.{newer % 10_000}"):
        postgresql.after(pair.one, earlier, installed=newer, patience=SHORT)


def test_another_cluster_in_its_place_is_told(pair: Pair, alone):
    earlier = postgresql.before(reached(alone))
    with pytest.raises(StepFailed, match="another cluster answers"):
        postgresql.after(pair.one, earlier, patience=SHORT)


def test_the_log_says_what_the_restart_ends_and_what_outlives_it(make_postgres, caplog):
    server = make_postgres(settings={"max_prepared_transactions": "2"})
    with server.connect() as connection, server.connect() as other:
        connection.execute("create table public.t (n int)")
        connection.execute("begin; insert into public.t values (1); prepare transaction 'left'")
        connection.execute("alter system set max_connections = 55")
        connection.execute("select pg_reload_conf()")
        other.execute("select 1")
        with caplog.at_level(logging.INFO, "day2"):
            found = postgresql.before(reached(server))
    assert (found["sessions"], found["prepared_transactions"]) == (2, 1)
    assert found["pending_restart"] == ["max_connections"]
    assert "1 prepared transactions outlive the restart and keep their locks" in caplog.text
    assert "the restart also brings changed settings: max_connections" in caplog.text
    restart(server)
    with server.connect() as connection:
        left = connection.execute("select gid from pg_prepared_xacts").fetchall()
        assert left == [("left",)], "they do outlive it"
    server.kill()


def test_a_configuration_that_would_not_start_is_refused_before_anything_is_touched(alone):
    with (alone.data / "lab.conf").open("a") as file:
        file.write("shared_bufers = '64MB'\n")
    with pytest.raises(StepFailed, match=r"would not start again.*lab.conf:\d+ shared_bufers: unrecognized") as failed:
        postgresql.before(reached(alone))
    assert failed.value.runbook == "PostgreSQL would not start again"


def test_checksum_failures_since_the_patch_are_told(alone):
    with alone.connect() as connection:
        connection.execute("create table public.t as select g from generate_series(1, 1000) g; checkpoint")
        [path] = connection.execute("select pg_relation_filepath('public.t')").fetchone()
    earlier = postgresql.before(reached(alone))
    alone.stop()
    with (alone.data / path).open("r+b") as file:
        file.seek(4000)
        file.write(b"spoilt")
    alone.start()
    with alone.connect() as connection, pytest.raises(Exception, match="invalid page"):
        connection.execute("select sum(g) from public.t")
    with pytest.raises(StepFailed, match="1 pages failed their checksum") as failed:
        postgresql.after(reached(alone), earlier, patience=SHORT)
    assert failed.value.runbook == "Pages fail their checksum after a patch"


def test_a_checkpoint_is_made_by_who_may_and_said_by_who_may_not(pair: Pair):
    assert postgresql.checkpoint(pair.one)["checkpoint"] is True
    assert postgresql.checkpoint(pair.two)["checkpoint"] is True
    with pair.primary.connect() as connection:
        connection.execute(sql.SQL("create role watcher login password {}").format(sql.Literal(pair.one.password)))
        guest = reached(pair.primary, user="watcher")
        assert postgresql.checkpoint(guest) == {"checkpoint": False, "checkpoint_why": "watcher has no pg_checkpoint"}
        connection.execute("grant pg_checkpoint to watcher")
        assert postgresql.checkpoint(guest)["checkpoint"] is True


def test_a_login_that_may_see_little_still_counts_the_followers(pair: Pair, caplog):
    with pair.primary.connect() as connection:
        connection.execute(sql.SQL("create role blind login password {}").format(sql.Literal(pair.one.password)))
    guest = reached(pair.primary, user="blind")
    earlier = postgresql.before(guest)
    assert (earlier["sees_all"], len(earlier["standbys"]), "file_errors" in earlier) == (False, 1, False)
    assert "grant pg_monitor to blind" in caplog.text
    restart(pair.primary)
    assert postgresql.after(guest, earlier, patience=SHORT)["standbys_back"] == 1
