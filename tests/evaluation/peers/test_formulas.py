"""What is computed here is what is published: cases that can be done by hand."""

import unittest
from math import inf

import figures
import rita

DAY = (0, 86_400)


def beacon(hours):
    times = list(range(0, hours * 3600, 60))
    return rita.beacon_score(times, [300] * len(times), *DAY)


class Rita(unittest.TestCase):
    def test_a_perfect_beacon_all_day_scores_all(self):
        self.assertEqual(beacon(24), 1.0)

    def test_a_perfect_beacon_of_three_hours_scores_half(self):
        # Even gaps and sizes; too few hours for duration and histogram to say anything.
        self.assertEqual(beacon(3), 0.5)

    def test_a_beacon_of_eight_hours_gains_by_its_duration(self):
        # A steady run of 8 of 12 hours; a histogram that is far from flat.
        self.assertEqual(beacon(8), round((1 + 1 + 8 / 12) / 4, 3))

    def test_jitter_costs_what_the_median_deviation_says(self):
        gaps = sorted([30, 40, 50, 60, 70, 80, 90])
        # Symmetric; half of the gaps are within 20 s of the median of 60 s.
        self.assertEqual(rita.spread_score(gaps, 1.0), round((1 + 40 / 60) / 2, 3))

    def test_three_connections_are_no_beacon(self):
        self.assertEqual(rita.beacon_score([0, 60, 120], [1, 1, 1], *DAY), 0.0)

    def test_scores_are_interpolated_between_categories(self):
        of = lambda value: round(rita.category_score(value, rita.BEACON_THRESHOLDS), 6)
        self.assertEqual([of(value) for value in (49, 50, 60, 70, 95, 100)], [0, 0.2, 0.3, 0.4, 0.7, 0.8])

    def test_a_new_and_rare_name_adds_and_an_old_and_common_one_takes_away(self):
        self.assertAlmostEqual(rita.modifiers(0.01, 0), 0.3)
        self.assertAlmostEqual(rita.modifiers(0.6, 31), -0.3)
        self.assertEqual(rita.modifiers(0.1, 10), 0.0)

    def test_hundred_names_below_a_domain_are_a_tunnel(self):
        self.assertEqual(rita.tunnel_score(99, False, 0.1, 10), -inf)
        self.assertAlmostEqual(rita.tunnel_score(1000, False, 0.1, 10), 0.95)


class Figures(unittest.TestCase):
    def test_a_threshold_lets_no_more_through_than_it_may(self):
        scores = [float(n) for n in range(2000)]
        threshold = figures.threshold_for(scores, 0.001)
        self.assertEqual([score for score in scores if score >= threshold], [1998.0, 1999.0])
        # Equal scores pass together, or not at all.
        self.assertGreater(figures.threshold_for([5.0] * 2000, 0.001), 5.0)

    def test_precision_is_averaged_over_steps_of_recall(self):
        self.assertAlmostEqual(figures.average_precision([3.0, 1.0], [2.0, 0.0]), 0.5 * 1 + 0.5 * 2 / 3)
        self.assertAlmostEqual(figures.average_precision([1.0], [1.0, 1.0, 1.0]), 0.25)

    def test_every_attack_weighs_the_same(self):
        attacks = [("a", "plain", 1.0), ("b", "plain", 0.0), ("b", "plain", 0.0), ("b", "plain", 1.0)]
        self.assertAlmostEqual(figures.macro_recall(attacks, 0.5)["plain"], (1 + 1 / 3) / 2)


if __name__ == "__main__":
    unittest.main()
