"""What earlier runs left in the ledger: first sightings stay first, and only what is new is written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from day2.hosts.model import Service
from day2.ledger.store import Entry
from day2.operations.security_patching import compliance, history, sla
from day2.operations.security_patching.sla import Sighting
from day2.repository import kept
from day2.repository.folder import FolderStore
from tests.unit.ledger.story import RUN, Story
from tests.unit.patching.making import NOW, OPENSSL, TZDATA, environment, scan

EARLY, LATE = "2027-03-01T00:00:00Z", "2027-03-14T01:00:00Z"


class Book:
    """A ledger that was read into memory."""

    def __init__(self, story: Story) -> None:
        self.story = story

    def entries(self, *, kind: str | None = None, run: str | None = None) -> Iterator[Entry]:
        return (each for each in self.story.entries if kind in (None, each.kind) and run in (None, each.run))


def scanned(story: Story, name: str, *sightings: Sighting) -> Story:
    told: dict[str, Any] = {"at": LATE, "hosts": 1, "unreachable": {}, "artefacts": []}
    return story.tell("patch_scan", environment=name, sightings=[each.as_dict() for each in sightings], **told)


def test_the_first_scan_of_a_fleet_brings_a_sighting_for_each_version_that_waits():
    found = history.new((), {"web-01": scan("web-01", OPENSSL, TZDATA), "web-02": scan("web-02", OPENSSL)})
    assert [(each.key, each.installed) for each in found] == [("openssl:amd64", "3.0.1"), ("tzdata:all", "2027a")]


def test_what_was_seen_before_is_not_written_again_and_what_is_new_is():
    known = (Sighting("openssl:amd64", "3.0.1", True, EARLY),)
    assert history.new(known, {"web-01": scan("web-01", OPENSSL)}) == ()
    waits = replace(OPENSSL, installed="3.0.0")
    assert [each.installed for each in history.new(known, {"web-01": scan("web-01", waits)})] == ["3.0.0"]


def test_a_scan_that_turns_out_to_be_earlier_moves_the_first_sighting_back():
    known = (Sighting("openssl:amd64", "3.0.1", True, LATE),)
    found = history.new(known, {"web-01": scan("web-01", OPENSSL, at=EARLY)})
    assert [each.first_seen for each in found] == [EARLY]


def test_writing_what_is_new_each_time_remembers_the_same_as_one_long_memory():
    first = {"web-01": scan("web-01", OPENSSL, at=EARLY)}
    second = {"web-01": scan("web-01", OPENSSL, TZDATA), "web-02": scan("web-02", replace(OPENSSL, installed="3.0.0"))}
    story = scanned(Story(), "production", *history.new((), first))
    known = history.sightings(Book(story), "production")
    scanned(story, "production", *history.new(known, second))
    told = sla.lookup(history.sightings(Book(story), "production"))
    assert told == sla.lookup(sla.remember((), [*first.values(), *second.values()]))


def test_another_environments_sightings_are_not_ours():
    story = scanned(Story(), "staging", Sighting("openssl:amd64", "3.0.1", True, EARLY))
    assert history.sightings(Book(story), "production") == ()
    assert len(history.sightings(Book(story), "staging")) == 1


def test_the_trend_is_every_standing_of_the_environment_in_order():
    made = environment()
    fleets = [
        compliance.fleet(made, {each.name: scan(each.name, *waiting) for each in made.hosts}, {}, now=NOW)
        for waiting in ((OPENSSL,), (replace(OPENSSL, candidate=None),))
    ]
    story = Story()
    for each in fleets:
        story.tell("patch_standing", environment="production", summary=each.summary.as_dict())
    story.tell("patch_standing", environment="staging", summary=fleets[0].summary.as_dict())
    assert history.trend(Book(story), "production") == tuple(each.summary for each in fleets)
    assert [each.current for each in history.trend(Book(story), "production")] == [0, 10]


def test_the_tries_of_a_run_are_those_since_its_newest_plan():
    story = Story().plan("web-01").acted("web-01", step="patch").cleared().plan("web-01")
    assert history.tries(Book(story), RUN) == []
    story.intent("web-01", step="patch")
    assert [(each["attempt"], each["outcome"]) for each in history.tries(Book(story), RUN)] == [(2, "interrupted")]
    assert history.tries(Book(story), "another/run") == []


def test_whole_scans_come_back_from_storage_as_they_were(tmp_path: Path):
    store = FolderStore(tmp_path)
    stale = (Service("nginx.service", 41, ("/usr/lib/libssl.so.3",)),)
    scans = {"web-01": scan("web-01", stale_services=stale, reboot_packages=("linux",)), "web-02": scan("web-02")}
    artefact = kept.keep(store, "patching/one.json.gz", history.packed(scans), lock=None)
    assert history.unpacked(store, artefact["uri"]) == scans


def test_the_same_scans_are_the_same_bytes_in_any_order():
    one, two = scan("web-01"), scan("web-02")
    assert history.packed({"web-01": one, "web-02": two}) == history.packed({"web-02": two, "web-01": one})
    assert history.packed({"web-01": one}) != history.packed({"web-01": replace(one, boot_id="b2")})
