"""Metrics out, for Prometheus: /day2/metrics/{environment}, and /day2/metrics for all that the reader may see."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import PlainTextResponse, Response

from day2 import inventory
from day2.airflow import connections
from day2.errors import Day2Error
from day2.inventory.health import HealthPolicy
from day2.inventory.model import Environment
from day2.ledger.metrics import Metrics
from day2.ledger.tally import Tally, tally
from day2.metrics.openmetrics import Exposed, page
from day2.metrics.thresholds import SKEW
from day2.web import exposed
from day2.web.who import Reader, ReaderDep

log = logging.getLogger("day2")
router = APIRouter()
# What was counted of each environment's records so far: a scrape counts what came since.
_tallies: dict[str, Tally] = {}
_counting = Lock()


@router.get("/metrics/{environment}")
def one(environment: str, reader: ReaderDep, request: Request) -> Response:
    """One environment. 503 where its ledger does not answer: no page looks healthier than what it is about."""
    good, broken = _inventory(reader)
    if environment in broken:
        return _unavailable([f"{environment}: its inventory is broken: day2 inventory check"])
    if environment not in good:
        raise HTTPException(404, "there is no such environment, or it is not for you")
    try:
        return _page(values(good[environment]), request)
    except Day2Error as error:
        log.warning("%s: its metrics cannot be offered: %s", environment, error)
        return _unavailable([f"{environment}: {error.happened}"])


@router.get("/metrics")
def every(reader: ReaderDep, request: Request) -> Response:
    """Every environment: one that cannot be read is told by day2_environment_up; 503 if none can be."""
    good, broken = _inventory(reader)
    found: list[Exposed] = [each for name in broken for each in exposed.unknown(name)]
    wrong = [f"{name}: its inventory is broken: day2 inventory check" for name in broken]
    for name, environment in good.items():
        try:
            found += values(environment)
        except Day2Error as error:
            log.warning("%s: its metrics cannot be offered: %s", name, error)
            found += exposed.unknown(name)
            wrong.append(f"{name}: {error.happened}")
    if len(wrong) == len(good) + len(broken):
        return _unavailable(wrong or ["there is no environment that is for you"])
    return _page(found, request)


def values(environment: Environment) -> list[Exposed]:
    """Everything that is offered of an environment. Raises Unavailable, StepFailed, PlanRefused."""
    now, policy = datetime.now(UTC), environment.policies.health_check or HealthPolicy()
    with connections.ledger(environment) as ledger:
        metrics = Metrics(ledger, environment.name)
        with _counting:
            _tallies[environment.name] = tally(ledger, environment.name, _tallies.get(environment.name))
        facts = exposed.Facts(
            metrics.newest(now - policy.absent_after, now + SKEW),
            metrics.standings(),
            metrics.stood_at(),
            _tallies[environment.name],
        )
    return exposed.exposed(environment, facts)


def _inventory(reader: Reader) -> tuple[dict[str, Environment], list[str]]:
    """The environments that are for a reader: the good ones, and the names of broken files."""
    good, broken = inventory.read_all()
    names = [Path(problem.file).stem for error in broken for problem in error.problems]
    return (
        {each.name: each for each in good if reader.may_read(each.name)},
        [each for each in dict.fromkeys(names) if reader.may_read(each)],
    )


def _page(found: list[Exposed], request: Request) -> Response:
    content, content_type = page(found, request.headers.get("accept", ""))
    return Response(content, media_type=content_type)


def _unavailable(why: list[str]) -> Response:
    return PlainTextResponse("\n".join(why) + "\n", status_code=503)
