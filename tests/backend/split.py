"""palate serve in parts, for tests against real brokers and stores: processes of one role each,
load on the collectors that remembers what was acknowledged, and the question whether all of that
is in the store exactly once, in order."""
import collections
import http.client
import json
import os
import threading
import time

from harness import fail, palate
from running import Site

ITEMS = 60


class Split:
    """Processes of one role each, in folders below `folder`, on one stream and one store."""

    def __init__(self, folder, store, *options, models=None, env=None):
        """options: words, among them --stream; models: a registry's URL, else a folder."""
        self.folder, self.env = folder, env or {}
        self.where = ["--store", store]
        for name in ("--events", "--stream"):
            if name in options:
                self.where += [name, options[options.index(name) + 1]]
        self.options = ["--store", store, "--models", models or os.path.join(folder, "models"),
                        *options, "--set", "live.models_poll_ms=200", "--set",
                        "live.follow_ms=200"]
        self.pipeline = self.make("pipeline", "pipeline")
        self.collectors = [self.make("collector", f"collector{i}") for i in range(2)]
        self.recs = [self.make("recs", f"recs{i}") for i in range(2)]

    def make(self, role, name, *more):
        folder = os.path.join(self.folder, name)
        os.makedirs(folder)
        return Site(folder, "--role", role, *self.options, "--journal",
                    os.path.join(folder, "journal"), *more, env=self.env, start=False)

    def sites(self):
        return [self.pipeline, *self.collectors, *self.recs]

    def start(self, items=True):
        """The pipeline first, which makes the store; then the others, and a catalog for all."""
        for site in self.sites():
            site.start()
        if not items:
            return self
        self.collectors[0].post("/v1/items", [{"item_id": str(i), "title": f"Item {i}"}
                                              for i in range(ITEMS)])
        for site in self.recs:
            site.wait(lambda: site.get("/v1/status")["catalog"]["items"] == ITEMS)
        return self

    def close(self, kill=False):
        for site in self.sites():
            site.kill() if kill else site.stop()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind:
            for site in self.sites():
                print(f"--- {site.folder}:", site.log()[-1500:], sep="\n")
        self.close(kill=bool(kind))

    def export(self, what):
        """What the store has of a kind ("event"), in its order."""
        out = os.path.join(self.folder, "export.jsonl")
        if os.path.exists(out):
            os.remove(out)
        palate("export", *self.where, "--output", out, env=self.env)
        with open(out, encoding="utf-8") as lines:
            return [row[what] for row in map(json.loads, lines) if what in row]


class Load(threading.Thread):
    """Tells a collector of one thing after another, in one user's name after another's, until it is
    stopped. What fails is told again: as it was where it has an id, else as something new."""

    def __init__(self, site, name, users=20, pause_s=0.0):
        super().__init__(daemon=True)
        self.site, self.name_, self.users, self.pause_s = site, name, users, pause_s
        self.acknowledged = collections.defaultdict(list)  # of each user, in order
        self.unsure = set()
        self.halt = threading.Event()
        self.failures, self.slowest = 0, 0.0

    def post(self, events):
        connection = http.client.HTTPConnection("127.0.0.1", self.site.port, timeout=30)
        try:
            connection.request("POST", "/v1/events", json.dumps(events),
                               {"Content-Type": "application/json"})
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()

    def tell(self, number):
        user = f"{self.name_}-{number % self.users}"
        events = [{"user_id": user, "item_id": str(number % ITEMS), "type": "view",
                   "value": number * 4 + i} for i in range(3)]
        if number % 2:
            for event in events:
                event["event_id"] = f"{self.name_}-{event['value']}"
        values = [event["value"] for event in events]
        while not self.halt.is_set():
            began = time.monotonic()
            status = self.post(events)
            self.slowest = max(self.slowest, time.monotonic() - began)
            if status == 200:
                self.acknowledged[user] += values
                return
            self.failures += 1
            if status == 0 and "event_id" not in events[0]:
                self.unsure.update(values)
                return
            time.sleep(0.05)
        self.unsure.update(values)

    def run(self):
        number = 0
        while not self.halt.is_set():
            self.tell(number)
            number += 1
            time.sleep(self.pause_s)

    def stop(self):
        self.halt.set()
        self.join()
        return self

    def count(self):
        return sum(len(values) for values in self.acknowledged.values())


def everything_once(split, loads, wait_s=90):
    """Every acknowledged event is in the store once, and of each user in order."""
    expected = sum(load.count() for load in loads)
    began = time.monotonic()
    while True:
        stored = collections.defaultdict(list)
        for event in split.export("event"):
            stored[event["user_id"]].append(int(event["value"]))
        have = sum(len(values) for user, values in stored.items() if "-" in user)
        if have >= expected or time.monotonic() - began > wait_s:
            break
        time.sleep(0.3)
    for load in loads:
        for user, values in load.acknowledged.items():
            got = [v for v in stored[user] if v not in load.unsure or v in values]
            if got != values:
                lost = set(values) - set(got)
                extra = [v for v, n in collections.Counter(got).items() if n > 1]
                fail(f"{user}: {len(got)} of {len(values)}: lost {sorted(lost)[:9]}, more than "
                     f"once {extra[:9]}, in order {got == sorted(got)}")
            twice = [v for v, n in collections.Counter(stored[user]).items() if n > 1]
            if twice:
                fail(f"{user}: more than once: {twice[:9]}")
    return expected


class Asker(threading.Thread):
    """Asks for lists all the time; every answer has to be one."""

    def __init__(self, site):
        super().__init__(daemon=True)
        self.site, self.halt, self.answers, self.wrong = site, threading.Event(), 0, []
        self.slowest = 0.0

    def run(self):
        while not self.halt.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", self.site.port, timeout=30)
            began = time.monotonic()
            try:
                connection.request("GET", f"/v1/users/asker-{self.answers % 50}/recommendations")
                answer = connection.getresponse()
                body = answer.read()
                if answer.status != 200 or not json.loads(body)["items"]:
                    self.wrong.append((answer.status, body[:200]))
                self.answers += 1
            except (OSError, http.client.HTTPException) as error:
                self.wrong.append(repr(error))
            finally:
                connection.close()
            self.slowest = max(self.slowest, time.monotonic() - began)
            time.sleep(0.02)

    def stop(self):
        self.halt.set()
        self.join()
        return self


def loads_and_askers(split):
    """Load on every collector and questions to every recs, running."""
    loads = [Load(site, f"load{i}") for i, site in enumerate(split.collectors)]
    askers = [Asker(site) for site in split.recs]
    for thread in loads + askers:
        thread.start()
    return loads, askers


def all_went_well(split, loads, askers):
    """Nothing was lost, answers went on, and logs say what happened and no password."""
    for thread in askers + loads:
        thread.stop()
    assert all(asker.answers > 10 and not asker.wrong for asker in askers), [
        (asker.answers, asker.wrong[:3]) for asker in askers]
    count = everything_once(split, loads)
    assert count > 300, count
    logs = "".join(site.log() for site in split.sites())
    assert "s3cret" not in logs and "takes nothing now" in logs, logs[-2000:]
    metrics = split.pipeline.raw("GET", "/metrics").body.decode()
    assert "palate_stream_refused_total 0\n" in metrics, metrics


def simulate(split, rounds):
    """The share of what was shown that was liked, by round; and by who draws lots."""
    return palate("simulate", "--url", f"http://127.0.0.1:{split.recs[0].port}",
                  "--collector-url", f"http://127.0.0.1:{split.collectors[0].port}",
                  "--users", "60", "--rounds", rounds, "--set", "synth.items=120", "--set",
                  "synth.users=60", "--set", "synth.events=600", "--json", "--quiet",
                  cwd=split.folder).json["series"]


def people_teach_it(split, rounds):
    """Started without items: likes come to be far more than by chance; what is trained is loaded
    by all."""
    first = split.recs[0]
    simulate(split, 1)  # who answers gets the catalog
    first.wait(lambda: first.get("/v1/status")["catalog"]["items"] == 120)
    told = simulate(split, rounds)
    # of 600 that are shown in a round, chance alone likes a fifth, give or take .02; how far it
    # gets before the good ones are used up is a matter of how fast the rounds follow each other
    assert max(told["palate"]) > told["random"][0] + 0.08, told
    split.pipeline.post("/v1/train", {}, status=202)
    for site in split.recs:
        site.wait(lambda: site.get("/v1/status")["model"]["version"] == 1, 120)
