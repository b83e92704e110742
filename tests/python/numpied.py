"""What the tests of the Python package share: a python with NumPy, the package, and matrices.

Import this first: where NumPy is missing it starts the test anew under the python that has it."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(ROOT, "tests", "cli"), os.path.join(ROOT, "tests", "api"),
                os.path.join(ROOT, "clients", "python")]
sys.dont_write_bytecode = True

from harness import OTHERS, Skip  # noqa: E402

try:
    import numpy as np
except ImportError:
    other = os.environ.get("PALATE_NUMPY_PYTHON", "/usr/bin/python3")
    if os.environ.get("PALATE_NUMPY_TRIED"):
        raise
    os.environ["PALATE_NUMPY_TRIED"] = "1"
    os.execv(other, [other, *sys.argv])

if OTHERS:
    os.environ["PALATE_LIBRARY"] = OTHERS[0]


class Csr:
    """As much of scipy.sparse.csr_matrix as palate looks at."""

    def __init__(self, dense):
        dense = np.asarray(dense, dtype=np.float32)
        self.shape = dense.shape
        rows, self.indices = np.nonzero(dense)
        self.indices = self.indices.astype(np.int32)
        self.indptr = np.searchsorted(rows, np.arange(dense.shape[0] + 1)).astype(np.int32)
        self.data = dense[rows, self.indices]


def tastes(users=200, items=120, seed=1):
    """A dense matrix of people with hidden tastes: what they had, as counts."""
    rng = np.random.default_rng(seed)
    likes = rng.normal(size=(users, 6)) @ rng.normal(size=(6, items)) + rng.normal(size=items)
    had = rng.random((users, items)) < 0.9 / (1 + np.exp(-3 * (likes - 2.5))) + 0.03
    return np.where(had, rng.integers(1, 4, size=had.shape), 0).astype(np.float32)


def split(dense, share=0.2, seed=2):
    """(training part, what is held out) of a dense matrix."""
    held = np.random.default_rng(seed).random(dense.shape) < share
    return np.where(held, 0, dense), np.where(held, dense, 0)


def ndcg(ids, held, n=10):
    """The mean over users with something held out; -1 is no item."""
    gain = 1 / np.log2(np.arange(2, n + 2))
    hit = (np.take_along_axis(held, np.maximum(ids[:, :n], 0), 1) > 0) & (ids[:, :n] >= 0)
    count = (held > 0).sum(1)
    ideal = np.concatenate([[0], np.cumsum(gain)])[np.minimum(count, n)]
    return float(((hit * gain).sum(1)[count > 0] / ideal[count > 0]).mean())


def real_matrix():
    """MovieLens 100K, dense, every rating as 1, or Skip."""
    from harness import real_data
    table = np.loadtxt(os.path.join(real_data("ml-100k"), "u.data"), dtype=np.int64)
    dense = np.zeros((table[:, 0].max(), table[:, 1].max()), dtype=np.float32)
    dense[table[:, 0] - 1, table[:, 1] - 1] = 1
    return dense


def raises(kind, call, *arguments, says="", **named):
    """Fails unless the call raises this kind of exception, with these words in it."""
    try:
        call(*arguments, **named)
    except kind as why:
        if says not in str(why):
            raise AssertionError(f"{says!r} is not in: {why}") from why
        return why
    raise AssertionError(f"{call} with {arguments} {named} did not raise {kind.__name__}")


__all__ = ["Csr", "ROOT", "Skip", "ndcg", "np", "raises", "real_matrix", "split", "tastes"]
