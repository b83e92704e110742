"""Models by number: NumPy arrays and sparse matrices in, arrays out, all work in the library.

A matrix is anything with the attributes of SciPy's csr_matrix (indptr, indices, data, shape), or
with a method tocsr that makes one; SciPy itself is not needed. Calls release Python's lock, so that
several threads may ask one model at once.
"""
from __future__ import annotations

import ctypes
import os
import tempfile
from collections.abc import Mapping
from typing import Any, Callable, Optional, Union

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import Interrupted, UsageError
from .library import Ask, Progress, Rows, Work, call, library

Ints = NDArray[np.int32]
Floats = NDArray[np.float32]
Option = Union[str, int, float, bool]
# Told the stage ("training"), how much of it is done, and the whole (0 = unknown).
Listener = Callable[[str, int, int], object]


class Matrix:
    """Compressed rows as the library wants them; arrays are copied only where their type differs.

    val None = every entry is 1."""

    def __init__(self, start: NDArray[np.int64], col: Ints, val: Optional[Floats],
                 shape: tuple[int, int]) -> None:
        self.start, self.col, self.val, self.shape = start, col, val, shape

    @staticmethod
    def of(matrix: Any) -> Matrix:
        """What `matrix` holds; a Matrix is itself."""
        if isinstance(matrix, Matrix):
            return matrix
        if getattr(matrix, "format", "csr") != "csr" or not hasattr(matrix, "indptr"):
            if not hasattr(matrix, "tocsr"):
                raise UsageError(f"a sparse matrix is wanted, such as scipy.sparse.csr_matrix, "
                                 f"not {type(matrix).__name__}")
            matrix = matrix.tocsr()
        rows, cols = int(matrix.shape[0]), int(matrix.shape[1])
        start = np.ascontiguousarray(matrix.indptr, dtype=np.int64)
        col, val = np.asarray(matrix.indices), np.asarray(matrix.data)
        if len(start) != rows + 1 or not 0 <= int(start[-1]) <= min(len(col), len(val)):
            raise UsageError("the matrix's indptr, indices and data do not fit its shape")
        if cols > np.iinfo(np.int32).max:
            raise UsageError(f"{cols} columns are too many: {np.iinfo(np.int32).max} are allowed")
        if col.dtype != np.int32 and len(col) and not 0 <= int(col.min()) <= int(col.max()) < cols:
            raise UsageError(f"the matrix names a column that is not among its {cols}")
        return Matrix(start, np.ascontiguousarray(col, dtype=np.int32),
                      np.ascontiguousarray(val, dtype=np.float32), (rows, cols))

    def take(self, rows: NDArray[np.int64]) -> Matrix:
        """These rows, in this order."""
        if len(rows) == self.shape[0] and np.array_equal(rows, np.arange(len(rows))):
            return self
        first = self.start[rows]
        length = self.start[rows + 1] - first
        start = np.zeros(len(rows) + 1, dtype=np.int64)
        np.cumsum(length, out=start[1:])
        place = np.repeat(first - start[:-1], length) + np.arange(start[-1])
        return Matrix(start, self.col[place], None if self.val is None else self.val[place],
                      (len(rows), self.shape[1]))

    def struct(self) -> Rows:
        """For the library, as long as self lives."""
        return Rows(self.shape[0], self.shape[1], self.start.ctypes.data, self.col.ctypes.data,
                    None if self.val is None else self.val.ctypes.data)


def _items(items: Optional[ArrayLike]) -> Optional[Ints]:
    """Item numbers as the library wants them."""
    if items is None:
        return None
    given = np.atleast_1d(np.asarray(items))
    if given.size == 0:
        return np.zeros(0, dtype=np.int32)
    if given.ndim != 1 or given.dtype.kind not in "iu":
        raise UsageError("items are given by number: a list or an array of integers")
    if int(given.max()) > np.iinfo(np.int32).max or int(given.min()) < 0:
        raise UsageError("an item's number is not in the model")
    return np.ascontiguousarray(given, dtype=np.int32)


def _option_text(options: Mapping[str, Option]) -> str:
    def show(value: Option) -> str:
        if isinstance(value, (bool, np.bool_)):
            return "true" if value else "false"
        return repr(float(value)) if isinstance(value, (float, np.floating)) else str(value)
    return ",".join(f"{name}={show(value)}" for name, value in options.items())


class _Ear:
    """A callback for the library that keeps what the listener raises."""

    def __init__(self, listener: Optional[Listener]) -> None:
        self.raised: Optional[BaseException] = None
        self.call = Progress(self._hear) if listener else Progress()
        self.listener = listener

    def _hear(self, _ctx: Optional[int], stage: bytes, done: int, total: int) -> int:
        try:
            if self.listener and self.raised is None:
                self.listener(stage.decode(), done, total)
        except BaseException as what:
            self.raised = what
        return 0 if self.raised is None else 1


class Model:
    """One trained model: `Model.fit("als", matrix, factors=64)`."""

    def __init__(self, handle: ctypes.c_void_p) -> None:
        self._handle = handle

    @staticmethod
    def fit(name: str, user_items: Any, *, seed: int = 0, threads: int = 0,
            progress: Optional[Listener] = None, **options: Option) -> Model:
        """Trains on a matrix (users, items): entries above 0 are preferences, below dislikes.

        name and options: as `palate help train` tells. threads: 0 = one per core. The same matrix,
        options and seed give the same model, at any number of threads. What progress raises ends
        the training and is raised here."""
        matrix, handle, ear = Matrix.of(user_items), ctypes.c_void_p(), _Ear(progress)
        rows, work = matrix.struct(), Work(threads, seed, ear.call, None)
        try:
            call("pal_model_fit", name.encode(), _option_text(options).encode(),
                 ctypes.byref(rows), ctypes.byref(work), ctypes.byref(handle))
        except Interrupted:
            if ear.raised is None:
                raise
        if ear.raised is not None:
            if handle:
                library().pal_model_free(handle)
            raise ear.raised
        return Model(handle)

    @staticmethod
    def load(path: Union[str, os.PathLike[str]]) -> Model:
        """A model that was saved; any model file of palate's. The file is mapped, not read."""
        handle = ctypes.c_void_p()
        call("pal_model_load", os.fsencode(path), ctypes.byref(handle))
        return Model(handle)

    def save(self, path: Union[str, os.PathLike[str]]) -> None:
        """Writes the model to one file, whole or not at all."""
        call("pal_model_save", self._handle, os.fsencode(path))

    def __del__(self) -> None:
        handle, self._handle = getattr(self, "_handle", None), ctypes.c_void_p()
        if handle:
            library().pal_model_free(handle)

    def __getstate__(self) -> dict[str, bytes]:
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "model")
            self.save(path)
            with open(path, "rb") as file:
                return {"file": file.read()}

    def __setstate__(self, state: dict[str, bytes]) -> None:
        with tempfile.TemporaryDirectory() as folder:  # what is mapped outlives its name
            path = os.path.join(folder, "model")
            with open(path, "wb") as file:
                file.write(state["file"])
            handle = ctypes.c_void_p()
            call("pal_model_load", os.fsencode(path), ctypes.byref(handle))
            self._handle = handle

    @property
    def name(self) -> str:
        """The algorithm: "als"."""
        text: bytes = library().pal_model_name(self._handle)
        return text.decode()

    @property
    def items(self) -> int:
        """How many items it knows."""
        return int(library().pal_model_items(self._handle))

    def array(self, name: str) -> Floats:
        """A copy of an array of the model: "item_factors" (items, factors) of als."""
        data, rows, cols = ctypes.c_void_p(), ctypes.c_uint64(), ctypes.c_uint64()
        call("pal_model_array", self._handle, name.encode(), ctypes.byref(data),
             ctypes.byref(rows), ctypes.byref(cols))
        if rows.value * cols.value == 0:
            return np.zeros((rows.value, cols.value), dtype=np.float32)
        shaped = ctypes.cast(data, ctypes.POINTER(ctypes.c_float))
        return np.ctypeslib.as_array(shaped, (rows.value, cols.value)).copy()

    def _check_items(self, matrix: Matrix) -> None:
        if matrix.shape[1] != self.items:
            raise UsageError(f"the matrix has {matrix.shape[1]} columns, the model {self.items} "
                             "items: give the matrix the shape of the one trained on")

    def top(self, histories: Any, n: int = 10, *, seen: Any = None,
            exclude: Optional[ArrayLike] = None, only: Optional[ArrayLike] = None,
            threads: int = 0) -> tuple[Ints, Floats]:
        """The n best items for each row of histories: (items, scores), both (rows, n), best first.

        seen: a matrix of as many rows, whose entries do not come in the answer of their row; may be
        `histories` itself. exclude: items that never come. only: items to choose from. Past the
        last item that there is come -1 and the least float."""
        past = Matrix.of(histories)
        self._check_items(past)
        rows, (ask, _kept) = past.struct(), self._ask(n, exclude, only, threads)
        if seen is not None:
            had = past if seen is histories else Matrix.of(seen)
            had_rows = had.struct()
            ask.seen = ctypes.pointer(rows if had is past else had_rows)
        items = np.empty((past.shape[0], n), dtype=np.int32)
        scores = np.empty((past.shape[0], n), dtype=np.float32)
        call("pal_model_top", self._handle, ctypes.byref(rows), ctypes.byref(ask),
             items.ctypes.data, scores.ctypes.data)
        return items, scores

    def near(self, items: ArrayLike, n: int = 10, *, exclude: Optional[ArrayLike] = None,
             only: Optional[ArrayLike] = None, threads: int = 0) -> tuple[Ints, Floats]:
        """The n items most like each of `items`, itself left out; otherwise as top."""
        asked = _items(items)
        assert asked is not None
        ask, _kept = self._ask(n, exclude, only, threads)
        near = np.empty((len(asked), n), dtype=np.int32)
        scores = np.empty((len(asked), n), dtype=np.float32)
        call("pal_model_near", self._handle, asked.ctypes.data, len(asked), ctypes.byref(ask),
             near.ctypes.data, scores.ctypes.data)
        return near, scores

    @staticmethod
    def _ask(n: int, exclude: Optional[ArrayLike], only: Optional[ArrayLike],
             threads: int) -> tuple[Ask, tuple[Optional[Ints], Optional[Ints]]]:
        """The question, and the arrays that it points to."""
        if not 0 < n < 2**31:
            raise UsageError(f"{n} items can't be answered: ask for at least one")
        out, among = _items(exclude), _items(only)
        ask = Ask(n, threads)
        if out is not None and len(out):
            ask.exclude, ask.exclude_count = out.ctypes.data, len(out)
        if among is not None:
            ask.only, ask.only_count = among.ctypes.data, len(among)
        return ask, (out, among)

    def score(self, histories: Any, threads: int = 0) -> Floats:
        """Every score: (rows, items)."""
        past = Matrix.of(histories)
        self._check_items(past)
        rows = past.struct()
        scores = np.empty((past.shape[0], self.items), dtype=np.float32)
        call("pal_model_score", self._handle, ctypes.byref(rows), threads, scores.ctypes.data)
        return scores

    def explain(self, history: Any, item: int) -> tuple[Ints, Floats]:
        """What each item of a history (one row) adds to an item's score: (items, parts)."""
        past = Matrix.of(history)
        self._check_items(past)
        rows = past.struct()
        parts = np.zeros(int(past.start[-1]), dtype=np.float32)
        if past.shape[0] != 1:
            raise UsageError(f"a history of one row is wanted, not of {past.shape[0]}")
        call("pal_model_explain", self._handle, ctypes.byref(rows), item, parts.ctypes.data)
        return past.col[:len(parts)].copy(), parts
