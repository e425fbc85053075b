"""The rows of reviews: what a user says of findings, by the content that they stand in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select, update
from sqlalchemy.engine import Connection

from backend.app.db.engine import database_now
from backend.app.db.models import ITEM_REVIEWS, USERS

_reviews = ITEM_REVIEWS.c


@dataclass(frozen=True, slots=True)
class ReviewRow:
    tab: str
    excerpt_hash: str
    occurrence: int
    state: str
    note: str | None
    by: str  # display name
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """What a review becomes; None leaves what was there. An empty note removes it."""

    state: str | None = None
    note: str | None = None


def of_source(conn: Connection, user_id: int, source_sha256: str) -> list[ReviewRow]:
    """All reviews that a user has given of one file or text."""
    rows = conn.execute(
        select(
            _reviews.tab,
            _reviews.excerpt_hash,
            _reviews.occurrence,
            _reviews.state,
            _reviews.note,
            USERS.c.display_name,
            _reviews.updated_at,
        )
        .join(USERS, USERS.c.id == _reviews.user_id)
        .where(_reviews.user_id == user_id, _reviews.source_sha256 == source_sha256)
    )
    return [ReviewRow(*row) for row in rows]


def put(
    conn: Connection,
    user_id: int,
    source_sha256: str,
    key: tuple[str, str, int],
    change: Change,
    *,
    now: datetime | None = None,
) -> None:
    """Make or change one review. `key`: tab, excerpt hash, occurrence."""
    now = now or database_now(conn)
    # One writer of a user at a time: two first reviews of an item at once would both insert.
    conn.execute(select(USERS.c.id).where(USERS.c.id == user_id).with_for_update(key_share=True))
    tab, excerpt_hash, occurrence = key
    values: dict[str, object] = {"updated_at": now}
    if change.state is not None:
        values["state"] = change.state
    if change.note is not None:
        values["note"] = change.note or None
    mine = (
        (_reviews.user_id == user_id)
        & (_reviews.source_sha256 == source_sha256)
        & (_reviews.tab == tab)
        & (_reviews.excerpt_hash == excerpt_hash)
        & (_reviews.occurrence == occurrence)
    )
    if conn.execute(update(ITEM_REVIEWS).where(mine).values(values)).rowcount:
        return
    conn.execute(
        insert(ITEM_REVIEWS).values(
            user_id=user_id,
            source_sha256=source_sha256,
            tab=tab,
            excerpt_hash=excerpt_hash,
            occurrence=occurrence,
            **{"state": "open", "note": None, **values},
        )
    )
