"""Learners of what is ordinary, each with the settings that it comes with: half-space trees as in
river's example (scaled to the unit cube), ECOD and isolation forest from PyOD."""

import numpy as np
from pyod.models.ecod import ECOD
from pyod.models.iforest import IForest
from river import anomaly, compose, preprocessing

from features import FEATURES

SEED = 42

# The contamination that PyOD assumes, and the quantile of river's example.
PYOD_QUANTILE = 0.90
RIVER_QUANTILE = 0.95


def half_space_trees(history, tried):
    model = compose.Pipeline(preprocessing.MinMaxScaler(), anomaly.HalfSpaceTrees(seed=SEED))
    for row in history.select(FEATURES).iter_rows(named=True):
        model.learn_one(row)
    score = lambda rows: np.array([model.score_one(row) for row in rows.select(FEATURES).iter_rows(named=True)])
    return score(history), score(tried)


def isolation_forest(history, tried):
    model = IForest(random_state=SEED).fit(history.select(FEATURES).to_numpy())
    return model.decision_scores_, model.decision_function(tried.select(FEATURES).to_numpy())


def ecod(history, tried):
    model = ECOD().fit(history.select(FEATURES).to_numpy())
    return model.decision_scores_, model.decision_function(tried.select(FEATURES).to_numpy())
