#!/usr/bin/env python3
"""Five models on MovieLens 100K: how many of the held-out films come among the first ten.

    python3 films.py FOLDER         the folder with u.data; needs numpy and scipy

Change `palate.implicit` to `implicit` and leave EASE out: the rest runs as it is.
"""
import os
import sys
import time

import numpy as np
from scipy.sparse import csr_matrix

from palate.implicit import EASE
from palate.implicit.als import AlternatingLeastSquares
from palate.implicit.bpr import BayesianPersonalizedRanking
from palate.implicit.nearest_neighbours import BM25Recommender, CosineRecommender

MODELS = {
    "ALS": AlternatingLeastSquares(factors=32, regularization=1.0, alpha=2.0, iterations=20),
    "BPR": BayesianPersonalizedRanking(factors=32, learning_rate=0.05, iterations=60),
    "cosine": CosineRecommender(K=100),
    "BM25": BM25Recommender(K=100, K1=1.2, B=0.5),
    "EASE": EASE(regularization=200),
}


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    # A row of u.data: user, film, stars, time. Four stars and more are a like.
    rows = np.loadtxt(os.path.join(sys.argv[1], "u.data"), dtype=np.int64)
    shape = rows[:, 0].max(), rows[:, 1].max()
    rows = rows[rows[:, 2] >= 4]
    held = np.random.default_rng(1).random(len(rows)) < 0.2

    def matrix(part):
        entries = np.ones(len(part), dtype=np.float32)
        return csr_matrix((entries, (part[:, 0] - 1, part[:, 1] - 1)), shape=shape)

    train, test = matrix(rows[~held]), matrix(rows[held]).toarray()
    users = np.nonzero(test.sum(axis=1))[0]
    for name, model in MODELS.items():
        began = time.monotonic()
        model.fit(train, show_progress=False)
        seconds = time.monotonic() - began
        ids, _ = model.recommend(users, train[users], N=10)
        precision = np.take_along_axis(test[users], ids, axis=1).mean()
        print(f"{name:8} precision@10 {precision:.3f}, trained in {seconds:.2f} s")


if __name__ == "__main__":
    main()
