"""What a database said, as one clear error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from day2.errors import StepFailed

NEXT = "act on the server's words; the rights a restore needs are in docs/restore.md"


@contextmanager
def explained(target: str, *, left: str, next_step: str = NEXT) -> Iterator[None]:
    """Turn an SQL error into a StepFailed that names the target and what is left behind."""
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise StepFailed(
            f"the server refused: {' | '.join(lines[:2])}",
            target=target,
            left=left,
            next_step=next_step,
            runbook="The target server refused",
        ) from error
