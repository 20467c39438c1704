"""Elastic's population job, `high_sum(source.bytes) over destination`, written anew from what is
published: the job's configuration (buckets of three hours, the sum of bytes sent to each
destination), and that a sum is scored by its tail probability under a distribution fitted to the
sums of all destinations. The rules that come with it alert from a record score of 75 on. The mapping of tail
probabilities to scores (`DEFAULT_NORMALIZED_SCORE_KNOT_POINTS`) gives 75 to the quantile 0.995625 of
the scores so far.

Simplified: of the families of distributions the likelier of log-normal and gamma is taken, fitted once
to the whole history; no mixtures, no trend, no decay.
"""

import numpy as np
import polars as pl
from scipy import stats

# Between the knots (99.0, 50) and (99.9, 90).
OWN_QUANTILE = 0.990 + 0.009 * (75 - 50) / (90 - 50)


def sums(contacts, bucket_s):
    """The sum of each destination in each bucket, with the session that sent most of it."""
    sent = contacts.filter((pl.col("kind") != "question") & (pl.col("up") > 0))
    sent = sent.with_columns(bucket=(pl.col("ended") // bucket_s))
    by_session = sent.group_by("trial", "bucket", "destination", "session").agg(pl.sum("up"))
    by_session = by_session.sort("up", "session", descending=[True, False])
    return by_session.group_by("trial", "bucket", "destination").agg(
        total=pl.sum("up"), session=pl.first("session")
    )


def likelier_tail(totals):
    """-log10 of the tail probability, under the likelier distribution."""
    families = [stats.lognorm, stats.gamma]
    fitted = [(family, family.fit(totals, floc=0)) for family in families]
    family, parameters = max(fitted, key=lambda fit: fit[0].logpdf(totals, *fit[1]).sum())
    return lambda values: -family.logsf(values, *parameters) / np.log(10)


def scores(streams, bucket_s):
    """The score of each destination, for the session that sent most to it; and the own threshold."""
    history = sums(streams.history(), bucket_s)["total"].to_numpy()
    tail = likelier_tail(history)
    records = sums(streams.tried(), bucket_s)
    scored = records.with_columns(score=pl.Series(tail(records["total"].to_numpy())))
    return scored, float(np.quantile(tail(history), OWN_QUANTILE))
