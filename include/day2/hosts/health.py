"""Is a service well: asked from outside or on its host, several times in a row, with time to start."""

from __future__ import annotations

import logging
import re
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from day2.errors import StepFailed, Unavailable
from day2.hosts.shell import Shell

log = logging.getLogger("day2")

# Asks once: empty if well, else what was wrong.
Probe = Callable[[], str]
Verdict = Literal["well", "ill", "flapping", "undecided"]


@dataclass(frozen=True)
class Patience:
    """`grace` is the time to start: nothing counts in it but a success. Then `in_a_row` successes are needed.

    `flaps` changes from well to ill, after the first success, are too many.
    """

    grace: timedelta = timedelta(seconds=60)
    every: timedelta = timedelta(seconds=1)
    in_a_row: int = 5
    flaps: int = 2


DEFAULT = Patience()


@dataclass(frozen=True)
class Healthy:
    """How a check ended: how often it was asked, and after how long it was well."""

    check: str
    asked: int
    seconds: float


def http(url: str, *, status: int = 200, expect: str = "", seconds: float = 5.0) -> Probe:
    """Ask a URL. `expect` is a pattern its answer must contain, for instance the version that must run."""

    def ask() -> str:
        import httpx

        try:
            answer = httpx.get(url, timeout=seconds, trust_env=False)
        except httpx.HTTPError as error:
            return f"{url}: {error or type(error).__name__}"
        if answer.status_code != status:
            return f"{url} answered {answer.status_code}, not {status}"
        if expect and not re.search(expect, answer.text):
            return f"{url} answered {answer.text.strip()[:80]!r}, which has no {expect!r}"
        return ""

    return ask


def tcp(address: str, port: int, *, seconds: float = 5.0) -> Probe:
    """Connect to a port."""

    def ask() -> str:
        try:
            socket.create_connection((address, port), timeout=seconds).close()
        except OSError as error:
            return f"{address}:{port}: {error}"
        return ""

    return ask


def command(shell: Shell, *words: str, expect: str = "", seconds: float = 15.0) -> Probe:
    """Run a command on the host. It must answer 0, and its output contain the pattern `expect`."""

    def ask() -> str:
        try:
            done = shell.run(*words, seconds=seconds)
        except Unavailable as error:
            return error.happened
        if done.code != 0:
            return f"`{words[0]}` answered {done.code}: {done.words}"
        return "" if re.search(expect, done.stdout) else f"`{words[0]}` said {done.words[:80]!r}, no {expect!r}"

    return ask


def judge(answers: Sequence[bool], *, in_a_row: int, flaps: int) -> Verdict:
    """What a series of answers says so far. Ill before the first success is starting, not flapping."""
    falls = sum(earlier and not later for earlier, later in zip(answers, answers[1:], strict=False))
    if falls >= flaps:
        return "flapping"
    if len(answers) >= in_a_row and all(answers[-in_a_row:]):
        return "well"
    return "ill" if answers and not answers[-1] else "undecided"


def wait(target: str, name: str, probe: Probe, *, patience: Patience = DEFAULT) -> Healthy:
    """Ask until the check is well. Raises StepFailed if it never is within the grace, or flaps."""
    answers: list[bool] = []
    started = time.monotonic()
    needed = patience.in_a_row * patience.every.total_seconds()
    deadline = started + patience.grace.total_seconds() + needed
    said = ""
    while True:
        wrong = probe()
        if wrong and wrong != said:
            log.info("%s: not well yet: %s", target, wrong)
        said = wrong or said
        answers.append(not wrong)
        verdict = judge(answers, in_a_row=patience.in_a_row, flaps=patience.flaps)
        spent = time.monotonic() - started
        if verdict == "well":
            log.info("%s: %s is well after %.1f s, %d times in a row", target, name, spent, patience.in_a_row)
            return Healthy(name, len(answers), round(spent, 1))
        if verdict == "flapping":
            raise _ill(target, name, f"flaps: well {answers.count(True)} of {len(answers)} times, last words: {said}")
        if time.monotonic() >= deadline:
            raise _ill(target, name, f"not well within {spent:.0f} s: {said}")
        time.sleep(patience.every.total_seconds())


def _ill(target: str, name: str, what: str) -> StepFailed:
    return StepFailed(
        f"{name}: {what}",
        target=target,
        left="the new packages are installed; the host takes no traffic while it is drained",
        next_step="read the service's own log; the host is rolled back",
        runbook="A service is ill after the patch",
    )
