"""RITA's threat score, written anew from what RITA 5 publishes: its configuration with all constants
(default_config.hjson) and the formulas it documents (https://github.com/activecm/rita).

Left out, because these streams have nothing for them: threat-intelligence feeds, media types, host
headers and rare signatures.
"""

from collections import Counter
from math import ceil, floor, inf
from statistics import fmean, median, pstdev

UNIQUE_TIMES = 4
HISTOGRAM_BARS = 24
MODE_SENSITIVITY = 0.05
BIMODAL_OUTLIERS = 1
BIMODAL_LEAST_BARS = 11
DURATION_LEAST_BARS = 6
DURATION_IDEAL_BARS = 12
# Skewness says nothing of spreads below this.
LEAST_SPREAD = 10

# Scores between these thresholds are interpolated between the scores of the categories.
CATEGORIES = (0.2, 0.4, 0.6, 0.8)
BEACON_THRESHOLDS = (50, 70, 90, 100)
LONG_THRESHOLDS_S = (3600, 14400, 28800, 43200)
SUBDOMAIN_THRESHOLDS = (100, 500, 800, 1000)

PREVALENCE = (0.02, 0.5, 0.15)
FIRST_SEEN_DAYS = (7, 30, 0.15)
NO_DIRECT_CONNECTION = 0.15

# Severity "high" begins here, "critical" above the next category.
HIGH = 0.6


def spread_score(values, without_median):
    """The mean of what skewness (Bowley's) and median deviation make of sorted values."""
    half = len(values) // 2
    lower, middle, upper = median(values[:half]), median(values), median(values[-half:])
    skew = 0.0
    if upper - lower >= LEAST_SPREAD and middle not in (lower, upper):
        skew = (lower + upper - 2 * middle) / (upper - lower)
    deviation = median(abs(value - middle) for value in values)
    evenness = max(0.0, (middle - deviation) / middle) if middle >= 1 else without_median
    return round((1 - abs(skew) + evenness) / 2, 3)


def histogram(times, begin, end):
    """Connections in each of 24 equal parts of the data set."""
    width = (end - begin) / HISTOGRAM_BARS
    counts = Counter(min(HISTOGRAM_BARS - 1, int((at - begin) / width)) for at in times)
    return [counts[bar] for bar in range(HISTOGRAM_BARS)]


def histogram_score(bars):
    """Flat, or with two heights: the better of the two."""
    flat = max(0.0, round(1 - pstdev(bars) / fmean(bars), 3))
    filled = [bar for bar in bars if bar]
    if len(filled) < BIMODAL_LEAST_BARS:
        return flat
    step = ceil(max(filled) * MODE_SENSITIVITY)
    modes = Counter(floor(bar / step) for bar in filled).most_common(2)
    fit = sum(count for _, count in modes) / max(len(filled) - BIMODAL_OUTLIERS, 1)
    return max(flat, min(1.0, round(fit, 3)))


def longest_run(bars):
    """Filled bars in a row; the last is followed by the first."""
    longest = current = 0
    for bar in bars + bars:
        current = current + 1 if bar else 0
        longest = max(longest, current)
    return min(longest, len(bars))


def duration_score(times, bars, begin, end):
    """How much of the data set it lasted, or how steadily."""
    if sum(bar > 0 for bar in bars) < DURATION_LEAST_BARS:
        return 0.0
    coverage = (times[-1] - times[0]) / (end - begin)
    return min(1.0, max(coverage, longest_run(bars) / DURATION_IDEAL_BARS))


def beacon_score(times, sizes, begin, end):
    """0 to 1, of connections that begin at these sorted whole seconds."""
    gaps = sorted(b - a for a, b in zip(times, times[1:]) if b > a)
    if len(set(times)) < UNIQUE_TIMES or len(gaps) < 3:
        return 0.0
    bars = histogram(times, begin, end)
    parts = (
        spread_score(gaps, 1.0),
        spread_score(sorted(sizes), 0.0),
        duration_score(times, bars, begin, end),
        histogram_score(bars),
    )
    return round(fmean(parts), 3)


def category_score(value, thresholds):
    """Interpolates between the scores of the categories; nothing below the first threshold."""
    if value < thresholds[0]:
        return 0.0
    capped = min(value, thresholds[-1])
    for low, high, least, most in zip(thresholds, thresholds[1:], CATEGORIES, CATEGORIES[1:]):
        if capped <= high:
            return least + (capped - low) / (high - low) * (most - least)
    return CATEGORIES[-1]


def modifiers(prevalence, days_since_first_seen):
    """What rarity and novelty add, and commonness and age take away."""
    rare, common, by = PREVALENCE
    new, old, by_age = FIRST_SEEN_DAYS
    of_prevalence = by if prevalence <= rare else -by if prevalence >= common else 0.0
    of_age = by_age if days_since_first_seen <= new else -by_age if days_since_first_seen >= old else 0.0
    return of_prevalence + of_age


def connection_score(connections, dataset, prevalence, days):
    """Of one executor's connections to one name: (begin, seconds, bytes sent) each."""
    begin, end = dataset
    times = sorted(int(began) for began, _, _ in connections)
    sizes = [sent for _, _, sent in connections]
    beacon = beacon_score(times, sizes, begin, end)
    lasted = sum(seconds for _, seconds, _ in connections)
    base = max(
        category_score(100 * beacon, BEACON_THRESHOLDS),
        category_score(lasted, LONG_THRESHOLDS_S),
    )
    has_indicator = len(set(times)) >= UNIQUE_TIMES or lasted >= LONG_THRESHOLDS_S[0]
    return base + modifiers(prevalence, days) if has_indicator else -inf


def tunnel_score(subdomains, is_contacted_by_others, prevalence, days):
    """Of a domain below which many names were asked for."""
    if subdomains < SUBDOMAIN_THRESHOLDS[0]:
        return -inf
    base = category_score(subdomains, SUBDOMAIN_THRESHOLDS)
    direct = 0.0 if is_contacted_by_others else NO_DIRECT_CONNECTION
    return base + direct + modifiers(prevalence, days)
