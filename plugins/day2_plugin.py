"""What Airflow has to know of Day 2 in every one of its processes.

Each file of this folder is run in each process under its bare name: keep it one file, and import inside.
"""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin


class Day2Plugin(AirflowPlugin):
    """Names our timetable, so that a DAG that was written down with it can be read again, and our pages."""

    name = "day2"

    @property
    def timetables(self) -> list[Any]:  # type: ignore[override]
        """Asked for only by who reads or writes DAGs: tasks do not pay for the import."""
        from day2.airflow.timetable import OffsetCronTimetable

        return [OffsetCronTimetable]

    @property
    def fastapi_apps(self) -> list[Any]:  # type: ignore[override]
        """Asked for only by the API server, which has paid for FastAPI already."""
        from day2.web.app import app

        return [{"app": app, "url_prefix": "/day2", "name": "Day 2"}]
