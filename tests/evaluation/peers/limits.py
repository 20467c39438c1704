"""Naive limits: so many contacts a minute, so many bytes to one place."""

import polars as pl

from streams import PAIR

CONTACTS_PER_MINUTE = 100
BYTES = 10_000_000


def contacts_a_minute(streams):
    """Contacts of a session in the busiest minute in which it contacted a destination."""
    contacts = streams.tried().with_columns(minute=(pl.col("began") // 60))
    busy = contacts.with_columns(score=pl.len().over("trial", "session", "minute").cast(pl.Float64))
    return busy.group_by(PAIR).agg(pl.max("score"))


def bytes_sent(streams):
    """Bytes that a session sent to a destination."""
    sent = streams.tried().filter(pl.col("kind") != "question")
    return sent.group_by(PAIR).agg(score=pl.sum("up").cast(pl.Float64))
