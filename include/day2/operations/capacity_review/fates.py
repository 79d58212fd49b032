"""What became of what the last review asked for: as somebody said, or as the limit and its use show. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from day2.operations.capacity_review.review import PRESSING, Fate, Request, Row


@dataclass(frozen=True)
class Closing:
    """What somebody said became of a request."""

    fate: Fate
    who: str
    on: date
    note: str


def told(requests: Sequence[Request], rows: Mapping[str, Row], closings: Mapping[str, Closing]) -> list[Request]:
    """Every request with its fate. `rows` are those of now and `closings` the newest, both by the request's key."""
    return [_told(each, rows.get(each.key), closings.get(each.key)) for each in requests]


def _told(request: Request, row: Row | None, closing: Closing | None) -> Request:
    if closing and closing.on >= request.made_on:
        return replace(request, fate=closing.fate, note=f"{closing.who}, {closing.on}: {closing.note}")
    if row is None:
        return replace(request, fate="expired", note="it is no longer reviewed")
    if raised := _raised(request, row):
        return replace(request, fate="done", note=raised)
    if row.standing == "unknown":
        return replace(request, fate="open", note=f"how it stands is not known: {row.why}")
    if row.standing not in PRESSING:
        return replace(request, fate="expired", note=f"no longer asked for, without a larger limit: {row.why}")
    return replace(request, fate="open", note="" if request.seen == 1 else f"asked for by {request.seen} reviews")


def _raised(request: Request, row: Row) -> str:
    """Says so, if the limit is larger than when it was asked for."""
    limit, said = row.subject.limit, row.subject.said
    if limit is None or request.limit is None or limit <= request.limit:
        return ""
    raised = f"the limit was raised from {said(request.limit)} to {said(limit)}"
    short = request.wanted is not None and limit < request.wanted
    return f"{raised}; {said(request.wanted)} were asked for" if short else raised
