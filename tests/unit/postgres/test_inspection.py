"""Comparing a restored copy with what was there: what differs is said in words."""

from __future__ import annotations

import pytest

from day2.postgres.content import DatabaseContent, Extension, Sequence, Table
from day2.postgres.fingerprint import merged
from day2.postgres.inspection import compare, compare_tables, sequence_differences


def table(name: str, rows: int = 3, fingerprint: str = "7", **more) -> Table:
    return Table(schema_name="public", name=name, rows=rows, fingerprint=fingerprint, **more)


def sequence(before: int, after: int | None = None, increment: int = 1, name: str = "s") -> Sequence:
    after = before if after is None else after
    return Sequence(schema_name="public", name=name, before=before, after=after, increment=increment)


def content(*tables: Table, **more) -> DatabaseContent:
    fields = {"name": "shop", "encoding": "UTF8", "collate": "C", "ctype": "C", "sequences": (), "extensions": ()}
    return DatabaseContent(**fields | {"tables": tables, "schema_sha256": "a"} | more)


def test_equal_content_has_no_differences():
    both = content(table("a"), table("b"), sequences=(sequence(5),), extensions=(Extension(name="x", version="1"),))
    compared = compare(both, both)
    assert compared.differences == ()
    assert (compared.schema_equal, compared.extensions_equal, compared.sequences_equal) == (True, True, True)
    assert [each.equal for each in compared.tables] == [True, True]


@pytest.mark.parametrize(
    ("restored", "words"),
    [
        (content(table("a", 2, "5")), "public.a: 2 rows restored, 3 expected"),
        (content(table("a", 4, "9")), "public.a: 4 rows restored, 3 expected"),
        (content(table("a", 3, "8")), "public.a: same count, other content"),
        (content(), "public.a: -1 rows restored, 3 expected"),
        (content(table("a"), table("b")), "public.b: 3 rows restored, -1 expected"),
        (content(table("a"), schema_sha256="b"), "the definitions differ (pg_dump --schema-only)"),
        (content(table("a").model_copy(update={"schema_name": "other"})), "public.a: -1 rows restored, 3 expected"),
    ],
)
def test_every_difference_is_said(restored, words):
    assert words in compare(content(table("a")), restored).differences


def test_a_missing_extension_is_named_and_one_more_is_none():
    expected = content(extensions=(Extension(name="pg_trgm", version="1.6"),))
    assert compare(expected, content()).differences == ("extension pg_trgm is missing",)
    assert compare(content(), expected).differences == ()


def test_what_is_not_pinned_must_be_there_but_may_differ():
    expected = content(table("a", pinned=False, reason="written to while the copy ran"))
    assert compare(expected, content(table("a", 99, "0"))).differences == ()
    assert compare(expected, content()).differences != ()


def test_definitions_that_changed_during_a_copy_are_not_compared():
    expected = content(table("a"), schema_pinned=False)
    assert compare(expected, content(table("a"), table("made_meanwhile"), schema_sha256="b")).differences == ()


def test_tables_of_one_name_in_two_schemas_are_two_tables():
    other = Table(schema_name="b.c", name="d", rows=1, fingerprint="1")
    same_label = Table(schema_name="b", name="c.d", rows=2, fingerprint="2")
    compared = compare_tables(content(other, same_label), (same_label, other))
    assert [each.equal for each in compared] == [True, True]


@pytest.mark.parametrize(
    ("expected", "restored", "equal"),
    [
        (sequence(5, 5), 5, True),
        (sequence(5, 9), 7, True),
        (sequence(5, 9), 4, False),
        (sequence(5, 9), 9 + 32, True),
        (sequence(5, 9), 9 + 33, False),
        (sequence(100, 200, 10), 200 + 320, True),
        (sequence(100, 200, 10), 200 + 330, False),
        (sequence(100, 200, 10), 99, False),
        (sequence(-5, -20, -3), -11, True),
        (sequence(-5, -20, -3), -20 - 96, True),
        (sequence(-5, -20, -3), -20 - 99, False),
        (sequence(-5, -20, -3), -2, False),
        (sequence(-5, -20, -3), 12, False),
        (sequence(90, 4), 97, True),
        (sequence(90, 4), 2, True),
    ],
)
def test_a_sequence_lies_between_or_a_few_logged_steps_ahead(expected, restored, equal):
    """The last two wrapped round: where they stood at the copy's moment cannot be told."""
    assert (sequence_differences([expected], [sequence(restored)]) == []) == equal


def test_a_missing_sequence_is_named():
    assert sequence_differences([sequence(1, name="größe")], []) == ["sequence public.größe is missing"]


# --- content read before and after a physical copy


def test_what_stood_still_is_pinned():
    both = content(table("a"), sequences=(sequence(5),))
    assert merged(both, both) == both


def test_what_moved_is_not_claimed_to_be_equal_and_says_why():
    found = merged(content(table("a"), table("b")), content(table("a", 4, "9"), table("b", 3, "8")))
    assert [each.pinned for each in found.tables] == [False, False]
    reasons = {each.label: each.reason for each in found.tables if not each.pinned}
    assert reasons == {f"public.{name}": "written to while the copy ran" for name in "ab"}


def test_a_reason_given_before_stays():
    skipped = table("cached", -1, "", pinned=False, reason="unlogged")
    assert merged(content(skipped), content(skipped)).tables == (skipped,)


def test_a_table_dropped_meanwhile_is_left_out_and_a_new_one_is_not_added():
    found = merged(content(table("a"), table("gone")), content(table("a"), table("new"), schema_sha256="b"))
    assert [each.name for each in found.tables] == ["a"]
    assert not found.schema_pinned


def test_sequences_keep_the_value_before_and_take_the_one_after():
    found = merged(content(sequences=(sequence(5), sequence(1, name="gone"))), content(sequences=(sequence(9),)))
    assert [(each.name, each.before, each.after) for each in found.sequences] == [("s", 5, 9)]
