"""Whatever is done to a chain, the check sees it, and says where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from day2.ledger.canonical import GENESIS, entry_hash, netstring
from day2.ledger.chain import Anchor, Link, Report, verify


def chained(bodies: Sequence[str]) -> list[Link]:
    """A chain as the ledger makes it."""
    links: list[Link] = []
    for seq, body in enumerate(bodies, 1):
        link = Link(
            seq, f"2026-11-23T02:00:00.{seq:06d}Z", "note", "run", body, links[-1].hash if links else GENESIS, ""
        )
        links.append(replace(link, hash=link.computed_hash()))
    return links


def changed(link: Link, field: str, value: str) -> Link:
    return Link(**asdict(link) | {field: value})


CHAIN = chained([f'{{"n":{number}}}' for number in range(8)])
ANCHOR = Anchor(8, CHAIN[-1].hash)


def fault(report: Report) -> tuple[int, str] | None:
    return (report.fault.seq, report.fault.kind) if report.fault else None


def test_a_whole_chain_is_whole_and_may_have_grown_since_it_was_anchored() -> None:
    assert verify(CHAIN, anchor=ANCHOR) == Report(8, 1, 8, CHAIN[-1].hash)
    assert verify(CHAIN, anchor=Anchor(5, CHAIN[4].hash)).whole
    assert verify([]).whole


@pytest.mark.parametrize("field", ["recorded_at", "kind", "run", "body"])
@pytest.mark.parametrize("at", range(8))
def test_an_edit_is_seen_where_it_was_made(field: str, at: int) -> None:
    links = list(CHAIN)
    links[at] = changed(links[at], field, "forged")
    assert fault(verify(links)) == (at + 1, "edited")


def test_an_edit_with_its_hash_made_anew_is_seen_at_the_next_entry() -> None:
    links = list(CHAIN)
    links[3] = replace(links[3], body="{}")
    links[3] = replace(links[3], hash=links[3].computed_hash())
    assert fault(verify(links)) == (5, "relinked")


@pytest.mark.parametrize("at", range(7))
def test_a_removed_entry_is_missed(at: int) -> None:
    assert fault(verify(CHAIN[:at] + CHAIN[at + 1 :])) == (at + 1, "missing")


def test_swapped_entries_are_out_of_order_and_renumbered_ones_are_edited() -> None:
    assert fault(verify([*CHAIN[:3], CHAIN[4], CHAIN[3], *CHAIN[5:]])) == (4, "missing")
    assert fault(verify([*CHAIN[:5], CHAIN[3], *CHAIN[5:]])) == (4, "out of order")
    swapped = [*CHAIN[:3], replace(CHAIN[4], seq=4), replace(CHAIN[3], seq=5), *CHAIN[5:]]
    assert fault(verify(swapped)) == (4, "relinked")


def test_a_cut_end_is_seen_only_with_an_anchor() -> None:
    assert verify(CHAIN[:5]).whole
    assert fault(verify(CHAIN[:5], anchor=ANCHOR)) == (6, "truncated")
    assert fault(verify([], anchor=ANCHOR)) == (1, "truncated")


def test_a_rewrite_of_everything_is_seen_only_with_an_anchor() -> None:
    forged = chained(["{}"] * 8)
    assert verify(forged).whole
    assert fault(verify(forged, anchor=ANCHOR)) == (8, "rewritten")


def test_a_cut_and_regrown_end_is_seen_with_an_anchor() -> None:
    regrown = chained([link.body for link in CHAIN[:6]] + ["{}"] * 4)
    assert fault(verify(regrown, anchor=ANCHOR)) == (8, "rewritten")


def test_a_period_starts_where_it_starts_but_a_whole_chain_at_one() -> None:
    assert verify(CHAIN[3:], whole=False).whole
    assert fault(verify(CHAIN[3:])) == (1, "missing")
    assert fault(verify(CHAIN[3:], whole=False, anchor=Anchor(2, CHAIN[1].hash))) == (4, "missing")


def test_an_extract_checks_each_entry_alone() -> None:
    extract = [CHAIN[1], CHAIN[4], CHAIN[6]]
    assert verify(extract, whole=False, contiguous=False).whole
    extract[1] = replace(extract[1], body="{}")
    assert fault(verify(extract, whole=False, contiguous=False)) == (5, "edited")


@settings(deadline=None)
@given(st.lists(st.text(), min_size=1, max_size=6), st.data())
def test_any_change_of_any_field_is_seen(bodies: list[str], data: st.DataObject) -> None:
    links = chained(bodies)
    at = data.draw(st.integers(0, len(links) - 1))
    field = data.draw(st.sampled_from(["recorded_at", "kind", "run", "body", "prev_hash", "hash"]))
    value = data.draw(st.text().filter(lambda text: text != getattr(links[at], field)))
    links[at] = changed(links[at], field, value)
    assert not verify(links).whole


@settings(deadline=None)
@given(st.lists(st.text(), max_size=5), st.lists(st.text(), max_size=5))
def test_no_two_lists_of_fields_share_a_preimage(one: list[str], other: list[str]) -> None:
    assert (b"".join(map(netstring, one)) == b"".join(map(netstring, other))) == (one == other)


def test_the_hash_is_the_documented_one() -> None:
    # printf '13:day2-ledger-1,1:1,27:2026-11-23T02:00:00.000001Z,4:note,3:run,7:{"n":0},64:000…0,' | sha256sum
    expected = "5c1d67d747f3f3d2296c345eaf12ce9ca9251b75545b8de58e719ab217c6c23f"
    assert entry_hash(1, "2026-11-23T02:00:00.000001Z", "note", "run", '{"n":0}', GENESIS) == expected
