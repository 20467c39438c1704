"""What a session did at a destination, as numbers: the same for all learners."""

import polars as pl

from streams import PAIR, SESSION

# Within what many destinations or many contacts are at once.
SHORT_S = 600
MINUTE_S = 60

FEATURES = [
    "contacts", "up", "up_most", "down", "up_per_down", "questions", "question_bytes", "names",
    "name_length", "blocked", "blocked_places", "lasted", "gap", "gap_variation", "at_once",
    "a_minute", "known",
]


def pairs(contacts, history):
    """One row for each (session, destination), with its features."""
    crowded = contacts.with_columns(
        at_once=pl.col("destination").n_unique().over("trial", "session", pl.col("began") // SHORT_S),
        a_minute=pl.len().over("trial", "session", pl.col("began") // MINUTE_S),
        gap=pl.col("began").diff().over(PAIR),
        is_question=pl.col("kind") == "question",
    )
    up = pl.col("up").filter(~pl.col("is_question"))
    rows = crowded.group_by(PAIR, maintain_order=True).agg(
        part=pl.first("part"),
        template=pl.first("template"),
        contacts=(~pl.col("is_question")).sum(),
        up=up.sum(),
        up_most=up.max().fill_null(0),
        down=pl.col("down").filter(~pl.col("is_question")).sum(),
        questions=pl.col("is_question").sum(),
        question_bytes=pl.col("up").filter(pl.col("is_question")).sum(),
        names=pl.col("host").n_unique(),
        name_length=pl.col("host").str.len_bytes().mean(),
        blocked=pl.sum("blocked"),
        lasted=pl.max("ended") - pl.min("began"),
        gap=pl.col("gap").mean().fill_null(0.0),
        gap_variation=(pl.col("gap").std() / (pl.col("gap").mean() + 1e-3)).fill_null(0.0),
        at_once=pl.max("at_once"),
        a_minute=pl.max("a_minute"),
    )
    rows = rows.with_columns(
        up_per_down=pl.col("up") / (pl.col("down") + 1),
        blocked_places=(pl.col("blocked") > 0).sum().over(SESSION) * (pl.col("blocked") > 0),
    )
    rows = with_known(rows, history)
    return rows.with_columns(pl.col(name).cast(pl.Float64).log1p() for name in FEATURES if name != "known")


def with_known(rows, history):
    """Adds the share of earlier sessions of the same template that contacted the destination; a session
    of the history does not count itself."""
    sessions = history.select("trial", "session", "template").unique()
    of_template = sessions.group_by("template").agg(of=pl.len())
    contacted = history.select(*PAIR, "template").unique()
    contacted = contacted.group_by("template", "destination").agg(n=pl.len())
    rows = rows.join(contacted, on=["template", "destination"], how="left", maintain_order="left")
    rows = rows.join(of_template, on="template", how="left", maintain_order="left")
    itself = (pl.col("part") == "history").cast(pl.Int64)
    share = (pl.col("n").fill_null(0) - itself) / (pl.col("of") - itself)
    return rows.with_columns(known=share)
