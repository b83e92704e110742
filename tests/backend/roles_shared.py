"""Several whole servers on one PostgreSQL, without a stream: what one takes in is in the answers of
the other soon after; every acknowledged event is in the store once, whoever is killed when."""
import json
import os
import time

from postgres import Postgres
from running import Site
from split import ITEMS, Asker, Load, everything_once
from harness import palate, refuses, run, same


class Pair:
    """Two servers, each with everything, on one store."""

    def __init__(self, folder, store):
        self.folder, self.store, self.options, self.env = folder, store, [], {}
        self.two = []
        for name in ("a", "b"):
            os.makedirs(os.path.join(folder, name))
            self.two.append(Site(os.path.join(folder, name), "--store", store, "--models",
                                 os.path.join(folder, "models"), "--set", "live.follow_ms=200",
                                 "--set", "live.models_poll_ms=200", start=False))

    def __enter__(self):
        for site in self.two:
            site.start()
        self.two[0].post("/v1/items", [{"item_id": str(i)} for i in range(ITEMS)])
        b = self.two[1]
        b.wait(lambda: b.get("/v1/status")["catalog"]["items"] == ITEMS)
        return self

    def __exit__(self, kind, value, trace):
        for site in self.two:
            if kind:
                print(site.log()[-2000:])
                site.kill()
            else:
                site.stop()

    def export(self, what):
        out = os.path.join(self.folder, "export.jsonl")
        if os.path.exists(out):
            os.remove(out)
        palate("export", "--store", self.store, "--output", out)
        with open(out, encoding="utf-8") as lines:
            return [row[what] for row in map(json.loads, lines) if what in row]


def test_what_one_takes_in_the_other_sees(folder):
    with Postgres() as postgres, Pair(folder, postgres.url()) as pair:
        a, b = pair.two
        a.post("/v1/events", [{"user_id": "u", "item_id": "1", "type": "like"}])
        assert "1" not in a.recommend("u", n=ITEMS)
        b.wait(lambda: "1" not in b.recommend("u", n=ITEMS))
        b.post("/v1/events", [{"user_id": "u", "item_id": "2", "type": "like"}])
        assert "2" not in b.recommend("u", n=ITEMS)
        a.wait(lambda: "2" not in a.recommend("u", n=ITEMS))
        for site in (a, b):
            site.wait(lambda: len(site.get("/v1/users/u/events")["events"]) == 2)
        a.delete("/v1/items/3")
        b.wait(lambda: "3" not in b.recommend("v", n=ITEMS))
        b.delete("/v1/users/u")
        a.wait(lambda: "1" in a.recommend("u", n=ITEMS))
        a.post("/v1/events", [{"user_id": f"p{u}", "item_id": str(i), "type": "like"}
                              for u in range(30) for i in range(ITEMS) if (u + i) % 4 == 0])
        a.post("/v1/train", {}, status=202)
        for site in (a, b):
            site.wait(lambda: site.get("/v1/status")["model"]["version"] == 1, 60)


def test_an_erasure_reaches_other_journals(folder):
    """What one's journal has of somebody whom the other erases meanwhile does not come back; what
    they do after that does."""
    with Postgres() as postgres, Pair(folder, postgres.url()) as pair:
        a, b = pair.two
        b.post("/v1/events", [{"user_id": u, "item_id": "1", "type": "like"} for u in "uv"])
        a.wait(lambda: "1" not in a.recommend("u", n=ITEMS))
        postgres.pause()
        b.post("/v1/events", [{"user_id": u, "item_id": "2", "type": "like"} for u in "uv"])
        b.kill()
        postgres.go_on()
        a.delete("/v1/users/u")
        a.wait(lambda: not a.get("/v1/users/u/events")["events"])
        b.start()
        b.post("/v1/events", [{"user_id": u, "item_id": "3", "type": "like"} for u in "uv"])
        a.wait(lambda: "3" not in a.recommend("v", n=ITEMS))
        did = {(e["user_id"], e["item_id"]) for e in pair.export("event")}
        same(did, {("u", "3"), ("v", "1"), ("v", "2"), ("v", "3")})
        b.wait(lambda: {"1", "2"} <= set(b.recommend("u", n=ITEMS)))
        same("3" in b.recommend("u", n=ITEMS), False)


def test_killed_under_load(folder):
    with Postgres() as postgres, Pair(folder, postgres.url()) as pair:
        loads = [Load(site, f"load{i}") for i, site in enumerate(pair.two)]
        asker = Asker(pair.two[1])
        for thread in [*loads, asker]:
            thread.start()
        for _ in range(3):
            time.sleep(0.5)
            pair.two[0].kill()
            pair.two[0].start()
        postgres.kill()
        time.sleep(0.5)
        postgres.start()
        time.sleep(0.5)
        for thread in [*loads, asker]:
            thread.stop()
        assert asker.answers > 10 and not asker.wrong, (asker.answers, asker.wrong[:3])
        assert everything_once(pair, loads) > 300
        # the journal's folder of one is no place for another
        taken = os.path.join(folder, "a", "palate-journal.d")
        assert os.path.isdir(taken)
        refuses(1, "serve", "--listen", "127.0.0.1:0", "--store", postgres.url(), "--journal",
                taken, says="is in use by process", cwd=folder)


run(globals())
