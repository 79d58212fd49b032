"""What pydantic found wrong, in words that say what to write instead."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, get_args

from pydantic import ValidationError

from day2.inventory import fields, health, patching, policy, scaling
from day2.inventory.fields import Model, nearest
from day2.inventory.problems import Finding, Location

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

PATTERNS = {
    fields.NAME: "{!r} is not a name; use lower-case letters, digits and '-', at most 63, such as 'web-01'",
    # The value is not repeated: it may be a whole connection URI, password included.
    fields.CONNECTION: "is not a connection id; write the Airflow connection's id, such as 'pg_orders'",
    policy.SCORE: "is not a score; write 3-2-1-1-0",
    patching.PACKAGE: "{!r} is not a package name or pattern; write one such as openssl or linux-image-*",
    health.METRIC: "{!r} is not the name of a metric; write one such as cpu_percent",
    scaling.SIZE: "{!r} is not the name of a size; write one such as db.r6g.large or 3",
    fields.URL: "is not a repository; write s3://bucket/prefix (no credentials) or file:///folder",
}
KINDS = {
    "string_type": "must be text; put it in quotes",
    "tuple_type": "must be a list; write one `- item` a line",
    "dict_type": "must be a mapping; write `key: value` lines",
    "model_type": "must be a mapping; write `field: value` lines",
    "model_attributes_type": "must be a mapping; write `field: value` lines",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "time_delta_parsing": "is not an ISO 8601 duration; write PT26H, PT30M or P7D",
    "date_from_datetime_parsing": "is not a date; write it as 2027-06-30",
    "date_parsing": "is not a date; write it as 2027-06-30",
    "date_type": "is not a date; write it as 2027-06-30",
}


def findings(error: ValidationError, model: type[Model], prefix: Location = ()) -> Iterator[Finding]:
    """One finding for each thing that was wrong; `prefix` is where the model stands in the file."""
    for each in error.errors(include_url=False):
        where: Location = (*prefix, *each["loc"])
        if each["type"] == "too_short" and each["input"]:
            continue  # its items were refused one by one: that they are missing is no news
        if each["type"] == "extra_forbidden":
            name = str(each["loc"][-1])
            known = sorted(_field_names(model, each["loc"][:-1]))
            yield Finding(where, f"unknown field '{name}'{nearest(name, known)}", value=False)
        elif each["type"] == "missing":
            yield Finding(where, f"field '{each['loc'][-1]}' is missing", value=False)
        else:
            yield Finding(where, _sentence(each))


def _sentence(error: ErrorDetails) -> str:
    context: dict[str, Any] = error.get("ctx", {})
    kind, given = error["type"], error["input"]
    if given is None:
        return "has no value; write one, or remove the field"
    if kind == "value_error":
        return str(context["error"])
    if kind == "string_pattern_mismatch":
        return PATTERNS[context["pattern"]].format(given)
    if kind == "literal_error":
        known = re.findall(r"'([^']*)'", context["expected"])
        return f"{given!r} is not {context['expected']}{nearest(str(given), known, listed=False)}"
    if kind == "string_too_short":
        return f"must have at least {context['min_length']} characters"
    if kind == "too_short":
        return "must not be empty"
    # What is left are bounds: `input should be greater than or equal to 1` reads well after the field.
    return KINDS.get(kind) or error["msg"].replace("Input should be", "must be")


def _field_names(model: type[Model], location: tuple[str | int, ...]) -> set[str]:
    """The fields of the model that stands at this location."""
    current = {model}
    for step in location:
        inner = [each.model_fields[step].annotation for each in current if step in each.model_fields]
        if inner:  # a list index and a union's tag are no fields: stay where we are
            current = {found for annotation in inner for found in _models(annotation)}
    return {name for each in current for name in each.model_fields}


def _models(annotation: Any) -> Iterator[type[Model]]:
    if isinstance(annotation, type) and issubclass(annotation, Model):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)
