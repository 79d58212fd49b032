"""The SQL that pg_dump, pg_dumpall and pg_restore write: split into statements, picked, renamed. Pure.

Bytes, not text: a dump is in its database's encoding, and every server encoding keeps ASCII apart.
Nothing is executed here, and nothing is matched inside a quoted name or a string.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

TOKEN = re.compile(
    rb"""(?P<comment> --[^\n]* | ^\\[^\n]* )   # a comment, or a command for psql
    | (?P<string> '(?:[^']|'')*' )
    | (?P<quoted> "(?:[^"]|"")*" )
    | (?P<word> [A-Za-z_\x80-\xff][\w$\x80-\xff]* )
    | (?P<other> \s+ | . )""",
    re.VERBOSE | re.MULTILINE | re.DOTALL,
)
PREAMBLE = (b"SET client_encoding", b"SET standard_conforming_strings")
# The session's other settings stay as they are: they would outlive the statement they are for.
AUTHORIZATION = (b"SET SESSION AUTHORIZATION", b"RESET SESSION AUTHORIZATION")

Tokens = list[tuple[str, bytes]]


def split(script: bytes) -> list[bytes]:
    """The statements of a script, without comments, psql commands and the closing semicolons."""
    return [statement for each in _statements(script) if (statement := _joined(each).strip())]


def database_properties(script: bytes, name: str) -> tuple[bytes, list[bytes]]:
    """What makes a database and sets its owner, settings, rights and comment, for another name.

    Returns CREATE DATABASE, and the rest in order.
    """
    create, rest = b"", []
    for tokens in _statements(script):
        text = _joined(tokens).strip()
        renamed = _renamed(tokens, name)
        if text.startswith(b"CREATE DATABASE "):
            create = renamed
        elif renamed or text.startswith(PREAMBLE + AUTHORIZATION):
            rest.append(renamed or text)
    return create, rest


def roles_to_create(script: bytes, missing: frozenset[str]) -> list[bytes]:
    """Of a dump of roles, the statements about those a server lacks; roles it has stay as they are.

    Memberships are granted by whoever runs this: the grantor of the source may mean nothing here.
    """
    kept = []
    for tokens in _statements(script):
        text = _joined(tokens).strip()
        if text.startswith(PREAMBLE) or _concerned(tokens) & missing:
            kept.append(_without_grantor(tokens))
    return kept


def identifier(name: str) -> bytes:
    """A name quoted for SQL in plain ASCII, so that it means the same in every client encoding."""
    if name.isascii():
        return b'"' + name.replace('"', '""').encode() + b'"'
    escaped = name.replace("\\", "\\\\").replace('"', '""')
    return b'U&"' + "".join(c if c.isascii() else f"\\+{ord(c):06X}" for c in escaped).encode() + b'"'


def _statements(script: bytes) -> Iterator[Tokens]:
    statement: Tokens = []
    for match in TOKEN.finditer(script):
        kind, text = str(match.lastgroup), match[0]
        if kind == "comment":
            continue
        if text == b";":
            yield statement
            statement = []
        else:
            statement.append((kind, text))


def _joined(tokens: Tokens) -> bytes:
    return b"".join(text for _, text in tokens)


def _renamed(tokens: Tokens, name: str) -> bytes:
    """The statement for the database `name`; empty if it is not about a database."""
    words = [index for index, (kind, _) in enumerate(tokens) if kind in ("word", "quoted")]
    for index, following in zip(words, words[1:], strict=False):
        if tokens[index] == ("word", b"DATABASE"):
            return _joined([*tokens[:following], ("quoted", identifier(name)), *tokens[following + 1 :]]).strip()
    return b""


def _concerned(tokens: Tokens) -> set[str]:
    """The roles a statement is about. A membership is about its member: the group may be an old one."""
    words = [(kind, text) for kind, text in tokens if kind in ("word", "quoted")]
    if words[:1] == [("word", b"GRANT")]:
        after = (index for index, each in enumerate(words) if each == ("word", b"TO"))
    else:
        after = (index for index, each in enumerate(words) if each == ("word", b"ROLE"))
    first = next(after, None)
    if first is None or first + 1 >= len(words):
        return set()
    kind, text = words[first + 1]
    named = text[1:-1].replace(b'""', b'"') if kind == "quoted" else text
    return {named.decode(errors="surrogateescape")}


def _without_grantor(tokens: Tokens) -> bytes:
    for index in range(len(tokens)):
        if [text for _, text in tokens[index : index + 3]] == [b"GRANTED", b" ", b"BY"]:
            return _joined(tokens[:index]).strip()
    return _joined(tokens).strip()
