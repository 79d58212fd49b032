"""What earlier reviews left in the ledger: their forecasts, what they asked for, and what people said of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from day2.ledger import Entry, Ledger
from day2.operations.capacity_review import document
from day2.operations.capacity_review.fates import Closing
from day2.operations.capacity_review.review import Request, Review, requests

MADE, WITHDRAWN, FATE = "capacity_forecast", "capacity_withdrawn", "capacity_fate"
SIGNED = "signed"
# The check that a target without samples fails. What is said of the others is as sound as without it.
UNSEEN = "has_series"
# A forecast is compared with what happened when a week of it has passed: a weekly pattern was seen once.
COMPARED_AFTER = timedelta(days=7)


@dataclass(frozen=True)
class Earlier:
    """A review that counts: checked and signed. `forecasts` names the stored document."""

    run: str
    at: datetime
    forecasts: Mapping[str, Any]
    requests: tuple[Request, ...]


def made(review: Review, artefact: Mapping[str, Any], *, attempt: int, targets: Sequence[str]) -> dict[str, Any]:
    """The body of a review's entry."""
    published = review.published
    return {
        "attempt": attempt,
        "environment": review.environment,
        "at": review.at.isoformat(),
        "targets": list(targets),
        "forecasts": dict(artefact),
        "summary": {standing: review.counts[standing] for standing in sorted(review.counts)},
        "requests": [document.request(each) for each in requests(review)],
        "earlier": [document.request(each) for each in review.earlier],
        "back_test": {
            "made_on": review.last_made_on.isoformat() if review.last_made_on else None,
            "sentence": published.sentence,
            "compared": published.compared,
            "better": published.better,
            "ratio": published.ratio if published.compared else None,
            "coverage": published.coverage if published.compared else None,
        },
    }


def earlier(ledger: Ledger, environment: str, *, but: str = "") -> list[Earlier]:
    """Every review of this environment that was not withdrawn, oldest first; without the run `but`."""
    taken_back = {(each.run, each.body["attempt"]) for each in ledger.entries(kind=WITHDRAWN)}
    found: dict[str, Earlier] = {}
    for each in ledger.entries(kind=MADE):
        body = each.body
        if body["environment"] != environment or each.run == but:
            continue
        found.pop(each.run, None)  # a run that was cleared reviewed again
        if (each.run, body["attempt"]) not in taken_back:
            asked = tuple(document.request_of(plain) for plain in body["requests"])
            found[each.run] = Earlier(each.run, datetime.fromisoformat(body["at"]), body["forecasts"], asked)
    return list(found.values())


def to_compare(reviews: Sequence[Earlier], now: datetime) -> Earlier | None:
    """The newest one of which enough has passed; none where there is none."""
    return next((each for each in reversed(reviews) if now - each.at >= COMPARED_AFTER), None)


def closings(ledger: Ledger, environment: str) -> dict[str, Closing]:
    """What people said became of requests, the newest of each."""
    found = {}
    for each in ledger.entries(kind=FATE):
        body = each.body
        if body["environment"] == environment:
            on = date.fromisoformat(body["when"][:10])
            found[f"{body['target']} {body['resource']}"] = Closing(body["fate"], body["who"], on, body["note"])
    return found


def closed(environment: str, request: Request, said: Closing, *, when: str) -> dict[str, Any]:
    """The body of what somebody says became of a request."""
    about = {"environment": environment, "target": request.target, "resource": request.resource}
    return about | {"fate": said.fate, "who": said.who, "when": when, "note": said.note}


def withdrawn(environment: str, why: str, *, attempt: int) -> dict[str, Any]:
    """The body of the entry that takes a review back."""
    return {"attempt": attempt, "environment": environment, "why": why}


def current(entries: Iterable[Entry]) -> Entry | None:
    """The review of a run: the newest since its last plan, as a try that was killed may have left another."""
    found = None
    for each in entries:
        if each.kind == "plan":
            found = None
        elif each.kind == MADE:
            found = each
    return found


def why_withdrawn(entries: Sequence[Entry]) -> str | None:
    """Why a run's review must not stand, from its entries; none where it was checked and signed, or not made."""
    review = current(entries)
    if review is None:
        return None
    since = [each for each in entries if each.seq > review.seq]
    checks = [each.body for each in since if each.kind == "checks"]
    signatures = [each.body["decision"] for each in since if each.kind == "sign_off"]
    if not checks:
        return "it was not checked"
    failed = {each["id"] for each in checks[-1]["checks"] if not each["passed"] and each["severity"] == "critical"}
    if unsound := sorted(failed - {UNSEEN}):
        return f"these checks failed: {', '.join(unsound)}"
    if not signatures:
        return "nobody signed it"
    return None if signatures[-1] == SIGNED else f"the signature was {signatures[-1]}"


def was_withdrawn(entries: Sequence[Entry]) -> bool:
    """Whether a run's review was taken back before: a task was cleared since, and somebody else was asked."""
    review = current(entries)
    return review is not None and any(
        each.kind == WITHDRAWN and each.body["attempt"] == review.body["attempt"] for each in entries
    )
