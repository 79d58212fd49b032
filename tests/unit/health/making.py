"""What the tests of health checks make: alerts, and a ledger that only remembers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from day2.ledger import entries
from day2.metrics.thresholds import Change, Level, Rule, Seen
from day2.operations.health_check.about import about
from day2.operations.health_check.alerts import Alert

AT = datetime(2027, 3, 7, 3, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def alert(
    target: str = "host/db-01", *, before: Level = "ok", after: Level = "critical", minutes: float = 0, **fields: Any
) -> Alert:
    """The disk of a host changed its level so many minutes after 03:00."""
    at = AT + minutes * MINUTE
    change = Change(before, after, at, Seen(at, 91.0), Seen(at - 120 * MINUTE, 71.0))
    values = {"metric": "disk_percent", "part": "/data", "environment": "production"} | fields
    return Alert(
        target=target, change=change, rule=Rule(warning=80, critical=90), about=about(values["metric"]), **values
    )


def end(target: str = "host/db-01", *, before: Level = "critical", minutes: float = 5, **fields: Any) -> Alert:
    """It is well again."""
    return alert(target, before=before, after="ok", minutes=minutes, **fields)


class Remembering:
    """A ledger in memory: it takes only what the real one takes, and gives it back by kind, run and time."""

    def __init__(self) -> None:
        self.now = AT
        self._entries: list[Any] = []

    def append(self, kind: str, *, run: str, body: dict[str, Any]) -> Any:
        entries.check(kind, body)
        self._entries.append(SimpleNamespace(kind=kind, run=run, body=body, recorded_at=self.now.isoformat()))
        return self._entries[-1]

    def entries(self, *, kind: str = "", run: str = "", dag: str = "", since: datetime | None = None) -> Iterator[Any]:
        for each in self._entries:
            right = kind in ("", each.kind) and run in ("", each.run) and each.run.startswith(dag)
            if right and (since is None or datetime.fromisoformat(each.recorded_at) >= since):
                yield each
