"""palate eval: the comparison as a table and as one JSON object."""
import collections
import json
import math
import os
import random as random_module
import signal
import subprocess

from harness import (PALATE, QUICK, WORLD, clean_environment, fail, palate, real_data, refuses, run,
                     same, world)

KEYS = ["bootstrap", "comparisons", "confidence", "data", "fingerprint", "format", "palate", "part",
        "protocol", "relevant_from", "results", "seed", "split", "users", "weights"]
RESULT_KEYS = ["eval_seconds", "groups", "intervals", "label", "metrics", "model", "options",
               "peak_rss_bytes", "train_seconds", "users"]


def test_one_object(folder):
    told = palate("eval", "--data", world(folder), "--split", "random:60/20/20", "--seed", "3",
                  "--model", "als,popular,random", *QUICK, "--metrics", "precision@10,ndcg@5,20",
                  "--compare", "--json").json
    same(sorted(told), KEYS)
    same((told["split"], told["seed"], told["part"], told["protocol"]),
         ("random:60/20/20", 3, "test", "full"))
    same([r["model"] for r in told["results"]], ["als", "popular", "random"])
    for result in told["results"]:
        same(sorted(result), RESULT_KEYS)
        same(list(result["metrics"]), ["precision@10", "ndcg@5", "ndcg@20"])
        for name, (low, high) in result["intervals"].items():
            if not low <= result["metrics"][name] <= high:
                fail(result)
        if result["peak_rss_bytes"] < 1 << 20:
            fail(result)
    als, popular, random = told["results"]
    same(als["options"]["factors"], 8)
    for name in ["precision@10", "ndcg@20"]:
        if not als["metrics"][name] > random["metrics"][name]:
            fail(told)
    same([sorted(c) for c in told["comparisons"]],
         [["a", "b", "difference", "interval", "metric", "p"]] * 2)
    worst = [c for c in told["comparisons"] if c["b"] == "random"][0]
    same(worst["metric"], "precision@10")
    same((worst["difference"] < 0, worst["p"] < 0.05), (True, True))
    # What is told of the difference is the difference of what is told.
    best = {r["label"]: r for r in told["results"]}[worst["a"]]
    difference = random["metrics"]["precision@10"] - best["metrics"]["precision@10"]
    same(abs(difference - worst["difference"]) < 1e-9, True)


def shop(folder):
    """[(user, item, type)] in order of time, and the file that they are in."""
    draw = random_module.Random(4)
    rows = []
    for _ in range(1500):
        item = min(draw.randrange(40), draw.randrange(40))
        rows.append((f"u{draw.randrange(60)}", f"i{item}",
                     draw.choice(["view", "view", "view", "add_to_cart", "purchase"])))
    path = os.path.join(folder, "shop.csv")
    with open(path, "w", encoding="ascii") as f:
        f.write("user_id,item_id,type,timestamp\n")
        f.writelines(f"{u},{i},{t},{1600000000 + n}\n" for n, (u, i, t) in enumerate(rows))
    return rows, path


def test_a_target(folder):
    """What was bought is found among all that was not bought before, viewed or not."""
    rows, path = shop(folder)
    weight = {"view": 1, "add_to_cart": 2, "purchase": 4}
    train, test = rows[:1200], rows[1200:]
    number = {item: n for n, item in enumerate(dict.fromkeys(row[1] for row in rows))}
    popular = collections.Counter()
    for _, item, kind in train:
        popular[item] += weight[kind]
    bought = {(u, i) for u, i, kind in train if kind == "purchase"}
    found = {}
    for user, item, kind in test:
        if kind == "purchase" and (user, item) not in bought:
            found.setdefault(user, set()).add(item)
    hits = 0
    for user, wanted in found.items():
        free = [i for i in number if (user, i) not in bought]
        hits += len(wanted & set(sorted(free, key=lambda i: (-popular[i], number[i]))[:5]))
    how = ["--data", path, "--split", "time:80/20", "--model", "popular", "--metrics",
           "precision@5", "--weights", "view:1,add_to_cart:2,purchase:4", "--json"]
    told = palate("eval", *how, "--target", "purchase").json
    same((told["target"], told["users"]), ("purchase", len(found)))
    got = told["results"][0]["metrics"]["precision@5"]
    if abs(got - hits / len(found) / 5) > 1e-9:
        fail((got, hits / len(found) / 5))
    same(palate("eval", *how).json["users"] == told["users"], False)
    refuses(2, "eval", *how[:-1], "--target", "buy", says="purchase")


def test_what_they_come_back_to(folder):
    """With --again what was had before is found like all else, among all there is."""
    rows, path = shop(folder)
    rows = [(u, i) for u, i, kind in rows if kind == "purchase"]
    with open(path, "w", encoding="ascii") as f:
        f.write("user_id,item_id,type,timestamp\n")
        f.writelines(f"{u},{i},purchase,{1600000000 + n}\n" for n, (u, i) in enumerate(rows))
    train, test = rows[:len(rows) * 8 // 10], rows[len(rows) * 8 // 10:]
    number = {item: n for n, item in enumerate(dict.fromkeys(item for _, item in rows))}
    popular = collections.Counter(item for _, item in train)
    best = sorted(number, key=lambda i: (-popular[i], number[i]))[:5]
    found = {}
    for user, item in test:
        found.setdefault(user, set()).add(item)
    wanted = sum(len(items & set(best)) for items in found.values()) / len(found) / 5
    how = ["--data", path, "--split", "time:80/20", "--model", "popular", "--metrics",
           "precision@5", "--json"]
    told = palate("eval", *how, "--again").json
    same((told["again"], told["users"]), (True, len(found)))
    got = told["results"][0]["metrics"]["precision@5"]
    if abs(got - wanted) > 1e-9:
        fail((got, wanted))
    told = palate("eval", *how).json
    same(("again" in told, told["results"][0]["metrics"]["precision@5"] == got), (False, False))


def test_same_seed_same_answer(folder):
    def figures(*args):
        told = palate("eval", "--data", data, "--model", "als,random", *QUICK, "--json", *args).json
        return [(r["metrics"], r["intervals"]) for r in told["results"]]
    data = world(folder)
    one = figures("--threads", "1")
    same(figures("--threads", "2"), one)
    same(figures("--seed", "2") == one, False)


def test_variants_of_a_model(folder):
    told = palate("eval", "--data", world(folder), "--model",
                  "als+factors=4+epochs=2,als+factors=16", "--set", "als.epochs=3", "--bootstrap",
                  "0", "--json").json
    same([r["label"] for r in told["results"]], ["als+factors=4+epochs=2", "als+factors=16"])
    same([(r["options"]["factors"], r["options"]["epochs"]) for r in told["results"]],
         [(4, 2), (16, 3)])
    same([r["intervals"] for r in told["results"]], [{}, {}])
    same(told["comparisons"], [])


def test_table(folder):
    out = palate("eval", "--data", world(folder), "--model", "als,popular", *QUICK, "--metrics",
                 "ndcg@10,recall@10", "--compare").out
    lines = out.splitlines()
    head = [line for line in lines if "ndcg@10" in line][0].split()
    same(head[:3], ["model", "ndcg@10", "recall@10"])
    same(head[-3:], ["train", "eval", "memory"])
    rows = [line.split() for line in lines if line.startswith(("  als", "  popular"))]
    same([row[0] for row in rows], ["als", "popular"])
    same("*" in out and "±" in out, True)
    for line in lines:
        same(line, line.rstrip())
    likes = palate("eval", "--data", world(folder), "--model", "popular", "--metrics", "rmse").out
    same("-: the data hold no values" in likes, True)
    same("-: the data" in out, False)


def test_save(folder):
    path = os.path.join(folder, "result.json")
    palate("eval", "--data", world(folder), "--model", "popular", "--save", path)
    with open(path) as f:
        same(sorted(json.load(f)), KEYS)
    refuses(1, "eval", "--data", world(folder), "--model", "popular", "--save", "/proc/x.json",
            says="/proc/x.json")


def test_validation_part(folder):
    data = world(folder)
    told = palate("eval", "--data", data, "--model", "popular", "--split", "latest:60/20/20",
                  "--part", "valid", "--json").json
    same(told["part"], "valid")
    refuses(2, "eval", "--data", data, "--model", "popular", "--split", "random:80/20", "--part",
            "valid", says="valid")


def test_tuning_leaves_the_test_part_alone(folder):
    """--tune judges by a piece of the training part, so fewer users and events are left."""
    data = world(folder)
    base = ["eval", "--data", data, "--model", "popular", "--split", "leave-one-out", "--json"]
    test, tune = palate(*base).json, palate(*base, "--tune", "leave-one-out").json
    same((test["split"], tune["split"]), ("leave-one-out", "leave-one-out/train/leave-one-out"))
    same(test["results"][0]["metrics"] == tune["results"][0]["metrics"], False)


def test_what_can_go_wrong(folder):
    data = world(folder)
    base = ["eval", "--data", data, "--model", "popular"]
    refuses(2, *base, "--metrics", "niceness@10", says="niceness")
    refuses(2, *base, "--metrics", "ndcg@0", says="ndcg@0")
    refuses(2, *base, "--split", "somehow", says="somehow")
    refuses(1, *base, "--split", "file", says="test")
    refuses(1, *base, "--protocol", "negatives", says="negatives")
    refuses(1, *base, "--relevant", "1000")
    # Bad words are told before the data are looked at.
    refuses(2, "eval", "--data", "/none", "--model", "nope", says="nope")
    refuses(2, "eval", "--data", "/none", "--metrics", "nope", says="nope")


def test_settings_from_a_file(folder):
    """A section per model; a flag of the same option goes before it."""
    world(folder)
    with open(os.path.join(folder, "palate.ini"), "w") as f:
        f.write("data = world.palate\nseed = 4\n[als]\nfactors = 4\nepochs = 2\n[eval]\n"
                "model = als\nbootstrap = 0\n")
    told = palate("eval", "--set", "als.epochs=1", "--json", cwd=folder).json
    same((told["seed"], [r["model"] for r in told["results"]]), (4, ["als"]))
    same(told["results"][0]["options"]["factors"], 4)
    same(told["results"][0]["options"]["epochs"], 1)
    # Settings of a model that is not asked for are fine in a file.
    same(palate("eval", "--model", "popular", "--json", cwd=folder).json["results"][0]["model"],
         "popular")


def popularity_among_negatives(data):
    """HR@10 and NDCG@10 of ranking by count, from the files themselves: ties go to the negative,
    and a negative that is listed twice, or is the held-out item itself, counts once or not."""
    with open(os.path.join(data, "ml-1m.train.rating"), encoding="utf-8") as f:
        count = collections.Counter(line.split("\t", 2)[1] for line in f)
    hits, gain, users = 0, 0.0, 0
    with open(os.path.join(data, "ml-1m.test.negative"), encoding="utf-8") as f:
        for line in f:
            pair, *negatives = line.split()
            held_out = pair.strip("()").split(",")[1]
            above = sum(count[n] >= count[held_out] for n in set(negatives) - {held_out})
            users += 1
            if above < 10:
                hits += 1
                gain += 1 / math.log2(above + 2)
    return hits / users, gain / users


def test_published_test_parts(folder):
    """The split that a folder brings along is taken by itself, and its negatives with it."""
    data = real_data("ml-1m-ncf")
    told = palate("eval", "--data", data, "--model", "popular", "--metrics",
                  "hit@10,ndcg@10", "--bootstrap", "0", "--json").json
    same((told["split"], told["protocol"], told["users"]), ("file", "sampled-negatives", 6040))
    metrics = told["results"][0]["metrics"]
    hit, ndcg = popularity_among_negatives(data)
    same((abs(metrics["hit@10"] - hit) < 1e-6, abs(metrics["ndcg@10"] - ndcg) < 1e-6), (True, True))


def test_interrupted(folder):
    process = subprocess.Popen(
        [PALATE, "eval", "--data", "synthetic", *WORLD, "--model", "als", "--set",
         "als.epochs=1000", "--set", "als.factors=256", "--save", os.path.join(folder, "x.json")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=clean_environment())
    try:
        process.communicate(timeout=0.5)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    same((process.returncode, out), (-signal.SIGINT, b""))
    same(err.count(b"\n"), 1)
    same(os.listdir(folder), [])


run(globals())
