"""A store in a real PostgreSQL: what every kind of store promises; who is not let in, and what is
said about it; and the commands that read and write stores."""
import atexit
import concurrent.futures
import json
import os
import subprocess
import sys
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from postgres import LOCKED, PASSWORD, Postgres  # noqa: E402
from server import free_port, need  # noqa: E402
from harness import OTHERS, QUICK, WORLD, clean_environment, fail, palate  # noqa: E402
from harness import refuses, run, same  # noqa: E402

shared = []  # one server for all


def postgres():
    if not shared:
        shared.append(Postgres(settings=["ssl = on", "ssl_cert_file = '../cert.pem'",
                                         "ssl_key_file = '../key.pem'"], start=False))
        atexit.register(shared[0].close)
        certify(shared[0])
        shared[0].start()
        shared[0].psql(f"CREATE ROLE {LOCKED} LOGIN PASSWORD '{PASSWORD}'")
        shared[0].psql(f"GRANT CREATE ON DATABASE postgres TO {LOCKED}")
    return shared[0]


def certify(server):
    cert, key = server.path("cert.pem"), server.path("key.pem")
    made = subprocess.run([need("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt",
                           "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                           "/CN=localhost", "-keyout", key, "-out", cert],
                          capture_output=True, timeout=60, check=False)
    if made.returncode:
        fail(made.stderr.decode())
    os.chmod(key, 0o600)
    if os.geteuid() == 0:
        for path in cert, key:
            subprocess.run(["chown", f"{server.user}:", path], check=True)


def contract(url, programs):
    """All at once: what they do is mostly waiting."""
    def one(program):
        return subprocess.run([program], capture_output=True, text=True, timeout=300, check=False,
                              env=clean_environment(PALATE_TEST_STORE=url))
    with concurrent.futures.ThreadPoolExecutor() as pool:
        for program, done in zip(programs, pool.map(one, programs)):
            if done.returncode:
                fail(f"{program} {url}:\n{done.stdout}\n{done.stderr}")


def locked_url(server, rest="", password=PASSWORD):
    secret = urllib.parse.quote(password, safe="")
    return f"postgresql://{LOCKED}:{secret}@127.0.0.1:{server.port}/postgres{rest}"


def test_the_contract(folder):
    contract(postgres().url("?schema=%s"), OTHERS)


def test_ways_in(folder):
    """A password with every awkward character, a socket file, TLS."""
    server = postgres()
    beside = [path for path in OTHERS if path.endswith("beside")]
    same(len(beside), 1)
    contract(locked_url(server, "?schema=%s&sslmode=disable"), beside)
    contract(f"postgres://palate@:{server.port}/postgres?host={server.folder}&schema=%s", beside)
    contract(locked_url(server, "?sslmode=require&schema=%s"), beside)
    palate("import", "--store", server.url("?schema=select"), "--synthetic", *WORLD)  # SQL's own


def test_nobody_is_let_in_by_mistake(folder):
    """Each refusal is one line that says what to do, and shows no password."""
    server, nowhere = postgres(), free_port()

    def refused(url, *says, status=1, command="import"):
        words = ["--synthetic", *WORLD] if command == "import" else ["-o", "x.jsonl"]
        ended = refuses(status, command, "--store", url, *words, says=says, cwd=folder)
        for secret in "wrong%20one", "wrong one", urllib.parse.quote(PASSWORD, safe=""), PASSWORD:
            if secret in ended.err:
                fail(f"a password is shown: {ended}")

    refused(locked_url(server, password="wrong one"), "password authentication failed",
            "~/.pgpass", LOCKED + ":***@")
    refused(f"postgres://{LOCKED}@127.0.0.1:{server.port}/postgres", "no password supplied")
    refused(f"postgres://palate@127.0.0.1:{server.port}/nowhere", 'database "nowhere"', "createdb")
    refused(f"postgres://palate@127.0.0.1:{nowhere}/postgres", "Connection refused",
            "is PostgreSQL running there?")
    refused(server.url("?schema=A-b"), "a to z", status=2)
    refused(server.url("?shema=b"), "'shema' means nothing there", status=2)
    refused("postgres://u:wrong%20one@h:1:2/%zz", "can't be read", status=2)
    refused(locked_url(server, "?sslmode=sometimes"), "sslmode")
    refused(server.url("?schema=not_yet"), "there is no store", "palate import", command="export")
    server.psql("CREATE SCHEMA theirs; CREATE TABLE theirs.items(a int)")
    refused(server.url("?schema=theirs"), "another program", "?schema=NAME", status=2)
    server.psql("CREATE ROLE guest LOGIN")
    refused(server.url("?schema=of_guest", user="guest"), "permission denied", "right")
    server.psql("CREATE DATABASE old ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' "
                "LC_CTYPE 'C'")
    refused(server.url().replace("/postgres", "/old").replace("postgres:", "postgresql:"),
            "LATIN1", "UTF8", status=2)


def test_a_schema_of_another_time(folder):
    server = postgres()
    url = server.url("?schema=of_time")
    palate("import", "--store", url, "--synthetic", *WORLD)
    server.psql("UPDATE of_time.state SET version = 1000")
    for command in (["import", "--synthetic", *WORLD], ["export", "-o", "x.jsonl"],
                    ["serve", "--listen", "127.0.0.1:0"]):
        refuses(1, *command, "--store", url, says=["schema 1000", "later version"], cwd=folder)
    server.psql("UPDATE of_time.state SET version = 1")
    palate("export", "--store", url, "-o", "x.jsonl", cwd=folder)


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
    """Imported, trained on, exported and backed up: the same as with SQLite, to the byte."""
    server = postgres()
    ours, theirs = server.url("?schema=commands"), "sqlite:" + os.path.join(folder, "a.db")
    told = palate("import", "--store", theirs, "--synthetic", *WORLD, "--json").json
    lines = os.path.join(folder, "all.jsonl")
    palate("export", "--store", theirs, "-o", lines)
    told = palate("import", "--store", ours, lines, "--json").json
    same((told["events"] > 10000, told["repeated_events"]), (True, 0))
    same(palate("import", "--store", ours, lines, "--json").json["already_imported"], True)
    for url, models in (ours, "m1"), (theirs, "m2"):
        palate("train", "--store", url, "--models", models, "--model", "als,ease,popular,content",
               *QUICK, cwd=folder)
    one, other = (files_of(os.path.join(folder, models)) for models in ("m1", "m2"))
    same((sorted(one), len(one)), (sorted(other), 5))
    for name, data in one.items():
        same((name, data == other[name]), (name, True))
    back = os.path.join(folder, "back.jsonl")
    palate("export", "--store", ours, "-o", back)
    same(lines_of(back) == lines_of(lines), True)
    palate("backup", "--store", ours, "-o", os.path.join(folder, "copy.db"))
    palate("export", "--store", "sqlite:" + os.path.join(folder, "copy.db"), "-o", back)
    same(lines_of(back) == lines_of(lines), True)
    refuses(1, "restore", os.path.join(folder, "copy.db"), "--store", ours, says="pg_restore")
    stats = [palate("stats", "--data", url, "--json").json for url in (ours, theirs)]
    same(json.dumps(stats[0]), json.dumps(stats[1]))


run(globals())
