"""palate.implicit beside the package `implicit` from PyPI: the same calls on the same data give
answers of the same shapes and types, and at least its quality.

The peer runs under $PEER_PYTHON, a python with implicit; without that it is installed from PyPI,
once per build folder."""
import os
import shutil
import subprocess
import sys
import warnings

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from harness import PALATE, Skip, fail, run, same  # noqa: E402

TOOLS = os.path.join(os.path.dirname(PALATE), "test-implicit")
PACKAGES = ["implicit==0.7.3"]
SEEDS = (1, 2, 3)
NOISE = 0.99  # of the peer's mean quality: two seeds of one model may differ by more


def peer_python():
    """A python that has implicit, or Skip."""
    told = os.environ.get("PEER_PYTHON")
    python = told or os.path.join(TOOLS, "bin", "python")
    if not told and not os.path.exists(python):
        try:
            for command in ([sys.executable, "-m", "venv", TOOLS],
                            [python, "-m", "pip", "install", "-q", "--only-binary", ":all:",
                             *PACKAGES]):
                subprocess.run(command, check=True, timeout=240, capture_output=True)
        except (OSError, subprocess.SubprocessError):
            shutil.rmtree(TOOLS, ignore_errors=True)
            raise Skip("no implicit: it can't be had from PyPI here") from None
    return python


def under_peer():
    """Whether this is a python with implicit; starts the test anew under one otherwise."""
    try:
        import implicit  # noqa: F401  pylint: disable=unused-import
        return True
    except ImportError:
        if os.environ.get("PALATE_UNDER_PEER"):
            raise
    environment = {**os.environ, "PALATE_UNDER_PEER": "1", "OPENBLAS_NUM_THREADS": "1"}
    os.execve(peer_python(), [peer_python(), *sys.argv], environment)
    return False


def test_without_a_peer(_folder):
    peer_python()


# This file has the peer's name: it must not be found in its place.
sys.path[:] = [path for path in sys.path if os.path.abspath(path or ".") !=
               os.path.dirname(os.path.abspath(__file__))]
try:
    under_peer()
except Skip:
    run({"test_without_a_peer": test_without_a_peer})
del test_without_a_peer
sys.path.append(os.path.dirname(os.path.abspath(__file__)))

from implicit.als import AlternatingLeastSquares  # noqa: E402
from implicit.bpr import BayesianPersonalizedRanking  # noqa: E402
from implicit.nearest_neighbours import (BM25Recommender, CosineRecommender,  # noqa: E402
                                         TFIDFRecommender)
from numpied import ndcg, np, real_matrix, split, tastes  # noqa: E402
from palate import implicit as ours  # noqa: E402
import scipy.sparse  # noqa: E402

warnings.filterwarnings("ignore", module="implicit")  # it warns of its own conversions

KINDS = [
    (AlternatingLeastSquares, ours.AlternatingLeastSquares,
     {"factors": 16, "regularization": 1.0, "alpha": 2.0, "iterations": 20, "random_state": 1}),
    (BayesianPersonalizedRanking, ours.BayesianPersonalizedRanking,
     {"factors": 16, "learning_rate": 0.05, "iterations": 60, "random_state": 1}),
    (CosineRecommender, ours.CosineRecommender, {"K": 50}),
    (TFIDFRecommender, ours.TFIDFRecommender, {"K": 50}),
    (BM25Recommender, ours.BM25Recommender, {"K": 50, "K1": 1.2, "B": 0.5}),
]


def both(table, theirs, mine, options):
    """Both libraries' models of one kind, fitted on the same matrix."""
    matrix = scipy.sparse.csr_matrix(table)
    models = theirs(num_threads=2, **options), mine(num_threads=2, **options)
    for model in models:
        model.fit(matrix, show_progress=False)
    return (*models, matrix)


def shape(answer):
    """Shapes and types of what a call gave."""
    return [(part.shape, part.dtype.name) for part in answer]


def test_shapes_and_types(_folder):
    for theirs, mine, options in KINDS:
        a, b, matrix = both(tastes(), theirs, mine, options)
        users = np.array([4, 9, 31])
        for call in (lambda m: m.recommend(4, matrix[4], N=7),
                     lambda m: m.recommend(users, matrix[users], N=7),
                     lambda m: m.recommend([4], matrix[[4]], N=7, filter_items=[1, 2]),
                     lambda m: m.recommend(4, matrix[4], N=3, filter_already_liked_items=False),
                     lambda m: m.similar_items(7, N=5),
                     lambda m: m.similar_items(np.array([7, 8, 9]), N=5)):
            same(shape(call(b)), shape(call(a)))
        same(b.similar_items(7)[0][0], a.similar_items(7)[0][0])
        chosen = [5, 2, 80, 33]
        got, want = (m.recommend(4, matrix[4], items=chosen, N=4,
                                 filter_already_liked_items=False) for m in (b, a))
        same(sorted(got[0]), sorted(want[0]))
        for call in (lambda m: m.recommend(users, matrix[4]),
                     lambda m: m.recommend(4, matrix[4], items=[10**6])):
            same(type(failure(call, b)), type(failure(call, a)))


def failure(call, model):
    try:
        return call(model)
    except Exception as why:
        return why


def test_cosines_are_equal(_folder):
    """The same measure is the same number. TF-IDF differs by a one in its logarithm."""
    a, b, _ = both(tastes(), CosineRecommender, ours.CosineRecommender, {"K": 120})
    for item in range(0, 120, 7):
        close(b.similar_items(item, N=20)[1], a.similar_items(item, N=20)[1])


def test_als_finds_the_same_loss(_folder):
    """Exactly solved from the rows, users score what the peer's formula says of our items."""
    a, b, matrix = both(tastes(), AlternatingLeastSquares, ours.AlternatingLeastSquares,
                        {"factors": 8, "regularization": 0.5, "alpha": 2.0, "use_cg": False,
                         "iterations": 8})
    a.item_factors, a._YtY = b.item_factors, None
    for user in (3, 50, 120):
        x = a.recalculate_user(user, matrix[user])
        want = np.sort(b.item_factors @ x)[::-1]
        close(b.recommend(user, matrix[user], N=10, filter_already_liked_items=False)[1],
              want[:10])
        item = int(b.recommend(user, matrix[user], N=1)[0][0])
        close(b.explain(user, matrix, item)[0], a.explain(user, matrix, item)[0])


def close(got, expected):
    if not np.allclose(got, expected, atol=1e-3, rtol=1e-3):
        fail(f"got {got}, expected {expected}")


def compare(table):
    """NDCG@10 of each kind on what is held out, ours and the peer's; fails where ours is worse."""
    train, held = split(table)
    users, worse = np.arange(len(table)), []
    for theirs, mine, options in KINDS:
        figure = np.zeros(2)
        seeds = SEEDS if "random_state" in options else (None,)
        for seed in seeds:
            chosen = options if seed is None else {**options, "random_state": seed}
            for i, model in enumerate(both(train, theirs, mine, chosen)[:2]):
                ids, _ = model.recommend(users, scipy.sparse.csr_matrix(train), N=10)
                figure[i] += ndcg(ids, held) / len(seeds)
        print(f"{mine.__name__}: NDCG@10 {figure[1]:.4f}, implicit {figure[0]:.4f}")
        if figure[1] < NOISE * figure[0]:
            worse.append(mine.__name__)
    if worse:
        fail(f"worse than implicit: {', '.join(worse)}")


def test_quality(_folder):
    compare(tastes(users=600, items=150, seed=4))


def test_quality_on_movielens(_folder):
    compare(real_matrix())


run(globals())
