"""A site on PostgreSQL, whose server is killed, stalls, and runs out of room: every acknowledged
event is stored once, answers go on, and the log says it once. And others beside the site."""
import os
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from disk import Disk  # noqa: E402
from postgres import Postgres  # noqa: E402
from running import Site  # noqa: E402
from harness import QUICK, WORLD, fail, palate, run, same  # noqa: E402

NO_LISTS = ["--set", "live.served=false"]


class Load(threading.Thread):
    """Posts events and asks for lists, until it is told to stop; keeps account of both."""

    def __init__(self, site, name):
        super().__init__(daemon=True)
        self.site, self.name = Site(site.folder, start=False).beside(site), name
        self.acknowledged, self.slowest, self.wrong, self.done = [], 0.0, None, False

    def run(self):
        try:
            while not self.done:
                self.one(len(self.acknowledged))
        except (AssertionError, OSError) as e:
            self.wrong = e
        finally:
            self.site.close()

    def one(self, n):
        batch = [{"user_id": f"u{(n + i) % 40}", "item_id": f"i{(7 * n + i) % 90}", "type": "like",
                  "event_id": f"{self.name}-{n + i}"} for i in range(5)]
        self.site.post("/v1/events", batch)
        self.acknowledged += [event["event_id"] for event in batch]
        began = time.monotonic()
        same(len(self.site.recommend(f"u{n % 60}", n=3)), 3)
        self.slowest = max(self.slowest, time.monotonic() - began)

    def end(self):
        self.done = True
        self.join(60)
        if self.wrong:
            raise self.wrong
        return self.acknowledged


def new_site(folder, server, *more):
    return Site(folder, "--store", server.url(), "--journal", "journal", *NO_LISTS, *more)


def put_items(site):
    site.post("/v1/items", [{"item_id": f"i{i}", "title": f"T{i}"} for i in range(90)])


def stored(server):
    return int(server.ask("SELECT events FROM palate.state"))


def assert_once(server, acknowledged):
    """Each acknowledged event is there, and none twice."""
    ids = server.ask("SELECT event_id FROM palate.events").split()
    same((len(ids), len(set(ids))), (len(acknowledged), len(acknowledged)))
    same(set(ids) == set(acknowledged), True)
    same(stored(server), len(ids))


def said(site, *words):
    return sum(all(word in line for word in words) for line in site.log().splitlines())


def test_killed_and_started_again(folder):
    with Postgres() as server, new_site(folder, server) as site:
        put_items(site)
        load = Load(site, "a")
        load.start()
        for kills in range(1, 4):
            before = len(load.acknowledged)
            site.wait(lambda: stored(server) > before)
            server.kill()
            site.wait(lambda: said(site, "the store takes nothing now") == kills)
            lost = len(load.acknowledged)
            site.wait(lambda: len(load.acknowledged) > lost + 50 or load.wrong)  # it goes on
            server.start()
            site.wait(lambda: said(site, "the store takes events again") == kills)
        acknowledged = load.end()
        site.wait(lambda: stored(server) == len(acknowledged))
        assert_once(server, acknowledged)
        same(said(site, "the store takes nothing now"), 3)
        same(said(site, "level", "error"), 0)


def test_it_stalls(folder):
    """The server neither answers nor hangs up, as behind a network that was cut: nobody waits long,
    and it goes on by itself."""
    with Postgres() as server, new_site(folder, server) as site:
        put_items(site)
        load = Load(site, "b")
        load.start()
        site.wait(lambda: stored(server) > 0)
        server.pause()
        before, began = len(load.acknowledged), time.monotonic()
        site.wait(lambda: len(load.acknowledged) > before + 200 or load.wrong)
        waited = time.monotonic() - began
        server.go_on()
        acknowledged = load.end()
        site.wait(lambda: stored(server) == len(acknowledged))
        assert_once(server, acknowledged)
        if load.slowest > 8 or waited > 20:
            fail(f"an answer took {load.slowest:.1f} s, 200 events took {waited:.1f} s")


def test_the_disk_is_full(folder):
    """What came meanwhile goes in once there is room."""
    with Disk(os.path.join(folder, "disk"), 96) as disk:
        os.chmod(folder, 0o755)
        with Postgres(data=os.path.join(disk.folder, "data"),
                      settings=["wal_recycle = off", "min_wal_size = 32MB",
                                "max_wal_size = 48MB"]) as server, \
                new_site(folder, server) as site:
            put_items(site)
            load = Load(site, "c")
            load.start()
            site.wait(lambda: stored(server) > 0)
            disk.fill()
            site.wait(lambda: said(site, "the store takes nothing now"))
            disk.free()
            if not server.ready():  # it stops itself where it can't write its log
                server.kill()
                server.start()
            acknowledged = load.end()
            site.wait(lambda: stored(server) == len(acknowledged), 60)
            assert_once(server, acknowledged)


def test_brought_up_by_a_later_version(folder):
    """While the site runs: nothing is written by rules that no longer hold; it is said."""
    with Postgres() as server, new_site(folder, server) as site:
        put_items(site)
        site.wait(lambda: int(server.ask("SELECT items FROM palate.state")) == 90)
        server.psql("UPDATE palate.state SET version = 1000")
        site.post("/v1/events", {"user_id": "u", "item_id": "i1", "type": "like"})
        site.wait(lambda: said(site, "schema 1000 by now", "run the version that brought it up"))
        same((stored(server), len(site.recommend("u", n=3))), (0, 3))
        server.psql("UPDATE palate.state SET version = 1")
        site.wait(lambda: stored(server) == 1)


def test_others_beside_a_site(folder):
    """An import into its store, and a training that sees what is still in its journal."""
    with Postgres() as server, new_site(folder, server) as site:
        palate("import", "--store", server.url(), "--synthetic", *WORLD, cwd=folder)
        imported = stored(server)
        site.post("/v1/events", [{"user_id": "new", "item_id": f"{i}", "type": "like",
                                  "event_id": f"n{i}"} for i in range(1, 8)])
        site.wait(lambda: stored(server) == imported + 7)
        server.pause()  # from here on the journal alone has them
        site.post("/v1/events", [{"user_id": "new", "item_id": f"{i}", "type": "like",
                                  "event_id": f"n{i}"} for i in range(8, 18)])
        server.go_on()
        told = palate("train", "--store", server.url(), "--journal", "journal", "--models", "m",
                      "--model", "als,popular", *QUICK, "--json", cwd=folder).json
        same(told["interactions"], imported + 17)
        site.wait(lambda: stored(server) == imported + 17)


run(globals())
