"""Models that come and go while answers are asked for: no answer fails, none is of two versions; a
damaged version is passed over."""
import os
import shutil
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from server import Site  # noqa: E402
from harness import fail, palate, run, same  # noqa: E402

RELOADS = 100
HISTORY = {"history": ["x"], "n": 5, "model": "knn", "explore": 0}


def publish(folder, letter):
    """A version whose only answer to "x" are items of this letter."""
    path = os.path.join(folder, letter + ".csv")
    with open(path, "w", encoding="utf-8") as rows:
        rows.write("user,item\n")
        for user in range(20):
            rows.write(f"{user},x\n")
            for item in range(8):
                if (user + item) % 4:
                    rows.write(f"{user},{letter}{item}\n")
            rows.write(f"other{user},{'ab'[letter == 'a']}{user % 8}\n")
    palate("train", "--data", path, "--model", "knn", "--models", "models", cwd=folder)


def letters(answer):
    return {item["item_id"][0] for item in answer["items"]}


def ask(site, stop, told):
    """Asks until told to stop; told[version] = letters seen."""
    site = Site(site.folder, start=False).beside(site)
    while not stop.is_set():
        answer = site.post("/v1/recommendations", HISTORY)
        told.setdefault(answer["model_version"], set()).update(letters(answer))
    site.close()


def catalog(site):
    items = ["x"] + [letter + str(i) for letter in "ab" for i in range(8)]
    site.post("/v1/items", [{"item_id": i} for i in items])


def test_a_hundred_reloads_under_load(folder):
    publish(folder, "a")
    publish(folder, "b")
    with Site(folder) as site:
        catalog(site)
        stop, told, threads = threading.Event(), [{}, {}, {}], []
        for seen in told:
            threads.append(threading.Thread(target=ask, args=(site, stop, seen)))
            threads[-1].start()
        try:
            for turn in range(RELOADS):
                same(site.post(f"/v1/models/{1 + turn % 2}/activate", {}),
                     {"version": 1 + turn % 2})
        finally:
            stop.set()
            for thread in threads:
                thread.join(60)
        for seen in told:
            same(seen, {1: {"a"}, 2: {"b"}})
        same([v["live"] for v in site.get("/v1/models")["versions"]], [True, False])


def test_published_from_outside(folder):
    with Site(folder) as site:
        catalog(site)
        same(site.post("/v1/models/reload", {}), {"version": 0})
        began = int(time.time()) * 1000
        publish(folder, "a")
        same(site.post("/v1/models/reload", {}), {"version": 1})
        same(letters(site.post("/v1/recommendations", HISTORY)), {"a"})
        model = site.get("/v1/status")["model"]
        made = site.get("/v1/models")["versions"][0]["created_at"]
        same([model["version"], model["created_at"]], [1, made])
        if not began <= made <= model["loaded_at"]:
            fail(f"the age of the version is wrong: {model}")


def test_a_damaged_version(folder):
    publish(folder, "a")
    publish(folder, "b")
    path = os.path.join(folder, "models", "000002", "knn.safetensors")
    with open(path, "r+b") as model:
        model.seek(os.path.getsize(path) // 2)
        model.write(b"\xff" * 64)
    with Site(folder) as site:
        catalog(site)
        same(site.post("/v1/recommendations", HISTORY)["model_version"], 1)
        if "000002" not in site.log():
            fail(f"the log does not tell: {site.log()}")
        got = site.raw("POST", "/v1/models/2/activate")
        if got.status == 200:
            fail("a damaged version was activated")
        same(letters(site.post("/v1/recommendations", HISTORY)), {"a"})
    shutil.rmtree(os.path.join(folder, "models"))


run(globals())
