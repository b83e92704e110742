"""palate train, models, recommend, similar: from data to published versions to answers."""
import json
import os
import signal
import subprocess
import time

from harness import (PALATE, QUICK, WORLD, clean_environment, fail, palate, refuses, run, same,
                     world)


def trained(folder, *args):
    """A small world and a version trained on it; (data, models)."""
    data, models = world(folder), os.path.join(folder, "models")
    palate("train", "--data", data, "--models", models, "--model", "als,ease,popular", *QUICK,
           *args)
    return data, models



def test_train_tells_what_it_did(folder):
    data, models = world(folder), os.path.join(folder, "models")
    told = palate("train", "--data", data, "--models", models, "--model", "als,popular", *QUICK,
                  "--split", "random:80/20", "--metrics", "ndcg@10", "--json").json
    same(sorted(told), ["data", "interactions", "models", "path", "peak_rss_bytes", "split",
                        "version"])
    same((told["version"], told["split"]), (1, "random:80/20"))
    same([m["model"] for m in told["models"]], ["als", "popular"])
    same(told["models"][0]["options"]["factors"], 8)
    same(sorted(told["models"][0]), ["bytes", "intervals", "metrics", "model", "options",
                                     "train_seconds"])
    if not 0 < told["models"][0]["metrics"]["ndcg@10"] < 1:
        fail(told)
    if told["peak_rss_bytes"] < 1 << 20:
        fail(told)
    for name in ["manifest.json", "catalog.palate", "als.safetensors", "popular.safetensors"]:
        same(os.path.exists(os.path.join(told["path"], name)), True)
    with open(os.path.join(told["path"], "manifest.json")) as f:
        manifest = json.load(f)
    same(manifest["source"]["path"], os.path.realpath(data))
    same(manifest["source"]["split"], "random:80/20")
    same(manifest["models"][0]["metrics"], told["models"][0]["metrics"])


def test_default_models_suit_the_data(folder):
    data, models = world(folder), os.path.join(folder, "models")
    palate("train", "--data", data, "--models", models, *QUICK)
    version = palate("models", "--models", models, "--json").json["versions"][0]
    same([m["name"] for m in version["manifest"]["models"]],
         ["als", "ease", "popular", "content"])


def test_versions(folder):
    """Each training is a version; any can be made live again."""
    data, models = trained(folder)
    palate("train", "--data", data, "--models", models, "--model", "popular")
    told = palate("models", "--models", models, "--json").json
    same(sorted(told), ["live", "models", "versions"])
    same((told["live"], [v["version"] for v in told["versions"]]), (2, [1, 2]))
    palate("models", "--models", models, "--activate", "1")
    told = palate("models", "--models", models, "--json").json
    same((told["live"], [v["live"] for v in told["versions"]]), (1, [True, False]))
    out = palate("models", "--models", models).out
    if "als, ease, popular" not in out or "* live" not in out:
        fail(out)
    out = palate("models", "show", "1", "--models", models).out
    if "version 1, live" not in out or "factors" not in out:
        fail(out)
    same(palate("models", "show", "2", "--models", models, "--json").json["live"], False)
    refuses(1, "models", "show", "3", "--models", models, says="3")
    refuses(1, "models", "--activate", "9", "--models", models, says="9")
    refuses(2, "models", "show", "--models", models, says="palate models show N")
    refuses(2, "models", "list", "--models", models, says="'list'")


def test_recommendations_for_a_user(folder):
    data, models = trained(folder)
    user = "1"
    told = palate("recommend", "--models", models, "--user", user, "-n", "7", "--explain",
                  "--json").json
    same(sorted(told), ["history", "model", "recommendations", "user", "version"])
    same((told["user"], told["version"], told["model"]), (user, 1, None))
    items = told["recommendations"]
    same([r["rank"] for r in items], list(range(1, 8)))
    same(sorted(items[0]), ["categories", "item_id", "rank", "reasons", "score", "source", "title"])
    scores = [r["score"] for r in items]
    same(scores, sorted(scores, reverse=True))
    had = {h["item_id"] for h in told["history"]}
    liked = {h["item_id"] for h in told["history"] if h["weight"] > 0}
    same(had & {r["item_id"] for r in items}, set())
    reasons = [reason["item_id"] for r in items for reason in r["reasons"]]
    if not reasons or not set(reasons) <= liked:
        fail(told)
    out = palate("recommend", "--models", models, "--user", user, "-n", "7", "--explain").out
    if items[0]["title"] not in out or "because of" not in out:
        fail(out)
    same("because of" in palate("recommend", "--models", models, "--user", user).out, False)


def test_recommendations_for_somebody_new(folder):
    """A history is a user without a name: what user 1 did, written down, gives user 1's answer."""
    data, models = trained(folder)
    known = palate("recommend", "--models", models, "--user", "1", "--json").json
    one_each = all(h["weight"] in (1, -1) for h in known["history"])
    titles = ",".join(("-" if h["weight"] < 0 else "") + h["title"] for h in known["history"])
    new = palate("recommend", "--models", models, "--history", titles, "--json").json
    same(new["user"], None)
    same([h["item_id"] for h in new["history"]], [h["item_id"] for h in known["history"]])
    if one_each:
        same(new["recommendations"], known["recommendations"])
    first = known["recommendations"][0]["title"]
    without = palate("recommend", "--models", models, "--user", "1", "--exclude", first,
                     "--json").json
    same(first in [r["title"] for r in without["recommendations"]], False)
    for model in ["ease", "popular", "blend"]:
        palate("recommend", "--models", models, "--user", "1", "--model", model)


def test_similar_items(folder):
    data, models = trained(folder)
    item = palate("recommend", "--models", models, "--user", "1", "--json").json
    title = item["recommendations"][0]["title"]
    told = palate("similar", title, "--models", models, "-n", "4", "--json").json
    same(sorted(told), ["item", "similar", "version"])
    same(told["item"]["title"], title)
    same([r["rank"] for r in told["similar"]], [1, 2, 3, 4])
    same(title in [r["title"] for r in told["similar"]], False)
    by_id = palate("similar", told["item"]["item_id"], "--models", models, "-n", "4", "--json")
    same(by_id.json, told)
    same(len(palate("similar", title, "--models", models, "-n", "4").out.splitlines()), 5)


def test_nothing_is_left(folder):
    """For who has had everything; and an item that nobody had with another is like none."""
    data, models = os.path.join(folder, "few.csv"), os.path.join(folder, "models")
    with open(data, "w") as f:
        f.write("user,item,rating\nann,a,5\nann,b,5\nann,c,5\nbob,a,5\nbob,b,5\ncid,c,1\n")
    palate("train", "--data", data, "--models", models, "--model", "als,popular")
    asked = ["recommend", "--models", models, "--user", "ann"]
    same(palate(*asked).out.startswith("nothing is left: of 3 items each is in the history"), True)
    same(palate(*asked, "--json").json["recommendations"], [])
    with open(data, "w") as f:
        f.write("user,item,rating\nann,a,5\nbob,b,5\n")
    palate("train", "--data", data, "--models", models, "--model", "knn")
    same(palate("similar", "a", "--models", models).out,
         "no item is like a, as far as the model can tell\n")


def test_questions_that_have_no_answer(folder):
    data, models = trained(folder)
    at = ["--models", models]
    refuses(2, "recommend", *at, says="--user ID or --history")
    refuses(2, "recommend", *at, "--user", "1", "--history", "x", says="--user ID or --history")
    refuses(1, "recommend", *at, "--user", "nobody",
            says=["there is no user 'nobody'", "such as '1' and '300'"])
    refuses(1, "recommend", *at, "--history", "No Such Film At All", says="No Such Film")
    refuses(1, "similar", *at, "No Such Film At All", says="No Such Film")
    refuses(1, "recommend", *at, "--user", "1", "--model", "slim", says="slim")
    refuses(2, "similar", *at, says="palate similar 'TITLE'")
    os.unlink(data)
    refuses(1, "recommend", *at, "--user", "1", says="world.palate")
    refuses(1, "recommend", "--models", os.path.join(folder, "none"), "--user", "1",
            says="palate train")


def test_damaged_versions(folder):
    """Each file of a version, cut and changed: an error that names it, never an answer."""
    data, models = trained(folder)
    version = os.path.join(models, "000001")
    for name in ["als.safetensors", "catalog.palate", "manifest.json"]:
        path = os.path.join(version, name)
        with open(path, "rb") as f:
            whole = f.read()
        for text in [whole[:len(whole) // 2], b"", b"\xff" + whole[1:]]:
            with open(path, "wb") as f:
                f.write(text)
            refuses(1, "recommend", "--models", models, "--user", "1", says=name)
        with open(path, "wb") as f:
            f.write(whole)
    with open(os.path.join(version, "manifest.json"), "w") as f:
        f.write("{")
    if "damaged" not in palate("models", "--models", models).out:
        fail("a damaged manifest is not told")
    same(palate("models", "--models", models, "--json").json["versions"][0]["manifest"], None)


def test_training_that_can_not_be(folder):
    data, models = world(folder), os.path.join(folder, "models")
    base = ["train", "--data", data, "--models", models]
    refuses(2, *base, "--model", "nope", says="there is no model 'nope'")
    refuses(2, *base, "--model", "nope", says="als, bpr")
    refuses(2, *base, "--model", "nope", says="trees, stars")
    refuses(2, *base, "--model", "alss", says="did you mean 'als'?")
    refuses(2, *base, "--model", "popular,star", says="did you mean 'stars'?")
    refuses(2, *base, "--model", "", says="names no model")
    refuses(2, *base, "--model", "als,als+factors=16", says="als twice")
    refuses(2, *base, "--model", "popular", "--set", "als.factors=16", says="not among the models")
    refuses(2, *base, "--set", "als.factors", says="als.OPTION=VALUE")
    refuses(2, *base, "--set", "factors=3", says="MODEL.OPTION=VALUE")
    refuses(2, *base, "--set", "als.factors=9999999", says="factors")
    refuses(2, *base, "--set", "als.factor=8", says="did you mean 'factors'?")
    refuses(2, *base, "--weights", "like=1", says="like")
    refuses(2, *base, "--memory", "much", says="such as 4G")
    refuses(1, *base, "--model", "als", "--memory", "1k", says="als")
    refuses(2, *base, "--split", "randomly:90/20", says="randomly")
    refuses(1, "train", "--data", data, "--models", "/proc/models", says="/proc/models")
    same(os.path.exists(models) and os.listdir(models) != [".lock"], False)


def test_same_seed_same_bytes(folder):
    """At any number of threads."""
    data = world(folder)
    files = []
    for name, threads in [("a", 1), ("b", 2), ("c", 3)]:
        models = os.path.join(folder, name)
        palate("train", "--data", data, "--models", models, "--model", "als", *QUICK, "--threads",
               threads, "--seed", 5)
        same(os.path.exists(os.path.join(models, "CURRENT")), True)
        with open(os.path.join(models, "000001", "als.safetensors"), "rb") as f:
            files.append(f.read())
    same(files[1] == files[0], True)
    same(files[2] == files[0], True)


def test_interrupted_training(folder):
    """SIGINT while it trains: ends by the signal, says so, and leaves no version behind."""
    models = os.path.join(folder, "models")
    for number in [signal.SIGINT, signal.SIGTERM]:
        process = subprocess.Popen(
            [PALATE, "train", "--data", "synthetic", *WORLD, "--models", models, "--model", "als",
             "--set", "als.epochs=1000", "--set", "als.factors=256"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=clean_environment())
        began = time.monotonic()
        while time.monotonic() - began < 60:
            if os.path.isdir(models) and any(n.endswith(".new") for n in os.listdir(models)):
                break
            time.sleep(0.01)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        same(process.returncode, -number)
        same(out, b"")
        if not err.startswith(b"palate: interrupted") or err.count(b"\n") != 1:
            fail(err)
        left = [n for n in os.listdir(models) if n.endswith(".new") or n == "CURRENT"]
        same(left, [])
    same(palate("models", "--models", models, "--json").json["versions"], [])


run(globals())
