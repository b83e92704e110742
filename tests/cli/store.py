"""palate export, import --store, backup and restore: everything goes out and comes back the same,
beside a journal that is not drained, through kill -9, and not beside a server that writes."""
import fcntl
import json
import os
import signal
import subprocess
import time

from harness import (OTHERS, PALATE, TIMEOUT_S, WORLD, clean_environment, fail, palate, real_data,
                     refuses, run, same, world)

FILL_STORE = OTHERS[0]

# One of everything that is hard to write down.
LINES = [
    {"item": {"item_id": "a \"quoted\" \U0001f3ac", "title": "Amélie (2001)",
              "categories": ["Comedy", "Ro\\mance"], "attributes": {"year": 2001, "x": [1, {}]},
              "image_url": "https://example.org/a.png", "available": False, "created_at": 5}},
    {"item": {"item_id": "7", "available": True, "created_at": 0}},
    {"user": {"user_id": "u1", "attributes": {"age": 33, "note": "line\nend"}, "created_at": 6}},
    {"user": {"user_id": "u2", "created_at": 0}},
    {"event": {"user_id": "u1", "item_id": "7", "type": "rating", "value": 0.1, "timestamp": 9,
               "event_id": "e1", "recommendation_id": "r1"}},
    {"event": {"user_id": "u2", "item_id": "7", "type": "like", "value": 1, "timestamp": 8}},
    {"event": {"user_id": "u2", "item_id": "7", "type": "like", "value": 1, "timestamp": 8}},
    {"served": {"recommendation_id": "r1", "user_id": "u1", "timestamp": 4,
                "items": [{"item_id": "7", "source": "als", "score": 0.25}]}},
    {"served": {"recommendation_id": "r2", "timestamp": 3, "items": []}},
]


def write(folder, lines, name="in.jsonl"):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as f:
        for line in lines:
            f.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")
    return path


def read(path):
    with open(path, "rb") as f:
        return f.read()


def url(folder, name="palate.db"):
    return "sqlite:" + os.path.join(folder, name)


def test_everything_comes_back(folder):
    source = write(folder, LINES)
    told = palate("import", source, "--store", url(folder), "--json").json
    same((told["events"], told["items"], told["users"], told["served"]), (3, 2, 2, 2))
    same((told["repeated_events"], told["skipped_lines"], told["resumed_at"]), (0, 0, 0))
    out = palate("export", "--store", url(folder)).out
    same(out.encode(), read(source))
    same(palate("export", "--store", url(folder), "-o", "-").out, out)
    second = os.path.join(folder, "out.jsonl")
    said = palate("export", "--store", url(folder), "-o", second).out
    same(read(second), read(source))
    if "3 events, 2 items, 2 users and 2 served lists" not in said:
        fail(said)
    same(sorted(n for n in os.listdir(folder) if "export" in n), [])  # nothing is left behind


def test_the_store_is_found_by_default(folder):
    write(folder, LINES)
    palate("import", "in.jsonl", "--store", "sqlite:palate.db", cwd=folder)
    same(palate("export", cwd=folder).out.encode(), read(os.path.join(folder, "in.jsonl")))
    palate("backup", "-o", "b.db", cwd=folder)
    os.remove(os.path.join(folder, "palate.db"))
    palate("restore", "b.db", cwd=folder)
    same(palate("export", cwd=folder).out.encode(), read(os.path.join(folder, "in.jsonl")))


def test_twice_is_once(folder):
    source = write(folder, LINES)
    palate("import", source, "--store", url(folder))
    told = palate("import", source, "--store", url(folder), "--json").json
    same((told["already_imported"], told["events"]), (True, 0))
    same(palate("export", "--store", url(folder)).out.encode(), read(source))
    # another file with the same event_id: a retry
    other = write(folder, LINES[4:6], "other.jsonl")
    told = palate("import", other, "--store", url(folder), "--json").json
    same((told["events"], told["repeated_events"]), (2, 1))


def test_a_data_set_with_all_it_has(folder):
    data = real_data("ml-100k")
    told = palate("import", data, "--store", url(folder), "--json").json
    same((told["events"], told["items"], told["users"]), (100000, 1682, 943))
    lines = [json.loads(line) for line in palate("export", "--store", url(folder)).out.splitlines()]
    first = lines[0]["item"]
    same((first["item_id"], first["title"]), ("1", "Toy Story (1995)"))
    same(first["categories"], ["Animation", "Children's", "Comedy"])
    user = next(line["user"] for line in lines if "user" in line)
    same((user["user_id"], user["attributes"]["age"]), ("1", 24))
    events = [line["event"] for line in lines if "event" in line]
    same(events[0]["type"], "rating")
    same(sorted(e["timestamp"] for e in events), [e["timestamp"] for e in events])
    with open(os.path.join(data, "u.data"), encoding="ascii") as f:
        rows = sorted(tuple(line.split()) for line in f)
    same(sorted((e["user_id"], e["item_id"], str(e["value"]), str(e["timestamp"] // 1000))
                for e in events), rows)
    again = palate("import", data, "--store", url(folder), "--json").json
    same(again["already_imported"], True)


def test_any_source_goes_into_a_store(folder):
    path = os.path.join(folder, "log.csv")
    with open(path, "w", encoding="ascii") as f:
        f.write("who;what\nann;a\nbob;b\nann;b\n")
    told = palate("import", path, "--store", url(folder), "--columns", "user=who,item=what",
                  "--json").json
    same((told["events"], told["items"], told["users"]), (3, 2, 2))
    palate("import", "--synthetic", *WORLD, "--store", url(folder, "s.db"))
    refuses(2, "import", path, "--store", url(folder), "-o", "x", says="not both")


def test_an_export_is_a_data_set(folder):
    """What import, stats and train make of an export is what they make of what went in."""
    data, out = real_data("ml-100k"), os.path.join(folder, "all.jsonl")
    palate("import", data, "--store", url(folder))
    palate("export", "--store", url(folder), "-o", out)
    told = palate("stats", "--data", out, "--json").json
    straight = palate("stats", "--data", data, "--json").json
    differ = sorted(k for k in straight if told[k] != straight[k])
    if set(differ) - {"data", "format", "weights"}:
        fail(f"{[(k, told[k], straight[k]) for k in differ]}")
    same(told["format"], "export")
    palate("import", out, "-o", os.path.join(folder, "all.palate"))
    own = palate("stats", "--data", os.path.join(folder, "all.palate"), "--json").json
    same([own["interactions"], own["items_known"]], [100000, 1682])
    for source, models in ((out, "a"), (url(folder), "b")):
        how = ["--store"] if models == "b" else ["--data"]
        palate("train", *how, source, "--model", "knn", "--models", os.path.join(folder, models),
               "--weights", "rating>=4:1,*:0")
    lists = [palate("recommend", "--models", os.path.join(folder, models), "--data", out, "--user",
                    "1", "-n", "20", "--json").json["recommendations"] for models in "ab"]
    same(lists[0], lists[1])


def test_killed_and_gone_on(folder):
    """Killed again and again in the middle, the same command ends with everything once."""
    lines = LINES[:4] + [{"event": {"user_id": f"u{i % 997}", "item_id": f"i{i % 313}",
                                    "type": "view", "value": 1, "timestamp": i}}
                         for i in range(400000)]
    source = write(folder, lines)
    command = [PALATE, "import", source, "--store", url(folder), "--json"]
    log, stopped = os.path.join(folder, "palate.db-wal"), 0
    for kill in [signal.SIGKILL, signal.SIGINT, signal.SIGKILL]:
        before = os.path.getsize(log) if os.path.exists(log) else 0
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   env=clean_environment())
        began = time.monotonic()
        while process.poll() is None and time.monotonic() - began < TIMEOUT_S:
            if os.path.exists(log) and os.path.getsize(log) > before + 1500000:
                process.send_signal(kill)
                break
        stopped += process.wait(timeout=TIMEOUT_S) != 0
    if not stopped:
        fail("it was never stopped in the middle")
    told = palate("import", source, "--store", url(folder), "--json").json
    if not 0 < told["resumed_at"] < len(lines):
        fail(f"resumed at {told['resumed_at']}")
    events = [json.loads(line)["event"]["timestamp"]
              for line in palate("export", "--store", url(folder)).out.splitlines()
              if line.startswith('{"event"')]
    same(len(events), 400000)
    same(events, list(range(400000)))


def test_with_what_the_journal_holds(folder):
    data = world(folder)
    journal = os.path.join(folder, "palate.db-journal.d")
    done = subprocess.run([FILL_STORE, data, url(folder), journal, "60"], check=True,
                          capture_output=True, text=True, timeout=60)
    stored, pending = map(int, done.stdout.split())
    out = os.path.join(folder, "out.jsonl")
    palate("export", "--store", url(folder), "-o", out)
    same(sum(line.startswith(b'{"event"') for line in read(out).splitlines()), stored + pending)
    few = palate("export", "--store", url(folder), "--journal", os.path.join(folder, "none")).out
    same(sum(line.startswith('{"event"') for line in few.splitlines()), stored)
    # the same events as in the data set, and the store itself is as it was
    palate("import", out, "--store", url(folder, "other.db"))
    palate("import", data, "--store", url(folder, "direct.db"))
    for name in ["other.db", "direct.db"]:
        lines = palate("export", "--store", url(folder, name)).out.splitlines()
        same(sum(line.startswith('{"event"') for line in lines), stored + pending)
    same(palate("export", "--store", url(folder), "--journal", os.path.join(folder, "none")).out,
         few)


def test_not_while_a_server_writes(folder):
    source = write(folder, LINES)
    palate("import", source, "--store", url(folder))
    palate("backup", "--store", url(folder), "-o", os.path.join(folder, "b.db"))
    with open(os.path.join(folder, "palate.db.lock"), "r+", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("4242\n")
        lock.truncate()
        lock.flush()
        refuses(1, "import", source, "--store", url(folder), says="in use by process 4242")
        refuses(1, "restore", os.path.join(folder, "b.db"), "--store", url(folder),
                says="in use by process 4242")
        # reading is no matter
        same(palate("export", "--store", url(folder)).out.encode(), read(source))
        palate("backup", "--store", url(folder), "-o", os.path.join(folder, "c.db"))


def test_what_is_wrong_is_said(folder):
    bad = write(folder, [*LINES[:2], {"event": {"user_id": "u"}}, LINES[2]], "bad.jsonl")
    refuses(1, "import", bad, "--store", url(folder), says=["bad.jsonl:3: item_id is missing"])
    told = palate("import", bad, "--store", url(folder), "--skip-bad", "1", "--json").json
    same((told["skipped_lines"], told["items"], told["users"]), (1, 2, 1))
    odd = write(folder, [LINES[0], {"even": {}}], "odd.jsonl")
    refuses(1, "import", odd, "--store", url(folder), says="odd.jsonl:2:1: expected {\"item\"")
    many = write(folder, [{"event": {"user_id": "u", "item_id": "i", "type": f"t{i}"}}
                          for i in range(65)], "many.jsonl")
    refuses(2, "import", many, "--store", url(folder), says="many.jsonl:65:")
    refuses(1, "import", bad, "--store", "oracle:x", says="sqlite:FILE")
    refuses(1, "export", "--store", url(folder, "none.db"), says="there is no store at")
    refuses(2, "backup", "--store", url(folder), says="palate backup -o FILE")
    refuses(2, "restore", "--store", url(folder), says="palate restore FILE")
    refuses(1, "restore", os.path.join(folder, "none.db"), "--store", url(folder),
            says="there is no backup at")
    refuses(1, "restore", bad, "--store", url(folder), says="use another backup")
    refuses(1, "export", "--store", url(folder, "bad.jsonl"), says="is no SQLite database")
    refuses(1, "export", "--store", url(folder), "-o", os.path.join(folder, "no", "x"),
            says="cannot make a folder")


def test_an_export_fails_whole(folder):
    """The file that was there stays when a new one can't be written to its end."""
    palate("import", "--synthetic", "--set", "synth.users=2000", "--store", url(folder))
    out = write(folder, LINES, "out.jsonl")
    refuses(1, "export", "--store", url(folder), "-o", out, limit=1 << 20, says="palate: ")
    same(read(out), read(write(folder, LINES, "same.jsonl")))
    same([n for n in os.listdir(folder) if n.startswith(".")], [])
    with open("/dev/full", "wb") as full:
        done = subprocess.run([PALATE, "export", "--store", url(folder)], stdout=full, check=False,
                              stderr=subprocess.PIPE, env=clean_environment(), timeout=TIMEOUT_S)
    same(done.returncode, 1)
    if b"cannot write to standard output" not in done.stderr:
        fail(done.stderr)


run(globals())
