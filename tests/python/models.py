"""palate.Model and palate.implicit with nothing but NumPy: what they answer is what a slow
computation in NumPy says of the same matrix, in the shapes that `implicit`'s users know."""
import os
import pickle
import subprocess
import sys

from numpied import Csr, ROOT, ndcg, np, raises, split, tastes
from harness import OTHERS, fail, run, same
import palate
from palate import implicit
from palate.model import Matrix

TABLE = tastes()
USERS, ITEMS = TABLE.shape
MATRIX = Csr(TABLE)
LEAST = -np.finfo(np.float32).max


def row(*users):
    return Csr(TABLE[list(users)])


def fold_in(Y, history, regularization):
    """A user's vector by the loss of Hu et al.: (YᵀY + Σ (c - 1) y yᵀ + λ) x = Σ c y."""
    A = Y.T @ Y + regularization * np.eye(Y.shape[1])
    A += (Y.T * np.where(history > 0, history - 1, 0)) @ Y
    return np.linalg.solve(A, Y.T @ history)


def als(**more):
    model = implicit.AlternatingLeastSquares(factors=8, regularization=0.1, iterations=6,
                                             random_state=3, use_cg=False, **more)
    model.fit(MATRIX, show_progress=False)
    return model


def best(scores, never, n):
    """The ids of the n best, by sorting."""
    return np.argsort(-np.where(never, -np.inf, scores), axis=1, kind="stable")[:, :n]


def close(got, expected, bound=1e-4):
    if not np.allclose(got, expected, atol=bound, rtol=bound):
        fail(f"got {got}, expected {expected}")


def test_als_by_hand(_folder):
    for alpha in (1.0, 2.5):
        model = als(alpha=alpha)
        Y = model.item_factors.astype(np.float64)
        want = np.array([fold_in(Y, alpha * TABLE[u], 0.1) @ Y.T for u in range(USERS)])
        ids, scores = model.recommend(np.arange(USERS), MATRIX, N=10)
        same((ids.shape, ids.dtype, scores.dtype), ((USERS, 10), np.int32, np.float32))
        wanted = best(want, TABLE > 0, 10)
        close(scores, np.take_along_axis(want, wanted, 1))
        close(np.take_along_axis(want, ids, 1), np.take_along_axis(want, wanted, 1))
        close(model.model.score(MATRIX), want)


def test_cosine_by_hand(_folder):
    model = implicit.CosineRecommender(K=ITEMS)
    model.fit(MATRIX, show_progress=False)
    length = np.linalg.norm(TABLE, axis=0)
    cosine = TABLE.T @ TABLE / np.outer(length, length)
    ids, scores = model.similar_items(np.arange(ITEMS), N=5)
    same((ids.shape, ids.dtype, scores.dtype), ((ITEMS, 5), np.int32, np.float64))
    same(ids[:, 0].tolist(), list(range(ITEMS)))
    close(scores, -np.sort(-cosine, axis=1)[:, :5])
    np.fill_diagonal(cosine, 0)
    want = TABLE @ cosine
    ids, scores = model.recommend(np.arange(USERS), MATRIX, N=7)
    close(scores, -np.sort(-np.where(TABLE > 0, -np.inf, want), axis=1)[:, :7])


def test_ease_by_hand(_folder):
    model = implicit.EASE(regularization=20)
    model.fit(MATRIX, show_progress=False)
    P = np.linalg.inv(TABLE.T.astype(float) @ TABLE + 20 * np.eye(ITEMS))
    B = -P / np.diag(P)
    np.fill_diagonal(B, 0)
    close(model.model.score(MATRIX), TABLE @ B, 1e-3)


def test_one_and_many(_folder):
    for kind in (implicit.AlternatingLeastSquares, implicit.CosineRecommender, implicit.SLIM):
        model = kind()
        model.fit(MATRIX, show_progress=False)
        users = [7, 3, 150]
        ids, scores = model.recommend(users, row(*users), N=6)
        for i, user in enumerate(users):
            one, its = model.recommend(user, row(user), N=6)
            same((one.ndim, its.dtype), (1, scores.dtype))
            same(one.tolist(), ids[i][:len(one)].tolist())
            same(set(one) & set(np.nonzero(TABLE[user])[0]), set())
        near, _ = model.similar_items([4, 9], N=3)
        one, _ = model.similar_items(9, N=3)
        same(one.tolist(), near[1].tolist())


def test_filters(_folder):
    model = als()
    ids, _ = model.recommend(5, row(5), N=ITEMS)
    same(sorted(ids), np.nonzero(TABLE[5] == 0)[0].tolist())
    everything, _ = model.recommend(5, row(5), N=ITEMS, filter_already_liked_items=False)
    same(sorted(everything), list(range(ITEMS)))
    without, _ = model.recommend(5, row(5), N=5, filter_items=ids[:2])
    same(without.tolist(), ids[2:7].tolist())
    among, _ = model.recommend(5, row(5), N=5, items=ids[::3])
    same(among.tolist(), ids[::3][:5].tolist())
    few, _ = model.recommend(5, row(5), N=50, items=ids[:3])
    same(few.tolist(), ids[:3].tolist())
    near, scores = model.similar_items(3, N=4, filter_items=[3])
    same(3 in near.tolist(), False)
    near, scores = model.similar_items(3, N=4, items=[3, 8, 9])
    same((sorted(near), near[0], scores[0]), ([3, 8, 9], 3, 1.0))


def test_short_lists_are_filled_up(_folder):
    model = als()
    ids, scores = model.recommend([5, 6], row(5, 6), N=ITEMS)
    left = (TABLE[[5, 6]] == 0).sum(1)
    for i in range(2):
        same((ids[i, left[i]:] == -1).all(), True)
        same((scores[i, left[i]:] == LEAST).all(), True)
        same((ids[i, :left[i]] >= 0).all(), True)


def test_whose_history(_folder):
    """As in `implicit`: the row trained on counts, the row given only says what was had; unless
    the user is to be recalculated."""
    model = als()
    nothing = Csr(np.zeros((1, ITEMS)))
    own, own_scores = model.recommend(5, row(5), N=9, filter_already_liked_items=False)
    stored, scores = model.recommend(5, nothing, N=9)
    same(stored.tolist(), own.tolist())
    close(scores, own_scores)
    alone, scores = model.recommend(5, N=9, filter_already_liked_items=False)
    same(alone.tolist(), own.tolist())
    anew, scores = model.recommend(5, row(9), N=9, recalculate_user=True)
    other, other_scores = model.recommend(9, row(9), N=9)
    same(anew.tolist(), other.tolist())
    newcomer, _ = model.recommend(10**6, row(9), N=9, recalculate_user=True)
    same(newcomer.tolist(), other.tolist())
    raises(IndexError, model.recommend, 10**6, row(9), says="recalculate_user=True")


def test_explain(_folder):
    model = als()
    item = int(model.recommend(5, row(5), N=1)[0][0])
    total, parts, _ = model.explain(5, MATRIX, item, N=ITEMS)
    close(total, model.recommend(5, row(5), N=1)[1][0])
    close(sum(part for _, part in parts), total)
    same({had for had, _ in parts}, set(np.nonzero(TABLE[5])[0]))
    same(len(model.explain(5, MATRIX, item, N=2)[1]), 2)


def test_save_load_pickle(folder):
    for number, made in enumerate([als(alpha=2.0), implicit.BM25Recommender(K=30, K1=2.0, B=0.5),
                                   implicit.SLIM(l1=0.5)]):
        if made.model is None:
            made.fit(MATRIX, show_progress=False)
        path = os.path.join(folder, f"model{number}")
        made.save(path)
        want = made.recommend([1, 2], row(1, 2))
        for again in (type(made).load(path), pickle.loads(pickle.dumps(made))):
            same({k: getattr(again, k) for k in made.names},
                 {k: getattr(made, k) for k in made.names})
            got = again.recommend([1, 2], row(1, 2))
            same((got[0].tolist(), got[1].tolist()), (want[0].tolist(), want[1].tolist()))
    raises(palate.UsageError, implicit.EASE.load, os.path.join(folder, "model0"),
           says="holds a model 'als'")
    raises(palate.UsageError, implicit.CosineRecommender.load, os.path.join(folder, "model1"),
           says="goes by bm25")
    raises(palate.NotFoundError, implicit.EASE.load, os.path.join(folder, "none"))
    raises(ValueError, implicit.AlternatingLeastSquares.load(os.path.join(folder, "model0"))
           .recommend, 3, filter_already_liked_items=False, says="user_items is wanted")


def test_same_at_any_thread_count(_folder):
    one, two = als(num_threads=1), als(num_threads=2)
    same((one.item_factors == two.item_factors).all(), True)
    a, b = one.recommend(np.arange(USERS), MATRIX), two.recommend(np.arange(USERS), MATRIX)
    same(((a[0] == b[0]).all(), (a[1] == b[1]).all()), (True, True))


def test_callback_and_stop(_folder):
    told = []
    model = implicit.AlternatingLeastSquares(factors=8, iterations=5)
    model.fit(MATRIX, callback=lambda epoch, seconds, loss: told.append((epoch, seconds >= 0)))
    same(told, [(i, True) for i in range(5)])

    def stop(*_figures):
        raise KeyboardInterrupt
    raises(KeyboardInterrupt, model.fit, MATRIX, callback=stop)
    raises(NotImplementedError, implicit.EASE().fit, MATRIX, callback=stop)


def test_every_model_learns(_folder):
    train, held = split(TABLE)
    users = np.arange(USERS)
    fitted = {}
    for kind, options in ((implicit.Popular, {}),
                          (implicit.AlternatingLeastSquares, {"factors": 6, "regularization": 5.0}),
                          (implicit.BayesianPersonalizedRanking, {"factors": 8}),
                          (implicit.CosineRecommender, {}), (implicit.TFIDFRecommender, {}),
                          (implicit.BM25Recommender, {}), (implicit.EASE, {}), (implicit.SLIM, {}),
                          (implicit.GraphFilter, {}), (implicit.Item2Vec, {})):
        model = kind(**options)
        model.fit(Csr(train), show_progress=False)
        fitted[kind.__name__] = ndcg(model.recommend(users, Csr(train))[0], held)
    chance = ndcg(np.argsort(np.where(train > 0, 2, np.random.default_rng(1).random(train.shape)),
                             axis=1)[:, :10], held)
    for name, figure in fitted.items():
        if figure < 1.3 * chance:
            fail(f"{name} has {figure:.3f} where chance has {chance:.3f}: {fitted}")


def test_what_is_refused(_folder):
    model = als()
    kind = implicit.AlternatingLeastSquares
    raises(ValueError, kind, use_gpu=True, says="no counterpart")
    raises(ValueError, kind, dtype=np.float64, says="float32")
    raises(ValueError, kind, calculate_training_loss=True)
    raises(ValueError, implicit.BayesianPersonalizedRanking, verify_negative_samples=False)
    raises(ValueError, kind(factors=1).fit, MATRIX, says="factors")
    raises(ValueError, kind(nonsense=1).fit, MATRIX, says="nonsense")
    raises(ValueError, kind().recommend, 3, MATRIX, says="fit")
    raises(ValueError, kind().fit, TABLE, says="sparse matrix")
    raises(ValueError, kind().fit, Csr(np.zeros((3, 4))), says="empty")
    raises(ValueError, model.recommend, [1, 2], row(1), says="1 row for every user")
    raises(ValueError, model.recommend, 1, row(1), items=[1], filter_items=[2])
    raises(ValueError, model.recommend, 1, row(1), N=0)
    raises(IndexError, model.recommend, 1, row(1), items=[ITEMS])
    raises(ValueError, model.recommend, 1, row(1), filter_items=[ITEMS], says="item")
    raises(ValueError, model.similar_items, ITEMS)
    raises(ValueError, model.recommend, 1, Csr(np.ones((1, ITEMS + 1))), says="columns")
    raises(NotImplementedError, model.similar_users, 1)
    raises(AttributeError, getattr, model, "user_factors", says="holds items only")
    raises(NotImplementedError, implicit.Popular.similar_items, _popular(), 1)
    bad = row(1)
    bad.data = np.full_like(bad.data, np.nan)
    raises(ValueError, model.recommend, 1, bad, recalculate_user=True, says="finite")


def _popular():
    model = implicit.Popular()
    model.fit(MATRIX, show_progress=False)
    return model


def test_matrices(_folder):
    """Types of other sizes, rows out of order, entries named twice."""
    wide = Csr(TABLE)
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    wide.data = wide.data.astype(np.float64)
    twice = Csr(TABLE)
    order = np.concatenate([np.arange(a, b)[::-1] for a, b in
                            zip(twice.indptr, twice.indptr[1:])])
    twice.indices = np.repeat(twice.indices[order], 2)
    twice.data = np.repeat(twice.data[order] / 2, 2)
    twice.indptr = twice.indptr * 2
    want = als().model.score(MATRIX)
    for matrix in (wide, twice):
        got = palate.Model.fit("als", matrix, seed=3, factors=8, regularization=0.1, epochs=6,
                               objective="hu", solver="exact").score(matrix)
        same((got == want).all(), True)
    wide.indices[0] = 2**32
    raises(ValueError, Matrix.of, wide, says="column")
    rows = Matrix.of(MATRIX).take(np.array([3, 3, 0]))
    expected = Matrix.of(row(3, 3, 0))
    same((rows.start.tolist(), rows.col.tolist()),
         (expected.start.tolist(), expected.col.tolist()))


def test_library_is_found(folder):
    program = "import palate.library as l; print(l.version())"
    env = {"PYTHONPATH": os.path.join(ROOT, "clients", "python"), "PATH": os.environ["PATH"],
           "PYTHONDONTWRITEBYTECODE": "1"}

    def version(**more):
        return subprocess.run([sys.executable, "-c", program], env={**env, **more}, cwd=folder,
                              capture_output=True, text=True, timeout=60, check=False)
    same(version(PALATE_LIBRARY=OTHERS[0]).stdout.strip(), palate.__version__)
    done = version(PALATE_LIBRARY=os.path.join(folder, "none.so"))
    same((done.returncode, "can't be opened" in done.stderr), (1, True))


run(globals())
