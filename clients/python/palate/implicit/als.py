"""In place of implicit.als."""
from __future__ import annotations

from typing import Any

import numpy as np

from ..model import Option
from .base import FactorRecommender, refuse


class AlternatingLeastSquares(FactorRecommender):
    """iALS with the loss of `implicit` (Hu, Koren, Volinsky 2008): an entry r is a preference of
    confidence alpha * r, a negative one a dislike.

    more: options of palate's model, see `palate help als`. objective="rendle" is the loss of Rendle
    et al. 2022, whose regularization is on another scale and which has a weight alpha0 for what was
    not observed; it scores higher where it is tuned.
    """

    algorithm = "als"
    names = {"factors": "factors", "regularization": "regularization", "alpha": "alpha",
             "iterations": "epochs", "objective": "objective", "solver": "solver"}

    def __init__(self, factors: int = 100, regularization: float = 0.01, alpha: float = 1.0,
                 dtype: Any = np.float32, use_native: bool = True, use_cg: bool = True,
                 use_gpu: bool = False, iterations: int = 15,
                 calculate_training_loss: bool = False, num_threads: int = 0,
                 random_state: Any = None, *, objective: str = "hu", **more: Option) -> None:
        refuse(dtype=(np.dtype(dtype).name, "float32", "vectors are float32"),
               use_native=(bool(use_native), True, "there is nothing but native code"),
               use_gpu=(bool(use_gpu), False, "it computes on the processor's cores"),
               calculate_training_loss=(bool(calculate_training_loss), False,
                                        "evaluate on held-out data instead"))
        super().__init__(num_threads, random_state, **more)
        self.factors, self.regularization, self.alpha = factors, regularization, alpha
        self.iterations, self.objective = iterations, objective
        self.solver = "cg" if use_cg else "exact"
