"""What a rejoin decides from control files, timelines and file names."""

from __future__ import annotations

from dataclasses import replace

import pytest

from day2.operations.dr_drill import clear_up, evidence, lineage, rejoin, rewind, settings_kept
from day2.operations.dr_drill.controldata import Control, parsed
from day2.operations.dr_drill.lineage import Lineage
from day2.operations.dr_drill.pair import Seen

MIB = 1 << 20
SAID = """\
pg_control version number:            1300
Database system identifier:           7576543210987654321
Database cluster state:               shut down
Latest checkpoint location:           1/3000060
Latest checkpoint's REDO location:    1/3000028
Latest checkpoint's TimeLineID:       1
Minimum recovery ending location:     0/0
Min recovery ending loc's timeline:   0
Bytes per WAL segment:                16777216
Time of latest checkpoint:            Mon Nov 23 06:15:00 2026
"""
STOPPED = parsed(SAID)
FORK = STOPPED.checkpoint + 120
SOURCE = Lineage(timeline=2, lsn=FORK + 5000, left=((1, FORK),))


def test_a_control_file_is_read() -> None:
    assert STOPPED.state == "shut down"
    assert STOPPED.checkpoint == (1 << 32) + 0x3000060
    assert (STOPPED.redo, STOPPED.timeline, STOPPED.segment_bytes) == ((1 << 32) + 0x3000028, 1, 16 * MIB)


def test_a_history_file_says_where_each_timeline_was_left() -> None:
    text = "1\t0/3000148\tno recovery target specified\n\n2\t1/5000028\tno recovery target specified\n"
    assert lineage.parsed(text) == ((1, 0x3000148), (2, (1 << 32) + 0x5000028))


CRASHED = replace(STOPPED, state="in production")
REWOUND = replace(STOPPED, state="in archive recovery", recovered=FORK + 100, recovered_timeline=2)


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (STOPPED, "start"),  # its last checkpoint is on both sides of the fork
        (replace(STOPPED, checkpoint=FORK), "rewind"),  # it went on after the fork
        (replace(STOPPED, timeline=7), "rewind"),  # a timeline that the source never was on
        (CRASHED, "rewind"),  # pages may be ahead of what anybody received
        (REWOUND, "start"),  # on the source's timeline already
        (replace(STOPPED, state="shut down in recovery", recovered=FORK - 50, recovered_timeline=1), "start"),
        (replace(STOPPED, state="shut down in recovery", recovered=FORK + 50, recovered_timeline=1), "rewind"),
    ],
)
def test_the_least_means_that_is_safe(before: Control, expected: str) -> None:
    assert rejoin.means(before, SOURCE, damaged=False) == expected


def test_what_may_be_half_rewound_is_cloned_anew_however_sound_it_looks() -> None:
    assert rejoin.means(STOPPED, SOURCE, damaged=True) == "reclone"


@pytest.mark.parametrize(
    ("after", "says"),
    [
        (REWOUND, ""),
        (STOPPED, "did nothing (the control file still says 'shut down')"),
        (replace(REWOUND, recovered_timeline=1), "it recovers on timeline 1, not 2"),
    ],
)
def test_a_rewind_is_believed_by_its_control_file_alone(after: Control, says: str) -> None:
    assert rewind.not_rewound(after, SOURCE) == says


def test_the_wal_from_the_fork_on_is_kept() -> None:
    begin = (1 << 32) + 3 * 16 * MIB
    listed = [
        f"000000010000000100000002 {begin - 16 * MIB}",
        f"000000010000000100000003 {begin}",
        f"000000010000000100000004.partial   {begin + 16 * MIB}",
        f"000000010000000100000005 {begin - 64 * MIB}",  # renamed, to be written anew
        "000000010000000100000006 0",  # made, and never written
        f"000000020000000100000003 {begin}",
        "00000002.history 3328504234",
        "00000003.history",
    ]
    first = evidence.segment(STOPPED, FORK)
    assert first == "000000010000000100000003"
    kept = ["000000010000000100000003", "000000010000000100000004.partial"]
    assert evidence.segments(STOPPED, listed, first) == kept
    assert evidence.first_byte(STOPPED, kept[0]) == begin


@pytest.mark.parametrize(
    "said",
    [
        "error in WAL record at 0/30024D8: invalid record length at 0/30025C8: expected at least 24, got 0",
        "error in WAL record at 0/30024D8: invalid record length at 0/30025C8: wanted 24, got 0",
        "first record is after 0/3000000, at 0/3000028, skipping over 40 bytes\n"
        "error in WAL record at 0/30024D8: invalid magic number 0000 in WAL segment x, LSN 0/30025C8, offset 9",
    ],
)
def test_pg_waldump_says_where_the_wal_ends(said: str) -> None:
    assert evidence.ended_at(said) == 0x30025C8


def test_nor_does_another_error_say_it() -> None:
    assert evidence.ended_at('pg_waldump: error: could not find file "000000010000000000000003"') is None


def test_settings_are_what_postgresql_did_not_make() -> None:
    names = ["PG_VERSION", "backup_label.old", "pg_hba.conf", "pg_wal", "postgresql.auto.conf", "postmaster.opts"]
    names += ["postmaster.pid", "server.key", "standby.signal", "day2-start.log", "backup_manifest", "pair.conf"]
    kept = ["pair.conf", "pg_hba.conf", "postgresql.auto.conf", "postmaster.opts", "server.key"]
    assert settings_kept.settings(names) == kept


def test_includes_below_the_data_directory_are_settings_too() -> None:
    text = """
    include 'pair.conf'
    include_dir 'conf.d'
    include_if_exists = '/data/extra/more.conf'
    include '../outside.conf'
    include_dir '/etc/postgresql'
    # include 'not.this'
    """
    assert settings_kept.included(text, "/data") == ["conf.d", "extra/more.conf", "pair.conf"]


def test_a_pair_is_whole_when_one_follows_the_other_whichever_it_is() -> None:
    primary, standby = Seen("a", "primary"), Seen("b", "standby", follows=True)
    assert clear_up.is_whole(primary, standby)
    assert clear_up.is_whole(replace(standby, node="a"), replace(primary, node="b"))
    assert not clear_up.is_whole(primary, replace(standby, follows=False))
    assert not clear_up.is_whole(Seen("a", "stopped"), primary)
