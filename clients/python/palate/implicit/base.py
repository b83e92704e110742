"""What the recommenders of this package share: the calls of `implicit`, on palate's models.

A model of palate's holds nothing about users: whoever is asked about is a history, a row of a
matrix. Where `implicit` would take a user's stored vector (factor models, recalculate_user=False),
the row is the one that was trained on, which stays with the recommender; the row that comes with
the question then only says what not to recommend.
"""
from __future__ import annotations

import json
import os
import struct
import sys
import time
from typing import Any, Callable, ClassVar, Optional, TypeVar, Union

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import CorruptError, UsageError
from ..model import Matrix, Model, Option

Path = Union[str, "os.PathLike[str]"]
Answer = tuple[NDArray[np.int32], NDArray[Any]]
R = TypeVar("R", bound="Recommender")


def seed_of(random_state: Any) -> int:
    """A seed from what `implicit` takes: a number, NumPy's generators, or None, which is 0 here."""
    if random_state is None:
        return 0
    if isinstance(random_state, (int, np.integer)):
        return int(random_state) % 2**64
    if hasattr(random_state, "integers"):
        return int(random_state.integers(2**31))
    if hasattr(random_state, "randint"):
        return int(random_state.randint(2**31 - 1))
    raise UsageError("random_state is a number, a numpy.random.Generator or RandomState, or None")


def refuse(**wishes: tuple[Any, Any, str]) -> None:
    """Raises for the first parameter whose value is not the only one that there is here."""
    for name, (value, only, why) in wishes.items():
        if value != only:
            raise UsageError(f"{name}={value!r} has no counterpart in palate: {why}")


class _Told:
    """Shows progress on a terminal, and calls back once for each epoch."""

    def __init__(self, show: bool, epochs: Optional[int],
                 callback: Optional[Callable[..., object]]) -> None:
        self.show = show and sys.stderr.isatty()
        self.epochs, self.callback = epochs, callback
        self.epoch, self.since = 0, time.monotonic()

    def __call__(self, stage: str, done: int, total: int) -> None:
        if self.show and total:
            end = "\n" if done == total else ""
            sys.stderr.write(f"\r{stage} {100 * done // total:3d} %{end}")
            sys.stderr.flush()
        if not self.callback or not self.epochs or stage != "training" or not total:
            return
        while self.epoch < done * self.epochs // total:
            now = time.monotonic()
            self.callback(self.epoch, now - self.since, None)
            self.epoch, self.since = self.epoch + 1, now


class Recommender:
    """One model behind the calls of `implicit`. Made by the classes of this package."""

    algorithm: ClassVar[str]                   # palate's name of the model
    names: ClassVar[dict[str, str]] = {}       # attribute: the option of palate that it sets
    score_type: ClassVar[Any] = np.float32     # as `implicit` returns them
    own_score: ClassVar[Optional[float]] = 1.0  # of an item with itself; None: not in its answer
    stored_users: ClassVar[bool] = False       # `implicit` keeps a vector for each user
    own_zeros: ClassVar[bool] = True           # an item with a score of 0 is an answer
    num_threads: int = 0

    def __init__(self, num_threads: int = 0, random_state: Any = None, **more: Option) -> None:
        """more: options of palate's own, see `palate help ALGORITHM`."""
        self.num_threads, self.random_state, self.more = num_threads, random_state, more
        self.model: Optional[Model] = None
        self._fitted: Optional[Matrix] = None

    # ---- training ----

    def options(self) -> dict[str, Option]:
        """What palate's model is set to."""
        return {**{option: getattr(self, name) for name, option in self.names.items()},
                **self.more}

    def fit(self, user_items: Any, show_progress: bool = True,
            callback: Optional[Callable[..., object]] = None) -> None:
        """Trains on a sparse matrix (users, items). callback(epoch, seconds, None) is called after
        each epoch of those models that have epochs."""
        epochs = getattr(self, "iterations", None)
        if callback and epochs is None:
            raise NotImplementedError(f"{type(self).__name__} has no epochs to call back after")
        matrix = Matrix.of(user_items)
        self.model = Model.fit(self.algorithm, matrix, seed=seed_of(self.random_state),
                               threads=self.num_threads,
                               progress=_Told(show_progress, epochs, callback), **self.options())
        self._fitted = matrix

    def _trained(self) -> Model:
        if self.model is None:
            raise UsageError("there is no model yet: call fit or load first")
        return self.model

    # ---- answers ----

    def recommend(self, userid: Any, user_items: Any = None, N: int = 10,
                  filter_already_liked_items: bool = True,
                  filter_items: Optional[ArrayLike] = None, recalculate_user: bool = False,
                  items: Optional[ArrayLike] = None) -> Answer:
        """The N best items for one user or an array of users: (ids, scores), best first.

        user_items: a row for each userid, None = the rows that were trained on. filter_items never
        come; items are those to choose from. Fewer than N: for one user the arrays are shorter, for
        several they are filled up with -1 and the least float32."""
        model, one = self._trained(), np.ndim(userid) == 0
        users = np.atleast_1d(np.asarray(userid))
        among, n = self._among(filter_items, items, N)
        given = None if user_items is None else Matrix.of(user_items)
        if given is not None and given.shape[0] != len(users):
            raise ValueError("user_items must contain 1 row for every user in userids")
        history = self._history(users, given, recalculate_user)
        seen = (history if given is None else given) if filter_already_liked_items else None
        ids, scores = model.top(history, n, seen=seen, exclude=filter_items, only=among,
                                threads=self.num_threads)
        if not self.own_zeros and items is None:
            none = scores == 0
            ids[none], scores[none] = -1, -np.finfo(np.float32).max
        return self._shaped(ids, scores, one)

    def similar_items(self, itemid: Any, N: int = 10, recalculate_item: bool = False,
                      item_users: Any = None, filter_items: Optional[ArrayLike] = None,
                      items: Optional[ArrayLike] = None) -> Answer:
        """The N items most like one item, or each of an array of items: (ids, scores), best first,
        the item itself before all others where `implicit` has it there."""
        model, one = self._trained(), np.ndim(itemid) == 0
        if recalculate_item:
            raise NotImplementedError("recalculate_item: item vectors come from fit alone")
        asked = np.atleast_1d(np.asarray(itemid))
        among, n = self._among(filter_items, items, N)
        ids, scores = model.near(asked, n, exclude=filter_items, only=among,
                                 threads=self.num_threads)
        if self.own_score is not None:
            first = np.ones(len(asked), dtype=bool)
            if filter_items is not None:
                first &= ~np.isin(asked, np.asarray(filter_items))
            if among is not None:
                first &= np.isin(asked, among)
            own = np.full((len(asked), 1), self.own_score, dtype=scores.dtype)
            ids = np.where(first[:, None], np.hstack([asked[:, None], ids[:, :n - 1]]), ids)
            scores = np.where(first[:, None], np.hstack([own, scores[:, :n - 1]]), scores)
        return self._shaped(ids.astype(np.int32, copy=False), scores, one)

    def explain(self, userid: int, user_items: Any, itemid: int, user_weights: Any = None,
                N: int = 10) -> tuple[float, list[tuple[int, float]], None]:
        """Why an item: its score, and the N items of row `userid` of user_items that add most to
        it. The third is None: there is nothing to be kept for the next call."""
        row = Matrix.of(user_items).take(np.asarray([userid], dtype=np.int64))
        had, parts = self._trained().explain(row, int(itemid))
        best = np.argsort(-parts, kind="stable")[:N]
        return float(parts.sum()), [(int(had[i]), float(parts[i])) for i in best], None

    def similar_users(self, *_arguments: Any, **_named: Any) -> Answer:
        """Not here: a model of palate's holds no users."""
        raise NotImplementedError("similar_users: a model of palate's holds no users, whose "
                                  "vectors could be compared")

    def recalculate_user(self, *_arguments: Any, **_named: Any) -> NDArray[np.float32]:
        """Not here: recommend(…, recalculate_user=True) does what it is for."""
        raise NotImplementedError("recalculate_user: call recommend with recalculate_user=True, "
                                  "which takes the user's vector from the row at once")

    def partial_fit_users(self, *_arguments: Any, **_named: Any) -> None:
        """Not here, and not needed: recommend(…, recalculate_user=True)."""
        raise NotImplementedError("partial_fit_users: users are histories; call recommend with "
                                  "recalculate_user=True and their rows")

    @property
    def user_factors(self) -> NDArray[np.float32]:
        """Not here: a model of palate's holds no users."""
        raise AttributeError("user_factors: a model of palate's holds items only; users' vectors "
                             "are computed from their rows whenever one is asked about")

    # ---- files ----

    def save(self, fileobj_or_path: Path) -> None:
        """Writes the model to a file (of palate's kind, not a .npz)."""
        self._trained().save(fileobj_or_path)

    @classmethod
    def load(cls: type[R], fileobj_or_path: Path) -> R:
        """A recommender from a file. The rows that it was trained on are not in there: give
        recommend its user_items."""
        model = Model.load(fileobj_or_path)
        if model.name != cls.algorithm:
            raise UsageError(f"{os.fspath(fileobj_or_path)} holds a model '{model.name}': "
                             f"{cls.__name__} is '{cls.algorithm}'")
        made = cls()
        made.model = model
        saved = _saved_options(fileobj_or_path)
        for name, option in made.names.items():
            setattr(made, name, saved.pop(option))
        made.more = saved
        return made

    # ---- helpers ----

    def _history(self, users: NDArray[Any], given: Optional[Matrix], recalculate: bool) -> Matrix:
        if recalculate and given is None:
            raise ValueError("recalculate_user wants user_items: the rows to go by")
        kept = self._fitted
        from_given = recalculate or not self.stored_users or kept is None
        if from_given and given is not None:
            return given
        if kept is None:
            raise ValueError("user_items is wanted: a model that was loaded has no rows of its own")
        if users.dtype.kind not in "iu":
            raise UsageError("users are given by number")
        if len(users) and not 0 <= int(users.min()) <= int(users.max()) < kept.shape[0]:
            raise IndexError(f"a userid is not among the {kept.shape[0]} trained on: give its row "
                             "as user_items, with recalculate_user=True")
        return kept.take(users.astype(np.int64))

    def _among(self, filter_items: Optional[ArrayLike], items: Optional[ArrayLike],
               n: int) -> tuple[Optional[NDArray[Any]], int]:
        if items is None:
            return None, n
        if filter_items is not None and np.size(filter_items):
            raise ValueError("Can't set both items and filter_items")
        among = np.unique(np.asarray(items))
        if len(among) == 0 or among[0] < 0 or among[-1] >= self._trained().items:
            raise IndexError("Some itemids in the items parameter are not in the model")
        return among, min(n, len(among))

    def _shaped(self, ids: NDArray[np.int32], scores: NDArray[Any], one: bool) -> Answer:
        if self.score_type is not np.float32:
            scores = scores.astype(self.score_type)
        if not one:
            return ids, scores
        there = ids[0] >= 0
        return ids[0][there], scores[0][there]


def _saved_options(path: Path) -> dict[str, Option]:
    """The options that a model file was trained with, out of its header."""
    try:
        with open(path, "rb") as file:
            size, = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(size))
        saved: dict[str, Option] = json.loads(header["__metadata__"]["palate.options"])
        return saved
    except (ValueError, KeyError, struct.error) as why:
        raise CorruptError(f"{os.fspath(path)} has no options in its header: {why}") from why


class FactorRecommender(Recommender):
    """A model whose items are vectors."""

    stored_users = True

    @property
    def item_factors(self) -> NDArray[np.float32]:
        """(items, factors), a copy."""
        return self._trained().array("item_factors")
