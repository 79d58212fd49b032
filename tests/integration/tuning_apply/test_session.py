"""The session of a worker that is gone does not work on."""

from __future__ import annotations

import os
import socket
import threading

import psycopg

from day2.operations.performance_tuning.session import session
from day2.operations.performance_tuning.settle import end_orphans
from lab.processes import wait_until
from tests.integration.tuning_apply.conftest import Shop

WORKING = "select count(*) from pg_stat_activity where query = 'select pg_sleep(60)' and state = 'active'"


def sleep(connection: psycopg.Connection[tuple[object]]) -> None:
    try:
        connection.execute("select pg_sleep(60)")
    except psycopg.OperationalError:
        return  # its line was cut


def test_the_server_ends_a_session_whose_client_is_gone_although_it_waits_for_nothing(shop: Shop) -> None:
    with session(shop.server) as connection:
        sleeping = threading.Thread(target=sleep, args=(connection,))
        sleeping.start()
        wait_until(lambda: shop.run(WORKING) == [(1,)], "it works", seconds=10)
        with socket.socket(fileno=os.dup(connection.pgconn.socket)) as line:
            line.shutdown(socket.SHUT_RDWR)
        sleeping.join(timeout=10)
        wait_until(lambda: shop.run(WORKING) == [(0,)], "the server noticed", seconds=20)


def test_what_an_earlier_worker_still_does_is_ended(shop: Shop) -> None:
    with session(shop.server) as connection:
        sleeping = threading.Thread(target=sleep, args=(connection,))
        sleeping.start()
        wait_until(lambda: shop.run(WORKING) == [(1,)], "it works", seconds=10)
        assert end_orphans(shop.server) == 1
        assert shop.run(WORKING) == [(0,)]
        sleeping.join(timeout=10)
    assert end_orphans(shop.server) == 0
