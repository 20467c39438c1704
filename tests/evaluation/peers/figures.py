"""Figures of one way to judge, from one score per attacker and per ordinary session."""

from collections import defaultdict
from itertools import groupby
from math import inf, nextafter

PER_1000 = 0.001


def threshold_for(scores, share):
    """The lowest threshold that at most this share of the scores reaches."""
    allowed = int(len(scores) * share)
    ordered = sorted(scores, reverse=True)
    return nextafter(ordered[allowed], inf) if allowed < len(ordered) else -inf


def share_reaching(scores, threshold):
    return sum(score >= threshold for score in scores) / len(scores)


def average_precision(positives, negatives):
    """The area under the curve of precision and recall, step by step; equal scores are one step."""
    labelled = sorted([(score, 1) for score in positives] + [(score, 0) for score in negatives], reverse=True)
    found = alarms = 0
    area = 0.0
    for _, tied in groupby(labelled, key=lambda labelled: labelled[0]):
        hits = [is_attack for _, is_attack in tied]
        before, found, alarms = found, found + sum(hits), alarms + len(hits)
        area += (found - before) / len(positives) * found / alarms
    return area


def macro_recall(attacks, threshold):
    """By manner: the mean over attacks, however many attackers each has.

    `attacks` holds (attack, manner, score) of each attacker."""
    found = defaultdict(lambda: defaultdict(list))
    for attack, manner, score in attacks:
        found[manner][attack].append(score >= threshold)
    mean = lambda values: sum(values) / len(values)
    return {manner: mean([mean(hits) for hits in by.values()]) for manner, by in found.items()}


def sizes_found(sized, threshold):
    """For each attack: [size, found, of] by size. `sized` holds (attack, size, score)."""
    found = defaultdict(lambda: defaultdict(list))
    for attack, size, score in sized:
        found[attack][size].append(score >= threshold)
    return {
        attack: [[size, sum(hits), len(hits)] for size, hits in sorted(by.items())]
        for attack, by in found.items()
    }


def compared(name, words, own, attacks, sized, ordinary, elsewhere):
    """All figures; `own` is the threshold that it comes with, `words` says what that is. `elsewhere`
    are the scores that sessions with an attack got for their ordinary work."""
    at_1 = threshold_for(ordinary, PER_1000)
    at = lambda threshold: {
        "recall": macro_recall(attacks, threshold),
        "per_1000": 1000 * share_reaching(ordinary, threshold),
        "mistaken": share_reaching(elsewhere, threshold),
    }
    return {
        "name": name,
        "threshold": words,
        "own": at(own),
        "at_1": at(at_1),
        "auc_pr": average_precision([score for *_, score in attacks], ordinary),
        "sizes": sizes_found(sized, at_1),
    }
