"""Alerts over real HTTP and SMTP: who is down makes way for the next, and what is lost is not seen to arrive."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from functools import partial

import pytest

from day2.errors import StepFailed, Unavailable
from day2.operations.health_check import arrival, senders
from day2.operations.health_check.messages import Message
from day2.operations.health_check.notify import Send, Try, deliver
from day2.operations.health_check.senders import Http
from lab.ports import LOOPBACK, answers, free_port
from lab.processes import Processes, wait_until
from lab.receiver import MAIL, NAME, SIGN, WEBHOOK, OnCall

MESSAGE = Message("production", "critical", "[CRITICAL] disk", "all that on-call needs", ("k",))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnCall]:
    folder = tmp_path_factory.mktemp("on-call")
    processes = Processes(folder / "run", folder / "logs")
    made = OnCall(folder / NAME, free_port(), free_port(), processes)
    made.start()
    try:
        wait_until(lambda: answers(made.http) and answers(made.smtp), NAME, seconds=60, every=0.05)
        yield made
    finally:
        processes.stop(NAME)


@pytest.fixture
def on_call(running: OnCall) -> Iterator[OnCall]:
    for name in ("received.jsonl", "alive.jsonl"):
        (running.folder / name).unlink(missing_ok=True)
    yield running
    running.deafen()
    running.swallow()


def web(on_call: OnCall, path: str = "") -> Http:
    return Http(f"http://{LOOPBACK}:{on_call.http}/{path}")


def senders_of(on_call: OnCall) -> dict[str, Send]:
    smtp = partial(smtplib.SMTP, LOOPBACK, on_call.smtp, timeout=10)
    return {
        WEBHOOK: partial(senders.webhook, web(on_call, WEBHOOK), "day2"),
        MAIL: partial(senders.email, smtp, "day2@lab.test", "on-call@lab.test"),
    }


def sent(on_call: OnCall, *chain: str, message: Message = MESSAGE) -> list[Try]:
    return deliver(message, chain, senders_of(on_call), attempts=2, wait=0)


def test_both_doors_take_a_message_as_it_is(on_call: OnCall) -> None:
    for door in (WEBHOOK, MAIL):
        [taken] = sent(on_call, door)
        assert (taken.taken, taken.tries) == (True, 1)
    assert [(each["via"], each["title"], each["body"].strip()) for each in on_call.messages()] == [
        (door, MESSAGE.title, MESSAGE.body) for door in (WEBHOOK, MAIL)
    ]


@pytest.mark.parametrize(("down", "up"), [(WEBHOOK, MAIL), (MAIL, WEBHOOK)])
def test_one_that_is_down_is_tried_again_and_makes_way_for_the_next(on_call: OnCall, down: str, up: str) -> None:
    on_call.deafen(down)
    refused, taken = sent(on_call, down, up)
    assert (refused.notifier, refused.taken, refused.tries) == (down, False, 2)
    assert ("503" if down == WEBHOOK else "451") in refused.error
    assert (taken.notifier, taken.taken) == (up, True)
    assert [each["via"] for each in on_call.messages()] == [up]


def test_when_all_are_down_nothing_arrives_and_each_says_why(on_call: OnCall) -> None:
    on_call.deafen(WEBHOOK, MAIL)
    assert [(each.taken, bool(each.error)) for each in sent(on_call, WEBHOOK, MAIL)] == [(False, True)] * 2
    assert on_call.messages() == []


def test_a_mail_server_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="the mail server does not answer"):
        senders.email(partial(smtplib.SMTP, LOOPBACK, 1, timeout=1), "a@lab.test", "b@lab.test", MESSAGE)


@pytest.mark.parametrize("door", [WEBHOOK, MAIL])
def test_a_test_is_seen_at_the_other_end(on_call: OnCall, door: str) -> None:
    word = arrival.token()
    ask = partial(web(on_call).ask, "GET", f"messages/{word}")
    assert arrival.repeats(ask, word) == ""
    sent(on_call, door, message=arrival.message("production", door, word))
    assert arrival.seen(ask, word, seconds=5) == ""


@pytest.mark.parametrize("door", [WEBHOOK, MAIL])
def test_what_is_taken_and_lost_is_not_seen(on_call: OnCall, door: str) -> None:
    on_call.swallow(door)
    word = arrival.token()
    [taken] = sent(on_call, door, message=arrival.message("production", door, word))
    assert taken.taken, "sent is not arrived"
    assert "answered 404" in arrival.seen(partial(web(on_call).ask, "GET", f"messages/{word}"), word, seconds=0)


def test_a_sign_of_life_and_its_opposite(on_call: OnCall) -> None:
    for path in (SIGN, f"{SIGN}/"):
        web(on_call, path).ask("POST")
        web(on_call, path).ask("POST", "fail")
    assert [each["sign"] for each in on_call.signs()] == ["works", "fail"] * 2
    with pytest.raises(StepFailed, match="answered 404"):
        web(on_call, "elsewhere").ask("POST")
