"""An environment file as YAML: fast to read, and able to say on which line a value stands."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from day2.inventory.policy import UNION_TAGS
from day2.inventory.problems import BrokenInventory, Finding, Location, Problem

# These hold lists of named things: `databases/orders` says more than `databases[0]`.
NAMED = frozenset(
    {"repositories", "databases", "hosts", "services", "resources", "modules", "windows", "patch_exceptions"}
)
ABSENT: Any = object()


class _Loader(yaml.CSafeLoader):
    """YAML keeps the last of two equal keys and says nothing; this remembers them."""

    repeated: list[tuple[int, str]]

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    self.repeated.append((key.start_mark.line + 1, key.value))
                seen.add(key.value)
        mapping: dict[Hashable, Any] = super().construct_mapping(node, deep)
        return mapping


@dataclass(frozen=True)
class Source:
    """One file: `data` as Python values, and where each of them stands."""

    path: Path
    data: Any = field(repr=False)
    text: str = field(repr=False)

    @cached_property
    def _root(self) -> yaml.Node | None:
        return yaml.compose(self.text, Loader=yaml.CSafeLoader)

    def problem(self, finding: Finding) -> Problem:
        """The finding with its line, its owner's name and its field."""
        # What is missing or unknown is told by what it is missing from or unknown to.
        owner, field_name = _describe(self.data, finding.location if finding.value else finding.location[:-1])
        subject = field_name + (" " if finding.value else ": ") if field_name else ""
        text = f"{owner}: {subject}{finding.text}" if owner else f"{subject}{finding.text}"
        return Problem(self.path.name, self._line(finding.location), text)

    def _line(self, location: Location) -> int:
        node, line = self._root, 1
        for step in location:
            key, value = _child(node, step)
            if value is None:
                continue  # a union's tag, or a field that is not written: the line of what it belongs to
            node, line = value, (key or value).start_mark.line + 1
        return line


def read(path: Path) -> Source:
    """Read one file. Raises BrokenInventory when it cannot be read or is not one YAML mapping."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise BrokenInventory([Problem(path.name, 1, f"cannot be read: {reason}")]) from error
    loader = _Loader(text)
    loader.repeated = []
    try:
        data = loader.get_single_data()
    except yaml.MarkedYAMLError as error:
        raise BrokenInventory([_syntax_problem(path, error)]) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise BrokenInventory([Problem(path.name, line, f"not YAML: {error.reason}; remove it")]) from error
    finally:
        loader.dispose()
    if loader.repeated:
        raise BrokenInventory(
            Problem(path.name, line, f"'{key}' is given twice in one mapping; keep one of them")
            for line, key in loader.repeated
        )
    if not isinstance(data, dict):
        what = "the file is empty" if data is None else "the file is not a mapping"
        raise BrokenInventory([Problem(path.name, 1, f"{what}; start with `name: {path.stem}`")])
    return Source(path, data, text)


def _syntax_problem(path: Path, error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    what = error.problem or error.context or ""
    # A tab in the indentation is the usual cause, and the parser's words do not say what to do.
    hint = "; indent with spaces" if "tab" in what or "'\\t'" in what else ""
    return Problem(path.name, mark.line + 1 if mark else 1, f"not YAML: {what}{hint}")


def _child(node: yaml.Node | None, step: str | int) -> tuple[yaml.Node | None, yaml.Node | None]:
    """The key and the value at one step down; nothing if it is not there."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(step):
                return key, value
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return None, node.value[step]
    return None, None


def _describe(data: Any, location: Location) -> tuple[str, str]:
    """Who owns the value, `databases/orders`, and the field in it, `standby.region`."""
    if len(location) < 2 or location[0] not in (*NAMED, "policies"):
        return "", _path(data, location)
    item = _get(_get(data, location[0]), location[1])
    label = item.get("name", location[1]) if location[0] in NAMED and isinstance(item, dict) else location[1]
    return f"{location[0]}/{label}", _path(item, location[2:])


def _path(value: Any, location: Location) -> str:
    path = ""
    for step in location:
        inner = _get(value, step)
        if inner is ABSENT and step in UNION_TAGS:
            continue
        value = inner
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else step
    return path


def _get(value: Any, step: str | int) -> Any:
    if isinstance(value, dict):
        return value.get(step, ABSENT)
    if isinstance(value, list) and isinstance(step, int) and step < len(value):
        return value[step]
    return ABSENT
