"""A whole review as JSON: histories, limits, forecasts, judgements. The page is drawn from it. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from day2.operations.capacity_review.backtest import Comparison
from day2.operations.capacity_review.forecast import PATHS, Forecast
from day2.operations.capacity_review.headroom import Headroom
from day2.operations.capacity_review.review import Request, Review, Row, Sized, Subject, judged
from day2.operations.capacity_review.rightsizing import CostBasis, Proposal
from day2.operations.capacity_review.series import Daily, Incident

if TYPE_CHECKING:
    from day2.operations.capacity_review.robust import Matrix

SCHEMA = 1
# Nobody measures more precisely, and the file is half as long.
DIGITS = 8
ROUNDED = (*PATHS, "baseline")


def dump(review: Review) -> bytes:
    """The review in one line. The same review gives the same bytes."""
    plain = {
        "schema": SCHEMA,
        "environment": review.environment,
        "owner": review.owner,
        "at": review.at.isoformat(),
        "policies": {
            tier: {"share": each.share, "lead_days": each.lead.days} for tier, each in review.policies.items()
        },
        "last_made_on": review.last_made_on.isoformat() if review.last_made_on else None,
        "comparisons": [asdict(each) for each in review.comparisons],
        "earlier": [request(each) for each in review.earlier],
        "sized": [_sized(each) for each in review.sized],
        "rows": [_row(each) for each in review.rows],
    }
    return json.dumps(plain, separators=(",", ":"), ensure_ascii=False).encode()


def load(data: bytes) -> Review:
    """The inverse. Judgements are made again, from what is in it. Raises ValueError, KeyError, TypeError."""
    plain = json.loads(data)
    if plain["schema"] != SCHEMA:
        raise ValueError(f"a review of schema {plain['schema']}, not {SCHEMA}")
    policies = {
        tier: Headroom(share=each["share"], lead=timedelta(days=each["lead_days"]))
        for tier, each in plain["policies"].items()
    }
    return Review(
        environment=plain["environment"],
        owner=plain["owner"],
        at=datetime.fromisoformat(plain["at"]),
        rows=[judged(_subject(each), Forecast.from_dict(each["forecast"]), policies) for each in plain["rows"]],
        comparisons=[Comparison(**each) for each in plain["comparisons"]],
        last_made_on=date.fromisoformat(plain["last_made_on"]) if plain["last_made_on"] else None,
        earlier=[request_of(each) for each in plain["earlier"]],
        sized=[_sized_of(each) for each in plain["sized"]],
        policies=policies,
    )


def stood(data: bytes) -> list[dict[str, Any]]:
    """How each resource was judged when the document was written, in its order."""
    found: list[dict[str, Any]] = [each["judged"] for each in json.loads(data)["rows"]]
    return found


def standing(row: Row) -> dict[str, Any]:
    """How a resource stands, in plain values."""
    full = row.judgement.full if row.judgement else None
    days = (full.early, full.expected, full.late) if full else (None, None, None)
    named = dict(zip(("early", "expected", "late"), (each.isoformat() if each else None for each in days), strict=True))
    return {"standing": row.standing, "why": row.why, **named}


def request(each: Request) -> dict[str, Any]:
    """A request in plain values."""
    return asdict(each) | {"made_on": each.made_on.isoformat(), "due": each.due.isoformat()}


def request_of(plain: Mapping[str, Any]) -> Request:
    """The inverse."""
    dates = {name: date.fromisoformat(plain[name]) for name in ("made_on", "due")}
    return Request(**{**plain, **dates})


def _row(row: Row) -> dict[str, Any]:
    subject, forecast = row.subject, row.forecast.as_dict()
    return {
        "target": subject.target,
        "resource": subject.resource,
        "unit": subject.unit,
        "tier": subject.tier,
        "owner": subject.owner,
        "limit": subject.limit,
        "history": _history(subject.frame),
        "forecast": forecast | {name: _short(forecast[name]) for name in ROUNDED},
        "judged": standing(row),
    }


def _subject(plain: Mapping[str, Any]) -> Subject:
    names = ("target", "resource", "unit", "tier", "owner", "limit")
    return Subject(**{name: plain[name] for name in names}, frame=_frame(plain["history"]))


def _history(frame: Daily) -> dict[str, Any]:
    incidents = [
        {"start": each.start.isoformat(), "end": each.end.isoformat(), "why": each.why} for each in frame.incidents
    ]
    values = _short(frame.values.tolist())
    return {"start": frame.start.isoformat(), "values": values, "incidents": incidents, "dropped": dict(frame.dropped)}


def _frame(plain: Mapping[str, Any]) -> Daily:
    incidents = tuple(
        Incident(datetime.fromisoformat(each["start"]), datetime.fromisoformat(each["end"]), each["why"])
        for each in plain["incidents"]
    )
    return Daily(date.fromisoformat(plain["start"]), _matrix(plain["values"]), incidents, plain["dropped"])


def _matrix(values: Sequence[float | None]) -> Matrix:
    """A gap is null in JSON, and not a number in a frame."""
    import numpy as np

    return np.array([math.nan if each is None else each for each in values], dtype=float)


def _short(values: Iterable[float]) -> list[float | None]:
    return [float(f"{each:.{DIGITS}g}") if math.isfinite(each) else None for each in values]


def _sized(each: Sized) -> dict[str, Any]:
    plain = asdict(each.proposal)
    plain["basis"]["as_of"] = each.proposal.basis.as_of.isoformat()
    return {"target": each.target, "proposal": plain}


def _sized_of(plain: Mapping[str, Any]) -> Sized:
    given = plain["proposal"]
    basis = CostBasis(**{**given["basis"], "as_of": date.fromisoformat(given["basis"]["as_of"])})
    return Sized(target=plain["target"], proposal=Proposal(**{**given, "basis": basis}))
