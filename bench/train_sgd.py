"""The part of bench/train that compares gradient descent: BPR beside the package `implicit`,
item2vec beside gensim's Word2Vec. See the top of bench/train.

Each side is one process from start to end: reading the data (ours as text, the peer's as bare
arrays), training, writing the model. Both do the same number of steps with the same options; of
both the lists for all users are judged by the same definition on a fifth of each user's events that
was held out at random: ours by `palate eval`, from the history; the peer's from the user vectors
that it learned, or for Word2Vec as ours: the sum of the history's vectors times the output vectors.
"""
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import time
from array import array

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FACTORS, METRICS = 64, ("recall@10", "ndcg@10")

# What both sides are asked for; epochs by data set.
METHODS = {
    "bpr": {"peer": "implicit", "epochs": {"ml1m": 50, "ml20m": 10},
            "ours": "bpr+factors={d}+epochs={epochs}+rate=.05+regularization=.01",
            "import": "import implicit.bpr, scipy.sparse"},
    "item2vec": {"peer": "gensim", "epochs": {"ml1m": 10, "ml20m": 3},
                 "ours": "item2vec+factors={d}+epochs={epochs}+window=5+negatives=5+rate=.05"
                         "+power=.75+contexts=near",
                 "import": "import gensim, numpy"},
}

# argv: folder, factors, epochs, threads, out. start (uint64) and item (uint32) are in the folder.
READ = r"""
import sys
import numpy as np
folder, d, epochs, threads, out = sys.argv[1:]
d, epochs, threads = int(d), int(epochs), int(threads)
start = np.fromfile(folder + "/start", np.uint64).astype(np.int64)
item = np.fromfile(folder + "/item", np.int32)
"""
PEERS = {
    "bpr": READ + r"""
import scipy.sparse
from implicit.cpu.bpr import BayesianPersonalizedRanking
R = scipy.sparse.csr_matrix((np.ones(len(item), np.float32), item, start))
model = BayesianPersonalizedRanking(factors=d, learning_rate=.05, regularization=.01,
    iterations=epochs, num_threads=threads, random_state=1)
model.fit(R, show_progress=False)
np.savez(out, users=model.user_factors, items=model.item_factors)
""",
    "item2vec": READ + r"""
from gensim.models import Word2Vec
words = item.astype("U")
sentences = [list(words[start[u]:start[u + 1]]) for u in range(len(start) - 1)]
model = Word2Vec(sentences, vector_size=d, window=5, sg=1, negative=5, ns_exponent=.75, sample=0,
    alpha=.05, min_alpha=.0005, epochs=epochs, min_count=1, workers=threads, seed=1)
order = np.array([int(w) for w in model.wv.index_to_key])
n = item.max() + 1
X, C = np.zeros((n, d), np.float32), np.zeros((n, d), np.float32)
X[order], C[order] = model.wv.vectors, model.syn1neg
users = np.zeros((len(start) - 1, d), np.float32)
for u in range(len(users)):
    users[u] = X[item[start[u]:start[u + 1]]].sum(0)
np.savez(out, users=users, items=C)
"""}

# argv: folder, model. recall and ndcg at 10 over all items that the user has not had, but for those
# that nobody had, of which the peers know nothing, and which they would rank at random.
JUDGE = r"""
import json, sys
import numpy as np
folder, model = sys.argv[1:]
load = lambda name, kind: np.fromfile(folder + "/" + name, kind)
start, item = load("start", np.uint64).astype(int), load("item", np.int32)
test_start, test = load("test_start", np.uint64).astype(int), load("test_item", np.int32)
m = np.load(model)
users, items = m["users"], m["items"]
unmet = np.bincount(item, minlength=len(items)) == 0
gain = 1 / np.log2(np.arange(2, 12))
recall, ndcg = [], []
for u in range(len(start) - 1):
    want = test[test_start[u]:test_start[u + 1]]
    if len(want) == 0:
        continue
    s = items @ users[u]
    s[item[start[u]:start[u + 1]]] = -np.inf
    s[unmet] = -np.inf
    best = np.argpartition(-s, 10)[:10]
    hit = np.isin(best[np.argsort(-s[best])], want)
    recall.append(hit.sum() / len(want))
    ndcg.append((hit * gain).sum() / gain[:min(10, len(want))].sum())
print(json.dumps({"recall@10": np.mean(recall), "ndcg@10": np.mean(ndcg)}))
"""


def say(text=""):
    print(text, file=sys.stderr, flush=True)


def cut(matrix, folder):
    """A matrix file of bench/train as a folder: train/train.txt, both/train.txt and test.txt for
    palate, bare arrays for the peer. Each user's items are mixed, and a fifth of them held out."""
    with open(matrix, "rb") as f:
        shape, start, item = array("I"), array("Q"), array("I")
        shape.fromfile(f, 2)
        start.fromfile(f, shape[0] + 1)
        item.fromfile(f, start[-1])
    rng = random.Random(1)
    parts = {"": (array("Q", [0]), array("I")), "test_": (array("Q", [0]), array("I"))}
    for name in "train", "both":
        os.makedirs(os.path.join(folder, name))
    with open(os.path.join(folder, "train", "train.txt"), "w") as train, \
            open(os.path.join(folder, "both", "test.txt"), "w") as test:
        for user in range(shape[0]):
            row = item[start[user]:start[user + 1]].tolist()
            rng.shuffle(row)
            held = len(row) // 5
            for part, some, out in ("test_", row[:held], test), ("", row[held:], train):
                parts[part][1].extend(some)
                parts[part][0].append(len(parts[part][1]))
                out.write(" ".join(map(str, [user] + some)) + "\n")
    for part, arrays in parts.items():
        for name, a in zip(("start", "item"), arrays):
            with open(os.path.join(folder, part + name), "wb") as out:
                a.tofile(out)
    os.link(os.path.join(folder, "train", "train.txt"), os.path.join(folder, "both", "train.txt"))


def timed(command, threads):
    """Seconds by the clock and of processors that a command takes, and its largest memory."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=dict(
        os.environ, OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS=str(threads)))
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - began
    if process.returncode:
        sys.exit(f"bench/train: failed: {' '.join(command[:2])}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": wall, "cpu_seconds": cpu, "peak_rss_bytes": usage.ru_maxrss * 1024}


def peer_for(method, python):
    """The python, if it can run this method's peer; installs gensim beside implicit if need be."""
    check = [python, "-c", METHODS[method]["import"]]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    if subprocess.run(check, check=False, **quiet).returncode == 0:
        return python
    subprocess.run([python, "-m", "pip", "-q", "install", METHODS[method]["peer"]], check=False,
                   stdout=sys.stderr, timeout=600)
    return python if subprocess.run(check, check=False, **quiet).returncode == 0 else None


class Sgd:
    """One method on one data set; both sides in turns."""

    def __init__(self, args, palate, python, work):
        self.args, self.palate, self.python, self.work = args, palate, python, work

    def ours(self, folder, variant):
        models = os.path.join(self.work, "models")
        return timed([self.palate, "train", "--data", os.path.join(folder, "train"), "--models",
                      models, "--model", variant, "--threads", str(self.args.threads), "--keep",
                      "1"], self.args.threads)

    def our_quality(self, folder, variant):
        command = [self.palate, "eval", "--json", "--data", os.path.join(folder, "both"), "--split",
                   "file", "--metrics", ",".join(METRICS), "--bootstrap", "0", "--model", variant,
                   "--threads", str(self.args.threads)]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
        return json.loads(done.stdout)["results"][0]["metrics"]

    def compare(self, method, data, folder):
        m, epochs = METHODS[method], METHODS[method]["epochs"][data]
        variant = m["ours"].format(d=FACTORS, epochs=epochs)
        python = self.python and peer_for(method, self.python)
        out = os.path.join(self.work, "peer.npz")
        peer = [python, "-c", PEERS[method], folder, str(FACTORS), str(epochs),
                str(self.args.threads), out]
        runs = {"palate": [], m["peer"]: []}
        for _ in range(self.args.runs):
            runs["palate"].append(self.ours(folder, variant))
            if python:
                runs[m["peer"]].append(timed(peer, self.args.threads))
        result = {"method": method, "data": data, "factors": FACTORS, "epochs": epochs,
                  "palate": self.summary(runs["palate"])}
        result["palate"].update(self.our_quality(folder, variant))
        if python:
            done = subprocess.run([python, "-c", JUDGE, folder, out], stdout=subprocess.PIPE,
                                  check=True, text=True)
            result[m["peer"]] = dict(self.summary(runs[m["peer"]]), **json.loads(done.stdout))
            ours, theirs = result["palate"], result[m["peer"]]
            for key, name in ("seconds", "times_faster"), ("cpu_seconds", "times_less_cpu"):
                result[name] = theirs[key] / ours[key]
        self.show(result, m["peer"])
        return result

    @staticmethod
    def summary(runs):
        return dict({key: statistics.median(r[key] for r in runs)
                     for key in ("seconds", "cpu_seconds")},
                    peak_rss_bytes=max(r["peak_rss_bytes"] for r in runs),
                    all_seconds=[r["seconds"] for r in runs])

    @staticmethod
    def show(r, peer):
        for side in "palate", peer:
            if side not in r:
                say(f"{r['method']} {side} skipped: it can't be installed")
                continue
            s, more = r[side], ""
            if side == "palate" and "times_faster" in r:
                more = f"  {r['times_faster']:.1f} x faster, {r['times_less_cpu']:.1f} x less cpu"
            say(f"{r['data']:6} {r['method']:8} {side:9}{s['seconds']:9.2f} s  "
                f"cpu {s['cpu_seconds']:8.2f} s  recall {s['recall@10']:.4f}  "
                f"ndcg {s['ndcg@10']:.4f}  peak {s['peak_rss_bytes'] / 1e6:.0f} MB{more}")
