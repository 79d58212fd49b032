"""A test alert goes the whole way: it was sent, and then it was seen at the other end. Sent is not arrived."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable

from day2.errors import Day2Error
from day2.operations.health_check.messages import Message
from day2.repository.manifest import sha256

log = logging.getLogger("day2")
EVERY = 2.0
CONFIRMED = "alert_confirmed"
# Asks the receiver's own interface once; returns what it says.
Ask = Callable[[], str]


def token() -> str:
    """A word that nobody can know who did not get the message."""
    return secrets.token_hex(4)


def fingerprint(word: str) -> str:
    """What may be written down of a word before it was seen."""
    return sha256(word.strip().lower().encode())


def message(environment: str, notifier: str, word: str) -> Message:
    """What the test says: that it is one, and what to do with it. The title goes into the ledger, the word does not."""
    title = f"[TEST] {environment}: alert drill of {notifier}"
    body = (
        f"{title}\nThe word is {word}\nThis is the weekly test of the way that alerts go. Nothing is wrong.\n"
        f"Next: if a run of alert_drill.{environment} asks for it, type the word {word} there."
    )
    return Message(environment, "info", title, body, (f"{environment}/alert_drill/{notifier}",))


def repeats(ask: Ask, word: str) -> str:
    """Why a receiver's answer proves nothing: it has the word before that was sent. Empty where it may be believed."""
    try:
        told = ask()
    except Day2Error:
        return ""  # mostly: there is no such message yet
    return "the receiver's answer only repeats what it is asked: it proves nothing" if word in told else ""


def seen(ask: Ask, word: str, *, seconds: float, every: float = EVERY) -> str:
    """Ask the receiver until it has the word; empty then, or what was wrong after so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if word in ask():
                return ""
            wrong = f"the receiver does not have it after {seconds:.0f} s"
        except Day2Error as error:
            wrong = f"the receiver cannot be asked: {error.happened}"
        if time.monotonic() >= deadline:
            return wrong
        time.sleep(every)
