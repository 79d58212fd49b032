"""Samples out of a Prometheus, over its HTTP API (https://prometheus.io/docs/prometheus/latest/querying/api/).

What is NaN, infinite or stale there was not measured: it is a gap here, never a zero.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from day2.errors import Day2Error, StepFailed, Unavailable

if TYPE_CHECKING:
    import requests

log = logging.getLogger("day2")
Labels = frozenset[tuple[str, str]]
Point = tuple[datetime, float]
# It refuses more points of one series in one answer (web/api/v1/api.go).
MOST_POINTS = 11_000
CONNECT_SECONDS = 5.0
MOST_AT_ONCE = 200  # as many as a policy's `at_once` may be
LEFT = "no sample was taken: that is a gap, not a zero"
DENIED = {401, 403}
LATER = {429, 502, 503, 504}


@dataclass(frozen=True)
class Prometheus:
    """A Prometheus, or what speaks its API (Thanos, Mimir, VictoriaMetrics). Use one in as many threads as you like.

    `url` ends before /api/v1. `login` is for basic authentication, `headers` for a bearer token or a tenant.
    """

    url: str
    login: tuple[str, str] | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    verify: bool | str = True
    seconds: float = 30.0

    def instant(self, query: str) -> dict[Labels, list[Point]]:
        """What each series is now, by the server's clock. Raises Unavailable, StepFailed."""
        found = self._ask("query", query, {})
        if found["resultType"] == "scalar":
            return _whole({frozenset(): _points([found["result"]])})
        if found["resultType"] != "vector":
            raise self._unusable(query, f"gives a {found['resultType']}, not one value a series")
        return _whole({_labels(each): _points([each["value"]]) for each in found["result"] if "value" in each})

    def range(self, query: str, start: datetime, end: datetime, step: timedelta) -> dict[Labels, list[Point]]:
        """Each series from `start` to `end`, both included, a value a `step`; asked for in as many pieces as it takes.

        Raises Unavailable, StepFailed.
        """
        whole: dict[Labels, list[Point]] = {}
        for since, until in pieces(start, end, step):
            more = {"start": since.timestamp(), "end": until.timestamp(), "step": step.total_seconds()}
            for each in self._ask("query_range", query, more)["result"]:
                whole.setdefault(_labels(each), []).extend(_points(each.get("values", ())))
        return _whole(whole)

    @cached_property
    def _session(self) -> requests.Session:
        """One, so that a thousand questions are not a thousand handshakes."""
        import requests

        session = requests.Session()
        for scheme in ("http://", "https://"):
            session.mount(scheme, requests.adapters.HTTPAdapter(pool_maxsize=MOST_AT_ONCE))
        return session

    def _ask(self, what: str, query: str, more: Mapping[str, float]) -> dict[str, Any]:
        """One question, as a form: a query may be longer than an address."""
        import requests

        try:
            answer = self._session.post(
                f"{self.url.rstrip('/')}/api/v1/{what}",
                data={"query": query, "timeout": f"{self.seconds:g}s", **more},
                headers=dict(self.headers),
                auth=self.login,
                timeout=(CONNECT_SECONDS, self.seconds),
                verify=self.verify,
            )
        except requests.RequestException as error:
            raise Unavailable(
                f"Prometheus does not answer: {type(error).__name__}",
                target=self.url,
                left=LEFT,
                next_step="check that it runs, and that the source's connection names it",
            ) from error
        told = _json(answer)
        if answer.ok and told.get("status") == "success":
            for warning in told.get("warnings", ()):
                log.warning("%s: %s: %s", self.url, query, warning)
            found: dict[str, Any] = told["data"]
            return found
        raise self._refused(query, answer.status_code, told)

    def _refused(self, query: str, status: int, told: Mapping[str, Any]) -> Day2Error:
        said = told.get("error") or f"status {status}, and no answer of a Prometheus"
        if status in LATER:
            return Unavailable(f"Prometheus cannot answer now: {said}", target=self.url, left=LEFT)
        if status in DENIED:
            return StepFailed(
                f"Prometheus refuses us: {said}",
                target=self.url,
                left=LEFT,
                next_step="check the login or the token in the source's connection",
                runbook="Credentials refused",
            )
        return self._unusable(query, f"was refused: {said}")

    def _unusable(self, query: str, why: str) -> StepFailed:
        return StepFailed(
            f"the query `{query}` {why}",
            target=self.url,
            left=LEFT,
            next_step="correct it in the source's `queries`; try it in Prometheus first",
        )


def pieces(start: datetime, end: datetime, step: timedelta) -> Iterator[tuple[datetime, datetime]]:
    """A range in pieces that the server answers: no moment twice, none left out. Pure."""
    if step <= timedelta(0):
        raise ValueError(f"a step of {step} leads nowhere")
    while start <= end:
        until = min(end, start + (MOST_POINTS - 1) * step)
        yield start, until
        # The server counts whole steps from the start, so the next piece begins on the same grid.
        start += (1 + (until - start) // step) * step


def _labels(series: Mapping[str, Any]) -> Labels:
    return frozenset(series["metric"].items())


def _points(values: Any) -> list[Point]:
    """What was measured, by time. Its numbers are texts, `NaN` and `+Inf` among them."""
    read = ((datetime.fromtimestamp(float(at), UTC), float(value)) for at, value in values)
    return [(at, value) for at, value in read if math.isfinite(value)]


def _whole(series: Mapping[Labels, list[Point]]) -> dict[Labels, list[Point]]:
    """Without the series of which nothing is left."""
    return {labels: points for labels, points in series.items() if points}


def _json(answer: Any) -> dict[str, Any]:
    """Its answer; nothing, where somebody else answered (a proxy, a login page)."""
    try:
        told = answer.json()
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
