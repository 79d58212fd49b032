"""A message reaches somebody: tried again, then the next notifier; who took it, or why nobody did, is written down."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

from day2.errors import Day2Error
from day2.inventory.health import Route
from day2.operations.health_check.messages import Message

log = logging.getLogger("day2")
# Gives a message away and returns what the receiver answered. Raises Day2Error, OSError.
Send = Callable[[Message], str]
SHORTEST_WAIT, LONGEST_WAIT = 0.5, 8.0


@dataclass(frozen=True)
class Try:
    """One notifier and what came of it. `receipt` is the receiver's own answer; empty where it gave none."""

    notifier: str
    tries: int
    taken: bool
    receipt: str = ""
    error: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For the record."""
        return asdict(self)


def route(
    message: Message, routes: Sequence[Route], begun: Mapping[str, Collection[str]] = MappingProxyType({})
) -> list[tuple[str, ...]]:
    """The chains of notifiers that a message goes through: one for each route that its severity has. Pure.

    An end goes also where its beginning went: `begun` has the severities that were told, by key.
    """
    severities = {message.severity, *(each for key in message.keys for each in begun.get(key, ()) if message.resolved)}
    return [each.notifiers for each in routes if severities & set(each.severities)]


def deliver(
    message: Message,
    chain: Sequence[str],
    senders: Mapping[str, Send],
    *,
    attempts: int,
    wait: float = SHORTEST_WAIT,
) -> list[Try]:
    """Give it to the first notifier of the chain that takes it. Never raises: the last try says that nobody did."""
    found = []
    for notifier in chain:
        found.append(_one(message, notifier, senders.get(notifier), attempts=attempts, wait=wait))
        if found[-1].taken:
            break
        log.error("%s did not take %r: %s", notifier, message.title, found[-1].error)
    return found


def _one(message: Message, notifier: str, send: Send | None, *, attempts: int, wait: float) -> Try:
    from tenacity import RetryError, Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

    if send is None:
        return Try(notifier, 0, taken=False, error="there is no such notifier")
    retry = Retrying(
        retry=retry_if_exception_type((Day2Error, OSError)),
        stop=stop_after_attempt(attempts),
        wait=wait_exponential(multiplier=wait, max=LONGEST_WAIT),
    )
    try:
        receipt = retry(send, message)
    except RetryError as error:
        why = error.last_attempt.exception()
        told = why.happened if isinstance(why, Day2Error) else f"{type(why).__name__}: {why}"
        return Try(notifier, error.last_attempt.attempt_number, taken=False, error=told)
    return Try(notifier, int(retry.statistics["attempt_number"]), taken=True, receipt=receipt[:500])
