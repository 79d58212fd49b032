"""A notifier that is down is tried again, then the next one is taken; nothing is lost without a word."""

from __future__ import annotations

from collections.abc import Callable

from day2.errors import Unavailable
from day2.inventory.health import Route
from day2.operations.health_check.messages import Message
from day2.operations.health_check.notify import deliver, route

MESSAGE = Message("production", "critical", "[CRITICAL] disk", "all that on-call needs", ("k",))


class Receiver:
    """Takes a message once it was asked often enough."""

    def __init__(self, *, down_for: int = 0, error: Callable[[], Exception] = lambda: OSError("refused")) -> None:
        self.down_for, self.error, self.got = down_for, error, []

    def __call__(self, message: Message) -> str:
        if self.down_for > 0:
            self.down_for -= 1
            raise self.error()
        self.got.append(message)
        return "202 queued"


def sent(*receivers: tuple[str, Receiver], chain: tuple[str, ...] = (), attempts: int = 3):
    chain = chain or tuple(name for name, _ in receivers)
    return deliver(MESSAGE, chain, dict(receivers), attempts=attempts, wait=0)


def test_the_first_one_that_takes_it_is_the_only_one():
    first, second = Receiver(), Receiver()
    [taken] = sent(("mail", first), ("chat", second))
    assert (taken.notifier, taken.tries, taken.taken, taken.receipt) == ("mail", 1, True, "202 queued")
    assert (first.got, second.got) == ([MESSAGE], [])


def test_one_that_is_down_for_a_moment_is_tried_again():
    [taken] = sent(("mail", Receiver(down_for=2)))
    assert (taken.tries, taken.taken) == (3, True)


def test_one_that_stays_down_makes_way_for_the_next():
    last = Receiver()
    down, taken = sent(
        ("mail", Receiver(down_for=9, error=lambda: Unavailable("mail does not answer"))), ("chat", last)
    )
    assert (down.taken, down.tries, down.error) == (False, 3, "mail does not answer")
    assert taken.taken
    assert last.got == [MESSAGE]


def test_when_nobody_takes_it_that_is_what_is_written_down():
    tries = sent(("mail", Receiver(down_for=9)), chain=("mail", "nobody"))
    assert [(each.notifier, each.taken, each.error) for each in tries] == [
        ("mail", False, "OSError: refused"),
        ("nobody", False, "there is no such notifier"),
    ]


def test_a_message_goes_where_its_severity_goes():
    routes = (
        Route(severities=("critical",), notifiers=("pager", "mail")),
        Route(severities=("warning", "critical"), notifiers=("chat",)),
    )
    assert route(MESSAGE, routes) == [("pager", "mail"), ("chat",)]
    assert route(Message("production", "info", "", "", ()), routes) == []
