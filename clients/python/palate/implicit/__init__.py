"""The calls of the package `implicit`, answered by palate: change the import, keep the notebook.

    from palate.implicit.als import AlternatingLeastSquares
    model = AlternatingLeastSquares(factors=64, alpha=2.0)
    model.fit(user_items)                                   # scipy.sparse.csr_matrix
    ids, scores = model.recommend(userid, user_items[userid], N=10)

What is the same, what differs and why is in this package's README.md, under "In place of implicit".
"""
from . import als, bpr, more, nearest_neighbours
from .als import AlternatingLeastSquares
from .base import Recommender
from .bpr import BayesianPersonalizedRanking
from .more import EASE, SLIM, GraphFilter, Item2Vec, Popular
from .nearest_neighbours import (BM25Recommender, CosineRecommender, ItemItemRecommender,
                                 TFIDFRecommender)

__all__ = ["AlternatingLeastSquares", "BM25Recommender", "BayesianPersonalizedRanking",
           "CosineRecommender", "EASE", "GraphFilter", "Item2Vec", "ItemItemRecommender",
           "Popular", "Recommender", "SLIM", "TFIDFRecommender", "als", "bpr", "more",
           "nearest_neighbours"]
