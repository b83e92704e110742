"""Events in a real ClickHouse, all else in SQLite: what every kind of store promises,
the same data sets as without it, and who is refused."""
import atexit
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from clickhouse import PASSWORD, USER, ClickHouse  # noqa: E402
from running import Site  # noqa: E402
from server import free_port  # noqa: E402
from harness import OTHERS, QUICK, WORLD, clean_environment, fail, palate  # noqa: E402
from harness import refuses, run, same  # noqa: E402

shared = []  # one server for all


def clickhouse():
    if not shared:
        shared.append(ClickHouse())
        atexit.register(shared[0].close)
    return shared[0]


def contract(url, programs):
    for program in programs:
        done = subprocess.run([program], capture_output=True, text=True, timeout=200, check=False,
                              env=clean_environment(PALATE_TEST_STORE=url))
        if done.returncode:
            fail(f"{program} {url}:\n{done.stdout}\n{done.stderr}")


def test_the_contract_beside_sqlite(folder):
    contract(clickhouse().url("%s") + f"?catalog=sqlite:{folder}/%s.db", OTHERS)


def files_of(models):
    """The bytes of each model and of the catalog."""
    found = {}
    for name in sorted(os.listdir(os.path.join(models, "000001"))):
        if name != "manifest.json":
            with open(os.path.join(models, "000001", name), "rb") as data:
                found[name] = data.read()
    return found


def lines_of(path):
    with open(path, encoding="utf-8") as lines:
        return lines.read()


def test_commands(folder):
    """Imported, trained on, exported and backed up: the same as with SQLite alone, to the byte."""
    theirs = "sqlite:" + os.path.join(folder, "a.db")
    ours = ["--store", "sqlite:" + os.path.join(folder, "b.db"), "--events",
            clickhouse().url("commands", USER)]
    lines, back = (os.path.join(folder, name) for name in ("all.jsonl", "back.jsonl"))
    palate("import", "--store", theirs, "--synthetic", *WORLD)
    palate("export", "--store", theirs, "-o", lines)
    told = palate("import", *ours, lines, "--json")
    same((told.json["events"] > 10000, told.json["repeated_events"]), (True, 0))
    same("***" in told.out, True)
    same(palate("import", *ours, lines, "--json").json["already_imported"], True)
    for store, models in (ours, "m1"), (["--store", theirs], "m2"):
        palate("train", *store, "--models", models, "--model", "als,ease,popular,content", *QUICK,
               cwd=folder)
    one, other = (files_of(os.path.join(folder, models)) for models in ("m1", "m2"))
    same((sorted(one), len(one)), (sorted(other), 5))
    for name, data in one.items():
        same((name, data == other[name]), (name, True))
    palate("export", *ours, "-o", back)
    same(lines_of(back) == lines_of(lines), True)
    palate("backup", *ours, "-o", os.path.join(folder, "copy.db"))
    palate("export", "--store", "sqlite:" + os.path.join(folder, "copy.db"), "-o", back)
    same(lines_of(back) == lines_of(lines), True)
    with open(os.path.join(folder, "m1", "000001", "manifest.json"), encoding="utf-8") as manifest:
        for secret in PASSWORD, "p%40ss":
            same(secret in manifest.read() + told.out + told.err, False)
    refuses(1, "restore", os.path.join(folder, "copy.db"), *ours, says="palate import")


def test_nobody_is_let_in_by_mistake(folder):
    """Each refusal is one line that says what to do, and shows no password."""
    server = clickhouse()
    made = "sqlite:" + os.path.join(folder, "made.db")
    palate("import", "--store", made, "--events", server.url("made"), "--synthetic", *WORLD)
    full = "sqlite:" + os.path.join(folder, "full.db")
    palate("import", "--store", full, "--synthetic", *WORLD)

    def refused(events, *says, store="sqlite:new.db", status=1, command="import"):
        words = ["--synthetic", *WORLD] if command == "import" else ["-o", "x.jsonl"]
        ended = refuses(status, command, "--store", store, "--events", events, *words, says=says,
                        cwd=folder)
        for secret in "wrong%20one", "wrong one", PASSWORD:
            if secret in ended.err:
                fail(f"a password is shown: {ended}")

    refused(server.url("made", USER, "wrong one"), "user and password", store=made)
    refused(f"clickhouse://127.0.0.1:{free_port()}/made", "Failed to connect", store=made)
    refused(server.url("made"), "belong to another store", store="sqlite:other.db",
            status=2)
    refused(server.url("fresh"), "events of its own", store=full, status=2)
    refused("clickhouse://u:wrong%20one@h:99999/x", "no host", status=2)
    refused("clickhouse://h/a-b", "letters, digits", status=2)
    refused("http://127.0.0.1/x", "clickhouse://", status=2)
    server.ask("DROP TABLE made.palate")
    server.ask("CREATE TABLE made.palate (version UInt32, catalog String) ENGINE = TinyLog")
    server.ask("INSERT INTO made.palate VALUES (1000, 'x')")
    refused(server.url("made"), "later version", store=made)


def test_erased_means_deleted(folder):
    """No row of an erased user is left, and nothing of what was forgotten."""
    server = clickhouse()
    where = ["--store", "sqlite:" + os.path.join(folder, "e.db"), "--events", server.url("erased")]
    lines = os.path.join(folder, "lines.jsonl")
    with open(lines, "w", encoding="utf-8") as out:
        for n in range(300):
            out.write(f'{{"user_id": "u{n % 3}", "item_id": "i{n % 7}", "type": "like", '
                      f'"event_id": "e{n}"}}\n')
    palate("import", lines, *where)
    same(server.ask("SELECT count() FROM erased.events WHERE user = 'u1'"), "100")
    with Site(folder, *where) as site:
        same(site.raw("DELETE", "/v1/users/u1").status in (200, 204), True)
        began = time.monotonic()
        while server.ask("SELECT count() FROM erased.events WHERE user = 'u1'") != "0":
            if time.monotonic() - began > 20:
                fail("rows of an erased user are still there")
            time.sleep(0.05)
    same(server.ask("SELECT count() FROM erased.events"), "200")


run(globals())
