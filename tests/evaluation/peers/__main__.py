"""Has other ways to judge say what they make of the streams that `egret-evaluate --peers` wrote:

    python tests/evaluation/peers FOLDER

reads FOLDER/sessions.tsv and FOLDER/contacts.tsv, and writes FOLDER/figures.json.
"""

import json
import sys
from math import nextafter
from pathlib import Path

import numpy as np
import polars as pl

import beacons
import features
import learners
import limits
import population
import rita
from figures import compared
from streams import PAIR, SESSION, Streams

# Egret says nothing below its threshold.
ANY_ALERT = nextafter(0.0, 1.0)


def of_egret(streams):
    for column, words in [("cold", "as shipped"), ("learned", "as shipped, calibrated on the history")]:
        yield compared(f"Egret, {column}", words, ANY_ALERT, *streams.of_egret(column))


def of_rules(streams):
    """Those that learn nothing but who was contacted before."""
    for name, least_s in [("within a day", beacons.DAY_S), ("each trial alone", 0)]:
        scored = beacons.scores(streams, least_s)
        yield compared(
            f"RITA's score, {name}",
            'severity "high" (0.6)',
            rita.HIGH,
            *streams.attackers_and_sessions(scored),
        )
    for name, bucket_s in [("3 h", 3 * 3600), ("5 min", 300)]:
        scored, own = population.scores(streams, bucket_s)
        words = f"record score 75: the quantile {population.OWN_QUANTILE:.4f} of the history"
        yield compared(
            f"Elastic's population sums, {name}", words, own, *streams.attackers_and_sessions(scored)
        )
    for name, judge, own in [
        ("100 contacts a minute", limits.contacts_a_minute, limits.CONTACTS_PER_MINUTE),
        ("10 MB to one place", limits.bytes_sent, limits.BYTES),
        ("4 contacts with a new place", limits.times_new, limits.TIMES_NEW),
    ]:
        yield compared(name, "in the name", own, *streams.attackers_and_sessions(judge(streams)))


def of_learners(streams):
    history = features.pairs(streams.history(), streams.history())
    judged = streams.tried().filter(pl.col("part") != "beside")
    tried = features.pairs(judged, streams.history())
    for name, learner, quantile in [
        ("Half-space trees", learners.half_space_trees, learners.RIVER_QUANTILE),
        ("ECOD", learners.ecod, learners.PYOD_QUANTILE),
        ("Isolation forest", learners.isolation_forest, learners.PYOD_QUANTILE),
    ]:
        before, now = learner(history, tried)
        of_sessions = history.select(SESSION).with_columns(score=pl.Series(before))
        of_sessions = of_sessions.group_by(SESSION).agg(pl.max("score"))["score"]
        own = float(np.quantile(of_sessions.to_numpy(), quantile))
        words = f"the quantile {quantile:.2f} of the history's sessions"
        scored = tried.select(PAIR).with_columns(score=pl.Series(now))
        yield compared(name, words, own, *streams.attackers_and_sessions(scored))


def main(folder):
    streams = Streams(folder)
    figures = [*of_egret(streams), *of_rules(streams), *of_learners(streams)]
    (folder / "figures.json").write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
