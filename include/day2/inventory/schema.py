"""The JSON Schema of an environment file, so that editors complete and check it."""

from __future__ import annotations

import copy
import json
from typing import Any

from day2.inventory.model import Environment

# The targets of these operations are hosts; of all others, databases.
OF_HOSTS = frozenset({"security_patching"})
FILE_NAME = "environment.schema.json"


def text() -> str:
    """The schema as it is committed beside the environment files."""
    return json.dumps(_schema(), indent=2, ensure_ascii=False) + "\n"


def _schema() -> dict[str, Any]:
    schema = Environment.model_json_schema()
    definitions = schema["$defs"]
    # An override gives any of a policy's fields, none of them required.
    overrides: dict[str, dict[str, Any]] = {"Database": {}, "Host": {}}
    for operation, policy in definitions["Policies"]["properties"].items():
        name = next(each["$ref"] for each in policy.get("anyOf", [policy]) if "$ref" in each).rpartition("/")[2]
        partial = copy.deepcopy(definitions[name])
        partial.pop("required", None)
        target = "Host" if operation in OF_HOSTS else "Database"
        partial["description"] = f"Fields of {operation} that differ for this {target.lower()}."
        definitions[f"{name}Override"] = partial
        overrides[target][operation] = {"$ref": f"#/$defs/{name}Override"}
    for target, properties in overrides.items():
        definitions[target]["properties"]["policies"] |= {"properties": properties, "additionalProperties": False}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
