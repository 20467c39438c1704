"""Naive limits: so many contacts a minute, so many bytes to one place, so many returns to a new one."""

import polars as pl

from streams import PAIR

CONTACTS_PER_MINUTE = 100
BYTES = 10_000_000
TIMES_NEW = 4


def contacts_a_minute(streams):
    """Contacts of a session in the busiest minute in which it contacted a destination."""
    contacts = streams.tried().with_columns(minute=(pl.col("began") // 60))
    busy = contacts.with_columns(score=pl.len().over("trial", "session", "minute").cast(pl.Float64))
    return busy.group_by(PAIR).agg(pl.max("score"))


def bytes_sent(streams):
    """Bytes that a session sent to a destination."""
    sent = streams.tried().filter(pl.col("kind") != "question")
    return sent.group_by(PAIR).agg(score=pl.sum("up").cast(pl.Float64))


def times_new(streams):
    """How often (in how many different seconds) a session contacted a destination that the history has
    not: how far novelty and repetition go without any statistics."""
    known = streams.history().select("destination").unique()
    new = streams.tried().join(known, on="destination", how="anti")
    return new.group_by(PAIR).agg(score=pl.col("began").floor().n_unique().cast(pl.Float64))
