"""What must hold of a pair before a drill, judged from what was seen. Pure.

Most of it was learned from drills that went wrong: each check says what would have happened.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from day2.inventory.model import DrillPolicy
from day2.operations.dr_drill.finding import Finding, Severity
from day2.operations.dr_drill.pair import state
from day2.operations.dr_drill.standing import Standing, Standings
from day2.units import duration, size

OLDEST = 15
CLOCK_SECONDS = 1.0


def judge(found: Standings, policy: DrillPolicy) -> list[Finding]:
    """Every finding, the servers' own first."""
    result = [*_roles(found), *_between(found, policy)]
    for each in found.both:
        result += _unseen(each)
        if each.sql:
            result += [*_rights(each), *_slots(each), *_clock(each.node, "its server", each.sql["clock_off"])]
        if each.host:
            result += _host(each)
    if found.primary.sql:
        result += [*_archive(found.primary), *_rejoin(found.primary), *_commits(found.primary, found.standby)]
    if found.primary.sql and found.standby.sql:
        result += [*_same(found.primary.sql, found.standby.sql), *_slot_of(found)]
    if found.primary.sql and found.primary.host:
        result += _room(found)
    return result


def _roles(found: Standings) -> Iterator[Finding]:
    seen = found.primary.seen, found.standby.seen
    now = state(*seen)
    yield Finding("state", now == "normal", f"{seen[0].text}; {seen[1].text}: {now}", "normal")
    yield Finding("streaming", seen[1].follows, seen[1].text, "it streams from the primary")


def _between(found: Standings, policy: DrillPolicy) -> Iterator[Finding]:
    told, unseen = found.between, found.unseen
    most = policy.max_lag.total_seconds()
    if "lag_seconds" in told:
        observed = f"{size(told['lag_bytes'])}, {duration(told['lag_seconds'])} behind"
        late = not told["caught_up"] and told["lag_seconds"] > most
        yield Finding("lag", not late, observed, f"at most {duration(most)}")
        paused = told["pause_state"] != "not paused"
        yield Finding("replay", not paused, told["pause_state"], "not paused: as a superuser pg_wal_replay_resume()")
    else:
        yield Finding("lag", ok=False, observed=unseen.get("lag", "not known"), needed=f"at most {duration(most)}")
    yield _rewind_login(told, unseen)
    served = told.get("endpoint", unseen.get("endpoint", ""))
    yield Finding("endpoint", "endpoint" in told, served, "a client's write is accepted")


def _rewind_login(told: dict[str, Any], unseen: dict[str, str]) -> Finding:
    needed = "from the primary's host, its primary_conninfo opens the standby and may read files for pg_rewind"
    if "rewind_lacks" not in told:
        return Finding("rewind login", ok=False, observed=unseen["rewind"], needed=needed)
    if not told["rewind_reaches_standby"]:
        return Finding("rewind login", ok=False, observed="it leads to a server that is no standby", needed=needed)
    lacks = told["rewind_lacks"]
    return Finding("rewind login", not lacks, f"lacks EXECUTE on {lacks}" if lacks else "has its rights", needed)


def _unseen(each: Standing) -> Iterator[Finding]:
    for what, needed in (("sql", "its server answers the drill's role"), ("host", "the login on its host works")):
        observed = each.unseen.get(what, "answers")
        yield Finding(f"{each.node}: {what}", what not in each.unseen, observed, needed)


def _rights(each: Standing) -> Iterator[Finding]:
    grants = {
        "may_promote": "grant execute on function pg_promote(boolean, integer)",
        "may_checkpoint": "grant pg_checkpoint",
        "may_replicate": "alter role … replication",
        "may_create": "grant create on database",
    }
    lacks = [grant for right, grant in grants.items() if not each.sql[right]]
    observed = f"lacks {len(lacks)} of {len(grants)}" if lacks else "has them"
    yield Finding(f"{each.node}: rights of the drill's role", not lacks, observed, "; ".join(lacks) or "all")


def _slots(each: Standing) -> Iterator[Finding]:
    """A slot that nobody uses keeps WAL until the disk is full, or until it is lost and its reader too."""
    slots = each.sql["slots"]
    bad = [_slot(slot) for slot in slots if slot["wal_status"] == "lost" or (not slot["active"] and _keeps(slot))]
    observed = "; ".join(bad) if bad else f"{len(slots)}, each in use"
    yield Finding(f"{each.node}: slots", not bad, observed, "no slot is lost or unused; drop what nobody needs")


def _keeps(slot: dict[str, Any]) -> bool:
    return bool(slot["restart_lsn"])


def _slot(slot: dict[str, Any]) -> str:
    how = "lost" if slot["wal_status"] == "lost" else f"unused since {slot['restart_lsn']}"
    return f"{slot['slot_name']} is {how}"


def _slot_of(found: Standings) -> Iterator[Finding]:
    """The slot the standby follows through."""
    name = found.standby.sql["settings"].get("primary_slot_name") or ""
    slots = {each["slot_name"]: each for each in found.primary.sql["slots"]}
    if not name:
        needed = "primary_slot_name on the standby: without it the WAL it still needs may be removed"
        yield Finding("the standby's slot", ok=False, observed="it uses none", needed=needed, severity="warning")
        return
    slot = slots.get(name)
    ok = bool(slot and slot["active"] and slot["wal_status"] != "lost")
    observed = f"{name}: {slot['wal_status']}, {'' if slot['active'] else 'not '}active" if slot else f"{name}: missing"
    yield Finding("the standby's slot", ok, observed, "there, active, and keeping its WAL")


def _archive(primary: Standing) -> Iterator[Finding]:
    sql = primary.sql
    if sql["settings"]["archive_mode"] == "off":
        needed = "archive_mode = on: a rejoin and a rebuild find their WAL there"
        yield Finding("WAL archive", ok=False, observed="off", needed=needed, severity="warning")
        return
    failed, archived = sql["archive_failed"], sql["archived"]
    broken = failed is not None and failed > (archived or 0)
    observed = f"{sql['archive_failed_on']} could not be archived" if broken else "the last attempt succeeded"
    yield Finding("WAL archive", not broken, observed, "the last attempt succeeded: see the primary's log")


def _rejoin(primary: Standing) -> Iterator[Finding]:
    """What pg_rewind and a start as standby need of the old primary; later is too late."""
    settings = primary.sql["settings"]
    hints = settings["data_checksums"] == "on" or settings["wal_log_hints"] == "on"
    observed = f"data_checksums {settings['data_checksums']}, wal_log_hints {settings['wal_log_hints']}"
    yield Finding("rewind possible", hints, observed, "data checksums, or wal_log_hints = on; else pg_rewind refuses")
    pages = settings["full_page_writes"]
    yield Finding("full_page_writes", pages == "on", pages, "on; else pg_rewind refuses")
    ways = {
        "restore_command": bool(settings["restore_command"]),
        "primary_slot_name": bool(settings["primary_slot_name"]),
        "wal_keep_size": bool(primary.sql["wal_keep_bytes"]),
    }
    having = [name for name, there in ways.items() if there]
    needed = (
        "one of restore_command, primary_slot_name, wal_keep_size on the primary; else its WAL is removed too early"
    )
    yield Finding("WAL for the rejoin", bool(having), ", ".join(having) or "none is set", needed)
    follows = bool(settings["primary_conninfo"])
    needed = "primary_conninfo on the primary names the standby, or it could not follow it"
    yield Finding("the primary can follow", follows, "configured" if follows else "not configured", needed)


def _commits(primary: Standing, standby: Standing) -> Iterator[Finding]:
    """A synchronous standby that is not there makes every commit wait for ever."""
    names = primary.sql["settings"]["synchronous_standby_names"]
    there = any(each["sync_state"] in ("sync", "quorum") for each in primary.sql["senders"])
    observed = f"`{names}`, {'there' if there else 'NOT there'}" if names else "asynchronous"
    yield Finding("commits now", not names or there, observed, "the synchronous standby streams")
    if standby.sql:
        after = standby.sql["settings"]["synchronous_standby_names"]
        needed = "synchronous_standby_names empty on the standby: after a promotion no such standby is there"
        yield Finding("commits after the promotion", not after, f"`{after}`" if after else "asynchronous", needed)


def _same(primary: dict[str, Any], standby: dict[str, Any]) -> Iterator[Finding]:
    one, two = primary["major"], standby["major"]
    yield Finding("version", one == two >= OLDEST, f"{one} and {two}", f"the same, {OLDEST} or newer")
    same = primary["system"] == standby["system"]
    observed = "the same" if same else f"{primary['system']} and {standby['system']}"
    yield Finding("system identifier", same, observed, "the same: the standby is a copy of this primary")


def _host(each: Standing) -> Iterator[Finding]:
    missing = each.host["missing"]
    yield Finding(f"{each.node}: programs", not missing, ", ".join(missing) or "all", "in the PATH of its host's login")
    unit = each.host["unit"]
    if unit:
        yield Finding(f"{each.node}: systemd unit", ok=False, observed=f"may not run {unit}", needed="a sudoers rule")
    yield from _clock(each.node, "its host", each.host["clock_off"])


def _clock(node: str, whose: str, off: float) -> Iterator[Finding]:
    """Times are measured on one clock; these two make logs comparable."""
    ok, needed = abs(off) <= CLOCK_SECONDS, f"within {duration(CLOCK_SECONDS)} of the worker's"
    severity: Severity = "warning"
    yield Finding(f"{node}: clock of {whose}", ok, f"{off:+.3f} s", needed, severity)


def _room(found: Standings) -> Iterator[Finding]:
    """Room for the WAL of a standby that is away, and for a new copy beside the old data."""
    cluster = found.primary.sql["cluster_bytes"]
    free = found.primary.host["free_bytes"]
    needed = f"{size(cluster)} for a new copy beside the old data; with less only a rewind can bring it back"
    yield Finding("room for a re-clone", free >= cluster, f"{size(free)} free", needed, "warning")
    for each in found.both:
        if each.host and each.sql:
            least = each.sql["max_wal_bytes"]
            observed = f"{size(each.host['free_bytes'])} free"
            enough = each.host["free_bytes"] >= least
            yield Finding(f"{each.node}: room for WAL", enough, observed, f"{size(least)} (max_wal_size)")
