"""Whatever goes wrong on a host, the message's chapter of the runbook exists."""

from __future__ import annotations

import re
from pathlib import Path

from day2.hosts import failures

INCLUDE = Path(__file__).parents[3] / "include"
NAMED = re.compile(r'runbook="([^"]+)"')


def test_every_chapter_that_a_message_names_is_in_the_runbook() -> None:
    runbook = (INCLUDE / "runbooks/security_patching.md").read_text()
    chapters = set(re.findall(r"^## (.+)$", runbook, re.MULTILINE))
    named = {name for file in (INCLUDE / "day2/hosts").glob("*.py") for name in NAMED.findall(file.read_text())}
    named |= {runbook for *_, runbook in failures.KNOWN}
    assert len(named) > 15
    assert named - chapters == set()
