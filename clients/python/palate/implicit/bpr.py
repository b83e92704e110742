"""In place of implicit.bpr."""
from __future__ import annotations

from typing import Any

import numpy as np

from ..model import Option
from .base import FactorRecommender, refuse


class BayesianPersonalizedRanking(FactorRecommender):
    """Bayesian personalized ranking (Rendle et al. 2009). A user's vector is found from the row
    whenever it is asked about, so that users who came after training are served too.

    more: options of palate's model, see `palate help bpr`.
    """

    algorithm = "bpr"
    names = {"factors": "factors", "learning_rate": "rate", "regularization": "regularization",
             "iterations": "epochs"}

    def __init__(self, factors: int = 100, learning_rate: float = 0.01,
                 regularization: float = 0.01, dtype: Any = np.float32, iterations: int = 100,
                 use_gpu: bool = False, num_threads: int = 0,
                 verify_negative_samples: bool = True, random_state: Any = None,
                 **more: Option) -> None:
        refuse(dtype=(np.dtype(dtype).name, "float32", "vectors are float32"),
               use_gpu=(bool(use_gpu), False, "it computes on the processor's cores"),
               verify_negative_samples=(bool(verify_negative_samples), True,
                                        "what a user liked is never drawn as a negative"))
        super().__init__(num_threads, random_state, **more)
        self.factors, self.learning_rate, self.regularization = (factors, learning_rate,
                                                                 regularization)
        self.iterations = iterations
