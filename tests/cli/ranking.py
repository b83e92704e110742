"""Two-stage ranking on the command line: --model als,popular,trees trains, measures, publishes and
answers, says what it learned from, and says what it lacks."""
import hashlib
import json
import os

from harness import QUICK, Skip, fail, palate, refuses, run, same, world

TREES = ["--set", "trees.rounds=60", "--set", "trees.quota=40"]
MODELS = ["--model", "als,popular,content,trees", *QUICK, *TREES]


def trained(folder, *args, data=None):
    models = os.path.join(folder, "models")
    ended = palate("train", "--data", data or world(folder), "--models", models, *MODELS, *args,
                   status=None)
    if ended.status and "libxgboost" in ended.err:
        raise Skip("there is no XGBoost to train with")
    same(ended.status, 0)
    return models, ended


def manifest(models, version=1):
    with open(os.path.join(models, f"{version:06}", "manifest.json"), encoding="utf-8") as f:
        return json.load(f)


def test_a_version_with_a_ranker(folder):
    """It is one more model of the version, and says what it learned from."""
    models, ended = trained(folder, "--json")
    same([m["model"] for m in ended.json["models"]], ["als", "popular", "content", "trees"])
    told = manifest(models)["models"][3]
    same((told["name"], told["options"]["rounds"]), ("trees", 60))
    ranker = told["ranker"]
    same(ranker["sources"], ["als", "popular", "content"])
    same(ranker["ndcg@10"]["best"] >= ranker["ndcg@10"]["base"] > 0, True)
    shown = palate("models", "show", "1", "--models", models, "--json").json["manifest"]
    same(shown["models"][3]["ranker"], ranker)
    shares = list(ranker["importance"].values())
    if ranker["trees"]:
        same((shares == sorted(shares, reverse=True), round(sum(shares), 2)), (True, 1.0))
        said = palate("models", "show", "1", "--models", models).out
        for name in list(ranker["importance"])[:3]:
            same(name in said, True)
    told = palate("recommend", "--models", models, "--user", "7", "--model", "trees", "-n", "15",
                  "--json").json["recommendations"]
    same(len({r["item_id"] for r in told}), 15)
    same([r["source"] for r in told], ["trees"] * 15)


def test_a_ranker_that_learns_nothing(folder):
    """By expected stars, beside its sources in eval, in a version, and as a source of answers."""
    data, models = world(folder), os.path.join(folder, "models")
    light = ["--model", "als,popular,svd,stars", *QUICK, "--set", "svd.samples=4", "--set",
             "svd.factors=4", "--set", "stars.weight=0.5"]
    told = palate("eval", "--data", data, "--split", "time:80/20", *light, "--compare",
                  "--json").json
    same([r["model"] for r in told["results"]], ["als", "popular", "svd", "stars"])
    same(told["results"][3]["ranker"],
         {"sources": ["als", "popular"], "quota": 100, "judge": "svd"})
    palate("train", "--data", data, "--models", models, *light)
    same("orders what als, popular put forward, by the stars that svd expects besides" in
         palate("models", "show", "1", "--models", models).out, True)
    told = palate("recommend", "--models", models, "--user", "7", "--model", "stars", "-n", "15",
                  "--json").json["recommendations"]
    same(([r["source"] for r in told], len({r["item_id"] for r in told})), (["stars"] * 15, 15))
    refuses(2, "train", "--data", data, "--models", models, "--model", "als,stars",
            says=["stars", "als,svdpp,stars"])


def test_how_learning_went(folder):
    """A run tells what its own model learned: the ranker's trees, not the epochs of the sources
    that it trains once more."""
    models, _ = trained(folder, "--track", "")
    ranker = manifest(models)["models"][3]["ranker"]
    with open(os.path.join(models, "runs.jsonl"), encoding="utf-8") as f:
        steps = {run["name"]: run["steps"] for run in map(json.loads, f)}
    same(list(steps["als, version 1"]), ["change"])
    same(list(steps["trees, version 1"]), ["held_out_ndcg"])
    values = dict(steps["trees, version 1"]["held_out_ndcg"])
    same(list(values), list(range(1, len(values) + 1)))
    if ranker["trees"]:
        same(max(values, key=values.get), ranker["trees"])
        same(abs(max(values.values()) - ranker["ndcg@10"]["best"]) < 1e-4, True)


def test_measured_beside_its_sources(folder):
    """eval has a row for it, with the paired test; the same figures at any number of threads."""
    trained(folder)
    data, told = os.path.join(folder, "world.palate"), []
    for threads in ("1", "2"):
        ended = palate("eval", "--data", data, "--split", "time:80/20", *MODELS, "--compare",
                       "--json", "-t", threads).json
        told.append([r["metrics"] for r in ended["results"]])
        same([r["model"] for r in ended["results"]], ["als", "popular", "content", "trees"])
        same(len(ended["comparisons"]), 3)
    same(told[0], told[1])


def test_same_bytes_at_any_number_of_threads(folder):
    sums = []
    for threads in ("1", "2"):
        at = os.path.join(folder, threads)
        os.mkdir(at)
        models, _ = trained(at, "-t", threads, data=world(folder))
        with open(os.path.join(models, "000001", "trees.safetensors"), "rb") as f:
            sums.append(hashlib.sha256(f.read()).hexdigest())
    same(sums[0], sums[1])


def test_through_the_gate(folder):
    """What was chosen before counts by the ranker too, and is trained again where it differs."""
    trained(folder)
    gate = ["--gate", "0.05"]
    models, ended = trained(folder, *gate, "--json", data=os.path.join(folder, "world.palate"))
    same((ended.json["gate"]["how"], ended.json["gate"]["published"]), ("same", True))
    ended = palate("train", "--data", os.path.join(folder, "world.palate"), "--models", models,
                   "--model", "random", *gate, "--json")
    same((ended.json["gate"]["how"], ended.json["gate"]["published"]), ("retrained", False))


def test_what_it_lacks(folder):
    data, models = world(folder), os.path.join(folder, "none")
    trained(folder, data=data)
    refuses(2, "train", "--data", data, "--models", models, "--model", "trees",
            says="name these before it")
    refuses(2, "train", "--data", data, "--models", models, "--model", "trees,als",
            says="name these before it")
    lists = os.path.join(folder, "lists.txt")
    with open(lists, "w", encoding="utf-8") as f:
        for user in range(40):
            f.write(f"{user} " + " ".join(str((user * 7 + i * 3) % 50) for i in range(12)) + "\n")
    ended = palate("train", "--data", lists, "--format", "lists", "--models", models, "--model",
                   "popular,trees", status=None)
    if ended.status == 0 or "times" not in ended.err:
        fail(f"without times: {ended}")
    # A version that lost one of its sources answers without the ranker, and says why not with it.
    models = os.path.join(folder, "models")
    path = os.path.join(models, "000001", "manifest.json")
    told = manifest(models)
    told["models"] = [m for m in told["models"] if m["name"] != "als"]
    with open(path, "w", encoding="utf-8") as f:
        json.dump(told, f)
    palate("recommend", "--models", models, "--user", "7", "--model", "popular")
    ended = palate("recommend", "--models", models, "--user", "7", "--model", "trees", status=None)
    same((ended.status != 0, "sources" in ended.err), (True, True))


run(globals())
