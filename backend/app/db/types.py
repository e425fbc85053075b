"""Column types and the few words of SQL in which SQLite and PostgreSQL differ."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Integer, bindparam, types
from sqlalchemy.engine import Connection
from sqlalchemy.sql import text
from sqlalchemy.sql.elements import TextClause

# Integers that grow: 64 bit on PostgreSQL; on SQLite only INTEGER may be an autoincremented key.
BigId = BigInteger().with_variant(Integer, "sqlite")
# JSON, not JSONB: it keeps the order of keys, and nothing queries inside it.
Json = JSON(none_as_null=True)

_TIME_FORMAT = "%Y-%m-%d %H:%M:%S.%f"


class UTCDateTime(types.TypeDecorator[datetime]):
    """Aware UTC in Python; timestamptz on PostgreSQL, fixed-width text on SQLite (it sorts as time)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime has no place in the database")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def time_text(value: datetime | None) -> str | None:
    """A time as both databases store or read it inside a JSON batch (PostgreSQL sessions run in UTC)."""
    return None if value is None else value.astimezone(UTC).strftime(_TIME_FORMAT)


def json_text(value: Any) -> str:
    """Compact JSON that both databases accept. NaN and infinity raise ValueError; NUL and lone surrogates,
    which PostgreSQL refuses, become U+FFFD: they come from documents and models, never from us."""
    text = _ENCODE(value)
    if "\\u0000" in text:
        text = _ESCAPED_NUL.sub(lambda found: found.group(1) + "\ufffd", text)
    if not text.isascii() and _SURROGATE.search(text):
        text = _SURROGATE.sub("\ufffd", text)
    return text


# One encoder for all: `json.dumps` with options makes a new one each time.
_ENCODE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
# An escaped backslash before "u0000" is a backslash, not an escape.
_ESCAPED_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")
_SURROGATE = re.compile("[\ud800-\udfff]")

# Statistics of a queue's tables are always stale, so PostgreSQL must not be able to choose a quadratic plan:
# lists become arrays (no join), and `{status}` hides the column from the partial indexes where the key is
# the way in.
_WORDS: dict[str, dict[str, str]] = {
    "sqlite": {
        "in_ids": "IN (SELECT value FROM json_each(:ids))",
        "in_texts": "IN (SELECT value FROM json_each(:texts))",
        "in_locked": "IN (SELECT id FROM locked)",
        # The batch is the way in; nobody else writes, and as a second way in it made a square of the batch.
        "and_locked": "",
        "array": "json_group_array",
        "for_update": "",
        "skip_locked": "",
        "status": "+status",
    },
    "postgresql": {
        "in_ids": "= ANY(ARRAY(SELECT CAST(value AS bigint)"
        " FROM json_array_elements_text(CAST(:ids AS json))))",
        "in_texts": "= ANY(ARRAY(SELECT value FROM json_array_elements_text(CAST(:texts AS json))))",
        "in_locked": "= ANY(ARRAY(SELECT id FROM locked))",
        "and_locked": "AND tasks.id = ANY(ARRAY(SELECT id FROM locked))",
        "array": "json_agg",
        # No key changes: the foreign-key checks of others need not wait.
        "for_update": "FOR NO KEY UPDATE",
        "skip_locked": "SKIP LOCKED",
        "status": "(status || '')",
    },
}

# A list of rows goes to the database as one JSON parameter, `:rows`: one statement for 1 or 50 rows.
_ROWS = re.compile(r"\{rows (\w+)\(([^)]*)\)\}")


def _sqlite_rows(found: re.Match[str]) -> str:
    columns = []
    for column in found.group(2).split(","):
        name, kind = column.split()
        # An SQL NULL for a JSON null; `->` would give the text "null".
        taken = f"nullif(value -> '{name}', 'null')" if kind == "json" else f"value ->> '{name}'"
        columns.append(f"{taken} AS {name}")
    return f"(SELECT {', '.join(columns)} FROM json_each(:rows)) AS {found.group(1)}"  # noqa: S608  our own words


def _postgresql_rows(found: re.Match[str]) -> str:
    return f"json_to_recordset(CAST(:rows AS json)) AS {found.group(1)}({found.group(2)})"


_ROWS_ON = {"sqlite": _sqlite_rows, "postgresql": _postgresql_rows}


class Sql:
    """One statement, written once: `{in_ids}`, `{rows e(id bigint, data json)}` … become each database's own
    words. Types of row columns: bigint, text, json, timestamptz.

    `bind` gives bind types, `columns` result types, as in `text().bindparams()` and `.columns()`; `words`
    adds words of the statement's own by database.
    """

    def __init__(
        self,
        template: str,
        *,
        columns: tuple[Any, ...] = (),
        words: dict[str, dict[str, str]] | None = None,
        **bind: Any,
    ) -> None:
        self._template, self._columns, self._bind = template, columns, bind
        self._own_words = words or {}
        self._made: dict[str, TextClause] = {}

    def on(self, conn: Connection) -> Any:
        """The statement for this connection's database (made once each)."""
        name = conn.dialect.name
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def words(self, name: str) -> str:
        """The statement in one database's words, with `:name` binds."""
        sql = _ROWS.sub(_ROWS_ON[name], self._template)
        for word, meaning in (_WORDS[name] | self._own_words.get(name, {})).items():
            sql = sql.replace("{" + word + "}", meaning)
        return sql

    def _make(self, name: str) -> Any:
        made: Any = text(self.words(name))
        if self._bind:
            made = made.bindparams(*(bindparam(name, type_=kind) for name, kind in self._bind.items()))
        return made.columns(*self._columns) if self._columns else made
