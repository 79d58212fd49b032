"""Faults planted in a database, each with what the advice must call it. Every name needs quoting."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg import sql

from day2.operations.performance_tuning.facts import Machine
from day2.operations.performance_tuning.thresholds import MB, Thresholds

SCHEMA = 'Shop "it\'s" 1.x'
Q = '"Shop ""it\'s"" 1.x"'
MACHINE = Machine(ram_bytes=16 * 1024**3, cpus=4, disk_bytes=100 * 1024**3, disk_free_bytes=50 * 1024**3)
# As the policy's defaults, for tables that are made in a second.
SMALL = Thresholds(
    share=0.01,
    index_table_bytes=MB,
    unused_seconds=0,
    unused_bytes=8192,
    foreign_key_table_bytes=MB,
    bloat_bytes=MB // 2,
    overdue_seconds=0,
    upkeep_bytes=MB,
    transaction_seconds=1,
    slot_bytes=MB,
    temp_bytes_a_day=MB,
)
TABLES = """
create table "Order" as select g as id, g % 50000 as "Customer No", repeat('x', 100) as note
    from generate_series(1, 60000) g;
create table twice as select g as a, g % 7 as b from generate_series(1, 30000) g;
create index twice_one on twice (a);
create index "twice Two" on twice (a);
create table prefix as select g as a, g % 7 as b from generate_series(1, 30000) g;
create index prefix_short on prefix (a);
create index prefix_long on prefix (a, b);
create table idle as select g as a, md5(g::text) as c from generate_series(1, 30000) g;
create index idle_c on idle (c);
create table broken as select g % 100 as a from generate_series(1, 10000) g;
create table bloated (id bigint primary key, note text);
insert into bloated select g, repeat('y', 60) from generate_series(1, 100000) g;
delete from bloated where id % 5 <> 0;
create table stale as select g as a, repeat('z', 60) as b from generate_series(1, 30000) g;
create table dead as select g as a, repeat('z', 60) as b from generate_series(1, 60000) g;
create table unkept (a int, b text) with (autovacuum_enabled = false, fillfactor = 90);
insert into unkept select g, repeat('z', 60) from generate_series(1, 60000) g;
create table parent (id int primary key);
insert into parent select generate_series(1, 1000);
create table child (id int, "Parent Id" int references parent, note text);
insert into child select g, g % 500 + 1, repeat('c', 60) from generate_series(1, 30000) g;
create table costly as select (g * 7919) % 1000 as k, repeat('w', 100) as note from generate_series(1, 60000) g;
create index costly_k on costly (k);
create table sorted as select md5(g::text) as t, repeat('s', 100) as note from generate_series(1, 30000) g;
create table numbered (id serial, wide bigint);
select setval(pg_get_serial_sequence('numbered', 'id'), 1932735283);
create sequence narrow as integer owned by numbered.wide;
alter table numbered alter wide set default nextval('narrow');
select setval('narrow', 2000000000);
"""
# After the tables were vacuumed and analyzed.
FAULTS = """
insert into stale select g, 'more' from generate_series(1, 20000) g;
delete from dead where a % 5 < 2;
delete from unkept where a % 5 < 2;
delete from parent where id > 900;
"""
FOUND = {
    f'missing_index:{Q}."Order" ("Customer No")',
    f'duplicate_index:{Q}."twice Two" on {Q}.twice',
    f"redundant_index:{Q}.prefix_short on {Q}.prefix",
    f"unused_index:{Q}.idle_c on {Q}.idle",
    f"invalid_index:{Q}.broken_a on {Q}.broken",
    f"invalid_index:{Q}.broken_too on {Q}.broken",
    f"table_bloat:{Q}.bloated",
    f"index_bloat:{Q}.bloated_pkey on {Q}.bloated",
    f"stale_statistics:{Q}.stale",
    f"vacuum_lag:{Q}.dead",
    f"vacuum_lag:{Q}.unkept",
    f"autovacuum_settings:{Q}.unkept",
    f'missing_foreign_key_index:{Q}.child ("Parent Id")',
    "setting:setting random_page_cost",
    "setting:setting work_mem",
    f"sequence_exhaustion:{Q}.numbered_id_seq",
    f"sequence_exhaustion:{Q}.narrow",
    "slot_pins_wal:forgotten",
}


def plant(connection: Any, other: Any, dbname: str) -> None:
    """Make every table and its fault; the sessions' faults come with the test."""
    connection.execute(sql.SQL("create schema {}").format(sql.Identifier(SCHEMA)))
    connection.execute(sql.SQL("set search_path = {}, public").format(sql.Identifier(SCHEMA)))
    connection.execute(TABLES)
    with pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute("create unique index concurrently broken_a on broken (a)")
    connection.execute("set statement_timeout = '500ms'")
    with other.transaction():
        other.execute(sql.SQL("insert into {}.broken values (1)").format(sql.Identifier(SCHEMA)))
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute("create index concurrently broken_too on broken (a)")
    connection.execute("reset statement_timeout")
    connection.execute("vacuum analyze")
    connection.execute(FAULTS)
    # A session tells of its rows a moment after it changed them; told after ANALYZE, they count as changed since.
    connection.execute("select pg_stat_force_next_flush()")
    # Counts anew what is there, and leaves the dead where they are.
    connection.execute("analyze dead")
    connection.execute("analyze unkept")
    database = sql.Identifier(dbname)
    connection.execute(sql.SQL("alter database {} set random_page_cost = 100").format(database))
    connection.execute(
        sql.SQL("alter database {} set search_path = {}, public").format(database, sql.Identifier(SCHEMA))
    )
    connection.execute("select public.pg_stat_statements_reset()")


def load(connection: Any, times: int = 21) -> None:
    """What the applications ask."""
    for number in range(times):
        connection.execute('select * from "Order" where "Customer No" = %s', (number,)).fetchall()
        connection.execute("select note from costly where k = %s", (number,)).fetchall()
        connection.execute(
            "select max(note), max(t) from (select t, note from sorted order by t offset 0) s"
        ).fetchall()
        connection.execute("select b from prefix where a = %s", (number,)).fetchall()
