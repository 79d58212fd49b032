"""Candidates come from what a statement compares, sorts and joins."""

from __future__ import annotations

import pytest

from day2.operations.performance_tuning.candidates import candidates, is_ambiguous, names, parse, readable

COLUMNS = {
    ("public", "orders"): frozenset({"id", "customer_id", "created_at", "status", "Odd Col"}),
    ("public", "customers"): frozenset({"id", "name"}),
    ("one", "twice"): frozenset({"a"}),
    ("two", "twice"): frozenset({"a"}),
}


def found(text: str) -> set[str]:
    return {f"{table}({', '.join(columns)})" for _, table, columns in candidates(parse(text), COLUMNS)}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("select * from orders where customer_id = $1", {"orders(customer_id)"}),
        (
            "select * from orders where customer_id = $1 and created_at > now() - interval $2 order by created_at",
            {"orders(customer_id)", "orders(customer_id, created_at)"},
        ),
        ("select * from orders where STATUS in ($1,$2)", {"orders(status)"}),
        ("select * from orders where status IN ($1 /*, ... */)", {"orders(status)"}),
        ('update orders set status=$1 where "Odd Col" = any($2)', {"orders(Odd Col)"}),
        ("delete from only orders o where o.created_at between $1 and $2", {"orders(created_at)"}),
        (
            "select o.* from orders o join customers c on c.id = o.customer_id where c.name = $1",
            {"customers(id)", "customers(name, id)", "customers(name)", "orders(customer_id)"},
        ),
        ("with x as (select * from orders where status = $1) select * from x where id = $2", {"orders(status)"}),
        ("insert into orders select * from orders where status = $1", {"orders(status)"}),
        ("select * from orders order by created_at desc limit $1", {"orders(created_at)"}),
        (
            "delete from orders using customers c where orders.customer_id = c.id and c.name = $1",
            {"customers(id)", "customers(name, id)", "customers(name)", "orders(customer_id)"},
        ),
        ("select * from rows from (f($1), g($2)) as x (id, b), orders where orders.status = $3", {"orders(status)"}),
        (
            "select * from generate_series(1, 3) g, orders where status = $1 and id = g",
            {"orders(status)", "orders(id)", "orders(status, id)"},
        ),
        ("select * from orders where (status, id) = ($1, $2)", set()),
        # One of two may be it: nothing is known of either alone.
        ("select * from orders where status = $1 or id = $2", set()),
        # An expression needs an index of its own, which its column's would not be.
        ("select * from orders where lower(status) = $1", set()),
        # Which of the two it is, only the search_path of the application says.
        ("select * from twice where a = $1", set()),
        ("select * from two.twice where a = $1", {"twice(a)"}),
        ("select * from elsewhere where a = $1", set()),
    ],
)
def test_candidates_of(text, wanted):
    assert found(text) == wanted


@pytest.mark.parametrize("text", ["select (((", "select 1; drop table x", "vacuum t", "", "create table x (a int)"])
def test_what_is_not_one_statement_about_tables_is_left(text):
    assert parse(text) is None


def test_a_text_of_very_deep_nesting_is_left():
    assert parse("select " + "(" * 5000 + "1" + ")" * 5000) is None


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("select now() - interval $1", "select now() - $1::interval"),
        ("select date $1, timestamptz $2;", "select $1::date, $2::timestamptz"),
        ("select my_interval $1", "select my_interval $1"),
    ],
)
def test_a_typed_constant_gets_its_type_back(text, wanted):
    assert readable(text) == wanted


def test_a_table_without_a_schema_may_be_one_of_two():
    assert is_ambiguous(parse("select * from twice"), COLUMNS)
    assert not is_ambiguous(parse("select * from one.twice, orders"), COLUMNS)


def test_names_of_a_statement_are_its_tables_and_not_its_own_queries():
    assert names(parse('with x as (select 1) select * from x, "S".t, u')) == {("S", "t"), ("", "u")}
