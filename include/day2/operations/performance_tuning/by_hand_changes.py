"""What somebody changed since the last run: settings and indexes, as recommendations to try without it. Pure.

"Tried without it" is the same measurement as of any other change: what was changed by hand stays if taking it
back gains nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from day2.operations.performance_tuning import target
from day2.operations.performance_tuning.model import Change, Evidence, Recommendation

SOURCE = "the record of the last run"
GAIN = "nobody knows: it is measured whether the database does better without it"
Known = Mapping[str, Any]
Entry = Mapping[str, Any] | None


def changes(then: Known, now: Known, kept: Sequence[Mapping[str, Any]] = ()) -> list[Recommendation]:
    """What differs from what the last run saw, once its own kept changes (`tried.tried`) are counted in."""
    expected = _with(then, kept)
    return [
        *_settings(expected["settings"], now["settings"]),
        *_database_settings(expected["database_settings"], now),
        *_indexes(expected["indexes"], now["indexes"]),
    ]


def _with(then: Known, kept: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """What should be there: what was seen, and what we made of it."""
    expected = {key: dict(then[key]) for key in ("settings", "database_settings", "indexes")}
    for each in kept:
        about, made = target.target(each["recommendation"]["change"]["statement"]), each["state_with"]
        if about.subject == "index":
            _set(expected["indexes"], _quoted(about.schema, about.name), made.get("definition"))
        elif about.subject == "setting":
            known = expected["settings"].get(about.name, {})
            is_set = bool(made.get("file")) or made.get("source") == "configuration file"
            entry = {**known, "value": made["value"], "context": made["context"], "altered_system": True}
            _set(expected["settings"], about.name, entry if is_set else None)
        elif about.subject == "database setting":
            _set(expected["database_settings"], about.name, made.get("value"))
    return expected


def _settings(then: Known, now: Known) -> Iterator[Recommendation]:
    for name in sorted(then.keys() | now.keys()):
        was, is_ = then.get(name), now.get(name)
        if (was or {}).get("value") == (is_ or {}).get("value"):
            continue
        known = was or is_ or {}
        change = Change(_undo(name, was, is_), _redo(name, is_), "none", context=str(known.get("context", "")))
        says = f"{name} was {_value(was)} at the last run, and is {_value(is_)}: somebody changed it"
        yield _recommendation(f"setting {name}", says, (_value(was), _value(is_)), change)


def _database_settings(then: Mapping[str, str], known: Known) -> Iterator[Recommendation]:
    now, where = known["database_settings"], _name(known["database"])
    for name in sorted(then.keys() | now.keys()):
        was, is_ = then.get(name), now.get(name)
        if was == is_:
            continue
        change = Change(
            _set_database(where, name, was), _set_database(where, name, is_), "none: it counts for new sessions"
        )
        says = f"{name} of this database was {was or 'not set'} at the last run, and is {is_ or 'not set'}"
        yield _recommendation(f"database setting {name}", says, (was or "not set", is_ or "not set"), change)


def _indexes(then: Mapping[str, str], now: Mapping[str, str]) -> Iterator[Recommendation]:
    for name in sorted(then.keys() | now.keys()):
        was, is_ = then.get(name), now.get(name)
        if was == is_:
            continue
        values = (was or "not there", is_ or "not there")
        if was is None or is_ is None:
            what = "made" if was is None else "dropped"
            make, drop = _concurrently(str(is_ or was)), f"DROP INDEX CONCURRENTLY {name}"
            statement, reverse = (drop, make) if was is None else (make, drop)
            change = Change(statement, reverse, "SHARE UPDATE EXCLUSIVE on its table: reads and writes go on")
            yield _recommendation(name, f"somebody {what} the index {name} since the last run", values, change)
        else:
            yield _recommendation(name, f"the index {name} is another one than at the last run", values, None)


def _recommendation(name: str, says: str, values: tuple[str, str], change: Change | None) -> Recommendation:
    was, is_ = values
    # Dropping an index that somebody made on purpose, to see what happens, is a person's decision.
    risky = change is None or change.statement.startswith("DROP")
    return Recommendation(
        kind="changed_by_hand",
        object=name,
        says=says,
        evidence=(Evidence("at the last run", was, "", SOURCE), Evidence("now", is_, "", "pg_settings, pg_index")),
        gain=GAIN,
        risk="high" if risky else "moderate",
        source=SOURCE,
        change=change,
        to_do="ask who did it and why; write it into the inventory's notes, or take it back" if risky else "",
    )


def _undo(name: str, was: Entry, is_: Entry) -> str:
    """What brings the earlier value back. RESET is right where the configuration file below still has it."""
    if is_ and is_["altered_system"] and not (was and was["altered_system"]):
        return f"ALTER SYSTEM RESET {name}"
    value = was["value"] if was else (is_ or {})["default"]
    return f"ALTER SYSTEM SET {name} = {_literal(value)}"


def _redo(name: str, is_: Entry) -> str:
    if is_ and is_["altered_system"]:
        return f"ALTER SYSTEM SET {name} = {_literal(is_['value'])}"
    return f"ALTER SYSTEM RESET {name}"


def _set_database(where: str, name: str, value: str | None) -> str:
    verb = f"RESET {name}" if value is None else f"SET {name} = {_literal(value)}"
    return f"ALTER DATABASE {where} {verb}"


def _value(entry: Mapping[str, Any] | None) -> str:
    return str(entry["value"]) if entry else "not set"


def _set(where: dict[str, Any], name: str, value: Any) -> None:
    if value is None:
        where.pop(name, None)
    else:
        where[name] = value


def _concurrently(definition: str) -> str:
    return definition.replace("INDEX ", "INDEX CONCURRENTLY ", 1)


def _quoted(schema: str, name: str) -> str:
    return f"{_name(schema)}.{_name(name)}"


def _name(name: str) -> str:
    plain = re.fullmatch(r"[a-z_][a-z0-9_$]*", name)
    return name if plain else '"' + name.replace('"', '""') + '"'


def _literal(value: str) -> str:
    return "'" + str(value).replace("'", "''") + "'"
