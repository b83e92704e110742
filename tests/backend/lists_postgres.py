"""palate export recommendations into a table of a real PostgreSQL: whole, in one step, gone on
with, and what is said when it can't be."""
import csv
import io
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from harness import PALATE, QUICK, clean_environment, fail, palate, refuses, run, same, world
from postgres import LOCKED, OWNER, PASSWORD, Postgres

SERVER = None


def server():
    global SERVER
    if not SERVER:
        SERVER = Postgres()
        SERVER.ask(f"CREATE ROLE {LOCKED} LOGIN PASSWORD '{PASSWORD}'")
    return SERVER


def trained(folder, *args):
    models = os.path.join(folder, "models")
    palate("train", "--data", world(folder), "--models", models, "--model", "als,popular", *QUICK,
           *args)
    return ["export", "recommendations", "--models", models]


def rows(table):
    text = server().ask(f"SELECT user_id, rank, item_id, score, source, version FROM {table} "
                        "ORDER BY user_id COLLATE \"C\", rank")
    return [line.split("|") for line in text.splitlines()]


def test_the_table_holds_the_lists(folder):
    command = trained(folder)
    lists = list(csv.reader(io.StringIO(palate(*command, "-n", 5).out)))[1:]
    told = palate(*command, "-n", 5, "-o", server().url("?table=mine"), "--json").json
    same((told["users"], told["rows"], told["resumed_behind"]), (300, 1500, 0))
    got = rows("mine")
    same([row[:3] + [row[4]] for row in got],
         [row[:3] + [row[4]] for row in sorted(lists, key=lambda r: (r[0], int(r[1])))])
    for row, line in zip(got, sorted(lists, key=lambda r: (r[0], int(r[1])))):
        if abs(float(row[3]) - float(line[3])) > 1e-5 * abs(float(line[3])):
            fail(f"{row} {line}")
    same({row[5] for row in got}, {"1"})
    same(server().ask("SELECT indisprimary FROM pg_index WHERE indrelid = 'mine'::regclass"), "t")


def test_new_lists_come_in_one_step(folder):
    """Who reads meanwhile sees the old lists or the new ones; what was granted stays granted."""
    command = trained(folder)
    url = server().url()
    palate(*command, "-o", url)
    server().ask(f"GRANT SELECT ON palate_recommendations TO {LOCKED}; "
                 "GRANT INSERT ON palate_recommendations TO PUBLIC")
    seen, over = set(), threading.Event()

    def read():
        while not over.is_set():
            seen.add(server().ask("SELECT min(version), max(version), count(*) "
                                  "FROM palate_recommendations"))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for seed in range(2, 5):
            trained(folder, "--seed", seed)
            palate(*command, "-o", url)
    finally:
        over.set()
        reader.join()
    same(seen - {f"{v}|{v}|3000" for v in range(1, 5)}, set())
    same(server().ask(f"SELECT has_table_privilege('{LOCKED}', 'palate_recommendations', 'SELECT'),"
                      f" has_table_privilege('{LOCKED}', 'palate_recommendations', 'INSERT'),"
                      f" has_table_privilege('{LOCKED}', 'palate_recommendations', 'DELETE')"),
         "t|t|f")
    same(server().ask("SELECT to_regclass('palate_recommendations_next') IS NULL"), "t")


def test_interrupted(folder):
    """Killed at any moment, the same command goes on, and nothing is twice or missing."""
    models, data = os.path.join(folder, "models"), os.path.join(folder, "big.palate")
    palate("import", "--synthetic", "--set", "synth.users=40000", "--set", "synth.items=300",
           "--set", "synth.events=150000", "-o", data)
    palate("train", "--data", data, "--models", models, "--model", "als", "--set",
           "als.factors=8", "--set", "als.epochs=1")
    command = ["export", "recommendations", "--models", models, "-n", "3", "-o",
               server().url("?table=big"), "--json"]
    began, resumed = time.monotonic(), 0
    for attempt in range(60):
        process = subprocess.Popen([PALATE, *command], stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL, env=clean_environment())
        while process.poll() is None and attempt < 4:
            done = server().ask("SELECT obj_description(to_regclass('big_next'), 'pg_class')")
            if f'"done":{8192 * (attempt + 1)}' in done:
                process.send_signal(signal.SIGKILL if attempt % 2 else signal.SIGINT)
                break
            if time.monotonic() - began > 60:
                break
        out, _ = process.communicate(timeout=60)
        if process.returncode == 0:
            resumed = '"resumed_behind": 0' not in out.decode()
            break
    same(server().ask("SELECT count(*), count(DISTINCT user_id) FROM big"), "120000|40000")
    same(resumed, True)


def test_complaints(folder):
    command = trained(folder)
    secret = urllib.parse.quote(PASSWORD, safe="")
    host = f"127.0.0.1:{server().port}/postgres"
    for url, says in [(f"postgres://{LOCKED}:wrong-word@{host}", "password authentication failed"),
                      (f"postgres://{OWNER}@127.0.0.1:1/postgres", "cannot connect"),
                      (f"postgres://{LOCKED}:{secret}@{host}", "permission denied"),
                      (f"postgres://{OWNER}@{host}?table=", "table=NAME"),
                      (f"postgres://{OWNER}@{host}?table=a%22b", "table=NAME")]:
        ended = refuses(2 if "table=" in url else 1, *command, "-o", url, says=says)
        if "wrong-word" in ended.err or secret in ended.err or PASSWORD in ended.err:
            fail(ended)
    for word in ["se%zzcret", "se/cret"]:
        ended = refuses(2, *command, "-o", f"postgres://u:{word}@{host}", says="percent-encoded")
        if word in ended.err or "cret" in ended.err:
            fail(ended)
    refuses(2, *command, "-o", server().url(), "--as", "csv", says="--as is for files")
    server().ask("CREATE TABLE orders (n int); INSERT INTO orders VALUES (1); "
                 "CREATE TABLE two_next (n int)")
    for name in ["orders", "two"]:
        refuses(2, *command, "-o", server().url(f"?table={name}"), says="palate did not make")
    same(server().ask("SELECT n FROM orders"), "1")
    lock = subprocess.Popen(["psql", "-X", "-q", "-h", server().folder, "-p", str(server().port),
                             "-U", OWNER, "-d", "postgres", "-c",
                             "SELECT pg_advisory_lock(hashtext('palate \"one_next\"')), "
                             "pg_sleep(30)"], stdout=subprocess.DEVNULL)
    try:
        while server().ask("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == "0":
            time.sleep(.05)
        refuses(1, *command, "-o", server().url("?table=one"), says="another process is writing")
    finally:
        lock.kill()
        lock.wait()


try:
    run(globals())
finally:
    if SERVER:
        SERVER.close()
