"""The pair that the other tests break."""

from __future__ import annotations

from tests.integration.drill.making import Living


def test_it_streams(pair: Living) -> None:
    query = "select count(*) from pg_stat_replication where state = 'streaming'"
    assert pair.sql(pair.pair.primary, query) == 1
    assert pair.sql(pair.pair.standby, "select pg_is_in_recovery()") is True
