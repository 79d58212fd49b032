"""The kinds of value a field may hold. Each refuses a bad value in words that say what to write."""

from __future__ import annotations

import re
from datetime import timedelta
from difflib import get_close_matches
from typing import Annotated, Any, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, StringConstraints

from day2.inventory import cron

NAME = r"^[a-z0-9][a-z0-9-]{0,62}$"
CONNECTION = r"^[A-Za-z0-9_.-]{1,200}$"
URL = r"^(s3://[A-Za-z0-9._-]+(/.*)?|file:///.+)$"
AGE_RECIPIENT = re.compile(r"age1[02-9ac-hj-np-z]{58}")
FROM_CONNECTION = "connection:"

Operation = Literal[
    "database_backup",
    "database_restore",
    "security_patching",
    "performance_tuning",
    "capacity_review",
    "dr_drill",
    "health_check",
    "scale_resource",
    "configuration_audit",
]
OPERATIONS: tuple[str, ...] = get_args(Operation)


class Model(BaseModel):
    """Frozen, and strict about field names: a misspelt field is an error, not a silent default."""

    # A value pasted into the wrong field may be a secret: pydantic's own message must not repeat it.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def nearest(wrong: str, known: list[str], *, listed: bool = True) -> str:
    """`; did you mean 'x'?`, or when nothing is close, and `listed`, what there is to choose from."""
    if close := get_close_matches(wrong, known, n=1):
        return f"; did you mean '{close[0]}'?"
    return f"; known here: {', '.join(known)}" if known and listed else ""


def _duration(value: Any) -> Any:
    # A bare number would be read as seconds: `rpo: 26` must not become 26 seconds.
    if isinstance(value, timedelta) or (isinstance(value, str) and value.startswith(("P", "-P"))):
        return value
    raise ValueError(f"{value!r} is not an ISO 8601 duration; write PT26H, PT30M or P7D")


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("must be longer than nothing")
    return value


def _not_negative(value: timedelta) -> timedelta:
    if value < timedelta(0):
        raise ValueError("must not be negative")
    return value


def _cron(value: str) -> str:
    cron.check(value)
    return value


def _time_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        hint = get_close_matches(value, available_timezones(), n=1)
        fix = f"did you mean '{hint[0]}'?" if hint else "write an IANA name such as 'Europe/Berlin', or 'UTC'"
        raise ValueError(f"'{value}' is not a time zone; {fix}") from error
    return value


def _recipient(value: str) -> str:
    if value.upper().startswith("AGE-SECRET-KEY-"):
        raise ValueError(
            "holds a secret key; remove it from the file, make a new key pair, and write the public key, age1…"
        )
    reference = value.removeprefix(FROM_CONNECTION)
    named = reference != value and re.fullmatch(CONNECTION, reference)
    if not named and not AGE_RECIPIENT.fullmatch(value):
        raise ValueError(
            f"'{value}' is not an age public key; write age1… (62 characters), or connection:<id> when the "
            "public key is that Airflow connection's login"
        )
    return value


Name = Annotated[str, StringConstraints(pattern=NAME)]
ConnectionId = Annotated[str, StringConstraints(pattern=CONNECTION)]
RepositoryUrl = Annotated[str, StringConstraints(pattern=URL)]
Duration = Annotated[timedelta, BeforeValidator(_duration), AfterValidator(_not_negative)]
PositiveDuration = Annotated[timedelta, BeforeValidator(_duration), AfterValidator(_positive)]
Cron = Annotated[str, AfterValidator(_cron)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
Recipient = Annotated[str, AfterValidator(_recipient)]
