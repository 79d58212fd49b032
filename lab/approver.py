"""The second person of the demo: answers what a run asks people, as the account `approver`."""

from __future__ import annotations

import time
from typing import Any

from lab.client import Client
from lab.say import say

# An answer that comes before the scheduler has heard from its executor that the asking process ended fails
# the task: "finished with state success, but the task instance's state attribute is queued" (Airflow 3.3.2).
# A scheduler under load may take a few seconds to hear.
READ_SECONDS = 6
LINES = 12
WIDTH = 140


class Approver:
    """Answers with the first thing that is offered: Approve, Sign, Done. Only a demonstration may do that."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def answer(self, task: dict[str, Any]) -> None:
        """Say what is asked, in short, and answer it."""
        asked = self._client.asked(task)
        if asked["response_received"]:
            return
        option: str = asked["options"][0]
        say(f"            {asked['subject']}", style="bold")
        for line in in_short(asked["body"] or ""):
            say(f"              {line}")
        say(
            f"            the demo answers `{option}` as approver: nobody approves their own request, "
            "and operator made it",
            style="bold yellow",
        )
        time.sleep(READ_SECONDS)
        form = {name: each["value"] or "a demonstration" for name, each in asked["params"].items()}
        self._client.respond(task, option, form)


def in_short(body: str) -> list[str]:
    """The first lines of what the approver reads, cut to a terminal's width."""
    lines = [line.strip() for line in body.splitlines() if line.strip()]
    shown = [line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…" for line in lines[:LINES]]
    return shown + ([f"… and {len(lines) - LINES} lines more, under Required Actions"] if len(lines) > LINES else [])
