"""A schedule with an offset: "the second Tuesday of the month, plus two days", by the clock on the wall.

Airflow keeps only the name of a timetable's class with a DAG, and looks it up among its plugins:
plugins/day2_plugin.py names this one, for the scheduler, the API server and the DAG processor alike.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow.sdk.timezone import convert_to_utc, make_naive

# Not the SDK's class of that name: what is derived from it would be written down without its offset.
from airflow.timetables.trigger import CronTriggerTimetable

from day2.inventory import starts

DAY = timedelta(days=1)


class OffsetCronTimetable(CronTriggerTimetable):
    """Cron in a time zone, with a time added to each tick; everything else is CronTriggerTimetable's."""

    def __init__(self, cron: str, *, timezone: Any, offset: timedelta, **settings: Any) -> None:
        super().__init__(cron, timezone=timezone, **settings)
        self._offset = offset
        self.description: str = f"{self.description}, then {_words(offset)} later ({self._timezone.name})"

    @property
    def summary(self) -> str:
        """What a list of DAGs shows."""
        return f"{self._expression} + {_words(self._offset)}, {self._timezone.name}"

    def serialize(self) -> dict[str, Any]:
        """What Airflow keeps with the DAG."""
        return {**super().serialize(), "offset": self._offset.total_seconds()}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> OffsetCronTimetable:
        """The timetable again, from what Airflow kept."""
        plain = CronTriggerTimetable.deserialize(data)
        return cls(
            plain._expression,
            timezone=plain._timezone,
            offset=timedelta(seconds=data["offset"]),
            interval=plain._interval,
            run_immediately=plain._run_immediately,
        )

    def __eq__(self, other: object) -> bool:
        return super().__eq__(other) is True and self._offset == getattr(other, "_offset", None)

    def __hash__(self) -> int:
        return hash((self._expression, self._timezone, self._offset))

    def _get_next(self, current: datetime) -> datetime:
        return self._moment(starts.following(self._expression, self._offset, make_naive(current, self._timezone)))

    def _get_prev(self, current: datetime) -> datetime:
        return self._moment(starts.preceding(self._expression, self._offset, make_naive(current, self._timezone)))

    def _moment(self, wall: datetime) -> datetime:
        """A local time as Airflow takes it: what a clock change skips comes an hour later, what comes twice second."""
        moment: datetime = convert_to_utc(self._timezone.convert(wall.replace(fold=1)))
        return moment


def _words(offset: timedelta) -> str:
    """`2 days`, `2 days 6:00:00`; as timedelta says it, without its comma."""
    return str(offset).replace(", 0:00:00", "").replace(",", "")
