"""Models that `implicit` does not have, behind the same calls. The parameters are palate's options;
`palate help ease` and so on say what each does."""
from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model import Option
from .base import FactorRecommender, Recommender


class EASE(Recommender):
    """EASE (Steck 2019): a linear model, solved at once. Memory is items squared."""

    algorithm = "ease"
    names = {"regularization": "regularization"}
    own_score = None

    def __init__(self, regularization: float = 500.0, num_threads: int = 0,
                 random_state: Any = None, **more: Option) -> None:
        super().__init__(num_threads, random_state, **more)
        self.regularization = regularization


class SLIM(Recommender):
    """SLIM (Ning and Karypis 2011): a sparse linear model by elastic net."""

    algorithm = "slim"
    names = {"l1": "l1", "l2": "l2", "K": "neighbors"}
    own_score = None

    def __init__(self, l1: float = 1.0, l2: float = 500.0, K: int = 200, num_threads: int = 0,
                 random_state: Any = None, **more: Option) -> None:
        super().__init__(num_threads, random_state, **more)
        self.l1, self.l2, self.K = l1, l2, K


class GraphFilter(Recommender):
    """GF-CF (Shen et al. 2021): a linear and an ideal low-pass filter on the graph of items."""

    algorithm = "graph"
    names = {"factors": "factors"}
    own_score = None

    def __init__(self, factors: int = 256, num_threads: int = 0, random_state: Any = None,
                 **more: Option) -> None:
        super().__init__(num_threads, random_state, **more)
        self.factors = factors


class Item2Vec(FactorRecommender):
    """item2vec: skip-gram with negative sampling. A row's entries count in the order in which the
    matrix has them; SciPy's are in the order of their numbers once sorted."""

    algorithm = "item2vec"
    names = {"factors": "factors", "iterations": "epochs", "window": "window"}

    def __init__(self, factors: int = 64, iterations: int = 20, window: int = 5,
                 num_threads: int = 0, random_state: Any = None, **more: Option) -> None:
        super().__init__(num_threads, random_state, **more)
        self.factors, self.iterations, self.window = factors, iterations, window

    @property
    def item_factors(self) -> NDArray[np.float32]:
        """(items, factors), a copy."""
        return self._trained().array("item_vectors")


class Popular(Recommender):
    """What most users have: the baseline."""

    algorithm = "popular"
    own_score = None
