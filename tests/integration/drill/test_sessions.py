"""A step's sessions are kept while it lasts, and never one that does not answer."""

from __future__ import annotations

import pytest

from day2.errors import StepFailed, Unavailable
from day2.operations.dr_drill import clear_up, control, observe, sessions
from tests.integration.drill.making import Living
from tests.integration.drill.test_fence import frozen, postmaster

WHO = "select pg_backend_pid() as pid"


def who(pair: Living) -> int:
    return int(observe.ask(pair.pair.standby.server, WHO)["pid"])


def test_a_step_asks_in_one_session(pair: Living) -> None:
    with sessions.kept():
        assert who(pair) == who(pair)
        with sessions.kept():
            inner = who(pair)
        assert inner == who(pair)


def test_a_session_ends_with_its_step(pair: Living) -> None:
    with sessions.kept():
        mine = who(pair)
    query = f"select count(*) from pg_stat_activity where pid = {mine}"
    assert observe.until(lambda: pair.sql(pair.pair.standby, query) == 0, seconds=5)
    assert who(pair) != who(pair)


def test_a_session_that_the_server_ended_is_not_given_again(pair: Living) -> None:
    with sessions.kept():
        mine = who(pair)
        assert pair.sql(pair.pair.standby, f"select pg_terminate_backend({mine}, 5000)")
        assert who(pair) != mine


def test_a_server_that_stopped_is_not_taken_for_running(pair: Living) -> None:
    """What a session of before would say is nothing: the host is asked."""
    with sessions.kept():
        assert observe.now(pair.pair) == "normal"
        control.stop(pair.pair.primary, "immediate")
        assert observe.now(pair.pair) == "fenced"
        control.start(pair.pair.primary)
        assert observe.observe(pair.pair.primary, pair.pair.standby).takes_writes


def test_a_look_at_both_is_never_through_a_session_of_before(pair: Living) -> None:
    """One lives on in a server that lets nobody in any more."""
    with sessions.kept():
        who(pair)
        with frozen(postmaster(pair, pair.pair.standby)):
            assert observe.look(pair.pair)[1].role == "unreachable"


def test_a_session_that_hangs_is_given_up(pair: Living, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observe, "HANG_UP_SECONDS", 1)
    with sessions.kept(), frozen(who(pair)), pytest.raises(Unavailable, match="broke"):
        who(pair)


def test_a_session_that_was_idle_for_long_is_not_trusted(pair: Living, monkeypatch: pytest.MonkeyPatch) -> None:
    with sessions.kept():
        mine = who(pair)
        monkeypatch.setattr(sessions, "KEEP_SECONDS", 0.0)
        assert who(pair) != mine


def test_the_clearing_up_does_not_count_its_own_steps_sessions(pair: Living) -> None:
    with sessions.kept():
        who(pair)
        assert clear_up.leftovers(pair.pair, "test") == []
        assert clear_up.clear_up(pair.pair, "test")["removed"] == []


def test_a_session_in_use_is_nobody_elses(pair: Living) -> None:
    server = observe.impatient(pair.pair.standby.server)
    with sessions.kept(), sessions.session(server) as one, sessions.session(server) as two:
        assert one is not two


def test_a_session_in_which_a_question_failed_is_not_given_again(pair: Living) -> None:
    with sessions.kept():
        mine = who(pair)
        with pytest.raises(StepFailed, match="does not exist"):
            observe.ask(pair.pair.standby.server, "select * from nobody_has_this")
        assert who(pair) != mine


def test_a_write_is_tried_as_a_client_would_in_a_new_session(pair: Living) -> None:
    with sessions.kept():
        server = pair.pair.primary.server
        mine = observe.ask(server, WHO)["pid"]
        assert observe.try_write(server, WHO)["pid"] != mine
