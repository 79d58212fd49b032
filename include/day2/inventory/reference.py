"""Every field of an environment file as Markdown tables, for docs/inventory.md."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from day2.inventory.model import Environment


def markdown() -> str:
    """One table for each kind of thing: field, type, default, meaning."""
    schema = Environment.model_json_schema()
    definitions = {"Environment": schema, **schema["$defs"]}
    return "\n".join(line for name in _reading_order(definitions) for line in _table(name, definitions[name]))


def _reading_order(definitions: dict[str, Any]) -> list[str]:
    """As a reader meets them: the environment, then what its fields hold, and so on."""
    order = ["Environment"]
    for name in order:  # grows while it is read
        order += [each for each in _references(definitions[name]["properties"]) if each not in order]
    return order


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"].rpartition("/")[2]
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)


def _table(name: str, definition: dict[str, Any]) -> Iterator[str]:
    required = definition.get("required", [])
    yield from (f"### {name}", "", definition["description"], "")
    yield from ("| field | type | default | meaning |", "|---|---|---|---|")
    for field, details in definition["properties"].items():
        default = "**required**" if field in required else _default(details.get("default"))
        yield f"| `{field}` | {_type(details)} | {default} | {details['description']} |"
    yield ""


def _default(value: Any) -> str:
    if value is None or value in ([], {}):
        return "none"
    return "see below" if isinstance(value, dict) else f"`{json.dumps(value).strip(chr(34))}`"


def _type(details: dict[str, Any]) -> str:
    if "$ref" in details:
        name = details["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for union in ("anyOf", "oneOf"):
        if union in details:
            return " or ".join(_type(each) for each in details[union] if each.get("type") != "null")
    if "const" in details or "enum" in details:
        return ", ".join(f"`{value}`" for value in details.get("enum", [details.get("const")]))
    if details["type"] == "array":
        return f"list of {_type(details['items'])}"
    kind: str = details.get("format") or details["type"]
    return {"object": "mapping", "string": "text", "integer": "number"}.get(kind, kind)
