"""palate export recommendations: a list for every user, in files, whole or gone on with."""
import csv
import json
import os
import signal
import subprocess
import time

from harness import PALATE, QUICK, clean_environment, fail, palate, refuses, run, same, world


def trained(folder):
    data, models = world(folder), os.path.join(folder, "models")
    palate("train", "--data", data, "--models", models, "--model", "als,ease,popular", *QUICK)
    return data, models


def read_csv(path):
    """{user: [(item, score, source), …]} in the order of the ranks."""
    lists = {}
    with open(path, newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            mine = lists.setdefault(row["user_id"], [])
            mine.append((row["item_id"], float(row["score"]), row["source"]))
            same(int(row["rank"]), len(mine))
    return lists


def test_lists_are_those_of_recommend(folder):
    _, models = trained(folder)
    path = os.path.join(folder, "lists.csv")
    for model in [["--model", "ease"], []]:
        told = palate("export", "recommendations", "--models", models, "-n", 5, "-o", path,
                      "--json", *model).json
        lists = read_csv(path)
        same((told["users"], told["rows"], told["version"]), (300, 1500, 1))
        same(len(lists), 300)
        for user in list(lists)[::60]:
            one = palate("recommend", "--models", models, "--user", user, "-n", 5, "--json",
                         *model).json
            same([(r["item_id"], r["source"]) for r in one["recommendations"]],
                 [(item, source) for item, _, source in lists[user]])
    same(sorted(os.listdir(folder)), ["lists.csv", "models", "world.palate"])


def test_as_json_lines(folder):
    _, models = trained(folder)
    path = os.path.join(folder, "lists.jsonl")
    palate("export", "recommendations", "--models", models, "-n", 4, "-o", path)
    with open(path, encoding="utf-8") as lines:
        lists = [json.loads(line) for line in lines]
    same(len(lists), 300)
    same([len(one["items"]) for one in lists], [4] * 300)
    same(sorted(lists[0]), ["items", "user_id", "version"])
    same(sorted(lists[0]["items"][0]), ["item_id", "score", "source"])
    out = palate("export", "recommendations", "--models", models, "-n", 4, "--as", "jsonl").out
    same([json.loads(line) for line in out.splitlines()], lists)
    csv_out = palate("export", "recommendations", "--models", models, "-n", 4).out.splitlines()
    same(csv_out[0], "user_id,rank,item_id,score,source")
    same(len(csv_out), 1201)


def test_odd_ids(folder):
    """Ids with commas, quotes and breaks come back as they were."""
    models, data = os.path.join(folder, "models"), os.path.join(folder, "odd.jsonl")
    users, items = ['a,b', 'say "x"', "ünïcode", "back\\slash"], ['i,1', '"', "i\\t", "fine", "x"]
    with open(data, "w", encoding="utf-8") as f:
        for n, user in enumerate(users):
            for item in items[n % 3:n % 3 + 2]:
                f.write(json.dumps({"user_id": user, "item_id": item}) + "\n")
    palate("train", "--data", data, "--columns", "user=user_id,item=item_id", "--models", models,
           "--model", "popular")
    path = os.path.join(folder, "lists.csv")
    palate("export", "recommendations", "--models", models, "-n", 2, "-o", path)
    lists = read_csv(path)
    same(sorted(lists), sorted(users))
    same({item for mine in lists.values() for item, _, _ in mine} <= set(items), True)


def test_active_only(folder):
    data, models = trained(folder)
    out = palate("export", "recommendations", "--models", models, "--for", "active", "--days", 3,
                 "--as", "jsonl").out
    some = {json.loads(line)["user_id"] for line in out.splitlines()}
    path = os.path.join(folder, "all.jsonl")
    palate("import", data, "--store", "sqlite:" + os.path.join(folder, "s.db"))
    palate("export", "--store", "sqlite:" + os.path.join(folder, "s.db"), "-o", path)
    last = {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            event = json.loads(line).get("event")
            if event:
                last[event["user_id"]] = max(last.get(event["user_id"], 0), event["timestamp"])
    newest = max(last.values()) // 1000
    expect = {user for user, t in last.items() if t // 1000 >= newest - 3 * 86400}
    same(some, expect)
    if not 0 < len(some) < 300:
        fail(f"{len(some)} of 300 tell nothing")


def test_what_is_not_available(folder):
    """What a store says is gone is in nobody's list."""
    data, models = world(folder), os.path.join(folder, "models")
    store = "sqlite:" + os.path.join(folder, "s.db")
    palate("import", data, "--store", store)
    palate("train", "--store", store, "--models", models, "--model", "als,popular", *QUICK)
    before = palate("export", "recommendations", "--models", models).out
    top = before.splitlines()[1].split(",")[2]
    lines = os.path.join(folder, "gone.jsonl")
    with open(lines, "w", encoding="utf-8") as f:
        f.write(json.dumps({"item": {"item_id": top, "available": False}}) + "\n")
    palate("import", lines, "--store", store)
    after = [line.split(",")[2] for line in
             palate("export", "recommendations", "--models", models).out.splitlines()[1:]]
    same(top in after, False)
    same(len(after), 3000)


def test_interrupted(folder):
    """Killed at any moment, the same command goes on; the file is the same as in one go."""
    models, data = os.path.join(folder, "models"), os.path.join(folder, "big.palate")
    palate("import", "--synthetic", "--set", "synth.users=60000", "--set", "synth.items=400",
           "--set", "synth.events=200000", "-o", data)
    palate("train", "--data", data, "--models", models, "--model", "als", "--set",
           "als.factors=8", "--set", "als.epochs=1")
    whole, path = os.path.join(folder, "whole.csv"), os.path.join(folder, "lists.csv")
    command = ["export", "recommendations", "--models", models, "-o"]
    palate(*command, whole)
    killed = 0
    for attempt in range(30):
        process = subprocess.Popen([PALATE, *command, path, "--json"], stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL, env=clean_environment())
        time.sleep(0.05 * (attempt + 1))
        process.send_signal(signal.SIGKILL if attempt % 3 else signal.SIGINT)
        process.communicate(timeout=60)
        killed += process.returncode != 0
        if os.path.exists(path):
            break
    if not killed:
        fail("it was never killed")
    with open(whole, "rb") as a, open(path, "rb") as b:
        same(a.read() == b.read(), True)
    same([name for name in os.listdir(folder) if "partial" in name], [])


def test_goes_on_behind(folder):
    """What is written down of an interrupted run is believed if it fits, and else dropped."""
    _, models = trained(folder)
    path = os.path.join(folder, "lists.csv")
    command = ["export", "recommendations", "--models", models, "-o", path, "--json"]
    palate(*command)
    with open(path, "rb") as f:
        whole = f.read()
    lines = whole.splitlines(keepends=True)
    part = b"".join(lines[:1 + 100 * 10])
    users = [line.split(b",")[0].decode() for line in lines[1::10]]
    state = {"form": 0, "version": 1, "model": "", "n": 10, "whose": 0, "days": 0, "done": 100,
             "last": users[99], "bytes": len(part)}
    for change, resumed in [({}, 100), ({"version": 2}, 0), ({"n": 9}, 0), ({"last": "nobody"}, 0),
                            ({"bytes": len(part) + 999}, 0), ({"done": 101}, 0),
                            ({"done": 10 ** 6}, 0), ({"model": "als"}, 0)]:
        os.remove(path)
        with open(path + ".partial", "wb") as f:
            f.write(part + b"torn li")
        with open(path + ".partial.state", "w", encoding="utf-8") as f:
            json.dump({**state, **change}, f)
        same((change, palate(*command).json["resumed_behind"]), (change, resumed))
        with open(path, "rb") as f:
            same(f.read() == whole, True)


def test_complaints(folder):
    _, models = trained(folder)
    refuses(2, "export", "everything", says="expected 'recommendations'")
    refuses(1, "export", "recommendations", "--models", models, "--model", "nobody",
            says="there is no model 'nobody'")
    refuses(1, "export", "recommendations", "--models", os.path.join(folder, "none"))
    refuses(1, "export", "recommendations", "--models", models, "-o",
            os.path.join(folder, "no", "such", "folder.csv"), says="cannot write")
    refuses(1, "export", "recommendations", "--models", models, "-o", folder, says=folder)
    data = os.path.join(folder, "plain.csv")
    with open(data, "w", encoding="utf-8") as f:
        f.write("user,item\n" + "".join(f"u{n},i{n % 3}\n" for n in range(9)))
    palate("train", "--data", data, "--models", models, "--model", "popular")
    refuses(1, "export", "recommendations", "--models", models, "--for", "active",
            says="has no times")


def test_a_full_disk(folder):
    """What does not fit is told; what was there before stays."""
    _, models = trained(folder)
    path = os.path.join(folder, "lists.csv")
    with open(path, "w", encoding="utf-8") as f:
        f.write("before\n")
    refuses(1, "export", "recommendations", "--models", models, "-o", path, limit=8192,
            says="cannot write")
    with open(path, encoding="utf-8") as f:
        same(f.read(), "before\n")
    palate("export", "recommendations", "--models", models, "-o", path)
    same(len(read_csv(path)), 300)


run(globals())
