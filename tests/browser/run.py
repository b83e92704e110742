#!/usr/bin/env python3
"""Starts palate with invented films and people, and lets page.mjs try its page in Chromium.

    tests/browser/run.py PALATE

It needs node, npm (for playwright-core and axe-core, as package-lock.json has them) and Chromium;
where one can't be had, it says which and counts as skipped. Screenshots and the modules lie in
PALATE_BROWSER_DIR, or in a folder that is removed afterwards.
"""
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
NODE = 20
NPM_S, BROWSER_S, START_S, STOP_S = 240, 540, 60, 30

CATEGORIES = ["Drama", "Comedy", "Thriller", "Action", "Romance", "Horror", "Adventure", "Sci-Fi",
              "Crime", "Children's", "War", "Musical"]
FIRST = ["Silent", "Crimson", "Last", "Hidden", "Paper", "Golden", "Broken", "Electric", "Lonely",
         "Second", "Invisible", "Burning", "Winter", "Little", "Endless", "Glass", "Velvet"]
SECOND = ["Harbor", "Orchestra", "Letters", "Garden", "Machine", "River", "Detective", "Summer",
          "Planet", "Wedding", "Kingdom", "Road", "Carnival", "Lighthouse", "Train", "Promise"]


class Skip(Exception):
    """Says what is missing here."""


def skipped(name):
    print(f"[  PASSED  ] 0 test(s).\n[  SKIPPED ] 1 test(s), listed below:\n[  SKIPPED ] {name}")


def find_chromium():
    for name in ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"]:
        path = shutil.which(name)
        if path:
            return path
    raise Skip("no chromium here (tools/install-deps --browser)")


def check_node():
    for name in ["node", "npm"]:
        if not shutil.which(name):
            raise Skip(f"no {name} here (tools/install-deps --browser)")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True,
                             check=True).stdout.strip()
    if int(version.lstrip("v").split(".")[0]) < NODE:
        raise Skip(f"no node {NODE} here, which playwright-core wants, but {version}")


def get_modules(folder):
    """Puts playwright-core and axe-core into the folder, unless they are there."""
    for name in ["package.json", "package-lock.json", ".npmrc"]:
        shutil.copy(os.path.join(HERE, name), folder)
    if os.path.exists(os.path.join(folder, "node_modules", "playwright-core", "package.json")):
        return
    try:
        done = subprocess.run(["npm", "ci"], cwd=folder, capture_output=True, text=True,
                              timeout=NPM_S, check=False)
    except subprocess.TimeoutExpired:
        raise Skip("no playwright-core: npm took too long") from None
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if "npm error" in line]
        raise Skip(f"no playwright-core: {(lines or ['npm failed'])[0]}")


# ---- The server ----

def start(palate, folder, more):
    """A server on a free port with a store of its own; (process, address)."""
    os.makedirs(folder, exist_ok=True)
    said, log = os.path.join(folder, "said"), os.path.join(folder, "log")
    with open(said, "w", encoding="utf-8") as out, open(log, "w", encoding="utf-8") as err:
        process = subprocess.Popen(
            [palate, "serve", "--store", "sqlite:palate.db", "--models", "models",
             "--listen", "127.0.0.1:0", "--json", *more], stdin=subprocess.DEVNULL, stdout=out,
            stderr=err, cwd=folder)
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        address = read_address(said)
        if address and is_ready(address):
            return process, address
        time.sleep(0.05)
    process.kill()
    process.wait()
    with open(log, encoding="utf-8") as lines:
        raise SystemExit(f"palate serve did not become ready:\n{lines.read()}")


def read_address(said):
    with open(said, encoding="utf-8") as lines:
        line = lines.readline()
    return json.loads(line)["url"] if line.endswith("\n") else None


def is_ready(address):
    try:
        with urllib.request.urlopen(address + "/health/ready", timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def stop(process, folder):
    """Ends a server; says what it said if it did not end well."""
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.returncode:
        with open(os.path.join(folder, "log"), encoding="utf-8") as lines:
            print(f"palate serve ended with {process.returncode}:\n{lines.read()[-4000:]}")
    return process.returncode


# ---- Films and people ----

def post(address, path, body, key=None):
    headers = {"Content-Type": "application/json"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    request = urllib.request.Request(address + path, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def make_films(chance, count):
    """Films of one or two categories each."""
    titles = [f"{a} {b}" for a in FIRST for b in SECOND]
    chance.shuffle(titles)
    films = []
    for number, title in enumerate(titles[:count]):
        year = 1950 + chance.randrange(75)
        kinds = chance.sample(CATEGORIES, 1 + chance.randrange(2))
        films.append({"item_id": f"film-{number}", "title": f"{title} ({year})",
                      "categories": kinds, "attributes": {"year": year}})
    return films


def invent(address):
    """260 films, and 150 people who each like two categories."""
    chance = random.Random(7)
    films = make_films(chance, 260)
    post(address, "/v1/items", films)
    now = int(time.time() * 1000)
    events = []
    for person in range(150):
        tastes = set(chance.sample(CATEGORIES, 2))
        for step, film in enumerate(chance.sample(films, 40)):
            liked = tastes & set(film["categories"])
            if not liked and chance.random() < 0.4:
                continue
            events.append({"user_id": f"person-{person}", "item_id": film["item_id"],
                           "type": "like" if liked else "dislike",
                           "timestamp": now - 86400000 * 30 + 60000 * (150 * step + person)})
    post(address, "/v1/events", events)


def make_report(palate, folder):
    """palate report of a shop whose categories are written to break a page; the file's path."""
    data, out = os.path.join(folder, "shop.jsonl"), os.path.join(folder, "report.html")
    evil = ["<script>document.title='broken'</script>", "</script><img src=x onerror=alert(1)>"]
    with open(data, "w", encoding="utf-8") as f:
        for i in range(40):
            f.write(json.dumps({"item": {"item_id": f"i{i}", "title": evil[i % 2],
                                         "categories": [evil[i % 2], "Drama"]}}) + "\n")
        for step in range(900):
            f.write(json.dumps({"event": {
                "user_id": f"u{step % 60}", "item_id": f"i{step * step % 37}", "type": "rating",
                "value": 1 + step % 5, "timestamp": 1500000000000 + 86400000 * step}}) + "\n")
    subprocess.run([palate, "report", "--data", data, "--model", "popular,als,random",
                    "--bootstrap", "50", "--track", "none", "-o", out], check=True, timeout=60,
                   stdout=subprocess.DEVNULL)
    return out


VERSIONS, RUNS = 50, 60


def make_versions(palate, folder):
    """A folder of models with a version that was not measured, 49 that were (with a ranker, where
    there is an XGBoost; the newest one's model has a name that is markup), and runs of all
    kinds."""
    os.makedirs(folder)
    subprocess.run([palate, "import", "--synthetic", "--set", "synth.users=300", "--set",
                    "synth.items=200", "--set", "synth.events=12000", "-o", "world.palate", "-q"],
                   check=True, cwd=folder, stdout=subprocess.DEVNULL, timeout=60)
    train = [palate, "train", "--data", "world.palate", "--models", "models", "-q", "--set",
             "als.factors=8", "--set", "als.epochs=4"]
    measure = ["--split", "time:80/20", "--metrics", "ndcg@10,recall@10,coverage@10,novelty@10"]

    def run(*args):
        return subprocess.run([*train, *args], cwd=folder, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, timeout=120, check=False)

    done, names = run("--model", "als"), "als,ease,popular,trees"
    if done.returncode == 0:
        done = run("--model", names, *measure)
    if b"libxgboost" in done.stderr:
        names = "als,ease,popular"
        done = run("--model", names, *measure)
    if done.returncode or not run("--model", "als", "--split", "sideways:80/20").returncode:
        raise SystemExit(f"the versions to be shown can't be made: {done.stderr.decode()}")
    models = os.path.join(folder, "models")
    for number in range(3, VERSIONS + 1):
        shutil.copytree(os.path.join(models, "000002"), os.path.join(models, f"{number:06}"))
    path = os.path.join(models, f"{VERSIONS:06}", "manifest.json")
    with open(path, encoding="utf-8") as f:
        manifest = json.load(f)
    manifest["comparison"]["results"][0]["label"] = "<img src=x onerror=window.hacked=1>"
    with open(path, "w", encoding="utf-8") as f:
        json.dump(manifest, f)
    with open(os.path.join(models, "runs.jsonl"), "a", encoding="utf-8") as f:
        f.write('{"run":"odd","name":"a line by hand","metrics":{"ndcg@10":"x"},"steps":[1]}\n')
        f.writelines(json.dumps({
            "run": f"r{n}", "parent": None, "command": "train", "name": f"train number {n}",
            "status": "finished", "started_ms": 1700000000000 + 86400000 * n,
            "ended_ms": 1700000000000 + 86400000 * n + 9000,
            "params": {"data": "shop", "split": "time:90/10", "part": "test"},
            "metrics": {"ndcg@10": 0.2 + 0.001 * n, "peak_rss_bytes": 5e7},
            "tags": {"palate.metric": "ndcg@10", "palate.best": "als"}}) + "\n"
                     for n in range(RUNS))
    return names


KEYS = {"reader": "a-key-that-may-read", "writer": "a-key-that-may-write"}


def try_page(palate, modules, folder, chromium):
    """Starts a server with films, an empty one and one that wants keys; the tests' exit status."""
    keys = os.path.join(folder, "keys")
    with open(keys, "w", encoding="utf-8") as out:
        out.writelines(f"{name}:{right}:{KEYS[name]}\n"
                       for name, right in [("reader", "read"), ("writer", "write")])
    servers, status = [], 1
    names = make_versions(palate, os.path.join(folder, "versions"))
    kinds = {"full": [], "empty": [], "locked": ["--keys", keys], "versions": []}
    try:
        for name, more in kinds.items():
            servers.append(start(palate, os.path.join(folder, name), more))
        full, empty, locked, versions = (address for _, address in servers)
        invent(full)
        post(locked, "/v1/items", make_films(random.Random(1), 40), KEYS["writer"])
        told = {"report": make_report(palate, folder), "modules": modules, "shots": modules,
                "chromium": chromium, "base": full,
                "emptyBase": empty, "locked": {"address": locked, **KEYS},
                "versions": {"address": versions, "models": names.split(",")}}
        status = 0
        for name in ["report.mjs", "models.mjs", "page.mjs"]:
            status |= subprocess.run(["node", os.path.join(HERE, name), json.dumps(told)],
                                     timeout=BROWSER_S, check=False).returncode
    finally:
        ended = [stop(process, os.path.join(folder, name))
                 for (process, _), name in zip(servers, kinds)]
    return status or int(any(ended))


def main():
    palate = os.path.abspath(sys.argv[1])
    folder = tempfile.mkdtemp(prefix="palate-browser-")
    modules = os.path.abspath(os.environ.get("PALATE_BROWSER_DIR", folder))
    try:
        os.makedirs(modules, exist_ok=True)
        chromium = find_chromium()
        check_node()
        get_modules(modules)
        return try_page(palate, modules, folder, chromium)
    except Skip as why:
        print(f"skipped: {why}")
        skipped("page")
        return 0
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
