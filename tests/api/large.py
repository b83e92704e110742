"""A catalog of 100,000 items behind a running server: totals, search and filter agree with a naive
count here, page by page; new items and removed ones count at once; lists and events go on."""
import os
import random
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from server import Site  # noqa: E402
from harness import fail, palate, run, same  # noqa: E402

ITEMS, BATCH = 100000, 10000
WORDS = ["amber", "birch", "cedar", "delta", "ember", "fable", "grove", "haven", "iris", "jade"]
GENRES = ["Comedy", "Drama", "Horror", "Romance", "Western"]


def make_items():
    chance = random.Random(3)
    return [{"item_id": f"i{i}",
             "title": f"{chance.choice(WORDS)} {chance.choice(WORDS)} {i}",
             "categories": chance.sample(GENRES, 2),
             "attributes": {"year": 1950 + i % 70}} for i in range(ITEMS)]


def has(item, search="", genre=None, since=0):
    title = item["title"]
    return (all(word in title for word in search.split())
            and (genre is None or genre in item["categories"])
            and item["attributes"]["year"] >= since)


def timed(what, fn):
    began = time.perf_counter()
    got = fn()
    print(f"{what}: {1000 * (time.perf_counter() - began):.2f} ms")
    return got


def check_totals(site, items):
    questions = [({"search": "birch"}, {"search": "birch"}),
                 ({"search": "bir 99 ja"}, {"search": "bir 99 ja"}),
                 ({"search": "e"}, {"search": "e"}),
                 ({"search": "nowhere"}, {"search": "nowhere"}),
                 ({"filter": 'categories has "Horror"'}, {"genre": "Horror"}),
                 ({"search": "iris", "filter": 'year >= 2000 and categories has "Drama"'},
                  {"search": "iris", "genre": "Drama", "since": 2000})]
    for query, naive in questions:
        expected = [item["item_id"] for item in items if has(item, **naive)]
        page = timed(f"{query}", lambda: site.get("/v1/items", limit=20, **query))
        same([i["item_id"] for i in page["items"]], expected[:20])
        same(page["total"], len(expected))
        if page["next"]:
            more = timed("  and on", lambda: site.get("/v1/items", limit=20, cursor=page["next"],
                                                      **query))
            same([i["item_id"] for i in more["items"]], expected[20:40])
            same(more["total"], len(expected))
    same(site.get("/v1/items", limit=1)["total"], len(items))


def check_lists(site):
    site.post("/v1/events", [{"user_id": "ann", "item_id": f"i{i}", "type": "like"}
                             for i in range(0, 5000, 70)])
    site.wait(lambda: site.get("/v1/items/i0/similar")["items"])
    first = timed("recommendations", lambda: site.recommend("ann", n=50))
    same(len(set(first)), 50)
    if any(int(i[1:]) % 70 == 0 and int(i[1:]) < 5000 for i in first):
        fail(f"what was liked is recommended: {first}")
    timed("similar", lambda: site.get("/v1/items/i5/similar", n=20))
    listed = site.get("/v1/users/ann/recommendations", n=5, filter="yaer >= 2000")
    same([listed["items"], "'year'" in listed["hint"]], [[], True])


def test_a_hundred_thousand(folder):
    items = make_items()
    with Site(folder) as site:
        for at in range(0, ITEMS, BATCH):
            site.post("/v1/items", items[at:at + BATCH])
        check_totals(site, items)
        site.delete("/v1/items/i7")
        site.put("/v1/items/new", {"title": "amber birch new", "categories": ["Horror"],
                                   "attributes": {"year": 2020}})
        check_totals(site, items[:7] + items[8:] +
                     [{"item_id": "new", "title": "amber birch new", "categories": ["Horror"],
                       "attributes": {"year": 2020}}])
        check_lists(site)
        site.stop()
        site.start()
        check_lists(site)
        same(site.get("/v1/items", limit=1)["total"], ITEMS)


def test_figures_of_many_events(folder):
    """Counting takes its time, asking does not: the last figures come at once, also after a start,
    and new ones follow."""
    palate("import", "--store", "sqlite:palate.db", "--synthetic", "--set", "synth.users=6000",
           "--set", "synth.items=3000", cwd=folder)
    with Site(folder) as site:
        first = timed("the first figures", lambda: site.get("/v1/stats"))
        if first["events"] < 100000:
            fail(f"only {first['events']} events: not worth the test")
        same(timed("the same", lambda: site.get("/v1/stats")), first)
        site.post("/v1/events", {"user_id": "ann", "item_id": "i0", "type": "like"})
        same(timed("with a new event", lambda: site.get("/v1/stats")), first)
        site.stop()
        site.start()
        again = timed("after a start", lambda: site.get("/v1/stats"))
        same(again, first)
        site.wait(lambda: site.get("/v1/stats")["events"] == first["events"] + 1)
        if site.get("/v1/stats")["as_of"] <= first["as_of"]:
            fail("it is not of a later moment")


run(globals())
