"""What a server and its databases held: the part of a manifest that a restore is compared with."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Table(Part):
    """A table's content at the snapshot: exact count and multiset fingerprint (postgres.fingerprint).

    `pinned` says whether the restored copy must be equal; if not, `reason` says why.
    """

    schema_name: str
    name: str
    rows: int
    fingerprint: str
    partition: bool = False
    pinned: bool = True
    reason: str = ""

    @property
    def label(self) -> str:
        return f"{self.schema_name}.{self.name}" if self.schema_name else self.name


class Sequence(Part):
    """A sequence's value before and after the copy: the restored value lies between, or up to some steps ahead."""

    schema_name: str
    name: str
    before: int
    after: int
    increment: int = 1


class Extension(Part):
    name: str
    version: str


class DatabaseContent(Part):
    """What one database of the source held, for comparison after a restore."""

    name: str
    encoding: str
    collate: str
    ctype: str
    tables: tuple[Table, ...]
    sequences: tuple[Sequence, ...]
    extensions: tuple[Extension, ...]
    schema_sha256: str
    schema_pinned: bool = True


class Source(Part):
    """The server the point was taken from."""

    version: str
    version_num: int
    system_identifier: str
    timeline: int
    data_checksums: bool
    superuser: str
    settings: dict[str, str]
    bytes: int
    in_recovery: bool
