"""In place of implicit.nearest_neighbours: item-kNN.

Beside what `implicit` has, `palate help knn` lists options that may be given to each class, such as
user_power=0.5, with which a user of many items says less about any two of them.
"""
from __future__ import annotations

import os
from typing import TypeVar

import numpy as np

from ..errors import UsageError
from ..model import Option
from .base import Path, Recommender

N = TypeVar("N", bound="ItemItemRecommender")


class ItemItemRecommender(Recommender):
    """Item-kNN by cosine. (In `implicit` this class takes plain counts of common users, which
    palate has no measure for; the classes below are the same on both sides.)"""

    algorithm = "knn"
    similarity = "cosine"
    names = {"K": "neighbors", "similarity": "similarity", "user_power": "user_power"}
    score_type = np.float64
    own_zeros = False

    def __init__(self, K: int = 20, num_threads: int = 0, *, user_power: float = 0.0,
                 **more: Option) -> None:
        super().__init__(num_threads, None, **more)
        self.K, self.user_power = K, user_power

    @classmethod
    def load(cls: type[N], fileobj_or_path: Path) -> N:
        """As of every recommender; the measure of the file has to be that of the class."""
        made = super().load(fileobj_or_path)
        if made.similarity != cls.similarity:
            raise UsageError(f"{os.fspath(fileobj_or_path)} goes by {made.similarity}, "
                             f"{cls.__name__} by {cls.similarity}: load it with the class that "
                             "saved it")
        return made


class CosineRecommender(ItemItemRecommender):
    """Item-kNN by the cosine of the items' columns."""


class TFIDFRecommender(ItemItemRecommender):
    """Item-kNN by the cosine of columns weighted by TF-IDF."""

    similarity = "tfidf"


class BM25Recommender(ItemItemRecommender):
    """Item-kNN by columns weighted by BM25. What an item is to itself is no number of this scale:
    similar_items has it first, with the score infinity."""

    similarity = "bm25"
    names = {**ItemItemRecommender.names, "K1": "k1", "B": "b"}
    own_score = float(np.inf)

    def __init__(self, K: int = 20, K1: float = 1.2, B: float = 0.75, num_threads: int = 0, *,
                 user_power: float = 0.0, **more: Option) -> None:
        super().__init__(K, num_threads, user_power=user_power, **more)
        self.K1, self.B = K1, B
