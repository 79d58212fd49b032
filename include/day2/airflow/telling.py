"""How a task tells its story in the log: groups that fold, and failures in one clear line."""

from __future__ import annotations

import functools
import logging
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from airflow.sdk.exceptions import AirflowException, AirflowFailException

from day2.errors import Day2Error

P = ParamSpec("P")
R = TypeVar("R")
log = logging.getLogger("day2")


@contextmanager
def group(title: str) -> Iterator[None]:
    """Lines inside fold under a title in the task log."""
    log.info("::group::%s", title)
    try:
        yield
    finally:
        log.info("::endgroup::")


def say(title: str, lines: Iterable[str]) -> None:
    """A titled list of lines."""
    with group(title):
        for line in lines:
            log.info("%s", line)


def judge(lines: Iterable[str]) -> None:
    """A suite's report: the verdict and what failed in full view, what passed folded."""
    verdict, *rest = lines
    log.info("%s", verdict)
    for line in rest:
        if line.startswith("FAIL"):
            log.error("%s", line)
        elif not line.startswith("ok"):
            log.warning("%s", line)
    say("What passed", [line for line in rest if line.startswith("ok")])


def explained(function: Callable[P, R]) -> Callable[P, R]:
    """Turn an expected failure into one clear line, with its traceback folded.

    One that a retry cannot help ends the task at once; the others use up the task's retries.
    """

    @functools.wraps(function)
    def told(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except Day2Error as error:
            for line in str(error).split(" · "):
                log.error("%s", line)
            with group("Traceback"):
                for line in traceback.format_exc().splitlines():
                    log.info("%s", line)
            kind = AirflowException if error.transient else AirflowFailException
            short = kind(f"{type(error).__name__}: {error.happened}")
        # Raised outside the handler and without frames: the story above is what on-call should read.
        raise short.with_traceback(None)

    return told
