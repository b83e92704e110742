"""A collector, two processes that answer and a pipeline, on one PostgreSQL and one Redis that is
killed and started again while people like things: answers keep coming, and in the end everybody
knows all."""
import os
import random
import threading
import time

from postgres import Postgres
from redis import Redis
from running import Site
from sharing import ITEMS, eventually, like, metric, shown
from harness import fail, run, same

PEOPLE = [f"u{n}" for n in range(12)]
OUTAGES, UP_S, DOWN_S = 3, 2, 2


class Site3:
    """Processes by role, all in folders of their own."""

    def __init__(self, folder, store, state):
        self.sites = {}
        for name, role in ("collector", "collector"), ("one", "recs"), ("two", "recs"), \
                ("pipeline", "pipeline"):
            place = os.path.join(folder, name)
            os.mkdir(place)
            self.sites[name] = Site(place, "--store", store, "--state", state, "--role", role)

    def __enter__(self):
        return self.sites

    def __exit__(self, kind, value, trace):
        for site in self.sites.values():
            site.__exit__(kind, value, trace)


def beside(site):
    """Another caller of it, with a connection of its own."""
    return Site(site.folder, start=False).beside(site)


def people_like(sites, likes, stop, trouble):
    """Everybody likes one thing after another; whoever asks gets an answer, and soon."""
    collector, recs = beside(sites["collector"]), [beside(sites["one"]), beside(sites["two"])]
    rng, slowest = random.Random(1), 0
    try:
        while not stop.is_set() and any(len(likes[p]) < 25 for p in PEOPLE):
            person = rng.choice([p for p in PEOPLE if len(likes[p]) < 25])
            item = rng.choice([i for i in ITEMS if i not in likes[person]])
            began = time.monotonic()
            like(collector, person, item)
            likes[person].add(item)
            got = shown(rng.choice(recs), person)
            slowest = max(slowest, time.monotonic() - began)
            if not got:
                fail("an empty answer")
            time.sleep(0.02)
    except Exception as e:  # told by the main thread
        trouble.append(e)
    likes["slowest"] = slowest


def test_redis_comes_and_goes_under_load(folder):
    with Postgres() as postgres, Redis() as redis, \
            Site3(folder, postgres.url(), redis.url) as sites:
        sites["collector"].post("/v1/items", [{"item_id": i} for i in ITEMS])
        for name in "one", "two":
            eventually("items came", lambda n=name: len(shown(sites[n], "new")) == len(ITEMS))
        likes = {p: set() for p in PEOPLE}
        stop, trouble = threading.Event(), []
        crowd = threading.Thread(target=people_like, args=(sites, likes, stop, trouble))
        crowd.start()
        for _ in range(OUTAGES):
            time.sleep(UP_S)
            redis.kill()
            time.sleep(DOWN_S)
            redis.start()
        crowd.join(120)
        stop.set()
        if trouble:
            raise trouble[0]
        slowest = likes.pop("slowest")
        assert slowest < 3, slowest
        for site in sites.values():
            eventually("all are back", lambda s=site:
                       s.get("/health/ready")["status"] == "ready")
        eventually("nothing is owed", lambda: metric(sites["collector"], "state_owed_users") == 0)
        assert metric(sites["collector"], "state_missed_users_total") > 0
        for person in PEOPLE:
            for name in "one", "two":
                eventually(f"{name} knows {person}", lambda n=name, p=person: not (
                    set(shown(sites[n], p)) & likes[p]))
        # and with Redis there, the very next answer of anybody knows
        for turn in range(60):
            person = f"new{turn % 5}"
            like(sites["collector"], person, ITEMS[turn % 30])
            if ITEMS[turn % 30] in shown(sites["one" if turn % 2 else "two"], person):
                fail(f"try {turn}: not in the next answer")
        same(sum(line.count("the shared state works again")
                 for line in sites["one"].log().split("\n")), OUTAGES)


def test_an_erasure_while_redis_is_away(folder):
    with Postgres() as postgres, Redis(saved=True) as redis, \
            Site3(folder, postgres.url(), redis.url) as sites:
        collector = sites["collector"]
        collector.post("/v1/items", [{"item_id": i} for i in ITEMS])
        for item in ITEMS[:9]:
            like(collector, "ann", item)
            like(collector, "bob", item)
        for name in "one", "two":
            eventually("they know", lambda n=name: len(shown(sites[n], "ann")) == 21)
        same(len(shown(sites["one"], "bob")), 21)
        redis.kill()
        collector.delete("/v1/users/ann")
        like(collector, "bob", ITEMS[20])
        like(collector, "ann", ITEMS[20])
        redis.start()  # with all that it had
        eventually("it is back", lambda: all(
            s.get("/health/ready")["status"] == "ready" for s in sites.values()))
        eventually("nothing is owed", lambda: metric(collector, "state_owed_users") == 0)
        for name in "one", "two":
            eventually("ann is new", lambda n=name: len(shown(sites[n], "ann")) == 29)
            eventually("bob is whole", lambda n=name: len(shown(sites[n], "bob")) == 20)


def test_a_collector_that_is_killed_while_redis_is_away(folder):
    with Postgres() as postgres, Redis(saved=True) as redis, \
            Site3(folder, postgres.url(), redis.url) as sites:
        collector = sites["collector"]
        collector.post("/v1/items", [{"item_id": i} for i in ITEMS])
        like(collector, "ann", ITEMS[0])
        eventually("they know", lambda: len(shown(sites["one"], "ann")) == 29)
        redis.kill()
        like(collector, "ann", ITEMS[1])
        eventually("it is stored", lambda: collector.get("/v1/status")["journal"]["pending"] == 0)
        collector.kill()  # and with it whom it owed
        redis.start()
        collector.start()
        for name in "one", "two":
            eventually("the state was told", lambda n=name: len(shown(sites[n], "ann")) == 28)
        assert not os.path.exists(os.path.join(collector.folder, "palate-journal.d",
                                               "state.missed"))


run(globals())
