"""RITA's score on the streams: per executor and name, and per domain for what looks like a tunnel."""

import polars as pl

import rita
from streams import PAIR

DAY_S = 86_400


class Known:
    """Who contacted a name before and in the same trial, and since when."""

    def __init__(self, streams, column):
        self.column = column
        by = [column, "trial", "session"]
        seen = streams.history().group_by(column).agg(
            executors=pl.struct("trial", "session").n_unique(), since=pl.min("began")
        )
        self.before = {name: (executors, since) for name, executors, since in seen.iter_rows()}
        self.executors_before = streams.history().select("trial", "session").n_unique()
        now = streams.tried().select(by).unique().group_by("trial", column).agg(pl.len())
        self.now = {(trial, name): executors for trial, name, executors in now.iter_rows()}
        executors = streams.sessions.group_by("trial").agg(pl.len())
        self.executors_now = dict(executors.iter_rows())

    def prevalence_and_days(self, trial, name, end):
        """The share of executors that contact it, and the days since one first did."""
        before, since = self.before.get(name, (0, end))
        executors = before + self.now.get((trial, name), 0)
        return executors / (self.executors_before + self.executors_now[trial]), (end - since) / DAY_S


def scores(streams, least_s):
    """The score of each (session, destination) that has an indicator. What RITA imports at once is a
    trial, in a data set that lasts at least so long."""
    spans = datasets(streams, least_s)
    rows = connection_rows(streams, spans) + tunnel_rows(streams, spans)
    schema = {"trial": pl.String, "session": pl.Int64, "destination": pl.String, "score": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def datasets(streams, least_s):
    """When the data set of each trial begins and ends."""
    spans = streams.tried().group_by("trial").agg(begin=pl.min("began"), end=pl.max("ended"))
    return {trial: (min(begin, end - least_s), end) for trial, begin, end in spans.iter_rows()}


def connection_rows(streams, spans):
    known = Known(streams, "host")
    judged = streams.tried().filter((pl.col("kind") != "question") & (pl.col("part") != "beside"))
    lists = judged.group_by([*PAIR, "host"]).agg("began", lasted=pl.col("ended") - pl.col("began"), sent=pl.col("up"))
    rows = []
    for trial, session, destination, host, began, lasted, sent in lists.iter_rows():
        prevalence, days = known.prevalence_and_days(trial, host, spans[trial][1])
        score = rita.connection_score(list(zip(began, lasted, sent)), spans[trial], prevalence, days)
        rows.append((trial, session, destination, score))
    return rows


def tunnel_rows(streams, spans):
    """Subdomains are counted over the whole trial; whoever asked below the domain gets its score."""
    known = Known(streams, "destination")
    is_question = pl.col("kind") == "question"
    domains = streams.tried().group_by("trial", "destination").agg(
        subdomains=pl.col("host").filter(is_question).n_unique(),
        asking=pl.col("session").filter(is_question).unique(),
        contacting=pl.col("session").filter(~is_question).unique(),
    )
    rows = []
    for trial, domain, subdomains, asking, contacting in domains.iter_rows():
        prevalence, days = known.prevalence_and_days(trial, domain, spans[trial][1])
        by_others = not set(contacting) <= set(asking)
        score = rita.tunnel_score(subdomains, by_others, prevalence, days)
        rows.extend((trial, session, domain, score) for session in asking)
    return rows
