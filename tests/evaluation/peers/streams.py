"""Reads what was exported, and brings scores of (session, destination) to attackers and sessions."""

import polars as pl

PAIR = ["trial", "session", "destination"]
SESSION = ["trial", "session"]

# Egret's own.
SCORES = ["cold", "learned", "cold_elsewhere", "learned_elsewhere"]


class Streams:
    """The sessions, their contacts, and which destinations are where an attack went."""

    def __init__(self, folder):
        self.sessions = pl.read_csv(
            folder / "sessions.tsv",
            separator="\t",
            schema_overrides={
                "most_bytes": pl.Int64,
                "campaign": pl.Int64,
                **dict.fromkeys(SCORES, pl.Float64),
            },
        ).sort(SESSION)
        contacts = pl.read_csv(
            folder / "contacts.tsv",
            separator="\t",
            quote_char=None,
            schema_overrides={"began": pl.Float64, "ended": pl.Float64, "destination": pl.String, "host": pl.String},
        )
        parts = self.sessions.select("trial", "session", "part", "template")
        self.contacts = contacts.join(parts, on=SESSION).sort([*PAIR, "began", "host"])
        self.places = self.contacts.filter(pl.col("about") == 1).select(PAIR).unique()

    def history(self):
        """Contacts of the sessions that may be learned from."""
        return self.contacts.filter(pl.col("part") == "history")

    def tried(self):
        """Contacts of everything that is judged or stands beside it."""
        return self.contacts.filter(pl.col("part") != "history")

    def attackers_and_sessions(self, scored):
        """Scores of attackers at where their attacks went, as (attack, manner, score), and of those that
        were ended at a size, as (attack, size, score); of ordinary sessions; and of sessions with an
        attack, for everything else that they did.

        `scored` has a score for each of some (session, destination). What is not scored gets -inf."""
        right = scored.join(self.places, on=PAIR, how="semi")
        wrong = scored.join(self.places, on=PAIR, how="anti")
        attack = self.sessions.filter(pl.col("part") == "attack")
        free, sized = by_attacker(strongest(attack, right))
        ordinary = strongest(self.sessions.filter(pl.col("part") == "ordinary"), scored)
        elsewhere = strongest(attack.filter(pl.col("most_bytes").is_null()), wrong)
        return free, sized, ordinary["score"].to_list(), elsewhere["score"].to_list()

    def of_egret(self, column):
        """The same of Egret's own scores."""
        scores = self.sessions.with_columns(score=pl.col(column), elsewhere=pl.col(f"{column}_elsewhere"))
        attack = scores.filter(pl.col("part") == "attack")
        free, sized = by_attacker(attack)
        ordinary = scores.filter(pl.col("part") == "ordinary")
        elsewhere = attack.filter(pl.col("most_bytes").is_null())
        return free, sized, ordinary["score"].to_list(), elsewhere["elsewhere"].to_list()


def strongest(sessions, scored):
    """The strongest score of each session, in its own order."""
    scores = scored.group_by(SESSION).agg(pl.max("score"))
    joined = sessions.join(scores, on=SESSION, how="left", maintain_order="left")
    return joined.with_columns(pl.col("score").cast(pl.Float64).fill_null(float("-inf")))


def by_attacker(sessions):
    """The strongest of all sessions of an attacker: of those that did as they wanted, and of those that
    were ended at a size."""
    attackers = sessions.group_by("trial", "campaign", "attack", "manner", "most_bytes").agg(pl.max("score"))
    attackers = attackers.sort("trial", "campaign")
    free = attackers.filter(pl.col("most_bytes").is_null()).select("attack", "manner", "score")
    sized = attackers.filter(pl.col("most_bytes").is_not_null()).select("attack", "most_bytes", "score")
    return free.rows(), sized.rows()
