"""palate simulate: a closed loop of an engine and people with hidden tastes, in-process and against
a server that this test starts."""
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "api"))
from harness import PALATE, clean_environment, fail, palate, refuses, run, same  # noqa: E402
from server import Site  # noqa: E402

SMALL = ["simulate", "--users", 30, "--rounds", 6, "--set", "synth.items=400", "--threads", 1]
NAMES = ["palate", "bandit", "personal", "random", "popular", "oracle"]


def mean(values):
    return sum(values) / len(values)


def test_the_report(folder):
    """Its shape; and the same seed gives the same figures, another one others. Nothing is left."""
    env = {"TMPDIR": folder}
    first = palate(*SMALL, "--json", env=env).json
    same(sorted(first), ["items", "n", "rounds", "series", "users", "world"])
    same((first["world"], first["users"], first["items"], first["n"]), ("synthetic", 30, 400, 10))
    same(first["rounds"], [1, 2, 3, 4, 5, 6])
    same(list(first["series"]), NAMES)
    for name, shares in first["series"].items():
        same((len(shares), all(0 <= share <= 1 for share in shares)), (6, True))
        if name == "oracle":
            same(shares[0], 1)
    same(palate(*SMALL, "--json", env=env).json, first)
    other = palate(*SMALL, "--json", "--seed", 2, env=env).json
    same(all(other["series"][name] != first["series"][name] for name in NAMES[:5]), True)
    same(os.listdir(folder), [])


def test_who_learns_beats_who_does_not(folder):
    """The engine and each of its parts over random, none over the oracle."""
    series = palate(*SMALL, "--json", "--seed", 3, env={"TMPDIR": folder}).json["series"]
    late = {name: mean(shares[2:]) for name, shares in series.items()}
    for name in NAMES[:3]:
        if late[name] < 1.4 * late["random"]:
            fail(f"{name} hardly beats random: {late}")
    for name in NAMES[:5]:
        if late[name] > late["oracle"]:
            fail(f"{name} beats the oracle: {late}")


def test_the_table(folder):
    """A column for each, the rounds that say most; without training, too."""
    out = palate("simulate", "--users", 5, "--rounds", 25, "-n", 3, "--set", "synth.items=200",
                 "--train-every", 0, env={"TMPDIR": folder}).out
    rows = [line.split() for line in out.splitlines() if line.startswith("  ")]
    same(rows[0], ["round"] + NAMES)
    same([row[0] for row in rows[1:]], ["1", "2", "5", "10", "20", "25"])
    same("5 people, 200 items, 3 at a time" in out, True)


def test_a_data_set(folder):
    """People of a data set, with what they rated; those who like most."""
    path = os.path.join(folder, "ratings.csv")
    with open(path, "w", encoding="utf-8") as out:
        out.write("user,item,rating,timestamp\n")
        for user in range(40):
            for item in range(60):
                if item < user:
                    liked = (user + item) % 2
                    out.write(f"u{user},i{item},{5 if liked else 1},{1600000000 + item}\n")
    report = palate("simulate", "--data", path, "--users", 10, "--rounds", 3, "-n", 5, "--json",
                    "--set", "engine.explore=0", "--train-every", 1,
                    env={"TMPDIR": folder}).json
    same((report["users"], report["world"]), (10, "ratings.csv"))
    same(report["series"]["oracle"][0], 1)  # each likes half of 5 a round, or more
    same(os.listdir(folder), ["ratings.csv"])


def test_interrupted(folder):
    """The first signal ends it, and its folders go with it."""
    process = subprocess.Popen(
        [PALATE, "simulate", "--rounds", "10000", "--train-every", "0"], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=clean_environment(TMPDIR=folder))
    began = time.monotonic()
    while not any(os.path.exists(os.path.join(folder, name, "palate.db"))
                  for name in os.listdir(folder)):
        if time.monotonic() - began > 60 or process.poll() is not None:
            fail("it does not begin")
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    same((process.returncode, os.listdir(folder)), (-signal.SIGINT, []))


def test_a_server(folder):
    """By its classic calls; its page's report is the one that was printed. Run twice, nobody has a
    past; what the server had already is not touched."""
    with Site(folder) as site:
        url = f"http://127.0.0.1:{site.port}"
        site.put("/v1/items/1", {"title": "Its own", "categories": ["Rare"]})
        for run in (1, 2):
            report = palate(*SMALL, "--json", "--url", url + "/").json
            same(list(report["series"]), ["palate", "random", "popular", "oracle"])
            kept = site.get("/v1/simulations")["simulations"]
            same(len(kept), run)
            same({key: kept[0][key] for key in report}, report)
        if mean(report["series"]["palate"]) < 1.2 * mean(report["series"]["random"]):
            fail(f"the server does not learn: {report}")
        same(site.get("/v1/items/1")["title"], "Its own")
        same(site.get("/v1/items", limit=1)["total"], 401)


def test_keys(folder):
    """A key that may not write ends it; one that may not see reports costs the chart alone."""
    keys = os.path.join(folder, "keys.txt")
    with open(keys, "w", encoding="utf-8") as out:
        for right in ("read", "write"):
            out.write(f"{right}er:{right}:{right}-secret-secret\n")
    with Site(folder, "--keys", keys) as site:
        url = f"http://127.0.0.1:{site.port}"
        refuses(1, *SMALL, "--url", url, says="401")
        refuses(1, *SMALL, "--url", url, "--key", "nobody-knows-this-one", says="401")
        refuses(1, *SMALL, "--url", url, "--key", "read-secret-secret", says="403")
        ended = palate(*SMALL, "--url", url, env={"PALATE_KEY": "write-secret-secret"})
        same("not on the server's page" in ended.out + ended.err, True)


def test_mistakes(folder):
    """Each with a sentence that says what to do."""
    refuses(2, "simulate", "--url", "localhost:8080", says="http://HOST:PORT")
    refuses(2, "simulate", "--url", "http://127.0.0.1:1", "-n", 20, says="10 at a time")
    refuses(1, "simulate", "--url", "http://127.0.0.1:1", says="is palate serve running there?")
    refuses(1, "simulate", "--url", "http://127.0.0.1:bad", says="http://127.0.0.1:bad")
    refuses(2, "simulate", "--set", "synth.nothing=1", says="nothing")
    refuses(2, "simulate", "--set", "engine.nothing=1", says="nothing")
    refuses(2, "simulate", "--set", "nothing.at=all", says="nothing")
    refuses(1, "simulate", "--data", os.path.join(folder, "none"), says="none")
    missing = os.path.join(folder, "missing")
    refuses(1, *SMALL, says=missing, env={"TMPDIR": missing})


run(globals())
